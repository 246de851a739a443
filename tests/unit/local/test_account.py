"""What counts as a disclosure, and how it is told: to another agency, by a permit, in words a youth can read."""

from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from adapters.audit_account import Account, disclosures_of, paper_of, table_of
from adapters.county_names import COUNTIES, agency_text
from audit.accounting import lines
from homeward.county.v1.access_pb2 import AccessEntry, AccessField

OWN, OTHER = "06037.cwa", "06029.cwa"
PACIFIC: Final = ZoneInfo("America/Los_Angeles")
PERMIT = {"decision": "ALLOW", "outcome": "ANSWERED", "requester": OTHER, "purpose": "MFC_HANDOFF"}
ANSWERED = {**PERMIT, "kind": "access.decision", "fields": "FS0,FS1 STATUTE"}
RELEASED = {**PERMIT, "kind": "access.outcome", "fields": "FS0,FS4,FS5 CONSENT", "purpose": "CFT_COORDINATION"}


def entry(index: int, said: dict[str, str], *, hour: int = 12) -> AccessEntry:
    made = AccessEntry(index=index, fields=[AccessField(name=name, value=value) for name, value in said.items()])
    made.create_time.FromDatetime(datetime(2026, 11, 2, hour, tzinfo=UTC))
    return made


def test_an_answer_from_the_log_and_a_released_record_are_disclosures() -> None:
    found = disclosures_of([entry(1, ANSWERED), entry(4, RELEASED)], agency=OWN, zone=PACIFIC)
    assert [(each.index, each.given, each.basis) for each in found] == [
        (1, ("FS1",), "STATUTE"),
        (4, ("FS4", "FS5"), "CONSENT"),
    ]


@pytest.mark.parametrize(
    ("obliged", "listed"), [("ACCOUNT,ALERT_OWNER", True), ("ALERT_OWNER", False), ("INTERNAL_USE", False), ("", True)]
)
def test_what_the_policy_does_not_oblige_to_account_for_is_not_listed(obliged: str, listed: bool) -> None:
    said = {**ANSWERED, "fields": f"{ANSWERED['fields']} {obliged}".rstrip()}
    assert bool(disclosures_of([entry(1, said)], agency=OWN, zone=PACIFIC)) is listed


def test_an_answer_that_rests_on_a_named_authority_is_a_disclosure_too() -> None:
    """Such a decision says which authority in the place of who asked; the exchange says who that was."""
    said = {name: value for name, value in ANSWERED.items() if name != "requester"}
    asked = entry(1, said)
    asked.requester_agency, asked.holder_agency = OTHER, OWN
    (found,) = disclosures_of([asked], agency=OWN, zone=PACIFIC)
    assert (found.index, found.recipient) == (1, OTHER)
    asked.requester_agency = OWN
    assert not disclosures_of([asked], agency=OWN, zone=PACIFIC)


@pytest.mark.parametrize(
    "said",
    [
        {**ANSWERED, "decision": "DENY", "outcome": "NO_ACTIVE_FLAG_FOUND"},
        {**ANSWERED, "requester": OWN},
        # A permit for a record is no disclosure until the record leaves.
        {**ANSWERED, "fields": "FS0,FS4 STATUTE"},
        {**RELEASED, "decision": "DENY"},
        {"kind": "flag.located", "decision": "ALLOW", "requester": OTHER},
    ],
)
def test_what_did_not_leave_for_another_agency_is_none(said: dict[str, str]) -> None:
    assert disclosures_of([entry(1, said)], agency=OWN, zone=PACIFIC) == []


def test_days_are_the_countys() -> None:
    (early,) = disclosures_of([entry(1, ANSWERED, hour=5)], agency=OWN, zone=PACIFIC)
    assert early.at.date() == date(2026, 11, 1)


def test_the_paper_tells_it_in_words_and_never_says_what_it_leaves_out() -> None:
    found = disclosures_of([entry(1, ANSWERED), entry(2, ANSWERED), entry(4, RELEASED)], agency=OWN, zone=PACIFIC)
    account = Account(OWN, None, date(2026, 11, 27), lines(found), "log x, 9 entries")
    first, second = paper_of(account).rows
    assert first[2:7] == (
        "2",
        "06029.cwa (Kern County)",
        "flag status and duty line (FS1)",
        "A youth is in front of me: who is responsible?",
        "Statute: PC 11165.9; PC 14213; WIC 305; WIC 10850",
    )
    assert (second[4], second[6]) == ("placement history in detail (FS5)", "A consent: WIC 832; WIC 18986.46")
    assert paper_of(account).sentences == ("3 disclosures to 1 agency.",)
    less = Account(OWN, None, date(2026, 11, 27), lines(found[:2]), "log x, 9 entries")
    assert paper_of(less).notes == paper_of(account).notes
    assert len(table_of(account).columns) == len(table_of(account).rows[0])


def test_every_county_has_its_name() -> None:
    assert (len(COUNTIES), COUNTIES["06001"], COUNTIES["06075"], COUNTIES["06115"]) == (
        58,
        "Alameda",
        "San Francisco",
        "Yuba",
    )
    assert agency_text("32003.oos") == "32003.oos"
