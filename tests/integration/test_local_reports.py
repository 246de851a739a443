"""Reports and authorities through the local endpoint: what is stated here, and what leaves."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapters.node import rpcs
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.signing_ages import SIGNING_AGES
from gateway.protocol.authority_wire import open_authority
from gateway.protocol.match_keys import DECISIVE_KEY
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import AuthorityId, FlagState
from gateway.protocol.wire_names import to_wire
from homeward.county.v1 import authority_pb2, county_pb2, missing_pb2
from homeward.gateway.v1 import authority_pb2 as gateway_authority
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.local_kit import (
    LOCATE,
    OWN_HANDLE,
    OWN_YOUTH,
    PERSONAL,
    County,
    county,
    inquiry,
    refusal,
)
from tests.integration.report_kit import raise_own_flag, recorded
from tests.unit.local.exchange import (
    CANARY,
    CANARY_BIRTH,
    CANARY_SURNAME,
)
from tests.unit.node.world import ASKER, FLAG, NOW, directory, stamp


async def test_a_flag_of_an_own_youth_is_signed_here_and_its_details_stay_here(tmp_path: Path) -> None:
    sent: list[gateway_missing.FlagReport] = []

    def flag_of(payload: bytes) -> bytes:
        report = gateway_missing.FlagReport.FromString(payload)
        sent.append(report)
        return FlagStatement.FromString(report.flag_statement.payload).flag_id

    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(
            at, "flag.raised", gateway_missing.RaiseFlagResponse, flag_id=flag_of, late=True
        )
        request = missing_pb2.RaiseFlagRequest(
            inquiry=inquiry(LOCATE),
            local_id=OWN_YOUTH,
            learn_time=stamp(NOW - timedelta(hours=31)),
            flag_locate=FlagLocate(missing_since_date="2026-11-20", last_seen_county="06037"),
        )
        answer = await at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
        (flag,) = at.flags.of(OWN_HANDLE)
    assert (answer.outcome, answer.late) == (codes.OUTCOME_RECORDED, True)
    assert answer.flag_id == flag.flag_id.hex()
    assert flag.recorded
    (report,) = sent
    assert report.subject_handle == OWN_HANDLE
    assert b"06037" not in report.SerializeToString()
    assert flag.locate.last_seen_county == "06037"


async def test_only_the_owner_ends_a_flag_and_anybody_else_reports_the_youth_located(tmp_path: Path) -> None:
    sent: list[gateway_missing.FlagResolution] = []

    def state(payload: bytes) -> int:
        sent.append(gateway_missing.FlagResolution.FromString(payload))
        return to_wire(FlagState.RESOLVED if sent[-1].HasField("flag_statement") else FlagState.LOCATED_PENDING)

    async with county(tmp_path) as at:
        own = (await raise_own_flag(at)).flag_id
        at.gateway.answers[rpcs.RESOLVE_FLAG.path] = recorded(
            at, "flag.resolved", gateway_missing.ResolveFlagResponse, flag_state=state
        )
        answers = []
        for flag_id in (own, FLAG.hex()):
            request = missing_pb2.ResolveFlagRequest(
                flag_id=flag_id, resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME
            )
            answers.append(
                await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
            )
        (flag,) = at.flags.of(OWN_HANDLE)
    assert [each.flag_state for each in answers] == [codes.FLAG_STATE_RESOLVED, codes.FLAG_STATE_LOCATED_PENDING]
    assert flag.state is FlagState.RESOLVED
    assert flag.casework.resolution_group == codes.RESOLUTION_GROUP_RETURNED_SAME


async def test_an_end_that_the_policy_refuses_ends_no_flag_here(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        own = (await raise_own_flag(at)).flag_id

        def refused(payload: bytes, claims: Any) -> Any:
            receipt = at.gateway.leaf("access.decision", payload, claims, "NOT_PERMITTED")
            return gateway_missing.ResolveFlagResponse(outcome=codes.OUTCOME_NOT_PERMITTED, receipt=receipt)

        at.gateway.answers[rpcs.RESOLVE_FLAG.path] = refused
        group = codes.RESOLUTION_GROUP_RETURNED_SAME
        request = missing_pb2.ResolveFlagRequest(flag_id=own, resolution_group=group)
        await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
        (flag,) = at.flags.of(OWN_HANDLE)
    stated = FlagStatement.FromString(flag.statement.payload)
    assert (flag.state, flag.version, stated.state) == (FlagState.ACTIVE, 3, to_wire(FlagState.ACTIVE))
    assert not flag.casework.resolved_date


async def test_a_located_report_names_the_callers_county_unless_it_says_otherwise(tmp_path: Path) -> None:
    sent: list[str] = []

    def located(payload: bytes) -> bytes:
        sent.append(gateway_missing.LocatedReport.FromString(payload).located_county)
        return b""

    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            located(payload)
            receipt = at.gateway.leaf("flag.located", payload, claims, "RECORDED")
            return gateway_missing.ReportLocatedResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.REPORT_LOCATED.path] = answer
        for where in ("", "06037"):
            request = missing_pb2.ReportLocatedRequest(
                flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW), located_county=where
            )
            done = await at.call("MissingService/ReportLocated", request, missing_pb2.ReportLocatedResponse, "workers")
            assert done.outcome == codes.OUTCOME_RECORDED
    assert sent == ["06029", "06037"]


@pytest.mark.parametrize("code", ["00000", "99999", "06002"])
async def test_a_county_that_is_none_is_told_to_nobody(code: str, tmp_path: Path) -> None:
    located = missing_pb2.ReportLocatedRequest(
        flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW), located_county=code
    )
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (flag,) = at.flags.of(OWN_HANDLE)
        locate = FlagLocate(missing_since_date="2026-11-20", last_seen_county=code)
        update = missing_pb2.UpdateFlagRequest(flag_id=flag.flag_id.hex(), flag_locate=locate)
        at.gateway.calls.clear()
        found = [
            await refusal(at, "MissingService/ReportLocated", located, "workers"),
            await refusal(at, "MissingService/UpdateFlag", update, "workers"),
        ]
        assert at.gateway.calls == []
        assert at.flags.of(OWN_HANDLE) == [flag]
    assert [each.fields for each in found] == [
        ("located_county: a county's FIPS code",),
        ("flag_locate.last_seen_county: a county's FIPS code",),
    ]
    assert not any(code in str(each) for each in found)


async def test_a_report_whose_receipt_is_about_something_else_is_refused(tmp_path: Path) -> None:
    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            receipt = at.gateway.leaf("flag.located", b"another request", claims, "RECORDED")
            return gateway_missing.ReportLocatedResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.REPORT_LOCATED.path] = answer
        request = missing_pb2.ReportLocatedRequest(
            flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW)
        )
        found = await refusal(at, "MissingService/ReportLocated", request, "workers")
    assert (found.code, found.reason) == (grpc.StatusCode.DATA_LOSS, "EVIDENCE_INVALID")
    assert found.fault == "receipt_request"


def consent_request(**changes: Any) -> authority_pb2.RecordAuthorityRequest:
    given: dict[str, Any] = {
        "youth": county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date=CANARY_BIRTH),
        "basis": codes.BASIS_CONSENT,
        "grantor": gateway_authority.GRANTOR_PARENT_GUARDIAN,
        "purposes": [codes.PURPOSE_CFT_COORDINATION],
        "field_sets": [codes.FIELD_SET_FS4_PLACEMENT_SUMMARY],
        "recipient_agencies": ["06037.prob"],
        "expire_time": stamp(NOW + timedelta(days=300)),
        "evidence_reference": "REF-77-1234",
        "language_text": f"I, the parent of {CANARY}, agree.",
        "copy_given_to_youth": True,
    }
    return authority_pb2.RecordAuthorityRequest(**(given | changes))


async def test_what_is_revoked_while_the_exchange_does_not_know_it_is_never_presented_as_standing(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RECORD_AUTHORITY.path] = recorded(
            at, "authority.recorded", gateway_authority.RecordAuthorityResponse
        )
        done = await at.call(
            "AuthorityService/RecordAuthority", consent_request(), authority_pb2.RecordAuthorityResponse, "workers"
        )

        def unknown(payload: bytes, claims: Any) -> Any:
            raise CallFailed(CallFault.REFUSED, "AUTHORITY_NOT_FOUND")

        at.gateway.answers[rpcs.REVOKE_AUTHORITY.path] = unknown
        request = authority_pb2.RevokeAuthorityRequest(authority_id=done.authority_id)
        found = await refusal(at, "AuthorityService/RevokeAuthority", request, "workers")
        assert found.reason == "AUTHORITY_NOT_FOUND"
        kept = OwnAuthorities(at.store).find(AuthorityId(bytes.fromhex(done.authority_id)))
    assert kept is not None
    assert kept.revoke_ms is not None


async def test_a_consent_is_signed_here_and_names_nobody(tmp_path: Path) -> None:
    sent: list[SignedEnvelope] = []

    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            sent.append(gateway_authority.AuthorityRecord.FromString(payload).authority)
            receipt = at.gateway.leaf("authority.recorded", payload, claims, "RECORDED")
            return gateway_authority.RecordAuthorityResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.RECORD_AUTHORITY.path] = answer
        done = await at.call(
            "AuthorityService/RecordAuthority", consent_request(), authority_pb2.RecordAuthorityResponse, "workers"
        )
    (envelope,) = sent
    kept = open_authority(envelope, directory(), NOW)
    assert done.authority_id == kept.authority_id.hex()
    assert kept.issuer_agency == ASKER
    assert kept.subject is not None
    assert len(kept.subject.token_digests) == next(
        rule.pad for rule in load_key_scheme().keys if rule.name == DECISIVE_KEY
    )
    assert not any(word.encode() in envelope.payload for word in PERSONAL)
    # 18 in 2029: the life of this consent ends long before.
    assert not gateway_authority.Authority.FromString(envelope.payload).expires_at_majority


async def test_an_own_youth_is_named_by_its_handle(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        (authority,) = await recorded_as(at, consent_request(local_id=OWN_YOUTH))
        assert at.tokens.people == []
    assert authority.subject.handle == OWN_HANDLE


CHILD, REPEATED = "2015-04-01", "00000000-0000-4000-8000-000000000007"
NMD, SELF = gateway_authority.GRANTOR_NMD_SELF, gateway_authority.GRANTOR_MINOR_SELF
TOMORROW, YEAR = stamp(datetime(2026, 11, 25, 8, tzinfo=UTC)), timedelta(days=365)
"""The county's midnight, and a year."""


def named(birth_date: str) -> county_pb2.YouthIdentity:
    """The youth, as staff type the birth date."""
    return county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date=birth_date)


@pytest.mark.parametrize(
    ("born", "request_"),
    [
        (CHILD, consent_request(grantor=NMD, local_id=OWN_YOUTH, youth=named(CHILD))),
        (CHILD, consent_request(grantor=NMD, local_id=OWN_YOUTH, youth=named("2005-04-01"))),
        (CHILD, consent_request(grantor=SELF, local_id=OWN_YOUTH)),
        ("", consent_request(grantor=NMD, local_id=OWN_YOUTH, youth=named("2005-04-01"))),
        ("2008-11-25", consent_request(grantor=NMD, local_id=OWN_YOUTH, youth=named("2005-04-01"))),
        (CANARY_BIRTH, consent_request(grantor=NMD, youth=named(CHILD))),
        ("2008-11-25", consent_request(grantor=NMD, local_id=OWN_YOUTH, effective_time=TOMORROW)),
        ("2014-11-25", consent_request(grantor=SELF, local_id=OWN_YOUTH, effective_time=TOMORROW)),
        ("2007-11-24", consent_request(grantor=SELF, local_id=OWN_YOUTH, effective_time=stamp(NOW - 2 * YEAR))),
        (CANARY_BIRTH, consent_request(grantor=NMD, youth=named("2008-11-25"), effective_time=TOMORROW)),
    ],
    ids=[
        "as typed, too",
        "whatever was typed",
        "too young to sign for itself",
        "the county's record has no birth date",
        "on the eve of the birthday",
        "a youth of another agency, as typed",
        "on the eve, with effect from the 18th birthday",
        "on the eve, with effect from the 12th birthday",
        "an adult, with effect from childhood",
        "a youth of another agency, with effect from the 18th birthday",
    ],
)
async def test_a_consent_is_not_recorded_of_a_grantor_for_whom_the_youth_has_not_the_age(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, born: str, request_: authority_pb2.RecordAuthorityRequest
) -> None:
    async with county(tmp_path) as at:
        at.listing.born = date.fromisoformat(born) if born else None
        found = await refusal(at, "AuthorityService/RecordAuthority", request_, "workers")
        assert at.gateway.calls == at.listing.asked == at.tokens.people == []
        assert not OwnAuthorities(at.store).due()
    (field,) = found.fields
    assert found.reason == "INVALID_REQUEST"
    assert field in (f"grantor: {ages.rule}" for ages in SIGNING_AGES.values())
    for word in (*PERSONAL, CHILD, "2005-04-01", born or CHILD):
        assert word not in found.everything + caplog.text


async def recorded_as(at: County, request: authority_pb2.RecordAuthorityRequest) -> list[gateway_authority.Authority]:
    """What the exchange is sent when staff record this."""
    sent: list[gateway_authority.Authority] = []

    def answer(payload: bytes, claims: Any) -> Any:
        record = gateway_authority.AuthorityRecord.FromString(payload)
        sent.append(gateway_authority.Authority.FromString(record.authority.payload))
        receipt = at.gateway.leaf("authority.recorded", payload, claims, "RECORDED")
        return gateway_authority.RecordAuthorityResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

    at.gateway.answers[rpcs.RECORD_AUTHORITY.path] = answer
    await at.call("AuthorityService/RecordAuthority", request, authority_pb2.RecordAuthorityResponse, "workers")
    return sent


@pytest.mark.parametrize(
    ("born", "changes"),
    [
        ("2008-11-24", {"grantor": NMD}),
        ("2008-11-24", {"grantor": NMD, "effective_time": TOMORROW}),
        ("2014-11-24", {"grantor": SELF}),
        (CHILD, {"grantor": gateway_authority.GRANTOR_PARENT_GUARDIAN}),
    ],
    ids=["18 today", "18 today, with effect from tomorrow", "12 today", "a child's parent"],
)
async def test_a_consent_is_recorded_of_a_grantor_for_whom_the_youth_has_the_age(
    tmp_path: Path, born: str, changes: dict[str, Any]
) -> None:
    async with county(tmp_path) as at:
        at.listing.born = date.fromisoformat(born)
        request = consent_request(local_id=OWN_YOUTH, youth=named(born), **changes)
        (authority,) = await recorded_as(at, request)
    assert authority.grantor == changes["grantor"]


async def test_a_slip_of_the_keyboard_refuses_no_consent_of_a_youth_whose_birth_date_the_county_holds(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at:
        at.listing.born = date(2005, 4, 1)
        (authority,) = await recorded_as(at, consent_request(grantor=NMD, local_id=OWN_YOUTH, youth=named(CHILD)))
    assert authority.grantor == NMD


async def test_a_consent_that_is_sent_again_is_the_one_that_was_recorded_whatever_the_age_is(tmp_path: Path) -> None:
    request = consent_request(grantor=SELF, local_id=OWN_YOUTH, request_id=REPEATED)
    async with county(tmp_path) as at:
        at.listing.born = date(2009, 3, 19)
        first = await recorded_as(at, request)
        at.listing.born = date(2005, 3, 19)
        assert await recorded_as(at, request) == first


async def test_when_a_parents_consent_ends_follows_from_the_countys_record_and_not_from_what_was_typed(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at:
        at.listing.born = date(2009, 3, 19)
        (authority,) = await recorded_as(at, consent_request(local_id=OWN_YOUTH))
    assert authority.expires_at_majority
    assert authority.expire_time.ToDatetime(UTC) == datetime(2027, 3, 1, 7, tzinfo=UTC)


async def test_listed_authorities_are_verified_and_come_without_their_subject(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        stored: list[SignedEnvelope] = []

        def record(payload: bytes, claims: Any) -> Any:
            stored.append(gateway_authority.AuthorityRecord.FromString(payload).authority)
            receipt = at.gateway.leaf("authority.recorded", payload, claims, "RECORDED")
            return gateway_authority.RecordAuthorityResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        def listing(payload: bytes, claims: Any) -> Any:
            item = gateway_authority.ListedAuthority(authority=stored[0], revoke_time=stamp(NOW))
            item.recorded.create_time.CopyFrom(stamp(NOW))
            return gateway_authority.ListAuthoritiesResponse(
                outcome=codes.OUTCOME_ANSWERED,
                authorities=[item],
                receipt=at.gateway.leaf("authority.listed", payload, claims, "ANSWERED"),
            )

        at.gateway.answers |= {rpcs.RECORD_AUTHORITY.path: record, rpcs.LIST_AUTHORITIES.path: listing}
        await at.call(
            "AuthorityService/RecordAuthority", consent_request(), authority_pb2.RecordAuthorityResponse, "workers"
        )
        request = authority_pb2.ListAuthoritiesRequest()
        page = await at.call(
            "AuthorityService/ListAuthorities", request, authority_pb2.ListAuthoritiesResponse, "workers"
        )
        stored[0].signature = bytes(64)
        found = await refusal(at, "AuthorityService/ListAuthorities", request, "workers")
    (item,) = page.authorities
    assert not item.authority.HasField("subject")
    assert item.revoke_time == stamp(NOW)
    assert (found.reason, found.fault) == ("EVIDENCE_INVALID", "authority")


async def test_a_teacher_cannot_record_a_consent(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        found = await refusal(at, "AuthorityService/RecordAuthority", consent_request(), "teachers")
        assert at.gateway.calls == []
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_HELD")
