"""Machine-only calls: an envelope signed with the adapter's own key.

Decides that the envelope counts when a current envelope key of the channel's own agency
signed it; an envelope of another agency does not count, whatever channel brings it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from google.protobuf.message import Message

from gateway.errors import EnvelopeInvalid, ErrorReason, Invalid, Unauthenticated
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import SignatureInvalid
from gateway.rpc.peer import Peer
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class MachineCalls:
    """Opens envelopes by the directory in force."""

    directory: Callable[[], DirectoryView]
    now: Callable[[], datetime]

    def open(self, envelope: SignedEnvelope, message_type: type[M], peer: Peer) -> tuple[AgencyId, M]:
        """The agency that signed and the payload. Raises `EnvelopeInvalid`, `Unauthenticated` or `Invalid`."""
        agency = peer.agency
        directory = self.directory()
        member = directory.member(agency)
        if member is None or member.suspended:
            raise Unauthenticated(ErrorReason.MEMBER_UNKNOWN)
        try:
            key = directory.key(agency, KEY_USE_ENVELOPE, envelope.key_id, self.now())
            return agency, unwrap(envelope, message_type, key)
        except (KeyUnknown, SignatureInvalid) as exc:
            raise EnvelopeInvalid(ErrorReason.ENVELOPE_INVALID) from exc
        except MalformedMessage as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc
