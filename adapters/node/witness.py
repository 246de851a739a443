"""The adapter as a witness of the exchange's log, and what it does when that log shows two histories.

Decides whose log is witnessed (the one that the countersigned directory names), under which name and key, and the
consequence of a fork: both notes stay on disk, it is said loudly, and from then on nothing is asked of that exchange
and nothing answered, until a person has looked. Whether a checkpoint may be cosigned is decided in audit/witness.py.

The state is a file of its own, `witness.db`. It must not be restored from a backup: an older one would cosign a fork.
Who has to restore removes it together with `keys/witness.key`, and tells the auditors the new key.
"""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.keyring import read_secret
from adapters.membership import Membership
from adapters.node.errors import Missing, NotReady
from adapters.node.identifiers import Clock
from adapters.node.store import StoreUnsafe
from audit.checkpoint import Checkpoint, LogKey
from audit.cosignature import Cosigner
from audit.errors import EvidenceError
from audit.fork import Fork
from audit.submission import Status
from audit.witness import Witness, make_key
from gateway.protocol.directory import DirectoryView
from gateway.protocol.witness_names import witness_name
from homeward.gateway.v1.link_pb2 import AddCheckpoint, CheckpointAnswer
from homeward.replacing import replace_file

STATE_FILE: Final = "witness.db"
KEY_FILE: Final = "witness.key"
VKEY_FILE: Final = "witness.vkey"
_KEY_BYTES: Final = 32
_LOG: Final = logging.getLogger(__name__)


class LogWitness:
    """Witnesses one exchange's log. Blocking; usable from any thread."""

    def __init__(
        self, state: Path, membership: Membership, *, directory: Callable[[], DirectoryView], now: Clock
    ) -> None:
        """`directory` raises `NotReady` while there is none. Raises `KeyFileUnusable`, `StoreUnsafe`."""
        key = Ed25519PrivateKey.from_private_bytes(_own_key(state / "keys" / KEY_FILE))
        self._cosigner = Cosigner(witness_name(membership.trust_domain, membership.agency), key)
        self._directory = directory
        try:
            self._witness = Witness(
                state / STATE_FILE,
                [self._cosigner],
                log_key=self._log_key,
                now=lambda: int(now().timestamp()),
                # Nobody else is at the other end of the link.
                from_log_alone=True,
            )
        except (EvidenceError, sqlite3.Error) as exc:
            raise StoreUnsafe("the witness's state cannot be used") from exc
        self._fork = next(iter(self._witness.forks()), None)
        replace_file(state / VKEY_FILE, f"{self._cosigner.public.vkey()}\n".encode(), mode=0o644)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys it cosigns with, as vkeys."""
        return (self._cosigner.public.vkey(),)

    def answer(self, request: AddCheckpoint) -> CheckpointAnswer:
        """The answer to one untrusted checkpoint; what was cosigned is on disk."""
        found = self._witness.add_checkpoint(request.body)
        if found.status is Status.INCONSISTENT and self._fork is None:
            # Shown to this process or to another on the same file; either way it is in the file now.
            self._fork = next(iter(self._witness.forks()), None)
        if found.fork is not None:
            _LOG.critical("the exchange's log showed two histories; nothing is asked or answered any more")
        return CheckpointAnswer(submission_id=request.submission_id, status=found.status, body=found.body)

    @property
    def fork(self) -> Fork | None:
        """The evidence of two histories, if the exchange's log ever showed them to this adapter."""
        return self._fork

    def cosigned_of(self, origin: str) -> Checkpoint | None:
        """The newest checkpoint of the log of this origin that was cosigned; None for none."""
        kept = self._witness.kept(origin)
        return kept.checkpoint if kept is not None else None

    def cosigned(self) -> Checkpoint | None:
        """The newest checkpoint of the directory's log that was cosigned; None for none."""
        try:
            return self.cosigned_of(self._directory().message.log_origin)
        except NotReady:
            return None

    def cosigned_note(self) -> str:
        """The same as a signed note, which proves to the exchange what its log once signed; empty for none."""
        try:
            kept = self._witness.kept(self._directory().message.log_origin)
        except NotReady:
            return ""
        return kept.note if kept is not None else ""

    def size(self) -> int:
        """How many entries this witness has vouched for last; 0 for none."""
        cosigned = self.cosigned()
        return cosigned.size if cosigned is not None else 0

    def check(self) -> None:
        """The exchange's log never showed two histories. Raises `NotReady`."""
        if self._fork is not None:
            raise NotReady(Missing.SOUND_LOG)

    def close(self) -> None:
        """The state is closed."""
        self._witness.close()

    def _log_key(self, origin: str) -> LogKey | None:
        try:
            message = self._directory().message
        except NotReady:
            return None
        return LogKey(message.log_origin, message.log_key) if message.log_origin == origin else None


def read_forks(state: Path) -> tuple[Fork, ...]:
    """The evidence of two histories in a state directory; an adapter may run on it meanwhile."""
    if not (state / STATE_FILE).exists():
        return ()
    witness = Witness(state / STATE_FILE, (), log_key=lambda _: None, now=lambda: 0, from_log_alone=True)
    try:
        return witness.forks()
    finally:
        witness.close()


def _own_key(path: Path) -> bytes:
    make_key(path)
    return read_secret(path, length=_KEY_BYTES)
