"""What each way of not verifying is called, and what whoever was given the evidence does about it.

Decides the words: a row for every reason, so that no command can end without saying what to do. An operator, who has
the log itself, does other things; that table stands with the operator's commands, under the same names. Imports nothing
of ours but the reasons, so that `python -m audit` says the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audit.errors import EvidenceError, EvidenceReason

_AGAIN: Final = (
    "fetch it once more; if it stays, keep this copy and tell the agencies of this log, not its operator alone"
)
_HISTORIES: Final = "keep both; homeward audit contradict makes of two statements a proof that needs nobody's word"
_WITNESSES: Final = "try again in a minute; if it stays, ask the witnesses of the policy what they have seen"
_OPERATOR: Final = "tell the log's operator, who runs: homeward audit fsck DIR"

NAMES: Final[Mapping[EvidenceReason, str]] = {
    EvidenceReason.FORMAT: "something is not in the form that it must have",
    EvidenceReason.LEAF: "an entry is not what its leaf says",
    EvidenceReason.BODY: "what stands beside a leaf is not what the leaf commits to",
    EvidenceReason.TIME: "times go back",
    EvidenceReason.GAP: "an entry is missing, or not in its place",
    EvidenceReason.NODE: "a hash of the tree does not follow from the entries",
    EvidenceReason.ROOT: "the root does not follow from the entries",
    EvidenceReason.SIZE: "there are not the entries that there must be",
    EvidenceReason.SIGNATURE: "a signature does not hold",
    EvidenceReason.ORIGIN: "it is of another log or key, or of a log that was closed",
    EvidenceReason.INCLUSION: "an entry is not proven to be in the tree",
    EvidenceReason.CONSISTENCY: "two histories: the one does not continue the other",
    EvidenceReason.OPENING: "something does not open with the key or to the digest that it must",
    EvidenceReason.SEQUENCE: "the numbers of an agency have a gap",
    EvidenceReason.ROLLBACK: "less of the log is here than was signed for",
    EvidenceReason.STORE: "a file or database is missing, or cannot be used",
    EvidenceReason.UNREACHABLE: "nobody answers at this address",
    EvidenceReason.WITNESS: "too few witnesses cosigned",
    EvidenceReason.STALE: "the cosignatures are too old",
    EvidenceReason.CONSISTENT: "the two do not contradict each other",
    EvidenceReason.UNPROVEN: "a proof does not prove what it says",
    EvidenceReason.PROJECTION: "a table is not what the entries say",
    EvidenceReason.STOPPED: "the log has stopped, and nobody has explained why",
}

FIXES: Final[Mapping[EvidenceReason, str]] = {
    EvidenceReason.FORMAT: _AGAIN,
    EvidenceReason.LEAF: _AGAIN,
    EvidenceReason.BODY: _AGAIN,
    EvidenceReason.TIME: _AGAIN,
    EvidenceReason.GAP: _AGAIN,
    EvidenceReason.NODE: _AGAIN,
    EvidenceReason.ROOT: _AGAIN,
    EvidenceReason.SIZE: "copy the database together with the -wal file beside it",
    EvidenceReason.SIGNATURE: "compare --log-key with the key that agencies hold; if it is right, rely on nothing here",
    EvidenceReason.ORIGIN: "give --log-key the key of this log, from a trusted place",
    EvidenceReason.INCLUSION: _AGAIN,
    EvidenceReason.CONSISTENCY: _HISTORIES,
    EvidenceReason.OPENING: _AGAIN,
    EvidenceReason.SEQUENCE: _AGAIN,
    EvidenceReason.ROLLBACK: "keep the checkpoint that you gave: it proves what was signed; tell the agencies",
    EvidenceReason.UNREACHABLE: "check the address and the network, and try again; nothing was verified",
    EvidenceReason.STORE: "check the path or address, that it is whole, and that it is yours to read or write",
    EvidenceReason.WITNESS: _WITNESSES,
    EvidenceReason.STALE: _WITNESSES,
    EvidenceReason.CONSISTENT: "nothing; compare statements of later or larger trees",
    EvidenceReason.UNPROVEN: "rely on nothing in it; its two statements by themselves: homeward audit contradict",
    EvidenceReason.PROJECTION: _OPERATOR,
    EvidenceReason.STOPPED: _OPERATOR,
}

NO_STATEMENT: Final = "give two receipts or checkpoints of this log as they were handed out, and its own --log-key"
"""What to do where a file is no statement of the log, whatever is wrong with it, unless it could not be read at all."""


def shown_slip(why: str, *, command: str, as_json: bool) -> str:
    """Returns what is printed where nothing was verified because the command cannot be used like this."""
    error = {"code": "USAGE-005", "what": "the command cannot be used like this"}
    parts = {"where": command, "why": why, "fix": f"{command} --help shows how it is written"}
    if as_json:
        return json.dumps({"ok": False, "exit_code": 2, "error": {**error, **parts}})
    return "\n".join([f"FAIL  {error['code']}  {error['what']}", *_aligned(parts)])


def _aligned(parts: Mapping[str, str]) -> list[str]:
    return [f"      {name:<6} {value}" for name, value in parts.items()]


@dataclass(frozen=True, slots=True)
class Told:
    """A fault as a command tells it: the four parts of every failure of `homeward`."""

    fault: EvidenceError
    where: str
    fix: str
    exit_code: int

    def shown(self, *, as_json: bool) -> str:
        """Returns what is printed: four lines, or one JSON object."""
        return self._json() if as_json else self._text()

    @property
    def _parts(self) -> dict[str, str]:
        place = f"entry {self.fault.index}, " if self.fault.index is not None else ""
        return {"where": place + self.where, "why": str(self.fault), "fix": self.fix}

    def _text(self) -> str:
        first = f"FAIL  {code_of(self.fault)}  {NAMES[self.fault.reason]}"
        return "\n".join([first, *_aligned(self._parts)])

    def _json(self) -> str:
        error = {"code": code_of(self.fault), "what": NAMES[self.fault.reason], **self._parts}
        found = {"reason": self.fault.reason.value, "index": self.fault.index}
        return json.dumps({"ok": False, "exit_code": self.exit_code, "error": error, **found})


def code_of(fault: EvidenceError) -> str:
    """Returns the code by which a fault is searched for."""
    return f"AUDIT-{fault.reason}"
