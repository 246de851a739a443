"""Declared loss: an origin is closed, and what is left goes on under another with the loss written into it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, LogSigner, parse_checkpoint
from audit.entry import FieldClass, open_class
from audit.errors import EvidenceError, EvidenceReason
from audit.reader import Reader, Selection, root_at
from audit.successor import entries_left, open_successor
from audit.verify import verify_log
from tests.integration.log_kit import KEYS, SIGNER, LogHome
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


def test_what_grew_a_second_history_is_not_what_is_left(lost: tuple[LogHome, str]) -> None:
    home, note = lost
    head, reader = parse_checkpoint(note, SIGNER.public), Reader(home.store)
    root = reader.read(lambda tx: root_at(tx, 15))
    for size, known_root, kept in ((15, root, 20), (25, b"x" * 32, 20), (15, b"x" * 32, None)):
        known = [Checkpoint(head.origin, size, known_root)]
        if kept is not None:
            assert reader.read(lambda tx, known=known: entries_left(tx, SIGNER.public, head, known=known)) == kept
            continue
        with pytest.raises(EvidenceError) as refused:
            reader.read(lambda tx, known=known: entries_left(tx, SIGNER.public, head, known=known))
        assert refused.value.reason is EvidenceReason.CONSISTENCY
    reader.close()


async def _succeed(home: LogHome, note: str, signer: LogSigner = NEXT, *, kept: int = 20) -> int:
    return await open_successor(
        home.store,
        signer=signer,
        keys=KEYS,
        high_water=home.directory / "new-high-water",
        closed_key=SIGNER.public,
        closed_note=note,
        kept=kept,
        now=lambda: datetime.now(UTC),
        random_bytes=os.urandom,
    )


def _said(home: LogHome, index: int) -> dict[str, bytes]:
    reader = Reader(home.store)
    (entry,) = reader.entries(Selection(start=index), limit=1)
    reader.close()
    return {each.name: each.value for each in open_class(entry, FieldClass.OP, KEYS.op)}


async def test_what_is_left_goes_on_under_another_origin_and_the_next_entry_says_what_is_lost(
    lost: tuple[LogHome, str],
) -> None:
    home, note = lost
    head = parse_checkpoint(note, SIGNER.public)
    before = _roots(home)
    assert await _succeed(home, note) == 20
    assert _said(home, 20) == {
        "kind": b"log.succeeded", "origin": SIGNER.public.origin.encode(), "size": b"30", "root": head.root,
        "checkpoint": hashlib.sha256(note.encode()).digest(), "kept": b"20",
    }  # fmt: skip
    assert _roots(home) == before, "the entries that are left are those of the closed log"
    reader = Reader(home.store)
    assert verify_log(reader, key=NEXT.public).size == 21
    with pytest.raises(EvidenceError):
        verify_log(reader, key=SIGNER.public)
    reader.close()


async def test_a_declaration_that_was_cut_short_is_carried_out_once(lost: tuple[LogHome, str]) -> None:
    home, note = lost
    assert await _succeed(home, note) == await _succeed(home, note) == 20
    reader = Reader(home.store)
    assert reader.tree().size == 21
    reader.close()


async def test_a_log_whose_tables_alone_are_lost_goes_on_with_every_entry(lost: tuple[LogHome, str]) -> None:
    home, _ = lost
    before = _roots(home)
    assert await _succeed(home, _own_note(home)) == 20
    assert (_said(home, 20)["size"], _said(home, 20)["kept"]) == (b"20", b"20")
    assert _roots(home) == before


async def test_a_log_that_went_on_after_the_declaration_is_not_closed_by_it(lost: tuple[LogHome, str]) -> None:
    home, _ = lost
    note = _own_note(home)
    home.high_water.write_bytes(note.encode().ljust(8192, b"\0"))
    await asyncio.to_thread(fill, home, 1)
    with pytest.raises(EvidenceError) as refused:
        await _succeed(home, note)
    assert refused.value.reason is EvidenceReason.SIZE
    assert not (home.directory / "new-high-water").exists()


def _own_note(home: LogHome) -> str:
    reader = Reader(home.store)
    note = reader.tree().note
    reader.close()
    return note


async def test_what_is_left_must_be_what_was_declared(lost: tuple[LogHome, str]) -> None:
    """Entries taken out between the declaration and its signatures would otherwise be lost without a word."""
    home, note = lost
    with pytest.raises(EvidenceError) as refused:
        await _succeed(home, note, kept=25)
    assert refused.value.reason is EvidenceReason.SIZE


async def test_a_closed_origin_or_key_never_signs_again(lost: tuple[LogHome, str]) -> None:
    home, note = lost
    same_key = LogSigner(NEXT.public.origin, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    for signer in (SIGNER, same_key):
        with pytest.raises(EvidenceError) as refused:
            await _succeed(home, note, signer)
        assert refused.value.reason is EvidenceReason.ORIGIN


def _roots(home: LogHome) -> list[bytes]:
    reader = Reader(home.store)
    found = [reader.read(lambda tx, size=size: root_at(tx, size)) for size in range(21)]
    reader.close()
    return found
