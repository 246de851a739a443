"""When a consent signed in a minor's stead ends, and what the exchange can read from that."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.node.majority import consent_outlived, expiry_for, majority_date
from gateway.protocol.authority import LAPSES_AT_MAJORITY, Authority, Subject, majority_moment
from gateway.protocol.names import AgencyId, AuthorityId, Basis, FieldSet, Grantor, Purpose

BIRTHS = st.dates(date(1995, 1, 1), date(2030, 12, 31))
WANTED = st.integers(0, 10_000).map(lambda days: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days))
IN_A_MINORS_STEAD = st.sampled_from(sorted(LAPSES_AT_MAJORITY))
CONSENT = Authority(
    authority_id=AuthorityId(b"a" * 16),
    basis=Basis.CONSENT,
    grantor=Grantor.PARENT_GUARDIAN,
    issuer_agency=AgencyId("06019.cwa"),
    subject=Subject(token_digests=frozenset({b"d" * 32})),
    purposes=frozenset({Purpose.CFT_COORDINATION}),
    field_sets=frozenset({FieldSet.FS4_PLACEMENT_SUMMARY}),
    recipient_agencies=frozenset({AgencyId("06037.cwa")}),
    recipient_roles=frozenset(),
    effective_time=datetime(2026, 1, 1, tzinfo=UTC),
    expire_time=datetime(2026, 12, 31, tzinfo=UTC),
)


@settings(derandomize=True, deadline=None)
@given(IN_A_MINORS_STEAD, WANTED, BIRTHS)
def test_no_consent_in_a_minors_stead_outlives_the_birthday(grantor: Grantor, wanted: datetime, birth: date) -> None:
    expires, at_majority = expiry_for(grantor, wanted, birth)
    assert expires <= min(wanted, majority_moment(majority_date(birth)))
    assert at_majority is (expires != wanted)


@settings(derandomize=True, deadline=None)
@given(IN_A_MINORS_STEAD, WANTED, BIRTHS.filter(lambda birth: (birth.month, birth.day) != (2, 29)), st.integers(1, 28))
def test_youths_born_in_one_month_have_one_expiry(grantor: Grantor, wanted: datetime, birth: date, day: int) -> None:
    assert expiry_for(grantor, wanted, birth) == expiry_for(grantor, wanted, birth.replace(day=day))


def test_the_check_of_one_expiry_a_month_would_notice_the_day_itself() -> None:
    days = {majority_moment(majority_date(date(2010, 5, day))) for day in range(1, 32)}
    assert len(days) == 31


@pytest.mark.parametrize("grantor", sorted(set(Grantor) - LAPSES_AT_MAJORITY))
def test_who_signs_for_themselves_or_by_office_keeps_the_expiry_that_was_wanted(grantor: Grantor) -> None:
    wanted = datetime(2040, 1, 1, tzinfo=UTC)
    assert expiry_for(grantor, wanted, date(2010, 5, 20)) == (wanted, False)


def test_a_youth_born_on_the_leap_day_is_of_age_on_the_first_of_march() -> None:
    assert majority_date(date(2008, 2, 29)) == date(2026, 3, 1)
    assert majority_date(date(2006, 2, 28)) == date(2024, 2, 28)


def test_a_source_knows_the_day_and_stops_a_consent_that_its_issuer_let_run_on() -> None:
    birth = date(2008, 6, 10)
    midnight = majority_moment(date(2026, 6, 10))
    assert not consent_outlived(CONSENT, birth, midnight - timedelta(milliseconds=1))
    assert consent_outlived(CONSENT, birth, midnight)
    assert consent_outlived(CONSENT, None, CONSENT.effective_time)


def test_what_rests_on_nobodys_signature_for_a_minor_is_never_outlived() -> None:
    adult, now = date(1990, 1, 1), datetime(2026, 6, 10, tzinfo=UTC)
    assert not consent_outlived(None, adult, now)
    assert not consent_outlived(replace(CONSENT, grantor=Grantor.NMD_SELF), adult, now)
    assert not consent_outlived(replace(CONSENT, basis=Basis.COURT_ORDER, grantor=Grantor.COURT), adult, now)
