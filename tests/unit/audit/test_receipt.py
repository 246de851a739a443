"""Receipts: verified offline, in their text form too, and never when anything in them was changed."""

import dataclasses
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.checkpoint import LogSigner
from audit.entry import ClassKeys, Draft, Field, FieldClass, Place, StoredEntry, build_entry, open_class
from audit.errors import EvidenceError, EvidenceReason
from audit.note import encode_base64
from audit.receipt import Receipt, parse_receipt

SIGNER = LogSigner("log.example/homeward", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
KEYS = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
SIZE = 11


def _entry(index: int) -> StoredEntry:
    fields = (Field(FieldClass.OP, "kind", b"access.decision"), Field(FieldClass.OP, "decision", b"DENY"))
    place = Place(index, 1_790_000_000_000 + index)
    return build_entry(Draft(fields), place, keys=KEYS, random_bytes=random.Random(index).randbytes).entry


def _receipt(index: int) -> Receipt:
    entries = [_entry(at) for at in range(SIZE)]
    stack: list[bytes] = []
    nodes: dict[merkle.Coordinate, bytes] = {}
    for size, entry in enumerate(entries):
        nodes[0, size] = merkle.leaf_hash(entry.leaf)
        nodes |= {(level, at): node for level, at, node in merkle.extend(size, stack, nodes[0, size])}
    entry = entries[index]
    path = merkle.assemble(merkle.inclusion_plan(index, SIZE), nodes)
    openings = tuple(open_class(entry, FieldClass.OP, KEYS.op))
    return Receipt(index, entry.leaf, entry.digests, openings, path, SIGNER.sign(SIZE, merkle.fold(stack)))


@pytest.mark.parametrize("index", range(SIZE))
def test_receipt_verifies_and_survives_its_text_form(index: int) -> None:
    receipt = _receipt(index)
    assert receipt.verify(SIGNER.public).size == SIZE
    again = parse_receipt(receipt.text())
    assert again == receipt
    assert again.verify(SIGNER.public).size == SIZE


def test_text_form_has_the_lines_of_a_tlog_proof() -> None:
    lines = _receipt(5).text().split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 5"
    assert lines[lines.index("") + 1] == SIGNER.public.origin


@given(st.data())
def test_no_changed_character_of_the_text_is_accepted_as_the_same_evidence(data: st.DataObject) -> None:
    text = _receipt(5).text()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0A1bz=+/ \n\u2014x"))
    changed = text[:at] + other + text[at + 1 :]
    if changed == text:
        return
    with pytest.raises(EvidenceError):
        parse_receipt(changed).verify(SIGNER.public)


def test_a_receipt_of_one_entry_does_not_serve_another() -> None:
    mine, other = _receipt(5), _receipt(6)
    for change in (
        {"index": 6},
        {"leaf": other.leaf},
        {"leaf": other.leaf, "digests": other.digests},
        {"openings": other.openings},
        {"inclusion_hashes": other.inclusion_hashes},
        {"checkpoint": SIGNER.sign(SIZE, bytes(32))},
        {"checkpoint": SIGNER.sign(SIZE + 1, merkle.EMPTY_ROOT)},
    ):
        with pytest.raises(EvidenceError):
            dataclasses.replace(mine, **change).verify(SIGNER.public)  # type: ignore[arg-type]


def test_a_receipt_under_an_unknown_key_is_refused() -> None:
    other = LogSigner("log.example/homeward", Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    with pytest.raises(EvidenceError) as caught:
        _receipt(5).verify(other.public)
    assert caught.value.reason is EvidenceReason.SIGNATURE


def test_receipt_with_fewer_openings_verifies_too() -> None:
    receipt = dataclasses.replace(_receipt(5), openings=())
    assert parse_receipt(receipt.text()).verify(SIGNER.public).size == SIZE


@pytest.mark.parametrize("text", ["", "\n\n", "c2sp.org/tlog-proof@v1\nindex 0\n\n", "c2sp.org/tlog-proof@v1\n\n\n"])
def test_texts_that_are_no_receipt_are_refused(text: str) -> None:
    with pytest.raises(EvidenceError) as caught:
        parse_receipt(text)
    assert caught.value.reason is EvidenceReason.FORMAT


@given(st.binary(min_size=1, max_size=80))
def test_random_openings_are_refused_and_never_crash_the_parser(tail: bytes) -> None:
    receipt = _receipt(5)
    head, gap, note = receipt.text().partition("\n\n")
    lines = head.split("\n")
    lines[1] = "extra " + encode_base64(receipt.leaf + receipt.digests + tail)
    with pytest.raises(EvidenceError):
        parse_receipt("\n".join(lines) + gap + note).verify(SIGNER.public)
