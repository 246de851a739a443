"""Accounting: repeated disclosures are one line, holds end by themselves, and nothing tells what was left out."""

from datetime import UTC, date, datetime, timedelta

import pytest

from audit.accounting import Disclosure, Hold, HoldKind, HoldsMalformed, idle, left_out, lines, parse_holds

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
POLICE, WELFARE = "06077.pd", "06029.cwa"


def disclosure(number: int, **changes: object) -> Disclosure:
    values = {"recipient": WELFARE, "given": ("FS1",), "purpose": "MFC_HANDOFF", "basis": "STATUTE"} | changes
    return Disclosure(index=number, at=START + timedelta(days=number), **values)  # type: ignore[arg-type]


def test_what_one_agency_received_again_for_one_purpose_is_one_line() -> None:
    found = lines([disclosure(3), disclosure(1), disclosure(2, recipient=POLICE), disclosure(9)])
    assert [(line.recipient, line.count, line.entries) for line in found] == [
        (WELFARE, 3, (1, 3, 9)),
        (POLICE, 1, (2,)),
    ]
    assert (found[0].first, found[0].last) == (date(2026, 11, 2), date(2026, 11, 10))
    assert found[1].first == found[1].last


@pytest.mark.parametrize("change", [{"purpose": "MFC_LOCATE"}, {"basis": "EMERGENCY"}, {"given": ("FS4",)}])
def test_what_differs_in_anything_that_is_told_is_a_line_of_its_own(change: dict[str, object]) -> None:
    assert len(lines([disclosure(1), disclosure(2, **change)])) == 2


HOLDS = """
[[hold]]
agency = "06077.pd"
until = 2026-12-31
request = "letter of 2026-11-02"

[[third_party]]
purpose = "HOTLINE_SCREEN"
reason = "would tell who reported"
"""


def test_a_hold_ends_with_its_last_day_and_another_persons_protection_does_not() -> None:
    holds = parse_holds(HOLDS)
    told = [disclosure(1, recipient=POLICE), disclosure(2, purpose="HOTLINE_SCREEN"), disclosure(3)]
    kept, held = left_out(told, holds, date(2026, 12, 31))
    assert [each.index for each in kept] == [3]
    assert [(each.index, hold.kind) for each, hold in held] == [(1, HoldKind.INVESTIGATION), (2, HoldKind.THIRD_PARTY)]
    later, _ = left_out(told, holds, date(2027, 1, 1))
    assert [each.index for each in later] == [1, 3]


def test_every_condition_of_a_hold_must_be_met() -> None:
    hold = Hold(HoldKind.THIRD_PARTY, agency=POLICE, entry=2)
    assert [hold.covers(disclosure(number, recipient=POLICE), date(2026, 11, 1)) for number in (1, 2)] == [False, True]


def test_a_hold_with_a_slip_in_its_entry_is_named_and_one_behind_another_is_not() -> None:
    right, slip = Hold(HoldKind.THIRD_PARTY, entry=2), Hold(HoldKind.THIRD_PARTY, entry=4711)
    ended = Hold(HoldKind.INVESTIGATION, agency=POLICE, until=date(2026, 10, 31))
    second = Hold(HoldKind.THIRD_PARTY, agency=POLICE)
    told = [disclosure(1), disclosure(2, recipient=POLICE)]
    assert idle(told, [right, slip, ended, second], date(2026, 11, 1)) == [slip, ended]


@pytest.mark.parametrize(
    "text",
    [
        "not = toml = at all",
        "[[holds]]\nagency = 'x'",
        "[[hold]]\nagency = 'x'\nuntil = 2026-12-31",
        "[[hold]]\nuntil = 2026-12-31\nrequest = 'r'",
        "[[hold]]\nagency = 'x'\nuntil = '2026-12-31'\nrequest = 'r'",
        "[[hold]]\nagency = 'x'\nuntil = 2026-12-31\nrequest = 'r'\nnickname = 'CANARY'",
        "[[third_party]]\nentry = true\nreason = 'r'",
        "[[third_party]]\nreason = 'r'",
        "hold = 3",
    ],
)
def test_a_hold_that_is_not_understood_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(HoldsMalformed) as refused:
        parse_holds(text)
    assert "CANARY" not in str(refused.value)
