"""How fast the log takes entries, how long they wait, and how fast a million of them are verified.

    python -m tests.bench.log [--rounds 5] [--seconds 1.0] [--entries 1000000] [--directory DIR] [--out FILE]
                              [--postgres URL]

In one run: the bare limits of this disk and this processor; durable appends with 1, 16, 64 and 256 callers (closed
loop) of prepared and of full leaves; latency at 50 and 200 appends a second that come whether or not earlier ones were
answered (open loop, from the tick); and of a log of so many full entries the time in which it verifies and is
published, and that of one proof (`long_log`). Every round is on a fresh log and ends with it verified. The bars are
those of 64 callers on two cores; the directory decides which disk.
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from audit.entry import Draft
from audit.log import Append, Log
from audit.reader import Reader
from audit.startup import create_log
from audit.store import Store
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from tests.bench.leaves import (
    KEYS,
    SIGNER,
    PreparedLog,
    bare_commits,
    bare_hashes,
    bare_syncs,
    built,
    ten_fields,
)
from tests.bench.long_log import LongLog, long_log
from tests.bench.report import machine

CALLERS: Final = (1, 16, 64, 256)
ARRIVALS: Final = (50, 200)
AT: Final = 64
"""Callers of the bars."""
OUT: Final = Path("bench-out/log.json")
_MOST_A_SECOND: Final = 60_000
"""More prepared leaves a second than any machine of this kind takes."""


@dataclass(frozen=True, slots=True)
class Appends:
    """Appends of one kind of leaf: rate, latency, and the process's own time for each."""

    leaf: str
    callers: int
    a_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A goal, and what was reached."""

    what: str
    bar: float
    reached: float
    met: bool


def percentile(latencies: list[float], share: float) -> float:
    """The value below which this share of the sorted latencies lies."""
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


async def closed_loop(
    log: Log, callers: int, seconds: float, *, draft: Callable[[int], Draft]
) -> tuple[float, list[float]]:
    """Seconds it took, and sorted latencies in milliseconds, of callers that each wait for their own, and ask once at
    least: on a busy machine the seconds can be over before the first has begun."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def call() -> None:
        ended = started
        while ended <= started + seconds:
            asked = time.perf_counter()
            await log.append(Append(draft(len(latencies))))
            ended = time.perf_counter()
            latencies.append((ended - asked) * 1e3)

    await asyncio.gather(*(call() for _ in range(callers)))
    return time.perf_counter() - started, sorted(latencies)


async def open_loop(log: Log, a_second: float, seconds: float) -> tuple[float, list[float]]:
    """As `closed_loop`, of appends at fixed ticks; each one's time runs from its tick."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def call(number: int) -> None:
        tick = started + number / a_second
        await asyncio.sleep(max(0.0, tick - time.perf_counter()))
        await log.append(Append(ten_fields(number)))
        latencies.append((time.perf_counter() - tick) * 1e3)

    await asyncio.gather(*(call(number) for number in range(int(a_second * seconds))))
    return time.perf_counter() - started, sorted(latencies)


async def measure(place: Path, leaf: str, callers: int, *, seconds: float, postgres: str | None) -> Appends:
    """One round of a closed loop on a fresh log."""
    store = _store(postgres, place)
    prepared, any_draft = leaf == "prepared", ten_fields(0)
    log = _open(store, place, prepared=prepared, most=callers + int(seconds * _MOST_A_SECOND))
    # What was made before the clock starts is no part of what is measured: not the garbage collector's way through
    # tens of thousands of leaves either, nor a draft that a prepared leaf takes the place of.
    gc.freeze()
    cpu = time.process_time()
    took, latencies = await closed_loop(log, callers, seconds, draft=(lambda _: any_draft) if prepared else ten_fields)
    cpu = time.process_time() - cpu
    gc.unfreeze()
    return await _finished(log, store, latencies, Appends(leaf, callers, len(latencies) / took, 0, 0, cpu))


async def arrive(place: Path, a_second: float, *, seconds: float, postgres: str | None) -> Appends:
    """Full leaves at fixed ticks on a fresh log."""
    store = _store(postgres, place)
    log = _open(store, place, prepared=False, most=0)
    cpu = time.process_time()
    took, latencies = await open_loop(log, a_second, seconds)
    cpu = time.process_time() - cpu
    return await _finished(log, store, latencies, Appends("full", 0, len(latencies) / took, 0, 0, cpu))


def bare(options: argparse.Namespace) -> dict[str, float]:
    """What this disk and this processor do at most."""
    leaves = list(islice(built(), 20_000))
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        return {
            "rows a second, 64 a commit": bare_commits(Path(name), leaves, group=AT),
            "synced pages a second": bare_syncs(Path(name), seconds=options.seconds),
            "SHA-256 a second": bare_hashes(seconds=options.seconds),
        }


def judged(appends: list[Appends], arrivals: list[Appends], long: LongLog) -> list[Bar]:
    """The bars of the issue, and whether they were met."""
    rate = {each.leaf: each.a_second for each in appends if each.callers == AT}
    at_200 = arrivals[-1]
    per_million = long.verify_seconds / long.entries * 1e6
    return [
        Bar("prepared leaves a second, 64 callers", 20_000, rate["prepared"], rate["prepared"] >= 20_000),
        Bar("full leaves a second, 64 callers", 5_000, rate["full"], rate["full"] >= 5_000),
        Bar("p50 ms at 200 a second", 3, at_200.p50_ms, at_200.p50_ms <= 3),
        Bar("p99 ms at 200 a second", 25, at_200.p99_ms, at_200.p99_ms <= 25),
        Bar("seconds to verify a million entries", 10, per_million, per_million <= 10),
    ]


def main() -> None:
    """Measures, prints the tables, writes every figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--arrival-seconds", type=float, default=10.0)
    parser.add_argument("--entries", type=int, default=1_000_000, help="in the log that is verified and published")
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--postgres", metavar="URL", help="an empty database; its public schema is dropped")
    options = parser.parse_args()
    limits = bare(options)
    appends = [
        _median([_in_place(options, measure, leaf, callers, seconds=options.seconds) for _ in range(options.rounds)])
        for callers in CALLERS
        for leaf in ("prepared", "full")
    ]
    arrivals = [_in_place(options, arrive, a_second, seconds=options.arrival_seconds) for a_second in ARRIVALS]
    long = long_log(options.entries, options.directory)
    bars = judged(appends, arrivals, long)
    _show(limits, appends, arrivals, long, bars)
    document = {
        "machine": machine(),
        "bare": limits,
        "appends": [asdict(each) for each in appends],
        "arrivals": [asdict(each) for each in arrivals],
        "long": asdict(long),
        "bars": [asdict(each) for each in bars],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _show(
    limits: dict[str, float], appends: list[Appends], arrivals: list[Appends], long: LongLog, bars: list[Bar]
) -> None:
    for name, value in limits.items():
        print(f"bare: {name:28} {value:12,.0f}")
    bare_rate = limits["rows a second, 64 a commit"]
    print(f"{'leaf':10} {'callers':>8} {'appends/s':>10} {'of bare':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8}")
    for each in (*appends, *arrivals):
        callers = str(each.callers) if each.callers else "ticks"
        print(
            f"{each.leaf:10} {callers:>8} {each.a_second:>10,.0f} {each.a_second / bare_rate:>8.2f} "
            f"{each.p50_ms:>8.2f} {each.p99_ms:>8.2f} {each.cpu_us:>8.0f}"
        )
    print(
        f"{long.entries:,} entries: verified in {long.verify_seconds:.2f} s, published in {long.publish_seconds:.2f} s"
    )
    print(f"the {long.files:,} published files: verified in {long.verify_published_seconds:.2f} s")
    print(f"a proof of inclusion: {long.inclusion_us:.0f} us, p99 {long.inclusion_p99_us:.0f}")
    print(f"a proof of consistency: {long.consistency_us:.0f} us, p99 {long.consistency_p99_us:.0f}")
    for bar in bars:
        print(f"{bar.what:40} bar {bar.bar:>8,.0f}  reached {bar.reached:>10,.2f}  {'met' if bar.met else 'MISSED'}")


def _open(store: Store, place: Path, *, prepared: bool, most: int) -> Log:
    high_water = place / "high-water"
    create_log(store, signer=SIGNER, high_water=high_water)
    kind = PreparedLog if prepared else Log
    log = kind.open(
        store, signer=SIGNER, keys=KEYS, high_water=high_water, now=lambda: datetime.now(UTC), random_bytes=os.urandom
    )
    if isinstance(log, PreparedLog):
        log.leaves = iter(list(islice(built(), most)))
    return log


async def _finished(log: Log, store: Store, latencies: list[float], found: Appends) -> Appends:
    await log.close()
    reader = Reader(store)
    if verify_log(reader, key=SIGNER.public).size != len(latencies):
        raise SystemExit("the log does not hold what it acknowledged")
    reader.close()
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    return Appends(found.leaf, found.callers, found.a_second, p50, p99, found.cpu_us / len(latencies) * 1e6)


def _in_place(options: argparse.Namespace, one: object, *args: object, **kwargs: object) -> Appends:
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        found: Appends = asyncio.run(one(Path(name), *args, postgres=options.postgres, **kwargs))  # type: ignore[operator]
    return found


def _median(rounds: list[Appends]) -> Appends:
    columns = ("a_second", "p50_ms", "p99_ms", "cpu_us")
    middle = [statistics.median(getattr(each, column) for each in rounds) for column in columns]
    return Appends(rounds[0].leaf, rounds[0].callers, *middle)


def _store(url: str | None, directory: Path) -> Store:
    if url is None:
        return SqliteStore(directory / "log.db")
    from sqlalchemy import create_engine, text

    from audit.store_postgres import PostgresStore

    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return PostgresStore(url)


if __name__ == "__main__":
    main()
