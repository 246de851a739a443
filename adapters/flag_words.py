"""Flags that want their owner's word, in words for people. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from homeward.county.v1.access_pb2 import FlagDue


def due_lines(due: Iterable[FlagDue], now: datetime) -> Sequence[str]:
    """One line for each flag that lapses, or has lapsed."""
    return [_line(each.flag_id.hex(), each.expire_time.ToDatetime(UTC), now) for each in due]


def _line(name: str, ends: datetime, now: datetime) -> str:
    if ends <= now:
        return f"FAIL  flag {name} lapsed {ends:%Y-%m-%d}: whoever asks is told UNDETERMINED; re-affirm or end it"
    return f"warn  flag {name} lapses {ends:%Y-%m-%d %H:%M} UTC: re-affirm it, or end it"
