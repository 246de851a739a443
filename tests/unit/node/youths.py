"""Invented youths, generated: every shape a record can have, none of a real person."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import strategies as st

from adapters.mapping.release import MissingField, MissingRelease, PlacementField, PlacementRelease, ReleaseRules
from adapters.node.minimize import Bounds, Subject
from adapters.node.own_flag import FlagIssuer, OwnFlag
from adapters.records import (
    GROUP_OF_CODE,
    AbsenceCategory,
    CaregiverRelationshipGroup,
    CountyFips,
    ExitGroup,
    IcpcStatus,
    JurisdictionContact,
    LocalSubjectId,
    MissingEpisode,
    MoveReasonGroup,
    OutOfHomeEpisode,
    OutOfState,
    Placement,
    SettingCode,
    SettingGroup,
    TransferStatus,
    Youth,
    YouthIdentity,
)
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    DisclosureMode,
    FieldSet,
    FlagId,
    HandlingCode,
    Obligation,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.protocol.policy.fieldsets import expand
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.codes_pb2 import ABSENCE_CATEGORY_RUNAWAY, SETTING_GROUP_CONGREGATE_CARE
from homeward.gateway.v1.records_pb2 import FlagLocate

TODAY = date(2026, 11, 24)
NOW = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)
NOBODY = YouthIdentity(given_name="Invented", surname="Youth", birth_date=date(2011, 5, 4))
ISSUER = FlagIssuer("06075", SigningKey.generate())
SOURCE_SETS = tuple(each for each in FieldSet if each.value[:3] in ("FS2", "FS3", "FS4", "FS5", "FS6"))
COUNTIES = st.sampled_from([CountyFips("06075"), CountyFips("06029"), OutOfState.OUT_OF_STATE, None])


@st.composite
def placements(draw: st.DrawFn, start: date, end: date | None) -> tuple[Placement, ...]:
    """Placements that follow each other from `start`; the last one open when there is no end."""
    lengths = draw(st.lists(st.integers(0, 200), max_size=5))
    made: list[Placement] = []
    day = start
    for number, length in enumerate(lengths, start=1):
        last = day + timedelta(days=length)
        is_open = end is None and number == len(lengths) and draw(st.booleans())
        made.append(draw(placement(number, day, None if is_open else last)))
        day = last
    return tuple(made)


@st.composite
def placement(draw: st.DrawFn, number: int, start: date, end: date | None) -> Placement:
    code = draw(st.none() | st.sampled_from([code for code in SettingCode if code is not SettingCode.OTHER]))
    group = draw(st.sampled_from(SettingGroup)) if code is None else GROUP_OF_CODE[code]
    return Placement(
        seq=number,
        start_date=start,
        end_date=end,
        setting_group=group,
        setting_code=code,
        placement_county=draw(COUNTIES),
        caregiver_relationship_group=draw(st.none() | st.sampled_from(CaregiverRelationshipGroup)),
        move_reason_group=draw(st.none() | st.sampled_from(MoveReasonGroup)),
    )


@st.composite
def youths(draw: st.DrawFn) -> Youth:
    """A youth with up to three episodes, the last one perhaps open."""
    episodes: list[OutOfHomeEpisode] = []
    day = date(2014, 1, 1) + timedelta(days=draw(st.integers(0, 1500)))
    for number in range(count := draw(st.integers(0, 3))):
        is_open = number == count - 1 and draw(st.booleans())
        rows = draw(placements(day, None if is_open else day))
        last = max([day, *(each.end_date or each.start_date for each in rows)])
        episodes.append(
            OutOfHomeEpisode(
                removal_date=day,
                exit_date=None if is_open else last,
                exit_group=None if is_open else draw(st.none() | st.sampled_from(ExitGroup)),
                court_county=CountyFips("06075"),
                responsible_agency=AgencyId("06075.cwa"),
                placements=rows,
            )
        )
        day = last + timedelta(days=draw(st.integers(0, 400)))
    return Youth(
        local_id=LocalSubjectId("invented-1"),
        identity=NOBODY,
        episodes=tuple(episodes),
        missing_episodes=draw(st.lists(absences(), max_size=1).map(tuple)),
        jurisdiction=draw(st.none() | contacts()),
        unusable_rows=draw(st.integers(0, 2)),
    )


@st.composite
def absences(draw: st.DrawFn) -> MissingEpisode:
    return MissingEpisode(
        local_id="absence-1",
        missing_since=TODAY - timedelta(days=2),
        is_open=draw(st.booleans()),
        absence_category=draw(st.sampled_from(AbsenceCategory)),
        missing_from_setting_group=draw(st.none() | st.sampled_from(SettingGroup)),
        last_seen_county=draw(st.none() | st.just(CountyFips("06077"))),
    )


def contacts() -> st.SearchStrategy[JurisdictionContact]:
    return st.builds(
        JurisdictionContact,
        court_county=st.just(CountyFips("06075")),
        responsible_agency=st.sampled_from([AgencyId("06075.cwa"), AgencyId("06037.prob")]),
        contact_phone=st.none() | st.just("+14155550123"),
        transfer_status=st.sampled_from(TransferStatus),
        icpc_status=st.sampled_from(IcpcStatus),
    )


def flag(**locate: object) -> OwnFlag:
    """An open flag, with these details."""
    return ISSUER.raised(
        FlagId(bytes(16)),
        SubjectHandle(bytes(16)),
        handling_code=HandlingCode.CALL_DUTY_LINE,
        learned=NOW - timedelta(days=2),
        locate=FlagLocate(**locate),  # type: ignore[arg-type]
        now=NOW - timedelta(days=2),
    )


DETAILED_FLAG = flag(
    missing_since_date="2026-11-22",
    absence_category=ABSENCE_CATEGORY_RUNAWAY,
    missing_from_setting_group=SETTING_GROUP_CONGREGATE_CARE,
    last_seen_county="06077",
)


def kind_of(agency: AgencyId) -> AgencyKind | None:
    return {"06075.cwa": AgencyKind.CWA, "06037.prob": AgencyKind.PROB}.get(agency)


def subject(youth: Youth, own_flag: OwnFlag | None = DETAILED_FLAG) -> Subject:
    return Subject(
        youth=youth,
        flag=own_flag,
        earlier_flags=(),
        data_as_of=NOW - timedelta(hours=1),
        duty_line="+14155550100",
        kind_of=kind_of,
    )


def subjects() -> st.SearchStrategy[Subject]:
    return st.builds(subject, youths(), st.sampled_from([None, DETAILED_FLAG, flag()]))


def bounds(*granted: FieldSet, **changes: object) -> Bounds:
    """Everything this grants, to a placement worker who plans a placement, page 1, without county rules."""
    values: dict[str, object] = {
        "request_digest": bytes(32),
        "granted": frozenset(each for each in expand(granted) if each in SOURCE_SETS),
        "asked": frozenset(expand(granted)),
        "purpose": Purpose.PLACEMENT_PLANNING,
        "role": Role("CWA.placement_worker"),
        "mode": DisclosureMode.COPY_PERMITTED,
        "obligations": frozenset[Obligation](),
        "release": ReleaseRules(),
        "page": 1,
        "page_size": 0,
        "today": TODAY,
    }
    return Bounds(**(values | changes))  # type: ignore[arg-type]


@st.composite
def all_bounds(draw: st.DrawFn) -> Bounds:
    granted = draw(st.lists(st.sampled_from(SOURCE_SETS), min_size=1, unique=True))
    release = ReleaseRules(
        placement=PlacementRelease(fields=tuple(draw(st.lists(st.sampled_from(PlacementField), unique=True)))),
        missing_episode=MissingRelease(fields=tuple(draw(st.lists(st.sampled_from(MissingField), unique=True)))),
    )
    return bounds(
        *granted,
        asked=frozenset(draw(st.lists(st.sampled_from(SOURCE_SETS), unique=True))) | frozenset(expand(granted)),
        purpose=draw(st.sampled_from(Purpose)),
        role=Role(draw(st.sampled_from(["CWA.placement_worker", "CWA.hotline_screener", "LEA.missing_persons"]))),
        obligations=frozenset(draw(st.lists(st.sampled_from(Obligation), unique=True))),
        release=draw(st.sampled_from([ReleaseRules(), release])),
        page=draw(st.integers(1, 3)),
        page_size=draw(st.integers(0, 3)),
    )
