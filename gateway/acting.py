"""Runs an operator's act where the log can be written: in the process that serves, or here while none does.

A log has one writer. The lock says who it is: if it is free, the act opens the state itself; if not, the act goes to
the serving process over the admin socket. Decides also what an operator reads when something is refused: one table
from reasons to words.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from google.protobuf.message import Message

from audit.errors import EvidenceError
from gateway.cards import CardBroken
from gateway.errors import LOG_REFUSES, Error, ErrorReason
from gateway.protocol.parse import MalformedMessage, check
from gateway.protocol.ristretto import InvalidElement, LibraryUnavailable
from gateway.protocol.strict_yaml import DocumentErrors
from gateway.recovery.record import RecordRefused
from gateway.recovery.target import TargetRefused
from gateway.rpc.admin import AdminRefused
from gateway.state import LogInUse, State, StateBroken, StateExists
from gateway.store.youth_keys import YouthKeysBroken
from gateway.tokens.ceremony import ShareRefused
from gateway.tokens.holding import OneOperator
from gateway.tokens.share_file import OperatorRefused, ShareFileBroken
from homeward.failure import CommandFailure, ExitCode

Reply = TypeVar("Reply")

REFUSALS: Final[dict[str, tuple[str, str]]] = {
    ErrorReason.HOLDER_MISSING: (
        "an invitation pins the key of every other signer, and none is on record",
        "hand over the custodian's card: homeward gateway trust DIR --custodian-card FILE",
    ),
    ErrorReason.HOLDER_CONFLICT: (
        "the card does not go with the holders on record, or with the key that the gateway has a share of",
        "roots and keys must differ, and no operator makes tokens alone (one_operator); ask for the right card",
    ),
    ErrorReason.LOOKUPS_NOT_HELD: (
        "the look-ups of this agency are not held",
        "list the held agencies: homeward gateway status DIR",
    ),
    ErrorReason.EPOCH_STEP: (
        "the rotation of the token key is not at this step; the word above says what is missing",
        "see where it stands: homeward gateway epoch status DIR",
    ),
    ErrorReason.EPOCH_INCOMPLETE: (
        "these counties have not listed everybody in the new epoch, or are silent",
        "wait for them, or name each with --without: it counts as stale until it has",
    ),
    ErrorReason.MEMBER_UNKNOWN: (
        "no agency or adapter of this name ever enrolled",
        "list the members: homeward gateway status DIR",
    ),
    ErrorReason.INVALID_REQUEST: ("a value breaks the rule named above", "correct it and try again"),
    ErrorReason.LOG_UNAVAILABLE: (
        "the log has stopped; nothing may change that is not written down",
        "check the disk, then verify the log: homeward verify; then start the process again",
    ),
    ErrorReason.RECOVERING: (
        "the log's database is older than what the log has signed: it was put back, and nothing may be written to it",
        "stop the process, then heal it: homeward audit recover DIR --mirror MIRROR",
    ),
    ErrorReason.REVOCATION_HELD: (
        "the log takes no entry now; the revocation is on disk and takes effect before anything is disclosed",
        "nothing to repeat; start the gateway; what else it waits for: homeward gateway status DIR",
    ),
    ErrorReason.NOT_READY: (
        "nothing is written before agencies or witnesses that know the log were heard: it may have been put back",
        "start the gateway, and the adapters it waits for: homeward gateway status DIR names them",
    ),
    "UNAVAILABLE": ("the serving process did not answer on its socket", "look at its output, or stop it and try again"),
    "DEADLINE_EXCEEDED": ("the serving process did not answer in time", "look at its output, then try again"),
}

_ON_RECORD: Final = (
    "the county has other lines, which callers about the youths of all its agencies are given",
    "leave --duty-line and --hotline out; only if the county's own lines are others now: --change-lines",
)
_STEPS: Final[dict[str, tuple[str, str]]] = {
    "epoch: named": (
        "the newest directory that this custodian signed names every epoch of which a share is kept here",
        "the gateway ends one first: homeward gateway epoch finish, or abandon; give this again a few seconds later",
    ),
    "epoch: not_named": (
        "the newest directory names another epoch than that of the only share here, which is not erased",
        "add the share that was dealt for the epoch in force: homeward custodian epoch add DIR --share FILE",
    ),
    "epoch: unopened": (
        "no directory has named the epoch of this share yet: the gateway has still to open it",
        "wait for the gateway: homeward gateway epoch open; if that rotation was given up, give --unopened EPOCH",
    ),
    "kind: oversees_or_asks": (
        "an agency that asks would oversee, or the other way round: it would read what the answers to itself hid",
        "invite it under another name, as a member of its own with its own keys",
    ),
    "duty_line: on_record": _ON_RECORD,
    "hotline: on_record": _ON_RECORD,
    "directory: none": (
        "no directory is signed yet, so that no epoch is in force",
        "finish setting the exchange up: homeward gateway trust, and a first member",
    ),
    "share: open": (
        "a share of another epoch lies here already",
        "end or give up that rotation first; at a custodian then: homeward custodian epoch finish DIR",
    ),
    "share: refresh": ("a refresh of the shares is under way", "finish it at every holder first: refresh DIR --finish"),
    "share: share_index": ("the share was dealt to another holder", "take the share with this holder's number"),
    "share: same_key": (
        "the share is of the key in force, so that nothing would be rotated",
        "deal a new key: homeward custodian deal --epoch NAME --out DIR",
    ),
}
"""Of EPOCH_STEP, where the word that comes with it says more; what a custodian's operator reads is here."""


def act(
    state: State,
    *,
    here: Callable[[], Coroutine[Any, Any, Reply]],
    there: Callable[[Path], Reply],
) -> Reply:
    """What the act gives, run in whichever process may write the log. Raises `CommandFailure`."""
    check_there(state)
    try:
        with state.writing():
            return asyncio.run(here())
    except LogInUse:
        return _ask(state, there)
    except Error as exc:
        raise refusal(state, exc.reason, exc.fields) from exc
    except tuple(_BROKEN) as exc:
        raise broken(state, exc) from exc


def check_there(state: State) -> None:
    """The directory holds a process of its kind. Raises `CommandFailure`."""
    if not state.database.exists():
        raise failure(
            "STATE-001", f"there is no {state.kind} here", state, why="its database is missing", fix="check the path"
        )


def check_request(request: Message) -> None:
    """The request keeps the rules of its .proto. Raises `CommandFailure` that says what each wrong value looks like."""
    try:
        check(request)
    except MalformedMessage as exc:
        raise wrong_option(*(_LOOKS.get(field.split(":")[0], field) for field in exc.fields)) from exc


def wrong_option(*faults: str) -> CommandFailure:
    """Values given to the command that runs break a rule. Each fault begins with the name of its option."""
    command = click.get_current_context().command_path
    return CommandFailure(
        "USAGE-001",
        "an option breaks its rule",
        where=" ".join((command, *(fault.split(maxsplit=1)[0].rstrip(":") for fault in faults))),
        why="; ".join(faults),
        fix=f"{command} --help shows how it is written",
        exit_code=ExitCode.USAGE,
    )


_LOOKS: Final[dict[str, str]] = {
    "agency": "AGENCY looks like 06037.cwa: five digits of the county, a point, a short name",
    "duty_line": "--duty-line looks like +15550100101",
    "hotline": "--hotline looks like +15550100102",
    "life": "--expires takes 1m to 24h",
    "subject": "SUBJECT looks like 06037.cwa, or like spiffe://exchange.example/county/06037/cwa/adapter/a1",
    "without_counties": "--without looks like 06037: five digits",
    "fips": "COUNTY looks like 06037: five digits",
    "unopened_epoch": "--unopened looks like e2: 1 to 32 of a-z 0-9 -",
    "root_fingerprint": "--root is 64 hexadecimal digits, all that the county reads out",
}
"""What a value of an operator's command looks like, by the field it goes into."""


_LACKING: Final[dict[str, str]] = {
    "duty_line: first_of_county": "--duty-line is needed for the first agency of a county, such as +15550100101",
    "hotline: first_of_county": "--hotline is needed for the first agency of a county, such as +15550100102",
}
"""What a field that only the log's state makes necessary means to whoever left the option out."""


def _ask(state: State, there: Callable[[Path], Reply]) -> Reply:
    try:
        return there(state.admin_socket)
    except AdminRefused as exc:
        raise refusal(state, exc.reason, exc.fields) from exc


def refusal(state: State, reason: str, fields: tuple[str, ...]) -> CommandFailure:
    """The words for a refused act."""
    lacking = [_LACKING[field] for field in fields if field in _LACKING]
    if lacking:
        return wrong_option(*lacking)
    step = next((_STEPS[field] for field in fields if field in _STEPS), None)
    unknown = ("the act was refused for this reason", "see the reason in the documentation")
    why, fix = step or REFUSALS.get(reason, unknown)
    what = f"refused: {reason}" + (f" ({', '.join(fields)})" if fields else "")
    return failure("ADMIN-001", what, state, why=why, fix=fix, exit_code=_exit_code(reason))


def _exit_code(reason: str) -> ExitCode:
    unreachable = reason in ("UNAVAILABLE", "DEADLINE_EXCEEDED", *LOG_REFUSES)
    return ExitCode.UNREACHABLE if unreachable else ExitCode.DENIED


_BROKEN: Final[dict[type[Exception], tuple[str, str, str]]] = {
    DocumentErrors: ("CONFIG-001", "the settings are not valid", "correct the file at the places named"),
    OneOperator: (
        "HOLDER-001",
        "one operator runs as many holders as make a token",
        "let other organizations hold the other shares; only a demonstration (demo: true) may be run like this",
    ),
    StateBroken: ("STATE-002", "a file of the state cannot be used", "restore it from your backup of secrets"),
    StateExists: ("STATE-003", "there is already something at this place", "name an empty directory"),
    LogInUse: ("STATE-004", "another process has the log", "stop that process first; one alone may append"),
    EvidenceError: (
        "STATE-005",
        "the log must not go on as it is",
        "run: homeward audit fsck {dir}, then homeward audit recover {dir} as it says",
    ),
    CardBroken: ("CARD-001", "the file is not a card", "ask its operator for card.json of their directory"),
    ShareFileBroken: ("SHARE-001", "the file is not a share", "take the file that `homeward custodian deal` wrote"),
    ShareRefused: ("SHARE-002", "the share is not what its dealer promised", "repeat the ceremony"),
    OperatorRefused: (
        "SHARE-003",
        "this operator must not hold this share",
        "take the share that was dealt to this operator; another organization runs the custodian",
    ),
    InvalidElement: ("SHARE-002", "the share is not what its dealer promised", "repeat the ceremony"),
    RecordRefused: (
        "RECORD-001",
        "the log's high-water record cannot be used",
        "mount its storage, or put the file back; if it is lost: homeward audit recover {dir} --explain 'why'",
    ),
    TargetRefused: (
        "MIRROR-001",
        "no mirror is kept there",
        "mount the storage and make the directory below its mount point; mirror.same_file_system is for a trial",
    ),
    LibraryUnavailable: ("HOST-001", "libsodium cannot be used", "install libsodium 1.0.18 or newer, or rbcl"),
    YouthKeysBroken: (
        "STATE-007",
        "keys.db is missing, does not open, or is not of this log",
        "restore keys.db from its newest backup, and secrets/youth-wrap.key from that of the secrets",
    ),
    OSError: ("STATE-006", "a file or address cannot be used", "check that it exists, is free, and is yours to use"),
}


def broken(state: State, error: Exception, *, file: Path | None = None) -> CommandFailure:
    """The words for a state, or a file given with it, that cannot be used. `error` is of a class in the table."""
    code, what, fix = next(row for kind, row in _BROKEN.items() if isinstance(error, kind))
    exit_code = next((given for kind, given in _EXIT_CODES.items() if isinstance(error, kind)), ExitCode.FAILED)
    fix = (error.fix if isinstance(error, StateBroken) else "") or fix.format(dir=state.directory)
    return failure(code, what, state, why=str(error) or type(error).__name__, fix=fix, exit_code=exit_code, file=file)


_EXIT_CODES: Final = {
    EvidenceError: ExitCode.EVIDENCE,
    RecordRefused: ExitCode.EVIDENCE,
    OperatorRefused: ExitCode.DENIED,
}
BROKEN: Final = tuple(_BROKEN)
"""Errors that `broken` has words for."""


def failure(
    code: str,
    what: str,
    state: State,
    *,
    why: str,
    fix: str,
    exit_code: ExitCode = ExitCode.FAILED,
    file: Path | None = None,
) -> CommandFailure:
    """A failure at this state's directory, or at the file given with it."""
    return CommandFailure(code, what, where=str(file or state.directory), why=why, fix=fix, exit_code=exit_code)
