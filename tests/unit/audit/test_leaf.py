"""The bytes of a leaf, against the vector the format was designed with."""

import hashlib

import pytest

from audit import leaf, merkle
from audit.errors import DraftError, EvidenceError


def _sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _vector_digests(domain: bytes) -> bytes:
    fields = (("kind", b"access"), ("decision", b"deny"), ("token", b"T00007"))
    real = [leaf.field_digest(_sha(f"salt{at}"), name, value, domain=domain) for at, (name, value) in enumerate(fields)]
    return b"".join(real + [_sha(f"pad{at}") for at in range(13)])


def test_leaf_matches_the_design_vector_under_its_own_label() -> None:
    domain = b"yx.audit/v1"
    commitment = leaf.commitment(_vector_digests(domain), domain=domain)
    encoded = leaf.encode_leaf(1_790_000_000_000, commitment)
    assert commitment.hex() == "cb2b02043f1f0dc15df746e1fe063d323114d06ad1321aa5885e6488a095ba00"
    assert encoded[:9].hex() == "01000001a0c4506c00"
    assert merkle.leaf_hash(encoded).hex() == "9488d357662d0e4a2b59fec41e694ec0ed3e2deab349e36ce8bd7cf675b901e3"


def test_product_label_separates_its_leaves_from_every_other_label() -> None:
    ours, other = _vector_digests(leaf.DOMAIN), _vector_digests(b"yx.audit/v1")
    assert ours[:32] != other[:32]
    assert leaf.commitment(ours) != leaf.commitment(ours, domain=b"yx.audit/v1")


def test_leaf_is_41_bytes_and_gives_its_time_back() -> None:
    encoded = leaf.encode_leaf(1_790_000_000_123, bytes(32))
    assert len(encoded) == leaf.LEAF_BYTES
    assert leaf.leaf_time(encoded) == 1_790_000_000_123


@pytest.mark.parametrize("bad", [b"", bytes(41), b"\x01" * 40, b"\x01" * 42, b"\x02" + bytes(40)])
def test_bytes_that_are_no_leaf_are_refused(bad: bytes) -> None:
    with pytest.raises(EvidenceError):
        leaf.leaf_time(bad)


def test_every_changed_digest_byte_breaks_the_commitment() -> None:
    digests = _vector_digests(leaf.DOMAIN)
    encoded = leaf.encode_leaf(0, leaf.commitment(digests))
    leaf.check_digests(encoded, digests)
    for at in range(len(digests)):
        changed = digests[:at] + bytes((digests[at] ^ 1,)) + digests[at + 1 :]
        with pytest.raises(EvidenceError):
            leaf.check_digests(encoded, changed)


@pytest.mark.parametrize("name", ["", "a" * 33, "Kind", "kind ", "kind\n", "kïnd", "a.b"])
def test_names_outside_the_alphabet_are_refused(name: str) -> None:
    with pytest.raises(DraftError):
        leaf.name_bytes(name)
