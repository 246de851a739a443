"""That nothing was left out of one agency's view: its numbers have no gap and end where its newest entry says.

Every entry in which an agency takes part carries that agency's next number and the leaf hash of the entry with the
number before (README.md, "Agency numbers"). Whoever holds an agency's entries and a newest one that was written after
the question was asked, such as the entry of the reading itself, therefore knows whether one was withheld. Decides that
alone; that each entry is in the log is shown by its receipt.

Whoever may read the whole log counts positions instead, and every agency's numbers with them (`Whole`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.body import PARTIES, parse_parties
from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import HASH_BYTES, leaf_hash
from audit.receipt import Receipt

_NUMBER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Numbered:
    """An entry of the agency, as its verified openings number it."""

    index: int
    number: int
    hashed: bytes = field(repr=False)
    before: bytes = field(repr=False)
    """Leaf hash of the entry with the number before; zeros for the first."""


def numbered(receipt: Receipt) -> Numbered | None:
    """Returns the entry with the number that its openings show; None when they show none.

    The receipt must have been verified. Raises EvidenceError for a number that no log writes.
    """
    opened = {each.name: each.value for each in receipt.openings if each.name in ("seq", "prev")}
    if not opened:
        return None
    seq, prev = opened.get("seq", b""), opened.get("prev", b"")
    if len(seq) != _NUMBER_BYTES or len(prev) != HASH_BYTES:
        raise EvidenceError(EvidenceReason.SEQUENCE, "the agency's number is malformed", index=receipt.index)
    return Numbered(receipt.index, int.from_bytes(seq, "big"), leaf_hash(receipt.leaf), prev)


class Continuity:
    """Follows an agency's entries in the order of the log. After an error it must not be used again."""

    def __init__(self, last: Numbered | None = None) -> None:
        """`last` is the entry up to which they were followed before."""
        self._last = last or Numbered(-1, 0, bytes(HASH_BYTES), b"")

    @property
    def count(self) -> int:
        """Entries that were followed without a gap."""
        return self._last.number

    def follow(self, entry: Numbered) -> None:
        """The entry is the next of this agency. Raises EvidenceError(SEQUENCE) naming where something is missing."""
        last = self._last
        if entry.number != last.number + 1:
            text = f"after the agency's number {last.number} comes {entry.number}: entries between them are withheld"
            raise EvidenceError(EvidenceReason.SEQUENCE, text, index=entry.index)
        if entry.before != last.hashed or entry.index <= last.index:
            text = f"number {entry.number} does not follow the entry that was shown as {last.number}"
            raise EvidenceError(EvidenceReason.SEQUENCE, text, index=entry.index)
        self._last = entry

    def close(self, newest: Numbered) -> None:
        """`newest` follows the last entry: nothing is missing at the end either. Raises like `follow`."""
        self.follow(newest)


class Whole:
    """Follows every entry of the log, from the first, in its order. After an error it must not be used again.

    Positions have no gap, and neither have the numbers of any agency. Where an entry does not show who took part (the
    reader's own question, of which it is not told whom it met), the next number of any agency may be one further on.
    """

    def __init__(self) -> None:
        self.count = 0
        """Entries that were followed."""
        self.closed = 0
        """Of them, those that do not show who took part."""
        self._newest: dict[str, tuple[int, int]] = {}

    @property
    def numbers(self) -> Mapping[str, int]:
        """Each agency's newest number that was seen."""
        return {agency: number for agency, (number, _) in sorted(self._newest.items())}

    def follow(self, receipt: Receipt) -> None:
        """The entry is the next of the log. The receipt must have been verified.

        Raises EvidenceError(SEQUENCE) naming where something is missing.
        """
        self.reach(receipt.index)
        self.count += 1
        shown = next((each.value for each in receipt.openings if each.name == PARTIES), None)
        if shown is None:
            self.closed += 1
            return
        parties = parse_parties(shown)
        for agency, number in (
            (parties.requester, parties.requester_number),
            (parties.holder, parties.holder_number),
        ):
            if number:
                self._count(agency, number, receipt.index)

    def reach(self, index: int) -> None:
        """Nothing is missing before the entry at this position. Raises like `follow`."""
        if index != self.count:
            text = f"entry {self.count} does not come before entry {index}: it is withheld"
            raise EvidenceError(EvidenceReason.SEQUENCE, text, index=index)

    def _count(self, agency: str, number: int, index: int) -> None:
        last, closed = self._newest.get(agency, (0, 0))
        if not last < number <= last + 1 + self.closed - closed:
            text = f"after number {last} of {agency} comes {number}"
            raise EvidenceError(EvidenceReason.SEQUENCE, text, index=index)
        self._newest[agency] = (number, self.closed)
