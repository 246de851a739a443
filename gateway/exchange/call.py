"""Values of one call on its way through the spine."""

from dataclasses import field
from datetime import datetime

from audit.hot_value import hot_value
from gateway.exchange.settle import Settled
from gateway.protocol.assertion import Claims
from gateway.protocol.directory import MemberView
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, RequestId
from gateway.protocol.names import Call as Family
from gateway.protocol.policy.fieldsets import call_of
from homeward.gateway.v1.envelope_pb2 import TokenSet


@hot_value
class Call:
    """What arrived: exact bytes and the assertion over them, unverified; and the channel it came by, verified."""

    payload: bytes = field(repr=False)
    assertion: str = field(repr=False)
    agency: AgencyId
    """Of the channel certificate."""
    actor: str
    """SPIFFE id of the channel certificate."""
    thumbprint: bytes
    received_at: datetime
    """UTC, whole milliseconds; read once, and every expiry of this call uses it."""


@hot_value
class Caller:
    """Who asks, established: channel, member and user."""

    call: Call
    claims: Claims
    member: MemberView
    ahead: Settled | None = field(default=None, repr=False, compare=False)
    """What was settled of the call's one question when it was read, should it come that far (`authenticate.Read`)."""

    @property
    def agency(self) -> AgencyId:
        """The asking agency."""
        return self.member.agency


@hot_value
class Query:
    """A question about one youth, well-formed."""

    request_id: RequestId
    digest: bytes
    """SHA-256 of the exact bytes of this question."""
    tokens: TokenSet = field(repr=False)
    evidence: tuple[tuple[EvidenceKind, bytes], ...]
    """Kind and commitment to the reference, 32 bytes."""
    field_sets: tuple[FieldSet, ...]
    recipient_key_id: bytes = b""
    """Seal key the answer goes to; empty for a flag check."""
    page: int = 1
    payload: bytes = field(default=b"", repr=False)
    """Exact bytes of this question; what a source verifies."""
    spends_assertion: bool = True
    """False for all but the first question of a batch: one assertion covers them all."""

    @property
    def family(self) -> Family:
        """Whether this is a flag check or a record call; it fixes the uniform negative."""
        return call_of(self.field_sets)
