"""Step 4: who asks. Pure.

In this order: the assertion counts (`protocol/assertion`), it speaks for the agency and the
adapter of this channel, and that agency is a member that is not suspended. Roles are not
judged here: a role that the member's kind cannot have is a refusal by policy, on record.
"""

from gateway.errors import AssertionInvalid, ErrorReason, Unauthenticated
from gateway.exchange.call import Call, Caller
from gateway.protocol.assertion import AssertionRefused, verify_assertion
from gateway.protocol.directory import DirectoryView


def authenticate(call: Call, directory: DirectoryView) -> Caller:
    """The caller. Raises `AssertionInvalid` or `Unauthenticated`."""
    try:
        claims = verify_assertion(
            call.assertion,
            directory=directory,
            payload=call.payload,
            now=call.received_at,
            channel_thumbprint=call.thumbprint,
        )
    except AssertionRefused as refused:
        raise AssertionInvalid(ErrorReason(f"ASSERTION_{refused.fault}")) from refused
    if (claims.issuer, claims.actor) != (call.agency, call.actor):
        raise AssertionInvalid(ErrorReason.ASSERTION_BINDING)
    member = directory.member(call.agency)
    if member is None or member.suspended:
        raise Unauthenticated(ErrorReason.MEMBER_UNKNOWN)
    return Caller(call=call, claims=claims, member=member)
