"""Who may sign a consent at which age of the youth: the birthdays, the county's midnight, and a date nobody knows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.node.majority import birthday
from adapters.node.signing_ages import SIGNING_AGES, may_sign, signed_out_of_age
from gateway.protocol.authority import CONSENT_PURPOSES
from gateway.protocol.names import Basis, Grantor
from tests.unit.node.test_majority import CONSENT

PACIFIC = ZoneInfo("America/Los_Angeles")
BORN = date(2010, 6, 10)
SECOND = timedelta(seconds=1)


def midnight(day: date, zone: ZoneInfo = PACIFIC) -> datetime:
    """The moment at which the day begins there, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("grantor", "years", "before", "then"),
    [
        (Grantor.MINOR_SELF, 12, False, True),
        (Grantor.MINOR_SELF, 18, True, False),
        (Grantor.NMD_SELF, 12, False, False),
        (Grantor.NMD_SELF, 18, False, True),
        (Grantor.PARENT_GUARDIAN, 12, True, True),
        (Grantor.PARENT_GUARDIAN, 18, True, False),
        (Grantor.MINOR_COUNSEL, 18, True, False),
    ],
)
@pytest.mark.parametrize("born", [BORN, date(2010, 12, 31), date(2008, 2, 29)], ids=str)
def test_a_birthday_counts_from_the_countys_midnight(
    grantor: Grantor, years: int, before: bool, then: bool, born: date
) -> None:
    begins = midnight(birthday(born, years))
    assert may_sign(grantor, born, begins - SECOND, PACIFIC) is before
    assert may_sign(grantor, born, begins, PACIFIC) is then


def test_the_day_is_the_countys_and_not_that_of_greenwich() -> None:
    evening = datetime(2028, 6, 10, 2, 0, tzinfo=UTC)
    assert not may_sign(Grantor.NMD_SELF, BORN, evening, PACIFIC), "the 9th of June in California"
    assert may_sign(Grantor.NMD_SELF, BORN, evening, ZoneInfo("UTC"))


def test_an_eleven_year_old_is_no_nonminor_dependent_and_signs_nothing() -> None:
    born, now = date(2015, 4, 1), datetime(2026, 11, 24, tzinfo=UTC)
    assert not may_sign(Grantor.NMD_SELF, born, now, PACIFIC)
    assert not may_sign(Grantor.MINOR_SELF, born, now, PACIFIC)
    assert may_sign(Grantor.PARENT_GUARDIAN, born, now, PACIFIC)


@pytest.mark.parametrize("grantor", Grantor)
def test_without_a_birth_date_nobody_signs_whose_power_depends_on_it(grantor: Grantor) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert may_sign(grantor, None, now, PACIFIC) is (grantor not in SIGNING_AGES)


def test_every_grantor_whose_consent_opens_anything_has_ages() -> None:
    assert {grantor for grantor, purposes in CONSENT_PURPOSES.items() if purposes} == set(SIGNING_AGES)


def test_no_rule_says_a_date() -> None:
    assert not any(str(date(2010, 6, 10).year) in ages.rule for ages in SIGNING_AGES.values())


@settings(derandomize=True, deadline=None)
@given(st.dates(date(1995, 1, 1), date(2030, 12, 31)), st.integers(0, 30 * 366))
def test_at_no_moment_is_a_youth_a_minor_and_an_adult(born: date, days: int) -> None:
    moment = datetime(born.year, born.month, born.day, 12, tzinfo=UTC) + timedelta(days=days)
    by = {grantor for grantor in SIGNING_AGES if may_sign(grantor, born, moment, PACIFIC)}
    assert by in (
        {Grantor.PARENT_GUARDIAN, Grantor.MINOR_COUNSEL},
        {Grantor.PARENT_GUARDIAN, Grantor.MINOR_COUNSEL, Grantor.MINOR_SELF},
        {Grantor.NMD_SELF},
    )


def test_a_source_looks_at_consents_alone_and_at_the_day_they_took_effect() -> None:
    of_age = midnight(birthday(BORN, 18))
    own = replace(CONSENT, grantor=Grantor.NMD_SELF, effective_time=of_age, expire_time=of_age + timedelta(days=30))
    assert not signed_out_of_age(own, BORN, PACIFIC)
    assert signed_out_of_age(replace(own, effective_time=own.effective_time - SECOND), BORN, PACIFIC)
    assert signed_out_of_age(own, None, PACIFIC)
    assert not signed_out_of_age(None, None, PACIFIC)
    assert not signed_out_of_age(replace(own, basis=Basis.COURT_ORDER, grantor=Grantor.COURT), None, PACIFIC)


def test_what_a_minor_signed_for_itself_stays_its_own_word_after_the_birthday() -> None:
    signed = midnight(birthday(BORN, 18)) - timedelta(days=1)
    own = replace(CONSENT, grantor=Grantor.MINOR_SELF, effective_time=signed, expire_time=signed + timedelta(days=300))
    assert not signed_out_of_age(own, BORN, PACIFIC)
