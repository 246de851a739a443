"""Two statements of one log that cannot both be true of one history, and what a proof of consistency says of its past.

Decides what proves a fork to anybody: two roots of one size, of which a signed note states each, or from which a proof
leads to a signed larger tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from audit import merkle
from audit.checkpoint import Checkpoint, parse_text
from audit.errors import EvidenceError
from audit.note import parse_note
from audit.submission import parse_submission


@dataclass(frozen=True, slots=True)
class Fork:
    """A note of the log that was kept, and another statement.

    `shown` is another note of the same size or, where its tree is larger, the whole request with the log's own proof.
    Out of the two, contradiction.py makes a proof for others.
    """

    kept: str = field(repr=False)
    shown: str = field(repr=False)
    seconds: int

    @property
    def size(self) -> int:
        """How many entries the note that was kept has."""
        return read_checkpoint(self.kept).size

    def is_proof(self) -> bool:
        """Whether the two alone convince somebody else. From a power of two they do not."""
        if not self.shown.startswith("old "):
            return True
        request = parse_submission(self.shown.encode())
        return proves_fork(read_checkpoint(self.kept), read_checkpoint(request.note), request.proof)


def read_checkpoint(note: str) -> Checkpoint:
    """What a note says that was verified before it was kept."""
    text = parse_note(note).text
    return parse_text(text, text.partition("\n")[0])


def continues(before: Checkpoint, after: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree of `after` begins with that of `before`."""
    try:
        merkle.check_consistency(
            old_size=before.size, old_root=before.root, size=after.size, root=after.root, proof=proof
        )
    except EvidenceError:
        return False
    return True


def proves_fork(before: Checkpoint, after: Checkpoint, proof: Sequence[bytes]) -> bool:
    """Whether the proof leads to the larger tree from another past than `before`."""
    roots = merkle.claimed_roots(old_size=before.size, size=after.size, proof=proof)
    return roots is not None and roots[1] == after.root and roots[0] != before.root


def differ(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether the two state different roots of one size."""
    return one.size == other.size and one.root != other.root
