"""How a look-up of one youth's tokens grows with the index, and a whole flag check with it, on the product's store.

    python -m tests.bench.index [--sizes 10000 100000 1000000 10000000] [--lookups 400] [--directory DIR] [--out FILE]

Builds the tables that the gateway serves from and asks `SqlIndex.look_up`, as a question of a county does: half of
the questions are about a listed youth, half about nobody, each about another, so that no page is warm because it was
just read. The indexes are built in the order of their tokens, which leaves their pages fuller than years of
registrations would; the largest takes 1.4 GB of disk and some minutes. Ratios are to the smallest index of the same
run; all are open at once and asked in turns, so that a busy machine slows each alike. The whole flag check is one from
the edge to the durable entry and its receipt, about nobody, one at a time; its log is a small one. Bars: at 10^7 tokens
a look-up takes at most four times what it takes at 10^4 (B-trees grow), a whole flag check at most 1.3 times.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Table, insert

from audit.reader import Reader
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import AgencyId, Restriction
from gateway.store import tables
from gateway.store.index import SqlIndex
from gateway.store.lookups import Lookups
from gateway.store.youth_keys import FileYouthKeys
from homeward.gateway.v1.codes_pb2 import EVIDENCE_KIND_YOUTH_PRESENT
from homeward.gateway.v1.envelope_pb2 import Evidence, TokenSet
from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest, FlagQuery
from tests.bench.leaves import SIGNER
from tests.bench.pieces import QUESTION
from tests.bench.report import machine
from tests.unit.exchange.spine_parts import ASKER
from tests.unit.exchange.spine_world import World

SIZES: Final = (10_000, 100_000, 1_000_000, 10_000_000)
TOKENS: Final = load_key_scheme().elements
"""Of each youth, and of each question."""
BAR: Final = 4.0
WHOLE_BAR: Final = 1.3
OUT: Final = Path("bench-out/index.json")
EPOCH: Final = "e1"
OWNERS: Final = tuple(AgencyId(f"06{number:03}.cwa") for number in range(1, 117, 2))
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
    whole_p50_us: float
    whole_of_smallest: float
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
        self.loop = asyncio.new_event_loop()
        self.reader = Reader(store)
        FileYouthKeys.create(directory / f"keys-{size}.db")
        # Nobody here is flagged, so that none of them is needed.
        keys = FileYouthKeys(directory / f"keys-{size}.db", wrapping_key=bytes(32), random_bytes=os.urandom)
        self.index = SqlIndex(Lookups(self.reader, threaded=False), lambda _, tokens: tokens, keys)

    def token(self, position: int) -> bytes:
        """The token at this place of the index, in ascending order; any spread in between stands for nobody's."""
        return (position * (_SPACE // self.size) + 1).to_bytes(16, "big")

    def question(self, *, hit: bool) -> TokenSet:
        """A question about one listed youth, or about nobody."""
        youth = self.spread.randrange(self.youths)
        # Next to a listed one: what is looked for is as near and as far as a hit's.
        places = [self.token(place * self.youths + youth) for place in range(TOKENS)]
        tokens = places if hit else [(int.from_bytes(each, "big") + 1).to_bytes(16, "big") for each in places]
        scheme = load_key_scheme()
        return scheme.token_set(EPOCH, tokens, carried=[rule.name for rule in scheme.keys])

    def ask(self, *, hit: bool) -> float:
        """Microseconds of one look-up; what it finds is checked."""
        question = self.question(hit=hit)
        started = time.perf_counter()
        found, _ = self.loop.run_until_complete(self.index.look_up(OWNERS[0], question))
        taken = (time.perf_counter() - started) * 1e6
        if len(found) != hit:
            raise SystemExit(f"{len(found)} candidates instead of {int(hit)}")
        return taken

    def _fill(self, store: SqliteStore) -> None:
        scheme = load_key_scheme()
        places = scheme.place_of_each(scheme.presence([rule.name for rule in scheme.keys]))
        connection = store.connect()
        connection.execute("PRAGMA synchronous = OFF")
        handles = [random.Random(youth).randbytes(16) for youth in range(self.youths)]
        youths = (
            (OWNERS[youth % len(OWNERS)], handle, handle[:8], str(Restriction.NONE), "", (1 << 18) - 1)
            for youth, handle in enumerate(handles)
        )
        tokens = (
            (self.token(at), handles[youth][:8], places[at // self.youths], EPOCH)
            for at, youth in ((at, at % self.youths) for at in range(self.youths * TOKENS))
        )
        _insert(store, connection, tables.subject, youths)
        _insert(store, connection, tables.index_token, tokens)
        connection.execute("ANALYZE")
        store.settle(connection)
        connection.close()


class Checks:
    """Flag checks at a gateway's edge in front of one index."""

    def __init__(self, directory: Path, filled: Filled) -> None:
        self.filled = filled
        mine = directory / f"gateway-{filled.size}"
        mine.mkdir()
        self._world = World(mine)
        self._world.use(replace(self._world.setting, index=filled.index))

    def ask(self, number: int) -> float:
        """Microseconds of one, about nobody; that it was answered and is on record is checked."""
        question = replace(QUESTION, tokens=self.filled.question(hit=False), number=number)
        evidence = [Evidence(kind=EVIDENCE_KIND_YOUTH_PRESENT, reference_commitment=bytes(32))]
        payload = FlagQuery(
            request_id=question.request_id, tokens=question.asked, evidence=evidence
        ).SerializeToString()
        request = CheckFlagRequest(payload=payload, user_assertion=self._world.assertion(question, payload))
        with self._world.speaking(ASKER):
            started = time.perf_counter()
            reply = self.filled.loop.run_until_complete(self._world.servicer.CheckFlag(request, None))
            taken = (time.perf_counter() - started) * 1e6
        if not reply.HasField("receipt") or reply.answer.HasField("flag_statement"):
            raise SystemExit("a flag check about nobody told of somebody, or left no receipt")
        return taken

    def close(self) -> None:
        """The gateway's log is closed."""
        self.filled.loop.run_until_complete(self._world.close())


def _insert(store: SqliteStore, connection: sqlite3.Connection, table: Table, rows: Rows) -> None:
    clause = str(insert(table).compile(dialect=store.dialect))
    while batch := list(islice(rows, _ROWS)):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(clause, batch)
        connection.execute("COMMIT")


def measure(indexes: list[Filled], lookups: int, directory: Path) -> list[Row]:
    """Every index asked so often, in turns, alone and by a whole flag check."""
    taken: dict[int, list[float]] = {each.size: [] for each in indexes}
    for turn in range(lookups):
        for each in indexes:
            taken[each.size].append(each.ask(hit=turn % 2 == 0))
    checks = [Checks(directory, each) for each in indexes]
    whole: dict[int, list[float]] = {each.size: [] for each in indexes}
    for turn in range(lookups):
        for check in checks:
            whole[check.filled.size].append(check.ask(turn))
    for check in checks:
        check.close()
    smallest, smallest_whole = (statistics.median(times[indexes[0].size]) for times in (taken, whole))
    rows: list[Row] = []
    for each in indexes:
        times = sorted(taken[each.size])
        p50, p99, entire = statistics.median(times), times[len(times) * 99 // 100], statistics.median(whole[each.size])
        rows.append(Row(each.size, p50, p99, p50 / smallest, entire, entire / smallest_whole, each.megabytes))
    return rows


def main() -> None:
    """Builds, measures, prints the table, writes every figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--lookups", type=int, default=400)
    parser.add_argument("--directory", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        indexes = [Filled(Path(name), size) for size in sorted(options.sizes)]
        rows = measure(indexes, options.lookups, Path(name))
    heads = ("tokens", "p50 us", "p99 us", "of smallest", "whole check", "of smallest", "MB")
    print(" ".join(f"{head:>12}" for head in heads))
    for row in rows:
        print(
            f"{row.tokens:>12,} {row.p50_us:>12.0f} {row.p99_us:>12.0f} {row.of_smallest:>12.2f} "
            f"{row.whole_p50_us:>12.0f} {row.whole_of_smallest:>12.2f} {row.megabytes:>12.0f}"
        )
    bars = {
        "look-up": (rows[-1].of_smallest, BAR),
        "whole flag check": (rows[-1].whole_of_smallest, WHOLE_BAR),
    }
    for name, (grown, bar) in bars.items():
        print(f"{name}, largest / smallest: {grown:.2f} (bar {bar}: {'met' if grown <= bar else 'MISSED'})")
    document = {
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
        "bars": {name: {"bar": bar, "reached": grown, "met": grown <= bar} for name, (grown, bar) in bars.items()},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
