"""An entry that is committed and not yet signed: whoever asks for it waits, or hears that the log stopped."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from audit.log import Append, LogState
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.journal import draft
from gateway.store.entries import LogEntries
from tests.unit.exchange.spine_world import World


@dataclass
class Behind:
    """A log whose newest checkpoint is the one before the entry, for its first readers."""

    notes: list[str] = field(repr=False)
    state: LogState = LogState.OPEN

    @property
    def checkpoint(self) -> str:
        return self.notes.pop(0) if len(self.notes) > 1 else self.notes[0]


async def test_a_repeated_request_waits_for_the_signature_over_its_entry(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.log.checkpoint
    index = (await world.log.append(Append(draft("access.read")))).index
    behind = Behind([before, before, world.log.checkpoint])
    found = await LogEntries(behind, world.reader, world.keys).entry(index)  # type: ignore[arg-type]
    assert found.receipt(frozenset({"kind"})).verify(world.signer.public).size == index + 1
    await world.close()


async def test_whoever_waits_for_a_log_that_stopped_hears_of_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = world.log.checkpoint
    index = (await world.log.append(Append(draft("access.read")))).index
    with pytest.raises(Unavailable) as caught:
        await LogEntries(Behind([before], LogState.FAILED), world.reader, world.keys).entry(index)  # type: ignore[arg-type]
    assert caught.value.reason is ErrorReason.LOG_UNAVAILABLE
    await world.close()
