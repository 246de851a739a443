"""`python -m tests.bench.registration`: a county lists its caseload, and then the whole exchange rotates its token key.

Decides what one run is: gateway, custodian and another county as processes; the county under test in this one, with
invented youths in the place of its files. Prints youths a second, the processor time of each party for a youth, and how
much of a holder's is multiplication: its time beside that of the bare evaluations in a loop of this run.
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from adapters.config import read_config
from adapters.identity.scheme import load_scheme
from adapters.node.compare import Comparison
from adapters.node.source import Source
from adapters.records import (
    CountyFips,
    LocalSubjectId,
    OutOfHomeEpisode,
    Placement,
    SettingGroup,
    Youth,
    YouthIdentity,
)
from adapters.telling import Telling
from adapters.wiring import Adapter, build
from deploy.demo.commands import Commands
from deploy.demo.invented import GIVEN_NAMES, SURNAME_PARTS
from deploy.demo.sandbox import Sandbox
from gateway.protocol.ristretto import load_ristretto
from tests.bench.exchange import cpu_seconds
from tests.bench.report import machine

RAW = 20_000
"""Bare multiplications timed in this run."""


@dataclass(frozen=True)
class Crowd:
    """A source that holds so many invented youths."""

    held: Sequence[Youth]

    def youths(self) -> Sequence[Youth]:
        return self.held

    def by_local_id(self, local_id: LocalSubjectId) -> Youth | None:
        return next((each for each in self.held if each.local_id == local_id), None)

    def data_as_of(self) -> datetime:
        return datetime.now(UTC)

    def is_stale(self, now: datetime) -> bool:
        return False


def crowd(count: int) -> Source:
    """Invented youths, no two with the same name and birth date."""
    home = Placement(1, date(2026, 1, 1), None, SettingGroup.FAMILY_HOME, placement_county=CountyFips("06037"))
    episode = OutOfHomeEpisode(date(2026, 1, 1), None, None, CountyFips("06037"), "06037.cwa", (home,))  # type: ignore[arg-type]
    youths = []
    for number in range(count):
        given = GIVEN_NAMES[number % len(GIVEN_NAMES)]
        surname = SURNAME_PARTS[number // len(GIVEN_NAMES) % len(SURNAME_PARTS)]
        born = date(2008, 1, 1) + timedelta(days=number // (len(GIVEN_NAMES) * len(SURNAME_PARTS)) * 3 + number % 3)
        identity = YouthIdentity(given, surname, born)
        youths.append(Youth(local_id=LocalSubjectId(f"B{number}"), identity=identity, episodes=(episode,)))
    return Crowd(youths)


@dataclass(frozen=True)
class Phase:
    """One phase: how long, and whose processor time."""

    seconds: float
    county: float
    gateway: float
    custodian: float


class Bench:
    """The exchange, and the county under test in this process."""

    def __init__(self, sandbox: Sandbox, commands: Commands, adapter: Adapter, count: int) -> None:
        self.sandbox, self.commands, self.count = sandbox, commands, count
        source = crowd(count)
        comparison: Comparison = replace(adapter.registrar.comparison, source=source)
        adapter.registrar.comparison = comparison
        self.adapter = adapter

    async def phase(self, epoch: str) -> Phase:
        """Everybody is listed in this epoch."""
        pids = [self.sandbox.process(name).pid for name in ("gateway", "custodian")]
        before, started, own = [cpu_seconds(pid) for pid in pids], time.monotonic(), time.process_time()
        await self.adapter.registrar.synchronize()
        if self.adapter.node.directory().epoch != epoch:
            await self.adapter.registrar.renew(seconds=float("inf"))
        await self.adapter.registrar.heartbeat()
        assert self.adapter.subjects.listed_count(epoch) == self.count
        spent = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        return Phase(time.monotonic() - started, time.process_time() - own, *spent)

    async def run(self, *words: str) -> str:
        return await asyncio.to_thread(self.commands.run, *words, "--json", log=self.sandbox.layout.logs / "bench.log")

    async def ready(self, epoch: str) -> None:
        """The directory names the epoch, and its pepper is here."""
        while True:
            await self.adapter.node.keeper.refresh()
            await self.adapter.node.pepper.step()
            if epoch in self.adapter.node.directory().epochs and self.adapter.node.pepper.files.get(epoch):
                return
            await asyncio.sleep(0.2)

    async def open_next(self) -> None:
        layout, dealt = self.sandbox.layout, self.sandbox.layout.root / "dealt"
        await self.run("custodian", "deal", "--threshold", "2", "--holders", "2", "--epoch", "e2", "--out", str(dealt))
        await self.run("custodian", "epoch", "add", str(layout.custodian), "--share", str(dealt / "share-2.bin"))
        await self.run("gateway", "epoch", "open", str(layout.gateway), "--share", str(dealt / "share-1.bin"))
        await self.ready("e2")

    async def end_old(self) -> float:
        """Seconds from the cut-over until nothing of the old epoch is left."""
        gateway, started = str(self.sandbox.layout.gateway), time.monotonic()
        await self.run("gateway", "epoch", "cut-over", gateway)
        while self.adapter.node.directory().epoch != "e2":
            await self.adapter.node.keeper.refresh()
        await self.run("gateway", "epoch", "finish", gateway)
        while True:
            done = await asyncio.to_thread(self.commands.ask, "gateway", "epoch", "status", gateway, "--json")
            if [each["epoch"] for each in json.loads(done.out)["epochs"]] == ["e2"]:
                return time.monotonic() - started
            await asyncio.sleep(0.5)


def raw_seconds() -> float:
    """Processor seconds of one bare multiplication."""
    group = load_ristretto()
    scalar, element = b"\x07" + bytes(31), group.multiply_base(b"\x09" + bytes(31))
    started = time.process_time()
    for _ in range(RAW):
        group.multiply(scalar, element)
    return (time.process_time() - started) / RAW


async def measure(bench: Bench, kept: Callable[[dict[str, object]], None]) -> None:
    """All phases of one run; what was found is `kept` after each, because a run takes an hour."""
    await bench.ready("e1")
    raw = raw_seconds() * load_scheme().elements
    found: dict[str, object] = {"machine": machine(), "youths": bench.count}
    with Telling(as_json=False) as telling:
        bench.adapter.registrar.progress.told = telling.told
        found["registration"] = _row(await bench.phase("e1"), bench.count, raw)
        kept(found)
        await bench.open_next()
        found["again in the following epoch"] = _row(await bench.phase("e2"), bench.count, raw)
        kept(found)
    found["seconds from cut-over until erased"] = round(await bench.end_old(), 2)
    kept(found)
    await bench.adapter.channels.close()


def _row(phase: Phase, count: int, raw: float) -> dict[str, float]:
    return {
        "seconds": round(phase.seconds, 2),
        "youths a second": round(count / phase.seconds, 1),
        "county, CPU ms a youth": round(phase.county / count * 1000, 2),
        "gateway, CPU ms a youth": round(phase.gateway / count * 1000, 2),
        "custodian, CPU ms a youth": round(phase.custodian / count * 1000, 2),
        "bare multiplications, share of the custodian's CPU": round(raw / (phase.custodian / count), 2),
    }


def main() -> None:
    """Runs the benchmark and writes its report."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.registration")
    parser.add_argument("--youths", type=int, default=50_000)
    parser.add_argument("--out", type=Path, default=Path("bench-out"))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="homeward-bench-") as name,
        Sandbox.up(Path(name) / "box") as sandbox,
        Commands() as commands,
    ):
        sandbox.end("adapter-a")
        options.out.mkdir(parents=True, exist_ok=True)
        file = options.out / "registration.json"
        asyncio.run(
            _measured(sandbox, commands, options.youths, lambda found: _write(file, json.dumps(found, indent=1) + "\n"))
        )
    sys.stdout.write(file.read_text(encoding="utf-8"))


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


async def _measured(
    sandbox: Sandbox, commands: Commands, count: int, kept: Callable[[dict[str, object]], None]
) -> None:
    file = sandbox.layout.agency("A") / "adapter.yaml"
    adapter = build(
        read_config(file),
        file,
        environment=os.environ,
        now=lambda: datetime.now(UTC),
        random_bytes=secrets.token_bytes,
        monotonic=time.monotonic,
    )
    await measure(Bench(sandbox, commands, adapter, count), kept)


if __name__ == "__main__":
    main()
