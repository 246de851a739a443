"""An attacker with user assertions: borrowed, stretched, edited, replayed. The gateway is asked over its real listener.

Each refusal is constant for its fault, is on record under the agency whose channel brought it, and changes nothing.
"""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.members.ca import read_request
from gateway.protocol.assertion import sign_assertion
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, Purpose, Role
from gateway.state import key_pem
from homeward.gateway.v1.directory_pb2 import CertificateRenewal, RenewCertificateRequest
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest, FlagQuery, RequestRecordsRequest
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from tests.adversarial.outcome import Refusal, refusal
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.town import Town
from tests.unit.members.world import certificate_request

pytestmark = pytest.mark.asyncio(loop_scope="session")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
A, B = AgencyId("06029.cwa"), AgencyId("06075.cwa")
STATE_TABLES = ("flag", "authority", "subject", "alert")


def question() -> FlagQuery:
    return flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT)


def invalid(reason: str) -> Refusal:
    return Refusal(grpc.StatusCode.UNAUTHENTICATED, "the user assertion does not count", reason)


def now() -> datetime:
    return datetime.now(UTC)


def edited(request: CheckFlagRequest, **claims: object) -> CheckFlagRequest:
    """The same assertion with claims changed and the signature kept."""
    head, body, signature = request.user_assertion.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | claims
    body = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    request.user_assertion = f"{head}.{body}.{signature}"
    return request


def with_key(resident: Resident, name: str) -> CheckFlagRequest:
    data = question().SerializeToString()
    return CheckFlagRequest(
        payload=data, user_assertion=sign_assertion(resident.claims(data, ACT), getattr(resident.ring, name))
    )


LIES: dict[str, tuple[str, Callable[[Resident, Resident], CheckFlagRequest]]] = {
    "other bytes": (
        "ASSERTION_REQUEST",
        lambda a, b: CheckFlagRequest(
            payload=question().SerializeToString(), user_assertion=a.flag_request(question(), ACT).user_assertion
        ),
    ),
    "one byte appended": (
        "ASSERTION_REQUEST",
        lambda a, b: (
            lambda request: CheckFlagRequest(payload=request.payload + b"\0", user_assertion=request.user_assertion)
        )(a.flag_request(question(), ACT)),
    ),
    "121 seconds old": (
        "ASSERTION_EXPIRED",
        lambda a, b: a.flag_request(
            question(), ACT, issued=now() - timedelta(seconds=121), expires=now() - timedelta(seconds=61)
        ),
    ),
    "issued in ten minutes": (
        "ASSERTION_NOT_YET",
        lambda a, b: a.flag_request(
            question(), ACT, issued=now() + timedelta(minutes=10), expires=now() + timedelta(minutes=11)
        ),
    ),
    "lives ten minutes": (
        "ASSERTION_LIFETIME",
        lambda a, b: a.flag_request(question(), ACT, expires=now() + timedelta(minutes=10)),
    ),
    "for another exchange": (
        "ASSERTION_AUDIENCE",
        lambda a, b: a.flag_request(question(), ACT, audience="other.example"),
    ),
    "of another certificate": (
        "ASSERTION_BINDING",
        lambda a, b: a.flag_request(question(), ACT, channel_thumbprint=bytes(32)),
    ),
    "acting as another adapter": (
        "ASSERTION_BINDING",
        lambda a, b: a.flag_request(question(), ACT, actor=b.membership.spiffe_id),
    ),
    "in another county's name": (
        "ASSERTION_KEY",
        lambda a, b: a.flag_request(question(), ACT, issuer=b.agency),
    ),
    "of a county nobody knows": (
        "ASSERTION_KEY",
        lambda a, b: a.flag_request(question(), ACT, issuer=AgencyId("06999.cwa")),
    ),
    "signed with the envelope key": ("ASSERTION_KEY", lambda a, b: with_key(a, "envelope")),
    "signed with the authority key": ("ASSERTION_KEY", lambda a, b: with_key(a, "authority")),
    "role edited": (
        "ASSERTION_SIGNATURE",
        lambda a, b: edited(a.flag_request(question(), ACT), role="CWA.supervisor"),
    ),
    "purpose edited": (
        "ASSERTION_SIGNATURE",
        lambda a, b: edited(a.flag_request(question(), ACT), purpose="MFC_LOCATE"),
    ),
    # Years past those of a calendar: Python tells of them in three ways, by how far they lie.
    **{
        f"{claim} at second 10^{zeros}": (
            "ASSERTION_MALFORMED",
            lambda a, b, claim=claim, zeros=zeros: edited(  # type: ignore[misc]
                a.flag_request(question(), ACT), **{claim: 10**zeros}
            ),
        )
        for claim in ("iat", "exp", "auth_time")
        for zeros in (12, 17, 30)
    },
    "no JWT": (
        "ASSERTION_MALFORMED",
        lambda a, b: CheckFlagRequest(payload=question().SerializeToString(), user_assertion="x"),
    ),
}


async def test_an_honest_assertion_is_answered(town: Town) -> None:
    a = town.residents[A]
    before = town.size()
    await ExchangeServiceStub(a.channel).CheckFlag(a.flag_request(question(), ACT), timeout=5)
    assert [leaf.kind for leaf in town.news(before)] == ["access.decision"]


@pytest.mark.parametrize(("reason", "lie"), LIES.values(), ids=LIES)
async def test_a_lie_in_an_assertion_is_refused_on_record_and_nothing_changes(
    town: Town, reason: str, lie: Callable[[Resident, Resident], CheckFlagRequest]
) -> None:
    a, b = town.residents[A], town.residents[B]
    before, held = town.size(), town.rows(*STATE_TABLES)
    assert await refusal(ExchangeServiceStub(a.channel).CheckFlag(lie(a, b), timeout=5)) == invalid(reason)
    (leaf,) = town.news(before)
    assert (leaf.kind, leaf.reason, leaf.requester) == ("access.refused", reason, A)
    assert town.rows(*STATE_TABLES) == held


async def test_an_assertion_of_one_county_counts_for_nothing_on_the_channel_of_another(town: Town) -> None:
    a, b = town.residents[A], town.residents[B]
    request = a.flag_request(question(), ACT)
    before = town.size()
    found = await refusal(ExchangeServiceStub(b.channel).CheckFlag(request, timeout=5))
    assert found == invalid("ASSERTION_BINDING")
    (leaf,) = town.news(before)
    assert (leaf.reason, leaf.requester) == ("ASSERTION_BINDING", B), "the presenter is named, not the claimed county"
    # It was not spent by being presented elsewhere.
    await ExchangeServiceStub(a.channel).CheckFlag(request, timeout=5)


async def test_an_assertion_dies_with_the_certificate_it_names(town: Town) -> None:
    resident = await town.settle("06013.renewing", AgencyKind.CWA)
    await town.listed(resident.agency)
    old = resident.flag_request(question(), ACT)
    key = ec.generate_private_key(ec.SECP256R1())
    renewal = CertificateRenewal(certificate_request=certificate_request(key), generation=1)
    renewal.create_time.FromDatetime(now())
    assert read_request(renewal.certificate_request)
    request = RenewCertificateRequest(envelope=resident.wrapped(renewal))
    reply = await MembershipServiceStub(resident.channel).RenewCertificate(request, timeout=5)
    credentials = grpc.ssl_channel_credentials(town.roots_pem, key_pem(key), reply.certificate_chain)
    async with grpc.aio.secure_channel(town.address, credentials) as renewed:
        found = await refusal(ExchangeServiceStub(renewed).CheckFlag(old, timeout=5))
    assert found == invalid("ASSERTION_BINDING")


async def test_the_same_request_twice_is_one_decision(town: Town) -> None:
    a = town.residents[A]
    stub, request = ExchangeServiceStub(a.channel), a.flag_request(question(), ACT)
    await stub.CheckFlag(request, timeout=5)
    before = town.size()
    found = await refusal(stub.CheckFlag(request, timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.ABORTED, "ASSERTION_REPLAYED")
    assert [(leaf.kind, leaf.reason) for leaf in town.news(before)] == [("access.refused", "ASSERTION_REPLAYED")]


async def test_an_assertion_identifier_serves_once_whatever_it_is_signed_over(town: Town) -> None:
    a = town.residents[A]
    stub = ExchangeServiceStub(a.channel)
    await stub.CheckFlag(a.flag_request(question(), ACT, assertion_id="once"), timeout=5)
    found = await refusal(stub.CheckFlag(a.flag_request(question(), ACT, assertion_id="once"), timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.ABORTED, "ASSERTION_REPLAYED")


async def test_a_request_identifier_with_other_content_is_refused(town: Town) -> None:
    a = town.residents[A]
    stub, first, second = ExchangeServiceStub(a.channel), question(), question()
    second.request_id = first.request_id
    second.tokens.CopyFrom(tokens_of("somebody else"))
    await stub.CheckFlag(a.flag_request(first, ACT), timeout=5)
    before = town.size()
    found = await refusal(stub.CheckFlag(a.flag_request(second, ACT), timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.ABORTED, "ID_REUSED")
    assert [leaf.reason for leaf in town.news(before)] == ["ID_REUSED"]


@pytest.mark.parametrize(
    "lie", [{"subject": "worker-2"}, {"role": Role("CWA.hotline_screener")}, {"purpose": Purpose.OVERSIGHT_AUDIT}]
)
async def test_an_answer_is_given_again_to_nobody_but_its_worker(town: Town, lie: dict[str, object]) -> None:
    a = town.residents[A]
    stub, asked = ExchangeServiceStub(a.channel), question()
    await stub.CheckFlag(a.flag_request(asked, ACT), timeout=5)
    before = town.size()
    found = await refusal(stub.CheckFlag(a.flag_request(asked, ACT, **lie), timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.ABORTED, "ID_REUSED")
    assert [leaf.reason for leaf in town.news(before)] == ["ID_REUSED"]
    await stub.CheckFlag(a.flag_request(asked, ACT), timeout=5)


async def test_an_assertion_for_one_method_says_nothing_on_another(town: Town) -> None:
    """The bytes of a flag question are no records question; where they parse as one, they ask for nothing."""
    a = town.residents[A]
    asked = a.flag_request(question(), ACT)
    request: Any = RequestRecordsRequest(payload=asked.payload, user_assertion=asked.user_assertion)
    found = await refusal(ExchangeServiceStub(a.channel).RequestRecords(request, timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
