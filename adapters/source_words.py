"""The county's sources, in words for people, and which of them somebody must look after. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from homeward.county.v1.access_pb2 import SourceState

_WORD: Final = {"ok": "ok  ", "warn": "warn"}
_WHY: Final = "it cannot be read, or its data are older than its own error_after"
_FIX: Final = "homeward adapter check says which, and why"


def source_lines(sources: Iterable[SourceState]) -> Sequence[str]:
    """One line for each source, and below one that fails what to do."""
    lines = []
    for each in sources:
        counts = f"{each.record_count} records, {each.refused_count} refused, {each.freshness}"
        lines.append(f"{_WORD.get(each.freshness, 'FAIL')}  source {each.name}: {counts}")
        if _fails(each):
            lines.append(f"      {_WHY}: {_FIX}")
    return lines


def source_faults(sources: Iterable[SourceState]) -> Sequence[dict[str, str]]:
    """Sources that cannot be read or are too old: `source`, its name in the county's file; `why` and `fix`."""
    return [{"source": each.name, "why": _WHY, "fix": _FIX} for each in sources if _fails(each)]


def _fails(state: SourceState) -> bool:
    return state.freshness not in _WORD
