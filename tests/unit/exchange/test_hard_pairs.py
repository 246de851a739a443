"""Pairs that are easily taken for one youth, or for two: what the exchange does with each, with `auto` on and off.

Records are asked for with `auto` on, a flag's status with `auto` off: the widest that either setting gives. Surname and
birth date are equal unless a row says otherwise. Invented youths, in an index of sixty.
"""

import os
from collections.abc import Mapping

import pytest

from adapters.identity import match_keys
from adapters.identity.youth import Identity
from gateway.exchange.locate import Candidate, FlagRow, Search, locate
from gateway.protocol.matching.evidence import Agreement, Trait, evidence
from gateway.protocol.matching.score import compare
from gateway.protocol.names import AgencyId, Call, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import Located

OURS, THEIRS = AgencyId("06029.cwa"), AgencyId("06037.cwa")
HOUSE: Identity = {"postcode": "94110", "street_number": "12"}
ONE_NUMBER: tuple[Identity, Identity] = ({"soc_sec_id": "6780"}, {"soc_sec_id": "6780"})
TWO_NUMBERS: tuple[Identity, Identity] = ({"soc_sec_id": "6780"}, {"soc_sec_id": "4321"})
BARE: tuple[Identity, Identity] = ({}, {})

TOLD = (Located.ONE, Located.ONE_FOR_FLAG)
"""Records where scores count; a flag's status where they do not: one youth, as far as anybody can know."""
ASKED = (Located.POSSIBLE, Located.POSSIBLE)
"""A person decides, whatever `auto` says; nothing is disclosed."""
SCORED = (Located.ONE, Located.POSSIBLE)
"""Told where scores count, asked about where they do not."""

TWINS = [
    ("José Luis", "José Miguel"),
    ("José Luis", "José Lorenzo"),
    ("José L.", "José M."),
    ("Maria Fernanda", "Maria Guadalupe"),
    ("María F.", "María Guadalupe"),
    ("De Andre", "De Shawn"),
    ("Daniel", "Daniela"),
    ("Mario", "Maria"),
    ("Angel", "Angela"),
    ("Jayden", "Jaden"),
    ("Eric", "Erika"),
    ("Juan", "John"),
]
ONE_YOUTH = [
    ("José Luis", "José Luis", TOLD),
    ("José Luis", "José", TOLD),
    ("José Luis", "José L.", TOLD),
    ("María Lupe", "María Guadalupe", TOLD),
    ("José Luis", "Luis José", ASKED),
    ("Guadalupe", "María Guadalupe", ASKED),
    ("Lupe", "María Guadalupe", ASKED),
    ("Luis", "José Luis", ASKED),
    ("Kate", "Mary Kate", ASKED),
    ("Nena", "María Elena", ASKED),
    ("Ma. Elena", "María Elena", ASKED),
    ("Hoa", "Thi Hoa", ASKED),
    ("Deandre", "De Andre", ASKED),
    ("Beto", "Roberto", ASKED),
    ("Beto", "Humberto", ASKED),
    ("Beto", "Norberto", ASKED),
    ("Yenifer", "Jennifer", ASKED),
    ("Yesenia", "Jessenia", ASKED),
    ("Yaquelin", "Jackeline", ASKED),
    ("Giovanny", "Yovani", ASKED),
    ("Guadaluppe", "Guadalupe", ASKED),
]
NOBODY = ["Bebé", "Bebé Niña", "FNU", "RN", "X", "No First Name", "Hijo", "Recién Nacido", "Baby Boy 2"]


def youth(given_name: str, more: Identity) -> Identity:
    return {"given_name": given_name, "surname": "Garcia", "date_of_birth": "20100408"} | dict(more)


def carried(identity: Identity) -> dict[str, set[bytes]]:
    values: dict[str, set[bytes]] = {}
    for name, value in match_keys(identity):
        values.setdefault(name, set()).add(value)
    return values


def candidate(ours: Mapping[str, set[bytes]], theirs: Mapping[str, set[bytes]]) -> Candidate:
    """A youth with an open flag, as a question that carries `ours` meets it."""
    flag = FlagRow(os.urandom(16), FlagState.ACTIVE, 1, b"")
    agreeing, handle = compare(ours, theirs).agreeing, SubjectHandle(os.urandom(16))
    return Candidate(THEIRS, handle, agreeing, frozenset(theirs), Restriction.NONE, "", flag)


def search(ours: Mapping[str, set[bytes]], *, auto: bool) -> Search:
    family = Call.RECORD if auto else Call.FLAG_CHECK
    return Search(family, frozenset(ours), records=60, auto=auto, purpose="MFC_LOCATE", asking=OURS)


def located(asked: Identity, listed: Identity, *, auto: bool) -> Located:
    """What a question for records (with `auto`), or for a flag (without), makes of the one who is listed."""
    ours = carried(asked)
    met = candidate(ours, carried(listed))
    return locate([met] if met.agreeing_keys else [], search(ours, auto=auto)).located


def both(one: Identity, other: Identity) -> tuple[Located, Located]:
    return located(one, other, auto=True), located(one, other, auto=False)


@pytest.mark.parametrize("numbers", [BARE, TWO_NUMBERS, (HOUSE, HOUSE)], ids=["bare", "two numbers", "one house"])
@pytest.mark.parametrize(("one", "other"), TWINS)
def test_twins_are_never_one_youth_without_a_person(one: str, other: str, numbers: tuple[Identity, Identity]) -> None:
    outcomes = {
        *both(youth(one, numbers[0]), youth(other, numbers[1])),
        *both(youth(other, numbers[0]), youth(one, numbers[1])),
    }
    assert outcomes <= {Located.POSSIBLE, Located.NONE}


@pytest.mark.parametrize(
    ("one", "other"),
    [("José Luis", "José Miguel"), ("Maria Fernanda", "Maria Guadalupe"), ("Daniel", "Daniela"), ("Jayden", "Jaden")],
)
@pytest.mark.parametrize("auto", [True, False])
def test_each_of_two_listed_twins_is_told_for_the_exact_spelling(one: str, other: str, auto: bool) -> None:
    twins = [candidate(carried(youth(one, {})), carried(youth(name, {}))) for name in (other, one)]
    answer = locate(twins, search(carried(youth(one, {})), auto=auto))
    assert (answer.located, answer.candidate) == (Located.ONE if auto else Located.ONE_FOR_FLAG, twins[1])


@pytest.mark.parametrize(("one", "other", "expected"), ONE_YOUTH)
def test_one_youth_written_in_two_ways_is_found(one: str, other: str, expected: tuple[Located, Located]) -> None:
    assert both(youth(one, {}), youth(other, {})) == expected
    assert both(youth(other, {}), youth(one, {})) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("Daniel", "Daniela"), ("Jayden", "Jaden"), ("Lupe", "Guadalupe"), ("Guadaluppe", "Guadalupe")]
)
def test_one_number_that_both_write_makes_a_match_of_names_that_are_close(one: str, other: str) -> None:
    assert both(youth(one, ONE_NUMBER[0]), youth(other, ONE_NUMBER[1])) == SCORED


@pytest.mark.parametrize("name", ["Guadalupe", "José Luis"])
def test_namesakes_of_one_day_with_two_numbers_are_never_one_youth_without_a_person(name: str) -> None:
    assert both(youth(name, {}), youth(name, {})) == TOLD
    assert both(youth(name, TWO_NUMBERS[0]), youth(name, TWO_NUMBERS[1])) == ASKED


@pytest.mark.parametrize("name", NOBODY)
def test_two_youths_without_a_name_are_never_one(name: str) -> None:
    assert carried(youth(name, HOUSE)) == {}
    assert both(youth(name, HOUSE), youth(name, HOUSE)) == (Located.NONE, Located.NONE)


@pytest.mark.parametrize(("one", "other"), TWINS[:6])
def test_a_person_is_not_told_that_the_given_names_of_twins_agree(one: str, other: str) -> None:
    ours, theirs = carried(youth(one, {})), carried(youth(other, {}))
    assert evidence(compare(ours, theirs))[Trait.GIVEN_NAME] is Agreement.CLOSE
    assert evidence(compare(ours, ours))[Trait.GIVEN_NAME] is Agreement.AGREES
