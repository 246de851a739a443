"""Two statements of one log that cannot both be true: proof of misbehavior that needs nobody's word.

Decides what a receipt, a checkpoint or a request to a witness says about the tree (the hash over every range of entries
that its proof passes), and that two of them contradict each other exactly if they give one range two hashes. The log
signed both, and SHA-256 has no known collisions, so it showed two histories. Not every pair of inconsistent trees meets
in a range: that two statements do not contradict each other proves nothing, and is said so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.errors import EvidenceError, EvidenceReason
from audit.note import encode_base64
from audit.receipt import HEADER, Receipt, parse_receipt
from audit.strict_json import is_same, read_json
from audit.submission import parse_submission

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Statement:
    """What the log has signed for: a receipt or a checkpoint, verified. `ranges` are (start, end) with their hash."""

    text: str = field(repr=False)
    kind: str
    checkpoint: Checkpoint
    ranges: dict[Range, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two statements that give one range of entries (end exclusive) two hashes."""

    key: LogKey
    first: Statement
    second: Statement
    range: Range

    def sentence(self) -> str:
        """Returns in words what is proven."""
        start, end = self.range
        what = f"entry {start}" if end == start + 1 else f"the entries {start} to {end - 1}"
        return f"{self.key.origin} signed two contents for {what}"

    def document(self) -> str:
        """Returns the proof as JSON: both statements whole, so that anybody can repeat the comparison."""
        start, end = self.range
        proof = {
            "proof_of": "two histories signed by one log",
            "origin": self.key.origin,
            "log_key": self.key.vkey(),
            "first_entry": start,
            "last_entry": end - 1,
            "statements": [
                {"kind": each.kind, "says": encode_base64(each.ranges[self.range]), "text": each.text}
                for each in (self.first, self.second)
            ],
        }
        return json.dumps(proof, indent=1) + "\n"


def read_statement(text: str, key: LogKey) -> Statement:
    """Returns what an untrusted receipt, checkpoint or request says, after verifying it. Raises EvidenceError."""
    if text.startswith(HEADER):
        receipt = parse_receipt(text)
        checkpoint = receipt.verify(key)
        return Statement(text, "receipt", checkpoint, _ranges(receipt, checkpoint))
    if text.startswith("old "):
        return _continuation(text, key)
    checkpoint = parse_checkpoint(text, key)
    return Statement(text, "checkpoint", checkpoint, {(0, checkpoint.size): checkpoint.root})


def _continuation(text: str, key: LogKey) -> Statement:
    submission = parse_submission(text.encode())
    checkpoint = parse_checkpoint(submission.note, key)
    ranges = {(0, checkpoint.size): checkpoint.root}
    roots = merkle.claimed_roots(old_size=submission.old_size, size=checkpoint.size, proof=submission.proof)
    # A proof that leads elsewhere says nothing: anybody may have written it.
    if roots is not None and roots[1] == checkpoint.root:
        ranges[0, submission.old_size] = roots[0]
    return Statement(text, "request to a witness", checkpoint, ranges)


def contradiction(first: Statement, second: Statement, key: LogKey) -> Contradiction | None:
    """Returns the proof that the two cannot both be true, by their smallest common range; None if there is none."""
    common = sorted(first.ranges.keys() & second.ranges.keys(), key=lambda each: (each[1] - each[0], each))
    for found in common:
        if first.ranges[found] != second.ranges[found]:
            return Contradiction(key, first, second, found)
    return None


def find_contradiction(first: str, second: str, key: LogKey) -> Contradiction:
    """Returns the proof in two untrusted texts. Raises EvidenceError(CONSISTENT) where they do not contradict."""
    found = contradiction(read_statement(first, key), read_statement(second, key), key)
    if found is None:
        text = "the two statements do not contradict each other; that proves nothing about what neither shows"
        raise EvidenceError(EvidenceReason.CONSISTENT, text)
    return found


def read_proof(text: str, key: LogKey) -> Contradiction:
    """Returns what an untrusted document of `Contradiction.document` proves, after comparing its statements again.

    Raises EvidenceError: ORIGIN where it is about another log or key, UNPROVEN where it says what does not follow.
    """
    try:
        said = read_json(text)
        if not isinstance(said, dict):
            raise TypeError
        texts = [each["text"] for each in said["statements"]]
        # JSON can write half a character, which no statement holds.
        "".join(texts).encode()
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise EvidenceError(EvidenceReason.FORMAT, "not a proof of two histories") from exc
    if len(texts) != 2:
        raise EvidenceError(EvidenceReason.FORMAT, "a proof of two histories has two statements")
    if (said.get("origin"), said.get("log_key")) != (key.origin, key.vkey()):
        raise EvidenceError(EvidenceReason.ORIGIN, "the proof is about another log, or names another key")
    first, second = (read_statement(each, key) for each in texts)
    found = contradiction(first, second, key)
    if found is None:
        raise EvidenceError(EvidenceReason.UNPROVEN, "its two statements do not contradict each other")
    if not is_same(json.loads(found.document()), said):
        raise EvidenceError(EvidenceReason.UNPROVEN, f"{found.sentence()}, and the proof says otherwise")
    return found


def _ranges(receipt: Receipt, checkpoint: Checkpoint) -> dict[Range, bytes]:
    """The hash over every range on the way from the leaf to the root (RFC 6962 section 2.1.1), siblings included."""
    start, end = receipt.index, receipt.index + 1
    current = merkle.leaf_hash(receipt.leaf)
    found = {(start, end): current}
    plan = merkle.inclusion_plan(receipt.index, checkpoint.size)
    for group, sibling in zip(plan, receipt.inclusion_hashes, strict=True):
        low = group[0][1] << group[0][0]
        high = (group[-1][1] + 1) << group[-1][0]
        found[low, high] = sibling
        current = merkle.node_hash(sibling, current) if high == start else merkle.node_hash(current, sibling)
        start, end = min(start, low), max(end, high)
        found[start, end] = current
    return found
