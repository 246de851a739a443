"""The file of the youths' keys, as those open it who take something out of it for good."""

import sqlite3
from pathlib import Path
from typing import Final

BUSY_SECONDS: Final = 10.0


def open_to_erase(path: Path) -> sqlite3.Connection:
    """A connection on which what is written is durable, and what is deleted is overwritten."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
