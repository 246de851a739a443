"""What an answer says it does not say: each field once, with the weightiest reason."""

from typing import Final

from homeward.gateway.v1 import records_pb2 as wire
from homeward.gateway.v1.records_pb2 import RecordField, WithheldField, WithheldReason

_WEIGHT: Final = (
    wire.WITHHELD_REASON_NOT_RECORDED,
    wire.WITHHELD_REASON_NOT_USABLE,
    wire.WITHHELD_REASON_MASKED,
    wire.WITHHELD_REASON_COUNTY_RULE,
    wire.WITHHELD_REASON_NOT_GRANTED,
)
"""Ascending. A reason that says less about the youth outweighs one that says more."""


class Withheld:
    """Collects the fields that are not given."""

    def __init__(self) -> None:
        self._reasons: dict[RecordField, WithheldReason] = {}

    def add(self, field: RecordField, reason: WithheldReason) -> None:
        """The field is not given, or not everywhere."""
        before = self._reasons.get(field)
        if before is None or _WEIGHT.index(reason) > _WEIGHT.index(before):
            self._reasons[field] = reason

    def messages(self) -> list[WithheldField]:
        """One message a field, in the order of the list of fields."""
        return [WithheldField(field=field, reason=self._reasons[field]) for field in sorted(self._reasons)]
