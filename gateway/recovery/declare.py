"""Declaring entries of a gateway's log lost, or tables beside them, and going on under another origin.

    declare (gateway's operator)  ->  sign_loss (a custodian's operator)  ->  open_declared (gateway's operator)

Decides what is declared (everything above what is left, up to the newest checkpoint that can be found), what must be
signed before the log goes on, and what the lost entries said that is taken from elsewhere: members, their keys and
revocations stand in the newest directory that a custodian signed. An adapter whose certificate was renewed in a lost
entry is locked at its next renewal, and joins again; authorities recorded before the loss have to be recorded again
(`store.authorities`). Where the tables of what is left are not what its entries say, they are made so, and what entries
cannot say is presented again (`store.mended`). A step that was cut short is repeated by the same command.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select

from audit.checkpoint import Checkpoint, LogKey, LogSigner, parse_checkpoint
from audit.errors import EvidenceError, EvidenceReason
from audit.highwater import newest_note
from audit.log import INDEX, Append, Log
from audit.mirror import named
from audit.published import verify_published
from audit.reader import Reader
from audit.source import DirectorySource
from audit.statement import Statement, upsert
from audit.store_sqlite import SqliteStore
from audit.successor import entries_left, open_successor
from audit.tiles import CHECKPOINT
from audit.transaction import Tx
from audit.verify import verify_log
from gateway.cards import PUBLIC_FILE
from gateway.config import GATEWAY_FILE, load_gateway
from gateway.exchange.journal import Kind, draft
from gateway.members import roster
from gateway.members.composition import other_holders
from gateway.members.deny import read_denied
from gateway.members.revoke import revocation
from gateway.members.whole import check_tables, with_keys
from gateway.protocol.directory import DirectoryInvalid, Pins, open_directory
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey
from gateway.protocol.succession import is_newest, is_signed, open_succession, sign_succession
from gateway.publishing.cosigned_sizes import COSIGNED_SIZES
from gateway.recovery.record import records
from gateway.recovery.repair import Clock, Place, known
from gateway.state import PRIVATE_DIRECTORY, PRIVATE_FILE, State, StateBroken, write_new
from gateway.store import tables
from gateway.store.derived import derive
from gateway.store.mended import Mending, plan_mending
from homeward.gateway.v1.directory_pb2 import Directory, LogSuccession, LossDeclaration, SignedDirectory
from homeward.replacing import settle_path

KEY_BYTES: Final = 32
_NEXT_KEY: Final = "log-next.key"
_LOG_KEY: Final = "log.key"
_ORIGIN_LINE: Final = re.compile(r"^log_origin:.*$", re.MULTILINE)
_PUT_DIRECTORY: Final = upsert(tables.directory, "version")
_VERSION: Final = Statement(select(func.coalesce(func.max(tables.directory.c.version), 0)))


@dataclass(frozen=True, slots=True)
class WentOn:
    """What became of a declared loss."""

    kept: int
    closed_size: int
    origin: str
    denied: tuple[str, ...]
    """Members that the newest directory says were revoked."""
    restored: tuple[str, ...]
    """Members that the lost entries had enrolled."""
    mended: Mending | None
    """What was done about tables that were not what the entries say."""


def declare(
    place: Place, *, checkpoints: Sequence[Path], mirror: Path | None, now: datetime
) -> tuple[LossDeclaration, LogSuccession]:
    """What is lost, signed by the gateway alone; to be handed to a custodian's operator.

    Raises EvidenceError where nothing is lost, or entries that are left do not verify or are another history than a
    mirror's or than any checkpoint says, `StateBroken`.
    """
    state, key = place.state, place.signer.public
    mirrored = _mirrored(place, mirror)
    head, note = max([_newest(place, checkpoints), *mirrored.values()], key=_covers)
    reader = Reader(SqliteStore(state.database))
    try:
        heads = [*known(place, checkpoints), *(each for each, _ in mirrored.values())]
        kept = reader.read(lambda tx: entries_left(tx, key, head, known=heads))
        left = verify_log(reader, key=key)
        for directory, (reached, _) in mirrored.items():
            if reached.size > kept:
                _check_begins(directory, key, Checkpoint(key.origin, kept, left.root))
        if _holds_together(state, reader) and kept == head.size:
            raise EvidenceError(EvidenceReason.SIZE, "nothing is lost: the database has all that was signed")
    finally:
        reader.close()
    message = LogSuccession(
        trust_domain=load_gateway(state.directory).trust_domain,
        closed_origin=key.origin,
        closed_key=key.raw,
        closed_checkpoint=note,
        kept_count=kept,
        closed_size=head.size,
        log_origin=_next_origin(key.origin, number=len(state.successions()) + 2),
        log_key=_next_signer(state, key.origin).public.raw,
    )
    message.create_time.FromDatetime(now)
    declaration = LossDeclaration()
    declaration.signed.succession = message.SerializeToString(deterministic=True)
    declaration.signed.signatures.append(sign_succession(declaration.signed.succession, _directory_key(state)))
    return declaration, message


async def open_declared(place: Place, declaration: LossDeclaration, *, now: Clock) -> WentOn:
    """The log goes on as declared, under the signatures of two operators.

    Raises EvidenceError, `SuccessionInvalid`, `StateBroken`.
    """
    state, gateway_key = place.state, _directory_key(place.state).public_bytes
    holders = _holder_keys(state)
    message = open_succession(declaration.signed, gateway_key=gateway_key, holder_keys=holders)
    signer = _declared_signer(state, message)
    newest = _newest_directory(declaration, gateway_key, holders)
    number = _keep_declaration(state, declaration, message)
    _set_aside(place, LogKey(message.closed_origin, message.closed_key), number)
    store = SqliteStore(state.database)
    await open_successor(
        store,
        signer=signer,
        keys=state.read_class_keys(),
        high_water=state.high_water,
        closed_key=LogKey(message.closed_origin, message.closed_key),
        closed_note=message.closed_checkpoint,
        kept=message.kept_count,
        now=now,
        random_bytes=os.urandom,
    )
    denied, restored, mended = await _take_over(place, store, signer, newest, now=now)
    _settle(state, message, signer)
    return WentOn(message.kept_count, message.closed_size, message.log_origin, denied, restored, mended)


async def _take_over(
    place: Place, store: SqliteStore, signer: LogSigner, newest: SignedDirectory, *, now: Clock
) -> tuple[tuple[str, ...], tuple[str, ...], Mending | None]:
    """What the newest directory knows of members; names who was denied and who is new. Then tables hold together."""
    state, directory = place.state, Directory.FromString(newest.directory)
    log = Log.open(
        store,
        signer=signer,
        keys=state.read_class_keys(),
        high_water=state.high_water,
        now=now,
        random_bytes=os.urandom,
        explained=True,
    )
    reader = Reader(store)
    restored: list[AgencyId] = []

    def restore(tx: Tx, index: int) -> None:
        restored[:] = roster.restore(tx, index, directory)

    try:
        known = reader.read(read_denied)
        suspended = [member.agency for member in directory.members if member.suspended and member.agency not in known]
        if reader.read(lambda tx: tx.all(_VERSION)[0][0] < directory.version or roster.lacks(tx, directory)):
            digest = hashlib.sha256(newest.directory).digest()
            # Not complete: what is published next is composed anew, and numbered above it.
            row = (directory.version, newest.SerializeToString(), 0, INDEX)
            entry = draft(
                Kind.DIRECTORY_SIGNED,
                op={"version": directory.version, "directory": digest, "signers": len(newest.signatures)},
            )
            await log.append(Append(entry, rows=((_PUT_DIRECTORY, row),), apply=restore))
        for agency in suspended:
            await log.append(revocation(AgencyId(agency), agency))
        mending = reader.read(lambda tx: _mending(tx, state))
        if mending is not None:
            await log.append(mending.append())
    finally:
        reader.close()
        await log.close()
    return tuple(suspended), tuple(restored), mending


def _holds_together(state: State, reader: Reader) -> bool:
    """Whether the tables are what the entries say. Raises EvidenceError where no loss mends that they are not."""
    try:
        reader.read(lambda tx: check_tables(tx, state))
    except EvidenceError as fault:
        if fault.reason is not EvidenceReason.PROJECTION:
            raise
        reader.read(lambda tx: with_keys(tx, state, lambda opened, _: derive(tx, opened)))
        return False
    return True


def _mending(tx: Tx, state: State) -> Mending | None:
    return with_keys(tx, state, lambda opened, keys: plan_mending(tx, opened, keys.seal_moment))


def _newest(place: Place, checkpoints: Sequence[Path]) -> tuple[Checkpoint, str]:
    key, paths = place.signer.public, [*records(place.state), *checkpoints]
    if place.published is not None and (place.published / "checkpoint").is_file():
        paths.append(place.published / "checkpoint")
    reader = place.reader()
    try:
        # After a crash the record may be behind the database.
        own = reader.tree().note
    finally:
        reader.close()
    found = [(parse_checkpoint(own, key), own), *(newest_note(path, key) for path in paths)]
    return max(found, key=_covers)


def _covers(found: tuple[Checkpoint, str]) -> tuple[int, int]:
    # Of two notes of one size the one with more cosignatures is the longer.
    return found[0].size, len(found[1])


def _mirrored(place: Place, mirror: Path | None) -> dict[Path, tuple[Checkpoint, str]]:
    """What mirrors say they hold: this one, and the one that the settings name."""
    places = [] if mirror is None else [mirror]
    if place.mirror is not None:
        places.append(place.state.directory / place.mirror.directory)
    found = {}
    for each in places:
        # One that cannot be read may be what is lost, and one of a log that was closed says nothing of this one.
        with contextlib.suppress(EvidenceError):
            found[each] = newest_note(each / CHECKPOINT, place.signer.public)
    return found


def _check_begins(directory: Path, key: LogKey, left: Checkpoint) -> None:
    """What is left is how the mirror begins, as far as the mirror can be read. Raises EvidenceError (CONSISTENCY)."""
    try:
        with named(directory):
            verify_published(DirectorySource(directory), key=key, outside=[left])
    except EvidenceError as fault:
        if fault.reason is EvidenceReason.CONSISTENCY:
            raise


def _next_signer(state: State, origin: str) -> LogSigner:
    if not state.secret(_NEXT_KEY).exists():
        state.write_secret(_NEXT_KEY, os.urandom(KEY_BYTES))
    return _signer(state, _NEXT_KEY, origin)


def _signer(state: State, name: str, origin: str) -> LogSigner:
    return LogSigner(origin, Ed25519PrivateKey.from_private_bytes(state.read_secret(name, length=KEY_BYTES)))


def _declared_signer(state: State, message: LogSuccession) -> LogSigner:
    name = _NEXT_KEY if state.secret(_NEXT_KEY).exists() else _LOG_KEY
    signer = _signer(state, name, message.log_origin)
    if signer.public.raw != message.log_key:
        raise EvidenceError(EvidenceReason.ORIGIN, "the declaration is of another log, or was carried out before")
    if name == _LOG_KEY and state.log_key.exists():
        # The last step of carrying it out was done: what lies beside the database now is the new log's.
        raise EvidenceError(EvidenceReason.ORIGIN, "the declaration was carried out before")
    return signer


def _directory_key(state: State) -> SigningKey:
    return SigningKey.from_private_bytes(state.read_secret("directory.key", length=32))


def _holder_keys(state: State) -> tuple[bytes, ...]:
    reader = Reader(SqliteStore(state.database))
    try:
        return tuple(holder.directory_key for holder in reader.read(other_holders))
    finally:
        reader.close()


def _newest_directory(declaration: LossDeclaration, gateway_key: bytes, holders: Sequence[bytes]) -> SignedDirectory:
    """The newest one that the gateway and a holder signed, as that holder says of this loss; it alone can say so.

    Raises EvidenceError where a holder that signed the loss does not.
    """
    found: dict[int, SignedDirectory] = {}
    for holder in (each for each in holders if each != gateway_key and is_signed(declaration.signed, each)):
        said = [each for each in declaration.directories if is_newest(declaration, each.directory, holder)]
        try:
            opened = {open_directory(each, Pins(gateway_key, (holder,))).version: each for each in said}
        except DirectoryInvalid:
            opened = {}
        if not opened:
            text = "the declaration does not hold the newest directory of a holder that signed it"
            raise EvidenceError(EvidenceReason.FORMAT, text)
        found |= opened
    return found[max(found)]


def _keep_declaration(state: State, declaration: LossDeclaration, message: LogSuccession) -> int:
    """The declaration is on disk; its number, from 1."""
    for number, path in enumerate(state.successions(), start=1):
        if path.read_bytes() == declaration.signed.SerializeToString():
            return number
    if message.log_origin != _next_origin(message.closed_origin, number=len(state.successions()) + 2):
        raise EvidenceError(EvidenceReason.ORIGIN, "the declaration is of another log")
    number = len(state.successions()) + 1
    write_new(state.succession(number), declaration.signed.SerializeToString(), mode=PUBLIC_FILE)
    settle_path(state.directory)
    return number


def _set_aside(place: Place, closed: LogKey, number: int) -> None:
    """What lies beside the database and is of the closed log keeps its content under another name."""
    state = place.state
    name = f"closed-{number}"
    aside, recorded = state.directory / name, state.high_water.parent / name
    beside = [(state.log_key, aside), (state.attestations, aside), (state.directory / COSIGNED_SIZES, aside)]
    if place.published is not None:
        beside.append((place.published, aside))
    # The record stays on its own storage: nothing can be renamed from one to another.
    for path, aside in (*beside, (state.high_water, recorded)):
        aside.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        # What is there already was set aside before a crash; what lies in its place since is the new log's.
        if path.exists() and not (aside / path.name).exists():
            path.rename(aside / path.name)
    for directory in (state.directory / name, recorded, state.directory, recorded.parent):
        settle_path(directory)
    newest_note(recorded / state.high_water.name, closed)


def _settle(state: State, message: LogSuccession, signer: LogSigner) -> None:
    """Settings and key are the new log's; the closed log's key is gone."""
    settings = state.directory / GATEWAY_FILE
    text, count = _ORIGIN_LINE.subn(f'log_origin: "{message.log_origin}"', settings.read_text(encoding="utf-8"))
    if count != 1:
        raise StateBroken(f"{settings}: one line that begins with log_origin is expected")
    written = settings.with_suffix(".new")
    written.unlink(missing_ok=True)
    write_new(written, text.encode(), mode=PRIVATE_FILE)
    written.replace(settings)
    if state.secret(_NEXT_KEY).exists():
        state.secret(_NEXT_KEY).replace(state.secret(_LOG_KEY))
    if not state.log_key.exists():
        write_new(state.log_key, f"{signer.public.vkey()}\n".encode(), mode=PUBLIC_FILE)
    settle_path(state.directory)


def _next_origin(closed: str, *, number: int) -> str:
    return f"{re.sub('-[0-9]+$', '', closed) if number > 2 else closed}-{number}"
