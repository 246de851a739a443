"""Revocations that arrive while the log cannot be written because its database was put back.

Whoever takes a consent back must not be told to come again another day. The revocation is kept on disk as it arrived,
with the signed assertion over it, and carried out when the log is healed, before anything is disclosed. Decides the
form of the file: one JSON object a line, synced before the caller hears that it is kept. What a line asks for is
verified again when it is carried out, as of the moment it arrived.
"""

import fcntl
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.call import Call
from gateway.protocol.names import AgencyId

MAX_HELD: Final = 10_000
"""More than every consent of a large exchange in a day; beyond it somebody fills the disk."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HeldMember:
    """The operator revoked this agency or adapter."""

    subject: str


class HeldRevocations:
    """The file of one gateway. One process uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep_call(self, call: Call) -> None:
        """The call, which asks for the revocation of an authority, is on disk. Raises `Unavailable` when full."""
        received_ms = (call.received_at - _EPOCH) // timedelta(milliseconds=1)
        self._keep({
            "call": {
                "payload": call.payload.hex(), "assertion": call.assertion, "agency": call.agency, "actor": call.actor,
                "thumbprint": call.thumbprint.hex(), "received_ms": received_ms,
            }
        })  # fmt: skip

    def keep_member(self, subject: str) -> None:
        """The operator's revocation of this agency or adapter is on disk. Raises `Unavailable` when full."""
        self._keep({"member": subject})

    def all(self) -> Sequence[Call | HeldMember]:
        """What is held, in order of arrival. A last line that a crash cut short was never acknowledged."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return ()
        return [_held(json.loads(line)) for line in lines]

    def clear(self) -> None:
        """Everything that was held is carried out."""
        self.path.unlink(missing_ok=True)

    def _keep(self, document: dict[str, object]) -> None:
        if len(self.all()) >= MAX_HELD:
            raise Unavailable(ErrorReason.RECOVERING)
        descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with open(descriptor, "r+b", closefd=False) as file:
                content = file.read()
                # What a crash left of a line must not swallow the next one.
                file.truncate(content.rfind(b"\n") + 1)
                file.write(json.dumps(document).encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _held(document: dict[str, dict[str, str]]) -> Call | HeldMember:
    if "member" in document:
        return HeldMember(str(document["member"]))
    kept = document["call"]
    return Call(
        payload=bytes.fromhex(kept["payload"]),
        assertion=kept["assertion"],
        agency=AgencyId(kept["agency"]),
        actor=kept["actor"],
        thumbprint=bytes.fromhex(kept["thumbprint"]),
        received_at=_EPOCH + timedelta(milliseconds=int(kept["received_ms"])),
    )
