"""Who took part in an entry: told to whoever may know it, and where an answer hid the holder, to nobody who asked."""

import os
from dataclasses import replace

from gateway.exchange.journal import Kind
from gateway.protocol.names import AuthorityId, EvidenceKind, Purpose
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.authority_pb2 import AuthoritySubject
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED
from tests.unit.exchange.members import LA, POLICE, SF, STATE, Act, officer, staff
from tests.unit.exchange.test_access import ANA, UNKNOWN, negatives, read
from tests.unit.exchange.test_authorities import consent, record
from tests.unit.exchange.world import World, evidence


async def pairs(world: World, act: Act, **wanted: object) -> list[tuple[str, str]]:
    """Who took part in each entry, as this reader is told."""
    page = await world.read_log(act, wanted=EntryFilter(**wanted), page_size=500)  # type: ignore[arg-type]
    assert len(page.parties) == len(page.entries)
    return [(each.requester_agency, each.holder_agency) for each in page.parties]


async def test_the_pair_of_agencies_is_told_as_far_as_an_answer_told_it(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    await world.check_flag(POLICE, ANA)
    await world.check_flag(POLICE, UNKNOWN)
    asked, told = {"kinds": [Kind.DECISION]}, (POLICE, SF)
    assert await pairs(world, officer(SF), **asked) == [told]
    assert await pairs(world, officer(STATE), **asked) == [told, (POLICE, "")]
    # The same questions of one that was hidden from the asker; its owner and the state see whose it is.
    await negatives(world)
    assert set(await pairs(world, officer(LA), **asked)) == {(LA, "")}
    assert set(await pairs(world, officer(LA), kinds=[Kind.OUTCOME])) == {(LA, "")}
    assert (LA, SF) in await pairs(world, officer(SF), **asked)
    await world.check_flag(LA, ANA)
    assert (await pairs(world, officer(LA), **asked))[-1] == (LA, SF)


async def test_the_owner_is_told_who_asked_where_the_entry_names_an_authority_instead(world: World) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    named = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handle), recipient_agencies=[LA])
    await record(world, named, agency=SF)
    query = exchange_pb2.FlagQuery(
        request_id=os.urandom(16), tokens=world.tokens(ANA), evidence=[evidence(EvidenceKind.YOUTH_PRESENT)]
    )
    act = replace(staff(LA, Purpose.MFC_HANDOFF), authority_id=AuthorityId(named.authority_id))
    request = world.signed(exchange_pb2.CheckFlagRequest, query, act)
    answer = await world.as_peer(LA, lambda: world.exchange_servicer.CheckFlag(request, None))
    assert answer.answer.outcome == OUTCOME_ANSWERED
    (said,) = await read(world, officer(SF), kinds=[Kind.DECISION])
    assert ("authority" in said, "requester" in said) == (True, False)
    assert await pairs(world, officer(SF), kinds=[Kind.DECISION]) == [(LA, SF)]
