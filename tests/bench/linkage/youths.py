"""Invented youths in care, from a seed: households, siblings, twins, double surnames; and two lists that share some.

Twins of one first name (José Luis and José Miguel) are among them, and known as such: where a county left the further
name out, nothing tells them apart.

Decides who there is (written from the description in TOKENS §1.4, whose rates are assumptions); what goes wrong when
somebody writes a youth down is in `errors`. The same seed gives the same lists. Nobody here exists.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from tests.bench.linkage.dataset import ALL_FIELDS, Dataset, Link, Record
from tests.bench.linkage.errors import Rates, Written, with_errors, without_accents
from tests.bench.linkage.names_pool import Pool, given_names, surnames

_LAST_DAY = date(2026, 6, 30)
_DAYS = 21 * 365
_ZIPS = 1700
_STREETS = 6000
_SPANISH, _DOUBLE, _MIDDLE = 0.5, 0.35, 0.3
_WITH_SIBLINGS, _TWINS, _HALF_SIBLING = 0.40, 0.04, 0.15
_NEAR_NAMES = 0.15
"""Of twins: those whose names begin alike, like Eric and Erika."""
_ONE_FIRST_NAME = 0.15
"""Of twins of whom the first has a further name: those who have the first name in common and another further one."""


@dataclass(frozen=True, slots=True)
class Home:
    """An address."""

    zip_code: str
    suburb: str
    street: str
    house: str


@dataclass(frozen=True, slots=True)
class Youth:
    """Who somebody is, before anybody writes it down."""

    written: Written
    ssn4: str
    home: Home
    twins: str = ""
    """The same for both of two twins of one first name, who are mostly written with the further name too."""


@dataclass(frozen=True, slots=True)
class Lists:
    """A task, and which errors struck either copy of each true link."""

    task: Dataset
    faults: Mapping[Link, frozenset[str]]
    twins: frozenset[Link]
    """Records of two twins of one first name, one in either list."""


def make_lists(seed: int, *, size: int, shared: int, rates: Rates, name: str) -> Lists:
    """Two lists of `size` youths; `shared` of them are in both."""
    source = Random(seed)
    people = list(make_youths(source, 2 * size - shared))
    source.shuffle(people)
    ours = range(size)
    theirs = (*range(shared), *range(size, 2 * size - shared))
    left = {f"a{place}": _row(people[place], rates, source) for place in ours}
    right = {f"b{place}": _row(people[place], rates, source) for place in theirs}
    links = frozenset((f"a{place}", f"b{place}") for place in range(shared))
    faults = {(one, other): left[one][1] | right[other][1] for one, other in links}
    records = ({key: record for key, (record, _) in rows.items()} for rows in (left, right))
    return Lists(Dataset(name, *records, links, ALL_FIELDS), faults, frozenset(_twins(people, ours, theirs)))


def _twins(people: Sequence[Youth], ours: Sequence[int], theirs: Sequence[int]) -> Iterator[Link]:
    known: dict[str, list[int]] = defaultdict(list)
    for place in ours:
        known[people[place].twins].append(place)
    for other in (place for place in theirs if people[place].twins):
        yield from ((f"a{place}", f"b{other}") for place in known[people[other].twins] if place != other)


def make_caseload(seed: int, size: int, rates: Rates) -> dict[str, Record]:
    """One list, as one state would hold it."""
    source = Random(seed)
    return {f"y{place}": _row(youth, rates, source)[0] for place, youth in enumerate(make_youths(source, size))}


def make_youths(source: Random, count: int) -> Iterator[Youth]:
    """So many youths, siblings next to each other."""
    made = 0
    while made < count:
        for youth in _household(source):
            if made < count:
                yield youth
                made += 1


def _household(source: Random) -> Iterator[Youth]:
    # A household with siblings holds 2.5 youths on average, so that 40 % of youths have one in care.
    siblings = source.random() < _WITH_SIBLINGS / (2.5 - 1.5 * _WITH_SIBLINGS)
    size = source.choices((2, 3, 4), weights=(6, 3, 1))[0] if siblings else 1
    spanish = source.random() < _SPANISH
    family = _family_name(spanish, source)
    home = _home(source)
    youths: list[Youth] = []
    for _ in range(size):
        written = _one(youths[-1].written if youths else None, family, spanish, source)
        youth = Youth(written, f"{source.randrange(1, 9999):04}", home)
        if youths and youths[-1].written.given == written.given:
            youths[-1] = replace(youths[-1], twins=f"{home} {len(youths)}")
            youth = replace(youth, twins=youths[-1].twins)
        youths.append(youth)
    yield from youths


def _one(previous: Written | None, family: tuple[str, ...], spanish: bool, source: Random) -> Written:
    born = _LAST_DAY - timedelta(days=source.randrange(_DAYS))
    male = source.random() < 0.5
    pool = given_names(spanish=spanish, male=male)
    given = pool.draw(source)
    birth = (born.year, born.month, born.day)
    if previous is not None and previous.birth is not None and source.random() < _TWINS:
        birth = previous.birth
        if source.random() < _NEAR_NAMES:
            given = _near(previous.given, spanish, source) or given
        if previous.middle and source.random() < _ONE_FIRST_NAME:
            return _of_one_first_name(previous, pool, source)
    if previous is not None and source.random() < _HALF_SIBLING:
        family = _family_name(spanish, source)
    while previous is not None and given == previous.given:
        given = pool.draw(source)
    middle = pool.draw(source) if source.random() < _MIDDLE else ""
    return Written(given, middle, family, birth, estimated=False, spanish=spanish, faults=frozenset())


def _of_one_first_name(previous: Written, pool: Pool, source: Random) -> Written:
    middle = previous.middle
    while middle in (previous.middle, previous.given):
        middle = pool.draw(source)
    return replace(previous, middle=middle)


def _near(given: str, spanish: bool, source: Random) -> str:
    """Another name with the same beginning, if there is one."""
    names = [name for male in (True, False) for name in given_names(spanish=spanish, male=male).names]
    alike = [name for name in names if name[:3].lower() == given[:3].lower() and name != given]
    return source.choice(alike) if alike else ""


def _family_name(spanish: bool, source: Random) -> tuple[str, ...]:
    pool = surnames(spanish=spanish)
    if spanish and source.random() < _DOUBLE:
        return (pool.draw(source), pool.draw(source))
    return (pool.draw(source),)


def _home(source: Random) -> Home:
    # Some places are many times as large as others.
    place = int(_ZIPS * source.random() ** 2)
    street = surnames(spanish=source.random() < 0.5).names[source.randrange(_STREETS) % 600]
    kind = source.choice(("street", "avenue", "road", "drive", "court"))
    return Home(f"9{place:04}", f"town {_town(place)}", f"{street} {kind}", str(source.randrange(1, 9999)))


def _town(place: int) -> str:
    names = surnames(spanish=False).names
    return names[place // 3 % len(names)]


def _row(youth: Youth, rates: Rates, source: Random) -> tuple[Record, frozenset[str]]:
    """The youth as one county writes it, and which errors struck."""
    written = with_errors(youth.written, rates, source)
    # Each copy moves with half the chance of differing.
    home = _home(source) if source.random() < 1 - (1 - rates.moved) ** 0.5 else youth.home
    whole = rates.twins_whole_given if youth.twins else rates.whole_given
    given = f"{written.given} {written.middle}" if written.middle and source.random() < whole else written.given
    surname = source.choice((" ", "-")).join(written.surnames)
    plain = without_accents if source.random() < rates.accents_dropped else str
    shout = str.upper if source.random() < 0.5 else str.title
    birth = written.birth
    record: Record = {
        "given_name": shout(plain(given)),
        "surname": shout(plain(surname)),
        "date_of_birth": f"{birth[0]:04}{birth[1]:02}{birth[2]:02}" if birth else None,
        "street_number": home.house,
        "address_1": home.street,
        "suburb": home.suburb,
        "postcode": None if source.random() < rates.zip_missing else home.zip_code,
        "state": "ca",
        "soc_sec_id": None if source.random() < rates.ssn4_missing else youth.ssn4,
        "date_of_birth_estimated": "1" if written.estimated else None,
    }
    return record, written.faults
