"""Step 4: who asks. Pure.

In this order: the assertion counts (`protocol/assertion`), it speaks for the agency and the
adapter of this channel, and that agency is a member that is not suspended. Roles are not
judged here: a role that the member's kind cannot have is a refusal by policy, on record.
Reading takes the call's own bytes and the directory alone, and may be done elsewhere (`Read`).
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from google.protobuf.message import Message

from gateway.errors import AssertionInvalid, ErrorReason, Unauthenticated
from gateway.exchange.call import Call, Caller
from gateway.exchange.circumstances import Circumstances
from gateway.exchange.settle import Settled
from gateway.protocol.assertion import Claims, verify_assertion
from gateway.protocol.directory import DirectoryView
from gateway.protocol.parse import MalformedMessage, parse


class Reading(NamedTuple):
    """What a call turned out to say."""

    claims: Claims
    faults: tuple[str, ...]
    """Fields of the payload that break a rule."""
    message: Message | None
    """The payload; None where it has a fault."""
    ahead: Settled | None
    """What was settled of its question, where that was done."""


Read = Callable[[Call, DirectoryView, type[Message], Circumstances | None], Awaitable[Reading]]
"""As `read_request`, elsewhere perhaps; with circumstances, a well-formed question may be settled there, too."""


def read_request(call: Call, directory: DirectoryView, message_type: type[Message]) -> Reading:
    """`read_claims` and `read_message`; nothing is settled ahead. Raises `AssertionRefused`."""
    claims = read_claims(call, directory)
    return Reading(claims, *read_message(call, message_type), None)


def read_claims(call: Call, directory: DirectoryView) -> Claims:
    """The claims of an assertion that counts. Raises `AssertionRefused`."""
    return verify_assertion(
        call.assertion,
        directory=directory,
        payload=call.payload,
        now=call.received_at,
        channel_thumbprint=call.thumbprint,
    )


def read_message(call: Call, message_type: type[Message]) -> tuple[tuple[str, ...], Message | None]:
    """Which fields of the payload break a rule of a message of this type; and the message, if none does."""
    try:
        return (), parse(message_type, call.payload)
    except MalformedMessage as malformed:
        return malformed.fields, None


async def read_here(
    call: Call, directory: DirectoryView, message_type: type[Message], _: Circumstances | None
) -> Reading:
    """`Read`, in this process."""
    return read_request(call, directory, message_type)


def authenticate(call: Call, claims: Claims, directory: DirectoryView, *, ahead: Settled | None = None) -> Caller:
    """The caller. Raises `AssertionInvalid` or `Unauthenticated`."""
    if (claims.issuer, claims.actor) != (call.agency, call.actor):
        raise AssertionInvalid(ErrorReason.ASSERTION_BINDING)
    member = directory.member(call.agency)
    if member is None or member.suspended:
        raise Unauthenticated(ErrorReason.MEMBER_UNKNOWN)
    return Caller(call, claims, member, ahead)
