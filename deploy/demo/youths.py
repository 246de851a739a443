"""Sixty invented youths in the care of two counties, from a fixed seed.

Decides who they are, their episodes and placements, and the few that the story needs by name (`Cast`). Dates are
counted back from `today`, so that ages and histories stay plausible; the same seed and day give the same youths. Does
not decide how a county writes them down (`write_csv`, `write_sql`).

No two youths share a birth date but the pairs that are meant to be confused, so that a mistaken match can only come
from the product.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Final

from deploy.demo.counties import COUNTY_A, COUNTY_B, COUNTY_C
from deploy.demo.invented import APOSTROPHE_SURNAMES, GIVEN_NAMES, SURNAME_PARTS

SEED: Final = 7
COUNT_A: Final = 34
COUNT_B: Final = 26
_FACILITIES: Final = ("FFH", "FFH", "REL", "REL", "GH", "STRTP", "SHEL", "THPP")
_MOVES: Final = ("PL", "PL", "DIS", "CLO")
_EXITS: Final = ("REU", "GUA", "OTH")
_DAYS_IN_A_YEAR: Final = 365


@dataclass(frozen=True, slots=True)
class Stay:
    """One placement, in the codes of the county's own system."""

    start: date
    end: date | None
    facility: str
    county: str
    """Five-digit FIPS, or empty for another state."""
    move: str = ""


@dataclass(frozen=True, slots=True)
class CareEpisode:
    """From removal to exit."""

    removal: date
    exit: date | None
    exit_code: str
    stays: tuple[Stay, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A youth as somebody writes the youth down."""

    given_name: str
    surname: str
    birth_date: date
    aka: str = ""
    """Another surname."""


@dataclass(frozen=True, slots=True)
class InventedYouth:
    """One youth in one county's system. `restriction` is N, S (sensitive) or R (sealed)."""

    local_id: str
    person: Person
    episodes: tuple[CareEpisode, ...]
    restriction: str = "N"

    @property
    def stays(self) -> tuple[Stay, ...]:
        """All placements, earliest first."""
        return tuple(stay for episode in self.episodes for stay in episode.stays)


@dataclass(frozen=True, slots=True)
class Cast:
    """Those whom the story needs, by number in their county's system; and one whom nobody knows."""

    runaway: str
    moved: str
    """Four placements, one of them a hospital stay; B has an open referral about the youth."""
    teammate: str
    """Whose child and family team the foster family agency has joined."""
    sealed: str
    sensitive: str
    twin: str
    other_twin: str
    namesake: str
    """In A."""
    other_namesake: str
    """In B; another youth of the same name and birth date."""
    renamed: str
    """In A; B writes the youth otherwise than A in every respect."""
    written_otherwise: Person
    stranger: Person
    """In no county's records."""


@dataclass(frozen=True, slots=True)
class Referral:
    """A row of B's own intake: a youth of another county, spelled as B heard it."""

    number: str
    person: Person


@dataclass(frozen=True, slots=True)
class Caseload:
    """Everybody."""

    a: tuple[InventedYouth, ...]
    b: tuple[InventedYouth, ...]
    cast: Cast
    referral: Referral
    _by_id: dict[str, InventedYouth] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {youth.local_id: youth for youth in (*self.a, *self.b)})

    def youth(self, local_id: str) -> InventedYouth:
        """The youth with this number."""
        return self._by_id[local_id]

    def people(self) -> Iterator[Person]:
        """Everybody whose name must not be found outside the counties, as often as somebody spells it otherwise."""
        yield from (youth.person for youth in (*self.a, *self.b))
        yield self.cast.stranger
        yield self.cast.written_otherwise
        yield self.referral.person


def make_caseload(today: date, *, seed: int = SEED) -> Caseload:
    """The sixty youths. The same arguments give the same youths."""
    source = random.Random(seed)
    people = _people(source, today)
    a = [_youth(f"TEST-A-{number:04}", next(people), source, today, COUNTY_A.fips) for number in range(1, COUNT_A + 1)]
    b = [_youth(f"TEST-B-{number:04}", next(people), source, today, COUNTY_B.fips) for number in range(1, COUNT_B + 1)]
    a[1] = replace(a[1], episodes=_moved_often(today))
    a[3] = replace(a[3], restriction="R")
    a[4] = replace(a[4], restriction="S")
    a[6] = replace(a[6], person=replace(a[5].person, given_name=a[5].person.given_name + "beth"))
    b[0] = replace(b[0], person=a[7].person)
    born = date(today.year - 14, 8, 4)
    a[8] = replace(a[8], person=Person("Guadalupe", "Montecielo", born))
    cast = Cast(
        runaway=a[0].local_id,
        moved=a[1].local_id,
        teammate=a[2].local_id,
        sealed=a[3].local_id,
        sensitive=a[4].local_id,
        twin=a[5].local_id,
        other_twin=a[6].local_id,
        namesake=a[7].local_id,
        other_namesake=b[0].local_id,
        renamed=a[8].local_id,
        written_otherwise=Person("Lupe", "Montecielo-Riofrontera", born.replace(month=4, day=8)),
        stranger=next(people),
    )
    return Caseload(tuple(a), tuple(b), cast, Referral("TEST-REF-0451", heard(a[1].person)))


def heard(person: Person) -> Person:
    """The same youth as an intake desk elsewhere types it: capitals, no accents, a hyphen where there was a space.

    Only differences that the match keys of this release absorb.
    """
    plain = str.maketrans("áéíóúüñÁÉÍÓÚÜÑ", "aeiouunAEIOUUN")
    surname = person.surname.replace(" ", "-") if " " in person.surname else person.surname.replace("-", " ")
    return Person(
        given_name=person.given_name.translate(plain).upper(),
        surname=surname.translate(plain).replace("'", "\N{RIGHT SINGLE QUOTATION MARK}").upper(),
        birth_date=person.birth_date,
    )


def _people(source: random.Random, today: date) -> Iterator[Person]:
    births = source.sample(range(8 * _DAYS_IN_A_YEAR, 18 * _DAYS_IN_A_YEAR - 30), COUNT_A + COUNT_B + 1)
    # The first two carry every kind of trouble a name can make; the other names are drawn.
    yield Person("Ximenita", "O'Brannigole Peñaluz", today - timedelta(days=births[0]), aka="Quintaverde")
    yield Person("Célianne", "Montecielo Cañadulce", today - timedelta(days=births[1]))
    for number, days in enumerate(births[2:], start=2):
        surname = _surname(source, number)
        aka = source.choice(SURNAME_PARTS) if number % 7 == 0 else ""
        yield Person(source.choice(GIVEN_NAMES), surname, today - timedelta(days=days), aka)


def _surname(source: random.Random, number: int) -> str:
    first, second = source.sample(SURNAME_PARTS, 2)
    match number % 4:
        case 0:
            return f"{source.choice(APOSTROPHE_SURNAMES)} {first}"
        case 1:
            return f"{first} {second}"
        case 2:
            return f"{first}-{second}"
        case _:
            return f"de la {first}"


def _youth(local_id: str, person: Person, source: random.Random, today: date, fips: str) -> InventedYouth:
    days = source.randrange(90, 900)
    current = _episode(source, today - timedelta(days=days), None, fips, today=today)
    if source.random() >= 0.3:
        return InventedYouth(local_id, person, (current,))
    end = current.removal - timedelta(days=source.randrange(60, 400))
    earlier = _episode(source, end - timedelta(days=source.randrange(40, 300)), end, fips, today=today)
    return InventedYouth(local_id, person, (earlier, current))


def _episode(source: random.Random, removal: date, end: date | None, fips: str, *, today: date) -> CareEpisode:
    length = ((end or today) - removal).days
    moves = sorted(source.sample(range(10, length - 5), source.randrange(0, 4)))
    starts = [removal, *(removal + timedelta(days=day) for day in moves)]
    ends: list[date | None] = [*starts[1:], end]
    stays = tuple(
        Stay(
            start,
            stop,
            source.choice(_FACILITIES),
            source.choice((fips, fips, COUNTY_B.fips, COUNTY_C.fips)),
            source.choice(_MOVES) if stop is not None else "",
        )
        for start, stop in zip(starts, ends, strict=True)
    )
    return CareEpisode(removal, end, source.choice(_EXITS) if end is not None else "", stays)


def _moved_often(today: date) -> tuple[CareEpisode, ...]:
    """Four placements; the third is a stay in a psychiatric hospital, which nobody outside A may recognize."""
    removal, second, hospital, fourth = (today - timedelta(days=days) for days in (400, 290, 121, 86))
    stays = (
        Stay(removal, second, "SHEL", COUNTY_A.fips, "PL"),
        Stay(second, hospital, "STRTP", COUNTY_C.fips, "DIS"),
        Stay(hospital, fourth, "HOSP", COUNTY_A.fips, "PL"),
        Stay(fourth, None, "REL", COUNTY_B.fips),
    )
    return (CareEpisode(removal, None, "", stays),)
