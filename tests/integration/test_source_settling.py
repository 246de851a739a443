"""Erasing in the adapter's database while somebody reads: what could not be erased is owed, and erased later."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.node.store import open_store, registration
from adapters.node.subjects import Subjects

TOKENS = b"invented tokens of an ended epoch"


def on_disk(path: Path) -> bytes:
    return b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


@pytest.mark.parametrize("restarts", [False, True], ids=["compared again", "started again"])
def test_what_a_reader_kept_from_being_erased_is_erased_later(tmp_path: Path, *, restarts: bool) -> None:
    path = tmp_path / "adapter.db"
    store = open_store(path)
    subjects = Subjects(store, random_bytes=bytes)
    with store.write() as connection:
        row = {"handle": bytes(16), "epoch": "e1", "fingerprint": bytes(32), "tokens": TOKENS}
        connection.execute(registration.insert().values(**row))
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM registration").fetchone() == (1,)
        assert subjects.forget_epochs(("e2",)) == 1
        assert store.owes_settling
        assert TOKENS in on_disk(path)
    if restarts:
        store.close()
        store = open_store(path)
    else:
        assert subjects.forget_epochs(("e2",)) == 0
    assert not store.owes_settling
    assert TOKENS not in on_disk(path)
    store.close()
