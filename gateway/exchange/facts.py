"""From what was verified to what is decided on. Pure.

Decides how claims, evidence and authority become `RequestFacts`, and what was found becomes
`YouthFacts`. The source builds the same facts from the same bytes and must reach the same
decision.
"""

from datetime import datetime

from gateway.exchange.call import Caller, Query
from gateway.exchange.locate import Found
from gateway.protocol.authority import Authority, AuthorityFacts, Use, check, covers_subject
from gateway.protocol.directory import DirectoryView
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import EvidenceKind, county_of
from gateway.protocol.policy.facts import RequestFacts, YouthFacts


def authority_facts(
    authority: Authority | None, caller: Caller, query: Query, *, revoked: bool
) -> AuthorityFacts | None:
    """What the named authority is worth for this use; None when the request names none that is recorded."""
    team = [commitment for kind, commitment in query.evidence if kind is EvidenceKind.TEAM_MEMBERSHIP]
    use = Use(
        purpose=caller.claims.purpose,
        field_sets=query.field_sets,
        agency=caller.agency,
        role=caller.claims.role,
        team_ref_commitment=team[0] if team else None,
        token_digests=naming_digests(query.tokens),
    )
    return check(authority, use, caller.call.received_at, revoked=revoked)


def request_facts(
    caller: Caller, query: Query, authority: AuthorityFacts | None, *, emergency_uses: int
) -> RequestFacts:
    """What the request shows by itself."""
    received: datetime = caller.call.received_at
    return RequestFacts(
        agency=caller.agency,
        agency_kind=caller.member.kind,
        role=caller.claims.role,
        purpose=caller.claims.purpose,
        field_sets=query.field_sets,
        evidence=frozenset(kind for kind, _ in query.evidence),
        authority=authority,
        received_at=received,
        login_age_seconds=max(0, int((received - caller.claims.login).total_seconds())),
        emergency_uses=emergency_uses,
    )


def youth_facts(
    found: Found, caller: Caller, authority: Authority | None, directory: DirectoryView, *, coverage_complete: bool
) -> YouthFacts:
    """What was found."""
    candidate = found.candidate
    if candidate is None:
        return YouthFacts(located=found.located, coverage_complete=coverage_complete, flag=found.flag_state)
    home, asking = county_of(candidate.owner), county_of(caller.agency)
    return YouthFacts(
        located=found.located,
        coverage_complete=coverage_complete,
        owner=candidate.owner,
        flag=found.flag_state,
        restriction=candidate.restriction,
        placed_in_callers_county=(candidate.placement_county or home) == asking,
        # Two agencies of one county need no agreement between counties.
        agreement_with_owner=home == asking or directory.agreement(home, asking),
        authority_covers_youth=authority is not None and covers_subject(authority, candidate.owner, candidate.handle),
    )
