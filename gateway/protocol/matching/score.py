"""What two token sets amount to: the keys they agree and disagree on, and the sum of their weights. Pure.

Additive log-odds (TOKENS §5). A key counts for a pair where a token of it is shared; against it only where both carry
the key and share none, so that a number one county does not know is no evidence that two youths differ. Does not decide
what a score means (`classify`).
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass

from gateway.protocol.matching.key_scheme import load_key_scheme, split_tokens
from gateway.protocol.matching.weights import Weights
from homeward.gateway.v1.envelope_pb2 import TokenSet

Carried = Mapping[str, Set[bytes]]
"""Tokens by key, of the keys a youth's data carry; dummies among them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The keys on which two token sets agree, and those that both carry without a shared token."""

    agreeing: frozenset[str]
    differing: frozenset[str]

    def bits(self, weights: Weights) -> float:
        """What the comparison is worth: to be added to the prior."""
        return sum(weights.agree[key] for key in self.agreeing) + sum(weights.disagree[key] for key in self.differing)


def carried_tokens(tokens: TokenSet) -> dict[str, frozenset[bytes]]:
    """The tokens of the keys that are present. `tokens` keeps the shape of its scheme."""
    scheme = load_key_scheme(tokens.scheme)
    return {key: frozenset(split_tokens(scheme.tokens_of(tokens, key))) for key in scheme.carried(tokens.presence)}


def compare(asked: Carried, listed: Carried) -> Comparison:
    """The comparison of two sets of one epoch and scheme."""
    both = asked.keys() & listed.keys()
    agreeing = frozenset(key for key in both if not asked[key].isdisjoint(listed[key]))
    return Comparison(agreeing, frozenset(both) - agreeing)


def compare_keys(agreeing: Collection[str], *, asked: Collection[str], listed: Collection[str]) -> Comparison:
    """The comparison where an index already found the agreeing keys; `asked` and `listed` are the keys each carries."""
    return Comparison(frozenset(agreeing), frozenset(asked) & frozenset(listed) - frozenset(agreeing))
