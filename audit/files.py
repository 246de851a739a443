"""Files of a published log, written so that a reader sees the old content or the new, and a crash leaves one of them.

Decides the order: a temporary file beside the target, its content on disk, the rename, the directory on disk. A
temporary file that a killed process left behind is removed at the next start. Knows nothing of what the files hold.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from audit.errors import EvidenceError, EvidenceReason
from audit.failpoints import reach

TEMPORARY = ".tmp"


class InUse(EvidenceError):
    """Another process writes into the directory."""

    def __init__(self) -> None:
        super().__init__(EvidenceReason.STORE, "another process publishes into this directory")


class PublishedFiles:
    """The directory that is published. One process at a time may write into it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = -1
        self._unsettled: set[Path] = set()

    def open(self) -> None:
        """The directory exists, is ours alone to write, and holds no temporary file. Raises `InUse`."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.root / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise InUse from None
        for left in self.root.rglob(f"*{TEMPORARY}"):
            left.unlink()

    def read(self, path: str) -> bytes | None:
        """Returns a file's content, or None if there is no such file."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """The file holds the data; a crash after `settle` keeps it so."""
        target = self.root / path
        self._make(target.parent)
        temporary = target.with_name(target.name + TEMPORARY)
        descriptor = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o644)
        try:
            reach("file.opened")
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            reach("file.written")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        reach("file.synced")
        os.replace(temporary, target)
        reach("file.renamed")
        self._unsettled.add(target.parent)

    def settle(self) -> None:
        """Every file written so far is found again after a power failure."""
        while self._unsettled:
            directory = next(iter(self._unsettled))
            _sync_directory(directory)
            reach("directory.synced")
            self._unsettled.discard(directory)

    def remove_partials(self, full: str) -> None:
        """The partial forms of a tile that is now there in full are gone (tlog-tiles, "Partial Tiles")."""
        directory = self.root / f"{full}.p"
        with contextlib.suppress(FileNotFoundError):
            for partial in directory.iterdir():
                partial.unlink()
            directory.rmdir()

    def close(self) -> None:
        """Another process may publish here."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _make(self, directory: Path) -> None:
        missing = []
        while not directory.exists():
            missing.append(directory)
            directory = directory.parent
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            self._unsettled.add(each.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
