"""Real ways of writing a youth, from the keys a county makes of them to the answer of the exchange.

Invented youths, in an index of sixty: small enough that a prior taken from its size alone would let twins pass.
"""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.identity.youth import Identity
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, FlagState, Purpose, Role
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from gateway.store.alerts import Alerts
from gateway.store.lookups import Lookups
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED, ALERT_KIND_REVIEW, Alert
from tests.unit.exchange.spine_parts import ASKER, EPOCH, OWNER, Question
from tests.unit.exchange.spine_world import World
from tests.unit.exchange.test_reviews import say
from tests.unit.token_sets import tokens_of_identity

LUPE: Identity = {
    "given_name": "Guadalupe",
    "surname": "García-Ruiz",
    "date_of_birth": "20100408",
    "soc_sec_id": "6780",
    "postcode": "94110",
    "street_number": "12",
}
BARE: Identity = {name: LUPE[name] for name in ("given_name", "surname", "date_of_birth")}
PLACEMENT = Question("")
FINDER = replace(
    PLACEMENT,
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.er_worker"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)
NUMBERS = count(1)


def populated(path: Path, *, auto: bool) -> World:
    """A world of sixty youths who are none of those below."""
    world, chance = World(path, auto=auto), random.Random(11)
    for place in range(57):
        other = {
            "given_name": chance.choice(["Inventa", "Fictivo", "Bruno", "Odalys", "Teodoro", "Ximena"]),
            "surname": chance.choice(["Alderwood", "Brandywine", "Cottonwood", "Dogwood"]) + "aeiou"[place % 5],
            "date_of_birth": f"20{chance.randint(8, 15):02}{chance.randint(1, 12):02}{chance.randint(1, 28):02}",
        }
        world.register(f"other-{place}", tokens=tokens_of_identity(EPOCH, other))
    return world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = populated(tmp_path, auto=True)
    yield made
    await made.close()


@pytest.fixture
async def careful(tmp_path: Path) -> AsyncIterator[World]:
    """With `auto` off."""
    made = populated(tmp_path, auto=False)
    yield made
    await made.close()


def lists(world: World, label: str, identity: Identity, *, flag: FlagState | None = None, **told: object) -> None:
    """The owner lists this youth."""
    world.register(label, tokens=tokens_of_identity(EPOCH, identity, **told), flag=flag)


async def records(world: World, identity: Identity, **told: object) -> Outcome:
    """The outcome of a question for this youth's records."""
    tokens = tokens_of_identity(EPOCH, identity, **told)
    answered = await world.records(replace(PLACEMENT, tokens=tokens, number=next(NUMBERS)))
    return from_wire(Outcome, answered.response.outcome)


async def flagged(world: World, identity: Identity) -> CheckFlagResponse:
    """The answer to whether somebody looks for this youth."""
    answered = await world.flag(replace(FINDER, tokens=tokens_of_identity(EPOCH, identity), number=next(NUMBERS)))
    assert isinstance(answered.response, CheckFlagResponse)
    return answered.response


async def alerts(world: World, agency: AgencyId, kind: int) -> list[Alert]:
    found = await Alerts(Lookups(world.reader, threaded=False), world.alert_keys).after(agency, 0)
    return [each for each in found if each.kind == kind]


WRITTEN = {
    "a short form": {"given_name": "Lupe"},
    "a slip of the pen": {"given_name": "Guadaluppe"},
    "another spelling": {"surname": "Garsia Ruis"},
    "one of two surnames": {"surname": "Garcia"},
    "day and month swapped": {"date_of_birth": "20100804"},
    "no number and another house": {"soc_sec_id": None, "postcode": "90001", "street_number": "7"},
}


@pytest.mark.parametrize("changes", WRITTEN.values(), ids=WRITTEN.keys())
async def test_a_youth_written_differently_is_found_where_scores_count(
    world: World, changes: dict[str, str | None]
) -> None:
    lists(world, "lupe", LUPE)
    assert await records(world, LUPE | changes) is Outcome.ANSWERED


@pytest.mark.parametrize("changes", WRITTEN.values(), ids=WRITTEN.keys())
async def test_and_where_they_do_not_is_told_to_nobody_and_asked_about(
    careful: World, changes: dict[str, str | None]
) -> None:
    lists(careful, "lupe", LUPE)
    assert await records(careful, LUPE | changes) is Outcome.NO_DISCLOSABLE_RECORD
    assert careful.sources.orders == []
    assert len(await alerts(careful, OWNER, ALERT_KIND_REVIEW)) == 1


async def test_the_youth_of_the_issue_is_possible_then_confirmed_then_answered(careful: World) -> None:
    """ "Lupe García-Ruiz, 04/08" where the other county has "Guadalupe Garcia, 08/04"."""
    lists(careful, "lupe", {"given_name": "Guadalupe", "surname": "Garcia", "date_of_birth": "20100804"})
    asked: Identity = {"given_name": "Lupe", "surname": "García-Ruiz", "date_of_birth": "20100408"}
    assert await records(careful, asked) is Outcome.NO_DISCLOSABLE_RECORD
    (task,) = await alerts(careful, ASKER, ALERT_KIND_REVIEW)
    traits = {each.trait: each.agreement for each in task.review.evidence}
    assert traits[pb.EVIDENCE_TRAIT_GIVEN_NAME] == pb.AGREEMENT_CLOSE
    assert traits[pb.EVIDENCE_TRAIT_BIRTH_DATE] == pb.AGREEMENT_CLOSE
    for agency in (OWNER, ASKER):
        await say(careful, agency, pb.VERDICT_SAME)
    assert await records(careful, asked) is Outcome.ANSWERED


@pytest.mark.parametrize("given_name", ["Ernesto", "Maria", "Lourdes", "Gabriela"])
@pytest.mark.parametrize("known", [LUPE, BARE], ids=["with a number", "name and birth date"])
async def test_a_twin_is_never_told_for_the_other(world: World, given_name: str, known: Identity) -> None:
    twin = known | {"given_name": given_name}
    if known is LUPE:
        twin = twin | {"soc_sec_id": "4321"}
    lists(world, "twin", twin, flag=FlagState.ACTIVE)
    assert await records(world, known) is Outcome.NO_DISCLOSABLE_RECORD
    answer = (await flagged(world, known)).answer
    assert from_wire(Outcome, answer.outcome) in (Outcome.NO_ACTIVE_FLAG_FOUND, Outcome.UNDETERMINED)
    assert not answer.HasField("flag_statement")
    assert world.sources.orders == []


async def test_each_of_two_listed_twins_is_told_for_itself(world: World) -> None:
    lists(world, "lupe", BARE)
    lists(world, "twin", BARE | {"given_name": "Ernesto"})
    assert await records(world, BARE) is Outcome.ANSWERED
    assert await records(world, BARE | {"given_name": "Ernesto"}) is Outcome.ANSWERED


async def test_a_sibling_of_another_day_is_nobody(world: World) -> None:
    lists(world, "sibling", LUPE | {"given_name": "Ernesto", "date_of_birth": "20120930", "soc_sec_id": "4321"})
    assert await records(world, LUPE) is Outcome.NO_DISCLOSABLE_RECORD
    assert not await alerts(world, OWNER, ALERT_KIND_REVIEW)


async def test_two_namesakes_of_one_day_are_asked_about_and_not_told(world: World) -> None:
    lists(world, "one", BARE)
    lists(world, "other", BARE)
    assert await records(world, BARE) is Outcome.NO_DISCLOSABLE_RECORD
    assert len(await alerts(world, OWNER, ALERT_KIND_REVIEW)) == 2


async def test_a_new_surname_is_possible_and_an_alias_makes_it_a_match(world: World) -> None:
    renamed = BARE | {"surname": "Hartley"}
    lists(world, "renamed", renamed, flag=FlagState.ACTIVE)
    assert await records(world, BARE) is Outcome.NO_DISCLOSABLE_RECORD
    assert from_wire(Outcome, (await flagged(world, BARE)).answer.outcome) is Outcome.UNDETERMINED
    assert len(await alerts(world, OWNER, ALERT_KIND_CHECKED)) == 1
    assert await records(world, BARE, aliases=({"surname": "Hartley"},)) is Outcome.ANSWERED


async def test_a_non_minor_dependent_who_took_another_name_and_has_no_number_is_asked_about(careful: World) -> None:
    """An adult of 20: the given name changed, so that only the surname and the birth date are left."""
    adult: Identity = {"given_name": "Kai", "surname": "García-Ruiz", "date_of_birth": "20060408"}
    lists(careful, "adult", adult, aliases=({"given_name": "Guadalupe"},))
    before = adult | {"given_name": "Guadalupe"}
    assert await records(careful, before) is Outcome.NO_DISCLOSABLE_RECORD
    assert len(await alerts(careful, OWNER, ALERT_KIND_REVIEW)) == 1
    for agency in (OWNER, ASKER):
        await say(careful, agency, pb.VERDICT_SAME)
    assert await records(careful, before) is Outcome.ANSWERED


@pytest.mark.parametrize("verdict_of", [ASKER, OWNER])
@pytest.mark.parametrize(("asked", "missing"), [("José Luis", "José Luis"), ("Guadalupe", "Guadalupe")])
async def test_a_no_about_one_youth_never_turns_the_flag_of_one_written_alike_into_nobody(
    careful: World, asked: str, missing: str, verdict_of: AgencyId
) -> None:
    lists(careful, "missing", BARE | {"given_name": missing}, flag=FlagState.ACTIVE)
    assert await records(careful, BARE | {"given_name": asked}) is Outcome.NO_DISCLOSABLE_RECORD
    await say(careful, verdict_of, pb.VERDICT_DIFFERENT)
    before = len(await alerts(careful, OWNER, ALERT_KIND_CHECKED))
    answer = (await flagged(careful, BARE | {"given_name": missing})).answer
    assert from_wire(Outcome, answer.outcome) is Outcome.UNDETERMINED
    assert not answer.HasField("flag_statement")
    assert len(await alerts(careful, OWNER, ALERT_KIND_CHECKED)) == before + 1


async def test_of_two_of_one_name_and_day_a_number_that_differs_leaves_the_choice_to_a_person(world: World) -> None:
    lists(world, "twin", BARE | {"soc_sec_id": "4321"}, flag=FlagState.ACTIVE)
    other = BARE | {"soc_sec_id": "6780"}
    assert await records(world, other) is Outcome.NO_DISCLOSABLE_RECORD
    assert from_wire(Outcome, (await flagged(world, other)).answer.outcome) is Outcome.UNDETERMINED
    assert world.sources.orders == []


async def test_an_estimated_birth_date_is_never_told_without_a_person(world: World) -> None:
    first = BARE | {"date_of_birth": "20100101"}
    lists(world, "estimated", first, estimated=True)
    assert await records(world, first) is Outcome.NO_DISCLOSABLE_RECORD
    assert len(await alerts(world, OWNER, ALERT_KIND_REVIEW)) == 1


NAMES = st.sampled_from(["Guadalupe", "Lupe", "Ernesto", "Maria", "Luis"])
SURNAMES = st.sampled_from(["García-Ruiz", "Garcia", "Ruiz", "Hartley"])
DAYS = st.sampled_from(["20100408", "20100804", "20100409", "20110408"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_name=NAMES, surname=SURNAMES, born=DAYS)
async def test_with_auto_off_no_wording_of_a_question_brings_a_record(
    careful: World, given_name: str, surname: str, born: str
) -> None:
    lists(careful, f"lupe {next(NUMBERS)}", LUPE)
    asked = {"given_name": given_name, "surname": surname, "date_of_birth": born}
    assert await records(careful, asked) is Outcome.NO_DISCLOSABLE_RECORD
    assert careful.sources.orders == []
