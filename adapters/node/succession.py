"""The exchange's log goes on under another origin: whether this adapter believes it, and what begins anew then.

Decides when a directory that names another log counts. From the log that was in force here a chain of declarations
leads to the one it names, and each of them

1. is signed by two operators, the gateway's and another holder's, under the pins of joining
2. holds a checkpoint that the closed log signed, of the size it states
3. is about no less than this adapter cosigned of that log: what was witnessed is not quietly left out of the loss

Otherwise the directory is refused, whoever signed it. After it the newest checkpoint is of the new log alone, what this
agency had seen of the entries that are left must be shown to it again, and every youth is listed again. Receipts of the
closed log stay; they verify under its key.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select

from adapters.node.own_authorities import begin_again
from adapters.node.own_reports import make_reports_due
from adapters.node.store import drop_setting, get_setting, put_setting
from adapters.node.tables import awaited_entry, own_entry, own_flag, registration, work
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.errors import EvidenceError
from gateway.protocol.directory import DirectoryInvalid, DirectoryView, Pins
from gateway.protocol.succession import ALERTS_OF_A_LOG, SuccessionInvalid, follow, read_succession
from homeward.gateway.v1.directory_pb2 import Directory, LogSuccession, SignedDirectory, SignedSuccession

DIRECTORY: Final = "directory"
"""Setting of the directory in force."""
NEWEST_CHECKPOINT: Final = "newest-checkpoint"
_LOGS: Final = "log-successions"
Cosigned = Callable[[str], Checkpoint | None]
"""The newest checkpoint of the log of this origin that this adapter cosigned."""


def log_of(view: DirectoryView) -> LogKey:
    """The exchange's log, as the directory names it."""
    return LogKey(view.message.log_origin, view.message.log_key)


def check_succession(view: DirectoryView, before: LogKey, pins: Pins, cosigned: Cosigned) -> int:
    """The log of `view` goes on where `before` was closed; how many entries of that are left.

    Raises `DirectoryInvalid` (log).
    """
    try:
        reached, path = follow(
            view.message.successions,
            (before.origin, before.raw),
            trust_domain=view.trust_domain,
            gateway_key=pins.gateway_key,
            holder_keys=pins.holder_keys,
        )
    except SuccessionInvalid as exc:
        raise DirectoryInvalid("log") from exc
    for message in path:
        _check_closed(message, cosigned(message.closed_origin))
    if LogKey(*reached) != log_of(view):
        raise DirectoryInvalid("log")
    return min(message.kept_count for message in path)


def check_first(view: DirectoryView) -> None:
    """The losses that the first directory here names lead, one to the next, to the log it names.

    That they happened is the word of all who signed the directory: whoever joins later has nothing to hold against it,
    and holders of then may be holders no more. Raises `DirectoryInvalid` (log).
    """
    try:
        path = [read_succession(signed.succession) for signed in view.message.successions]
    except SuccessionInvalid as exc:
        raise DirectoryInvalid("log") from exc
    begun = [(message.closed_origin, message.closed_key) for message in path[1:]]
    named = view.message.log_origin, view.message.log_key
    if [(message.log_origin, message.log_key) for message in path] != [*begun, named][: len(path)]:
        raise DirectoryInvalid("log")


@dataclass(frozen=True, slots=True)
class Logs:
    """The logs that the exchange had, as this adapter followed from one to the other, or was told when it joined."""

    closed: tuple[LogSuccession, ...]

    def stands(self, origin: str, index: int) -> bool:
        """Whether an entry of the log of this origin is at the same position in the one in force."""
        for message in self.closed:
            if message.closed_origin == origin:
                if index >= message.kept_count:
                    return False
                origin = message.log_origin
        return True

    def origin_of_alert(self, sequence: int) -> str:
        """Origin of the closed log whose entry an alert of this number is of; empty for the log in force."""
        number = sequence // ALERTS_OF_A_LOG
        return self.closed[number].closed_origin if number < len(self.closed) else ""

    @property
    def first_alert(self) -> int:
        """Number of the first alert of the log in force."""
        return len(self.closed) * ALERTS_OF_A_LOG + 1


def logs_of(connection: Connection) -> Logs:
    """What is on disk of them."""
    declared = Directory.FromString(get_setting(connection, _LOGS) or b"").successions
    return Logs(tuple(read_succession(signed.succession) for signed in declared))


def forget_joining(connection: Connection) -> None:
    """While no directory was accepted, what joining awaited and compared is dropped."""
    if get_setting(connection, DIRECTORY) is None:
        connection.execute(delete(awaited_entry))
        drop_setting(connection, NEWEST_CHECKPOINT)


def is_followed(connection: Connection, origin: str) -> bool:
    """Whether positions kept here are of the log of this origin; of any, while no directory was accepted."""
    kept = get_setting(connection, DIRECTORY)
    if kept is None:
        return True
    return Directory.FromString(SignedDirectory.FromString(kept).directory).log_origin == origin


def join_log(connection: Connection, successions: Iterable[SignedSuccession]) -> None:
    """The exchange had these losses before this adapter joined: alerts of the log in force are numbered behind them."""
    put_setting(connection, _LOGS, Directory(successions=successions).SerializeToString())


def begin_log(connection: Connection, successions: Iterable[SignedSuccession], *, kept: int) -> None:
    """What is counted by positions is about the log in force, to which all the declarations lead.

    What this agency was shown of the `kept` entries must be shown to it again: whoever takes the chance to take one
    out, or to put another in its place, is found by the next walk (`attest`).
    """
    seen = connection.execute(select(own_entry).where(own_entry.c.leaf_index < kept)).all()
    awaited = set(connection.scalars(select(awaited_entry.c.leaf_index)).all())
    connection.execute(delete(own_entry))
    again = [
        {"leaf_index": row.leaf_index, "leaf_hash": row.leaf_hash} for row in seen if row.leaf_index not in awaited
    ]
    if again:
        connection.execute(awaited_entry.insert(), again)
    connection.execute(delete(awaited_entry).where(awaited_entry.c.leaf_index >= kept))
    # A decision is answered once. One that is lost cannot come again: its receipt is not of the log in force.
    connection.execute(work.update().where(work.c.decision_index >= kept).values(decision_index=None))
    # So may those be that raised a flag, or recorded an authority: they are presented again as they were signed.
    begin_again(connection)
    make_reports_due(connection)
    connection.execute(own_flag.update().values(unheard=1))
    # The lost entries may be those that listed a youth: the same tokens are sent again.
    connection.execute(registration.update().values(register_ms=None))
    drop_setting(connection, NEWEST_CHECKPOINT)
    join_log(connection, successions)


def _check_closed(message: LogSuccession, known: Checkpoint | None) -> None:
    try:
        key = LogKey(message.closed_origin, message.closed_key)
        checkpoint = parse_checkpoint(message.closed_checkpoint, key)
    except (EvidenceError, ValueError) as exc:
        raise DirectoryInvalid("log") from exc
    if message.closed_size != checkpoint.size or (known is not None and known.size > checkpoint.size):
        raise DirectoryInvalid("log")
    if known is not None and known.size == checkpoint.size and known.root != checkpoint.root:
        raise DirectoryInvalid("log")
