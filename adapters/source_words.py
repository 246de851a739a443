"""The county's sources, in words for people, and which of them somebody must look after. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.mapping.rules import RULES
from homeward.county.v1.access_pb2 import SourceState

_WORD: Final = {"ok": "ok  ", "warn": "warn"}
_NONE_IN_USE: Final = "no reading is in use yet: the first one is under way, or another source was refused"
_FIX: Final = "homeward adapter check says which, and why"


def source_lines(sources: Iterable[SourceState]) -> Sequence[str]:
    """One line for each source, and below one that fails why, and what to do."""
    lines = []
    for each in sources:
        refused = f"{each.refused_count} refused"
        rows = f"{each.record_count} records of {each.row_count} rows, {refused}, {each.freshness}"
        lines.append(f"{_WORD.get(each.freshness, 'FAIL')}  source {each.name}: {rows}")
        if _fails(each):
            code = f"{each.code}  " if each.code else ""
            lines += [f"      {code}{_why(each)}", f"      fix: {_fix(each)}"]
    return lines


def source_faults(sources: Iterable[SourceState]) -> Sequence[dict[str, str]]:
    """Sources whose last reading is not used, or too old: `source`, its name in the county's file; `code`, `why`,
    `fix`.
    """
    return [
        {"source": each.name, "code": each.code, "why": _why(each), "fix": _fix(each)}
        for each in sources
        if _fails(each)
    ]


def _why(state: SourceState) -> str:
    rule = RULES.get(state.code)
    return rule.sentence if rule is not None else _NONE_IN_USE


def _fix(state: SourceState) -> str:
    """What to do; of an adapter newer than this command a rule may not be known here."""
    rule = RULES.get(state.code)
    return rule.fix if rule is not None else _FIX


def _fails(state: SourceState) -> bool:
    return state.freshness not in _WORD
