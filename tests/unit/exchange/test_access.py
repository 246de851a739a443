"""Reading the log: everybody sees what concerns them, with proof; nobody learns there what an answer hid."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from audit.checkpoint import LogKey
from audit.entry import Opening
from audit.merkle import leaf_hash
from audit.reader import Selection, select_glances
from audit.receipt import Receipt
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.concordance import Concordance
from gateway.exchange.entry_filter import conditions
from gateway.exchange.journal import Kind
from gateway.protocol.names import AgencyId, Purpose, Role
from homeward.audit.v1 import log_pb2
from homeward.audit.v1 import service_pb2 as pb
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
    OUTCOME_SOURCE_UNAVAILABLE,
)
from homeward.gateway.v1.link_pb2 import WorkOrder, WorkResult
from tests.unit.exchange.key_files import destroy_keys
from tests.unit.exchange.members import KERN, LA, POLICE, SF, STATE, STRTP, Act, Youth, officer, staff, stamp
from tests.unit.exchange.negatives import ANA, SENSITIVE, UNKNOWN, negatives, record_calls, refuse
from tests.unit.exchange.world import World


def fields(receipt: log_pb2.Receipt) -> dict[str, bytes]:
    return {opening.name: opening.value for opening in receipt.openings}


def verified(world: World, message: log_pb2.Receipt) -> dict[str, bytes]:
    """The opened fields, after the receipt held under the log's key."""
    receipt = Receipt(
        message.index,
        message.leaf,
        message.digests,
        tuple(Opening(each.slot, each.name, each.value, each.salt) for each in message.openings),
        tuple(message.inclusion_hashes),
        message.checkpoint,
    )
    receipt.verify(LogKey(world.directory().message.log_origin, world.directory().message.log_key))
    return fields(message)


async def read(world: World, act: Act, **wanted: object) -> list[dict[str, bytes]]:
    """Every entry this reader sees under a filter, each verified."""
    page = await world.read_log(act, wanted=EntryFilter(**wanted), page_size=500)  # type: ignore[arg-type]
    assert page.permitted
    return [verified(world, each) for each in page.entries]


async def test_an_owner_reads_who_asked_about_its_youth_and_not_which_worker(world: World) -> None:
    handle = await world.register(SF, ANA)
    raised = await world.raise_flag(SF, ANA, handle=handle)
    await world.check_flag(POLICE, ANA)
    (entry,) = await read(world, officer(SF), kinds=[Kind.DECISION])
    assert (entry["requester"], entry["outcome"], entry["purpose"]) == (POLICE.encode(), b"ANSWERED", b"MFC_HANDOFF")
    assert entry["handle"] == handle
    assert {"worker", "request", "input"}.isdisjoint(entry)
    (own,) = await read(world, officer(SF), kinds=[Kind.FLAG_RAISED])
    assert (own["flag"], own["worker"]) == (raised.flag_id, b"worker-1 CWA.case_worker")


async def test_a_page_is_proved_in_the_tree_of_its_own_reading(world: World) -> None:
    for number in range(3):
        await world.register(SF, Youth(f"Nr {number} Invented"))
    page = await world.read_log(officer(SF))
    assert {each.checkpoint for each in page.entries} == {page.receipt.checkpoint}
    assert verified(world, page.receipt)["kind"] == b"audit.read"
    assert [each.index for each in page.entries] == [0, 1, 2]
    assert all(verified(world, each) for each in page.entries)
    tampered = page.entries[0]
    tampered.openings[0].value += b"x"
    with pytest.raises(Exception, match="opening"):
        verified(world, tampered)


async def test_a_reading_is_an_entry_before_anything_is_read(world: World) -> None:
    await world.register(SF, ANA)
    before = world.size()
    await world.read_log(officer(SF))
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["decision"], leaf.entry.requester) == (Kind.AUDIT_READ, "ALLOW", SF)
    seen = await read(world, officer(SF), kinds=[Kind.AUDIT_READ])
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (staff(SF, Purpose.OVERSIGHT_AUDIT), "ROLE_NOT_PERMITTED_FOR_PURPOSE"),
        (Act(POLICE, Role("COUNTY.privacy_officer"), Purpose.OVERSIGHT_AUDIT), "KIND_ROLE_MISMATCH"),
        (Act(SF, Role("COUNTY.privacy_officer"), Purpose.MFC_LOCATE), "ROLE_NOT_PERMITTED_FOR_PURPOSE"),
        (Act(SF, Role("CWA.case_worker"), Purpose.SUBJECT_AND_COUNSEL), "ROLE_NOT_PERMITTED_FOR_PURPOSE"),
    ],
)
async def test_whoever_may_not_review_reads_nothing_and_is_on_record(world: World, act: Act, reason: str) -> None:
    await world.register(SF, ANA)
    page = await world.read_log(act)
    assert (page.permitted, len(page.entries)) == (False, 0)
    leaf = (await world.leaves())[-1]
    assert (leaf.kind, leaf.op["decision"], leaf.op["reason"]) == (Kind.AUDIT_READ, "DENY", reason)


async def test_a_third_agency_sees_nothing_of_two_others(world: World) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    await world.check_flag(POLICE, ANA)
    assert await read(world, officer(KERN)) == []
    with pytest.raises(Invalid) as refused:
        await read(world, officer(KERN), agency=SF)
    assert refused.value.fields == ("filter.agency: own",)


async def test_the_states_reviewer_sees_what_was_decided_of_everybody_and_about_nobody(world: World) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    await world.check_flag(POLICE, ANA)
    entries = await read(world, officer(STATE))
    kinds = [entry["kind"].decode() for entry in entries]
    assert kinds == [Kind.INDEX_REGISTERED, Kind.FLAG_RAISED, Kind.DECISION]
    closed = {"worker", "request", "requester", "handle", "flag", "input", "seq", "prev"}
    assert all(closed.isdisjoint(entry) for entry in entries)
    assert [entry["parties"].decode() for entry in entries] == [f"{SF} 1  0", f"{SF} 2 {SF} 0", f"{POLICE} 1 {SF} 3"]
    # It names the holder, and counts what the other side does: to either side it stays closed.
    await world.check_flag(LA, ANA)
    for agency in (SF, LA):
        assert not any("parties" in entry for entry in await read(world, officer(agency)))
    of_police = await read(world, officer(STATE), agency=POLICE)
    assert [entry["kind"] for entry in of_police] == [b"access.decision"]


# --- what an answer hid, the log does not tell ---------------------------------------------


_OWN = {"request", "seq", "prev", "decided"}
"""Fields that differ between any two calls."""


def told_apart(entries: Iterable[Mapping[str, bytes]], slots: Iterable[Iterable[tuple[int, str]]]) -> int:
    """How many kinds of entry a reader can tell by their fields, and by where those stand."""
    said = (sorted((name, value) for name, value in entry.items() if name not in _OWN) for entry in entries)
    return len({(str(each), str(sorted(places))) for each, places in zip(said, slots, strict=True)})


@pytest.mark.parametrize("current", [True, False])
@pytest.mark.parametrize(("kind", "families"), [(Kind.OUTCOME, 1), (Kind.DECISION, 2)])
async def test_a_requester_cannot_tell_its_refusals_apart(
    world: World, kind: Kind, families: int, current: bool
) -> None:
    # Two families of decisions: those of record calls, whatever became of them, and those of flag checks.
    await negatives(world, current=current)
    page = await world.read_log(officer(LA), wanted=EntryFilter(kinds=[kind]), page_size=500)
    entries = [verified(world, each) for each in page.entries]
    places = [[(each.slot, each.name) for each in message.openings] for message in page.entries]
    assert told_apart(entries, places) == families
    assert all({"reason", "input", "handle"}.isdisjoint(entry) for entry in entries)
    # The control: with every key the same entries differ, so that the comparison would have seen it.
    whole = [leaf.op for leaf in await world.leaves() if leaf.kind == kind]
    said = [{name: value.encode() for name, value in each.items()} for each in whole]
    assert told_apart(said, [[]] * len(said)) > families


async def test_a_call_that_is_still_open_shows_no_permit(world: World) -> None:
    await world.register(SF, ANA)
    await world.all_current()
    seen: list[dict[str, bytes]] = []

    async def meanwhile(agency: AgencyId, order: WorkOrder) -> WorkResult:
        seen.extend(await read(world, officer(LA), kinds=[Kind.DECISION]))
        return refuse(agency, order)

    world.sources.meanwhile = meanwhile
    await world.ask_records(LA, ANA)
    (entry,) = seen
    assert {"decision", "outcome", "fields"}.isdisjoint(entry)


async def test_every_refusal_of_a_record_call_opens_at_the_same_places(world: World) -> None:
    await negatives(world)
    page = await world.read_log(officer(LA), wanted=EntryFilter(kinds=[Kind.DECISION, Kind.OUTCOME]), page_size=500)
    slots = {each.name: set[int]() for message in page.entries for each in message.openings}
    for message in page.entries:
        for each in message.openings:
            slots[each.name].add(each.slot)
    assert len(slots["seq"]) == len(slots["prev"]) == 1


async def test_no_filter_tells_what_an_entry_does_not(world: World) -> None:
    await negatives(world)
    for wanted in (
        {"counterpart_agency": SF},
        {"reason": "RECORD_SEALED"},
        {"reason": "REFUSED_BY_SOURCE"},
        {"decision": log_pb2.DECISION_ALLOW, "kinds": [Kind.DECISION]},
        {"side": log_pb2.AGENCY_SIDE_HOLDER},
        {"outcome": "ANSWERED", "kinds": [Kind.DECISION]},
        {"outcome": "NO_DISCLOSABLE_RECORD", "kinds": [Kind.DECISION]},
        {"basis": "STATUTE"},
        {"role": "CWA.case_worker", "reason": "RECORD_SENSITIVE"},
    ):
        assert await read(world, officer(LA), **wanted) == []
    assert len(await read(world, officer(SF), counterpart_agency=LA)) == 6 + 2
    (sealed, _, _) = await read(world, officer(SF), reason="RECORD_SEALED")
    assert sealed["requester"] == LA.encode()


async def test_a_search_looks_at_all_or_none_of_what_an_answer_hid(world: World) -> None:
    """How long a search takes would tell otherwise what the entries do not."""
    await negatives(world)
    records = await record_calls(world)
    assert {leaf.op.get("reason") for leaf in records} > {"RECORD_SEALED", "NO_MATCH", None}
    glances = world.reader.read(lambda tx: select_glances(tx, Selection()))
    for still_open in (True, False):
        concordance = Concordance(world.class_keys.op, world.class_keys.req)
        for each in glances:
            if each.kind != Kind.OUTCOME or not still_open:
                concordance.add(each)
        positions = [each.index for each in glances if each.kind != Kind.OUTCOME or not still_open]

        def looked_at(reader: AgencyId, words: Mapping[str, object], of: Concordance, at: Sequence[int]) -> set[int]:
            asked = conditions(EntryFilter(**words)).question(Selection(agency=reader), reader)  # type: ignore[arg-type]
            found = {at[each] for each in of.find(asked, 0, of.size, limit=of.size)}
            return found & {leaf.entry.index for leaf in records}

        for words in ({"reason": "RECORD_SEALED"}, {"decision": log_pb2.DECISION_ALLOW}, {"outcome": "ANSWERED"}):
            assert len(looked_at(LA, words, concordance, positions)) == (len(records) if still_open else 0)
        # The control: to the owner, who may see the reason, the search passes over what has another one.
        assert len(looked_at(SF, {"reason": "RECORD_SEALED"}, concordance, positions)) == 1


async def test_a_permit_the_caller_learned_of_is_open_to_it(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    await world.all_current()
    assert (await world.ask_records(LA, ANA)).outcome == OUTCOME_SOURCE_UNAVAILABLE
    assert (await world.check_flag(LA, ANA)).answer.outcome == OUTCOME_ANSWERED
    permits = await read(world, officer(LA), decision=log_pb2.DECISION_ALLOW, kinds=[Kind.DECISION])
    assert [entry["fields"] for entry in permits] == [
        b"FS0,FS4,FS5 STATUTE ACCOUNT,ALERT_OWNER,OFFER_NOTICE_TO_MINORS_COUNSEL",
        b"FS0,FS1 STATUTE ACCOUNT,ALERT_OWNER",
    ]
    assert len(await read(world, officer(LA), counterpart_agency=SF, kinds=[Kind.DECISION])) == 2


async def test_a_reporter_reads_the_same_of_a_report_that_found_a_youth_and_one_that_did_not(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    await world.raise_flag(LA, ANA)
    await world.raise_flag(LA, UNKNOWN)
    page = await world.read_log(officer(LA), wanted=EntryFilter(kinds=[Kind.FLAG_RAISED]))
    places = [[(each.slot, each.name) for each in message.openings] for message in page.entries]
    assert told_apart([verified(world, each) for each in page.entries], places) == 1
    assert await read(world, officer(LA), counterpart_agency=SF) == []


async def test_an_owner_reads_what_concerns_one_youth_and_a_stranger_nothing_by_its_handle(world: World) -> None:
    handle, other = await world.register(SF, ANA), await world.register(SF, SENSITIVE)
    await world.raise_flag(SF, ANA, handle=handle)
    await world.check_flag(POLICE, ANA)
    await world.check_flag(POLICE, SENSITIVE)
    page = await world.read_log(officer(SF), youth=handle)
    assert [verified(world, each)["kind"] for each in page.entries] == [b"flag.raised", b"access.decision"]
    assert all(fields(each)["handle"] == handle for each in page.entries)
    narrowed = await world.read_log(officer(SF), youth=handle, wanted=EntryFilter(kinds=[Kind.FLAG_RAISED]))
    assert len(narrowed.entries) == 1
    assert [fields(each)["handle"] for each in (await world.read_log(officer(SF), youth=other)).entries] == [other]
    # The handle is the owner's word for the youth; in another agency's mouth it means nobody.
    assert len((await world.read_log(officer(LA), youth=handle)).entries) == 0


async def test_a_sealed_youth_has_no_entries_by_its_handle(world: World, tmp_path: Path) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    destroy_keys(world, tmp_path)
    assert len((await world.read_log(officer(SF), youth=handle)).entries) == 0


async def test_a_destroyed_key_closes_the_youth_and_leaves_the_act(world: World, tmp_path: Path) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    await world.check_flag(POLICE, ANA)
    destroy_keys(world, tmp_path)
    (entry,) = await read(world, officer(SF), kinds=[Kind.DECISION])
    assert "handle" not in entry
    assert entry["requester"] == POLICE.encode()


# --- paging and conditions -----------------------------------------------------------------


async def test_pages_follow_each_other_without_a_gap(world: World) -> None:
    for number in range(7):
        await world.register(SF, Youth(f"Nr {number} Invented"))
        await world.register(LA, Youth(f"Nr {number} Invented"))
    indexes, after = list[int](), -1
    while True:
        page = await world.read_log(
            officer(SF), wanted=EntryFilter(kinds=[Kind.INDEX_REGISTERED]), page_size=3, after=after
        )
        indexes += [each.index for each in page.entries]
        after = page.next_after_index
        if after == -1:
            break
    assert indexes == list(range(0, 14, 2))


async def test_conditions_select_by_purpose_time_and_place(world: World) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    world.clock.advance(hours=1)
    middle = world.clock()
    await world.check_flag(POLICE, ANA)
    start, end = {"start_time": stamp(middle)}, {"end_time": stamp(middle)}
    assert len(await read(world, officer(SF), **end)) == 2
    assert (await read(world, officer(SF), **start))[0]["kind"] == b"access.decision"
    assert len(await read(world, officer(SF), purpose=Purpose.MFC_HANDOFF)) == 1
    assert len(await read(world, officer(SF), side=log_pb2.AGENCY_SIDE_HOLDER, kinds=[Kind.DECISION])) == 1
    assert len(await read(world, officer(SF), tree_size=1)) == 1
    assert len(await read(world, officer(SF), start_index=2, tree_size=3)) == 1
    assert await read(world, officer(SF), start_index=2**64 - 1) == []


async def test_conditions_select_by_what_was_told_on_which_basis_and_who_asked(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    await world.check_flag(LA, ANA)
    await world.check_flag(LA, UNKNOWN)
    assert len(await read(world, officer(LA), outcome="ANSWERED", kinds=[Kind.DECISION])) == 1
    assert len(await read(world, officer(LA), basis="STATUTE")) == 1
    assert len(await read(world, officer(SF), basis="STATUTE")) == 1
    assert await read(world, officer(LA), basis="CONSENT") == []
    mine = await read(world, officer(LA), role="CWA.case_worker", worker="worker-1")
    assert len(mine) == 2
    assert await read(world, officer(LA), worker="worker-2") == []
    # Another agency's workers are not its own: the holder cannot select by what it cannot open.
    assert await read(world, officer(SF), role="CWA.case_worker", kinds=[Kind.DECISION]) == []


async def test_the_states_reviewer_selects_a_pair_of_agencies(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    await world.check_flag(LA, ANA)
    await world.check_flag(POLICE, ANA)
    (entry,) = await read(world, officer(STATE), agency=LA, counterpart_agency=SF)
    assert entry["outcome"] == b"ANSWERED"
    assert len(await read(world, officer(STATE), counterpart_agency=SF, kinds=[Kind.DECISION])) == 2
    assert await read(world, officer(STATE), agency=LA, counterpart_agency=POLICE) == []


async def test_a_reading_carries_the_agencys_newest_number(world: World) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    await world.check_flag(POLICE, ANA)
    page = await world.read_log(officer(SF))
    numbers = [int.from_bytes(verified(world, each)["seq"], "big") for each in page.entries]
    assert numbers == [1, 2, 3]
    newest = verified(world, page.receipt)
    assert int.from_bytes(newest["seq"], "big") == 4
    assert newest["prev"] == leaf_hash(page.entries[-1].leaf)


@pytest.mark.parametrize(
    "wanted",
    [
        EntryFilter(basis="NO_SUCH_BASIS"),
        EntryFilter(role="CWA.no_such_role"),
        EntryFilter(purpose="NO_SUCH_PURPOSE"),
        EntryFilter(kinds=["k"] * 33),
        EntryFilter(reason="NO_SUCH_REASON"),
        EntryFilter(outcome="NO_SUCH_OUTCOME"),
        EntryFilter(reason="no such reason"),
        EntryFilter(kinds=["access.decision\n"]),
        EntryFilter(agency="06075"),
        EntryFilter(counterpart_agency="06075.cwa "),
        EntryFilter(worker="worker 1"),
        EntryFilter(side=9),  # type: ignore[arg-type]
        EntryFilter(decision=9),  # type: ignore[arg-type]
        EntryFilter(start_time={"seconds": 2**40}),  # type: ignore[arg-type]
    ],
)
async def test_a_condition_that_cannot_be_is_refused_and_on_record(world: World, wanted: EntryFilter) -> None:
    with pytest.raises(Invalid) as refused:
        await world.read_log(officer(SF), wanted=wanted)
    assert refused.value.reason is ErrorReason.INVALID_REQUEST
    assert (await world.leaves())[-1].kind == Kind.REFUSED


async def test_a_repeated_reading_is_another_entry_and_a_replayed_assertion_none(world: World) -> None:
    query = pb.EntryQuery(request_id=os.urandom(16))
    before = world.size()
    for _ in range(2):
        request = world.signed(pb.ListEntriesRequest, query, officer(SF))
        await world.as_peer(SF, lambda request=request: world.audit.ListEntries(request, None))
    assert [leaf.kind for leaf in await world.leaves(before)] == [Kind.AUDIT_READ] * 2
    with pytest.raises(Conflict) as refused:
        await world.as_peer(SF, lambda: world.audit.ListEntries(request, None))
    assert refused.value.reason in (ErrorReason.ASSERTION_REPLAYED, ErrorReason.EXPIRED_REFETCH)


async def test_any_member_gets_checkpoint_and_consistency(world: World) -> None:
    for number in range(5):
        await world.register(SF, Youth(f"Nr {number} Invented"))
    note = await world.as_peer(STRTP, lambda: world.audit.GetCheckpoint(pb.GetCheckpointRequest(), None))
    assert note.checkpoint.split("\n")[1] == "5"
    asked = pb.GetConsistencyProofRequest(old_size=2, new_size=5)
    proof = await world.as_peer(STRTP, lambda: world.audit.GetConsistencyProof(asked, None))
    assert tuple(proof.hashes) == world.reader.consistency(2, 5)
    for old, new in ((0, 5), (3, 2), (1, 6)):
        with pytest.raises(Invalid):
            await world.as_peer(
                STRTP,
                lambda old=old, new=new: world.audit.GetConsistencyProof(
                    pb.GetConsistencyProofRequest(old_size=old, new_size=new), None
                ),
            )


async def test_an_entry_of_long_ago_is_proved_too(world: World) -> None:
    await world.register(SF, ANA)
    world.clock.advance(days=1)
    for number in range(40):
        await world.register(LA, Youth(f"Nr {number} Invented"))
    (entry,) = await read(world, officer(SF), end_time=stamp(world.clock() - timedelta(hours=1)))
    assert entry["kind"] == b"index.registered"
