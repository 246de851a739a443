"""Whether a gateway's log and its tables hold together: what a start asks, and `fsck`, and each round of a mirror.

Decides in which order the two databases are read. One that serves writes `keys.db` apart from the log's database, and
no snapshot spans both. A key and its counters are durable before an entry uses them, so the log is fixed first and the
file of keys is read after it: then every entry that is seen has its key, whoever appends meanwhile. The one thing that
goes the other way is a key that leaves with a seal whose entry is not seen yet; looked at once more it is
(`while_it_serves`), and what is still at odds then is damage.
"""

import os
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from audit.checkpoint import LogKey
from audit.entry import ClassKeys
from audit.errors import EvidenceError, EvidenceReason
from audit.reader import Reader, tree_state
from audit.transaction import Tx
from audit.verify import verify_log
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.state import State
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.compared import check_projections
from gateway.store.derived import Opened
from gateway.store.escrow import leaving_youths
from gateway.store.youth_keys import FileYouthKeys, authority_name, youth_name

T = TypeVar("T")
_AHEAD: Final = 8


def check_store(state: State, reader: Reader, key: LogKey) -> None:
    """Every entry verifies, and the projections are what the entries say. Raises EvidenceError, `StateBroken`."""
    verify_log(reader, key=key)
    while_it_serves(lambda: reader.read(lambda tx: check_tables(tx, state)))


def check_tables(tx: Tx, state: State) -> None:
    """The projections are what the entries of this snapshot say, which were verified or will be.

    Raises EvidenceError(PROJECTION), `StateBroken`, `YouthKeysBroken`.
    """
    with_keys(tx, state, lambda opened, _: check_projections(tx, opened))


def while_it_serves(work: Callable[[], T]) -> T:
    """What `work` returns. Where tables do not compare it is done once more, on a snapshot of its own."""
    try:
        return work()
    except EvidenceError as fault:
        if fault.reason is not EvidenceReason.PROJECTION:
            raise
        return work()


def with_keys(tx: Tx, state: State, work: Callable[[Opened, FileAuthorityKeys], T]) -> T:
    """What `work` makes of this snapshot with the keys that open it. Raises `StateBroken`, `YouthKeysBroken`."""
    # A snapshot is fixed by its first query.
    tree_state(tx)
    wrapping_key = state.read_secret("youth-wrap.key", length=32)
    with (
        closing(FileYouthKeys(state.youth_keys, wrapping_key=wrapping_key, random_bytes=os.urandom)) as youth_keys,
        closing(FileAuthorityKeys(state.youth_keys, youth_keys)) as authority_keys,
    ):
        opened = opened_with(state.youth_keys, state.read_class_keys(), youth_keys, authority_keys)
        return work(opened, authority_keys)


def opened_with(
    keys_file: Path, keys: ClassKeys, youth_keys: FileYouthKeys, authority_keys: FileAuthorityKeys
) -> Opened:
    """What log and rows are opened with, by this file of keys as it is now."""
    leaving = leaving_youths(keys_file)

    def is_sealed(owner: AgencyId, handle: SubjectHandle, seals: Collection[bytes]) -> bool:
        name = youth_name(owner, handle)
        return youth_keys.is_sealed(name) or any(left == name and seal_id in seals for seal_id, left in leaving.items())

    marks = youth_keys.every_mark()
    # An entry that carries one shows that the file of keys is older than the log, or that a count in it was lowered.
    ahead = frozenset(youth_keys.every_mark(ahead=_AHEAD).keys() - marks.keys())

    def has_left(authority_id: AuthorityId) -> bool:
        return youth_keys.is_sealed(authority_name(authority_id))

    return Opened(keys, marks, ahead, is_sealed, has_left, authority_keys.open, authority_keys.open_moment)
