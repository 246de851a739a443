"""What a row rule is.

Decides its parts and the severities. The rules stand in `rules` and, of whole sources, in `source_rules`.
"""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What happens to the data, in falling order."""

    FILE_REFUSED = "file refused"
    RECORD_REFUSED = "record refused"
    YOUTH_SEALED = "youth sealed"
    """The row counts, and nobody finds the youth: what a limit means is not guessed."""
    VALUE_DROPPED = "value dropped"
    NOTE = "note"


Changes = tuple[tuple[str, dict[str, str]], ...]
"""Rows of an example: (table, changed cells); tables are those of `examples`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `bad` breaks it, `good` does not; both are changes to the example tables, or a whole file;
    None where no rows can show the rule."""

    code: str
    severity: Severity
    sentence: str
    fix: str
    good: Changes | str | None
    bad: Changes | str | None
    edit: tuple[str, str] = ("", "")
    """Text of the example county file and what the rule's examples have in its place."""
