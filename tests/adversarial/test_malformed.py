"""An attacker with a good certificate and bad bytes: outside the envelope, and inside it under a good signature.

Whatever arrives ends in a constant, documented error or in an answer; never in UNKNOWN or INTERNAL, never in a text
that tells of the code, and never in more than its own entry in the log.
"""

import asyncio
import gzip
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message

from gateway.errors import ErrorReason
from gateway.exchange.refusals import MOST
from gateway.protocol.match_keys import DECISIVE_KEY
from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, FieldSet, Purpose, Role
from gateway.protocol.signing import SigningKey
from gateway.rpc.status import CODES
from homeward.audit.v1.service_pb2 import EntryQuery, GetConsistencyProofRequest
from homeward.gateway.v1 import (
    authority_pb2,
    directory_pb2,
    exchange_pb2,
    index_pb2,
    missing_pb2,
    restoration_pb2,
    review_pb2,
    sealing_pb2,
    token_pb2,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope, TokenSet
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.index_pb2_grpc import IndexServiceStub
from tests.adversarial.mutants import mutants
from tests.adversarial.outcome import Refusal, ending, refusal
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.town import Town
from tests.unit.token_sets import withdraw_keys

pytestmark = pytest.mark.asyncio(loop_scope="session")
ATTACKER = AgencyId("06061.cwa")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
TEXTS = {text for _, text in CODES.values()}
REASONS = frozenset(ErrorReason)
MAY_BE = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
GATEWAY, AUDIT = "homeward.gateway.v1", "homeward.audit.v1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clumsy(town: Town) -> Resident:
    """Who sends a malformed message now and then. Nobody else does in its name: so many a minute are entries."""
    resident = await town.settle("06085.clumsy", AgencyKind.CWA)
    await town.listed(resident.agency)
    return resident


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def flooding(town: Town) -> Resident:
    """Who sends nothing else."""
    resident = await town.settle("06085.flooding", AgencyKind.CWA)
    await town.listed(resident.agency)
    return resident


@dataclass(frozen=True)
class Target:
    """A method and a good message for it."""

    path: str
    payload: Message
    """What stands inside: signed bytes, or the request itself where nothing is signed."""
    proof: str


def targets() -> list[Target]:
    asked, moment = flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT), 1_700_000_000
    stamp = {"seconds": moment}
    rid = secrets.token_bytes(16)
    subject = index_pb2.Subject(handle=rid, tokens=tokens_of("nobody"), restriction=index_pb2.RESTRICTION_NONE)
    authority = authority_pb2.Authority(authority_id=rid, issuer_agency=ATTACKER, purposes=[1], field_sets=[1])
    inner = SignedEnvelope(payload=authority.SerializeToString(), signature=bytes(64), key_id=bytes(16))
    statement = SignedEnvelope(payload=b"\x0a\x01a", signature=bytes(64), key_id=bytes(16))
    return [
        Target(f"/{GATEWAY}.ExchangeService/CheckFlag", asked, "assertion"),
        Target(f"/{GATEWAY}.ExchangeService/CheckFlags", exchange_pb2.FlagQueryBatch(queries=[asked]), "assertion"),
        Target(
            f"/{GATEWAY}.ExchangeService/RequestRecords",
            exchange_pb2.RecordsQuery(request_id=rid, tokens=asked.tokens, field_sets=[5], recipient_key_id=rid),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.MissingService/RaiseFlag",
            missing_pb2.FlagReport(
                request_id=rid, tokens=asked.tokens, learn_time=stamp, subject_handle=rid, flag_statement=statement
            ),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.MissingService/UpdateFlag",
            missing_pb2.FlagUpdate(request_id=rid, flag_id=rid, flag_statement=statement),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.MissingService/ReportLocated",
            missing_pb2.LocatedReport(request_id=rid, flag_id=rid, located_county="06061", locate_time=stamp),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.MissingService/ResolveFlag",
            missing_pb2.FlagResolution(request_id=rid, flag_id=rid, flag_statement=statement),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.AuthorityService/RecordAuthority",
            authority_pb2.AuthorityRecord(request_id=rid, authority=inner),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.AuthorityService/RevokeAuthority",
            authority_pb2.AuthorityRevocation(request_id=rid, authority_id=rid),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.AuthorityService/ListAuthorities", authority_pb2.AuthorityFilter(request_id=rid), "assertion"
        ),
        Target(
            f"/{GATEWAY}.SealingService/Seal",
            sealing_pb2.SealOrder(
                request_id=rid,
                operation=sealing_pb2.SEAL_OPERATION_RESTRICT,
                subject_handle=rid,
                case_commitment=bytes(32),
            ),
            "assertion",
        ),
        Target(
            f"/{GATEWAY}.SealingService/Recall",
            sealing_pb2.RecallOrder(request_id=rid, kind=sealing_pb2.NOTICE_KIND_WRONG_YOUTH, subject_handle=rid),
            "assertion",
        ),
        Target(f"/{GATEWAY}.SealingService/ListNotices", sealing_pb2.NoticeFilter(request_id=rid), "assertion"),
        Target(
            f"/{GATEWAY}.SealingService/AcknowledgeNotice",
            sealing_pb2.NoticeAcknowledgement(notice_id=rid, finding=sealing_pb2.NOTICE_FINDING_DONE),
            "envelope",
        ),
        Target(f"/{AUDIT}.AuditService/ListEntries", EntryQuery(request_id=rid, page_size=1), "assertion"),
        Target(
            f"/{GATEWAY}.ExchangeService/ConfirmReceipt",
            exchange_pb2.ReceiptConfirmation(
                request_id=rid, release_index=1, finding=exchange_pb2.RECEIPT_FINDING_OPENED
            ),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.IndexService/RegisterSubjects",
            index_pb2.RegistrationBatch(request_id=rid, subjects=[subject], removed_handles=[rid]),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.IndexService/Heartbeat",
            index_pb2.IndexHeartbeat(
                revision=1,
                scope=index_pb2.INDEX_SCOPE_FLAGGED_ONLY,
                data_as_of_time=stamp,
                create_time=stamp,
                complete_epochs=["e1"],
                log_origin="sandbox.example/log",
            ),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.RestorationService/PresentEvent",
            restoration_pb2.PresentedEvent(
                log_origin="exchange.example/log",
                flag=restoration_pb2.PresentedFlag(subject_handle=rid, statement=statement, learn_time=stamp),
            ),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.ReviewService/GiveVerdict",
            review_pb2.ReviewVerdict(
                review_id=rid, verdict=review_pb2.VERDICT_SAME, create_time=stamp, worker="worker-1 CWA.case_worker"
            ),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.MembershipService/RenewCertificate",
            directory_pb2.CertificateRenewal(certificate_request=b"no request", generation=7, create_time=stamp),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.MembershipService/OfferPepper", directory_pb2.PepperOffer(commitment=bytes(32)), "envelope"
        ),
        Target(
            f"/{GATEWAY}.TokenService/Evaluate",
            token_pb2.BlindedBatch(
                request_id=rid, epoch="e1", record_count=1, elements=[bytes(32)], use=token_pb2.EVALUATION_USE_LOOKUP
            ),
            "envelope",
        ),
        Target(
            f"/{GATEWAY}.MembershipService/GetDirectory", directory_pb2.GetDirectoryRequest(known_version=1), "channel"
        ),
        Target(f"/{GATEWAY}.MembershipService/FetchPepper", directory_pb2.FetchPepperRequest(epoch="e1"), "channel"),
        Target(
            f"/{AUDIT}.AuditService/GetConsistencyProof", GetConsistencyProofRequest(old_size=1, new_size=2), "channel"
        ),
    ]


TARGETS = targets()


def carried(resident: Resident, target: Target, payload: bytes) -> bytes:
    """The whole request around these inner bytes, with a signature that counts."""
    if target.proof == "assertion":
        return resident.signed(exchange_pb2.CheckFlagRequest, payload, ACT).SerializeToString()
    if target.proof == "envelope":
        envelope = _envelope(type(target.payload), payload, resident.ring.envelope)
        return exchange_pb2.ConfirmReceiptRequest(envelope=envelope).SerializeToString()
    return payload


def _envelope(kind: type[Message], payload: bytes, key: SigningKey) -> SignedEnvelope:
    name = str(kind.DESCRIPTOR.full_name)
    signature = key.sign(b"homeward/envelope/v1", name.encode(), payload)
    return SignedEnvelope(payload_type=name, payload=payload, key_id=key.key_id, signature=signature)


async def send(resident: Resident, path: str, requests: Iterable[bytes]) -> Counter[str]:
    """What the requests came to. Fails the test at the first ending that is not a documented one."""
    method = resident.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    # Well below the 32 streams a connection may have: a refused stream would say nothing of the message.
    limit = asyncio.Semaphore(8)

    async def one(request: bytes) -> str:
        async with limit:
            found = await ending(method(request, timeout=20))
        if found is None:
            return "OK"
        check(found, request)
        return found.reason or found.code.name

    return Counter(await asyncio.gather(*(one(each) for each in requests)))


def check(found: Refusal, request: bytes) -> None:
    """The refusal is one of the documented ones."""
    assert found.code in MAY_BE, (found, request[:200].hex())
    if found.code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        assert found.text in TEXTS, (found, request[:200].hex())
        assert found.reason in REASONS, (found, request[:200].hex())


@pytest.mark.parametrize("target", TARGETS, ids=[each.path.rpartition("/")[2] for each in TARGETS])
async def test_broken_requests_end_in_constant_errors(town: Town, target: Target) -> None:
    resident = town.residents[ATTACKER]
    whole = carried(resident, target, target.payload.SerializeToString())
    found = await send(resident, target.path, mutants(whole, count=120, seed=1))
    assert found.total() == 120
    assert found["OK"] < 100 or target.proof == "channel", "the mutations break something"


@pytest.mark.parametrize(
    "target",
    [each for each in TARGETS if each.proof != "channel"],
    ids=[each.path.rpartition("/")[2] for each in TARGETS if each.proof != "channel"],
)
async def test_broken_payloads_under_a_good_signature_end_in_constant_errors(town: Town, target: Target) -> None:
    resident = town.residents[ATTACKER]
    broken = [
        carried(resident, target, each) for each in mutants(target.payload.SerializeToString(), count=100, seed=2)
    ]
    found = await send(resident, target.path, broken)
    assert found["INVALID_REQUEST"] > 10, found
    assert found["ENVELOPE_INVALID"] == found["ASSERTION_SIGNATURE"] == 0, "the signatures counted"


async def test_every_unary_method_of_the_gateway_is_a_target() -> None:
    from gateway.rpc.methods import METHODS, Listener

    unary = {name for name, row in METHODS.items() if Listener.GATEWAY in row.listeners}
    left = {
        f"/{GATEWAY}.AdapterLinkService/Connect",
        f"/{GATEWAY}.IndexService/RegisterAll",
        f"/{GATEWAY}.ExchangeService/StreamFlagChecks",
        f"/{AUDIT}.AuditService/GetCheckpoint",
    }
    assert {each.path for each in TARGETS} == unary - left, "three streams, and a request without a field"


async def test_the_scan_sees_a_decoder_that_talks(town: Town) -> None:
    """Positive control: the library's own words about a message it cannot decode would not pass."""
    talk = Refusal(
        grpc.StatusCode.UNKNOWN,
        "Unexpected <class 'google.protobuf.message.DecodeError'>: Error parsing message with type "
        "'homeward.gateway.v1.CheckFlagRequest'",
        "",
    )
    with pytest.raises(AssertionError):
        check(talk, b"")


async def test_a_refused_message_of_a_known_caller_leaves_one_entry_and_no_other_trace(
    town: Town, clumsy: Resident
) -> None:
    before, tables = town.size(), town.rows("flag", "authority", "subject", "spent", "alert")
    query = flag_query(tokens_of("nobody"))
    query.request_id = b"short"
    found = await refusal(ExchangeServiceStub(clumsy.channel).CheckFlag(clumsy.flag_request(query, ACT), timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert found.fields
    assert all("short" not in each for each in found.fields)
    (leaf,) = town.news(before)
    assert (leaf.kind, leaf.reason, leaf.requester) == ("access.refused", "INVALID_REQUEST", clumsy.agency)
    assert town.rows("flag", "authority", "subject", "spent", "alert") == tables


def _undecodable(resident: Resident) -> Awaitable[object]:
    method = resident.channel.unary_unary(f"/{GATEWAY}.ExchangeService/CheckFlag")
    return cast(Awaitable[object], method(b"\xff\xff\xff", timeout=5))


def _asked(resident: Resident, **how: Any) -> Awaitable[object]:
    request = resident.flag_request(flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT), ACT)
    return cast(Awaitable[object], ExchangeServiceStub(resident.channel).CheckFlag(request, **how))


def _under_a_broken_envelope(resident: Resident) -> Awaitable[object]:
    envelope = resident.wrapped(index_pb2.IndexHeartbeat(revision=1))
    envelope.signature = bytes(64)
    stub = IndexServiceStub(resident.channel)
    return cast(Awaitable[object], stub.Heartbeat(index_pb2.HeartbeatRequest(envelope=envelope), timeout=5))


REFUSED_AT_THE_EDGE: dict[str, tuple[Callable[[Resident], Awaitable[object]], str, str]] = {
    "no message": (_undecodable, "CheckFlag", "INVALID_REQUEST"),
    "no deadline": (lambda by: _asked(by), "CheckFlag", "DEADLINE_REQUIRED"),
    "metadata twice": (
        lambda by: _asked(by, timeout=5, metadata=(("x", "1"), ("x", "2"))),
        "CheckFlag",
        "INVALID_REQUEST",
    ),
    "a broken envelope": (_under_a_broken_envelope, "Heartbeat", "ENVELOPE_INVALID"),
}


@pytest.mark.parametrize("name", REFUSED_AT_THE_EDGE)
async def test_what_a_member_is_refused_before_a_handler_is_on_record_once(
    town: Town, clumsy: Resident, name: str
) -> None:
    call, method, reason = REFUSED_AT_THE_EDGE[name]
    before = town.size()
    assert (await refusal(call(clumsy))).reason == reason
    (leaf,) = town.news(before)
    assert (leaf.kind, leaf.reason, leaf.requester, leaf.op["asked"]) == (
        "access.refused",
        reason,
        clumsy.agency,
        method,
    )


async def test_a_member_that_sends_malformed_messages_as_fast_as_it_can_does_not_fill_the_log(
    town: Town, flooding: Resident
) -> None:
    before = town.size()
    target = next(each for each in TARGETS if each.path.endswith("/CheckFlag"))
    sent = 4 * MOST
    found = await send(flooding, target.path, [carried(flooding, target, b"?") for _ in range(sent)])
    assert found == {"INVALID_REQUEST": sent}
    refused = [leaf for leaf in town.news(before) if leaf.requester == flooding.agency]
    # A minute may have ended meanwhile.
    assert MOST <= len(refused) <= 2 * MOST


@pytest.mark.parametrize(
    "change",
    [
        lambda tokens: setattr(tokens, "tokens", tokens.tokens + tokens_of("somebody else").tokens),
        lambda tokens: setattr(tokens, "tokens", tokens.tokens[:-16]),
        lambda tokens: setattr(tokens, "tokens", tokens.tokens[:-1]),
        lambda tokens: setattr(tokens, "tokens", tokens.tokens[:-16] + tokens.tokens[:16]),
        lambda tokens: setattr(tokens, "presence", tokens.presence | 1 << 63),
        lambda tokens: withdraw_keys(tokens, DECISIVE_KEY),
        lambda tokens: setattr(tokens, "scheme", EXTENDED_SCHEME),
    ],
    ids=["a second youth's", "one less", "half of one", "one twice", "a key too many", "a core key less", "scheme"],
)
async def test_a_token_set_of_another_shape_is_refused_and_on_record(
    town: Town, change: Callable[[TokenSet], None]
) -> None:
    resident, before = town.residents[ATTACKER], town.size()
    query = flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT)
    change(query.tokens)
    found = await refusal(ExchangeServiceStub(resident.channel).CheckFlag(resident.flag_request(query, ACT), timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOKENS_INCOMPLETE")
    (leaf,) = town.news(before)
    assert (leaf.kind, leaf.reason, leaf.requester) == ("access.refused", "TOKENS_INCOMPLETE", ATTACKER)


async def test_an_unknown_enum_value_and_an_unknown_field_are_refused(town: Town) -> None:
    resident = town.residents[ATTACKER]
    stub = ExchangeServiceStub(resident.channel)
    query = resident.records_query(tokens_of("nobody"), (FieldSet.FS5_PLACEMENT_DETAIL,))
    query.field_sets[:] = [77]
    raw = resident.records_query(tokens_of("nobody"), (FieldSet.FS5_PLACEMENT_DETAIL,)).SerializeToString()
    for payload in (query.SerializeToString(), raw + b"\x9a\x06\x03abc"):
        request = resident.signed(exchange_pb2.RequestRecordsRequest, payload, ACT)
        found = await refusal(stub.RequestRecords(request, timeout=5))
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


@pytest.mark.parametrize("size", [262_145, 5_000_000])
async def test_a_request_over_the_limit_is_refused_before_it_is_read(town: Town, size: int) -> None:
    resident, before = town.residents[ATTACKER], town.size()
    method = resident.channel.unary_unary(
        f"/{GATEWAY}.ExchangeService/CheckFlag", request_serializer=bytes, response_deserializer=bytes
    )
    found = await refusal(method(bytes(size), timeout=5))
    assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    # The library answers by itself, and the entry follows.
    async with asyncio.timeout(5):
        while not town.news(before):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    (leaf,) = town.news(before)
    assert (leaf.requester, leaf.reason, leaf.op["asked"]) == (ATTACKER, "PROTOCOL_ERROR", "CheckFlag")


async def test_a_compressed_bomb_is_refused_and_the_gateway_keeps_its_size(town: Town) -> None:
    resident = town.residents[ATTACKER]
    assert len(gzip.compress(bytes(64_000_000))) < 100_000
    resident_before = memory_of(town)
    method = resident.channel.unary_unary(
        f"/{GATEWAY}.ExchangeService/CheckFlag", request_serializer=bytes, response_deserializer=bytes
    )
    for _ in range(4):
        found = await refusal(method(bytes(64_000_000), timeout=10, compression=grpc.Compression.Gzip))
        assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert memory_of(town) - resident_before < 50_000_000


def memory_of(town: Town) -> int:
    """Resident bytes of the gateway's process."""
    with open(f"/proc/{town.processes['gateway'].pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


async def test_metadata_that_is_too_large_or_given_twice_is_refused(town: Town) -> None:
    resident = town.residents[ATTACKER]
    stub = ExchangeServiceStub(resident.channel)

    def ask(metadata: tuple[tuple[str, str], ...]) -> grpc.aio.UnaryUnaryCall[object, object]:
        request = resident.flag_request(flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT), ACT)
        return stub.CheckFlag(request, timeout=5, metadata=metadata)

    assert (await refusal(ask((("x-big", "a" * 17_000),)))).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    twice = await refusal(ask((("authorization", "Bearer a"), ("authorization", "Bearer b"))))
    assert (twice.code, twice.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert await ending(ask((("authorization", "Bearer a"),))) is None, "one is ignored: it is no proof here"


async def test_a_call_without_a_deadline_or_with_a_long_one_is_refused(town: Town) -> None:
    resident = town.residents[ATTACKER]
    stub, before = ExchangeServiceStub(resident.channel), town.size()
    for timeout in (None, 61, 1e9):
        request = resident.flag_request(flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT), ACT)
        found = await refusal(stub.CheckFlag(request, timeout=timeout))
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "DEADLINE_REQUIRED")
    assert [leaf for leaf in town.news(before) if leaf.kind == "access.decision"] == []


async def test_the_gateway_still_answers_after_all_this(town: Town) -> None:
    resident = town.residents[ATTACKER]
    request = resident.flag_request(flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT), ACT)
    await ExchangeServiceStub(resident.channel).CheckFlag(request, timeout=5)
    assert town.processes["gateway"].poll() is None
