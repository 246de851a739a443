"""What joining takes and gives: the wish with its line, the exchange as it is spoken to, and what came of it.

Decides when a line can be used at all, and what is asked with one; what is done with it is decided in `enrol` and
`enrol_again`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters import enrol_failures as failures
from adapters.channel_identity import ChannelIdentityFiles, certificate_request
from adapters.membership import Membership
from gateway.protocol.enrollment_proof import sign_request
from gateway.protocol.invitation import InvitationBroken, decode
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse, Invitation
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

KEYS: Final = "keys"
"""Directory of the key files, in the state directory."""


async def _nobody_is_refused(_address: str, _identity: ChannelIdentityFiles) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Exchange:
    """How the listener is spoken to; a port, so that joining can be run against one that behaves badly."""

    look: Callable[[str, bytes], str]
    """Address and SHA-256 to the certificate (PEM) shown there, as `redeem.shown_certificate`."""
    redeem: Callable[[str, str, EnrollRequest], Awaitable[EnrollResponse]]
    """Address, certificate and request to the answer, as `redeem.redeem`."""
    refuses: Callable[[str, ChannelIdentityFiles], Awaitable[bool]] = _nobody_is_refused
    """Whether the gateway at this address refuses this certificate, as `redeem.is_refused`; False where nobody can
    say."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asks for."""

    line: str = field(repr=False)
    state: Path
    """State directory of the adapter."""
    instance: str | None = None
    """Name of the adapter; None for the one that the directory has, or `a1`."""
    county_root: Path | None = None
    """Private key of a county root that another agency of the county made; None: this adapter's own."""
    has_sources: bool = True
    again: bool = False
    """Redeem the line although the directory's certificate is good."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining led to."""

    membership: Membership
    root_fingerprint: bytes
    """SHA-256 of the county root's public key; what a custodian's operator is told by telephone. Empty: unknown here,
    because an earlier release joined and the root was taken off this machine."""
    was_member: bool
    """The directory is of a member already."""
    unused_until: datetime | None = None
    """Until when the line that was given can be redeemed; None where it is spent."""

    @property
    def is_line_used(self) -> bool:
        """Whether it was this line that made the directory what it is, now or before."""
        return self.unused_until is None


def read_line(line: str, now: datetime) -> Invitation:
    """The invitation of a join line that is whole and not expired. Raises `CommandFailure` JOIN-001, JOIN-002."""
    try:
        invitation = decode(line)
    except InvitationBroken as broken:
        raise failures.line_broken(str(broken)) from broken
    expires = invitation.expire_time.ToDatetime(UTC)
    if expires <= now:
        raise failures.line_expired(expires)
    return invitation


def request_of(
    invitation: Invitation,
    *,
    instance: str,
    tls_key: bytes,
    envelope_key: SigningKey,
    county_root: bytes,
    statements: Sequence[SignedEnvelope],
    has_sources: bool,
) -> EnrollRequest:
    """What redeems the line, signed: `tls_key` (PEM) is to be certified; the statements are those of the county root,
    whose public key this is, about the keys of the directory."""
    request = EnrollRequest(
        ticket=invitation.ticket,
        certificate_request=certificate_request(tls_key),
        instance=instance,
        county_root_key=county_root,
        keys=statements,
        has_sources=has_sources,
    )
    sign_request(request, envelope_key)
    return request
