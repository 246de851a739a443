"""The ways in which joining fails, each with its code: what happened, where, why, and what to do.

Decides words only. None of them holds the ticket, a key or anything else of the join line but the agency and the
address that the operator can see anyway.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.keyring import KeyFileUnusable
from adapters.node.link.redeem import OtherCertificate, Unreachable
from adapters.node.rpcs import CallFailed, CallFault
from homeward.failure import CommandFailure, ExitCode
from homeward.gateway.v1.enrollment_pb2 import Invitation

ROOT_DIFFERS: Final = "COUNTY_ROOT_DIFFERS"
_LINE: Final = "the join line"

_UNREACHABLE: Final[dict[str, tuple[str, str]]] = {
    "name": ("its name is not known to this machine", "check DNS, or ask the gateway's operator for the address"),
    "refused": ("nothing accepts the connection", "check the firewall toward this address, and that the gateway runs"),
    "time": ("no answer came", "check the firewall toward this address; outbound connections are enough"),
    "tls": ("what answers does not speak TLS", "check the address and port, and whether a proxy stands between"),
}


def line_broken(why: str) -> CommandFailure:
    """JOIN-001."""
    return CommandFailure(
        "JOIN-001",
        why,
        where=_LINE,
        why="the line is not as the gateway printed it",
        fix="copy it again, in one piece and in quotes; chat programs break it at the underscore",
        exit_code=ExitCode.USAGE,
    )


def line_expired(expired: datetime) -> CommandFailure:
    """JOIN-002, found here."""
    return CommandFailure(
        "JOIN-002",
        "this join line has expired",
        where=_LINE,
        why=f"it was good until {expired.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        fix="ask the gateway's operator for a new one: homeward gateway invite",
    )


def membership_unreadable(state: Path, why: str) -> CommandFailure:
    """JOIN-009."""
    return CommandFailure(
        "JOIN-009",
        "this directory holds a membership that cannot be read",
        where=str(state),
        why=why,
        fix="restore the directory from its backup: it knows under which names the exchange lists the agency's youths",
    )


def instance_malformed() -> CommandFailure:
    """JOIN-010."""
    return CommandFailure(
        "JOIN-010",
        "the instance name cannot be used",
        where="--instance",
        why="it becomes part of the adapter's identity",
        fix="use 1 to 32 of a-z, 0-9 and -, beginning with a letter or digit",
        exit_code=ExitCode.USAGE,
    )


def answer_unusable(why: str) -> CommandFailure:
    """JOIN-008."""
    return CommandFailure(
        "JOIN-008",
        "the exchange's answer cannot be used",
        where="the enrollment listener",
        why=why,
        fix="tell the gateway's operator; nothing of the answer was kept",
        exit_code=ExitCode.EVIDENCE,
    )


def receipt_unusable(why: str) -> CommandFailure:
    """JOIN-013."""
    return CommandFailure(
        "JOIN-013",
        "that this adapter joined is not proved by the exchange's log",
        where="the enrollment listener",
        why=why,
        fix="tell the gateway's operator and ask for a new line; nothing of the answer was kept",
        exit_code=ExitCode.EVIDENCE,
    )


def line_used_here() -> CommandFailure:
    """JOIN-003, found here."""
    return CommandFailure(
        "JOIN-003",
        "this join line was already used",
        where=_LINE,
        why="this directory joined with it, and its certificate counts no more",
        fix="ask the gateway's operator for a new one: homeward gateway invite",
    )


def of_another_exchange(state: Path, ours: str) -> CommandFailure:
    """JOIN-014."""
    return _other(state, f"the directory has joined {ours}, and the line is of another exchange, or of one made anew")


def of_another_agency(state: Path, ours: str, theirs: str) -> CommandFailure:
    """JOIN-014."""
    return _other(state, f"the directory is of {ours}, and the line invites {theirs}")


def of_another_instance(state: Path, ours: str) -> CommandFailure:
    """JOIN-014."""
    return _other(state, f"the directory is of adapter {ours}, and --instance names another", "leave --instance out")


def _other(state: Path, why: str, fix: str = "give --dir the directory that the line is for") -> CommandFailure:
    what = "this directory has joined as another member"
    return CommandFailure("JOIN-014", what, where=str(state), why=f"{why}; the line was not used", fix=fix)


def root_differs(file: Path) -> CommandFailure:
    """JOIN-007, found here."""
    return CommandFailure(
        "JOIN-007",
        "this is not the county's root key",
        where=str(file),
        why="another root certified this directory's keys; the line was not used",
        fix="give the county's own county-root.key with --county-root",
    )


def root_needed(state: Path) -> CommandFailure:
    """JOIN-015."""
    return CommandFailure(
        "JOIN-015",
        "the county's root key is needed",
        where=str(state),
        why="what it said of this directory's keys has expired, or never came back here; the line was not used",
        fix="bring county-root.key from where it is kept and give it with --county-root",
    )


def adapter_runs(state: Path) -> CommandFailure:
    """JOIN-016."""
    return CommandFailure(
        "JOIN-016",
        "the adapter of this directory is running",
        where=str(state),
        why="it would go on with the certificate that it has; the line was not used",
        fix="stop it, run the same command again, and start it",
    )


@contextmanager
def of_listener(address: str) -> Iterator[None]:
    """Inside, JOIN-004 for a listener that does not answer and JOIN-005 for another one than the line's."""
    try:
        yield
    except Unreachable as unreachable:
        why, fix = _UNREACHABLE[unreachable.why]
        raise CommandFailure(
            "JOIN-004",
            "the exchange cannot be reached",
            where=address,
            why=why,
            fix=fix,
            exit_code=ExitCode.UNREACHABLE,
        ) from unreachable
    except OtherCertificate as other:
        raise CommandFailure(
            "JOIN-005",
            "something else than the exchange of this line answers",
            where=address,
            why=f"its certificate was issued by {other.issuer} and is not the one in the line",
            fix="ask your network for a bypass of TLS inspection to this address; if there is none, call the operator",
            exit_code=ExitCode.EVIDENCE,
        ) from other


@contextmanager
def of_files(state: Path) -> Iterator[None]:
    """Inside, JOIN-011 for a key that cannot be used and JOIN-012 for a directory that cannot be written."""
    try:
        yield
    except KeyFileUnusable as unusable:
        raise CommandFailure(
            "JOIN-011",
            f"the key file {unusable.file} cannot be used",
            where=str(state),
            why=unusable.why,
            fix="make it readable for its owner alone (chmod 600), or restore it from the directory's backup",
        ) from unusable
    except OSError as error:
        raise CommandFailure(
            "JOIN-012",
            "the state directory cannot be written",
            where=str(state),
            why=error.strerror or "the system refused",
            fix="run this as the user of the adapter's service, or give --dir a directory of that user",
        ) from error


@contextmanager
def of_redeeming(invitation: Invitation) -> Iterator[None]:
    """Inside, what the exchange refuses becomes JOIN-002, 003, 006, 007, 017 to 019; anything else JOIN-004 or 008."""
    try:
        yield
    except CallFailed as failed:
        raise _refused(failed, invitation) from failed


_AGAIN: Final = "ask the gateway's operator for a new line: homeward gateway invite DIR {agency}"
_REFUSALS: Final = {
    "TICKET_EXPIRED": ("JOIN-002", "this join line has expired", "the exchange's clock is past its end", _AGAIN),
    "TICKET_USED": (
        "JOIN-003",
        "this join line was already used",
        "another key redeemed it",
        f"if that was this machine before: {_AGAIN}; if you do not know who it was, have {{agency}} revoked",
    ),
    "TICKET_UNKNOWN": (
        "JOIN-006",
        "the exchange does not know this join line",
        "it was withdrawn, or made by a gateway whose state was restored from before",
        _AGAIN,
    ),
    ROOT_DIFFERS: (
        "JOIN-007",
        "this county already has another root key",
        "an agency of the same county joined before, and a county has one root",
        "copy that agency's county-root.key here by a safe way and give it with --county-root",
    ),
    "ADAPTER_ENROLLED": (
        "JOIN-017",
        "{agency} has an adapter already",
        "an agency has one: two would end each other's link, and list every youth twice; the line was not used",
        "join in that adapter's directory; if it is gone, have {agency} revoked first",
    ),
    "YOUTHS_LISTED": (
        "JOIN-018",
        "{agency} has a list of youths, which another state directory made, or this one while it had records",
        "listed a second time, nobody could tell which of two is meant, nor end a flag; the line was not used",
        "join in that directory, with records, from its backup if need be; if it is lost, have {agency} revoked first",
    ),
    "FLAGS_OPEN": (
        "JOIN-019",
        "somebody looks for youths of {agency}",
        "a flag is ended under the handle that the directory which raised it alone knows; the line was not used",
        "restore that directory and join in it: its youths stay findable for 30 days; a new one is taken after 32",
    ),
}
"""Reasons of the exchange, each with code, what, why and fix."""


def _refused(failed: CallFailed, invitation: Invitation) -> CommandFailure:
    where = invitation.enrollment_address
    known = _REFUSALS.get(failed.reason)
    if known is not None:
        code, *words = known
        what, why, fix = (word.format(agency=invitation.agency) for word in words)
        return CommandFailure(code, what, where=where, why=why, fix=fix)
    if failed.fault in (CallFault.UNAVAILABLE, CallFault.TIMED_OUT, CallFault.EXHAUSTED):
        return CommandFailure(
            "JOIN-004",
            "the exchange cannot be reached",
            where=where,
            why="the connection broke while joining; the line is not lost by that",
            fix="run the same command again: the keys are kept, and the same key gets the same answer",
            exit_code=ExitCode.UNREACHABLE,
        )
    return answer_unusable(f"it refused the request ({failed.reason or failed.fault})")
