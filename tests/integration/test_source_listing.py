"""Tokens and the list at the gateway: what two adapters make, and what one lists, against a gateway that behaves."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path

import pytest

from adapters.identity.errors import IncompleteIdentity
from adapters.identity.scheme import load_scheme
from adapters.identity.tokenize import Person
from adapters.node.compare import Comparison
from adapters.node.errors import HolderUnavailable, Missing, NotReady
from adapters.node.flags import OwnFlags
from adapters.node.listing import IndexPolicy, Restricted
from adapters.node.node import Node
from adapters.node.own_flag import FlagIssuer
from adapters.node.register import Registrar
from adapters.node.rpcs import EVALUATE, REGISTER_SUBJECTS, CallFailed, CallFault
from adapters.node.settle import agreeing_keys
from adapters.node.subjects import Subjects
from adapters.node.succession import begin_log
from adapters.records import (
    CountyFips,
    LocalSubjectId,
    OutOfHomeEpisode,
    PersonName,
    Placement,
    SettingGroup,
    Youth,
    YouthIdentity,
)
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.names import FlagId, HandlingCode, Restriction, SubjectHandle
from homeward.gateway.v1.index_pb2 import (
    INDEX_SCOPE_ALL_IN_CARE,
    INDEX_SCOPE_FLAGGED_ONLY,
    RESTRICTION_NONE,
    RESTRICTION_SEALED,
)
from homeward.gateway.v1.records_pb2 import FlagLocate
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, EVALUATION_USE_REGISTRATION
from tests.integration.source_kit import Gateway, MemorySource, make_node, prepare
from tests.unit.node.world import ASKER, EPOCH, NOW, SOURCE


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def source(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Node]:
    node = make_node(tmp_path / "source", gateway)
    yield node
    node.store.close()


@pytest.fixture
async def asker(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Node]:
    node = make_node(tmp_path / "asker", gateway, ASKER)
    yield node
    node.store.close()


ANA = {"given_name": "Invented", "surname": "De La Example", "date_of_birth": "20110504"}


# --- tokens


async def test_two_counties_make_agreeing_tokens_of_one_youth(source: Node, asker: Node) -> None:
    await prepare(source, asker)
    (listed,) = await source.tokens([Person(ANA)], EVALUATION_USE_REGISTRATION)
    typo = ANA | {"surname": "Dela Exampel"}
    other = ANA | {"given_name": "Else"}
    exact, *rest = await asker.tokens([Person(ANA), Person(typo), Person(other)], EVALUATION_USE_LOOKUP)
    assert agreeing_keys(exact, listed) == CORE_KEYS
    assert agreeing_keys(rest[1], listed) == {"surname_edit1_dob"}
    assert exact != listed


async def test_every_holder_is_asked_directly_with_the_same_elements(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    await source.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    (one, first), (two, second) = gateway.evaluated
    assert ({one, two}, first.elements) == ({1, 2}, second.elements)
    assert (first.record_count, len(first.elements)) == (1, load_scheme().elements)


async def test_many_people_are_asked_about_in_several_batches(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    people = [Person(ANA | {"surname": f"Example{chr(97 + number)}"}) for number in range(26)]
    assert len(await source.tokens(people, EVALUATION_USE_REGISTRATION)) == 26
    assert sorted(batch.record_count for _, batch in gateway.evaluated) == [3, 3, 23, 23]


@pytest.mark.parametrize("share", [1, 2])
async def test_a_holder_that_evaluates_under_another_key_is_caught(source: Node, gateway: Gateway, share: int) -> None:
    await prepare(source)
    gateway.lying_share = share
    with pytest.raises(HolderUnavailable) as caught:
        await source.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert [fault.reason for fault in caught.value.faults] == ["PROOF_INVALID"]


async def test_without_a_holder_there_is_no_token(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    gateway.failing[EVALUATE.path] = CallFailed(CallFault.EXHAUSTED, "BUDGET_EXHAUSTED")
    with pytest.raises(HolderUnavailable) as caught:
        await source.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert {fault.reason for fault in caught.value.faults} == {"BUDGET_EXHAUSTED"}


async def test_one_operator_with_two_shares_is_one_holder(source: Node, gateway: Gateway) -> None:
    gateway.edit = lambda message: setattr(message.holders[1], "operator", "exchange")
    await prepare(source)
    with pytest.raises(NotReady) as caught:
        await source.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert caught.value.missing is Missing.HOLDERS


async def test_an_identity_without_a_birth_date_makes_no_token(source: Node) -> None:
    await prepare(source)
    with pytest.raises(IncompleteIdentity) as caught:
        await source.tokens([Person(ANA | {"date_of_birth": None})], EVALUATION_USE_LOOKUP)
    assert caught.value.missing == ("date_of_birth",)


# --- the list


ALIAS = PersonName("In", "Vented")


def youth(number: int, **changes: object) -> Youth:
    placement = Placement(1, date(2026, 1, 1), None, SettingGroup.FAMILY_HOME, placement_county=CountyFips("06029"))
    episode = OutOfHomeEpisode(date(2026, 1, 1), None, None, CountyFips("06075"), SOURCE, (placement,))
    made = Youth(
        local_id=LocalSubjectId(f"invented-{number}"),
        identity=YouthIdentity("Invented", f"Example{chr(97 + number)}", date(2011, 5, 4), (ALIAS,)),
        episodes=(episode,),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def registrar(node: Node, held: MemorySource, **policy: object) -> Registrar:
    subjects = Subjects(node.store, random_bytes=secrets.token_bytes)
    return Registrar(
        Comparison(node, held, subjects, OwnFlags(node.store), IndexPolicy(**policy))  # type: ignore[arg-type]
    )


async def test_the_list_follows_the_caseload(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    held = MemorySource(youth(1), youth(2))
    keeping = registrar(source, held)
    assert await keeping.synchronize() == 2
    first = {handle: each.restriction for (_, handle), each in gateway.subjects.items()}
    assert set(first.values()) == {RESTRICTION_NONE}
    assert {each.placement_county for each in gateway.subjects.values()} == {"06029"}
    assert await keeping.synchronize() == 0
    held.held[LocalSubjectId("invented-1")] = youth(1, restriction=Restriction.SEALED)
    del held.held[LocalSubjectId("invented-2")]
    assert await keeping.synchronize() == 2
    (changed,) = gateway.subjects.values()
    assert (changed.handle in first, changed.restriction) == (True, RESTRICTION_SEALED)


async def test_a_youth_the_gateway_kept_is_asked_off_the_list_again(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    held = MemorySource(youth(1))
    keeping = registrar(source, held)
    await keeping.synchronize()
    ((_, handle),) = gateway.subjects
    # An adapter that was put back to before a flag does not know of it, and the gateway does.
    gateway.looked_for = {handle}
    held.held.clear()
    await keeping.synchronize()
    assert len(gateway.subjects) == 1
    assert keeping.comparison.subjects.every_registered(SubjectHandle(handle)), "it still is on the list"
    gateway.looked_for = set()
    await keeping.synchronize()
    assert gateway.subjects == {}
    assert not keeping.comparison.subjects.every_registered(SubjectHandle(handle))


async def test_a_youth_who_comes_back_has_the_same_handle(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    held = MemorySource(youth(1))
    keeping = registrar(source, held)
    await keeping.synchronize()
    before = set(gateway.subjects)
    held.held.clear()
    await keeping.synchronize()
    assert gateway.subjects == {}
    held.held[LocalSubjectId("invented-1")] = youth(1)
    await keeping.synchronize()
    assert set(gateway.subjects) == before


async def test_youths_who_left_care_or_make_no_token_are_not_listed(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    gone = replace(youth(1).episodes[0], exit_date=date(2026, 2, 1), placements=())
    unknown = YouthIdentity("Baby", "Unknown", None)
    keeping = registrar(source, MemorySource(youth(1, episodes=(gone,)), youth(2, identity=unknown), youth(3)))
    await keeping.synchronize()
    assert (len(gateway.subjects), keeping.unlistable) == (1, 1)


async def test_a_county_may_leave_sealed_and_sensitive_youths_out(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    held = MemorySource(youth(1, restriction=Restriction.SEALED), youth(2, restriction=Restriction.SENSITIVE), youth(3))
    await registrar(source, held, sealed=Restricted.DROP).synchronize()
    assert len(gateway.subjects) == 2
    await registrar(source, held, sealed=Restricted.DROP, sensitive=Restricted.DROP).synchronize()
    assert len(gateway.subjects) == 1


async def test_a_county_may_list_only_youths_with_a_raised_flag(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    keeping = registrar(source, MemorySource(youth(1), youth(2)), flagged_only=True)
    assert await keeping.synchronize() == 0
    handle = await keeping.listed(LocalSubjectId("invented-2"))
    assert list(gateway.subjects) == [(SOURCE, handle)]
    issuer = FlagIssuer("06075", source.keyring.flag)
    flag = issuer.raised(
        FlagId(bytes(16)), handle, handling_code=HandlingCode.CALL_DUTY_LINE, learned=NOW, locate=FlagLocate(), now=NOW
    )
    keeping.comparison.flags.keep(flag)
    assert await keeping.synchronize() == 0
    assert list(gateway.subjects) == [(SOURCE, handle)]
    await keeping.heartbeat()
    assert gateway.heartbeats[-1][1].scope == INDEX_SCOPE_FLAGGED_ONLY


async def test_a_youth_who_is_not_in_the_caseload_cannot_be_listed(source: Node) -> None:
    await prepare(source)
    with pytest.raises(NotReady) as caught:
        await registrar(source, MemorySource()).listed(LocalSubjectId("invented-9"))
    assert caught.value.missing is Missing.SUBJECT


async def test_a_heartbeat_says_that_the_list_is_complete(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    keeping = registrar(source, MemorySource(youth(1)))
    await keeping.synchronize()
    await keeping.heartbeat()
    ((agency, beat),) = gateway.heartbeats
    assert (agency, beat.revision, beat.scope) == (SOURCE, 1, INDEX_SCOPE_ALL_IN_CARE)
    assert beat.data_as_of_time.ToDatetime(UTC) == NOW


async def test_a_stale_source_sends_no_heartbeat(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    held = MemorySource(youth(1))
    held.stale = True
    await registrar(source, held).heartbeat()
    assert gateway.heartbeats == []


async def test_after_a_declared_loss_no_heartbeat_comes_before_everybody_is_listed_and_every_flag_raised_again(
    source: Node, gateway: Gateway
) -> None:
    await prepare(source)
    keeping = registrar(source, MemorySource(youth(1)))
    await keeping.synchronize()
    flag = FlagIssuer("06075", source.keyring.flag).raised(
        FlagId(bytes(16)),
        keeping.comparison.subjects.handle_of(youth(1).local_id),
        handling_code=HandlingCode.CALL_DUTY_LINE,
        learned=NOW,
        locate=FlagLocate(),
        now=NOW,
    )
    keeping.comparison.flags.keep(flag)
    keeping.comparison.flags.recorded(flag.flag_id, flag.version)
    with source.store.write() as connection:
        begin_log(connection, [], kept=0)
    assert await keeping.synchronize() == 1
    await keeping.heartbeat()
    assert gateway.heartbeats == []
    keeping.comparison.flags.recorded(flag.flag_id, flag.version)
    await keeping.heartbeat()
    assert len(gateway.heartbeats) == 1


async def test_a_registration_that_failed_is_made_again(source: Node, gateway: Gateway) -> None:
    await prepare(source)
    keeping = registrar(source, MemorySource(youth(1)))
    gateway.failing[REGISTER_SUBJECTS.path] = CallFailed(CallFault.UNAVAILABLE)
    with pytest.raises(CallFailed):
        await keeping.synchronize()
    assert keeping.comparison.subjects.listed_count(EPOCH) == 0
    gateway.failing.clear()
    assert await keeping.synchronize() == 1
    assert keeping.comparison.subjects.listed_count(EPOCH) == 1


async def test_what_was_registered_is_what_a_question_is_compared_with(
    source: Node, asker: Node, gateway: Gateway
) -> None:
    await prepare(source, asker)
    keeping = registrar(source, MemorySource(youth(1)))
    await keeping.synchronize()
    ((_, handle),) = gateway.subjects
    (asked,) = await asker.tokens(
        [Person({"given_name": "Invented", "surname": "Exampleb", "date_of_birth": "20110504"})], EVALUATION_USE_LOOKUP
    )
    registered = keeping.comparison.subjects.registered(SubjectHandle(handle), EPOCH)
    assert registered is not None
    assert agreeing_keys(asked, registered) == CORE_KEYS
