"""The two ways in which an identity cannot be tokenized. Both name fields, and never a value."""

from __future__ import annotations

from collections.abc import Sequence


class IncompleteIdentity(ValueError):
    """A youth whose name or birth date is missing or a placeholder; such a question needs a person.

    `missing` holds field names; `position` is the place in the batch that was to be tokenized.
    """

    def __init__(self, missing: Sequence[str], *, position: int = 0) -> None:
        super().__init__(f"identity {position} lacks: {', '.join(missing)}")
        self.missing = tuple(missing)
        self.position = position


class InvalidIdentity(ValueError):
    """A field longer than the scheme allows; `fields` holds field names."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(f"too long: {', '.join(fields)}")
        self.fields = tuple(fields)
