"""Keys of youths and authorities that have left, without the order that takes them out."""

import sqlite3
from pathlib import Path
from typing import Protocol

from gateway.store.youth_keys import FileYouthKeys


class HasKeys(Protocol):
    """A world with a file of keys."""

    youth_keys: FileYouthKeys


def destroy_keys(world: HasKeys, directory: Path) -> None:
    """Every key has left, as seals take them out."""
    with sqlite3.connect(directory / "keys.db") as connection:
        names = [bytes(name) for (name,) in connection.execute("SELECT name FROM youth_key")]
        digests = [(world.youth_keys.sealed_digest(name),) for name in names]
        connection.executemany("INSERT INTO sealed_name VALUES (?)", digests)
        connection.execute("DELETE FROM youth_key")
    connection.close()
