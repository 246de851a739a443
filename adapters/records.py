"""The canonical records a county's rows become, in memory, inside the county.

Decides the shape of a youth, an out-of-home episode, a placement and an absence, and the
closed lists they use (DOMAIN §2.5). Member names equal those of the protocol's enums after
the enum's prefix, so that minimizing is a change of type and never a translation.

Does not decide what may leave (`node/minimize`) nor how rows are read (`sources`, `mapping`).
Everything personal is left out of `repr`. There is no field for a place, a caregiver, a
health condition, an offense or free text: what has no field cannot be mapped by mistake.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NewType

from gateway.protocol.names import AgencyId as AgencyId
from gateway.protocol.names import Restriction as Restriction

LocalSubjectId = NewType("LocalSubjectId", str)
"""The county system's own number of a youth. Personal; never leaves the county, never in a log."""
CountyFips = NewType("CountyFips", str)
"""Five-digit county FIPS code with the state, for example `06075`."""

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


class RecordError(ValueError):
    """A record breaks a rule of its shape. The text names the rule, never a value."""


class SettingGroup(StrEnum):
    """Coarse group of a living arrangement."""

    FAMILY_HOME = "FAMILY_HOME"
    CONGREGATE_CARE = "CONGREGATE_CARE"
    TEMPORARY_SHELTER = "TEMPORARY_SHELTER"
    INDEPENDENT = "INDEPENDENT"
    HOME_TRIAL = "HOME_TRIAL"
    OTHER_SETTING = "OTHER_SETTING"
    """Hospital, juvenile justice facility, respite, unknown: mixed on purpose, so that it reveals none of them."""


class SettingCode(StrEnum):
    """Detailed kind of a living arrangement; only for placing and transferring (DOMAIN §2.5)."""

    RESOURCE_FAMILY_HOME = "RESOURCE_FAMILY_HOME"
    FFA_HOME = "FFA_HOME"
    RELATIVE_NREFM = "RELATIVE_NREFM"
    TRIBE_SPECIFIED = "TRIBE_SPECIFIED"
    COURT_SPECIFIED = "COURT_SPECIFIED"
    GUARDIAN_HOME = "GUARDIAN_HOME"
    SMALL_FAMILY_HOME = "SMALL_FAMILY_HOME"
    ISFC_TREATMENT_HOME = "ISFC_TREATMENT_HOME"
    STRTP = "STRTP"
    GROUP_HOME_LEGACY = "GROUP_HOME_LEGACY"
    OUT_OF_STATE_CONGREGATE = "OUT_OF_STATE_CONGREGATE"
    TEMP_SHELTER_CARE = "TEMP_SHELTER_CARE"
    TRANSITIONAL_SHELTER = "TRANSITIONAL_SHELTER"
    YHPC_SHELTER = "YHPC_SHELTER"
    CRISIS_NURSERY = "CRISIS_NURSERY"
    SILP = "SILP"
    THPP_NMD = "THPP_NMD"
    HOME_TRIAL = "HOME_TRIAL"
    OTHER = "OTHER"


class CaregiverRelationshipGroup(StrEnum):
    """Relationship of the caregiver to the youth."""

    RELATIVE = "RELATIVE"
    NREFM = "NREFM"
    NON_RELATIVE = "NON_RELATIVE"
    TRIBAL = "TRIBAL"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class MoveReasonGroup(StrEnum):
    """Why a placement ended. An allegation in care is not a value (DOMAIN §2.5)."""

    PLANNED_MOVE = "PLANNED_MOVE"
    DISRUPTION = "DISRUPTION"
    EMERGENCY_REMOVAL_FROM_HOME = "EMERGENCY_REMOVAL_FROM_HOME"
    PROVIDER_CLOSURE = "PROVIDER_CLOSURE"
    RETURN_FROM_ABSENCE = "RETURN_FROM_ABSENCE"
    EXIT_FROM_CARE = "EXIT_FROM_CARE"
    UNSPECIFIED_MOVE = "UNSPECIFIED_MOVE"


class ExitGroup(StrEnum):
    """How an out-of-home episode ended."""

    PERMANENCY = "PERMANENCY"
    AGED_OUT = "AGED_OUT"
    TRANSFER = "TRANSFER"
    OTHER = "OTHER"


class AbsenceCategory(StrEnum):
    """Category of an absence from care (DOMAIN §2.5)."""

    RUNAWAY = "RUNAWAY"
    WHEREABOUTS_UNKNOWN = "WHEREABOUTS_UNKNOWN"
    ABDUCTION_SUSPECTED = "ABDUCTION_SUSPECTED"
    LOCATED_UNAPPROVED_PLACE = "LOCATED_UNAPPROVED_PLACE"
    UNSPECIFIED_ABSENCE = "UNSPECIFIED_ABSENCE"


class ResolutionGroup(StrEnum):
    """How an absence ended; hospital, custody and death lie under the last two outside casework."""

    RETURNED_SAME = "RETURNED_SAME"
    RETURNED_NEW_SETTING = "RETURNED_NEW_SETTING"
    LOCATED_OTHER_SYSTEM = "LOCATED_OTHER_SYSTEM"
    JURISDICTION_ENDED = "JURISDICTION_ENDED"
    OTHER = "OTHER"


class TransferStatus(StrEnum):
    """State of an inter-county transfer (CRC 5.610-5.613)."""

    NONE = "NONE"
    TRANSFER_OUT_ORDERED = "TRANSFER_OUT_ORDERED"
    ACCEPTED = "ACCEPTED"


class IcpcStatus(StrEnum):
    """State of an interstate placement (ICPC)."""

    NONE = "NONE"
    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"


class OutOfState(StrEnum):
    """Stands where a county code would, when the placement is in another state or country."""

    OUT_OF_STATE = "OUT_OF_STATE"


PlacementCounty = CountyFips | OutOfState

GROUP_OF_CODE: Final[dict[SettingCode, SettingGroup]] = {
    SettingCode.RESOURCE_FAMILY_HOME: SettingGroup.FAMILY_HOME,
    SettingCode.FFA_HOME: SettingGroup.FAMILY_HOME,
    SettingCode.RELATIVE_NREFM: SettingGroup.FAMILY_HOME,
    SettingCode.TRIBE_SPECIFIED: SettingGroup.FAMILY_HOME,
    SettingCode.COURT_SPECIFIED: SettingGroup.FAMILY_HOME,
    SettingCode.GUARDIAN_HOME: SettingGroup.FAMILY_HOME,
    SettingCode.SMALL_FAMILY_HOME: SettingGroup.FAMILY_HOME,
    SettingCode.ISFC_TREATMENT_HOME: SettingGroup.FAMILY_HOME,
    SettingCode.STRTP: SettingGroup.CONGREGATE_CARE,
    SettingCode.GROUP_HOME_LEGACY: SettingGroup.CONGREGATE_CARE,
    SettingCode.OUT_OF_STATE_CONGREGATE: SettingGroup.CONGREGATE_CARE,
    SettingCode.TEMP_SHELTER_CARE: SettingGroup.TEMPORARY_SHELTER,
    SettingCode.TRANSITIONAL_SHELTER: SettingGroup.TEMPORARY_SHELTER,
    SettingCode.YHPC_SHELTER: SettingGroup.TEMPORARY_SHELTER,
    SettingCode.CRISIS_NURSERY: SettingGroup.TEMPORARY_SHELTER,
    SettingCode.SILP: SettingGroup.INDEPENDENT,
    SettingCode.THPP_NMD: SettingGroup.INDEPENDENT,
    SettingCode.HOME_TRIAL: SettingGroup.HOME_TRIAL,
    SettingCode.OTHER: SettingGroup.OTHER_SETTING,
}
"""Group of every code (DOMAIN §2.5, `setting_group`)."""

RARE_CODES: Final[frozenset[SettingCode]] = frozenset({SettingCode.ISFC_TREATMENT_HOME})
"""Codes so scarce that one of them could name a youth; see `RARE_CODE_MINIMUM`."""
RARE_CODE_MINIMUM: Final = 11
"""Below this many youths in the county a rare code is rolled up; CDSS masks cells of 1 to 10 (DOMAIN §2.5)."""


def masked_code(group: SettingGroup, code: SettingCode | None) -> SettingCode | None:
    """The code a placement of the group may carry: none at all under OTHER_SETTING.

    A hospital stay has no code (SCENARIOS S06); were respite care to carry `OTHER`, the missing code would
    name the hospital.
    """
    return None if group is SettingGroup.OTHER_SETTING else code


@dataclass(frozen=True, slots=True)
class PersonName:
    """One name a youth is known by, as the county wrote it."""

    given_name: str = field(repr=False)
    surname: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class YouthIdentity:
    """What tokens are made from. Stays on this machine; never sent, logged or shown."""

    given_name: str = field(repr=False)
    surname: str = field(repr=False)
    birth_date: date | None = field(repr=False)
    """None: not known; such a youth has no tokens of the core group."""
    aliases: tuple[PersonName, ...] = field(default=(), repr=False)
    ssn4: str | None = field(default=None, repr=False)
    """Last four digits, ASCII."""
    postcode: str | None = field(default=None, repr=False)
    """Five digits, ASCII."""
    house_number: str | None = field(default=None, repr=False)
    birth_date_estimated: bool = field(default=False, repr=False)
    """The source marks the date as a guess (typically 1 January)."""

    @property
    def names(self) -> tuple[PersonName, ...]:
        """The legal name first, then every alias."""
        return (PersonName(self.given_name, self.surname), *self.aliases)


@dataclass(frozen=True, slots=True)
class Placement:
    """One living arrangement within an episode. Days; `end_date` is the last day."""

    seq: int
    """Position within the episode, from 1."""
    start_date: date = field(repr=False)
    end_date: date | None = field(repr=False)
    """None: open."""
    setting_group: SettingGroup = field(repr=False)
    setting_code: SettingCode | None = field(default=None, repr=False)
    """None: masked, or not known."""
    placement_county: PlacementCounty | None = field(default=None, repr=False)
    """None: the county's system does not say."""
    caregiver_relationship_group: CaregiverRelationshipGroup | None = field(default=None, repr=False)
    move_reason_group: MoveReasonGroup | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.seq < 1:
            raise RecordError("placement: seq counts from 1")
        if self.end_date is not None and self.end_date < self.start_date:
            raise RecordError("placement: ends before it starts")
        if self.setting_code is None:
            return
        if self.setting_group is SettingGroup.OTHER_SETTING:
            raise RecordError("placement: OTHER_SETTING carries no setting code")
        if GROUP_OF_CODE[self.setting_code] is not self.setting_group:
            raise RecordError("placement: setting code belongs to another group")

    @property
    def is_open(self) -> bool:
        """No last day is recorded."""
        return self.end_date is None


@dataclass(frozen=True, slots=True)
class OutOfHomeEpisode:
    """From removal to exit, with its placements sorted, not overlapping, at most the last one open."""

    removal_date: date = field(repr=False)
    exit_date: date | None = field(repr=False)
    """None: the youth is in care."""
    exit_group: ExitGroup | None = field(repr=False)
    court_county: CountyFips | None
    responsible_agency: AgencyId | None
    placements: tuple[Placement, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.exit_date is not None and self.exit_date < self.removal_date:
            raise RecordError("episode: exit before removal")
        if self.exit_date is None and self.exit_group is not None:
            raise RecordError("episode: an open episode has no exit group")
        for number, placement in enumerate(self.placements, start=1):
            if placement.seq != number:
                raise RecordError("episode: placements are numbered in their order")
        for earlier, later in zip(self.placements, self.placements[1:], strict=False):
            # A move happens on one day: the last day here may be the first day there.
            if earlier.end_date is None or earlier.end_date > later.start_date:
                raise RecordError("episode: placements overlap")

    @property
    def open_placement(self) -> Placement | None:
        """The placement without a last day, if there is one."""
        return self.placements[-1] if self.placements and self.placements[-1].is_open else None


@dataclass(frozen=True, slots=True)
class MissingEpisode:
    """An absence from care as the county's system tells it: an overlay, not a placement (DOMAIN §0.4)."""

    local_id: str = field(repr=False)
    missing_since: date = field(repr=False)
    is_open: bool = field(repr=False)
    """The youth has not returned. Stated by the county, not inferred from a missing date."""
    reported_at: datetime | None = field(default=None, repr=False)
    """UTC."""
    returned_at: datetime | None = field(default=None, repr=False)
    """UTC; None also where only the day, or nothing, is known."""
    returned_on: date | None = field(default=None, repr=False)
    located_not_returned: bool = field(default=False, repr=False)
    absence_category: AbsenceCategory = field(default=AbsenceCategory.UNSPECIFIED_ABSENCE, repr=False)
    missing_from_setting_group: SettingGroup | None = field(default=None, repr=False)
    last_seen_county: CountyFips | None = field(default=None, repr=False)
    resolution_group: ResolutionGroup | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class JurisdictionContact:
    """Who is responsible and which telephone to call (FS6). No name of a worker is kept."""

    court_county: CountyFips
    responsible_agency: AgencyId
    contact_phone: str | None = field(default=None, repr=False)
    """E.164, the worker's desk or the duty line."""
    transfer_status: TransferStatus = TransferStatus.NONE
    icpc_status: IcpcStatus = IcpcStatus.NONE

    def __post_init__(self) -> None:
        if self.contact_phone is not None and _E164.fullmatch(self.contact_phone) is None:
            raise RecordError("contact: telephone number in E.164 form")


@dataclass(frozen=True, slots=True)
class Youth:
    """One youth of this county, as its systems and its mapping say."""

    local_id: LocalSubjectId = field(repr=False)
    identity: YouthIdentity = field(repr=False)
    episodes: tuple[OutOfHomeEpisode, ...] = field(default=(), repr=False)
    """In order of removal, not overlapping; at most the last one open."""
    missing_episodes: tuple[MissingEpisode, ...] = field(default=(), repr=False)
    """In order of `missing_since`; an overlay over the episodes."""
    jurisdiction: JurisdictionContact | None = field(default=None, repr=False)
    restriction: Restriction = field(default=Restriction.NONE, repr=False)
    """Sealed: behaves as no record. Sensitive: nothing is released automatically (DOMAIN §2.2)."""
    is_nmd: bool = field(default=False, repr=False)
    """Nonminor dependent, 18 to 20, an adult (DOMAIN §6)."""
    unusable_rows: int = 0
    """Rows about this youth that were refused; an answer says that the history is not whole."""
    held_for_human: bool = field(default=False, repr=False)
    """A rule of the county asks for a person before anything is released."""

    def __post_init__(self) -> None:
        for earlier, later in zip(self.episodes, self.episodes[1:], strict=False):
            if earlier.exit_date is None or earlier.exit_date > later.removal_date:
                raise RecordError("youth: out-of-home episodes overlap")

    @property
    def current_episode(self) -> OutOfHomeEpisode | None:
        """The episode the youth is in now, if any."""
        return self.episodes[-1] if self.episodes and self.episodes[-1].exit_date is None else None

    @property
    def is_in_care(self) -> bool:
        """In care now, or missing from it."""
        return self.current_episode is not None or self.open_absence is not None

    @property
    def open_absence(self) -> MissingEpisode | None:
        """The latest absence from which the youth has not returned, if any."""
        return next((item for item in reversed(self.missing_episodes) if item.is_open), None)
