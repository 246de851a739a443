"""Words of the log in memory: a search finds what a walk over all entries finds, and no more."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entry import ClassKeys, Draft, Field, FieldClass, Place, build_entry
from audit.log import Append
from audit.reader import Glance
from gateway.exchange.concordance import HOLDER, KIND, REQUESTER, WORKER, Concordance, shown_to_whoever_asked
from gateway.exchange.journal import Kind, draft
from gateway.protocol.log_kinds import parse_grant
from homeward.audit.v1 import log_pb2
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.audit.v1.service_pb2 import ListEntriesResponse
from tests.unit.exchange.members import KERN, LA, POLICE, SF, STATE, Act, Youth, officer
from tests.unit.exchange.negatives import negatives
from tests.unit.exchange.world import World

KEYS = ClassKeys(*(bytes((each,)) * 32 for each in range(3)))
_DECISIONS = {"ALLOW": log_pb2.DECISION_ALLOW, "DENY": log_pb2.DECISION_DENY}
ASKED_BY = ("decision", "reason", "purpose", "outcome", "basis", "worker", "role")
FOUND, OWN = (Youth(f"{name} Invented") for name in ("Found", "Own"))


async def lived(world: World) -> None:
    """Questions of every outcome, about others' youths and their own, and readings of the log."""
    await negatives(world)
    await world.raise_flag(SF, FOUND, handle=await world.register(SF, FOUND))
    await world.register(LA, OWN)
    await world.all_current()
    for asking, youth in ((LA, FOUND), (SF, FOUND), (LA, OWN), (POLICE, FOUND), (KERN, OWN)):
        await world.check_flag(asking, youth)
    await world.ask_records(LA, FOUND)
    await world.ask_records(LA, OWN)
    for reader in (LA, SF, STATE):
        await world.read_log(officer(reader))
        world.clock.advance(hours=1)


def said(page: ListEntriesResponse) -> Iterator[tuple[int, dict[str, str]]]:
    """Each entry's index, with its words as its reader sees them."""
    for each in page.entries:
        fields = {opening.name: opening.value.decode("utf-8", "replace") for opening in each.openings}
        worker, _, role = fields.get("worker", "").partition(" ")
        words = fields | {"worker": worker, "role": role}
        if "fields" in fields:
            words["basis"] = parse_grant(fields["fields"])[1]
        yield each.index, {name: words.get(name, "") for name in ASKED_BY}


def as_filter(words: Mapping[str, str], size: int) -> EntryFilter:
    given = {name: _DECISIONS[word] if name == "decision" else word for name, word in words.items()}
    return EntryFilter(tree_size=size, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("act", [officer(LA), officer(SF), officer(STATE)], ids=lambda act: act.agency)
async def test_a_search_finds_what_looking_through_all_of_the_log_finds(world: World, act: Act) -> None:
    await lived(world)
    size = world.size()
    everything = dict(said(await world.read_log(act, wanted=EntryFilter(tree_size=size), page_size=500)))
    assert len(everything) > 12
    known = {(name, word) for words in everything.values() for name, word in words.items() if word}
    questions = [{name: word} for name, word in sorted(known)]
    questions += [dict(pair) for pair in combinations(sorted(known), 2) if pair[0][0] != pair[1][0]]
    for words in questions:
        expected = [index for index, has in everything.items() if words.items() <= has.items()]
        for reach in (None, 0, size // 2) if len(words) == 1 else (None,):
            world.words.reach = reach
            found, after = list[int](), -1
            while True:
                page = await world.read_log(act, wanted=as_filter(words, size), page_size=3, after=after)
                found += [index for index, _ in said(page)]
                if (after := page.next_after_index) == -1:
                    break
            assert found == expected, (words, reach)


async def test_a_search_by_agencies_finds_the_same_with_a_concordance_and_without(world: World) -> None:
    await lived(world)
    size, indexes = world.size(), list[list[int]]()
    for reach in (None, 0):
        world.words.reach = reach
        for act in (officer(LA), officer(SF)):
            for other in (LA, SF, KERN):
                for side in (
                    log_pb2.AGENCY_SIDE_UNSPECIFIED,
                    log_pb2.AGENCY_SIDE_REQUESTER,
                    log_pb2.AGENCY_SIDE_HOLDER,
                ):
                    wanted = EntryFilter(tree_size=size, counterpart_agency=other, side=side)
                    indexes.append([index for index, _ in said(await world.read_log(act, wanted=wanted))])
    half = len(indexes) // 2
    assert indexes[:half] == indexes[half:]
    assert sum(map(len, indexes)) > 20


async def test_a_rare_word_is_found_on_one_page(world: World) -> None:
    await lived(world)
    for _ in range(60):
        await world.check_flag(LA, OWN)
    page = await world.read_log(officer(SF), wanted=EntryFilter(reason="RECORD_SEALED"))
    assert len(page.entries) == 3
    assert page.next_after_index == -1


async def test_permits_far_apart_are_shown_each_with_what_its_call_came_to(world: World) -> None:
    async def call(outcome: str, *, decided: bool = True) -> int:
        op = {"decision": "ALLOW", "outcome": "ANSWERED", "fields": "FS4 STATUTE"}
        at = (await world.log.append(Append(draft(Kind.DECISION, requester=LA, holder=SF, op=op)))).index
        closed = {"decided": at if decided else 0, "outcome": outcome}
        closed |= {"decision": "ALLOW"} if outcome == "ANSWERED" else {"decision": "DENY", "reason": "RECORD_SENSITIVE"}
        await world.log.append(Append(draft(Kind.OUTCOME, requester=LA, holder=SF, op=closed)))
        return at

    answered = [await call("ANSWERED")]
    await call("NO_DISCLOSABLE_RECORD")
    await asyncio.gather(*(call("ANSWERED", decided=False) for _ in range(420)))
    answered.append(await call("ANSWERED"))
    wanted = EntryFilter(decision=log_pb2.DECISION_ALLOW, kinds=[Kind.DECISION])
    page = await world.read_log(officer(LA), wanted=wanted, page_size=500)
    assert [index for index, _ in said(page)] == answered


async def test_decisions_that_no_entry_closes_look_alike_to_whoever_asked(world: World) -> None:
    """In flight, or given up by the caller: a permit, a refusal, and what a stale county leaves undetermined."""
    decided = (
        {"decision": "ALLOW", "outcome": "ANSWERED", "fields": "FS4 STATUTE"},
        {"decision": "DENY", "outcome": "UNDETERMINED", "reason": "NO_MATCH"},
        {"decision": "DENY", "outcome": "UNDETERMINED", "reason": "RECORD_SEALED"},
        {"decision": "DENY", "outcome": "NO_DISCLOSABLE_RECORD", "reason": "RECORD_SEALED"},
    )
    for op in decided:
        entry = draft(Kind.DECISION, requester=LA, holder=SF, op=op | {"purpose": "MFC_LOCATE"})
        await world.log.append(Append(entry))
    page = await world.read_log(officer(LA), wanted=EntryFilter(kinds=[Kind.DECISION]))
    shown = [{each.name for each in entry.openings} for entry in page.entries]
    assert len(shown) == len(decided)
    assert all(names == shown[0] for names in shown)
    assert {"decision", "outcome", "reason", "fields"}.isdisjoint(shown[0])
    for words in ({"decision": log_pb2.DECISION_DENY}, {"outcome": "UNDETERMINED"}, {"counterpart_agency": SF}):
        wanted = EntryFilter(kinds=[Kind.DECISION], **words)  # type: ignore[arg-type]
        assert not (await world.read_log(officer(LA), wanted=wanted)).entries
        assert (await world.read_log(officer(SF), wanted=EntryFilter(outcome="UNDETERMINED"))).entries


def test_decisions_that_nothing_closes_are_held_open_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag check is closed by no entry: an outage of one county must not fill the memory."""
    monkeypatch.setattr("gateway.exchange.concordance.MOST_OPEN", 10)
    concordance = Concordance(KEYS.op, KEYS.req)
    op = {"decision": "DENY", "outcome": "UNDETERMINED", "reason": "NO_MATCH", "purpose": "MFC_HANDOFF"}
    for index in range(30):
        concordance.add(entry(index, kind=Kind.DECISION, **op))
    asked_by = ((REQUESTER, "a", True),)

    def found(name: str, word: str) -> list[int]:
        return concordance.find(([[*asked_by, (shown_to_whoever_asked(name), word, True)]], []), 0, 30, limit=30)

    assert found("reason", "NO_MATCH") == found("reason", "RECORD_SEALED") == list(range(20, 30))
    assert found("purpose", "MFC_HANDOFF") == list(range(30))


def entry(index: int, *, kind: str = Kind.REFUSED, requester: str = "a", holder: str = "b", **op: str) -> Glance:
    """A glance at an entry that says this."""
    fields = [Field(FieldClass.OP, "kind", kind.encode())]
    fields += [Field(FieldClass.OP, name, word.encode()) for name, word in op.items() if name != "worker"]
    fields += [Field(FieldClass.REQ, "worker", op["worker"].encode())] if "worker" in op else []
    draft = Draft(tuple(fields), requester=requester, holder=holder)
    built = build_entry(draft, Place(index, 0), keys=KEYS, random_bytes=os.urandom).entry
    return Glance(index, requester, holder, kind, built.nonce, built.boxes[0], built.boxes[1])


def test_more_words_than_a_column_has_numbers_for_are_proposed_and_none_is_lost() -> None:
    concordance = Concordance(KEYS.op, KEYS.req)
    for index in range(300):
        concordance.add(entry(index, reason=f"REASON_{index}"))
    for index in (0, 100, 254, 255, 299):
        found = concordance.find(([[("reason", f"REASON_{index}", True)]], []), 0, 300, limit=300)
        assert index in found
        assert len(found) < 50


def test_an_entry_that_does_not_open_is_proposed_for_any_word() -> None:
    concordance = Concordance(KEYS.op, KEYS.req)
    concordance.add(entry(0, reason="NO_MATCH"))
    whole = entry(1, reason="NO_MATCH")
    concordance.add(Glance(1, "a", "b", whole.kind, whole.nonce, whole.op[:-1] + bytes([whole.op[-1] ^ 1]), whole.req))
    assert concordance.find(([[("reason", "RECORD_SEALED", True)]], []), 0, 2, limit=9) == [1]
    assert concordance.find(([[(REQUESTER, "c", True)]], []), 0, 2, limit=9) == []


WORDS = st.sampled_from(["", "w1", "w2", "w3"])
AGENCIES = st.sampled_from(["a", "b", "c"])
ENTRIES = st.lists(
    st.tuples(AGENCIES, AGENCIES, st.sampled_from([Kind.REFUSED, Kind.RECEIPT]), WORDS, WORDS), max_size=40
)
CONDITIONS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([REQUESTER, HOLDER]), AGENCIES, st.booleans()),
        st.tuples(st.sampled_from(["reason", WORKER]), st.sampled_from(["w1", "w2", "w4"]), st.just(True)),
    ),
    max_size=3,
)  # fmt: skip


@given(
    said=ENTRIES,
    alternatives=st.lists(CONDITIONS, max_size=3),
    kinds=st.lists(st.sampled_from([Kind.REFUSED, Kind.RECEIPT, Kind.OUTCOME]).map(str), max_size=2),
    bounds=st.tuples(st.integers(0, 40), st.integers(0, 50)),
    limit=st.integers(1, 50),
)
def test_what_is_found_is_what_meets_the_question(
    said: list[tuple[str, str, Kind, str, str]],
    alternatives: list[list[tuple[str, str, bool]]],
    kinds: list[str],
    bounds: tuple[int, int],
    limit: int,
) -> None:
    concordance = Concordance(KEYS.op, KEYS.req)
    rows = []
    for index, (requester, holder, kind, reason, worker) in enumerate(said):
        concordance.add(entry(index, kind=kind, requester=requester, holder=holder, reason=reason, worker=worker))
        rows.append({REQUESTER: requester, HOLDER: holder, KIND: kind, "reason": reason, WORKER: worker})
    expected = [
        at
        for at, row in enumerate(rows)
        if bounds[0] <= at < bounds[1]
        and any(all((row[name] == word) is has for name, word, has in each) for each in alternatives)
        and (not kinds or row[KIND] in kinds)
    ]
    found = concordance.find((alternatives, kinds), *bounds, limit=limit)
    assert found == expected[:limit]


def test_a_question_reaches_over_all_of_a_long_log() -> None:
    concordance = Concordance(KEYS.op, KEYS.req)
    common, rare = entry(0, reason="NO_MATCH"), entry(1, reason="RECORD_SEALED")
    for index in range(140_000):
        concordance.add(rare if index % 65_536 == 65_535 else common)
    question = ([[("reason", "RECORD_SEALED", True)]], list[str]())
    assert concordance.find(question, 0, 140_000, limit=9) == [65_535, 131_071]
    assert concordance.find(question, 65_536, 140_000, limit=9) == [131_071]
    assert concordance.find(question, 0, 140_000, limit=1) == [65_535]
