"""The `identity:` and `records:` sections of a county's file.

Decides which columns become which canonical field, with explicit date formats and explicit code maps. A key
that is not here does not exist in the exchange: there is no way to map an address, a caregiver's name or a note. Does
not read rows (`map_rows`) and does not decide what is let out (`release`).
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from adapters.mapping.settings import SETTINGS
from adapters.records import (
    AbsenceCategory,
    CaregiverRelationshipGroup,
    ExitGroup,
    IcpcStatus,
    MoveReasonGroup,
    ResolutionGroup,
    Restriction,
    TransferStatus,
)
from adapters.sources.config import ColumnName, known_zone
from gateway.protocol.names import AgencyId, parse_agency_id
from gateway.protocol.strict_yaml import Duration, StrictModel


class Unknown(StrEnum):
    """What happens to a row whose code the map does not hold."""

    REFUSE_VALUE = "refuse_value"
    REFUSE_RECORD = "refuse_record"


class CountyCodes(StrEnum):
    """How a column writes counties."""

    STATE_ORDER = "state_order"
    """`01` Alameda to `58` Yuba; `60` is out of state (CALS)."""
    FIPS = "fips"
    """Three digits within California (`075`) or five with the state (`06075`)."""


def _columns(value: object) -> tuple[object, ...]:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()


Columns = Annotated[tuple[ColumnName, ...], BeforeValidator(_columns), Field(min_length=1)]
"""One column or a list of columns."""


def _usable_format(text: str) -> str:
    if not {"%d", "%m"} <= set(re.findall(r"%.", text)) or not {"%Y", "%y"} & set(re.findall(r"%.", text)):
        raise ValueError('a date format with %d, %m and %Y, for example "%m/%d/%Y"')
    return text


DateFormat = Annotated[str, AfterValidator(_usable_format)]
Zone = Annotated[str, AfterValidator(known_zone)]


class DateColumn(StrictModel):
    """A day. Text is read with `format`; a database's own dates are taken as they are."""

    column: ColumnName
    type: Literal["date"] = "date"
    format: DateFormat = Field(examples=['"%m/%d/%Y"'])
    empty_means: Literal["open", "unknown"] | None = None
    not_before: str | None = None
    """The field this day must not precede; stated for the reader, and always checked."""


class TimestampColumn(StrictModel):
    """A moment, kept in UTC."""

    column: ColumnName
    type: Literal["timestamp"] = "timestamp"
    format: DateFormat = "%Y-%m-%d %H:%M:%S"
    zone: Zone = Field(examples=["America/Los_Angeles"])
    empty_means: Literal["still_missing", "unknown"] | None = None
    not_before: str | None = None

    @property
    def tzinfo(self) -> ZoneInfo:
        """The zone in which the column is written."""
        return ZoneInfo(self.zone)


def _setting_name(name: str) -> str:
    if name not in SETTINGS:
        raise ValueError(f"unknown facility type; one of: {', '.join(sorted(SETTINGS))}")
    return name


class FacilityColumn(StrictModel):
    """Facility type by the county's own codes."""

    column: ColumnName
    map: dict[str, Annotated[str, AfterValidator(_setting_name)]] = Field(min_length=1)
    unknown: Unknown = Unknown.REFUSE_VALUE


def _listed(enum: type[StrEnum]) -> BeforeValidator:
    """Lower-case names of an enumeration, as a county's file writes them."""

    def parse(value: object) -> StrEnum:
        if isinstance(value, str) and value.upper() in enum.__members__ and value == value.lower():
            return enum[value.upper()]
        raise ValueError(f"one of: {', '.join(name.lower() for name in enum.__members__)}")

    return BeforeValidator(parse)


class CaregiverColumn(StrictModel):
    """Relationship of the caregiver."""

    column: ColumnName
    map: dict[str, Annotated[CaregiverRelationshipGroup, _listed(CaregiverRelationshipGroup)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class MoveReasonColumn(StrictModel):
    """Why a placement ended."""

    column: ColumnName
    map: dict[str, Annotated[MoveReasonGroup, _listed(MoveReasonGroup)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class ExitColumn(StrictModel):
    """How an episode ended."""

    column: ColumnName
    map: dict[str, Annotated[ExitGroup, _listed(ExitGroup)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class AbsenceColumn(StrictModel):
    """Category of an absence."""

    column: ColumnName
    map: dict[str, Annotated[AbsenceCategory, _listed(AbsenceCategory)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class ResolutionColumn(StrictModel):
    """How an absence ended."""

    column: ColumnName
    map: dict[str, Annotated[ResolutionGroup, _listed(ResolutionGroup)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class TransferColumn(StrictModel):
    """State of an inter-county transfer."""

    column: ColumnName
    map: dict[str, Annotated[TransferStatus, _listed(TransferStatus)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class IcpcColumn(StrictModel):
    """State of an interstate placement."""

    column: ColumnName
    map: dict[str, Annotated[IcpcStatus, _listed(IcpcStatus)]]
    unknown: Unknown = Unknown.REFUSE_VALUE


class MissingStatus(StrEnum):
    """What the county's system says of an absence."""

    MISSING = "missing"
    RETURNED = "returned"
    LOCATED_NOT_RETURNED = "located_not_returned"


class StatusColumn(StrictModel):
    """Status of an absence. An unknown one refuses the row: whether a youth is missing is not guessed."""

    column: ColumnName
    map: dict[str, MissingStatus]


class CountyColumn(StrictModel):
    """A county by code."""

    column: ColumnName
    type: Literal["county_code"] = "county_code"
    codes: CountyCodes = CountyCodes.STATE_ORDER
    map: dict[str, Annotated[str, Field(pattern=r"^([0-9]{5}|out_of_state)$")]] = Field(default_factory=dict)
    """The county's own codes to five-digit FIPS or `out_of_state`; read before `codes`."""


def _agency(text: str) -> AgencyId:
    return parse_agency_id(text)


Agency = Annotated[str, AfterValidator(_agency)]


_DEFAULT_RESTRICTIONS: Final = {
    "": Restriction.NONE,
    "N": Restriction.NONE,
    "S": Restriction.SENSITIVE,
    "R": Restriction.SEALED,
}


class RestrictionColumn(StrictModel):
    """Limited access, as CWS/CMS `LMT_ACSSCD`. An unknown code seals: access is not guessed."""

    column: ColumnName
    map: dict[str, Annotated[Restriction, _listed(Restriction)]] = Field(
        default_factory=lambda: dict(_DEFAULT_RESTRICTIONS)
    )


class Equals(StrictModel):
    """True where the column holds the value."""

    column: ColumnName
    equals: str


class DropRule(Equals):
    """Rows the county never offers, with the reason that its report shows."""

    because: str = Field(min_length=1, max_length=80)


class NameColumns(StrictModel):
    """Columns of one other name; a missing half is taken from the name on record."""

    last_name: ColumnName | None = None
    first_name: ColumnName | None = None


class ClientMapping(StrictModel):
    """Who the youths are. Used only on this machine to make tokens; never sent."""

    from_: str = Field(alias="from")
    key: ColumnName
    last_name: ColumnName
    first_name: ColumnName
    birth_date: DateColumn
    birth_date_estimated: Equals | None = None
    alias_columns: tuple[ColumnName, ...] = ()
    """Other surnames, each with the given name on record."""
    aliases: tuple[NameColumns, ...] = ()
    ssn4: ColumnName | None = None
    postcode: ColumnName | None = None
    house_number: ColumnName | None = None
    restriction: RestrictionColumn | None = None
    nmd: Equals | None = None
    marks: dict[str, Equals] = Field(default_factory=dict)
    """Named conditions on a youth, for `release.hold_for_human.when`; for example `tribal_case`."""
    drop_if: tuple[DropRule, ...] = ()


class IdentityMapping(StrictModel):
    """The `identity:` section."""

    client: ClientMapping


class PlacementFields(StrictModel):
    """Fields of a placement."""

    start_date: DateColumn
    end_date: DateColumn
    facility_type: FacilityColumn
    county: CountyColumn | None = None
    caregiver_relationship: CaregiverColumn | None = None
    move_reason: MoveReasonColumn | None = None


class PlacementMapping(StrictModel):
    """Rows that are placements."""

    from_: str = Field(alias="from")
    id: Columns
    subject: ColumnName
    fields: PlacementFields
    drop_if: tuple[DropRule, ...] = ()


class EpisodeFields(StrictModel):
    """Fields of an out-of-home episode."""

    removal_date: DateColumn
    exit_date: DateColumn
    exit_reason: ExitColumn | None = None
    court_county: CountyColumn | None = None


class EpisodeMapping(StrictModel):
    """Rows that are out-of-home episodes, from removal to exit."""

    from_: str = Field(alias="from")
    id: Columns
    subject: ColumnName
    fields: EpisodeFields
    drop_if: tuple[DropRule, ...] = ()


class MissingFields(StrictModel):
    """Fields of an absence."""

    missing_since: DateColumn | None = None
    """Without it, the day of `reported_at`."""
    reported_at: TimestampColumn
    returned_at: TimestampColumn | None = None
    status: StatusColumn
    category: AbsenceColumn | None = None
    missing_from: FacilityColumn | None = None
    last_seen_county: CountyColumn | None = None
    resolution: ResolutionColumn | None = None


class MissingMapping(StrictModel):
    """Rows that are absences from care."""

    from_: str = Field(alias="from")
    id: Columns
    subject: ColumnName
    fields: MissingFields
    drop_if: tuple[DropRule, ...] = ()


class ContactFields(StrictModel):
    """Whom to call about a youth."""

    phone: ColumnName | None = None
    transfer_status: TransferColumn | None = None
    icpc_status: IcpcColumn | None = None


class ContactMapping(StrictModel):
    """Rows that name the responsible worker's telephone; the last row of a youth counts."""

    from_: str = Field(alias="from")
    subject: ColumnName
    fields: ContactFields


class Jurisdiction(StrictModel):
    """The county's court, where no column names another, and the agency responsible for placement and care."""

    court_county: Annotated[str, Field(pattern=r"^[0-9]{5}$", examples=['"06037"'])]
    responsible_agency: Agency = Field(examples=["06037.cwa"])


class RecordMappings(StrictModel):
    """The `records:` section."""

    placement: PlacementMapping | None = None
    episode: EpisodeMapping | None = None
    """Without it, episodes are made of placements without a gap longer than `new_episode_after`."""
    new_episode_after: Duration = Field(default=timedelta(days=30))
    missing_episode: MissingMapping | None = None
    contact: ContactMapping | None = None
    jurisdiction: Jurisdiction
