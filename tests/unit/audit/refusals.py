"""What fuzzed parsers may do: understand, or refuse the form; nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from audit.errors import EvidenceError, EvidenceReason

Value = TypeVar("Value")


def parsed(parse: Callable[[], Value]) -> Value | None:
    """Returns what was understood, or None where the form was refused; any other failure is raised."""
    try:
        return parse()
    except EvidenceError as fault:
        if fault.reason is not EvidenceReason.FORMAT:
            raise
        return None
