"""Step 10, second half: the source decides last, on its own facts. Pure.

Decides whether the youth that the grant names is the one the question is about (the tokens of the question against
those this agency registered for that handle), and runs the one rule again with what the county itself knows: its own
restriction, its own flag, where the youth is placed. Then the county's own narrowing. The result is never more than
the grant.
"""

from dataclasses import dataclass, field, replace

from adapters.node.order import Here, VerifiedOrder
from adapters.node.refusal import OrderRefused, Refusal
from gateway.protocol.authority import covers_subject
from gateway.protocol.decide import CountyNarrowing, Decision, decide_request, decide_youth, narrow
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.names import FlagState, Restriction, SubjectHandle, county_of
from gateway.protocol.policy.facts import YouthFacts
from homeward.gateway.v1.envelope_pb2 import TokenSet


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """What this county itself knows of the youth the grant names."""

    handle: SubjectHandle = field(repr=False)
    tokens: TokenSet = field(repr=False)
    """As registered."""
    flag: FlagState | None
    restriction: Restriction
    placement_county: str
    """Five-digit FIPS."""


def settle(verified: VerifiedOrder, own: OwnFacts, here: Here, narrowing: CountyNarrowing) -> Decision:
    """The decision on this county's own facts, within the grant; the source decides last. Raises `OrderRefused`.

    Runs the same rule on the same signed bundle; where this county knows better than the index (a flag that ended, a
    record that was sealed since), this county's word counts. It can end in less than was granted, never in more.
    """
    given = verified.given.youth
    if given is None:
        raise OrderRefused(Refusal.FACTS_DIFFER)
    if not agreeing_keys(verified.query.tokens, own.tokens) >= CORE_KEYS:
        raise OrderRefused(Refusal.TOKENS_DIFFER)
    requester = verified.requester.agency
    home, asking = county_of(here.agency), county_of(requester)
    authority = verified.authority
    youth = YouthFacts(
        located=given.located,
        coverage_complete=given.coverage_complete,
        owner=here.agency,
        flag=own.flag,
        restriction=own.restriction,
        placed_in_callers_county=own.placement_county == asking,
        agreement_with_owner=here.directory.agreement(home, asking),
        authority_covers_youth=authority is not None and covers_subject(authority, here.agency, own.handle),
    )
    first = decide_request(here.policy, verified.request)
    decision = decide_youth(here.policy, verified.request, youth, first)
    decision = narrow(decision, verified.request, youth, narrowing)
    kept = tuple(each for each in decision.field_sets if each in verified.granted)
    if not decision.permit or not kept:
        raise OrderRefused(Refusal.DECIDED_OTHERWISE)
    return replace(decision, field_sets=kept)


def agreeing_keys(asked: TokenSet, registered: TokenSet) -> frozenset[str]:
    """Match keys that both carry and in which they share a token. Different epochs or schemes share nothing."""
    if (asked.epoch, asked.scheme) != (registered.epoch, registered.scheme):
        return frozenset()
    ours = {group.key: frozenset(group.tokens) for group in registered.keys if group.present}
    return frozenset(
        group.key
        for group in asked.keys
        if group.present and not ours.get(group.key, frozenset()).isdisjoint(group.tokens)
    )
