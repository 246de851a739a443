"""Declared loss: an origin is closed, and the log that goes on begins with what the lost one had signed."""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner, parse_checkpoint
from audit.entry import FieldClass
from audit.errors import EvidenceError, EvidenceReason
from audit.log import Appended
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.successor import open_successor
from audit.verify import verify_log
from tests.integration.log_kit import KEYS, PROJECTION, SIGNER, LogHome
from tests.integration.published_kit import fill, filled_home

NEXT = LogSigner("log.example/homeward-2", Ed25519PrivateKey.from_private_bytes(b"n" * 32))


@pytest.fixture
def lost(tmp_path: Path) -> tuple[LogHome, str]:
    """A log of 30 entries of which 20 are left, and the note over all of them."""
    home = filled_home(tmp_path / "old", 20)
    shutil.copy(home.directory / "log.db", tmp_path / "left.db")
    fill(home, 10)
    reader = Reader(home.store)
    note = reader.tree().note
    reader.close()
    shutil.copy(tmp_path / "left.db", home.directory / "log.db")
    return home, note


async def _succeed(home: LogHome, note: str, directory: Path, signer: LogSigner = NEXT) -> Appended:
    return await open_successor(
        SqliteStore(directory / "new.db"),
        signer=signer,
        keys=KEYS,
        high_water=directory / "new-high-water",
        closed=home.store,
        closed_key=SIGNER.public,
        closed_note=note,
        also=[PROJECTION],
        now=lambda: datetime.now(UTC),
        random_bytes=os.urandom,
    )


async def test_the_first_entry_commits_to_the_last_checkpoint_and_says_what_is_lost(
    lost: tuple[LogHome, str], tmp_path: Path
) -> None:
    home, note = lost
    head = parse_checkpoint(note, SIGNER.public)
    first = await _succeed(home, note, tmp_path)
    names = {"kind", "origin", "size", "root", "checkpoint", "kept"}
    receipt = first.receipt({FieldClass.OP}, names)
    receipt.verify(NEXT.public)
    said = {opening.name: opening.value for opening in receipt.openings}
    assert said == {
        "kind": b"log.succeeded", "origin": SIGNER.public.origin.encode(), "size": b"30", "root": head.root,
        "checkpoint": hashlib.sha256(note.encode()).digest(), "kept": b"20",
    }  # fmt: skip
    reader = Reader(SqliteStore(tmp_path / "new.db"))
    assert verify_log(reader, key=NEXT.public).size == 1
    reader.close()


async def test_no_loss_is_declared_where_nothing_is_lost(lost: tuple[LogHome, str], tmp_path: Path) -> None:
    home, _ = lost
    reader = Reader(home.store)
    note = reader.tree().note
    reader.close()
    with pytest.raises(EvidenceError) as refused:
        await _succeed(home, note, tmp_path)
    assert refused.value.reason is EvidenceReason.SIZE
    assert not (tmp_path / "new.db").exists()


async def test_a_closed_origin_or_key_never_signs_again(lost: tuple[LogHome, str], tmp_path: Path) -> None:
    home, note = lost
    same_key = LogSigner(NEXT.public.origin, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    for signer in (SIGNER, same_key):
        with pytest.raises(EvidenceError) as refused:
            await _succeed(home, note, tmp_path, signer)
        assert refused.value.reason is EvidenceReason.ORIGIN
