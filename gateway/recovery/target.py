"""Where a mirror may be kept by itself, and the words for why one is not kept.

Decides that a directory is never made, and that it lies on another file system than the log's database: storage that is
not mounted looks like an empty directory of the machine's own disk, and a mirror made there would be lost with the log.
Name a directory below the mount point, so that it is missing where the storage is.
"""

from enum import StrEnum
from pathlib import Path

from gateway.config import Mirror
from gateway.state import State


class MirrorFault(StrEnum):
    """Why a mirror is not kept. A closed list: it stands in statuses and log lines."""

    MISSING = "MISSING"
    """The directory is not there: its storage is not mounted."""
    SAME_FILE_SYSTEM = "SAME_FILE_SYSTEM"
    """It lies where the log's database does, and the settings do not allow it."""
    BUSY = "BUSY"
    """Another process writes there."""
    FULL = "FULL"
    """The storage has no room."""
    STORAGE = "STORAGE"
    """The storage failed in another way."""
    EVIDENCE = "EVIDENCE"
    """The log or what lies there does not hold, or is another log's."""
    SETTINGS = "SETTINGS"
    """The settings or a secret cannot be read."""
    ENDED = "ENDED"
    """The round ended without a word: it was killed."""
    SLOW = "SLOW"
    """The round takes longer than it should; it goes on."""


class TargetRefused(Exception):
    """No mirror is kept in this directory. Names the directory."""

    def __init__(self, fault: MirrorFault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def check_target(state: State, mirror: Mirror) -> Path:
    """The directory, which is there and apart from the database. Raises `TargetRefused`, OSError."""
    directory = state.directory / mirror.directory
    if not directory.is_dir():
        raise TargetRefused(MirrorFault.MISSING, f"{directory} is not there, or no directory")
    if not mirror.same_file_system and directory.stat().st_dev == state.database.stat().st_dev:
        text = f"{directory} is on the file system of the database, and would be lost with it"
        raise TargetRefused(MirrorFault.SAME_FILE_SYSTEM, text)
    return directory
