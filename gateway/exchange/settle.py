"""Steps 5 and 7 of a question: what its request settles, whom its tokens mean, and what is decided of both. Pure.

One rule, taken in two places: by the spine when a question has come that far, and for flag checks ahead of it, by
another process and from the same facts (`gateway/aside`). Which of them took it shows nowhere.
"""

from collections.abc import Iterable
from dataclasses import field

from audit.hot_value import hot_value
from gateway.exchange.circumstances import Circumstances
from gateway.exchange.locate import NOTHING, Candidate, Found, Search, Verdicts, locate
from gateway.protocol.authority import Authority, covers_subject
from gateway.protocol.decide import Decision, DecisionInput, RequestFacts, YouthFacts, decide_youth
from gateway.protocol.directory import DirectoryView
from gateway.protocol.matching.key_scheme import present_keys
from gateway.protocol.names import AgencyId, county_of
from gateway.protocol.policy.rules import Policy
from homeward.gateway.v1.envelope_pb2 import TokenSet


@hot_value
class Settled:
    """What steps 5 and 7 came to."""

    decision: Decision
    found: Found = field(repr=False)
    youth: YouthFacts | None
    """None where the request alone settled it, and nobody was looked for."""
    stale: tuple[str, ...]
    """Counties of whose lists a miss could not be believed; empty where nobody was looked for."""
    committed: bytes = field(repr=False)
    """The exact argument of the decision."""
    directory: DirectoryView = field(repr=False, compare=False)
    """The one that was in force."""


def settled_by_request(policy: Policy, directory: DirectoryView, request: RequestFacts, first: Decision) -> Settled:
    """Of a request that is refused for itself; `first` is what `decide_request` said of it."""
    committed = DecisionInput(policy.digest, request, None).to_bytes()
    return Settled(first, NOTHING, None, (), committed, directory)


def settle(
    policy: Policy,
    directory: DirectoryView,
    request: RequestFacts,
    first: Decision,
    *,
    tokens: TokenSet,
    authority: Authority | None,
    candidates: Iterable[Candidate],
    verdicts: Verdicts,
    circumstances: Circumstances,
) -> Settled:
    """Of a request that `first` permits, once candidates of these tokens were looked up and what was said of them."""
    search = Search(
        family=request.call,
        keys=present_keys(tokens),
        records=circumstances.records,
        auto=circumstances.auto,
        purpose=request.purpose,
        asking=request.agency,
        verdicts=verdicts,
    )
    found = locate(candidates, search)
    stale = circumstances.stale[tokens.epoch]
    youth = youth_facts(found, request.agency, authority, directory, coverage_complete=not stale)
    decision = decide_youth(policy, request, youth, first)
    return Settled(decision, found, youth, stale, DecisionInput(policy.digest, request, youth).to_bytes(), directory)


def youth_facts(
    found: Found, asking: AgencyId, authority: Authority | None, directory: DirectoryView, *, coverage_complete: bool
) -> YouthFacts:
    """What was found, for the agency that asks; a source takes these from its own records (`adapters.node.settle`)."""
    candidate = found.candidate
    if candidate is None:
        return YouthFacts(located=found.located, coverage_complete=coverage_complete, flag=found.flag_state)
    home, here = county_of(candidate.owner), county_of(asking)
    return YouthFacts(
        located=found.located,
        coverage_complete=coverage_complete,
        owner=candidate.owner,
        flag=found.flag_state,
        restriction=candidate.restriction,
        placed_in_callers_county=(candidate.placement_county or home) == here,
        agreement_with_owner=directory.agreement(home, here),
        authority_covers_youth=authority is not None and covers_subject(authority, candidate.owner, candidate.handle),
    )
