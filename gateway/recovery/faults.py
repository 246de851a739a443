"""What `homeward audit fsck`, `mirror` and `recover` say where something does not hold.

Decides what an operator does about each way of not verifying: a row for every reason, so that none of them can end
without it. What an outsider does is in `audit.remedy`, which also has the names. A copy comes first wherever somebody
may have tampered: what is healed over is no evidence any more.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from audit.errors import Copy, CopyBroken, EvidenceError, EvidenceReason
from audit.remedy import NAMES, code_of
from gateway.config import CUSTODIAN_FILE
from homeward.failure import CommandFailure, ExitCode

_DAMAGED: Final = (
    "keep a copy of {dir} and tell the counties and the state's auditor; put the newest sound backup of its database "
    "in its place, or where there is none take it away, and heal it: homeward audit recover {dir} --mirror MIRROR"
)
_LOST: Final = "homeward audit recover {dir} --declare-loss FILE"
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
    EvidenceReason.SIZE: (
        "where nothing is lost start the process; where the log went on declare what is lost anew; a log without an "
        "entry needs no mirror"
    ),
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
        "--mirror MIRROR; if none has, declare the rest lost: " + _LOST + ", with --mirror for the newest there is"
    ),
    EvidenceReason.STORE: (
        "check path, permissions and disk; what is gone comes back from your backup, and what that lacks, or a whole "
        "database that is gone, from the mirror: homeward audit recover {dir} --mirror MIRROR"
    ),
    EvidenceReason.UNREACHABLE: "check the address and the network, and try again",
    EvidenceReason.WITNESS: _WITNESSES,
    EvidenceReason.STALE: _WITNESSES,
    EvidenceReason.CONSISTENT: "nothing: these two do not contradict each other",
    EvidenceReason.UNPROVEN: "rely on nothing in that proof; compare its two statements: homeward audit contradict",
    EvidenceReason.PROJECTION: (
        "keep a copy of {dir}: somebody wrote to its database past the log; where a key or its count is what is gone "
        "put the newest keys.db back; else stop the process and take the tables from a mirror that has every entry: "
        "homeward audit recover {dir} --mirror MIRROR; if none has, declare rows lost, and no entry: "
        + _LOST
        + ", with --mirror where the database is gone"
    ),
    EvidenceReason.STOPPED: "mend what stopped it, then: homeward audit recover {dir} --explain 'why it had stopped'",
}


_OF_CUSTODIANS: Final[Mapping[EvidenceReason, str]] = {
    EvidenceReason.ROLLBACK: (
        "stop the process and heal it from a mirror that has all that was signed for: homeward audit recover {dir} "
        "--mirror MIRROR; of a custodian's log no loss is declared: without such a mirror keep {dir} as it is, and "
        "tell the gateway's operator and the state's auditor"
    ),
}
"""Where a custodian's operator does something else: its log does not go on under another origin."""
_OF_COPIES: Final[Mapping[Copy, str]] = {
    Copy.MIRROR: (
        "check that its storage is mounted; if it is damaged keep a copy of {copy}. Where the log holds without it "
        "(homeward audit fsck {dir}), begin another: homeward audit mirror {dir} MIRROR; else heal from another mirror"
    ),
    Copy.PUBLISHED: (
        "the database holds: keep a copy of {copy} if somebody may have changed it, then start the gateway again, "
        "which writes damaged files anew"
    ),
}
_DAMAGE: Final = frozenset(
    {reason for reason, fix in FIXES.items() if fix is _DAMAGED}
    | {EvidenceReason.FORMAT, EvidenceReason.STORE, EvidenceReason.TIME}
)
"""Reasons that of a copy say no more than that its bytes changed. Another history is another matter."""


def does_not_hold(fault: EvidenceError, directory: Path) -> CommandFailure:
    """Returns the words for what does not hold in this directory, or in what it was compared with."""
    place, fix = directory, FIXES[fault.reason]
    if (directory / CUSTODIAN_FILE).is_file():
        fix = _OF_CUSTODIANS.get(fault.reason, fix)
    if isinstance(fault, CopyBroken):
        place = fault.directory
        fix = _OF_COPIES[fault.copy] if fault.reason in _DAMAGE else fix
    return CommandFailure(
        code_of(fault),
        NAMES[fault.reason],
        where=f"entry {fault.index}, {place}" if fault.index is not None else str(place),
        why=str(fault),
        fix=fix.format(dir=directory, copy=place),
        exit_code=ExitCode.EVIDENCE,
    )
