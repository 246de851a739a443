"""When an authority is live and what it covers."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.authority import (
    CONSENT_PURPOSES,
    GRANTORS,
    MAJORITY_ZONE,
    Authority,
    AuthorityError,
    AuthorityStatus,
    Subject,
    Use,
    check,
    consent_gaps,
    covers_subject,
    majority_moment,
    majority_month,
    token_digest,
)
from gateway.protocol.names import (
    AgencyId,
    AuthorityId,
    Basis,
    FieldSet,
    Grantor,
    Purpose,
    Role,
    SubjectHandle,
    Token,
)

START = datetime(2026, 1, 1, 8, tzinfo=UTC)
END = datetime(2026, 2, 28, 8, tzinfo=UTC)
AGENCY = AgencyId("06019.valley-ffa")
ROLE = Role("FFA.social_worker")
YOUTH = frozenset({token_digest(Token(b"y" * 16)), token_digest(Token(b"z" * 16))})
TEAM = b"t" * 32
CONSENT = Authority(
    authority_id=AuthorityId(b"a" * 16),
    basis=Basis.CONSENT,
    grantor=Grantor.PARENT_GUARDIAN,
    issuer_agency=AgencyId("06019.cwa"),
    subject=Subject(token_digests=YOUTH),
    purposes=frozenset({Purpose.CFT_COORDINATION}),
    field_sets=frozenset({FieldSet.FS4_PLACEMENT_SUMMARY}),
    recipient_agencies=frozenset({AGENCY}),
    recipient_roles=frozenset({ROLE}),
    effective_time=START,
    expire_time=END,
    evidence_commitment=b"e" * 32,
    language_version_hash=b"l" * 32,
    copy_given_to_youth=True,
)
USE = Use(Purpose.CFT_COORDINATION, (FieldSet.FS4_PLACEMENT_SUMMARY,), AGENCY, ROLE, TEAM, YOUTH)
DURING = datetime(2026, 2, 1, tzinfo=UTC)


def status(authority: Authority, use: Use = USE, now: datetime = DURING, *, revoked: bool = False) -> AuthorityStatus:
    facts = check(authority, use, now, revoked=revoked)
    assert facts is not None
    return facts.status


def test_an_unknown_authority_is_like_none() -> None:
    assert check(None, USE, DURING, revoked=False) is None


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (START - timedelta(milliseconds=1), AuthorityStatus.NOT_YET),
        (START, AuthorityStatus.LIVE),
        (END - timedelta(milliseconds=1), AuthorityStatus.LIVE),
        (END, AuthorityStatus.EXPIRED),
    ],
)
def test_its_life_is_half_open(now: datetime, expected: AuthorityStatus) -> None:
    assert status(CONSENT, now=now) is expected


@given(st.integers(-400, 4000).map(lambda days: START + timedelta(days=days)))
def test_a_revoked_authority_is_never_live(now: datetime) -> None:
    assert status(CONSENT, now=now, revoked=True) is AuthorityStatus.REVOKED


def test_a_parents_consent_lapses_in_the_month_of_the_eighteenth_birthday() -> None:
    month = majority_month(date(2026, 2, 17))
    parents = replace(CONSENT, expire_time=month, expires_at_majority=True)
    assert status(parents, now=month - timedelta(milliseconds=1)) is AuthorityStatus.LIVE
    assert status(parents, now=month) is AuthorityStatus.LAPSED_MAJORITY


def test_what_ends_for_another_cause_than_majority_expired() -> None:
    assert status(CONSENT, now=END) is AuthorityStatus.EXPIRED
    order = replace(CONSENT, basis=Basis.COURT_ORDER, grantor=Grantor.COURT, expires_at_majority=True)
    assert status(order, now=END) is AuthorityStatus.EXPIRED


@given(st.dates(date(2020, 1, 1), date(2060, 12, 31)), st.dates(date(2020, 1, 1), date(2060, 12, 31)))
def test_an_expiry_at_majority_tells_the_month_of_a_birthday_and_not_the_day(one: date, other: date) -> None:
    month = majority_month(one)
    assert month <= majority_moment(one)
    assert month.astimezone(MAJORITY_ZONE).timetz() == time(tzinfo=MAJORITY_ZONE)
    same_month = (one.year, one.month) == (other.year, other.month)
    assert (majority_month(other) == month) is same_month
    assert majority_month(one.replace(day=28)) == month


def test_a_birthday_begins_at_californias_midnight_or_at_most_an_hour_before() -> None:
    assert majority_moment(date(2026, 7, 1)) == datetime(2026, 7, 1, 7, tzinfo=UTC)
    winter_midnight = datetime(2026, 1, 15, 8, tzinfo=UTC)
    assert winter_midnight - majority_moment(date(2026, 1, 15)) == timedelta(hours=1)


def test_a_team_consent_ends_with_the_team() -> None:
    team = replace(CONSENT, team_ref_commitment=TEAM)
    ended = check(team, USE, DURING, revoked=False, team_ended=True)
    assert ended is not None
    assert ended.status is AuthorityStatus.LAPSED_TEAM_ENDED
    assert status(team) is AuthorityStatus.LIVE


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (replace(USE, purpose=Purpose.PLACEMENT_PLANNING), AuthorityStatus.OUT_OF_SCOPE_PURPOSE),
        (replace(USE, purpose=Purpose.VOLUNTARY_SHELTER), AuthorityStatus.GRANTOR_LACKS_POWER),
        (replace(USE, agency=AgencyId("06019.other-ffa")), AuthorityStatus.OUT_OF_SCOPE_RECIPIENT),
        (replace(USE, role=Role("CASA.advocate")), AuthorityStatus.OUT_OF_SCOPE_RECIPIENT),
        (replace(USE, token_digests=frozenset({b"n" * 32})), AuthorityStatus.OUT_OF_SCOPE_SUBJECT),
        (replace(USE, field_sets=(FieldSet.FS6_JURISDICTION_CONTACT,)), AuthorityStatus.OUT_OF_SCOPE_FIELDS),
        (replace(USE, field_sets=(FieldSet.FS5_PLACEMENT_DETAIL,)), AuthorityStatus.LIVE),
    ],
)
def test_a_use_outside_its_scope_is_named(use: Use, expected: AuthorityStatus) -> None:
    assert status(CONSENT, use) is expected


def test_a_named_team_must_be_the_callers_team() -> None:
    team = replace(CONSENT, team_ref_commitment=TEAM)
    assert status(team, replace(USE, team_ref_commitment=None)) is AuthorityStatus.OUT_OF_SCOPE_RECIPIENT
    assert status(team, replace(USE, team_ref_commitment=b"u" * 32)) is AuthorityStatus.OUT_OF_SCOPE_RECIPIENT


def test_an_authority_without_any_recipient_reaches_nobody() -> None:
    nobody = replace(CONSENT, recipient_agencies=frozenset(), recipient_roles=frozenset())
    assert status(nobody) is AuthorityStatus.OUT_OF_SCOPE_RECIPIENT


@pytest.mark.parametrize("basis", list(Basis))
@pytest.mark.parametrize("grantor", list(Grantor))
def test_only_the_grantors_of_a_kind_can_give_it(basis: Basis, grantor: Grantor) -> None:
    authority = replace(CONSENT, basis=basis, grantor=grantor)
    able = grantor in GRANTORS[basis]
    if basis is Basis.CONSENT:
        able = able and Purpose.CFT_COORDINATION in CONSENT_PURPOSES[grantor]
    assert (status(authority) is AuthorityStatus.LIVE) == able


def test_a_worker_cannot_consent_for_a_youth() -> None:
    assert Grantor.AGENCY_STATUTORY not in GRANTORS[Basis.CONSENT]
    assert status(replace(CONSENT, grantor=Grantor.AGENCY_STATUTORY)) is AuthorityStatus.GRANTOR_LACKS_POWER


def test_an_authority_by_handle_covers_that_youth_of_that_owner_alone() -> None:
    owner, handle = AgencyId("06019.cwa"), SubjectHandle(b"h" * 16)
    order = replace(CONSENT, subject=Subject(owner=owner, handle=handle))
    assert covers_subject(order, owner, handle)
    assert not covers_subject(order, owner, SubjectHandle(b"i" * 16))
    assert not covers_subject(order, AgencyId("06037.cwa"), handle)


def test_an_incomplete_consent_names_what_it_lacks() -> None:
    assert consent_gaps(CONSENT) == ()
    bare = replace(CONSENT, evidence_commitment=None, copy_given_to_youth=False)
    assert consent_gaps(bare) == ("evidence_commitment", "copy_given_to_youth")
    assert consent_gaps(replace(bare, basis=Basis.COURT_ORDER, grantor=Grantor.COURT)) == ()


@pytest.mark.parametrize(
    "broken",
    [
        {"expire_time": START},
        {"effective_time": START.replace(tzinfo=None)},
        {"subject": None},
        {"team_ref_commitment": b"short"},
    ],
)
def test_a_malformed_authority_is_refused_without_quoting_it(broken: dict[str, object]) -> None:
    with pytest.raises(AuthorityError) as refused:
        replace(CONSENT, **broken)  # type: ignore[arg-type]
    assert "06019" not in str(refused.value)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"owner": AgencyId("06019.cwa")},
        {"owner": AgencyId("06019.cwa"), "handle": SubjectHandle(b"h" * 16), "token_digests": YOUTH},
        {"token_digests": frozenset({b"short"})},
    ],
)
def test_a_subject_is_a_handle_or_token_digests(parts: dict[str, object]) -> None:
    with pytest.raises(AuthorityError):
        Subject(**parts)  # type: ignore[arg-type]


def test_what_identifies_a_youth_is_not_printed() -> None:
    shown = repr(CONSENT)
    assert "2029" not in shown
    assert all(repr(digest) not in shown for digest in YOUTH)
