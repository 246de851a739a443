"""A disk that forgets, at a power failure, whatever was not synced: SQLite on a file system that keeps count.

The engine is SQLite itself (the apsw package brings its own copy); its files go through a VFS that notes what each sync
has made durable. After a power failure a directory holds that, and of later writes none or some, in pieces of a sector,
which is what a disk with a write-back cache may leave. Python's own sqlite3 module cannot be given a VFS.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import apsw

from audit.store_sqlite import SqliteStore

SECTOR = 512
_names = itertools.count()


class Disk:
    """What is durable of each file, and what was written since, in order."""

    def __init__(self) -> None:
        self.durable: dict[str, bytes] = {}
        self.pending: dict[str, list[tuple[int, bytes]]] = {}
        self.name = f"forgetful-{next(_names)}"
        self._vfs = _Vfs(self)

    def wrote(self, path: str, offset: int, data: bytes) -> None:
        """The file has this, for as long as there is power."""
        self.pending.setdefault(path, []).append((offset, data))

    def synced(self, path: str) -> None:
        """Everything written to the file so far survives."""
        image = bytearray(self.durable.get(path, b""))
        for offset, data in self.pending.pop(path, []):
            _put(image, offset, data)
        self.durable[path] = bytes(image)

    def cut(self, path: str, size: int) -> None:
        """The file was truncated; a truncation is kept at once, which is the worse case for a journal."""
        self.synced(path)
        self.durable[path] = self.durable[path][:size]

    def after_power_failure(self, directory: Path, *, chance: random.Random | None = None) -> None:
        """The directory holds what survived. `chance` decides, sector by sector, what of the unsynced did."""
        for path in {*self.durable, *self.pending}:
            if path.endswith("-shm"):
                continue
            image = bytearray(self.durable.get(path, b""))
            for offset, data in self.pending.get(path, []):
                for at in range(0, len(data), SECTOR):
                    if chance is not None and chance.random() < 0.5:
                        _put(image, offset + at, data[at : at + SECTOR])
            (directory / Path(path).name).write_bytes(image)


def _put(image: bytearray, offset: int, data: bytes) -> None:
    image.extend(bytes(max(0, offset + len(data) - len(image))))
    image[offset : offset + len(data)] = data


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(disk.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        return _File(self._disk, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        path = Path(self._path)
        if self._path not in disk.durable and path.exists():
            # Whatever was there before this disk was watched is long on the platters.
            disk.durable[self._path] = path.read_bytes()

    def xWrite(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._disk.wrote(self._path, offset, bytes(data))

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.synced(self._path)

    def xTruncate(self, size: int) -> None:
        super().xTruncate(size)
        self._disk.cut(self._path, size)


class _Cursor:
    """The part of Python's sqlite3 cursor that the log uses."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self.rowcount = -1

    def execute(self, text: str, params: Any = ()) -> _Cursor:
        self._cursor.execute(text, params)
        self.rowcount = self._connection.changes()
        return self

    def executemany(self, text: str, rows: Any) -> None:
        self._cursor.executemany(text, rows)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self._cursor.fetchall())

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._cursor.fetchone()

    def close(self) -> None:
        self._cursor.close()


class _Connection:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def cursor(self) -> _Cursor:
        return _Cursor(self._connection)

    def execute(self, text: str) -> _Cursor:
        return self.cursor().execute(text)

    def close(self) -> None:
        self._connection.close()


class ForgetfulStore(SqliteStore):
    """The log's SQLite store on such a disk. `synchronous` is what a careless change would make of its own setting."""

    database_errors = (apsw.Error,)

    def __init__(self, path: Path, disk: Disk, *, synchronous: str = "") -> None:
        super().__init__(path)
        self._disk = disk
        self._synchronous = synchronous

    def connect(self) -> Any:
        """Returns the writer's connection."""
        connection = super().connect()
        if self._synchronous:
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return connection

    def _raw(self, mode: str) -> Any:
        flags = apsw.SQLITE_OPEN_READONLY if mode == "ro" else apsw.SQLITE_OPEN_READWRITE
        return _Connection(apsw.Connection(str(self.path), flags=flags, vfs=self._disk.name))
