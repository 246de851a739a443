"""A log that does not serve, and what a gateway's start would write into it."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from audit.errors import StopReason
from audit.log import Append, Log
from audit.own_entries import stop_explained
from audit.store_sqlite import SqliteStore
from gateway.recovery.due import clear_due, due_entries
from gateway.recovery.repair import place_of


def grow(directory: Path) -> None:
    """The log has one more entry, of its own."""
    _append(directory, Append(stop_explained(StopReason.FILE, os.urandom(32))))


def say_due(directory: Path) -> None:
    """What a recovery left to say is in the log, as after a start."""
    state = place_of(directory).state
    _append(directory, *map(Append, due_entries(state)))
    clear_due(state)


def _append(directory: Path, *appends: Append) -> None:
    place = place_of(directory)

    async def run() -> None:
        log = Log.open(
            SqliteStore(place.state.database),
            signer=place.signer,
            keys=place.state.read_class_keys(),
            high_water=place.state.high_water,
            now=lambda: datetime.now(UTC),
            random_bytes=os.urandom,
        )
        for each in appends:
            await log.append(each)
        await log.close()

    # In a process of its own it would have an event loop of its own; here one is running.
    with ThreadPoolExecutor(max_workers=1) as pool:
        pool.submit(lambda: asyncio.run(run())).result(60)
