"""Audit keys of youths, in a file of their own (AUDIT §2.2).

Destroying one key is what seals a youth's entries, so the keys never share a database or a
backup with the log. Each key rests encrypted under a key outside this file, bound to its row.
A counter is reserved before it is used, in blocks: gaps are allowed, repetition never.

Every authority has a key among them (`ports.own_youth`), so that the file does not say which of
them name their youth by tokens, and have their entries under it; what they say rests under it
(`authority_keys`).

Reserving waits for the disk, and how long a question takes, or in which order questions are
answered, must not tell a youth who is listed from one who is not. So it happens beside the call:
when a youth is listed, when the process starts (`prepare`), and again before a block runs out.
Where so many ask about one youth at once that it does run out, everybody waits who asks at that
moment, about whomever (`key_supply`).
"""

import asyncio
import hmac
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.entry import KEY_BYTES, YouthKey, youth_tag
from gateway.exchange.deed import Moved
from gateway.ports import own_youth
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store.key_supply import KeysMissing, KeySupply

_FIRST_BLOCK: Final = 4
"""What a start reserves for everybody: small, because counters that a crash leaves unused stay unused."""
_BLOCK: Final = 64
_LOW: Final = 2
_NONCE_BYTES: Final = 12
_YOUTHS_A_TURN: Final = 100
_BUSY_SECONDS: Final = 10.0
# Kept in the order of their keys, which are random: the order in which digests of sealed youths and authorities were
# written would tell which seal was whose, and which authorities left with which youth.
_SCHEMA: Final = (
    (
        "CREATE TABLE IF NOT EXISTS youth_key (name BLOB PRIMARY KEY, wrapped BLOB NOT NULL, reserved INTEGER NOT NULL)"
        " WITHOUT ROWID"
    ),
    # The court custodian's copies (escrow.py): `name` until the key has left, `copy` empty where none is kept.
    "CREATE TABLE IF NOT EXISTS escrow (seal_id BLOB PRIMARY KEY, name BLOB, copy BLOB NOT NULL)",
    "CREATE TABLE IF NOT EXISTS sealed_name (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    # Rows of youths whose seal is being lifted, until the entry of that is on record (escrow.py).
    (
        "CREATE TABLE IF NOT EXISTS returning_key (seal_id BLOB PRIMARY KEY, name BLOB NOT NULL, wrapped BLOB NOT NULL,"
        " reserved INTEGER NOT NULL) WITHOUT ROWID"
    ),
    # Names of authorities whose keys leave with a seal.
    "CREATE TABLE IF NOT EXISTS leaving_authority (seal_id BLOB, name BLOB, PRIMARY KEY (seal_id, name)) WITHOUT ROWID",
    # How many entries seals have closed (closed_counts.py).
    (
        "CREATE TABLE IF NOT EXISTS closed_count (salt BLOB PRIMARY KEY, since INTEGER NOT NULL,"
        " count INTEGER NOT NULL, is_kept INTEGER NOT NULL) WITHOUT ROWID"
    ),
    # What orders in the log commit to of such numbers, each once its number counted: without the number and its salt.
    "CREATE TABLE IF NOT EXISTS counted_order (digest BLOB PRIMARY KEY) WITHOUT ROWID",
    # A row while the bytes of what a seal deleted may still stand in this file or the main database's.
    "CREATE TABLE IF NOT EXISTS unscrubbed (id INTEGER PRIMARY KEY CHECK (id = 1))",
)


class YouthKeysBroken(KeysMissing):
    """The file is missing, or a key in it is missing or does not open. Names no youth."""


@dataclass(slots=True)
class _Block:
    key: bytes
    following: int
    end: int


class FileYouthKeys:
    """`ports.YouthKeys` on one SQLite file. One process and one event loop use it."""

    def __init__(
        self,
        path: Path,
        *,
        wrapping_key: bytes,
        random_bytes: Callable[[int], bytes],
        busy_seconds: float = 5.0,
    ) -> None:
        if not path.is_file():
            raise YouthKeysBroken
        self._path = path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=busy_seconds)
        self._lock = threading.Lock()
        self._connection.execute("PRAGMA synchronous = FULL")
        # A destroyed key must not survive in a free page.
        self._connection.execute("PRAGMA secure_delete = ON")
        for statement in _SCHEMA:
            self._connection.execute(statement)
        self._wrapping = AESGCM(wrapping_key)
        self._sealing_key = hmac.digest(wrapping_key, b"homeward/sealed-name/v1", "sha256")
        self._random_bytes = random_bytes
        self._blocks: dict[bytes, _Block] = {}
        self._refills: dict[bytes, asyncio.Task[None]] = {}
        self._supply = KeySupply(name_of=youth_name, take=self._take, reserve=self.reserve, block=_BLOCK)
        self.ask, self.at_hand = self._supply.ask, self._supply.at_hand
        self.returned = 0
        """How many keys came back since the start, because a seal was lifted."""

    @staticmethod
    def create(path: Path) -> None:
        """An empty file exists, for its owner only. Raises FileExistsError."""
        path.touch(mode=0o600, exist_ok=False)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA journal_mode = WAL")
        # The driver opens no transaction for these by itself.
        connection.execute("BEGIN")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.commit()
        connection.close()

    async def prepare(self, owner: AgencyId, handles: Iterable[SubjectHandle]) -> None:
        """The next entry about each of these youths needs no write to this file."""
        names = [name for name in (youth_name(owner, handle) for handle in handles) if name not in self._blocks]
        names = [name for name in names if not self.is_sealed(name)]
        if names:
            # Unless one was sealed meanwhile: then the first entry about each of the others waits for the disk.
            with suppress(Moved):
                await asyncio.to_thread(self.reserve, names)

    async def next(self, owner: AgencyId, handle: SubjectHandle) -> YouthKey:
        """The youth's key with a counter that no entry has used or will use again.

        Raises `Moved` for a youth that was sealed since it was looked up.
        """
        name = youth_name(owner, handle)
        while (key := self._take(name)) is None:
            await asyncio.to_thread(self.reserve, [name], _BLOCK)
        return key

    async def find(self, owner: AgencyId, handle: SubjectHandle) -> bytes | None:
        """The key of a youth that rows name; None when it was sealed.

        Raises `YouthKeysBroken` where there is none for another reason: what the rows say is lost then, which must not
        look as if there were nothing.
        """
        return self.named(youth_name(owner, handle))

    def named(self, name: bytes) -> bytes | None:
        """The key in the row of this name, as `find`."""
        block = self._blocks.get(name)
        if block is not None:
            return block.key
        with self._lock:
            row = self._connection.execute("SELECT wrapped FROM youth_key WHERE name = ?", (name,)).fetchone()
            if row is None and not self._is_sealed(name):
                raise YouthKeysBroken
        return self.unwrap(name, row[0]) if row else None

    def names_marked(self, marks: Collection[bytes], mark_of: Callable[[bytes, int], bytes]) -> Mapping[bytes, bytes]:
        """By mark the name of the youth whose mark it is; a mark of nobody's is left out.

        Looks through every youth, so call it in a thread; nobody waits for it meanwhile.
        """
        wanted, found = set(marks), dict[bytes, bytes]()
        with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as connection:
            # At once: a key that leaves meanwhile could not be cut out of the write-ahead log while this is read.
            rows = connection.execute("SELECT name, wrapped, reserved FROM youth_key").fetchall()
        for name, wrapped, reserved in rows:
            if not wanted:
                break
            key = self.unwrap(name, wrapped)
            its = wanted.intersection(mark_of(key, counter) for counter in range(reserved))
            found |= dict.fromkeys(its, bytes(name))
            wanted -= its
        return found

    async def marks(
        self, owner: AgencyId, handles: Sequence[SubjectHandle], *, ahead: int = 0
    ) -> Mapping[bytes, bytes]:
        """Every mark that an entry about one of these youths may carry, with the key that opens it.

        `ahead`: as many more of each key, which entries may carry in a moment.
        """
        found: dict[bytes, bytes] = {}
        for position, handle in enumerate(handles):
            if position % _YOUTHS_A_TURN == 0:
                # A large county has tens of thousands of youths; other calls must not wait for all of them.
                await asyncio.sleep(0)
            name = youth_name(owner, handle)
            with self._lock:
                row = self._connection.execute(
                    "SELECT wrapped, reserved FROM youth_key WHERE name = ?", (name,)
                ).fetchone()
            if row is not None:
                key = self.unwrap(name, row[0])
                found |= {youth_tag(YouthKey(key, counter)): key for counter in range(row[1] + ahead)}
        return found

    def every_mark(self, *, ahead: int = 0) -> Mapping[bytes, bytes]:
        """Every mark that an entry may carry, with the key that opens it. For whoever replays the log.

        A key that was destroyed contributes none. `ahead`: as many more of each key, which no entry can carry yet.
        """
        with self._lock:
            rows = self._connection.execute("SELECT name, wrapped, reserved FROM youth_key").fetchall()
        found: dict[bytes, bytes] = {}
        for name, wrapped, reserved in rows:
            key = self.unwrap(name, wrapped)
            found |= {youth_tag(YouthKey(key, counter)): key for counter in range(reserved + ahead)}
        return found

    def row_of(self, owner: AgencyId, handle: SubjectHandle) -> tuple[bytes, int] | None:
        """The youth's key and how many counters were reserved; None when there is none. For taking it out."""
        name = youth_name(owner, handle)
        with self._lock:
            row = self._connection.execute("SELECT wrapped, reserved FROM youth_key WHERE name = ?", (name,)).fetchone()
        return None if row is None else (self.unwrap(name, row[0]), row[1])

    def wrap(self, name: bytes, key: bytes) -> bytes:
        """The key as it rests in a row of this name."""
        nonce = self._random_bytes(_NONCE_BYTES)
        return nonce + self._wrapping.encrypt(nonce, key, name)

    def unwrap(self, name: bytes, wrapped: bytes) -> bytes:
        """The key that rests so in the row of this name. Raises `YouthKeysBroken`."""
        try:
            return self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], name)
        except InvalidTag as exc:
            raise YouthKeysBroken from exc

    def is_sealed(self, name: bytes) -> bool:
        """Whether the key of this name left with a seal."""
        with self._lock:
            return self._is_sealed(name)

    def sealed_digest(self, name: bytes) -> bytes:
        """What stays of a sealed youth's name."""
        return hmac.digest(self._sealing_key, name, "sha256")

    @contextmanager
    def forgetting(self, names: Collection[bytes]) -> Iterator[None]:
        """Within the context nothing is reserved; after it no key of these names is in memory."""
        with self._lock:
            yield
            for name in names:
                self._blocks.pop(name, None)

    def close(self) -> None:
        """The file is closed; what is being reserved at this moment is reserved first, and what was not used is free.

        Otherwise every start would leave every youth's counters longer, and a search by marks goes through all of them.
        """
        self._supply.close()
        for task in self._refills.values():
            task.cancel()
        with self._lock:
            unused = [(block.following, name, block.end) for name, block in self._blocks.items()]
            # Nobody takes a counter of these any more: the next process may.
            self._blocks.clear()
            if unused:
                # Where another process is in the way they stay reserved: gaps are allowed.
                with suppress(sqlite3.OperationalError):
                    self._connection.execute("BEGIN IMMEDIATE")
                    self._connection.executemany(
                        "UPDATE youth_key SET reserved = ? WHERE name = ? AND reserved = ?", unused
                    )
                    self._connection.execute("COMMIT")
            self._connection.close()

    def _take(self, name: bytes) -> YouthKey | None:
        block = self._blocks.get(name)
        if block is None or block.following >= block.end:
            return None
        counter, block.following = block.following, block.following + 1
        if block.end - block.following <= _LOW and name not in self._refills:
            self._refills[name] = asyncio.create_task(self._refill(name))
        return YouthKey(block.key, counter)

    async def _refill(self, name: bytes) -> None:
        try:
            with suppress(Moved):
                await asyncio.to_thread(self.reserve, [name], _BLOCK)
        finally:
            del self._refills[name]

    def reserve(self, names: Sequence[bytes], count: int = _FIRST_BLOCK) -> None:
        """A key and a block of counters for each of these names, durable. Blocking: call it in a thread.

        Raises `Moved` where a key of them left with a seal.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                blocks = {name: self._reserve_one(name, count) for name in names}
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
            # Under the lock: a key that is taken out (`forgetting`) is not put back into memory after it.
            self._blocks |= blocks

    def _reserve_one(self, name: bytes, count: int) -> _Block:
        row = self._connection.execute(
            "UPDATE youth_key SET reserved = reserved + ? WHERE name = ? RETURNING wrapped, reserved", (count, name)
        ).fetchall()
        if row:
            wrapped, reserved = row[0]
            return _Block(self.unwrap(name, wrapped), reserved - count, reserved)
        if self._is_sealed(name):
            # Looked up before the seal: whoever asks again finds nobody.
            raise Moved
        key = self._random_bytes(KEY_BYTES)
        self._connection.execute("INSERT INTO youth_key VALUES (?, ?, ?)", (name, self.wrap(name, key), count))
        return _Block(key, 0, count)

    def _is_sealed(self, name: bytes) -> bool:
        query = "SELECT 1 FROM sealed_name WHERE digest = ?"
        return self._connection.execute(query, (self.sealed_digest(name),)).fetchone() is not None


def youth_name(owner: AgencyId, handle: SubjectHandle) -> bytes:
    """The name of a youth's row: the handle is random, so that nobody can guess one from it."""
    return sha256(b"homeward/youth-key/v1\0" + owner.encode() + b"\0" + handle).digest()


def authority_name(authority_id: AuthorityId) -> bytes:
    """The name of an authority's row, which says which authority it is to nobody who does not know its identifier."""
    return youth_name(*own_youth(authority_id))
