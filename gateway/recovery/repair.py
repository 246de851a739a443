"""What an operator does to a log that does not serve: keep a mirror, heal, explain a stop.

Decides which checkpoints must be part of a healed log (the high-water record, what was published, what the operator
brings from a witness), and that a stop is explained only for a log that verifies whole. Whoever calls must hold the log
(`State.writing`), except for `keep_mirror`, which only reads it. What is checked of one is in `checking`.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import MetaData

from audit.checkpoint import Checkpoint, LogSigner
from audit.errors import EvidenceError, EvidenceReason, StopReason
from audit.heal import Healed, heal
from audit.highwater import read_high_water
from audit.log import Append, Log
from audit.mirror import KEY_BYTES, MirrorKey, named, write_mirror
from audit.own_entries import recovered, stop_explained
from audit.published import published_head
from audit.reader import Reader
from audit.source import DirectorySource
from audit.startup import create_empty
from audit.stopping import StopMark
from audit.store_sqlite import SqliteStore
from audit.transaction import Tx
from audit.verify import verify_log
from gateway.config import Mirror, load_custodian, load_gateway
from gateway.members.assembly import read_log_signer
from gateway.members.whole import check_tables, while_it_serves
from gateway.recovery.due import keep_due
from gateway.recovery.record import records
from gateway.recovery.target import check_target
from gateway.state import State, StateBroken
from gateway.store import tables
from gateway.tokens.tables import custodian_metadata, holder_metadata

Clock = Callable[[], datetime]
_MIRROR_KEY = "mirror.key"


@dataclass(frozen=True, slots=True)
class Place:
    """One directory with a log: a gateway's or a custodian's."""

    state: State
    origin: str
    published: Path | None
    tables: tuple[MetaData, ...]
    mirror: Mirror | None
    """What the settings say of the mirror that is kept by itself."""

    @property
    def signer(self) -> LogSigner:
        """The key that signs the log."""
        return read_log_signer(self.state, self.origin)

    def reader(self) -> Reader:
        """Reads the log, whoever writes it."""
        return Reader(SqliteStore(self.state.database))

    def check_tables(self, tx: Tx) -> None:
        """The tables are what the entries of this snapshot say. Of a custodian's no entry says what they must be."""
        if self.state.kind == "gateway":
            check_tables(tx, self.state)

    def mirror_key(self) -> MirrorKey:
        """The key that seals this log's mirrors; made when it is first needed."""
        if not self.state.secret(_MIRROR_KEY).exists():
            self.state.write_secret(_MIRROR_KEY, os.urandom(KEY_BYTES))
        return MirrorKey(self.state.read_secret(_MIRROR_KEY, length=KEY_BYTES), self.origin)


def place_of(directory: Path) -> Place:
    """The log in this directory, by the settings that lie there. Raises `DocumentErrors`, OSError."""
    if (directory / "custodian.yaml").is_file():
        custodian = load_custodian(directory)
        also = (holder_metadata, custodian_metadata)
        return Place(
            State(directory, "custodian", custodian.high_water), custodian.log_origin, None, also, custodian.mirror
        )
    gateway = load_gateway(directory)
    published = directory / gateway.publish.directory
    also = (tables.metadata, holder_metadata)
    return Place(State(directory, "gateway", gateway.high_water), gateway.log_origin, published, also, gateway.mirror)


def keep_mirror(place: Place, directory: Path) -> Checkpoint:
    """The mirror holds the log as it is now. Raises EvidenceError, and then heals what it healed before; OSError."""
    reader = place.reader()

    def write() -> Checkpoint:
        return write_mirror(
            reader,
            directory,
            signer=place.signer,
            key=place.mirror_key(),
            also=place.tables,
            check_tables=place.check_tables,
            random_bytes=os.urandom,
        )

    try:
        return while_it_serves(write)
    except reader.database_errors as exc:
        raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be read") from exc
    finally:
        reader.close()


def keep_configured(place: Place) -> Checkpoint:
    """The mirror that the settings name holds the log as it is now. Raises `TargetRefused`, and as `keep_mirror`."""
    if place.mirror is None:
        raise StateBroken(f"{place.state.directory}: its settings name no mirror")
    return keep_mirror(place, check_target(place.state, place.mirror))


def known(place: Place, checkpoints: Sequence[Path]) -> list[Checkpoint]:
    """Every checkpoint of the log that can be found. Raises EvidenceError for one that was given and does not hold."""
    key = place.signer.public
    found = [read_high_water(path, key) for path in (*records(place.state), *checkpoints)]
    if place.published is not None and (place.published / "checkpoint").is_file():
        found.append(read_high_water(place.published / "checkpoint", key))
    return found


def heal_from(place: Place, mirror: Path, *, checkpoints: Sequence[Path]) -> Healed:
    """The database is what the mirror says, which has all that is known to have been signed; one that is gone is made.

    Raises EvidenceError, and then nothing has changed.
    """
    return _heal(place, mirror, known(place, checkpoints), check_tables=place.check_tables)


def heal_as_far_as(place: Place, mirror: Path, *, checkpoints: Sequence[Path]) -> None:
    """The database is what the mirror says, if that has more entries; what lies above is to be declared lost.

    Raises EvidenceError, and then nothing has changed. Tables that do not hold together are mended with the loss.
    """
    with named(mirror):
        reached = published_head(DirectorySource(mirror), key=place.signer.public).size
    if not place.state.database.exists() or _size(place) < reached:
        begins_with = [each for each in known(place, checkpoints) if each.size <= reached]
        _heal(place, mirror, begins_with, check_tables=lambda _: None)


def _heal(place: Place, mirror: Path, known_of: Sequence[Checkpoint], *, check_tables: Callable[[Tx], None]) -> Healed:
    store, key = SqliteStore(place.state.database), place.mirror_key()
    was_there = place.state.database.exists()
    if not was_there:
        create_empty(store, signer=place.signer, also=place.tables)
    try:
        return heal(
            store,
            mirror,
            signer=place.signer,
            key=key,
            known=known_of,
            also=place.tables,
            check_tables=check_tables,
        )
    except EvidenceError:
        if not was_there:
            for ending in ("", "-wal", "-shm"):
                place.state.database.with_name(place.state.database.name + ending).unlink(missing_ok=True)
        raise


async def go_on(place: Place, *, healed: Healed | None, explanation: str, unheard: bool, now: Clock) -> int:
    """The log may be opened again, and says in an entry of its own why; returns its size.

    A gateway says it at its next start (`due`): until then nobody was asked what its log has signed. `unheard`: that
    start goes on although nobody can be heard, and says so.

    Raises EvidenceError for a log that does not verify whole, or that stopped without an `explanation`.
    """
    state, mark = place.state, StopMark(place.state.high_water)
    reason = mark.read()
    if reason is not None and not explanation:
        mark.check()
    log = Log.open(
        SqliteStore(state.database),
        signer=place.signer,
        keys=state.read_class_keys(),
        high_water=state.high_water,
        now=now,
        random_bytes=os.urandom,
        known=known(place, ()),
        explained=True,
    )
    try:
        _check_whole(place)
        reasons = [*([reason] if reason is not None else []), *([StopReason.UNHEARD] if unheard else [])]
        digest = hashlib.sha256(explanation.encode()).digest()
        if reasons:
            _write_explanation(state.explanations, explanation, now())
        if state.kind == "gateway":
            keep_due(state, reasons=reasons, digest=digest, healed=healed)
        else:
            await _say(log, reasons, digest, healed)
        size = _size(place)
    finally:
        await log.close()
    mark.clear()
    return size


async def _say(log: Log, reasons: Sequence[StopReason], digest: bytes, healed: Healed | None) -> None:
    if healed is not None:
        await log.append(Append(recovered(healed.size, healed.healed_size)))
    for reason in reasons:
        await log.append(Append(stop_explained(reason, digest)))


def _check_whole(place: Place) -> None:
    reader = place.reader()
    try:
        verify_log(reader, key=place.signer.public)
        reader.read(place.check_tables)
    finally:
        reader.close()


def _size(place: Place) -> int:
    reader = place.reader()
    try:
        return reader.tree().size
    finally:
        reader.close()


def _write_explanation(path: Path, text: str, now: datetime) -> None:
    """The words are in the file before the log has their digest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{now.astimezone(UTC).isoformat(timespec='seconds')} {digest} {text}\n")
        file.flush()
        os.fsync(descriptor)
