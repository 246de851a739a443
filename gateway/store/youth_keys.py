"""Audit keys of youths, in a file of their own (AUDIT §2.2).

Destroying one key is what seals a youth's entries, so the keys never share a database or a
backup with the log. Each key rests encrypted under a key outside this file, bound to its row.
A counter is reserved before it is used, in blocks: gaps are allowed, repetition never.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.entry import KEY_BYTES, YouthKey, youth_tag
from gateway.protocol.names import AgencyId, SubjectHandle

_BLOCK: Final = 64
_NONCE_BYTES: Final = 12
_YOUTHS_A_TURN: Final = 100
_SCHEMA: Final = "CREATE TABLE youth_key (name BLOB PRIMARY KEY, wrapped BLOB NOT NULL, reserved INTEGER NOT NULL)"


class YouthKeysBroken(Exception):
    """The file is missing, or a key in it does not open. Names no youth."""


@dataclass(slots=True)
class _Block:
    key: bytes
    following: int
    end: int


class FileYouthKeys:
    """`ports.YouthKeys` on one SQLite file. One process uses it; not thread-safe."""

    def __init__(self, path: Path, *, wrapping_key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        if not path.is_file():
            raise YouthKeysBroken
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = FULL")
        # A destroyed key must not survive in a free page.
        self._connection.execute("PRAGMA secure_delete = ON")
        self._wrapping = AESGCM(wrapping_key)
        self._random_bytes = random_bytes
        self._blocks: dict[bytes, _Block] = {}

    @staticmethod
    def create(path: Path) -> None:
        """An empty file exists, for its owner only. Raises FileExistsError."""
        path.touch(mode=0o600, exist_ok=False)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_SCHEMA)
        connection.commit()
        connection.close()

    async def next(self, owner: AgencyId, handle: SubjectHandle) -> YouthKey:
        """The youth's key with a counter that no entry has used or will use again."""
        name = _name(owner, handle)
        block = self._blocks.get(name)
        if block is None or block.following >= block.end:
            block = self._blocks[name] = self._reserve(name)
        block.following += 1
        return YouthKey(block.key, block.following - 1)

    async def find(self, owner: AgencyId, handle: SubjectHandle) -> bytes | None:
        """The youth's key, or None when there is none or it was destroyed."""
        name = _name(owner, handle)
        row = self._connection.execute("SELECT wrapped FROM youth_key WHERE name = ?", (name,)).fetchone()
        return self._unwrap(name, row[0]) if row else None

    async def marks(self, owner: AgencyId, handles: Sequence[SubjectHandle]) -> Mapping[bytes, bytes]:
        """Every mark that an entry about one of these youths may carry, with the key that opens it."""
        found: dict[bytes, bytes] = {}
        for position, handle in enumerate(handles):
            if position % _YOUTHS_A_TURN == 0:
                # A large county has tens of thousands of youths; other calls must not wait for all of them.
                await asyncio.sleep(0)
            name = _name(owner, handle)
            row = self._connection.execute("SELECT wrapped, reserved FROM youth_key WHERE name = ?", (name,)).fetchone()
            if row is not None:
                key = self._unwrap(name, row[0])
                found |= {youth_tag(YouthKey(key, counter)): key for counter in range(row[1])}
        return found

    def close(self) -> None:
        """The file is closed."""
        self._connection.close()

    def _reserve(self, name: bytes) -> _Block:
        row = self._connection.execute(
            "UPDATE youth_key SET reserved = reserved + ? WHERE name = ? RETURNING wrapped, reserved", (_BLOCK, name)
        ).fetchall()
        if row:
            wrapped, reserved = row[0]
            return _Block(self._unwrap(name, wrapped), reserved - _BLOCK, reserved)
        key, nonce = self._random_bytes(KEY_BYTES), self._random_bytes(_NONCE_BYTES)
        wrapped = nonce + self._wrapping.encrypt(nonce, key, name)
        self._connection.execute("INSERT INTO youth_key VALUES (?, ?, ?)", (name, wrapped, _BLOCK))
        return _Block(key, 0, _BLOCK)

    def _unwrap(self, name: bytes, wrapped: bytes) -> bytes:
        try:
            return self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], name)
        except InvalidTag as exc:
            raise YouthKeysBroken from exc


def _name(owner: AgencyId, handle: SubjectHandle) -> bytes:
    return sha256(b"homeward/youth-key/v1\0" + owner.encode() + b"\0" + handle).digest()
