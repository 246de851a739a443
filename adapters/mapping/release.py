"""The `release:` section: what a county lets out before any request is looked at.

Decides the fields, the depth of history and the youths for whom a person must be asked first. It can only narrow what
the exchange's policy grants (ARCHITECTURE §6, "one rule, run three times"); an empty section narrows nothing but the
default history. Does not know requests.
"""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from gateway.protocol.strict_yaml import Duration, StrictModel

_MONTHS: Final = re.compile(r"([0-9]{1,3})\s*(months?|years?)")


class PlacementField(StrEnum):
    """Fields of a placement, by the names of the county's own mapping."""

    START_DATE = "start_date"
    END_DATE = "end_date"
    FACILITY_TYPE = "facility_type"
    SETTING_GROUP = "setting_group"
    """The coarse half of `facility_type` alone."""
    COUNTY = "county"
    CAREGIVER_RELATIONSHIP = "caregiver_relationship"
    MOVE_REASON = "move_reason"


class MissingField(StrEnum):
    """Fields of an absence, by the names of the county's own mapping."""

    STATUS = "status"
    MISSING_SINCE = "missing_since"
    REPORTED_AT = "reported_at"
    RETURNED_AT = "returned_at"
    CATEGORY = "category"
    MISSING_FROM = "missing_from"
    LAST_SEEN_COUNTY = "last_seen_county"
    RESOLUTION = "resolution"


_RECORD_FIELDS: Final[dict[PlacementField, frozenset[str]]] = {
    PlacementField.START_DATE: frozenset({"start_date"}),
    PlacementField.END_DATE: frozenset({"end_date"}),
    PlacementField.FACILITY_TYPE: frozenset({"setting_group", "setting_code"}),
    PlacementField.SETTING_GROUP: frozenset({"setting_group"}),
    PlacementField.COUNTY: frozenset({"placement_county"}),
    PlacementField.CAREGIVER_RELATIONSHIP: frozenset({"caregiver_relationship_group"}),
    PlacementField.MOVE_REASON: frozenset({"move_reason_group"}),
}
SEALED_MARK: Final = "sealed"
SENSITIVE_MARK: Final = "sensitive"
BUILT_IN_MARKS: Final = frozenset({SEALED_MARK, SENSITIVE_MARK})
"""Conditions that need no column of their own: they follow the restriction."""


def _months(text: object) -> int:
    found = _MONTHS.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a length as months or years, for example 24 months")
    return int(found[1]) * (12 if found[2].startswith("year") else 1)


Months = Annotated[int, BeforeValidator(_months), Field(ge=1, le=600)]


class PlacementRelease(StrictModel):
    """What of a placement is let out."""

    fields: tuple[PlacementField, ...] = tuple(PlacementField)
    history: Months = 60
    """Episodes that ended longer ago are not offered; 5 years unless told (DOMAIN §2.5, FS5)."""

    @property
    def record_fields(self) -> frozenset[str]:
        """Names of the fields of `records.Placement` that may leave."""
        return frozenset[str]().union(*(_RECORD_FIELDS[name] for name in self.fields))

    def history_starts(self, today: date) -> date:
        """First day of the history that may leave."""
        months = today.year * 12 + today.month - 1 - self.history
        year, month = divmod(months, 12)
        # A month has at least 28 days; two or three days more of history is the price of a day that always exists.
        return date(max(year, 1), month + 1, min(today.day, 28))


class MissingRelease(StrictModel):
    """What of an absence is let out."""

    fields: tuple[MissingField, ...] = tuple(MissingField)


class HoldForHuman(StrictModel):
    """Youths about whom nothing leaves until a person of the county has looked."""

    when: tuple[str, ...] = Field(min_length=1)
    """Names of `identity.client.marks`, or `sealed`, `sensitive`."""
    queue: str = Field(min_length=1)
    answer_within: Duration


class ReleaseRules(StrictModel):
    """The `release:` section."""

    placement: PlacementRelease = Field(default_factory=PlacementRelease)
    missing_episode: MissingRelease = Field(default_factory=MissingRelease)
    hold_for_human: HoldForHuman | None = None
