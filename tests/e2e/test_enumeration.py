"""Who can try names: a roster of real and made-up youths against what a thief or an operator of an exchange holds.

A sandbox runs with its sixty invented youths. The attacker has a copy of the gateway's database, and then more and
more: the gateway's secrets, its share, the custodian's share, the pepper. README (Who can learn what) says at which
point guessing starts to work; every row of it that is about guessing is tried here, and the last one must succeed.
"""

import hashlib
import hmac
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.identity.keys import keyed_input, match_keys
from adapters.identity.scheme import load_scheme
from deploy.demo.contents import contents
from deploy.demo.invented import GIVEN_NAMES, SURNAME_PARTS
from deploy.demo.layout import Layout
from deploy.demo.sandbox import Sandbox
from deploy.demo.youths import Person, make_caseload
from gateway.protocol import oprf
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.ristretto import ORDER, load_ristretto
from gateway.store.resting import TokensAtRest
from gateway.tokens.share_file import DealtShare, read_share
from tests.commands import commands

ROSTER = 100_000
EPOCH = "e1"
KEY = "name_dob"
SUITE = oprf.Suite(load_ristretto())


@dataclass(frozen=True)
class Loot:
    """What lies on the machines of the exchange, and in the counties."""

    layout: Layout
    stored: frozenset[bytes]
    """Every value of 16 bytes or more in the gateway's database."""
    shares: dict[int, DealtShare]
    at_rest: bytes
    pepper: bytes
    secrets: dict[str, bytes]
    """Every other secret of the gateway, by file."""


@pytest.fixture(scope="module")
def loot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loot]:
    layout = Layout(tmp_path_factory.mktemp("enumeration") / "box")
    with Sandbox.up(layout.root, commands=commands()):
        yield _loot(layout)


def _loot(layout: Layout) -> Loot:
    group, secrets = SUITE.group, layout.gateway / "secrets"
    shares = [
        read_share((place / "secrets" / "share.bin").read_bytes(), group)
        for place in (layout.gateway, layout.custodian)
    ]
    (pepper,) = {path.read_bytes() for path in layout.root.rglob(f"pepper-{EPOCH}.key")}
    return Loot(
        layout=layout,
        stored=frozenset(_stored(layout.gateway / "gateway.db")),
        shares={dealt.share.index: dealt for dealt in shares},
        at_rest=(secrets / "storage.key").read_bytes(),
        pepper=pepper,
        secrets={path.name: path.read_bytes() for path in secrets.iterdir()},
    )


def _stored(database: Path) -> Iterator[bytes]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - names of the schema itself
            yield from (value for value in row if isinstance(value, bytes) and len(value) >= 16)
    connection.close()


# --- the roster


@pytest.fixture(scope="module")
def roster() -> list[Person]:
    """A hundred thousand people of the kind that is in care here, the sixty among them."""
    chance = random.Random(20261127)
    first = date(2006, 1, 1)
    made = [
        Person(chance.choice(GIVEN_NAMES), chance.choice(SURNAME_PARTS), first + timedelta(days=chance.randrange(6000)))
        for _ in range(ROSTER - 60)
    ]
    today = datetime.now().astimezone().date()
    everybody = [*made, *(youth.person for youth in (*make_caseload(today).a, *make_caseload(today).b))]
    chance.shuffle(everybody)
    return everybody


@pytest.fixture(scope="module")
def guesses(roster: list[Person]) -> list[bytes]:
    """What each name and birth date comes to by the rules that everybody can read."""
    rules = load_scheme()
    scheme = replace(rules, keys=tuple(rule for rule in rules.keys if rule.name == KEY))
    found = []
    for person in roster:
        identity = {
            "given_name": person.given_name,
            "surname": person.surname,
            "date_of_birth": person.birth_date.strftime("%Y%m%d"),
        }
        found += [value for name, value in match_keys(identity, scheme=scheme) if name == KEY][:1]
    assert len(found) == ROSTER
    return found


def hits(loot: Loot, tokens: Iterable[bytes]) -> int:
    """How many of these are in the database, in the first 16 bytes or whole."""
    return sum(token in loot.stored or token[:16] in loot.stored for token in tokens)


def keyed(guesses: list[bytes], pepper: bytes) -> Iterator[bytes]:
    version = load_scheme().version
    return (keyed_input(pepper, EPOCH, scheme=version, key_name=KEY, value=value) for value in guesses)


def rested(loot: Loot, tokens: Iterable[bytes]) -> Iterator[bytes]:
    """As the gateway keeps tokens."""
    return iter(split_tokens(TokensAtRest(loot.at_rest)(b"".join(token[: oprf.TOKEN_LENGTH] for token in tokens))))


def under(secret: bytes, inputs: Iterable[bytes]) -> Iterator[bytes]:
    """Tokens under one scalar."""
    return (oprf.to_token(oprf.evaluate_directly(SUITE, secret, text)) for text in inputs)


def whole_key(shares: Iterable[DealtShare]) -> bytes:
    """The key itself, from as many shares as make one (Lagrange at zero)."""
    points = [(dealt.share.index, int.from_bytes(dealt.share.secret, "little")) for dealt in shares]
    total = 0
    for index, value in points:
        weight = 1
        for other, _ in points:
            if other != index:
                weight = weight * other * pow(other - index, -1, ORDER) % ORDER
        total = (total + value * weight) % ORDER
    return total.to_bytes(32, "little")


# --- who does not get anywhere


HASHES: dict[str, Callable[[bytes], bytes]] = {
    name: (lambda value, name=name: hashlib.new(name, value).digest()) for name in ("sha256", "sha512", "sha1", "md5")
}


def test_a_thief_of_the_database_finds_nobody_by_hashes(loot: Loot, guesses: list[bytes]) -> None:
    for digest in HASHES.values():
        assert hits(loot, map(digest, guesses)) == 0
    assert hits(loot, guesses) == 0


def test_nobody_is_found_with_any_secret_of_the_gateway_as_a_key(loot: Loot, guesses: list[bytes]) -> None:
    for name, secret in loot.secrets.items():
        tried = (hmac.digest(secret, value, "sha256") for value in guesses)
        assert hits(loot, tried) == 0, name
    # ... nor with a value of the database itself as the pepper.
    for pepper in itertools.islice((value for value in loot.stored if len(value) == 32), 3):
        assert hits(loot, rested(loot, keyed(guesses, pepper))) == 0


@pytest.mark.parametrize("holder", [1, 2])
def test_one_share_finds_nobody_even_with_the_pepper_and_the_key_at_rest(
    loot: Loot, guesses: list[bytes], holder: int
) -> None:
    secret = loot.shares[holder].share.secret
    tokens = list(under(secret, keyed(guesses, loot.pepper)))
    assert hits(loot, tokens) == 0
    assert hits(loot, rested(loot, tokens)) == 0


def test_both_shares_find_nobody_without_the_pepper(loot: Loot, guesses: list[bytes]) -> None:
    key = whole_key(loot.shares.values())
    for inputs in (guesses[: ROSTER // 2], list(keyed(guesses[: ROSTER // 2], bytes(32)))):
        tokens = list(under(key, inputs))
        assert hits(loot, tokens) == 0
        assert hits(loot, rested(loot, tokens)) == 0


def test_whoever_has_everything_but_the_key_at_rest_finds_nobody_in_the_database(
    loot: Loot, guesses: list[bytes]
) -> None:
    key = whole_key(loot.shares.values())
    assert hits(loot, under(key, keyed(guesses[: ROSTER // 2], loot.pepper))) == 0


# --- and who does: the same search, so that its silence means something


def test_as_many_shares_as_make_a_token_with_the_pepper_find_everybody(
    loot: Loot, guesses: list[bytes], roster: list[Person]
) -> None:
    key = whole_key(loot.shares.values())
    today = datetime.now().astimezone().date()
    real = {youth.person for youth in (*make_caseload(today).a, *make_caseload(today).b)}
    known = [value for value, person in zip(guesses, roster, strict=True) if person in real]
    found = hits(loot, rested(loot, under(key, keyed(known, loot.pepper))))
    # A youth that only one county spells otherwise than the roster, or does not list, may be missed.
    assert found >= 0.9 * len(known) > 50
    others = [value for value, person in zip(guesses, roster, strict=True) if person not in real][:2000]
    assert hits(loot, rested(loot, under(key, keyed(others, loot.pepper)))) == 0


def test_the_pepper_is_nowhere_but_in_the_counties(loot: Loot) -> None:
    forms = (loot.pepper, loot.pepper.hex().encode())

    def holding(place: Path) -> list[Path]:
        files = contents(place)
        assert files
        return [path for path, content in files if any(form in content for form in forms)]

    for place in (loot.layout.gateway, loot.layout.custodian, loot.layout.received, loot.layout.ceremony):
        assert holding(place) == []
    for letter in ("A", "B", "C"):
        assert [path.name for path in holding(loot.layout.agency(letter))] == [f"pepper-{EPOCH}.key"]


def test_no_share_is_anywhere_but_at_its_holder_and_where_the_dealer_left_it(loot: Loot) -> None:
    for index, own, other in (
        (1, loot.layout.gateway, loot.layout.custodian),
        (2, loot.layout.custodian, loot.layout.gateway),
    ):
        secret = loot.shares[index].share.secret
        assert [path.name for path, content in contents(own) if secret in content] == ["share.bin"]
        for place in (other, loot.layout.received, loot.layout.logs):
            assert not any(secret in content for _, content in contents(place))
