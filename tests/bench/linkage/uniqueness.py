"""The rule a match key must keep (TOKENS §4.3): at 100,000 youths 90 % of its tokens are borne by one youth, and none
by more than six. A key that breaks it could be read off its frequencies by whoever holds the index.

Keys that are known to break it are measured with the others: a rule that let them pass would find nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from adapters.identity.keys import keys_of
from adapters.identity.scheme import load_scheme
from adapters.identity.youth import Youth, youth_of
from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME
from tests.bench.linkage.dataset import Record

LEAST_UNIQUE = 0.9
MOST_BEARERS = 6

# Rejected on purpose (TOKENS §4.3), the positive control.
CONTROLS: Mapping[str, Callable[[Youth], Iterator[object]]] = {
    "control: surname": lambda youth: iter(youth.surnames),
    "control: birth date": lambda youth: iter([youth.birth_date] if youth.birth_date else []),
    "control: names without date": lambda youth: iter(youth.sounds),
    "control: SSN4 and year": lambda youth: iter(
        [(youth.last_four, youth.birth_date[:4])] if youth.last_four and youth.birth_date else []
    ),
}


@dataclass(frozen=True, slots=True)
class Frequency:
    """How a key's values are spread over youths."""

    records: int
    values: int
    largest: int
    share: float
    """Of the distinct values, those one youth alone bears."""

    @property
    def is_kept(self) -> bool:
        """Whether the rule is kept."""
        return self.share >= LEAST_UNIQUE and self.largest <= MOST_BEARERS


def frequencies(caseload: Mapping[str, Record]) -> dict[str, Frequency]:
    """Every key of the extended scheme, which holds those of the default one, and the controls."""
    scheme = load_scheme(EXTENDED_SCHEME)
    bearers: dict[str, Counter[int]] = defaultdict(Counter)
    carriers: Counter[str] = Counter()
    for record in caseload.values():
        youth = youth_of(record, (), scheme, estimated=record.get("date_of_birth_estimated") == "1")
        # Hashes stand for the values: some 320 of them for each of 100,000 youths.
        values = {(name, hash(value)) for name, value in keys_of(youth, scheme)}
        values |= {(name, hash(value)) for name, control in CONTROLS.items() for value in control(youth)}
        carriers.update({name for name, _ in values})
        for name, value in values:
            bearers[name][value] += 1
    order = [rule.name for rule in scheme.keys] + list(CONTROLS)
    return {name: _frequency(carriers[name], bearers[name]) for name in order}


def broken(found: Mapping[str, Frequency]) -> list[str]:
    """What contradicts the rule: keys that break it, and controls that keep it."""
    return [name for name, frequency in found.items() if frequency.is_kept is (name in CONTROLS)]


def _frequency(carriers: int, bearers: Counter[int]) -> Frequency:
    unique = sum(1 for count in bearers.values() if count == 1)
    return Frequency(carriers, sum(bearers.values()), max(bearers.values()), unique / len(bearers))
