"""Which kinds of evidence agree between two records, from the match keys that do: what a person may be told. Pure.

Decides what each key says about each kind of evidence, and the sentence. Nothing of a record is in it: a key holds
tokens alone, and the kinds say no more than that two of them met.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from gateway.protocol.matching.score import Comparison


class Trait(StrEnum):
    """Kind of evidence two records can agree on."""

    GIVEN_NAME = "GIVEN_NAME"
    SURNAME = "SURNAME"
    BIRTH_DATE = "BIRTH_DATE"
    NUMBER = "NUMBER"
    ADDRESS = "ADDRESS"


class Agreement(StrEnum):
    """How a kind of evidence stands between two records."""

    AGREES = "AGREES"
    CLOSE = "CLOSE"
    DIFFERS = "DIFFERS"
    UNKNOWN = "UNKNOWN"
    """At least one of the two lacks it."""


_WHOLE_NAME: Final = frozenset({"name_dob", "name_year"})
_SOUND: Final = frozenset(
    {
        "skeleton_anyorder_dob",
        "nick_skeleton_dob_swap",
        "skeleton_year_month",
        "skeleton_year_day",
        "skeleton_month_day",
        "zip_skeleton",
    }
)
_NUMBER: Final = frozenset({"ssn4_dob", "ssn4_surname", "ssn4_given", "zip_ssn4"})
_ADDRESS: Final = frozenset({"zip_dob", "house_given", "zip_skeleton", "zip_ssn4"})

ALIKE: Final[Mapping[Trait, frozenset[str]]] = {
    Trait.GIVEN_NAME: _WHOLE_NAME | {"given_dob"},
    Trait.SURNAME: _WHOLE_NAME,
    Trait.BIRTH_DATE: frozenset(
        {
            "name_dob",
            "skeleton_anyorder_dob",
            "surname_edit1_dob",
            "given_dob",
            "given_edit1_dob",
            "given_nick_dob",
            "initial_surname_dob",
            "zip_dob",
        }
    ),
    Trait.NUMBER: _NUMBER,
    Trait.ADDRESS: _ADDRESS,
}
"""Keys that agree only where the kind of evidence is written alike."""
NEAR: Final[Mapping[Trait, frozenset[str]]] = {
    Trait.GIVEN_NAME: _SOUND | {"given_edit1_dob", "given_nick_dob", "further_given_dob", "ssn4_given", "house_given"},
    Trait.SURNAME: _SOUND | {"surname_edit1_dob", "initial_surname_dob", "ssn4_surname"},
    Trait.BIRTH_DATE: frozenset(
        {
            "nick_skeleton_dob_swap",
            "skeleton_year_month",
            "skeleton_year_day",
            "skeleton_month_day",
            "name_year",
            "ssn4_dob",
        }
    ),
    Trait.NUMBER: frozenset(),
    Trait.ADDRESS: frozenset(),
}
"""Keys that agree where it is close: sounds alike, a short form, one letter, one part, day and month swapped."""

UNLIKE: Final[Mapping[Trait, frozenset[str]]] = {
    Trait.GIVEN_NAME: frozenset({"further_given_dob", "further_initial_dob"}),
}
"""Keys that, where they differ, leave a kind of evidence close at best: José Luis and José Miguel are not one name."""

_WORDS: Final[Mapping[Trait, str]] = {
    Trait.GIVEN_NAME: "given name",
    Trait.SURNAME: "surname",
    Trait.BIRTH_DATE: "birth date",
    Trait.NUMBER: "last four digits of the number",
    Trait.ADDRESS: "address",
}
_VERBS: Final[Mapping[Agreement, tuple[str, str]]] = {
    Agreement.AGREES: ("agrees", "agree"),
    Agreement.CLOSE: ("is close", "are close"),
    Agreement.DIFFERS: ("differs", "differ"),
}


def evidence(comparison: Comparison) -> dict[Trait, Agreement]:
    """How each kind of evidence stands."""
    return {trait: _agreement(trait, comparison) for trait in Trait}


def _agreement(trait: Trait, comparison: Comparison) -> Agreement:
    if not ALIKE[trait].isdisjoint(comparison.agreeing):
        unlike = UNLIKE.get(trait, frozenset()) & comparison.differing
        return Agreement.CLOSE if unlike else Agreement.AGREES
    if not NEAR[trait].isdisjoint(comparison.agreeing):
        return Agreement.CLOSE
    told = (ALIKE[trait] | NEAR[trait]) & comparison.differing
    return Agreement.DIFFERS if told else Agreement.UNKNOWN


def sentence(found: Mapping[Trait, Agreement]) -> str:
    """The evidence in words: "given name and birth date agree; surname differs". What a record lacks is left out."""
    parts = []
    for agreement, (one, several) in _VERBS.items():
        traits = [_WORDS[trait] for trait in Trait if found.get(trait) is agreement]
        if traits:
            parts.append(f"{_listed(traits)} {one if len(traits) == 1 else several}")
    return "; ".join(parts)


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
