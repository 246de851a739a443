"""Sending for a user: exact bytes, one signature of the county over them, at most once in effect.

Decides what the county vouches for (the user assertion, SECURITY §3.1(3)) and when the same request is sent again:
only when the gateway was not reached or cannot answer, with the same bytes and a fresh assertion, because an assertion
counts once (SECURITY §4.3). What is asked and what an answer is worth is decided elsewhere (`request`, `answers`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from google.protobuf.message import Message

from adapters.errors import ErrorReason, Unavailable
from adapters.node.identifiers import Clock, RandomBytes, new_assertion_id
from adapters.node.receipts import request_digest
from adapters.node.rpcs import Caller, CallFailed, CallFault, Rpc
from adapters.staff import Staff
from gateway.protocol.assertion import Claims, sign_assertion
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId, AuthorityId, Purpose, Role
from gateway.protocol.signing import SigningKey

ASSERTION_LIFE: Final = timedelta(seconds=60)
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 2.0
_MIN_CALL_SECONDS: Final = 0.05
_NOT_AGAIN: Final = frozenset({"REVOCATION_HELD", "UNWITNESSED"})
"""Reasons with which the exchange may have kept what was sent: the same again would be kept a second time, or refused
because its identifier is spent, which would hide why there was no answer."""


Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, as what, for what: what the county signs beside the request bytes."""

    staff: Staff
    role: Role
    purpose: Purpose
    authority_id: AuthorityId | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """When an answer is no longer waited for, on the monotonic clock."""

    at: float
    clock: Callable[[], float]

    def left(self) -> float:
        """Seconds that are left. Raises `Unavailable` when there are none."""
        seconds = self.at - self.clock()
        if seconds < _MIN_CALL_SECONDS:
            raise Unavailable(ErrorReason.GATEWAY_UNAVAILABLE, fault=CallFault.TIMED_OUT)
        return seconds


@dataclass(frozen=True, slots=True)
class Sender:
    """What sending needs of the node."""

    agency: AgencyId
    actor: str
    """SPIFFE id of this adapter."""
    gateway: Caller
    assertion_key: SigningKey = field(repr=False)
    directory: Callable[[], DirectoryView]
    thumbprint: Callable[[], bytes]
    """SHA-256 of the channel certificate in use, 32 bytes."""
    now: Clock
    random_bytes: RandomBytes
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def send(self, rpc: Rpc[Q, A], payload: bytes, act: Act, deadline: Deadline) -> A:
        """The gateway's answer to these bytes, unverified. Raises `CallFailed`, and `Unavailable` past the deadline."""
        longest = FIRST_PAUSE
        while True:
            try:
                request = rpc.request(payload=payload, user_assertion=self.assertion(payload, act))
                return await self.gateway.call(rpc, request, seconds=deadline.left())
            except CallFailed as failed:
                if failed.fault is not CallFault.UNAVAILABLE or failed.reason in _NOT_AGAIN:
                    raise
                pause = self._jitter(longest)
                if pause >= deadline.left():
                    raise
            await self.pause(pause)
            longest = min(2 * longest, LONGEST_PAUSE)

    def assertion(self, payload: bytes, act: Act) -> str:
        """The county's word that this user says exactly these bytes, now."""
        issued = self.now()
        claims = Claims(
            issuer=self.agency,
            subject=act.staff.pseudonym,
            actor=self.actor,
            role=act.role,
            purpose=act.purpose,
            authority_id=act.authority_id,
            request_digest=request_digest(payload),
            channel_thumbprint=self.thumbprint(),
            audience=self.directory().trust_domain,
            assertion_id=new_assertion_id(issued, self.random_bytes),
            issued=issued,
            expires=issued + ASSERTION_LIFE,
            login=act.staff.login,
        )
        return sign_assertion(claims, self.assertion_key)

    def _jitter(self, longest: float) -> float:
        # Full jitter, so that a gateway that comes back is not met by every adapter at once.
        return longest * int.from_bytes(self.random_bytes(4), "big") / 0xFFFFFFFF
