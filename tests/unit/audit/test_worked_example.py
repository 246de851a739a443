"""The worked example of audit/README.md: whoever writes a verifier of their own is given bytes that this one makes."""

import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner, parse_vkey
from audit.entry import BuiltEntry, ClassKeys, Draft, Field, FieldClass, Place, build_entry, open_parties
from audit.errors import EvidenceError
from audit.merkle import leaf_hash
from audit.receipt import Receipt, parse_receipt

README = Path(__file__).parents[3] / "audit" / "README.md"
_SECTION = README.read_text("utf-8").partition("## Worked example\n")[2].partition("\n## ")[0]
_STATED = dict(re.findall(r"^    ([a-z][a-z ]*[a-z]) +([0-9a-f]+)$", _SECTION, re.MULTILINE))
_FIELDS = re.findall(r"^    slot \d+ +(OP|REQ) +(\w+) +(\S+)$", _SECTION, re.MULTILINE)
_RECEIPT = "\n".join(line[4:] for line in _SECTION.partition("The receipt:\n\n")[2].splitlines()) + "\n"
(_VKEY,) = re.findall(r"^    vkey +(\S+)$", _SECTION, re.MULTILINE) or ("",)


def _bytes(name: str) -> bytes:
    return bytes.fromhex(_STATED[name])


def _built() -> BuiltEntry:
    draft = Draft(tuple(Field(FieldClass[cls], name, value.encode()) for cls, name, value in _FIELDS))
    keys = ClassKeys(_bytes("key of op"), _bytes("key of req"), _bytes("key of hold"))
    drawn = _bytes("nonce") + _bytes("decoy") * (15 - len(_FIELDS))
    return build_entry(draft, Place(0, int(_STATED["time"])), keys=keys, random_bytes=lambda _: drawn)


def test_the_fields_of_the_example_become_the_stated_leaf() -> None:
    built = _built()
    entry = built.entry
    assert [salt.hex() for salt in built.salts] == [_STATED[f"salt {word}"] for word in ("zero", "one", "two")]
    assert [entry.digests[32 * at : 32 * at + 32].hex() for at in range(3)] == [
        _STATED[f"digest {word}"] for word in ("zero", "one", "two")
    ]
    assert (entry.boxes[FieldClass.OP], entry.boxes[FieldClass.REQ]) == (_bytes("op box"), _bytes("req box"))
    assert entry.digests[-32:] == _bytes("body digest")
    opening = open_parties(entry)
    assert (opening.value, opening.salt) == (b" 0  0", _bytes("body salt"))
    assert entry.leaf == _bytes("leaf")
    assert leaf_hash(entry.leaf) == _bytes("leaf hash")


def test_the_receipt_of_the_example_is_what_this_code_writes_and_holds() -> None:
    built = _built()
    signer = LogSigner("example.org/log", Ed25519PrivateKey.from_private_bytes(_bytes("signing key")))
    note = signer.sign(1, leaf_hash(built.entry.leaf))
    opened = built.openings({FieldClass.OP}, {"kind", "decision"})
    assert Receipt(0, built.entry.leaf, built.entry.digests, opened, (), note).text() == _RECEIPT
    assert parse_receipt(_RECEIPT).verify(parse_vkey(_VKEY)).root == _bytes("leaf hash")


def test_a_receipt_of_the_example_for_another_entry_does_not_hold() -> None:
    with pytest.raises(EvidenceError):
        parse_receipt(_RECEIPT.replace("index 0", "index 1")).verify(parse_vkey(_VKEY))
