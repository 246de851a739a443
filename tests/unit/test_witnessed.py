"""What an unwitnessed log means for disclosure, and for everything else."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from audit.receipt import Receipt
from audit.sequencer import Append
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.leaves import draft
from gateway.protocol.log_kinds import Kind
from gateway.publishing.witnessed import DISCLOSING, Witnessed, WitnessedJournal

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
LIMIT = timedelta(minutes=15)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True)
class Entry:
    index: int
    guarded: bool = False

    def receipt(self, names: frozenset[str]) -> Receipt:
        raise NotImplementedError


@dataclass
class MemoryJournal:
    """A log that keeps kinds."""

    kinds: list[str] = field(default_factory=list)

    async def enter(self, append: Append) -> Entry:
        self.kinds.append(append.draft.kind)
        return Entry(len(self.kinds) - 1)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _setting(*, waits: bool = False) -> tuple[Clock, Witnessed, MemoryJournal, WitnessedJournal]:
    clock, memory = Clock(), MemoryJournal()
    witnessed = Witnessed(waits=waits, limit=LIMIT, now=clock)
    return clock, witnessed, memory, WitnessedJournal(memory, witnessed)


async def _enter(journal: WitnessedJournal, kind: Kind) -> ErrorReason | None:
    try:
        await journal.enter(Append(draft(kind)))
    except Unavailable as refused:
        return refused.reason
    return None


async def test_disclosure_stops_at_the_limit_says_so_and_goes_on_when_witnessed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, witnessed, memory, journal = _setting()
    witnessed.observe(_ms(START))
    clock.now = START + LIMIT
    assert await _enter(journal, Kind.DECISION) is None
    clock.now += timedelta(seconds=1)
    with caplog.at_level(logging.WARNING):
        witnessed.observe(_ms(START))
        witnessed.observe(_ms(START))
        assert await _enter(journal, Kind.DECISION) is ErrorReason.UNWITNESSED
        assert witnessed.stopped
        witnessed.observe(None)
    assert [record.levelname for record in caplog.records] == ["CRITICAL", "WARNING"]
    assert await _enter(journal, Kind.DECISION) is None
    assert memory.kinds == [Kind.DECISION] * 2


async def test_it_stops_even_if_nobody_observes_any_more() -> None:
    clock, witnessed, _, journal = _setting()
    witnessed.observe(_ms(START))
    clock.now = START + LIMIT + timedelta(seconds=1)
    assert await _enter(journal, Kind.DECISION) is ErrorReason.UNWITNESSED


async def test_what_discloses_nothing_goes_on() -> None:
    clock, witnessed, memory, journal = _setting()
    witnessed.observe(_ms(START))
    clock.now = START + timedelta(days=1)
    others = [kind for kind in Kind if kind not in DISCLOSING]
    assert [await _enter(journal, kind) for kind in others] == [None] * len(others)
    assert memory.kinds == others
    assert Kind.AUTHORITY_REVOKED in others


async def test_a_witnessed_release_leaves_only_under_a_witnessed_checkpoint() -> None:
    _, witnessed, memory, journal = _setting(waits=True)
    leaving = asyncio.create_task(_enter(journal, Kind.OUTCOME))
    await asyncio.wait_for(witnessed.wanted.wait(), 5)
    witnessed.advance(0)
    await asyncio.sleep(0.02)
    assert (leaving.done(), memory.kinds) == (False, [Kind.OUTCOME])
    witnessed.advance(1)
    assert await asyncio.wait_for(leaving, 5) is None


async def test_a_release_that_nobody_witnesses_is_refused_though_its_entry_stands() -> None:
    _, witnessed, _, _ = _setting(waits=True)
    with pytest.raises(Unavailable) as refused:
        await witnessed.cover(1, seconds=0.05)
    assert refused.value.reason is ErrorReason.UNWITNESSED


async def test_a_sequenced_release_waits_for_nobody() -> None:
    _, witnessed, _, journal = _setting()
    assert await _enter(journal, Kind.OUTCOME) is None
    assert not witnessed.wanted.is_set()
