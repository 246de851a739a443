"""`fsck`: everything that lies in a log's directory is checked, in one order, and nothing is changed.

Decides that order, and what a mirror's end says beside the log's:

    it ends where the log ends, or before     a mirror of this log, which lags by the rest; it heals up to there
    it ends behind where the log ends         the database was put back: the log signed for more than is stored
    its tree is no beginning of the log's     another history, whatever its length

A lagging mirror is every mirror between two rounds. How far it may lag is for the operator, who is told since when.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.checkpoint import Checkpoint, LogKey
from audit.errors import Copy, EvidenceError, EvidenceReason
from audit.mirror import check_mirror, named
from audit.published import published_head, verify_published
from audit.reader import Reader, Selection, root_at, select_entries
from audit.source import DirectorySource
from audit.stopping import StopMark
from audit.transaction import Tx
from audit.verify import Verified, verify_log
from gateway.members.whole import while_it_serves
from gateway.recovery.record import place_of_record, records
from gateway.recovery.record_lines import RecordPlace
from gateway.recovery.repair import Place, known
from gateway.store.escrow import erasing_waits


@dataclass(frozen=True, slots=True)
class MirrorStanding:
    """How many entries a mirror holds, how many the log has that it lacks, and when the first of those was written."""

    directory: Path
    size: int
    tables: int
    """The set of tables that it would heal with."""
    behind: int
    since_ms: int
    """Milliseconds since 1970; 0 where it lacks nothing."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What was found to hold."""

    verified: Verified
    tables: bool
    """Whether there are tables that follow from entries, as a gateway's do; they do, then."""
    published: tuple[int, int] | None
    """Entries and files of the published log, where there is one."""
    mirror: MirrorStanding | None
    record: RecordPlace
    """Where the high-water record lies."""
    erasing_waits: bool
    """Whether bytes of what a seal deleted may still stand in the files until the next start."""


def check_everything(place: Place, *, checkpoints: Sequence[Path], mirror: Path | None) -> Sound:
    """Returns what holds. Raises EvidenceError at the first thing that does not, `StateBroken`."""
    state, key = place.state, place.signer.public
    # A pipe in the place of a file would keep whoever opens it waiting for ever.
    recorded = records(state) or (state.high_water,)
    for path in (state.database, *recorded, *checkpoints):
        if not path.is_file():
            raise EvidenceError(EvidenceReason.STORE, f"{path.name} is missing, or no file")
    for path in recorded:
        StopMark(path).check()
    # Read before the log is: a log that serves goes on meanwhile, and its mirror may follow it.
    claimed = _claimed(mirror, key) if mirror is not None else None
    reader = place.reader()
    try:
        verified = verify_log(reader, key=key, outside=[_given(each) for each in known(place, checkpoints)])
        tables = state.kind == "gateway"
        while_it_serves(lambda: reader.read(place.check_tables))
        published = _published(place)
        standing = None
        if mirror is not None and claimed is not None:
            standing = _standing(place, reader, verified, mirror=mirror, claimed=claimed)
    except reader.database_errors as exc:
        raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be read") from exc
    finally:
        reader.close()
    return Sound(
        verified, tables, published, standing, place_of_record(state), tables and erasing_waits(state.youth_keys)
    )


def _claimed(mirror: Path, key: LogKey) -> Checkpoint:
    with named(mirror):
        return published_head(DirectorySource(mirror), key=key)


def _published(place: Place) -> tuple[int, int] | None:
    if place.published is None or not (place.published / "checkpoint").is_file():
        return None
    with named(place.published, Copy.PUBLISHED):
        found = verify_published(DirectorySource(place.published), key=place.signer.public)
    return found.checkpoint.size, found.files


def _standing(place: Place, reader: Reader, verified: Verified, *, mirror: Path, claimed: Checkpoint) -> MirrorStanding:
    if claimed.size > verified.size:
        text = f"the log signed for {claimed.size} entries, which the mirror holds, and {verified.size} are stored"
        raise EvidenceError(EvidenceReason.ROLLBACK, text, index=verified.size)
    of_this_log = (claimed, *verified.checkpoints)
    with named(mirror):
        mirrored = check_mirror(mirror, place.signer.public, place.mirror_key(), known=of_this_log)
    head = mirrored.checkpoint
    size = min(head.size, verified.size)
    root, since_ms = reader.read(lambda tx: (root_at(tx, head.size), _lacks_since(tx, size, verified.size)))
    if root != head.root:
        text = f"the mirror holds another history of the log's first {head.size} entries"
        raise EvidenceError(EvidenceReason.CONSISTENCY, text)
    return MirrorStanding(mirror, head.size, mirrored.tables, verified.size - size, since_ms)


def _lacks_since(tx: Tx, size: int, end: int) -> int:
    lacked = select_entries(tx, Selection(start=size, end=end), limit=1)
    return lacked[0].time_ms if lacked else 0


def _given(checkpoint: Checkpoint) -> Callable[[LogKey], Checkpoint]:
    return lambda _: checkpoint
