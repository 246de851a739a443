"""AUDIT 4 row 9: a clock that goes back, leaps ahead, or is behind at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.entry import FieldClass, StoredEntry, open_class
from audit.errors import EvidenceError, EvidenceReason, LogUnavailable, StopReason
from audit.log import Append, Log, LogState
from audit.own_entries import CLOCK_STEPPED
from audit.reader import Reader, Selection
from audit.timekeeping import BOUND_MS
from audit.verify import verify_log
from tests.integration.log_kit import KEYS, SIGNER, LogHome, draft, sqlite_home

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOUND = timedelta(milliseconds=BOUND_MS)


class Clocks:
    """A wall clock that can be set, and one that nobody sets; time passes only when it is told to."""

    def __init__(self) -> None:
        self.wall = START
        self.steady = 1000.0

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


@pytest.fixture
def home(tmp_path: Path) -> LogHome:
    return sqlite_home(tmp_path)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def _open(home: LogHome, clocks: Clocks) -> Log:
    return home.open(now=lambda: clocks.wall, steady=lambda: clocks.steady)


async def _append(log: Log) -> None:
    await asyncio.wait_for(log.append(Append(draft())), 10)


def _entries(home: LogHome) -> Sequence[StoredEntry]:
    reader = Reader(home.store)
    try:
        assert verify_log(reader, key=SIGNER.public).size
        return reader.entries(Selection())
    finally:
        reader.close()


async def test_09_small_step_back_is_clamped_and_leaves_one_entry(home: LogHome, clocks: Clocks) -> None:
    log = _open(home, clocks)
    await _append(log)
    clocks.wall -= timedelta(seconds=90)
    await _append(log)
    clocks.passes(5)
    await _append(log)
    clocks.passes(100)
    await _append(log)
    await log.close()
    entries = _entries(home)
    assert [entry.kind for entry in entries] == [
        "access.decision", CLOCK_STEPPED, "access.decision", "access.decision", "access.decision",
    ]  # fmt: skip
    milliseconds = int(START.timestamp() * 1000)
    assert [entry.time_ms - milliseconds for entry in entries] == [0, 0, 0, 0, 15_000]
    told = {field.name: field.value for field in open_class(entries[1], FieldClass.OP, KEYS.op)}
    assert told["back_ms"] == b"90000"


async def test_09_step_back_in_a_quiet_hour_is_reported_though_no_entry_is_older(home: LogHome, clocks: Clocks) -> None:
    log = _open(home, clocks)
    await _append(log)
    clocks.passes(3600)
    clocks.wall -= timedelta(seconds=60)
    await _append(log)
    await log.close()
    assert [entry.kind for entry in _entries(home)].count(CLOCK_STEPPED) == 1


@pytest.mark.parametrize("step", [-timedelta(hours=1), -BOUND * 1.01, timedelta(days=1), BOUND * 1.01])
async def test_09_step_beyond_the_bound_stops_the_log_before_anything_is_written(
    home: LogHome, clocks: Clocks, step: timedelta
) -> None:
    log = _open(home, clocks)
    await _append(log)
    clocks.wall += step
    with pytest.raises(LogUnavailable):
        await _append(log)
    assert (log.state, log.stopped_for) == (LogState.FAILED, StopReason.CLOCK)
    assert len(_entries(home)) == 1
    with pytest.raises(EvidenceError) as refused:
        _open(home, clocks)
    assert refused.value.reason is EvidenceReason.STOPPED
    assert home.explain() is StopReason.CLOCK


async def test_09_leap_second_changes_nothing(home: LogHome, clocks: Clocks) -> None:
    log = _open(home, clocks)
    await _append(log)
    for _ in range(3):
        clocks.passes(0.3)
        clocks.wall -= timedelta(seconds=1)
        clocks.passes(2)
        await _append(log)
    await log.close()
    assert {entry.kind for entry in _entries(home)} == {"access.decision"}


async def test_09_clock_behind_the_newest_entry_keeps_the_log_shut(home: LogHome, clocks: Clocks) -> None:
    log = _open(home, clocks)
    await _append(log)
    await log.close()
    clocks.wall -= timedelta(hours=1)
    with pytest.raises(EvidenceError) as refused:
        _open(home, clocks)
    assert refused.value.reason is EvidenceReason.TIME
