"""Revocations that arrive while the log cannot be written because its database was put back.

Whoever takes a consent back must not be told to come again another day. The revocation is kept on disk as it arrived,
with the signed assertion over it, and carried out when the log is healed, before anything is disclosed. Decides the
form of the file: one JSON object a line, synced before the caller hears that it is kept. What a line asks for is
verified again when it is carried out, as of the moment it arrived.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Final

from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.call import Call
from gateway.protocol.names import AgencyId
from gateway.state import PRIVATE_FILE, write_new
from homeward.replacing import settle_path

MAX_HELD: Final = 1_000
"""Of one agency: more than it has consents to take back in a day; beyond it somebody fills the disk."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HeldMember:
    """The operator revoked this agency or adapter."""

    subject: str


class HeldRevocations:
    """The file of one gateway. One process uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Of threads: what is kept while others are carried out must be neither dropped with them nor left behind.
        self._turn = Lock()

    def keep_call(self, call: Call, *, keeps: Callable[[], bool]) -> bool:
        """Whether the call, which asks for the revocation of an authority, is on disk: as long as `keeps`.

        The same again is there already. Raises `Unavailable` where its agency has too many there.
        """
        received_ms = (call.received_at - _EPOCH) // timedelta(milliseconds=1)
        document = {
            "call": {
                "payload": call.payload.hex(), "assertion": call.assertion, "agency": call.agency, "actor": call.actor,
                "thumbprint": call.thumbprint.hex(), "received_ms": received_ms,
            }
        }  # fmt: skip
        with self._turn:
            if not keeps():
                return False
            payloads = [each.payload for each in self.all() if isinstance(each, Call) and each.agency == call.agency]
            if call.payload not in payloads:
                if len(payloads) >= MAX_HELD:
                    raise Unavailable(ErrorReason.RECOVERING)
                self._keep(document)
        return True

    def keep_member(self, subject: str, *, keeps: Callable[[], bool]) -> bool:
        """Whether the operator's revocation of this agency or adapter is on disk: as long as `keeps`."""
        with self._turn:
            if not keeps():
                return False
            if HeldMember(subject) not in self.all():
                self._keep({"member": subject})
        return True

    def all(self) -> Sequence[Call | HeldMember]:
        """What is held, in order of arrival. A last line that a crash cut short was never acknowledged."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        except FileNotFoundError:
            return ()
        return [_held(json.loads(line)) for line in lines]

    def clear(self, count: int) -> bool:
        """The first so many that were held are carried out; whether nothing else is held."""
        with self._turn:
            left = self.path.read_bytes().splitlines(keepends=True)[count:]
            if not left:
                self.path.unlink()
                return True
            written = self.path.with_suffix(".new")
            written.unlink(missing_ok=True)
            write_new(written, b"".join(left), mode=PRIVATE_FILE)
            written.replace(self.path)
            settle_path(self.path.parent)
            return False

    def _keep(self, document: Mapping[str, object]) -> None:
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
        settle_path(self.path.parent)


@dataclass(frozen=True, slots=True)
class Revoking:
    """Whether a revocation that arrives is kept, or may be carried out."""

    held: HeldRevocations
    keeps: Callable[[], bool]
    """The log takes no entry now, or its start is late."""
    carried_out: Callable[[], Awaitable[None]]
    """Returns once no start is carrying out what was kept: whoever was revoked by that must not act before."""

    async def call(self, call: Call) -> None:
        """The call may be carried out. Raises `Unavailable`: REVOCATION_HELD where it is kept instead."""
        await self._keep(partial(self.held.keep_call, call, keeps=self.keeps))

    async def member(self, subject: str) -> None:
        """The operator's revocation of this agency or adapter, likewise."""
        await self._keep(partial(self.held.keep_member, subject, keeps=self.keeps))

    async def _keep(self, keep: Callable[[], bool]) -> None:
        while True:
            if self.keeps() and await asyncio.to_thread(keep):
                raise Unavailable(ErrorReason.REVOCATION_HELD)
            await self.carried_out()
            # A start may have found meanwhile that the log was put back.
            if not self.keeps():
                return


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
