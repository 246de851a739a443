"""Rows to histories: what is kept, what is cut, what is never said. All youths are invented."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mapping.examples import BASE_ROWS, COUNTY_FILE, TODAY
from adapters.mapping.map_rows import Mapped, map_rows
from adapters.mapping.rules import RULES
from adapters.mapping.sections import CountySections
from adapters.records import (
    GROUP_OF_CODE,
    RARE_CODE_MINIMUM,
    AbsenceCategory,
    OutOfState,
    Restriction,
    SettingCode,
    SettingGroup,
    Youth,
)
from adapters.sources.port import Row, UnreadableRow
from gateway.protocol.strict_yaml import load

SECTIONS = load(COUNTY_FILE, CountySections, origin="county.yaml")
NAME_CANARY = "Testina"

Cells = dict[str, str]


def rows(table: str, changes: Iterable[Cells]) -> list[Row | UnreadableRow]:
    return [Row(number, number + 1, BASE_ROWS[table] | cells) for number, cells in enumerate(changes, start=1)]


def run(*, with_episodes: bool = False, **tables: Iterable[Cells]) -> Mapped:
    assert SECTIONS.identity is not None
    assert SECTIONS.records is not None
    records = SECTIONS.records if with_episodes else SECTIONS.records.model_copy(update={"episode": None})
    whole: dict[str, Iterable[Cells]] = {"clients": [{}], **tables}
    readings = {table: rows(table, changes) for table, changes in whole.items()}
    return map_rows(readings, identity=SECTIONS.identity, records=records, release=SECTIONS.release, today=date(*TODAY))


def only(mapped: Mapped) -> Youth:
    (youth,) = mapped.youths
    return youth


def codes(mapped: Mapped) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, count in mapped.ledger.counts.items():
        found[key.code] = found.get(key.code, 0) + count.count
    return found


def spans(youth: Youth) -> list[tuple[date, date | None]]:
    return [(item.start_date, item.end_date) for episode in youth.episodes for item in episode.placements]


def test_a_bad_row_is_refused_and_counted_and_the_rest_is_served() -> None:
    mapped = run(
        placements=[
            {},
            {"PLC_BEG_DT": "04/20/2026", "PLC_END_DT": "04/02/2026"},
            {"PLC_BEG_DT": "04/01/2026", "PLC_END_DT": ""},
        ]
    )
    youth = only(mapped)
    assert spans(youth) == [(date(2026, 3, 1), date(2026, 3, 5)), (date(2026, 4, 1), None)]
    assert codes(mapped) == {"PLC-004": 1}
    assert youth.unusable_rows == 1


def test_an_end_that_cannot_be_read_does_not_become_an_open_placement() -> None:
    youth = only(run(placements=[{"PLC_END_DT": "13/13/2026"}]))
    assert spans(youth) == []
    assert youth.unusable_rows == 1


def test_the_earlier_of_two_overlapping_placements_ends_when_the_later_starts() -> None:
    mapped = run(placements=[{"PLC_BEG_DT": "03/10/2026", "PLC_END_DT": ""}, {"PLC_END_DT": ""}])
    assert spans(only(mapped)) == [(date(2026, 3, 1), date(2026, 3, 10)), (date(2026, 3, 10), None)]
    assert codes(mapped) == {"PLC-022": 1}


def test_a_move_on_one_day_is_no_overlap() -> None:
    mapped = run(placements=[{}, {"PLC_BEG_DT": "03/05/2026", "PLC_END_DT": ""}])
    assert codes(mapped) == {}
    assert [item.seq for item in only(mapped).episodes[0].placements] == [1, 2]


@pytest.mark.parametrize("code", ["HOSP", "RESP", "SOMETHING"])
def test_hospital_respite_and_unknown_settings_look_alike(code: str) -> None:
    placement = only(run(placements=[{"FAC_TYPE_CD": code}])).episodes[0].placements[0]
    assert (placement.setting_group, placement.setting_code) == (SettingGroup.OTHER_SETTING, None)


def test_a_placement_in_another_state_says_so_whatever_the_county_column_holds() -> None:
    placement = only(run(placements=[{"FAC_TYPE_CD": "ICPC", "FAC_COUNTY_CD": "38"}])).episodes[0].placements[0]
    assert placement.placement_county is OutOfState.OUT_OF_STATE


@pytest.mark.parametrize(
    ("code", "fips"),
    [
        ("01", "06001"),
        ("19", "06037"),
        ("38", "06075"),
        ("39", "06077"),
        ("58", "06115"),
        ("60", OutOfState.OUT_OF_STATE),
        ("59", None),
    ],
)
def test_state_order_becomes_fips(code: str, fips: str | None) -> None:
    assert only(run(placements=[{"FAC_COUNTY_CD": code}])).episodes[0].placements[0].placement_county == fips


def test_an_absence_written_as_a_placement_lies_over_the_history() -> None:
    youth = only(
        run(placements=[{"PLC_END_DT": ""}, {"PLC_BEG_DT": "03/12/2026", "PLC_END_DT": "", "FAC_TYPE_CD": "RUN"}])
    )
    assert spans(youth) == [(date(2026, 3, 1), None)]
    absence = youth.open_absence
    assert absence is not None
    assert absence.absence_category is AbsenceCategory.RUNAWAY
    assert absence.missing_from_setting_group is SettingGroup.CONGREGATE_CARE


def test_a_report_before_midnight_is_of_its_own_day_in_the_county() -> None:
    absence = only(run(absences=[{}])).open_absence
    assert absence is not None
    assert absence.missing_since == date(2026, 3, 12)
    assert absence.reported_at is not None
    assert absence.reported_at.isoformat() == "2026-03-13T05:15:00+00:00"


def test_a_contradicting_status_keeps_the_youth_missing() -> None:
    mapped = run(absences=[{"RETURNED_DT": "2026-03-14 09:00:00"}])
    assert only(mapped).open_absence is not None
    assert codes(mapped) == {"MIS-006": 1}


def test_a_return_ends_the_absence() -> None:
    assert only(run(absences=[{"STATUS_CD": "RET", "RETURNED_DT": ""}])).open_absence is None


def test_placements_find_their_episode_and_end_with_it() -> None:
    mapped = run(
        with_episodes=True,
        episodes=[{"REMOVAL_DT": "01/10/2024", "EXIT_DT": "06/01/2024"}, {"REMOVAL_DT": "01/10/2026"}],
        placements=[{"PLC_BEG_DT": "02/01/2024", "PLC_END_DT": ""}, {}],
    )
    first, second = only(mapped).episodes
    assert first.placements[0].end_date == date(2024, 6, 1)
    assert second.exit_date is None
    assert second.placements[0].start_date == date(2026, 3, 1)
    # The open placement was first cut by the later one and then again by its episode's exit.
    assert codes(mapped) == {"PLC-009": 1, "PLC-022": 1}


def test_without_episodes_a_long_gap_parts_them_and_a_recent_end_is_no_exit() -> None:
    youth = only(
        run(
            placements=[
                {"PLC_BEG_DT": "03/01/2024", "PLC_END_DT": "04/01/2024"},
                {"PLC_BEG_DT": "04/01/2026", "PLC_END_DT": "04/28/2026"},
            ]
        )
    )
    assert [episode.exit_date for episode in youth.episodes] == [date(2024, 4, 1), None]


@pytest.mark.parametrize(
    ("written", "restriction"),
    [("N", Restriction.NONE), ("S", Restriction.SENSITIVE), ("R", Restriction.SEALED), ("?", Restriction.SEALED)],
)
def test_limited_access_is_kept_and_an_unknown_code_seals(written: str, restriction: Restriction) -> None:
    assert only(run(clients=[{"LMT": written}])).restriction is restriction


@pytest.mark.parametrize("order", [("N", "R"), ("R", "N")])
def test_the_strictest_limit_of_several_rows_counts_even_from_a_row_without_a_name(order: tuple[str, str]) -> None:
    youth = only(run(clients=[{"LMT": order[0]}, {"LMT": order[1], "FIRST_NM": "" if order[1] == "R" else "Testina"}]))
    assert youth.restriction is Restriction.SEALED


def test_a_youth_left_out_by_a_rule_leaves_no_trace_in_any_table() -> None:
    mapped = run(clients=[{}, {"ADOPT": "Y"}], placements=[{}], absences=[{}])
    assert mapped.youths == ()
    assert set(codes(mapped)) == {"IDN-020"}


def test_another_name_under_one_number_becomes_an_alias() -> None:
    youth = only(run(clients=[{}, {"LAST_NM": "Quijano"}, {"AKA_LAST_NM": "Quixote"}]))
    assert [name.surname for name in youth.identity.names] == ["Quixano", "Quijano", "Quixote"]


def test_a_mark_or_a_limit_named_in_the_release_rules_holds_the_youth() -> None:
    assert only(run(clients=[{"TRIBE_FLG": "Y"}])).held_for_human
    assert only(run(clients=[{"LMT": "S"}])).held_for_human
    assert not only(run()).held_for_human


def test_a_rare_code_shows_only_from_eleven_youths_on() -> None:
    def detailed(count: int) -> set[SettingCode | None]:
        ids = [f"{number:04}" for number in range(count)]
        mapped = run(
            clients=[{"CLIENT_ID": name} for name in ids],
            placements=[{"CLIENT_ID": name, "FAC_TYPE_CD": "ISFC"} for name in ids],
        )
        placements = [youth.episodes[0].placements[0] for youth in mapped.youths]
        assert {placement.setting_group for placement in placements} == {SettingGroup.FAMILY_HOME}
        return {placement.setting_code for placement in placements}

    assert detailed(RARE_CODE_MINIMUM - 1) == {None}
    assert detailed(RARE_CODE_MINIMUM) == {SettingCode.ISFC_TREATMENT_HOME}


def test_the_contact_is_the_last_row_and_carries_no_name() -> None:
    contact = only(run(contacts=[{"PHONE": "415-555-0199"}, {"TRANSFER": "O"}])).jurisdiction
    assert contact is not None
    assert contact.contact_phone == "+14155550100"
    assert contact.transfer_status.value == "TRANSFER_OUT_ORDERED"


def test_nothing_personal_is_in_the_text_of_records_or_findings() -> None:
    mapped = run(clients=[{"SSN": "123-45-6789"}], placements=[{}, {"PLC_END_DT": "x"}], absences=[{}])
    text = repr(mapped.youths) + repr(list(mapped.ledger.counts)) + repr(list(mapped.ledger.counts.values()))
    for canary in (NAME_CANARY, "Quixano", "0012", "2011", "6789", "CONGREGATE"):
        assert canary not in text


_codes = st.one_of(
    st.sampled_from(["", "GH", "FFH", "HOSP", "RUN", "ISFC", "ICPC", "0012", "0013", "N", "S", "R", "Y", "38", "60"]),
    st.text(max_size=12),
)
_days = st.dates(date(2025, 12, 1), date(2026, 6, 1)).map(lambda day: day.strftime("%m/%d/%Y"))
_cell = st.one_of(_codes, _days, st.dates().map(str))


def _table(name: str) -> st.SearchStrategy[list[Cells]]:
    cells = st.dictionaries(st.sampled_from(sorted(BASE_ROWS[name])), _cell, max_size=4)
    spans = name in {"placements", "episodes"}
    dates = {column: _days for column in BASE_ROWS[name] if spans and column.endswith("_DT")}
    return st.lists(st.one_of(cells, st.fixed_dictionaries(dates), st.builds(dict)), max_size=8)


@given(st.fixed_dictionaries({name: _table(name) for name in BASE_ROWS}), st.booleans())
def test_any_cells_give_histories_in_order_or_findings(tables: dict[str, list[Cells]], with_episodes: bool) -> None:
    mapped = run(with_episodes=with_episodes, **tables)
    assert set(codes(mapped)) <= set(RULES)
    for youth in mapped.youths:
        check_invariants(youth)


def check_invariants(youth: Youth) -> None:
    """Invariant 10 of the scenarios, and DOMAIN §2.5 on codes."""
    for earlier, later in pairwise(youth.episodes):
        assert earlier.exit_date is not None
        assert earlier.exit_date <= later.removal_date
    for episode in youth.episodes:
        placements = episode.placements
        assert [item.seq for item in placements] == list(range(1, len(placements) + 1))
        assert all(item.end_date is not None for item in placements[:-1])
        for before, after in pairwise(placements):
            assert before.end_date is not None
            assert before.end_date <= after.start_date
        for item in placements:
            assert episode.removal_date <= item.start_date <= date(*TODAY)
            assert item.setting_code is None or GROUP_OF_CODE[item.setting_code] is item.setting_group
            assert item.setting_group is not SettingGroup.OTHER_SETTING or item.setting_code is None
            if episode.exit_date is not None:
                assert item.end_date is not None
                assert item.end_date <= episode.exit_date
    absences = [absence.missing_since for absence in youth.missing_episodes]
    assert absences == sorted(absences)


def test_the_invariant_check_sees_a_planted_overlap() -> None:
    youth = only(run(placements=[{}, {"PLC_BEG_DT": "03/05/2026", "PLC_END_DT": ""}]))
    planted = youth.episodes[0].placements[1]
    object.__setattr__(planted, "start_date", planted.start_date - timedelta(days=2))
    with pytest.raises(AssertionError):
        check_invariants(youth)
