"""From what was verified to what is decided on. Pure.

Decides how what was found becomes `YouthFacts`; the source takes these from its own records
(`adapters.node.settle`). What the request shows by itself both ends derive alike
(`protocol.request_facts`).
"""

from gateway.exchange.call import Caller, Query
from gateway.exchange.locate import Found
from gateway.protocol.authority import Authority, AuthorityFacts, check, covers_subject
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import county_of
from gateway.protocol.policy.facts import RequestFacts, YouthFacts
from gateway.protocol.request_facts import facts_of, use_of


def authority_facts(
    authority: Authority | None, caller: Caller, query: Query, *, revoked: bool
) -> AuthorityFacts | None:
    """What the named authority is worth for this use; None when the request names none that is recorded."""
    if authority is None:
        return None
    use = use_of(
        caller.claims, caller.agency, evidence=query.evidence, field_sets=query.field_sets, tokens=query.tokens
    )
    return check(authority, use, caller.call.received_at, revoked=revoked)


def request_facts(
    caller: Caller, query: Query, authority: AuthorityFacts | None, *, emergency_uses: int
) -> RequestFacts:
    """What the request shows by itself."""
    return facts_of(
        caller.claims,
        caller.member,
        evidence=query.evidence,
        field_sets=query.field_sets,
        authority=authority,
        received_at=caller.call.received_at,
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
        agreement_with_owner=directory.agreement(home, asking),
        authority_covers_youth=authority is not None and covers_subject(authority, candidate.owner, candidate.handle),
    )
