"""What `homeward audit fsck`, `mirror` and `recover` say where something does not hold.

Decides what an operator does about each way of not verifying: a row for every reason, so that none of them can end
without it. What an outsider does is in `audit.remedy`, which also has the names. A copy comes first wherever somebody
may have tampered: what is healed over is no evidence any more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from audit.errors import EvidenceError, EvidenceReason
from audit.remedy import NAMES, code_of
from homeward.failure import CommandFailure, ExitCode

_DAMAGED: Final = (
    "keep a copy of {dir} and tell the counties and the state's auditor; put the newest sound backup in its place, and "
    "heal it: homeward audit recover {dir} --mirror MIRROR"
)
_NOT_OURS: Final = "give the files of this log: mirror, checkpoint, declaration; if they are its own, keep copies"
_WITNESSES: Final = "homeward gateway status {dir} shows each witness"

FIXES: Final[Mapping[EvidenceReason, str]] = {
    EvidenceReason.FORMAT: (
        "a declared loss needs both operators: homeward custodian sign-loss DIR FILE; of a checkpoint take another "
        "copy, and begin another mirror: homeward audit mirror {dir} MIRROR"
    ),
    EvidenceReason.LEAF: _DAMAGED,
    EvidenceReason.BODY: _DAMAGED,
    EvidenceReason.TIME: "set the clock right; if it is, keep a copy of {dir} and tell the state's auditor",
    EvidenceReason.GAP: _DAMAGED,
    EvidenceReason.NODE: _DAMAGED,
    EvidenceReason.ROOT: _DAMAGED,
    EvidenceReason.SIZE: "take a mirror that is newer than the database; a log without an entry needs none",
    EvidenceReason.SIGNATURE: _NOT_OURS,
    EvidenceReason.ORIGIN: _NOT_OURS,
    EvidenceReason.INCLUSION: _DAMAGED,
    EvidenceReason.CONSISTENCY: (
        "keep copies of {dir} and of what it was compared with, merge nothing, stop the process, and tell the counties "
        "and the state's auditor: a checkpoint of either is proof"
    ),
    EvidenceReason.OPENING: (
        "of a mirror put secrets/mirror.key back from its third place, or begin another mirror; of the log keep a copy "
        "of {dir} and tell the counties and the state's auditor"
    ),
    EvidenceReason.SEQUENCE: _DAMAGED,
    EvidenceReason.ROLLBACK: (
        "stop the process and heal it from a mirror that has all that was signed for: homeward audit recover {dir} "
        "--mirror MIRROR; if none has: homeward audit recover {dir} --declare-loss FILE"
    ),
    EvidenceReason.STORE: (
        "check path, permissions and disk; what is gone comes back from your backup, and what that lacks from the "
        "mirror: homeward audit recover {dir} --mirror MIRROR"
    ),
    EvidenceReason.WITNESS: _WITNESSES,
    EvidenceReason.STALE: _WITNESSES,
    EvidenceReason.CONSISTENT: "nothing: these two do not contradict each other",
    EvidenceReason.PROJECTION: (
        "keep a copy of {dir}: somebody wrote to its database past the log; stop the process and take the tables from "
        "the mirror: homeward audit recover {dir} --mirror MIRROR"
    ),
    EvidenceReason.STOPPED: "mend what stopped it, then: homeward audit recover {dir} --explain 'why it had stopped'",
}


def does_not_hold(fault: EvidenceError, directory: Path) -> CommandFailure:
    """Returns the words for what does not hold in this directory, or in what it was compared with."""
    return CommandFailure(
        code_of(fault),
        NAMES[fault.reason],
        where=f"entry {fault.index}, {directory}" if fault.index is not None else str(directory),
        why=str(fault),
        fix=FIXES[fault.reason].format(dir=directory),
        exit_code=ExitCode.EVIDENCE,
    )
