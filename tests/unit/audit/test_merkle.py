"""The tree and its proofs, against RFC 6962 written down naively, and against altered proofs."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.errors import EvidenceError

SIZES = st.integers(1, 70)


def _leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(at.to_bytes(4, "big")) for at in range(size)]


def _split(size: int) -> int:
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def _naive_root(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    k = _split(len(hashes))
    return hashlib.sha256(b"\x01" + _naive_root(hashes[:k]) + _naive_root(hashes[k:])).digest()


def _naive_path(index: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = _split(len(hashes))
    if index < k:
        return [*_naive_path(index, hashes[:k]), _naive_root(hashes[k:])]
    return [*_naive_path(index - k, hashes[k:]), _naive_root(hashes[:k])]


def _naive_subproof(old: int, hashes: list[bytes], known: bool) -> list[bytes]:
    if old == len(hashes):
        return [] if known else [_naive_root(hashes)]
    k = _split(len(hashes))
    if old <= k:
        return [*_naive_subproof(old, hashes[:k], known), _naive_root(hashes[k:])]
    return [*_naive_subproof(old - k, hashes[k:], False), _naive_root(hashes[:k])]


def _grow(hashes: list[bytes]) -> tuple[list[bytes], dict[merkle.Coordinate, bytes]]:
    stack: list[bytes] = []
    nodes: dict[merkle.Coordinate, bytes] = {}
    for size, hashed in enumerate(hashes):
        nodes[0, size] = hashed
        for level, position, node in merkle.extend(size, stack, hashed):
            nodes[level, position] = node
    return stack, nodes


def test_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.fold([]) == hashlib.sha256(b"").digest()


def test_known_root_of_the_certificate_transparency_test_tree() -> None:
    # The eight inputs and the root that the reference implementations of RFC 6962 share.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    stack, _ = _grow([merkle.leaf_hash(bytes.fromhex(text)) for text in inputs])
    assert merkle.fold(stack).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(st.integers(0, 140))
def test_growing_gives_the_root_of_the_definition(size: int) -> None:
    hashes = _leaves(size)
    stack, nodes = _grow(hashes)
    assert merkle.fold(stack) == _naive_root(hashes)
    assert [nodes[at] for at in merkle.frontier_plan(size)] == stack
    assert len(nodes) == 2 * size - size.bit_count()


@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_definition_and_verify(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = _leaves(size)
    _, nodes = _grow(_leaves(size + data.draw(st.integers(0, 9))))
    proof = merkle.assemble(merkle.inclusion_plan(index, size), nodes)
    root = _naive_root(hashes)
    assert list(proof) == _naive_path(index, hashes)
    merkle.check_inclusion(hashed_leaf=hashes[index], index=index, size=size, proof=proof, root=root)


@given(SIZES, st.data())
def test_consistency_proofs_are_those_of_the_definition_and_verify(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    hashes = _leaves(size)
    _, nodes = _grow(hashes)
    proof = merkle.assemble(merkle.consistency_plan(old, size), nodes)
    assert list(proof) == _naive_subproof(old, hashes, True)
    merkle.check_consistency(
        old_size=old, old_root=_naive_root(hashes[:old]), size=size, root=_naive_root(hashes), proof=proof
    )


def _altered(proof: tuple[bytes, ...], data: st.DataObject) -> tuple[bytes, ...]:
    changes = ["flip", "drop", "swap", "extend", "short"] if proof else ["extend"]
    change = data.draw(st.sampled_from(changes))
    at = data.draw(st.integers(0, max(0, len(proof) - 1)))
    items = list(proof)
    if change == "flip":
        bit = data.draw(st.integers(0, 255))
        items[at] = (int.from_bytes(items[at], "big") ^ (1 << bit)).to_bytes(32, "big")
    elif change == "drop":
        del items[at]
    elif change == "swap":
        items[at], items[0] = items[0], items[at]
    elif change == "short":
        items[at] = items[at][:-1]
    else:
        items.insert(at, data.draw(st.sampled_from([bytes(32), *items])))
    return tuple(items)


@given(SIZES, st.data())
def test_altered_inclusion_proofs_are_never_accepted(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = _leaves(size)
    _, nodes = _grow(hashes)
    proof = merkle.assemble(merkle.inclusion_plan(index, size), nodes)
    altered = _altered(proof, data)
    if altered == proof:
        return
    root = _naive_root(hashes)
    # Control: but for the alteration it is accepted.
    merkle.check_inclusion(hashed_leaf=hashes[index], index=index, size=size, proof=proof, root=root)
    with pytest.raises(EvidenceError):
        merkle.check_inclusion(hashed_leaf=hashes[index], index=index, size=size, proof=altered, root=root)


@given(SIZES, st.data())
def test_an_inclusion_proof_serves_no_other_leaf_index_or_root(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = _leaves(size)
    _, nodes = _grow(hashes)
    proof = merkle.assemble(merkle.inclusion_plan(index, size), nodes)
    root = _naive_root(hashes)
    for hashed, place, top in (
        (merkle.leaf_hash(b"another"), index, root),
        (hashes[index], index + 1, root),
        (hashes[index], index - 1, root),
        (hashes[index], index, bytes(32)),
    ):
        with pytest.raises(EvidenceError):
            merkle.check_inclusion(hashed_leaf=hashed, index=place, size=size, proof=proof, root=top)


@given(SIZES, st.data())
def test_altered_consistency_proofs_are_never_accepted(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    hashes = _leaves(size)
    _, nodes = _grow(hashes)
    proof = merkle.assemble(merkle.consistency_plan(old, size), nodes)
    altered = _altered(proof, data)
    if altered == proof:
        return
    old_root, root = _naive_root(hashes[:old]), _naive_root(hashes)
    # Control: but for the alteration it is accepted.
    merkle.check_consistency(old_size=old, old_root=old_root, size=size, root=root, proof=proof)
    with pytest.raises(EvidenceError):
        merkle.check_consistency(old_size=old, old_root=old_root, size=size, root=root, proof=altered)


@given(st.integers(2, 70), st.data())
def test_a_rewritten_history_is_never_consistent(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    hashes = _leaves(size)
    forged = [*hashes]
    forged[changed] = merkle.leaf_hash(b"forged")
    _, nodes = _grow(forged)
    proof = merkle.assemble(merkle.consistency_plan(old, size), nodes)
    with pytest.raises(EvidenceError):
        merkle.check_consistency(
            old_size=old, old_root=_naive_root(hashes[:old]), size=size, root=_naive_root(forged), proof=proof
        )


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_plan_exists_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError):
        merkle.inclusion_plan(index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3)])
def test_no_plan_exists_for_an_older_tree_that_is_none(old: int, size: int) -> None:
    with pytest.raises(ValueError):
        merkle.consistency_plan(old, size)
