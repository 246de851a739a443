"""What takes long in a long log: verifying it, publishing it, and making proofs in it.

One log of full entries, as many as are asked for. Everything that comes out is checked: the published files verify as
an outsider verifies them, and every proof leads from its leaf to the root.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from audit.merkle import check_consistency, check_inclusion, leaf_hash
from audit.publish import Publisher
from audit.published import verify_published
from audit.reader import Reader, Selection, root_at
from audit.source import DirectorySource
from audit.verify import verify_log
from tests.bench.leaves import SIGNER, fill

PROOFS = 2_000
"""Of each kind, at places drawn evenly."""


@dataclass(frozen=True, slots=True)
class LongLog:
    """Seconds for the whole log, microseconds for one proof."""

    entries: int
    verify_seconds: float
    publish_seconds: float
    verify_published_seconds: float
    files: int
    inclusion_us: float
    inclusion_p99_us: float
    consistency_us: float
    consistency_p99_us: float


def long_log(entries: int, directory: Path | None) -> LongLog:
    """The figures of a log of so many full entries. Ends the process where anything does not verify."""
    with tempfile.TemporaryDirectory(dir=directory) as name:
        reader = Reader(fill(Path(name), entries))
        verify = _timed(lambda: verify_log(reader, key=SIGNER.public).size == entries)
        target = Path(name) / "published"
        publish = _timed(lambda: _published(reader, target))
        outside = _timed(
            lambda: verify_published(DirectorySource(target), key=SIGNER.public).checkpoint.size == entries
        )
        files = sum(1 for path in target.rglob("*") if path.is_file())
        inclusion, consistency = _inclusions(reader, entries), _consistencies(reader, entries)
        reader.close()
    return LongLog(
        entries, verify, publish, outside, files,
        statistics.median(inclusion), statistics.quantiles(inclusion, n=100)[-1],
        statistics.median(consistency), statistics.quantiles(consistency, n=100)[-1],
    )  # fmt: skip


def _timed(work: Callable[[], bool]) -> float:
    started = time.perf_counter()
    if not work():
        raise SystemExit("the log does not hold what was written")
    return time.perf_counter() - started


def _published(reader: Reader, target: Path) -> bool:
    publisher = Publisher(reader, target, signer=SIGNER)
    publisher.open()
    prepared = publisher.prepare()
    if prepared is None:
        return False
    publisher.publish(prepared, prepared.note)
    publisher.close()
    return True


def _inclusions(reader: Reader, size: int) -> list[float]:
    root, spread, taken = reader.read(lambda tx: root_at(tx, size)), random.Random(size), list[float]()
    for index in (spread.randrange(size) for _ in range(PROOFS)):
        started = time.perf_counter()
        path = reader.inclusion(index, size)
        taken.append((time.perf_counter() - started) * 1e6)
        (entry,) = reader.entries(Selection(start=index, end=index + 1), limit=1)
        check_inclusion(hashed_leaf=leaf_hash(entry.leaf), index=index, size=size, proof=path, root=root)
    return taken


def _consistencies(reader: Reader, size: int) -> list[float]:
    root, spread, taken = reader.read(lambda tx: root_at(tx, size)), random.Random(size + 1), list[float]()
    for old in (spread.randrange(1, size) for _ in range(PROOFS)):
        started = time.perf_counter()
        path = reader.consistency(old, size)
        taken.append((time.perf_counter() - started) * 1e6)
        before = reader.read(lambda tx, old=old: root_at(tx, old))  # type: ignore[misc]
        check_consistency(old_size=old, old_root=before, size=size, root=root, proof=path)
    return taken
