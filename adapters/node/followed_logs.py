"""The logs whose history this adapter follows: the exchange's, and that of each other holder of the token key.

Decides when a checkpoint contradicts what was seen before: two roots for one size are a log that shows different
histories to different readers, and nothing of such an answer is used (SECURITY §2, active malicious gateway). Only
equal sizes are compared here: that a larger tree contains a smaller one is what a witness proves.

The exchange's log goes on under another origin by declarations alone (`succession`). Of a holder's there are none: who
begins another log has nothing before it held against it any more, so that is told to whoever runs this adapter.
"""

import hashlib
import logging
from typing import Final

from sqlalchemy import Connection

from adapters.errors import EvidenceInvalid
from adapters.node.holder_alarm import HolderFinding, record
from adapters.node.identifiers import Clock
from adapters.node.store import Store, get_setting, put_setting
from adapters.node.succession import NEWEST_CHECKPOINT
from audit.checkpoint import Checkpoint, LogKey
from gateway.protocol.directory import HolderView

_LOG: Final = logging.getLogger(__name__)
_HOLDER_LOG: Final = "holder-log"
_NAME: Final = 32


class HolderLogs:
    """The logs of the other holders, in which nobody is shown entries."""

    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    def follow(self, holder: HolderView, checkpoint: Checkpoint) -> None:
        """It is the newest of this holder's log now if it is larger; that it is another log is on record.

        Raises `EvidenceInvalid`.
        """
        log = _name(LogKey(holder.log_origin, holder.log_key).vkey().encode())
        of_holder = f"{_HOLDER_LOG}-{_name(holder.directory_key)}"
        with self._store.write() as connection:
            check_history(connection, checkpoint, f"{NEWEST_CHECKPOINT}-{log}")
            before = get_setting(connection, of_holder)
            if before == log.encode():
                return
            put_setting(connection, of_holder, log.encode())
            if before is not None:
                record(connection, HolderFinding.ANOTHER_LOG, holder.operator, self._now())
                _LOG.error("a holder has begun another log", extra={"operator": holder.operator})


def check_history(connection: Connection, checkpoint: Checkpoint, name: str) -> None:
    """The newest checkpoint under this name is this one, if it is larger. Raises `EvidenceInvalid`."""
    before = get_setting(connection, name)
    size, root = (int.from_bytes(before[:8], "big"), before[8:]) if before is not None else (0, b"")
    if checkpoint.size == size and checkpoint.root != root:
        raise EvidenceInvalid("receipt_split_view")
    if checkpoint.size > size:
        put_setting(connection, name, checkpoint.size.to_bytes(8, "big") + checkpoint.root)


def _name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:_NAME]
