"""What leaves the county: never a field outside the grant, never a value that says more than it should."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mapping.release import PlacementField, PlacementRelease, ReleaseRules
from adapters.node.minimize import CASEWORK_ROLES, CODED_PURPOSES, Bounds, Subject, minimize
from adapters.node.presence import field_sets_present
from adapters.node.record_codes import LISTS, wire_code
from adapters.records import (
    AbsenceCategory,
    CaregiverRelationshipGroup,
    CountyFips,
    JurisdictionContact,
    LocalSubjectId,
    MissingEpisode,
    OutOfHomeEpisode,
    Placement,
    SettingCode,
    SettingGroup,
    Youth,
)
from gateway.protocol.names import AgencyId, FieldSet, Obligation, Purpose, Role
from gateway.protocol.parse import check, parse
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import records_pb2 as wire
from homeward.gateway.v1.records_pb2 import RecordAnswer
from tests.unit.node.youths import DETAILED_FLAG, NOBODY, TODAY, all_bounds, bounds, flag, subject, subjects, youths

FS = FieldSet
ABOUT_THE_ANSWER = {
    "request_digest",
    "field_sets",
    "withheld",
    "data_as_of_time",
    "page",
    "more_pages",
    "mode",
    "padding",
}
DETAIL = {
    "shelter_day_count",
    "episodes.exit_date",
    "episodes.exit_group",
    "episodes.placements.setting_code",
    "episodes.placements.caregiver_relationship_group",
    "episodes.placements.move_reason_group",
}


def paths(message: Message, prefix: str = "") -> Iterator[str]:
    for descriptor, value in message.ListFields():
        yield prefix + descriptor.name
        if descriptor.message_type is not None:
            for item in value if descriptor.is_repeated else (value,):
                yield from paths(item, f"{prefix}{descriptor.name}.")


def outside(answer: RecordAnswer, granted: Collection[FieldSet]) -> set[str]:
    """Fields that no granted field set covers: the oracle, written from DOMAIN §2.5 and not from the code."""
    found = set()
    for path in paths(answer):
        head, _, rest = path.partition(".")
        if head in ABOUT_THE_ANSWER:
            continue
        needed = {
            "flag_locate": {FS.FS2_FLAG_LOCATE, FS.FS3_FLAG_CASEWORK},
            "flag_casework": {FS.FS3_FLAG_CASEWORK},
            "placement_history": {FS.FS5_PLACEMENT_DETAIL}
            if rest in DETAIL
            else {FS.FS4_PLACEMENT_SUMMARY, FS.FS5_PLACEMENT_DETAIL},
            "jurisdiction_contact": {FS.FS6_JURISDICTION_CONTACT},
        }[head]
        if needed.isdisjoint(granted):
            found.add(path)
    if len(answer.placement_history.episodes) > 1 and FS.FS5_PLACEMENT_DETAIL not in granted:
        found.add("placement_history.episodes")
    return found


@settings(max_examples=300)
@given(subjects(), all_bounds())
def test_no_field_lies_outside_the_grant(who: Subject, limits: Bounds) -> None:
    answer = minimize(who, limits)
    assert outside(answer, limits.granted) == set()
    assert field_sets_present(answer) <= limits.granted


@pytest.mark.parametrize(
    "plant",
    [
        lambda answer: answer.flag_locate.CopyFrom(DETAILED_FLAG.locate),
        lambda answer: setattr(answer.jurisdiction_contact, "contact_phone", "+14155550100"),
        lambda answer: setattr(answer.placement_history, "shelter_day_count", 3),
        lambda answer: answer.placement_history.episodes.add(removal_date="2020-01-01"),
        lambda answer: answer.placement_history.episodes[0].placements.add(move_reason_group=1),
    ],
)
def test_a_planted_field_outside_the_grant_is_seen(plant: object) -> None:
    answer = minimize(subject(in_care()), bounds(FS.FS4_PLACEMENT_SUMMARY))
    assert outside(answer, {FS.FS4_PLACEMENT_SUMMARY}) == set()
    plant(answer)  # type: ignore[operator]
    assert outside(answer, {FS.FS4_PLACEMENT_SUMMARY}) != set()
    assert not field_sets_present(answer) <= {FS.FS4_PLACEMENT_SUMMARY}


SUMMARY: Final = {
    "Placement": {"sequence", "start_date", "end_date", "setting_group", "placement_county"},
    "OutOfHomeEpisode": {"removal_date", "placements", "placement_count", "open_placement"},
    "PlacementHistory": {"episodes"},
}


@pytest.mark.parametrize("place", [wire.PlacementHistory, wire.OutOfHomeEpisode, wire.Placement])
def test_every_field_that_is_not_of_the_summary_shows_detail(place: type[Message]) -> None:
    for field in place.DESCRIPTOR.fields:
        answer = RecordAnswer()
        part: Any = answer.placement_history
        if place is not wire.PlacementHistory:
            part = part.episodes.add(removal_date="2020-01-01")
        if place is wire.Placement:
            part = part.placements.add(sequence=1)
        if field.is_repeated:
            getattr(part, field.name).add()
        else:
            setattr(part, field.name, "2020-01-01" if field.type == field.TYPE_STRING else 1)
        is_detail = field.name not in SUMMARY[place.DESCRIPTOR.name]
        assert (FS.FS5_PLACEMENT_DETAIL in field_sets_present(answer)) is is_detail, field.name


@settings(max_examples=200)
@given(subjects(), all_bounds())
def test_every_answer_keeps_the_rules_of_its_message(who: Subject, limits: Bounds) -> None:
    answer = minimize(who, limits)
    check(answer)
    assert parse(RecordAnswer, answer.SerializeToString()) == answer


@settings(max_examples=200)
@given(subjects(), all_bounds())
def test_every_field_set_asked_for_is_given_or_named_as_withheld(who: Subject, limits: Bounds) -> None:
    answer = minimize(who, limits)
    named = {each.field for each in answer.withheld}
    shown = field_sets_present(answer)
    parts = {
        FS.FS2_FLAG_LOCATE: wire.RECORD_FIELD_FLAG_LOCATE,
        FS.FS3_FLAG_CASEWORK: wire.RECORD_FIELD_FLAG_CASEWORK,
        FS.FS4_PLACEMENT_SUMMARY: wire.RECORD_FIELD_PLACEMENT_SUMMARY,
        FS.FS6_JURISDICTION_CONTACT: wire.RECORD_FIELD_JURISDICTION_CONTACT,
    }
    for field_set, field in parts.items():
        if field_set in limits.asked | limits.granted and limits.page == 1:
            assert field_set in shown or field in named
    assert len(named) == len(answer.withheld)


@settings(max_examples=200)
@given(subjects(), all_bounds())
def test_a_setting_that_hides_what_it_is_carries_nothing_that_tells(who: Subject, limits: Bounds) -> None:
    for episode in minimize(who, limits).placement_history.episodes:
        for each in episode.placements:
            if each.setting_group == codes.SETTING_GROUP_OTHER_SETTING:
                assert (each.setting_code, each.caregiver_relationship_group) == (0, 0)


@settings(max_examples=200)
@given(subjects(), all_bounds())
def test_setting_codes_and_agency_kinds_only_reach_those_who_have_a_use_for_them(who: Subject, limits: Bounds) -> None:
    answer = minimize(who, limits)
    coded = [each for episode in answer.placement_history.episodes for each in episode.placements if each.setting_code]
    if limits.purpose not in CODED_PURPOSES or Obligation.WITHHOLD_SETTING_CODE in limits.obligations:
        assert coded == []
    if limits.role not in CASEWORK_ROLES or Obligation.WITHHOLD_AGENCY_KIND in limits.obligations:
        assert answer.jurisdiction_contact.responsible_agency_kind == 0


@settings(max_examples=100)
@given(youths(), st.integers(1, 3))
def test_pages_together_hold_every_placement_once_and_in_order(youth: Youth, page_size: int) -> None:
    found: list[tuple[str, int]] = []
    page, more = 1, True
    while more:
        answer = minimize(subject(youth), bounds(FS.FS5_PLACEMENT_DETAIL, page=page, page_size=page_size))
        for episode in answer.placement_history.episodes:
            found += [(episode.removal_date, each.sequence) for each in episode.placements]
            assert len(episode.placements) <= page_size
        page, more = page + 1, answer.more_pages
    starts = PlacementRelease().history_starts(TODAY)
    assert found == [
        (episode.removal_date.isoformat(), each.seq)
        for episode in youth.episodes
        if episode.exit_date is None or episode.exit_date >= starts
        for each in episode.placements
    ]


def in_care(*rows: Placement, **changes: object) -> Youth:
    open_row = Placement(1, date(2026, 11, 20), None, SettingGroup.TEMPORARY_SHELTER, SettingCode.TEMP_SHELTER_CARE)
    episode = OutOfHomeEpisode(
        removal_date=date(2020, 1, 1), exit_date=None, exit_group=None, court_county=CountyFips("06075"),
        responsible_agency=AgencyId("06075.cwa"), placements=rows or (open_row,),
    )  # fmt: skip
    youth = Youth(local_id=LocalSubjectId("invented-2"), identity=NOBODY, episodes=(episode,))
    return replace(youth, **changes)  # type: ignore[arg-type]


def reasons(answer: RecordAnswer) -> dict[int, int]:
    return {each.field: each.reason for each in answer.withheld}


def test_an_unknown_code_and_a_rare_one_are_withheld_for_the_same_reason() -> None:
    # Mapping rolls a rare code up to its group: then it is absent here like one nobody recorded.
    rows = (
        Placement(1, date(2020, 1, 1), date(2020, 6, 1), SettingGroup.FAMILY_HOME),
        Placement(2, date(2020, 6, 1), None, SettingGroup.OTHER_SETTING),
    )
    for shown in (rows[:1], rows[1:]):
        answer = minimize(subject(in_care(replace(shown[0], seq=1))), bounds(FS.FS5_PLACEMENT_DETAIL))
        assert reasons(answer)[wire.RECORD_FIELD_SETTING_CODE] == wire.WITHHELD_REASON_MASKED


def test_that_there_may_be_earlier_episodes_is_said_whether_there_are_or_not() -> None:
    old = replace(in_care().episodes[0], removal_date=date(2001, 1, 1), exit_date=date(2002, 1, 1), placements=())
    with_past = replace(in_care(), episodes=(old, *in_care().episodes))
    answers = [minimize(subject(each), bounds(FS.FS5_PLACEMENT_DETAIL)) for each in (in_care(), with_past)]
    assert answers[0] == answers[1]
    assert reasons(answers[0])[wire.RECORD_FIELD_EARLIER_EPISODES] == wire.WITHHELD_REASON_COUNTY_RULE


def test_a_youth_who_left_care_has_no_summary() -> None:
    left = replace(in_care().episodes[0], exit_date=date(2026, 11, 20), placements=())
    answer = minimize(subject(in_care(episodes=(left,))), bounds(FS.FS4_PLACEMENT_SUMMARY))
    assert not answer.HasField("placement_history")
    assert reasons(answer)[wire.RECORD_FIELD_PLACEMENT_SUMMARY] == wire.WITHHELD_REASON_NOT_RECORDED


def test_shelter_days_count_the_first_day() -> None:
    answer = minimize(subject(in_care()), bounds(FS.FS5_PLACEMENT_DETAIL))
    assert answer.placement_history.shelter_day_count == (TODAY - date(2026, 11, 20)).days + 1


def test_a_host_county_sees_the_open_placement_alone() -> None:
    rows = (
        Placement(1, date(2020, 1, 1), date(2020, 6, 1), SettingGroup.CONGREGATE_CARE),
        Placement(2, date(2020, 6, 1), None, SettingGroup.FAMILY_HOME),
    )
    only_current = frozenset({Obligation.CURRENT_PLACEMENT_ONLY})
    answer = minimize(subject(in_care(*rows)), bounds(FS.FS4_PLACEMENT_SUMMARY, obligations=only_current))
    (episode,) = answer.placement_history.episodes
    assert [each.sequence for each in episode.placements] == [2]
    assert episode.placement_count == 1


def test_an_emergency_gets_the_duty_line_and_nothing_beside_it() -> None:
    youth = in_care(jurisdiction=None)
    assert not minimize(subject(youth), bounds(FS.FS6_JURISDICTION_CONTACT)).HasField("jurisdiction_contact")
    known = replace(youth, jurisdiction=contact())
    duty_only = frozenset({Obligation.DUTY_CONTACT_ONLY})
    shown = minimize(subject(known), bounds(FS.FS6_JURISDICTION_CONTACT, obligations=duty_only)).jurisdiction_contact
    assert {each.name for each, _ in shown.ListFields()} == {"responsible_county", "contact_phone"}
    assert shown.contact_phone == "+14155550100"


def contact(agency: str = "06037.prob") -> JurisdictionContact:
    return JurisdictionContact(CountyFips("06075"), AgencyId(agency), contact_phone="+14155550123")


def test_a_probation_department_is_not_named_by_its_kind_outside_casework() -> None:
    youth = in_care(jurisdiction=contact())
    screener = bounds(FS.FS6_JURISDICTION_CONTACT, role=Role("CWA.hotline_screener"), purpose=Purpose.HOTLINE_SCREEN)
    shown = minimize(subject(youth), screener)
    assert shown.jurisdiction_contact.responsible_agency_kind == 0
    assert reasons(shown)[wire.RECORD_FIELD_RESPONSIBLE_AGENCY_KIND] == wire.WITHHELD_REASON_MASKED
    worker = minimize(subject(youth), bounds(FS.FS6_JURISDICTION_CONTACT))
    assert worker.jurisdiction_contact.responsible_agency_kind == codes.AGENCY_KIND_PROB


def test_a_county_that_keeps_its_last_days_keeps_its_placements() -> None:
    kept = tuple(field for field in PlacementField if field is not PlacementField.END_DATE)
    release = ReleaseRules(placement=PlacementRelease(fields=kept))
    answer = minimize(subject(in_care()), bounds(FS.FS5_PLACEMENT_DETAIL, release=release))
    assert not answer.HasField("placement_history")
    assert reasons(answer)[wire.RECORD_FIELD_PLACEMENT_SUMMARY] == wire.WITHHELD_REASON_COUNTY_RULE


def test_flag_details_are_completed_by_the_countys_own_record_of_the_absence() -> None:
    absence = MissingEpisode(
        local_id="a", missing_since=TODAY - timedelta(days=3), is_open=True, absence_category=AbsenceCategory.RUNAWAY,
        last_seen_county=CountyFips("06001"),
    )  # fmt: skip
    bare = minimize(subject(in_care(missing_episodes=(absence,)), flag()), bounds(FS.FS2_FLAG_LOCATE)).flag_locate
    assert (bare.missing_since_date, bare.last_seen_county) == ("2026-11-21", "06001")
    told = minimize(subject(in_care(missing_episodes=(absence,))), bounds(FS.FS2_FLAG_LOCATE)).flag_locate
    assert (told.missing_since_date, told.last_seen_county) == ("2026-11-22", "06077")


def test_flag_details_without_a_date_are_withheld() -> None:
    answer = minimize(subject(in_care(), flag()), bounds(FS.FS2_FLAG_LOCATE))
    assert not answer.HasField("flag_locate")
    assert reasons(answer)[wire.RECORD_FIELD_FLAG_LOCATE] == wire.WITHHELD_REASON_NOT_RECORDED


def test_code_lists_of_records_and_wire_are_the_same() -> None:
    for ours, theirs in LISTS.items():
        assert {wire_code(theirs, value) for value in ours} == set(theirs.values()) - {0}
    assert wire_code(codes.CaregiverRelationshipGroup, CaregiverRelationshipGroup.NREFM) == 2
