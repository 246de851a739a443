"""How an index look-up of eighty tokens grows with the index, on the product's own store.

    python -m tests.bench.index [--sizes 10000 100000 1000000 10000000] [--lookups 400] [--directory DIR] [--out FILE]

Builds the tables that the gateway serves from and asks `SqlIndex.candidates`, as a question of a county does: half of
the questions are about a listed youth, half about nobody, each about another, so that no page is warm because it was
just read. The indexes are built in the order of their tokens, which leaves their pages fuller than years of
registrations would; the largest takes 1.4 GB of disk and some minutes. Ratios are to the smallest index of the same
run; all are open at once and asked in turns, so that a busy machine slows each alike. Bar: at 10^7 tokens at most four
times the time at 10^4 (B-trees grow).
"""

import argparse
import asyncio
import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Table, insert

from audit.reader import Reader
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import Restriction
from gateway.store import tables
from gateway.store.index import SqlIndex
from gateway.store.lookups import Lookups
from homeward.gateway.v1.envelope_pb2 import KeyTokens, TokenSet
from tests.bench.leaves import SIGNER
from tests.bench.report import machine

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
TOKENS: Final = 80
"""Of each youth, and of each question."""
BAR: Final = 4.0
OUT: Final = Path("bench-out/index.json")
EPOCH: Final = "e1"
OWNERS: Final = tuple(f"06{number:03}.cwa" for number in range(1, 117, 2))
Rows = Iterator[tuple[object, ...]]
_SPACE: Final = 1 << 128
_ROWS: Final = 50_000


@dataclass(frozen=True, slots=True)
class Row:
    """Look-ups in an index of so many tokens."""

    tokens: int
    p50_us: float
    p99_us: float
    of_smallest: float
    megabytes: float


class Filled:
    """One index, open for reading."""

    def __init__(self, directory: Path, size: int) -> None:
        self.size = size
        self.youths = max(1, size // TOKENS)
        self.spread = random.Random(size)
        store = SqliteStore(directory / f"index-{size}.db")
        create_log(store, signer=SIGNER, high_water=directory / f"high-water-{size}", also=[tables.metadata])
        self._fill(store)
        self.megabytes = store.path.stat().st_size / 1e6
        self._loop = asyncio.new_event_loop()
        self.reader = Reader(store)
        self.index = SqlIndex(Lookups(self.reader, threaded=False), lambda tokens: list(tokens))

    def token(self, position: int) -> bytes:
        """The token at this place of the index, in ascending order; any spread in between stands for nobody's."""
        return (position * (_SPACE // self.size) + 1).to_bytes(16, "big")

    def question(self, *, hit: bool) -> TokenSet:
        """A question about one listed youth, or about nobody."""
        youth = self.spread.randrange(self.youths)
        # Next to a listed one: what is looked for is as near and as far as a hit's.
        places = [self.token(place * self.youths + youth) for place in range(TOKENS)]
        tokens = places if hit else [(int.from_bytes(each, "big") + 1).to_bytes(16, "big") for each in places]
        names = [rule.name for rule in load_key_scheme().keys for _ in range(rule.pad)][:TOKENS]
        grouped: dict[str, list[bytes]] = {}
        for name, token in zip(names, tokens, strict=True):
            grouped.setdefault(name, []).append(token)
        groups = [KeyTokens(key=name, present=True, tokens=tokens) for name, tokens in grouped.items()]
        return TokenSet(epoch=EPOCH, scheme=load_key_scheme().version, keys=groups)

    def ask(self, *, hit: bool) -> float:
        """Microseconds of one look-up; what it finds is checked."""
        question = self.question(hit=hit)
        started = time.perf_counter()
        found = self._loop.run_until_complete(self.index.candidates(question))
        taken = (time.perf_counter() - started) * 1e6
        if len(found) != hit:
            raise SystemExit(f"{len(found)} candidates instead of {int(hit)}")
        return taken

    def _fill(self, store: SqliteStore) -> None:
        names = [rule.name for rule in load_key_scheme().keys for _ in range(rule.pad)][:TOKENS]
        connection = store.connect()
        connection.execute("PRAGMA synchronous = OFF")
        handles = [random.Random(youth).randbytes(16) for youth in range(self.youths)]
        youths = (
            (OWNERS[youth % len(OWNERS)], handle, str(Restriction.NONE), "", (1 << 18) - 1, 0)
            for youth, handle in enumerate(handles)
        )
        tokens = (
            (self.token(at), OWNERS[youth % len(OWNERS)], handles[youth], names[at // self.youths], EPOCH)
            for at, youth in ((at, at % self.youths) for at in range(self.youths * TOKENS))
        )
        _insert(store, connection, tables.subject, youths)
        _insert(store, connection, tables.index_token, tokens)
        connection.execute("ANALYZE")
        store.settle(connection)
        connection.close()


def _insert(store: SqliteStore, connection: sqlite3.Connection, table: Table, rows: Rows) -> None:
    clause = str(insert(table).compile(dialect=store.dialect))
    while batch := list(islice(rows, _ROWS)):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(clause, batch)
        connection.execute("COMMIT")


def _row(index: Filled, taken: list[float], smallest: float) -> Row:
    p50, p99 = statistics.median(taken), taken[len(taken) * 99 // 100]
    return Row(index.size, p50, p99, p50 / smallest, index.megabytes)


def measure(indexes: list[Filled], lookups: int) -> list[Row]:
    """Every index asked so often, in turns."""
    taken: dict[int, list[float]] = {each.size: [] for each in indexes}
    for turn in range(lookups):
        for each in indexes:
            taken[each.size].append(each.ask(hit=turn % 2 == 0))
    smallest = statistics.median(taken[indexes[0].size])
    return [_row(each, sorted(taken[each.size]), smallest) for each in indexes]


def main() -> None:
    """Builds, measures, prints the table, writes every figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--lookups", type=int, default=400)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        rows = measure([Filled(Path(name), size) for size in sorted(options.sizes)], options.lookups)
    print(f"{'tokens':>12} {'p50 us':>9} {'p99 us':>9} {'of smallest':>12} {'MB':>8}")
    for row in rows:
        print(f"{row.tokens:>12,} {row.p50_us:>9.0f} {row.p99_us:>9.0f} {row.of_smallest:>12.2f} {row.megabytes:>8.0f}")
    grown = rows[-1].of_smallest
    met = grown <= BAR
    print(f"largest / smallest: {grown:.2f} (bar {BAR:.0f}: {'met' if met else 'MISSED'})")
    document = {"machine": machine(), "rows": [asdict(row) for row in rows], "bar": BAR, "reached": grown, "met": met}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
