"""From what was verified of a request to what is decided on. Pure.

What the request shows by itself both ends derive alike (`protocol.request_facts`). What was found becomes facts in
`settle`.
"""

from gateway.exchange.call import Caller, Query
from gateway.protocol.authority import Authority, AuthorityFacts, check
from gateway.protocol.policy.facts import RequestFacts
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
