"""A member with an adapter of its own, who puts the tokens of many youths into one question.

Elements are blinded and tokens are hashes: nobody can see whether those of one question are of one youth. So packing
cannot be refused. What bounds it is the room a key has, the day's questions, and that a question counts as a miss
unless it found somebody new, of another agency, by two keys or more. What packing does gain is pinned here, and
README says the same (Who can learn what).
"""

import hashlib
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from adapters.identity import match_keys
from adapters.identity.builders import encode
from adapters.identity.youth import Identity
from gateway.errors import ErrorReason, Exhausted
from gateway.exchange.tally import Limits, Suspicion
from gateway.protocol.matching.score import Comparison
from gateway.protocol.matching.weights import load_weights
from gateway.protocol.names import AgencyId, FlagState, Purpose
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from gateway.store.tally import SqlTally
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED
from tests.unit.exchange.spine_parts import ASKER, EPOCH, FINDER, OWNER, UNBOUNDED
from tests.unit.exchange.spine_world import World
from tests.unit.exchange.test_identities import alerts, lists
from tests.unit.token_sets import SHAPE, token_set

FEW = Suspicion(20, 95)
DAY = "20100408"
NAMES = ("maria", "jose", "juan", "ana", "luis", "carlos", "rosa", "pedro", "sofia", "diego", "elena")
SURNAMES = (
    "garcia", "lopez", "hernandez", "gonzalez", "perez", "rodriguez", "sanchez", "ramirez", "cruz", "flores", "gomez",
    "morales", "vazquez", "reyes", "jimenez", "torres", "diaz", "gutierrez", "mendoza", "ruiz",
)  # fmt: skip
NUMBERS = count(1)


def person(given_name: str, surname: str, born: str = DAY) -> Identity:
    return {"given_name": given_name, "surname": surname, "date_of_birth": born}


LUPE = person("Guadalupe", "Ruiz")
STRANGERS = (person("Nobody", "Atall", "20120101"), person("Other", "Person", "20130505"), person("Third", "Soul"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, auto=False)
    made.use(replace(made.setting, tally=SqlTally(made.journal, UNBOUNDED, FEW)))
    lists(made, "lupe", LUPE, flag=FlagState.ACTIVE)
    yield made
    await made.close()


def token(key: str, value: bytes) -> bytes:
    """As `token_sets` makes it for those who are listed."""
    return hashlib.sha256(key.encode() + b"\0" + value).digest()[:16]


def tokens_by_key(identity: Identity) -> dict[str, list[bytes]]:
    made: dict[str, list[bytes]] = {}
    for key, value in match_keys(identity):
        made.setdefault(key, []).append(token(key, value))
    return made


def forged(tokens: Mapping[str, Sequence[bytes]], *, carried: Collection[str] = SHAPE.core) -> TokenSet:
    """A question of the scheme's shape that holds these and dummies."""

    def mint(key: str, pad: int) -> list[bytes]:
        put = list(dict.fromkeys(tokens.get(key, ())))[:pad]
        return put + [os.urandom(16) for _ in range(pad - len(put))]

    return token_set(EPOCH, mint, carried=carried)


def packed(*identities: Identity) -> TokenSet:
    """All of them, each with the values that come first, as far as there is room."""
    each = [tokens_by_key(identity) for identity in identities]
    shares = {rule.name: max(1, rule.pad // len(identities)) for rule in SHAPE.keys}
    return forged({key: [one for made in each for one in made.get(key, [])[:share]] for key, share in shares.items()})


async def ask(world: World, tokens: TokenSet, *, worker: str = "worker-1") -> CheckFlagResponse:
    answered = await world.flag(replace(FINDER, tokens=tokens, number=next(NUMBERS), worker=worker))
    assert isinstance(answered.response, CheckFlagResponse)
    return answered.response


async def outcome(world: World, tokens: TokenSet) -> Outcome:
    return from_wire(Outcome, (await ask(world, tokens)).answer.outcome)


def held(world: World) -> bool:
    return any(entry.fields["kind"] == "lookups.held" for entry in world.entries())


async def test_one_question_has_room_for_three_whole_youths_and_for_no_fourth(world: World) -> None:
    assert await outcome(world, packed(*STRANGERS[:2])) is Outcome.NO_ACTIVE_FLAG_FOUND
    # What no machine can tell from a youth with two other names.
    assert (await ask(world, packed(*STRANGERS[:2], LUPE))).answer.HasField("flag_statement")
    answer = (await ask(world, packed(*STRANGERS, LUPE))).answer
    assert not answer.HasField("flag_statement")


@pytest.mark.parametrize("carried", [SHAPE.core, SHAPE.core_of_estimated], ids=["exact", "estimated"])
async def test_twenty_surnames_of_one_day_find_nobody_whether_the_day_is_left_out_or_not(
    world: World, carried: frozenset[str]
) -> None:
    surnames = {"surname_edit1_dob": [token("surname_edit1_dob", encode(name, DAY)) for name in SURNAMES]}
    assert await outcome(world, forged(surnames, carried=carried)) is Outcome.NO_ACTIVE_FLAG_FOUND
    assert await alerts(world, OWNER, ALERT_KIND_CHECKED) == []


def given_names(*names: str) -> TokenSet:
    return forged({"given_edit1_dob": [token("given_edit1_dob", encode(name, DAY)) for name in names]})


def test_a_question_has_room_for_thirty_six_guesses_that_make_somebody_possible_and_no_more() -> None:
    """The arithmetic of README, on the weights that ship: places of the keys that suffice alone."""
    weights, prior = load_weights(), load_weights().prior(0, purpose=Purpose.MFC_HANDOFF)
    alone = {
        rule.name: rule.pad
        for rule in SHAPE.keys
        if rule.core
        and prior + Comparison(frozenset({rule.name}), SHAPE.core - {rule.name}).bits(weights) >= weights.possible
    }
    assert sum(alone.values()) <= 36
    # Of a given name and a birth date, whatever the surname.
    assert alone["given_edit1_dob"] + alone["given_dob"] == 15
    assert min(rule.pad for rule in SHAPE.keys if rule.core) == 3


async def test_a_guess_in_each_key_is_a_miss_whomever_it_finds(world: World) -> None:
    for number in range(FEW.lookups):
        key = ("skeleton_anyorder_dob", "nick_skeleton_dob_swap", "initial_surname_dob")[number % 3]
        found = person(f"Inventa{chr(97 + number)}", "Alderwood", f"201102{number + 1:02}")
        lists(world, f"guessed {number}", found, flag=FlagState.ACTIVE)
        assert await outcome(world, forged({key: tokens_by_key(found)[key]})) is Outcome.UNDETERMINED
    assert held(world)


async def test_near_spellings_alone_are_a_miss_whomever_they_find(world: World) -> None:
    wide = ("nick_skeleton_dob_swap", "given_edit1_dob", "surname_edit1_dob")
    for number in range(FEW.lookups):
        found = person(f"Inventa{chr(97 + number)}", "Alderwood", f"201102{number + 1:02}")
        lists(world, f"guessed {number}", found, flag=FlagState.ACTIVE)
        made = tokens_by_key(found)
        assert await outcome(world, forged({key: made[key] for key in wide})) is Outcome.UNDETERMINED
    assert held(world)


async def test_twelve_given_names_of_one_day_page_the_owner_and_count_as_a_miss(world: World) -> None:
    # Right given name and day, whatever the surname: what finds a changed surname, so it is not turned away.
    assert await outcome(world, given_names(*NAMES)) is Outcome.NO_ACTIVE_FLAG_FOUND
    for number in range(FEW.lookups - 1):
        assert not held(world)
        assert await outcome(world, given_names(*NAMES, "guadalupe")) is Outcome.UNDETERMINED
        assert len(await alerts(world, OWNER, ALERT_KIND_CHECKED)) == number + 1
    assert held(world)


async def test_every_hit_of_such_names_is_counted_and_so_many_are_an_alarm(world: World) -> None:
    world.use(replace(world.setting, tally=SqlTally(world.journal, Limits(100, 100, possible=5), None)))
    for number in range(4):
        lists(world, f"day {number}", person("Guadalupe", f"Ruiz{'abcd'[number]}", f"2011040{number + 1}"))
        await ask(world, given_names(*NAMES, "guadalupe"))
    assert not [entry for entry in world.entries() if entry.fields["kind"] == "budget.alarm"]
    await ask(world, given_names("guadalupe"))
    (alarm,) = [entry for entry in world.entries() if entry.fields["kind"] == "budget.alarm"]
    assert (alarm.fields["account"], alarm.fields["agency"], alarm.requester) == ("POSSIBLE", ASKER, "")


@pytest.mark.parametrize("owner", [ASKER, OWNER], ids=["of its own list", "of another's"])
async def test_a_youth_somebody_knows_in_every_question_does_not_keep_the_hold_away(
    world: World, owner: AgencyId
) -> None:
    known = person("Decoyna", "Ownlisted", "20110303")
    world.register("known", tokens=packed(known), owner=owner)
    for number in range(FEW.lookups):
        guess = person(f"Guess{chr(97 + number)}", "Zq", "20120102")
        assert await outcome(world, packed(known, guess)) is Outcome.NO_ACTIVE_FLAG_FOUND
    with pytest.raises(Exhausted) as caught:
        await ask(world, packed(known, LUPE))
    assert caught.value.reason is ErrorReason.LOOKUPS_HELD


async def test_honest_questions_about_as_many_youths_are_never_held(world: World) -> None:
    """The control: the same number of questions, each about somebody who is listed, written with a slip of the pen."""
    for number in range(2 * FEW.lookups):
        name = f"Inventa{chr(97 + number % 26)}"
        lists(world, f"listed {number}", person(name, "Alderwood", f"2011{1 + number % 12:02}{1 + number % 28:02}"))
        asked = person(f"{name}s", "Alderwood", f"2011{1 + number % 12:02}{1 + number % 28:02}")
        await ask(world, packed(asked))
    assert not held(world)


async def test_tokens_once_made_buy_no_more_questions_than_a_day_has(world: World) -> None:
    """Eighty-six guesses made for the price of one record, and asked twelve at a time in ever new mixtures."""
    world.use(replace(world.setting, tally=SqlTally(world.journal, Limits(9, 6, 100), None)))
    guesses = [(name, f"2010{month:02}{day:02}") for name in ("maria", "jose") for month in (3, 4) for day in (1, 2)]
    for worker, questions in (("worker-1", 6), ("worker-2", 3)):
        for number in range(questions):
            mixture = [token("given_edit1_dob", encode(*guess)) for guess in guesses[number:] + guesses[:number]]
            await ask(world, forged({"given_edit1_dob": mixture}), worker=worker)
        with pytest.raises(Exhausted) as caught:
            await ask(world, forged({}), worker=worker)
        assert caught.value.reason is ErrorReason.QUESTIONS_EXHAUSTED
    refused = [entry.fields["reason"] for entry in world.entries() if entry.fields["kind"] == "access.refused"]
    assert refused == ["QUESTIONS_EXHAUSTED"] * 2
