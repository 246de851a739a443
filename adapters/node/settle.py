"""Step 10, second half: the source decides last, on its own facts. Pure.

Decides whether the youth that the grant names is the one the question is about: by the tokens of the question against
those this agency registered for that handle, scored as the exchange scores them and never against a number that both
have and that differs; or because this agency itself confirmed the pair. The size of the whole index is not known here,
so it counts as the smallest the weights allow; the exchange, which knows it, asks for no less. Then runs the one rule
again with what the county itself knows: its own restriction, its own flag, where the youth is placed. Then the
county's own narrowing. The result is never more than the grant.
"""

from dataclasses import dataclass, field, replace

from adapters.node.order import Here, VerifiedOrder
from adapters.node.refusal import OrderRefused, Refusal
from gateway.protocol.authority import covers_subject
from gateway.protocol.decide import CountyNarrowing, Decision, decide_request, decide_youth, narrow
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.matching.classify import Likeness, is_barred, likeness, scored
from gateway.protocol.matching.key_scheme import present_keys
from gateway.protocol.matching.score import carried_tokens, compare, compare_keys
from gateway.protocol.matching.weights import load_weights
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
    confirmed: bool = False
    """Whether this agency said, when asked, that the requester's youth is this one."""


def settle(verified: VerifiedOrder, own: OwnFacts, here: Here, narrowing: CountyNarrowing) -> Decision:
    """The decision on this county's own facts, within the grant; the source decides last. Raises `OrderRefused`.

    Runs the same rule on the same signed bundle; where this county knows better than the index (a flag that ended, a
    record that was sealed since), this county's word counts. It can end in less than was granted, never in more.
    """
    given = verified.given.youth
    if given is None:
        raise OrderRefused(Refusal.FACTS_DIFFER)
    if not (own.confirmed or _is_same(verified.query.tokens, own.tokens, verified.request.purpose)):
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


def _is_same(asked: TokenSet, registered: TokenSet, purpose: str) -> bool:
    agreeing = agreeing_keys(asked, registered)
    if not agreeing:
        return False
    weights, ours, theirs = load_weights(), present_keys(registered), present_keys(asked)
    comparison = compare_keys(agreeing, asked=theirs, listed=ours)
    if is_barred(comparison, weights):
        return False
    if agreeing >= CORE_KEYS:
        return True
    compared = scored(
        comparison,
        weights,
        records=0,
        purpose=purpose,
        asked=theirs,
        listed=ours,
    )
    return likeness(compared, weights) is Likeness.MATCH


def agreeing_keys(asked: TokenSet, registered: TokenSet) -> frozenset[str]:
    """Match keys that both carry and in which they share a token. Different epochs or schemes share nothing.

    Both keep the shape of their scheme.
    """
    if (asked.epoch, asked.scheme) != (registered.epoch, registered.scheme):
        return frozenset()
    return compare(carried_tokens(asked), carried_tokens(registered)).agreeing
