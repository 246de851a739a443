"""An agency's view: whatever is withheld from it leaves a gap that it can see."""

import os
from collections.abc import Callable

import pytest

from audit.continuity import Continuity, Numbered, numbered
from audit.entry import ClassKeys, Draft, Field, FieldClass, Opening, Place, build_entry, open_class
from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import leaf_hash
from audit.receipt import Receipt

KEYS = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)


def chain(count: int) -> list[Numbered]:
    """Entries of one agency as a log numbers them, each second place of the log being another agency's."""
    made: list[Numbered] = []
    before = bytes(32)
    for number in range(1, count + 1):
        receipt = entry(number, before)
        found = numbered(receipt)
        assert found is not None
        made.append(found)
        before = leaf_hash(receipt.leaf)
    return made


def entry(number: int, before: bytes) -> Receipt:
    own = (Field(FieldClass.REQ, "seq", number.to_bytes(8, "big")), Field(FieldClass.REQ, "prev", before))
    draft = Draft((Field(FieldClass.OP, "kind", b"audit.read"),), requester="06001.cwa")
    place = Place(2 * number, 1_790_000_000_000 + number, number)
    built = build_entry(draft, place, keys=KEYS, own_fields=own, random_bytes=os.urandom).entry
    openings = tuple(open_class(built, FieldClass.REQ, KEYS.req))
    return Receipt(built.index, built.leaf, built.digests, openings, (), "")


def followed(entries: list[Numbered], newest: Numbered) -> int:
    following = Continuity()
    for each in entries:
        following.follow(each)
    following.close(newest)
    return following.count


def test_a_whole_view_has_no_gap() -> None:
    *entries, newest = chain(6)
    assert followed(entries, newest) == 6


CHANGES: list[Callable[[list[Numbered]], list[Numbered]]] = [
    lambda entries: entries[1:],
    lambda entries: entries[:2] + entries[3:],
    lambda entries: entries[:-1],
    lambda entries: [],
    lambda entries: [entries[1], entries[0], *entries[2:]],
    lambda entries: [*entries[:2], entries[1], *entries[2:]],
    # Another entry under the number of the one that is withheld.
    lambda entries: [*entries[:2], chain(3)[2], *entries[3:]],
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_is_withheld_or_exchanged_is_noticed(change: Callable[[list[Numbered]], list[Numbered]]) -> None:
    *entries, newest = chain(6)
    with pytest.raises(EvidenceError) as found:
        followed(change(entries), newest)
    assert found.value.reason is EvidenceReason.SEQUENCE


def test_a_number_that_is_not_open_is_none_and_a_malformed_one_is_refused() -> None:
    receipt = entry(1, bytes(32))
    assert numbered(Receipt(receipt.index, receipt.leaf, receipt.digests, (), (), "")) is None
    short = (Opening(0, "seq", b"\x01", bytes(32)),)
    with pytest.raises(EvidenceError):
        numbered(Receipt(receipt.index, receipt.leaf, receipt.digests, short, (), ""))
