"""A mirror of a log elsewhere: its published form, every stored entry, and the tables that change with them, sealed.

Decides what a mirror holds and in which order it is written, so that a mirror cut short is the one before:

1. `sealed/bodies/<n>`, 256 entries each with all that is stored beside their leaves;
2. `sealed/tables/<size>/<set>/<n>`, the projections as they were when the log had that size (`mirror_tables`);
3. tiles, bundles and `checkpoint`, as for any published log: a mirror can be verified and served like one.

A set of tables is replaced only by one that holds together with the entries of the same snapshot, as whoever keeps the
tables says (`check_tables`): whoever edits a table between two rounds must not have the mirror forget what it was.
That is asked where the tables or the log's size changed, every time: a set that was not compared must not replace one
that was, and a round that takes longer is followed by a longer rest. A set that would say the same is left as it is.

What is sealed is AES-256-GCM under the mirror's own key, with its name and the log's origin bound in: whoever keeps the
directory reads sizes and times of entries, no more. The key is backed up apart. Fields stay in their own boxes inside;
the keys of youths are never mirrored, or destroying one would destroy nothing.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import MetaData

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, LogSigner
from audit.entry import StoredEntry, check_entry
from audit.errors import Copy, CopyBroken, EvidenceError, EvidenceReason
from audit.files import PublishedFiles
from audit.mirror_tables import (
    dumped_pages,
    holds,
    newest_whole,
    page_name,
    read_contents,
    restore_tables,
    tables_name,
)
from audit.publish import Publisher
from audit.published import published_head, verify_published
from audit.reader import Reader, Selection, select_entries, tree_state
from audit.source import DirectorySource
from audit.transaction import Tx

KEY_BYTES: Final = 32
BUNDLE: Final = 256
_SEALED: Final = "sealed"
_LABEL: Final = b"homeward/audit/v1/mirror\0"
_NONCE_BYTES: Final = 12
_MAX_BYTES: Final = 1 << 28
_FIXED: Final = struct.Struct(">QQQQ")
_LENGTH: Final = struct.Struct(">I")
_PARTS: Final = 10


@dataclass(frozen=True, slots=True)
class Mirrored:
    """Up to where a mirror can heal, and by which set of tables."""

    checkpoint: Checkpoint
    tables: int
    """Number of the newest whole set of its size, from 0."""


@dataclass(frozen=True, slots=True)
class MirrorKey:
    """Seals and opens what a mirror holds of one log."""

    raw: bytes
    origin: str

    def seal(self, path: str, data: bytes, random_bytes: Callable[[int], bytes]) -> bytes:
        """Returns the sealed form of what is to stand under this name."""
        nonce = random_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.raw).encrypt(nonce, data, self._bound(path))

    def open(self, path: str, sealed: bytes) -> bytes:
        """Returns what stands under this name. Raises EvidenceError(OPENING)."""
        try:
            return AESGCM(self.raw).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], self._bound(path))
        except (InvalidTag, ValueError):
            text = f"{path} of the mirror does not open with this key"
            raise EvidenceError(EvidenceReason.OPENING, text) from None

    def _bound(self, path: str) -> bytes:
        return _LABEL + self.origin.encode() + b"\0" + path.encode()


def write_mirror(
    reader: Reader,
    directory: Path,
    *,
    signer: LogSigner,
    key: MirrorKey,
    also: Sequence[MetaData],
    check_tables: Callable[[Tx], None],
    random_bytes: Callable[[int], bytes],
) -> Checkpoint:
    """The mirror holds the log as it is now, with the tables of `also`; returns its checkpoint.

    `check_tables` raises EvidenceError where those are not what the entries of this snapshot say. Raises EvidenceError
    where rows do not hold together or the mirror is of another history; what it healed before it heals then; OSError.
    """
    publisher, sealed = Publisher(reader, directory, signer=signer), PublishedFiles(directory / _SEALED)
    try:
        publisher.open()
        sealed.open()
        claimed = publisher.published
        with reader.snapshot() as tx:
            size = tree_state(tx).size
            newest = max(_sets(sealed.root, size), default=-1)
            is_same = newest >= 0 and holds(size, newest, dumped_pages(tx, also), _opening(directory, key))
            kept = newest if is_same else newest + 1
            if not is_same:
                check_tables(tx)
            _write_bodies(tx, sealed, key, (claimed.checkpoint.size if claimed else 0, size), random_bytes)
            if not is_same:
                _write_tables(tx, sealed, key, (size, kept), also=also, random_bytes=random_bytes)
        sealed.settle()
        prepared = publisher.prepare(limit=size)
        if prepared is not None:
            publisher.publish(prepared, prepared.note)
        _remove_others(sealed.root / "tables", str(size))
        _remove_others(sealed.root / tables_name(size), str(kept))
        if publisher.published is None:
            raise EvidenceError(EvidenceReason.SIZE, "there is nothing to mirror: the log has no entry")
        return publisher.published.checkpoint
    finally:
        publisher.close()
        sealed.close()


@contextmanager
def named(directory: Path, copy: Copy = Copy.MIRROR) -> Iterator[None]:
    """Inside, what does not hold is said to be in this directory, and not in the log that it is compared with."""
    try:
        yield
    except EvidenceError as fault:
        raise CopyBroken(fault, copy, directory) from fault


def check_mirror(directory: Path, log_key: LogKey, key: MirrorKey, *, known: Sequence[Checkpoint]) -> Mirrored:
    """Returns up to where the mirror can heal, and by which tables. Raises EvidenceError if anything does not hold.

    Every checkpoint of `known` that it reaches is part of it. That it ends before others is no fault of what it holds:
    whether it lags or was put back, only who has the log can tell.
    """
    source = DirectorySource(directory)
    reached = published_head(source, key=log_key).size
    outside = [each for each in known if each.size <= reached]
    head = verify_published(source, key=log_key, outside=outside).checkpoint
    stack: list[bytes] = []
    for entry in mirrored_entries(directory, key, head.size):
        check_entry(entry)
        merkle.extend(entry.index, stack, merkle.leaf_hash(entry.leaf))
    if merkle.fold(stack) != head.root:
        raise EvidenceError(EvidenceReason.ROOT, "the mirror's sealed entries do not lead to its checkpoint")
    return Mirrored(head, newest_whole(head.size, _sets(directory / _SEALED, head.size), _opening(directory, key)))


def mirrored_entries(directory: Path, key: MirrorKey, size: int) -> Iterator[StoredEntry]:
    """Gives the first `size` entries that a mirror holds. Authentic under the key, otherwise unverified."""
    for start in range(0, size, BUNDLE):
        name = _bodies_name(start)
        data = key.open(name, _read(directory, name))
        entries = list(_parse(data, start))
        if len(entries) < min(BUNDLE, size - start):
            raise EvidenceError(EvidenceReason.GAP, "the mirror lacks an entry", index=start + len(entries))
        yield from entries[: size - start]


def restore_mirrored_tables(tx: Tx, directory: Path, key: MirrorKey, size: int, *, also: Sequence[MetaData]) -> None:
    """The tables of `also` hold what they held when the log had this size."""
    read = _opening(directory, key)
    number = newest_whole(size, _sets(directory / _SEALED, size), read)
    restore_tables(tx, read_contents(size, number, read), also=also)


def _write_bodies(
    tx: Tx, sealed: PublishedFiles, key: MirrorKey, span: tuple[int, int], random_bytes: Callable[[int], bytes]
) -> None:
    mirrored, size = span
    for start in range(mirrored - mirrored % BUNDLE, size, BUNDLE):
        entries = select_entries(tx, Selection(start=start, end=min(size, start + BUNDLE)), limit=BUNDLE)
        name = _bodies_name(start)
        sealed.write(name, key.seal(name, b"".join(map(_encoded, entries)), random_bytes))


def _write_tables(
    tx: Tx,
    sealed: PublishedFiles,
    key: MirrorKey,
    numbered: tuple[int, int],
    *,
    also: Sequence[MetaData],
    random_bytes: Callable[[int], bytes],
) -> None:
    for page, content in enumerate(dumped_pages(tx, also)):
        name = page_name(*numbered, page)
        sealed.write(name, key.seal(name, content, random_bytes))


def _sets(sealed: Path, size: int) -> list[int]:
    """Numbers of the sets that were begun for a log of this size."""
    directory = sealed / tables_name(size)
    return [int(each.name) for each in directory.iterdir() if each.name.isdecimal()] if directory.is_dir() else []


def _remove_others(directory: Path, name: str) -> None:
    for other in directory.iterdir():
        if other.name != name:
            shutil.rmtree(other)


def _bodies_name(start: int) -> str:
    return f"bodies/{start // BUNDLE // 1000:06}/{start // BUNDLE % 1000:03}"


def _opening(directory: Path, key: MirrorKey) -> Callable[[str], bytes]:
    return lambda name: key.open(name, _read(directory, name))


def _read(directory: Path, name: str) -> bytes:
    path = directory / _SEALED / name
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise EvidenceError(EvidenceReason.STORE, f"{name} of the mirror is missing or no file that it can be")
        return path.read_bytes()
    except OSError as exc:
        raise EvidenceError(EvidenceReason.STORE, f"{name} of the mirror cannot be read") from exc


def _encoded(entry: StoredEntry) -> bytes:
    names = (entry.kind.encode(), entry.requester.encode(), entry.holder.encode())
    parts = (entry.nonce, entry.digests, *entry.boxes, entry.tag, *names)
    fixed = _FIXED.pack(entry.index, entry.time_ms, entry.requester_seq, entry.holder_seq)
    return fixed + b"".join(_LENGTH.pack(len(part)) + part for part in parts)


def _parse(data: bytes, start: int) -> Iterator[StoredEntry]:
    at, index = 0, start
    try:
        while at < len(data):
            stored, time_ms, requester_seq, holder_seq = _FIXED.unpack_from(data, at)
            at += _FIXED.size
            parts = []
            for _ in range(_PARTS):
                (length,) = _LENGTH.unpack_from(data, at)
                at += _LENGTH.size
                parts.append(data[at : at + length])
                at += length
            if stored != index or at > len(data):
                raise EvidenceError(EvidenceReason.GAP, "the mirror's entries are out of order", index=index)
            nonce, digests, op, req, hold, youth, tag, kind, requester, holder = parts
            yield StoredEntry(
                index, time_ms, nonce, digests, (op, req, hold, youth), tag, kind.decode(), requester.decode(),
                holder.decode(), requester_seq, holder_seq,
            )  # fmt: skip
            index += 1
    except (struct.error, UnicodeDecodeError) as exc:
        raise EvidenceError(EvidenceReason.FORMAT, "the mirror's entries cannot be read", index=index) from exc
