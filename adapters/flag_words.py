"""Flags that want their owner's word, and duties that are overdue, in words for people. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from homeward.county.v1.access_pb2 import FlagDue, GetStatusResponse, OverdueDuty
from homeward.gateway.v1.missing_pb2 import Duty


def due_lines(due: Iterable[FlagDue], now: datetime) -> Sequence[str]:
    """One line for each flag that lapses, or has lapsed."""
    return [_line(each.flag_id.hex(), each.expire_time.ToDatetime(UTC), now) for each in due]


def overdue_lines(overdue: Iterable[OverdueDuty]) -> Sequence[str]:
    """One line for each duty that should have been done."""
    return [
        f"FAIL  flag {each.flag_id.hex()}: {Duty.Name(each.duty).removeprefix('DUTY_')} is overdue since "
        f"{each.due_time.ToDatetime(UTC):%Y-%m-%d %H:%M} UTC: do it and say so, or say that it does not apply"
        for each in overdue
    ]


def unanswered_lines(found: GetStatusResponse) -> Sequence[str]:
    """What staff stated or ordered, of which nobody knows whether the exchange has it."""
    lines = [
        f"FAIL  flag {flag_id.hex()}: no answer to what was stated last; state it again, or report the youth again"
        for flag_id in found.unanswered_flag_ids
    ]
    if found.unanswered_seal_count:
        lines.append(
            f"warn  sealing orders without an answer: {found.unanswered_seal_count}, their youths are off the list; "
            "give each order again"
        )
    return lines


def _line(name: str, ends: datetime, now: datetime) -> str:
    if ends <= now:
        return f"FAIL  flag {name} lapsed {ends:%Y-%m-%d}: whoever asks is told UNDETERMINED; re-affirm or end it"
    return f"warn  flag {name} lapses {ends:%Y-%m-%d %H:%M} UTC: re-affirm it, or end it"
