"""After a declared loss: what adapters present again counts, once, and nothing that was revoked comes back."""

import asyncio
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.node.present import is_final
from adapters.node.rpcs import CallFailed, CallFault
from audit.followed import Contradiction, Step
from audit.log import Append
from audit.replay import Replay
from gateway.errors import Error, ErrorReason
from gateway.exchange.journal import Kind, draft
from gateway.exchange.refusals import MOST
from gateway.missing.ports import Flag
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId, AuthorityId, FlagId, FlagState
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.succession import PRESENTING_WINDOW
from gateway.recovery.presented import Presentations
from gateway.recovery.reported import PresentedReports
from gateway.rpc.machine import MachineCalls
from gateway.rpc.restoration import RestorationServicer
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.flags import SqlFlags
from gateway.store.succession import SqlLosses
from homeward.gateway.v1 import authority_pb2
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_NO_ACTIVE_FLAG_FOUND
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_AUTHORITY_REVOKED
from homeward.gateway.v1.restoration_pb2 import (
    PresentedEvent,
    PresentedFlag,
    PresentedRevocation,
    PresentEventRequest,
    PresentEventResponse,
)
from tests.unit.exchange.members import KERN, LA, ORIGIN, POLICE, SF, STRTP, Youth, stamp
from tests.unit.exchange.test_authorities import consent, record, revoke
from tests.unit.exchange.world import World

ANA = Youth("Ana Invented")


async def lose(world: World, *, entries: int = 5) -> None:
    """So many entries were declared lost, or with none rows of tables: what went before the declaration is left."""
    size = world.size()
    await world.log.append(Append(draft(Kind.LOG_SUCCEEDED, op={"size": size + entries, "kept": size})))


def signed(world: World, message: authority_pb2.Authority) -> SignedEnvelope:
    return wrap(message, world.membership.members[AgencyId(message.issuer_agency)].authority)


async def present(world: World, agency: AgencyId, *, origin: str = ORIGIN, **event: Message) -> PresentEventResponse:
    """The agency's adapter presents one event."""
    book, flags = SqlAuthorityBook(world.lookups, world.authority_keys), SqlFlags(world.lookups, world.youth_keys)
    machine, reports = MachineCalls(world.directory, world.clock), PresentedReports(*world.reporting)
    losses, refusals = SqlLosses(world.lookups), world.exchange.refusals
    presentations = Presentations(world.setting, book, flags, losses, reports, refusals)
    servicer = RestorationServicer(presentations, machine)
    message = PresentedEvent(log_origin=origin, **event)  # type: ignore[arg-type]
    request = PresentEventRequest(envelope=wrap(message, world.membership.members[agency].envelope))
    return await world.as_peer(agency, lambda: servicer.PresentEvent(request, None))


def revocation(world: World, authority_id: bytes) -> PresentedRevocation:
    return PresentedRevocation(authority_id=authority_id, revoke_time=stamp(world.clock()))


async def is_live(world: World, authority_id: bytes) -> bool:
    kept = await world.setting.authorities.get(AuthorityId(authority_id))
    return kept is not None and not kept.revoked


async def refused(world: World, agency: AgencyId, *, origin: str = ORIGIN, **event: Message) -> ErrorReason:
    """The reason, which is on record, and nothing else is."""
    before = world.size()
    with pytest.raises(Error) as found:
        await present(world, agency, origin=origin, **event)
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["reason"], leaf.entry.requester) == (Kind.REFUSED, found.value.reason, agency)
    return found.value.reason


async def not_yet(world: World, agency: AgencyId, **event: Message) -> ErrorReason:
    """The reason; its adapter presents the same again, so that nothing is written."""
    before = world.size()
    with pytest.raises(Error) as found:
        await present(world, agency, **event)
    assert world.size() == before
    return found.value.reason


async def test_an_authority_stands_again_whether_its_entry_is_left_or_lost(world: World) -> None:
    await world.register(LA, ANA)
    left, lost = consent(world), consent(world)
    await record(world, left)
    await lose(world)
    assert not await is_live(world, left.authority_id)
    for message in (left, lost):
        before = world.size()
        answer = await present(world, LA, authority=signed(world, message))
        assert await is_live(world, message.authority_id)
        (leaf,) = await world.leaves(before)
        assert (leaf.kind, leaf.op["reason"]) == (Kind.AUTHORITY_PRESENTED, Reason.PRESENTED_AGAIN)
        assert leaf.youth["authority"] == message.authority_id.hex().encode()
        assert answer.receipt.index == before
        again = await present(world, LA, authority=signed(world, message))
        assert not again.HasField("receipt"), "presented as often as one likes, on record once"
        assert world.size() == before + 1


async def test_an_authority_that_its_issuer_signed_anew_stands_under_that_signature(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    await record(world, message)
    await lose(world)
    world.renew_authority_key(LA)
    await present(world, LA, authority=signed(world, message))
    kept = await world.setting.authorities.get(AuthorityId(message.authority_id))
    assert kept is not None
    assert kept.envelope == signed(world, message), "the bytes of before hold under no key any more"
    world.check_projections()


async def test_what_is_presented_in_vain_again_and_again_does_not_fill_the_log(world: World) -> None:
    await world.register(LA, ANA)
    event = signed(world, consent(world))
    for _ in range(MOST):
        await refused(world, LA, authority=event)
    for _ in range(3):
        await not_yet(world, LA, authority=event)
    before = world.size()
    world.clock.advance(minutes=1)
    await world.exchange.refusals.settle()
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["more"]) == (Kind.REFUSED, "3")


async def test_nothing_is_presented_before_a_loss_nor_long_after_it_nor_to_another_log(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    assert await refused(world, LA, authority=signed(world, message)) is ErrorReason.INVALID_REQUEST
    await lose(world)
    elsewhere = await refused(world, LA, origin="exchange.example/log-2", authority=signed(world, message))
    assert elsewhere is ErrorReason.INVALID_REQUEST
    world.clock.advance(seconds=(PRESENTING_WINDOW + timedelta(hours=1)).total_seconds())
    assert await refused(world, LA, authority=signed(world, consent(world))) is ErrorReason.INVALID_REQUEST


async def test_only_the_issuer_presents_what_it_signed_and_what_has_not_ended(world: World) -> None:
    await world.register(LA, ANA)
    await lose(world)
    message = consent(world)
    assert await refused(world, STRTP, authority=signed(world, message)) is ErrorReason.AUTHORITY_INVALID
    forged = signed(world, message)
    forged.signature = bytes(64)
    assert await refused(world, LA, authority=forged) is ErrorReason.AUTHORITY_INVALID
    ended = consent(world, expire_time=stamp(world.clock() - timedelta(minutes=1)))
    assert await refused(world, LA, authority=signed(world, ended)) is ErrorReason.AUTHORITY_INVALID
    await present(world, LA, authority=signed(world, message))
    wider = consent(world, authority_id=message.authority_id, recipient_agencies=[STRTP, SF])
    assert await refused(world, LA, authority=signed(world, wider)) is ErrorReason.ID_REUSED


async def test_a_party_presents_its_revocation_and_the_others_hear_of_it(world: World) -> None:
    await world.register(LA, ANA)
    message = consent(world)
    await record(world, message)
    await lose(world)
    await present(world, LA, authority=signed(world, message))
    stranger = await not_yet(world, KERN, revocation=revocation(world, message.authority_id))
    assert stranger is ErrorReason.AUTHORITY_NOT_FOUND, "as for one that nobody knows"
    assert (await present(world, STRTP, revocation=revocation(world, message.authority_id))).HasField("receipt")
    assert not await is_live(world, message.authority_id)
    (alert,) = await world.alerts(LA)
    assert (alert.kind, alert.acting_agency) == (ALERT_KIND_AUTHORITY_REVOKED, STRTP)
    assert not (await present(world, LA, authority=signed(world, message))).HasField("receipt")
    assert not await is_live(world, message.authority_id)


@pytest.mark.parametrize("before", [timedelta(minutes=90), timedelta(days=365 * 80)])
async def test_a_revocation_stands_from_when_its_party_says_that_it_was(world: World, before: timedelta) -> None:
    """Long ago, too: a clock that is wrong keeps no revocation away."""
    await world.register(LA, ANA)
    message = consent(world)
    await record(world, message)
    await lose(world)
    await present(world, LA, authority=signed(world, message))
    moment = world.clock() - before
    event = PresentedRevocation(authority_id=message.authority_id, revoke_time=stamp(moment))
    assert (await present(world, STRTP, revocation=event)).HasField("receipt")
    booked = await SqlAuthorityBook(world.lookups, world.authority_keys).find(AuthorityId(message.authority_id))
    assert booked is not None
    assert booked.revoke_ms == milliseconds(moment)
    (leaf,) = await world.leaves(world.size() - 1)
    assert int(leaf.youth["revoke_ms"]) == milliseconds(moment)
    world.check_projections()


async def test_a_flag_is_found_again_and_an_old_word_of_it_changes_nothing(world: World) -> None:
    handle = await world.register(LA, ANA)
    await lose(world)
    world.clock.advance(seconds=1)
    await world.all_current()
    flag_id = os.urandom(16)

    def flag(version: int, state: FlagState = FlagState.ACTIVE) -> PresentedFlag:
        statement = world.statement(LA, flag_id=flag_id, version=version, state=state)
        return PresentedFlag(subject_handle=handle, statement=statement, learn_time=stamp(world.clock()))

    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_NO_ACTIVE_FLAG_FOUND
    assert (await present(world, LA, flag=flag(3))).HasField("receipt")
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_ANSWERED
    for old in (3, 2):
        assert not (await present(world, LA, flag=flag(old))).HasField("receipt")
    found = await SqlFlags(world.lookups, world.youth_keys).get(FlagId(flag_id))
    assert isinstance(found, Flag)
    assert (found.version, found.state) == (3, FlagState.ACTIVE)
    # The entry that ended it may be the lost one.
    assert (await present(world, LA, flag=flag(4, FlagState.RESOLVED))).HasField("receipt")
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_NO_ACTIVE_FLAG_FOUND
    assert await refused(world, LA, flag=flag(5)) is ErrorReason.STATEMENT_INVALID, "an ended episode does not return"


async def test_a_flag_is_presented_by_its_owner_about_a_youth_that_is_listed(world: World) -> None:
    handle = await world.register(LA, ANA)
    await lose(world)
    statement = world.statement(LA)
    learned = stamp(world.clock())
    unlisted = PresentedFlag(subject_handle=os.urandom(16), statement=statement, learn_time=learned)
    assert await not_yet(world, LA, flag=unlisted) is ErrorReason.INVALID_REQUEST
    for agency, subject, said, reason in (
        (POLICE, handle, statement, ErrorReason.INVALID_REQUEST),
        (LA, handle, world.statement(SF), ErrorReason.STATEMENT_INVALID),
        (LA, handle, world.statement(LA, life=timedelta(seconds=-1)), ErrorReason.STATEMENT_INVALID),
    ):
        event = PresentedFlag(subject_handle=subject, statement=said, learn_time=learned)
        assert await refused(world, agency, flag=event) is reason
    # A person raised it anew meanwhile, under another identifier: one flag is enough.
    await world.raise_flag(LA, ANA, handle=handle)
    event = PresentedFlag(subject_handle=handle, statement=statement, learn_time=learned)
    assert not (await present(world, LA, flag=event)).HasField("receipt")


async def test_a_flag_that_ended_is_presented_of_a_youth_that_is_listed_no_longer(world: World) -> None:
    handle = await world.register(LA, ANA)
    raised = await world.raise_flag(LA, ANA, handle=handle)
    await world.list_subjects(LA, removed=[handle])
    await lose(world)
    ended = world.statement(LA, flag_id=raised.flag_id, version=2, state=FlagState.RESOLVED)
    event = PresentedFlag(subject_handle=handle, statement=ended, learn_time=stamp(world.clock()))
    assert (await present(world, LA, flag=event)).HasField("receipt")
    found = await SqlFlags(world.lookups, world.youth_keys).get(FlagId(raised.flag_id))
    assert found is not None
    assert found.state is FlagState.RESOLVED
    unknown = world.statement(LA, state=FlagState.RESOLVED)
    event = PresentedFlag(subject_handle=os.urandom(16), statement=unknown, learn_time=stamp(world.clock()))
    assert not (await present(world, LA, flag=event)).HasField("receipt"), "it looks for nobody"


async def is_final_for(world: World, agency: AgencyId, *, origin: str = ORIGIN, **event: Message) -> bool:
    """Whether the agency's adapter, told of this refusal, presents the same no more."""
    with pytest.raises(Error) as found:
        await present(world, agency, origin=origin, **event)
    return is_final(CallFailed(CallFault.REFUSED, found.value.reason, fields=found.value.fields))


async def test_an_adapter_presents_again_what_time_mends_and_nothing_else(world: World) -> None:
    handle = await world.register(LA, ANA)
    message = consent(world)
    await record(world, message)
    statement, now, later = world.statement(LA), stamp(world.clock()), stamp(world.clock() + timedelta(hours=1))
    flag = PresentedFlag(subject_handle=handle, statement=statement, learn_time=now)
    assert not await is_final_for(world, LA, flag=flag), "no loss is declared yet"
    await lose(world)
    assert not await is_final_for(world, LA, flag=flag, origin="another")
    unlisted = PresentedFlag(subject_handle=os.urandom(16), statement=statement, learn_time=now)
    assert not await is_final_for(world, LA, flag=unlisted)
    ahead = PresentedFlag(subject_handle=handle, statement=statement, learn_time=later)
    assert not await is_final_for(world, LA, flag=ahead), "a clock that is ahead"
    early = PresentedRevocation(authority_id=message.authority_id, revoke_time=later)
    assert not await is_final_for(world, STRTP, revocation=early)
    unknown = PresentedRevocation(authority_id=os.urandom(16), revoke_time=now)
    assert not await is_final_for(world, STRTP, revocation=unknown), "its issuer presents it first"
    assert await is_final_for(world, POLICE, flag=flag), "it owns no flags"
    assert await is_final_for(world, LA, flag=PresentedFlag(subject_handle=handle, learn_time=now))


Act = Literal["record", "revoke", "lose", "present", "present revocation"]
ACTS: tuple[Act, ...] = ("record", "revoke", "lose", "present", "present revocation")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(ACTS), min_size=2, max_size=9))
def test_in_no_order_does_a_revoked_authority_come_back(acts: list[Act]) -> None:
    asyncio.run(_play(acts))


async def _play(acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as place:
        world = World(Path(place))
        await world.register(LA, ANA)
        message, was_revoked = consent(world), False
        replay = Replay(lambda _: pytest.fail("no decision is made here"), granted=lambda _: ((), ""))
        for act in acts:
            try:
                if act == "record":
                    await record(world, message)
                elif act == "revoke":
                    await revoke(world, message.authority_id)
                    was_revoked = True
                elif act == "lose":
                    await lose(world)
                elif act == "present":
                    await present(world, LA, authority=signed(world, message))
                else:
                    answer = await present(world, STRTP, revocation=revocation(world, message.authority_id))
                    was_revoked = was_revoked or answer.HasField("receipt")
            except Error:
                continue
            assert not (was_revoked and await is_live(world, message.authority_id)), acts
        for leaf in await world.leaves():
            authority = leaf.req.get("authority", b"").decode()
            replay.follow(Step(leaf.entry.index, 0, leaf.kind, LA, "", {"authority": authority}))
        await world.close()


def test_the_replay_finds_an_authority_that_came_back() -> None:
    replay = Replay(lambda _: pytest.fail("no decision is made here"), granted=lambda _: ((), ""))
    said = {"authority": "a1"}
    for index, kind in enumerate((Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_REVOKED, Kind.LOG_SUCCEEDED)):
        replay.follow(Step(index, 0, kind, LA, "", said))
    with pytest.raises(Contradiction):
        replay.follow(Step(3, 0, Kind.AUTHORITY_PRESENTED, LA, "", said))
