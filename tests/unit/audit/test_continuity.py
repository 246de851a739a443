"""An agency's view: whatever is withheld from it leaves a gap that it can see."""

import os
from collections.abc import Callable

import pytest

from audit.continuity import Continuity, Numbered, Whole, numbered
from audit.entry import ClassKeys, Draft, Field, FieldClass, Opening, Place, build_entry, open_class, open_parties
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


FIRST, SECOND = "06001.cwa", "06019.cwa"


def whole_log() -> list[Receipt]:
    """What a state's reviewer is shown of seven entries: both sides of each, but not of its own question, the fifth."""
    sides = ((FIRST, ""), (FIRST, SECOND), ("", ""), (SECOND, FIRST), (FIRST, SECOND), (FIRST, SECOND), (SECOND, ""))
    numbers: dict[str, int] = {}
    made: list[Receipt] = []
    for index, (asked, held) in enumerate(sides):
        numbers |= {each: numbers.get(each, 0) + 1 for each in (asked, held) if each}
        place = Place(index, 1_790_000_000_000, numbers.get(asked, 0), numbers.get(held, 0))
        made.append(shown(asked, held, place, is_open=index != 4))
    return made


def shown(asked: str, held: str, place: Place, *, is_open: bool = True) -> Receipt:
    draft = Draft((Field(FieldClass.OP, "kind", b"access.decision"),), requester=asked, holder=held)
    built = build_entry(draft, place, keys=KEYS, random_bytes=os.urandom).entry
    return Receipt(built.index, built.leaf, built.digests, (open_parties(built),) if is_open else (), (), "")


def counted(receipts: list[Receipt], end: int = 7) -> Whole:
    whole = Whole()
    for each in receipts:
        whole.follow(each)
    whole.reach(end)
    return whole


def test_a_whole_log_has_every_entry_and_every_number_of_every_agency() -> None:
    whole = counted(whole_log())
    assert (whole.count, whole.closed) == (7, 1)
    assert whole.numbers == {FIRST: 5, SECOND: 5}


@pytest.mark.parametrize("index", range(7))
def test_an_entry_that_is_withheld_from_the_whole_is_noticed_wherever_it_stood(index: int) -> None:
    receipts = whole_log()
    with pytest.raises(EvidenceError, match=f"entry {index} does not come before") as found:
        counted(receipts[:index] + receipts[index + 1 :])
    assert found.value.reason is EvidenceReason.SEQUENCE


def numbered_as(index: int, first: int, second: int) -> list[Receipt]:
    """The log, one entry of which was written with these numbers, whatever its agencies had come to."""
    receipts = whole_log()
    receipts[index] = shown(FIRST, SECOND, Place(index, 1_790_000_000_000, first, second))
    return receipts


@pytest.mark.parametrize(("first", "second"), [(1, 1), (3, 1), (2, 2), (2, 0)])
def test_a_number_that_is_left_out_or_given_twice_is_noticed(first: int, second: int) -> None:
    counted(numbered_as(1, 2, 1))
    with pytest.raises(EvidenceError, match="after number"):
        counted(numbered_as(1, first, second))


def test_an_entry_that_shows_nobody_may_have_taken_one_number_of_an_agency_and_no_more() -> None:
    counted(numbered_as(5, 4, 4))
    with pytest.raises(EvidenceError, match=r"after number 3 of 06001\.cwa comes 6"):
        counted(numbered_as(5, 6, 4))
