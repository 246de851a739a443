"""A power failure at any moment: only synced bytes survive. FULL, which the store sets, keeps what was acknowledged.

NORMAL does not.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from audit.errors import EvidenceError
from audit.log import Append, LogSettings
from audit.reader import Reader, Selection
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from tests.integration.log_kit import SIGNER, LogHome, draft, sqlite_home
from tests.integration.power_kit import Disk, ForgetfulStore

ENTRIES = 40


async def _written_until_the_power_fails(
    directory: Path, survivors: Path, *, synchronous: str = "", chance: random.Random | None
) -> dict[int, str]:
    """Returns the entries that were acknowledged; `survivors` holds what the disk kept."""
    before = sqlite_home(directory)
    disk = Disk()
    home = LogHome(directory, ForgetfulStore(directory / "log.db", disk, synchronous=synchronous))
    # Written at the making of the log and synced then; what it was told since may be lost with the power.
    shutil.copy(before.high_water, survivors / "high-water")
    log = home.open(settings=LogSettings(window_seconds=0.0))
    acknowledged = {}
    for at in range(ENTRIES):
        answer = await asyncio.wait_for(log.append(Append(draft(str(at)))), 10)
        acknowledged[answer.index] = answer.entry.leaf.hex()
    disk.after_power_failure(survivors, chance=chance)
    await log.close()
    return acknowledged


async def _kept(survivors: Path) -> dict[int, str]:
    home = LogHome(survivors, SqliteStore(survivors / "log.db"))
    await home.open().close()
    reader = Reader(home.store)
    try:
        verify_log(reader, key=SIGNER.public)
        return {entry.index: entry.leaf.hex() for entry in reader.entries(Selection())}
    finally:
        reader.close()


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
async def test_after_a_power_failure_every_acknowledged_entry_is_there(tmp_path: Path, seed: int | None) -> None:
    survivors = tmp_path / "survivors"
    survivors.mkdir()
    chance = None if seed is None else random.Random(seed)
    acknowledged = await _written_until_the_power_fails(tmp_path, survivors, chance=chance)
    assert len(acknowledged) == ENTRIES
    assert acknowledged.items() <= (await _kept(survivors)).items()


async def test_the_model_finds_a_log_that_does_not_sync_its_commits(tmp_path: Path) -> None:
    """The control: the same run with `synchronous = NORMAL` loses entries that were acknowledged."""
    survivors = tmp_path / "survivors"
    survivors.mkdir()
    acknowledged = await _written_until_the_power_fails(tmp_path, survivors, synchronous="NORMAL", chance=None)
    assert len(acknowledged) == ENTRIES
    try:
        kept = await _kept(survivors)
    except EvidenceError:
        kept = {}
    assert not acknowledged.items() <= kept.items()
