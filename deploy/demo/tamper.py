"""What an operator could do to the stored log, done to copies: change one byte, put an old copy back.

Decides how a copy is taken and where it is changed. The original is only read.
"""

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_database(source: Path, target: Path) -> None:
    """A consistent copy of a database that may be in use, in one file."""
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)
        # The copy is opened read-only and its bytes are changed in place: no second file may shadow them.
        copy.execute("pragma journal_mode=delete")


def log_size(database: Path) -> int:
    """Number of entries stored."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("select count(*) from log_entry").fetchone()
    return int(count)


def flip_byte(database: Path, index: int) -> int:
    """One bit of what entry `index` commits to is another in the file. Returns the place of its byte."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (digests,) = connection.execute("select digests from log_entry where idx = ?", (index,)).fetchone()
    data = bytearray(database.read_bytes())
    # Random bytes, so their first sixteen stand in one place; a row may go on in another page of the file.
    place = data.index(digests[:16])
    data[place] ^= 1
    database.write_bytes(data)
    return place
