"""How fast the log takes entries: durable appends per second with 1, 16 and 64 callers, and the cost of building one.

Run: python tests/bench/append.py [--rounds 5] [--seconds 1.0] [--directory DIR] [--postgres URL]

Closed loop, 10-field entries of all four classes with agency numbers (14 fields in all), made inside the loop, on
an otherwise empty log. Prints the median of the rounds; every round is on a fresh log and ends with the log verified.
The directory decides which disk is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner
from audit.entry import ClassKeys, Draft, Field, FieldClass, Place, YouthKey, build_entry
from audit.log import Append, Log
from audit.reader import Reader
from audit.startup import create_log
from audit.store import Store
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log

SIGNER = LogSigner("bench.example/log", Ed25519PrivateKey.generate())
KEYS = ClassKeys(os.urandom(32), os.urandom(32), os.urandom(32))
CALLERS = (1, 16, 64)


def ten_fields(counter: int) -> Draft:
    """Returns a draft as large as a decision about a youth."""
    op = [Field(FieldClass.OP, name, b"x" * 12) for name in ("kind", "decision", "reason", "purpose", "policy")]
    about = [Field(FieldClass.YOUTH, name, b"h" * 32) for name in ("subject", "request", "response")]
    rest = [Field(FieldClass.REQ, "worker", b"w" * 16), Field(FieldClass.HOLD, "classes", b"c")]
    return Draft((*op, *rest, *about), YouthKey(b"k" * 32, counter), "06037.cwa", "06059.cwa")


def build_microseconds() -> float:
    """Returns what building one ten-field entry costs, best of five."""
    draft, place = ten_fields(0), Place(0, 1_790_000_000_000)

    def once() -> float:
        started = time.perf_counter()
        for _ in range(2000):
            build_entry(draft, place, keys=KEYS, random_bytes=os.urandom)
        return (time.perf_counter() - started) / 2000 * 1e6

    return min(once() for _ in range(5))


async def load(log: Log, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Returns appends per second and the sorted latencies in milliseconds."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def call() -> None:
        while (asked := time.perf_counter()) < started + seconds:
            await log.append(Append(ten_fields(len(latencies))))
            latencies.append((time.perf_counter() - asked) * 1e3)

    await asyncio.gather(*(call() for _ in range(callers)))
    return len(latencies) / (time.perf_counter() - started), sorted(latencies)


async def measure(store: Store, directory: Path, callers: int, seconds: float) -> tuple[float, float, float, float]:
    """Returns appends per second, p50 and p99 in milliseconds, and CPU microseconds per append, on a fresh log."""
    high_water = directory / "high-water"
    create_log(store, signer=SIGNER, high_water=high_water)
    log = Log.open(
        store, signer=SIGNER, keys=KEYS, high_water=high_water, now=lambda: datetime.now(UTC), random_bytes=os.urandom
    )
    cpu = time.process_time()
    rate, latencies = await load(log, callers, seconds)
    cpu = time.process_time() - cpu
    await log.close()
    reader = Reader(store)
    if verify_log(reader, key=SIGNER.public).size != len(latencies):
        raise SystemExit("the log does not hold what it acknowledged")
    reader.close()
    count = len(latencies)
    return rate, latencies[count // 2], latencies[count * 99 // 100], cpu / count * 1e6


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--postgres", metavar="URL", help="an empty database; its public schema is dropped")
    options = parser.parse_args()
    print(f"building a ten-field entry: {build_microseconds():.1f} us")
    print(f"{'callers':>8} {'appends/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'CPU us':>8}")
    for callers in CALLERS:
        rounds = []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory(dir=options.directory) as name:
                store = _store(options.postgres, Path(name))
                rounds.append(asyncio.run(measure(store, Path(name), callers, options.seconds)))
        rate, p50, p99, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{callers:>8} {rate:>10.0f} {p50:>8.2f} {p99:>8.2f} {cpu:>8.0f}")


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
