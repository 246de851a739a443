"""From identities to tokens in two steps, between which the caller asks the token-key holders; no I/O here.

    begin    identities -> match keys -> keyed inputs, padded and shuffled -> blinded elements, to every holder alike
    finish   the holders' answers -> one token set per identity

Decides what a holder can see: always the same number of elements per identity, dummies blinded and evaluated like the
rest. Does not decide which holders are asked, nor whether they proved their answers (the caller, with
`oprf.verify_proof`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.identity.errors import IncompleteIdentity
from adapters.identity.keys import keyed_input, match_keys, missing_fields
from adapters.identity.scheme import Scheme
from adapters.identity.youth import Identity
from gateway.protocol import oprf
from gateway.protocol.matching.key_scheme import KeyRule, load_key_scheme
from homeward.gateway.v1.envelope_pb2 import TokenSet

_INPUT_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to tokenize: the identity on record, and for each known alias the fields that differ."""

    identity: Identity = field(repr=False)
    aliases: tuple[Identity, ...] = field(default=(), repr=False)
    estimated: bool = False
    """The source marks the birth date as a guess: no key is made that needs its day or its month."""


@dataclass(frozen=True, slots=True)
class BlindedBatch:
    """`elements` go to the holders, 32 bytes each, in this order. The rest stays here until `finish`, and is secret."""

    elements: tuple[bytes, ...]
    inputs: tuple[bytes, ...] = field(repr=False)
    blinds: tuple[bytes, ...] = field(repr=False)
    carried: tuple[frozenset[str], ...] = field(repr=False)
    epoch: str


class Blinding:
    """Tokenizes under one scheme. Holds no key; CPU work of about 0.1 ms per element, so run it off the event loop."""

    def __init__(self, suite: oprf.Suite, scheme: Scheme, *, random_bytes: Callable[[int], bytes]) -> None:
        self._suite = suite
        self._scheme = scheme
        self._shape = load_key_scheme(scheme.version)
        self._random_bytes = random_bytes

    @property
    def capacity(self) -> int:
        """How many people fit into one batch."""
        return oprf.MAX_BATCH // self._shape.elements

    def begin(self, people: Sequence[Person], *, pepper: bytes, epoch: str) -> BlindedBatch:
        """Return the blinded batch for 1 to `capacity` people; all or nothing.

        Raises `IncompleteIdentity` for the first person without a usable name or birth date, `InvalidIdentity` for
        a name too long, `oprf.BatchError` for too many people or none.
        """
        if not people:
            raise oprf.BatchError(oprf.BatchFault.EMPTY)
        if len(people) > self.capacity:
            raise oprf.BatchError(oprf.BatchFault.TOO_LONG)
        values = [self._values(person, position) for position, person in enumerate(people)]
        inputs: list[bytes] = []
        for carried in values:
            for rule in self._scheme.keys:
                inputs += self._padded(rule, carried.get(rule.name, []), pepper=pepper, epoch=epoch)
        blinds = oprf.random_scalars(self._suite, len(inputs), random_bytes=self._random_bytes)
        elements = oprf.blind(self._suite, inputs, blinds)
        return BlindedBatch(tuple(elements), tuple(inputs), tuple(blinds), tuple(map(frozenset, values)), epoch)

    def finish(
        self, batch: BlindedBatch, evaluations: Mapping[int, Sequence[bytes]], *, threshold: int
    ) -> list[TokenSet]:
        """Return one token set per person, from untrusted answers by share index; raises `oprf.BatchError`."""
        outputs = oprf.finalize(
            self._suite.group, batch.inputs, blinds=batch.blinds, evaluations=evaluations, threshold=threshold
        )
        tokens, count = [oprf.to_token(output) for output in outputs], self._shape.elements
        return [
            self._shape.token_set(batch.epoch, tokens[place * count : (place + 1) * count], carried=carried)
            for place, carried in enumerate(batch.carried)
        ]

    def _values(self, person: Person, position: int) -> dict[str, list[bytes]]:
        values: dict[str, list[bytes]] = {}
        pairs = match_keys(person.identity, aliases=person.aliases, estimated=person.estimated, scheme=self._scheme)
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        needed = [rule.name for rule in self._scheme.keys if rule.core and not (rule.exact and person.estimated)]
        if any(name not in values for name in needed):
            missing = missing_fields(person.identity, aliases=person.aliases, scheme=self._scheme)
            raise IncompleteIdentity(missing, position=position)
        return values

    def _padded(self, rule: KeyRule, values: Sequence[bytes], *, pepper: bytes, epoch: str) -> list[bytes]:
        """Return exactly `rule.pad` inputs in random order; a dummy is as random as a keyed input looks."""
        version = self._scheme.version
        inputs = [keyed_input(pepper, epoch, scheme=version, key_name=rule.name, value=value) for value in values]
        inputs += [self._random_bytes(_INPUT_LENGTH) for _ in range(rule.pad - len(inputs))]
        return sorted(inputs, key=lambda _: self._random_bytes(8))
