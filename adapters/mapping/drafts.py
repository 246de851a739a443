"""What rows say before they are compared with each other, and the checks on one whole placement.

Decides the shape of drafts and which placement, taken alone or with its youth, cannot be true. Each check is one
function; the table `PLACEMENT_CHECKS` gives its rule code. Does not read cells (`readers`) or compare rows
(`sequence`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from adapters.mapping.ledger import Place
from adapters.mapping.settings import Setting
from adapters.records import (
    AbsenceCategory,
    AgencyId,
    CaregiverRelationshipGroup,
    CountyFips,
    ExitGroup,
    IcpcStatus,
    LocalSubjectId,
    MoveReasonGroup,
    PlacementCounty,
    ResolutionGroup,
    Restriction,
    SettingGroup,
    TransferStatus,
    YouthIdentity,
)


@dataclass(frozen=True, slots=True)
class Client:
    """One youth as the identity rows say."""

    identity: YouthIdentity = field(repr=False)
    restriction: Restriction
    is_nmd: bool
    marks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Span:
    """A record with a first and a last day, from one row."""

    subject: LocalSubjectId = field(repr=False)
    local_id: tuple[str, ...] = field(repr=False)
    place: Place
    start: date = field(repr=False)
    end: date | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlacementDraft(Span):
    """One placement row."""

    setting: Setting = field(repr=False)
    county: PlacementCounty | None = field(repr=False)
    caregiver: CaregiverRelationshipGroup | None = field(repr=False)
    reason: MoveReasonGroup | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class EpisodeDraft(Span):
    """One out-of-home episode row; `start` is the removal, `end` the exit."""

    exit_group: ExitGroup | None = field(repr=False)
    court_county: CountyFips | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AbsenceDraft:
    """One absence row."""

    subject: LocalSubjectId = field(repr=False)
    local_id: tuple[str, ...] = field(repr=False)
    place: Place
    missing_since: date = field(repr=False)
    is_open: bool = field(repr=False)
    reported_at: datetime | None = field(repr=False)
    returned_at: datetime | None = field(repr=False)
    returned_on: date | None = field(repr=False)
    located_not_returned: bool = field(repr=False)
    category: AbsenceCategory = field(repr=False)
    missing_from: SettingGroup | None = field(repr=False)
    last_seen_county: CountyFips | None = field(repr=False)
    resolution: ResolutionGroup | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """One contact row."""

    subject: LocalSubjectId = field(repr=False)
    place: Place
    phone: str | None = field(repr=False)
    transfer_status: TransferStatus = field(repr=False)
    icpc_status: IcpcStatus = field(repr=False)


@dataclass(frozen=True, slots=True)
class Home:
    """The county's court, where no column names another, and the responsible agency."""

    court_county: CountyFips
    agency: AgencyId


PlacementCheck = Callable[[PlacementDraft, Client, date], bool]


def ends_before_start(draft: PlacementDraft, client: Client, today: date) -> bool:
    """The last day lies before the first."""
    return draft.end is not None and draft.end < draft.start


def starts_in_future(draft: PlacementDraft, client: Client, today: date) -> bool:
    """The placement has not begun: it is a plan, and plans are not exchanged."""
    return draft.start > today


def starts_before_birth(draft: PlacementDraft, client: Client, today: date) -> bool:
    """The placement begins before the youth was born."""
    born = client.identity.birth_date
    return born is not None and draft.start < born


PLACEMENT_CHECKS: Final[tuple[tuple[str, PlacementCheck], ...]] = (
    ("PLC-004", ends_before_start),
    ("PLC-006", starts_in_future),
    ("PLC-007", starts_before_birth),
)
"""Checks in order; the first that holds refuses the record."""
