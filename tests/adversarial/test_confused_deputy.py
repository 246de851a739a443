"""An attacker with good papers for something else: another county's authority, key, flag, epoch or name.

Whatever is borrowed is refused before any source is asked: the work log of the sources stays as it was.
"""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio

from adapters.node.identifiers import timestamp
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, FlagState, Purpose, Role
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import authority_pb2, exchange_pb2, index_pb2, missing_pb2
from homeward.gateway.v1.authority_pb2_grpc import AuthorityServiceStub
from homeward.gateway.v1.codes_pb2 import BASIS_CONSENT
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.index_pb2_grpc import IndexServiceStub
from homeward.gateway.v1.missing_pb2_grpc import MissingServiceStub
from tests.adversarial.outcome import Refusal, refusal
from tests.adversarial.resident import Act, flag_query, tokens_of
from tests.adversarial.stage import Stage, record_authority, worker_of
from tests.adversarial.town import utc_now
from tests.adversarial.traces import Mark

pytestmark = pytest.mark.asyncio(loop_scope="session")
PLANNING = Act(Role("CWA.placement_worker"), Purpose.PLACEMENT_PLANNING)
DETAIL = (FieldSet.FS5_PLACEMENT_DETAIL,)
OWNER, THIEF, FFA = AgencyId("06075.cwa"), AgencyId("06029.cwa"), AgencyId("06019.ffa")
TABLES = ("flag", "authority", "authority_party", "subject", "alert")


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def no_source_is_asked(stage: Stage) -> AsyncIterator[None]:
    """Silence at the other end: no work order reaches any source during a test."""
    mark = Mark.put(stage)
    yield
    assert mark.asked() == set()


async def test_somebody_elses_consent_permits_nothing(stage: Stage) -> None:
    """Named by a caller who is no recipient of it: the same as none, whoever it is asked about."""
    town, act = stage.town, Act(Role("FFA.social_worker"), Purpose.CFT_COORDINATION, stage.authorities["team-consent"])
    for label in ("Y05", "Y04", "nobody"):
        before = town.size()
        found = await stage.records(
            town.residents[FFA], label, act, (FieldSet.FS4_PLACEMENT_SUMMARY,), EvidenceKind.TEAM_MEMBERSHIP
        )
        assert found.outcome == "CONSENT_NEEDED"
        assert not found.reply.sources
        assert {leaf.reason for leaf in town.news(before)} <= {"CONSENT_OUT_OF_SCOPE", "CONSENT_REVOKED"}


async def test_a_consent_for_one_youth_shows_nothing_of_another(stage: Stage) -> None:
    town, issuer = stage.town, stage.town.residents[AgencyId("06019.cwa")]
    consent = _consent(issuer.agency, FFA)
    consent.subject.handle = stage.handles["Y04"]
    authority = await record_authority(issuer, consent)
    act = Act(Role("FFA.social_worker"), Purpose.CFT_COORDINATION, authority)
    seen = []
    for label, reason in (("Y01", "AUTHORITY_OTHER_SUBJECT"), ("nobody", "NO_MATCH")):
        before = town.size()
        found = await stage.records(
            town.residents[FFA], label, act, (FieldSet.FS4_PLACEMENT_SUMMARY,), EvidenceKind.TEAM_MEMBERSHIP
        )
        seen.append((found.outcome, len(found.reply.sources), len(town.news(before)), found.reply.pairwise_handle))
        assert town.news(before)[-1].reason == reason
    assert seen[0] == seen[1]
    assert seen[0][0] == "NO_DISCLOSABLE_RECORD"


async def test_nobody_records_an_authority_in_anothers_name_or_about_anothers_youth(stage: Stage) -> None:
    town, thief = stage.town, stage.town.residents[THIEF]
    held, before = town.rows(*TABLES), town.size()
    about_theirs, in_their_name = _consent(THIEF, FFA), _consent(OWNER, FFA)
    about_theirs.subject.handle = stage.handles["Y01"]
    in_their_name.subject.handle = stage.handles["Y01"]
    for message in (about_theirs, in_their_name):
        record = authority_pb2.AuthorityRecord(
            request_id=secrets.token_bytes(16), authority=wrap(message, thief.ring.authority)
        )
        request = thief.signed(authority_pb2.RecordAuthorityRequest, record, worker_of(thief))
        found = await refusal(AuthorityServiceStub(thief.channel).RecordAuthority(request, timeout=5))
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "AUTHORITY_INVALID")
    assert [leaf.reason for leaf in town.news(before)] == ["AUTHORITY_INVALID"] * 2
    assert town.rows(*TABLES) == held


async def test_an_authority_is_revoked_by_its_parties_and_is_unknown_to_everybody_else(stage: Stage) -> None:
    town, thief = stage.town, stage.town.residents[THIEF]
    seen: list[Refusal] = []
    for identifier in (stage.authorities["own-consent"], secrets.token_bytes(16)):
        message = authority_pb2.AuthorityRevocation(request_id=secrets.token_bytes(16), authority_id=identifier)
        request = thief.signed(authority_pb2.RevokeAuthorityRequest, message, worker_of(thief))
        seen.append(await refusal(AuthorityServiceStub(thief.channel).RevokeAuthority(request, timeout=5)))
    assert seen[0] == seen[1]
    assert seen[0].reason == "AUTHORITY_NOT_FOUND"
    revoked = {bytes(row[0]): row for row in town.rows("authority")["authority"] if isinstance(row[0], bytes)}
    assert None in revoked[stage.authorities["own-consent"]], "still in force"


async def test_a_seal_key_of_another_agency_is_not_sealed_to(stage: Stage) -> None:
    town, thief, other = stage.town, stage.town.residents[THIEF], stage.town.residents[OWNER]
    for key_id in (other.ring.seal.key_id, thief.ring.record.key_id, bytes(16)):
        query = thief.records_query(tokens_of("Y01"), DETAIL, EvidenceKind.OPEN_REFERRAL, recipient_key_id=key_id)
        before = town.size()
        found = await refusal(
            ExchangeServiceStub(thief.channel).RequestRecords(thief.records_request(query, PLANNING), timeout=5)
        )
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "KEY_UNKNOWN")
        assert [leaf.reason for leaf in town.news(before)] == ["KEY_UNKNOWN"]


async def test_tokens_of_another_epoch_find_nobody(stage: Stage) -> None:
    thief, before = stage.town.residents[THIEF], stage.town.size()
    query = flag_query(tokens_of("Y01", epoch="e0"), EvidenceKind.YOUTH_PRESENT)
    act = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
    call = ExchangeServiceStub(thief.channel).CheckFlag(thief.flag_request(query, act), timeout=5)
    found = await refusal(call)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "EPOCH_UNKNOWN")
    assert [leaf.reason for leaf in stage.town.news(before)] == ["EPOCH_UNKNOWN"]


async def test_a_flag_is_changed_and_ended_by_its_owner_alone(stage: Stage) -> None:
    """With a statement the thief signs itself, and with the owner's own statement replayed."""
    town, thief = stage.town, stage.town.residents[THIEF]
    flag_id, house = stage.flag_ids["Y01"], stage.houses[OWNER]
    own = house.flags.by_id(flag_id)  # type: ignore[arg-type]
    assert own is not None
    forged = exchange_pb2.FlagStatement.FromString(own.statement.payload)
    forged.version, forged.state = 9, to_wire(FlagState.RESOLVED)  # type: ignore[assignment]
    held = town.rows("flag")["flag"]
    for statement in (wrap(forged, thief.ring.flag), own.statement):
        update = missing_pb2.FlagUpdate(request_id=secrets.token_bytes(16), flag_id=flag_id, flag_statement=statement)
        request = thief.signed(missing_pb2.UpdateFlagRequest, update, worker_of(thief))
        before = town.size()
        found = await refusal(MissingServiceStub(thief.channel).UpdateFlag(request, timeout=5))
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "NOT_FLAG_OWNER")
        assert [leaf.reason for leaf in town.news(before)] == ["NOT_FLAG_OWNER"]
        assert town.rows("flag")["flag"] == held


async def test_a_flag_of_another_countys_youth_cannot_be_raised_under_a_stolen_handle(stage: Stage) -> None:
    town, thief = stage.town, stage.town.residents[THIEF]
    statement = exchange_pb2.FlagStatement(
        flag_id=secrets.token_bytes(16), county="06029", state=1, handling_code=1, version=1,
        issue_time=timestamp(utc_now()), expire_time=timestamp(utc_now() + timedelta(days=3)),
    )  # fmt: skip
    report = missing_pb2.FlagReport(
        request_id=secrets.token_bytes(16),
        subject_handle=stage.handles["Y11"],
        tokens=tokens_of("Y11"),
        flag_statement=wrap(statement, thief.ring.flag),
        learn_time=timestamp(utc_now()),
    )
    held, before = town.rows("flag"), town.size()
    request = thief.signed(missing_pb2.RaiseFlagRequest, report, worker_of(thief))
    found = await refusal(MissingServiceStub(thief.channel).RaiseFlag(request, timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert [leaf.reason for leaf in town.news(before)] == ["INVALID_REQUEST"]
    assert town.rows("flag") == held


async def test_an_envelope_of_one_agency_counts_for_nothing_on_the_channel_of_another(stage: Stage) -> None:
    # One that keeps a list itself; nobody else may register anything.
    town, thief, owner = stage.town, stage.town.residents[AgencyId("06037.cwa")], stage.town.residents[OWNER]
    batch = index_pb2.RegistrationBatch(request_id=secrets.token_bytes(16), removed_handles=[stage.handles["Y01"]])
    stolen = index_pb2.RegisterSubjectsRequest(envelope=owner.wrapped(batch))
    held = town.rows("subject", "index_token")
    found = await refusal(IndexServiceStub(thief.channel).RegisterSubjects(stolen, timeout=5))
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "ENVELOPE_INVALID")
    assert town.rows("subject", "index_token") == held
    # The thief's own envelope about the owner's youth removes nothing either: handles are an owner's own.
    own = index_pb2.RegisterSubjectsRequest(envelope=thief.wrapped(batch))
    await IndexServiceStub(thief.channel).RegisterSubjects(own, timeout=5)
    assert town.rows("subject", "index_token") == held


def _consent(issuer: AgencyId, recipient: AgencyId) -> authority_pb2.Authority:
    now = utc_now()
    return authority_pb2.Authority(
        authority_id=secrets.token_bytes(16),
        basis=BASIS_CONSENT,
        grantor=authority_pb2.GRANTOR_PARENT_GUARDIAN,
        issuer_agency=issuer,
        purposes=[to_wire(Purpose.CFT_COORDINATION)],  # type: ignore[list-item]
        field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)],  # type: ignore[list-item]
        recipient_agencies=[recipient],
        effective_time=timestamp(now - timedelta(days=1)),
        expire_time=timestamp(now + timedelta(days=30)),
        evidence_commitment=bytes(32),
        language_version_hash=bytes(32),
        copy_given_to_youth=True,
    )
