"""A larger checkpoint that the log signed and that nobody has shown to continue what was cosigned.

A log that forked sends such a one, with a proof that does not hold; so does a stranger, with a genuine checkpoint and
noise for a proof. Decides how the two are told apart, in nothing but C2SP tlog-witness. From then on the witness
cosigns nothing of this log until the log has shown, for one checkpoint, a proof from what was cosigned and a proof from
the one in doubt: so both lie on one history. For the proof that is missing it asks as it asks for any other size, with
409 and the size to prove from. An honest log has both, and needs one request more. A log that forked has one of them at
most, whatever it sends, and is cosigned no more; where its proof says which past it claims, that proves the fork to
anybody.

The first doubt stands until it is settled, and of each proof only a larger checkpoint takes the place of one proven
before: a stranger, who has nothing but the log's own checkpoints of before, can undo neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from audit.checkpoint import Checkpoint
from audit.fork import Fork, continues, differ, proves_fork, read_checkpoint
from audit.submission import Submission, parse_submission


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One doubt about a log: notes that the log signed, as texts."""

    kept: str = field(repr=False)
    """Cosigned last."""
    shown: str = field(repr=False)
    """The whole request with the checkpoint in doubt."""
    seconds: int
    from_kept: str = field(default="", repr=False)
    """The largest checkpoint that was proven from `kept`; empty for none."""
    from_doubted: str = field(default="", repr=False)
    """The largest that was proven from the one in doubt; empty for none."""

    @property
    def doubted(self) -> str:
        """The note in doubt."""
        return parse_submission(self.shown.encode()).note

    def fork(self) -> Fork:
        """The doubt as what it may be."""
        return Fork(self.kept, self.shown, self.seconds)


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is left of the doubt: None when the checkpoint of the request may be cosigned."""

    suspicion: Suspicion | None
    size: int = 0
    """From which size the log should prove next; 0 where what it sent proves nothing."""


def weigh(doubt: Suspicion, submission: Submission, checkpoint: Checkpoint, note: str, *, now: int) -> Weighed | Fork:
    """What a request makes of a doubt. `note` is the log's own of `checkpoint`, verified."""
    kept, doubted = read_checkpoint(doubt.kept), read_checkpoint(doubt.doubted)
    for each in (doubt.doubted, doubt.from_kept, doubt.from_doubted):
        if each and differ(read_checkpoint(each), checkpoint):
            return Fork(each, note, now)
    if checkpoint.size < doubted.size:
        # Older than what is in doubt: it can show nothing of it.
        return Weighed(doubt, doubted.size)
    if submission.old_size not in (kept.size, doubted.size):
        return Weighed(doubt, kept.size)
    from_kept = submission.old_size == kept.size
    start, text = (kept, doubt.kept) if from_kept else (doubted, doubt.doubted)
    if not continues(start, checkpoint, submission.proof):
        if proves_fork(start, checkpoint, submission.proof):
            return Fork(text, submission.with_note(note).encode().decode(), now)
        return Weighed(doubt)
    proven = _with(doubt, checkpoint, note, from_kept=from_kept)
    shown = [each and read_checkpoint(each) for each in (proven.from_kept, proven.from_doubted)]
    if shown == [checkpoint, checkpoint] or (from_kept and checkpoint == doubted):
        return Weighed(None)
    return Weighed(proven, doubted.size if from_kept else kept.size)


def _with(doubt: Suspicion, checkpoint: Checkpoint, note: str, *, from_kept: bool) -> Suspicion:
    before = doubt.from_kept if from_kept else doubt.from_doubted
    if before and read_checkpoint(before).size > checkpoint.size:
        return doubt
    return replace(doubt, from_kept=note) if from_kept else replace(doubt, from_doubted=note)
