"""From a verified request to the facts it is decided on. Pure.

The exchange derives them before it decides, and the source again, from the same bytes, before it answers; a work order
in which the two differ is refused. Decides nothing about the youth, nor what the facts permit (`decide`).
"""

from collections.abc import Sequence
from datetime import datetime

from gateway.protocol.assertion import Claims
from gateway.protocol.authority import AuthorityFacts, Use
from gateway.protocol.directory import MemberView
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet
from gateway.protocol.policy.facts import RequestFacts
from homeward.gateway.v1.envelope_pb2 import TokenSet

Evidence = Sequence[tuple[EvidenceKind, bytes]]
"""Kind and commitment to the reference, 32 bytes."""


def use_of(
    claims: Claims, agency: AgencyId, *, evidence: Evidence, field_sets: tuple[FieldSet, ...], tokens: TokenSet
) -> Use:
    """The use the request wants to make of the authority it names."""
    return Use(
        purpose=claims.purpose,
        field_sets=field_sets,
        agency=agency,
        role=claims.role,
        team_ref_commitment=next((given for kind, given in evidence if kind is EvidenceKind.TEAM_MEMBERSHIP), None),
        token_digests=naming_digests(tokens),
    )


def facts_of(
    claims: Claims,
    member: MemberView,
    *,
    evidence: Evidence,
    field_sets: tuple[FieldSet, ...],
    authority: AuthorityFacts | None,
    received_at: datetime,
    emergency_uses: int,
) -> RequestFacts:
    """What the request shows by itself. `received_at` is when the exchange received it, `member` who sent it."""
    return RequestFacts(
        agency=member.agency,
        agency_kind=member.kind,
        role=claims.role,
        purpose=claims.purpose,
        field_sets=field_sets,
        evidence=frozenset(kind for kind, _ in evidence),
        authority=authority,
        received_at=received_at,
        login_age_seconds=max(0, int((received_at - claims.login).total_seconds())),
        emergency_uses=emergency_uses,
    )
