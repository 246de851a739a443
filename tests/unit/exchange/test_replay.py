"""Replay: the log of an honest exchange is decided again to the same end; one of each kind of lie is found."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import delete

from audit.entry import YouthKey
from audit.followed import Contradiction, Counts, Rule, Step
from audit.log import Append
from audit.replay import Replay
from audit.statement import Statement
from audit.transaction import Tx
from gateway.exchange.journal import Kind, draft
from gateway.ports import NewAlert, Says
from gateway.protocol.log_kinds import parse_grant
from gateway.protocol.names import AgencyId, AuthorityId, EvidenceKind, FieldSet, FlagState, Purpose, Role
from gateway.protocol.policy.bundle import CALIFORNIA, load_california
from gateway.replay import Keys, _decide_with, _steps, owed_to, read_keys, replay_log
from gateway.replay_cli import bundle_to_replay
from gateway.store import tables
from gateway.store.projections import SqlProjections
from tests.unit.exchange.bare_seals import bare_seal
from tests.unit.exchange.spine_parts import OWNER, TEAM, Question
from tests.unit.exchange.spine_world import World

PLACEMENT = Question("plain")
TEAM_RECORDS = Question(
    "plain",
    purpose=Purpose.CFT_COORDINATION,
    role=Role("FFA.social_worker"),
    field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
    evidence=(EvidenceKind.TEAM_MEMBERSHIP,),
    by=TEAM,
)
FLAG = Question(
    "flagged",
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.hotline_screener"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.register("plain")
    made.register("flagged", flag=FlagState.ACTIVE)
    yield made
    await made.close()


async def consented(world: World) -> AuthorityId:
    """A consent for the youth is on record, in the table and in the log."""
    consent = world.record_authority(1, subject="plain")
    leaf = draft(Kind.AUTHORITY_RECORDED, requester=OWNER, req={"authority": consent.hex()})
    await world.log.append(Append(leaf))
    return consent


async def lived(world: World) -> None:
    """A flag check, records by statute and by consent, refusals, and a revocation with what follows it."""
    await world.flag(FLAG)
    await world.flag(replace(FLAG, youth="nobody", number=1))
    await world.records(replace(PLACEMENT, number=2))
    await world.records(replace(PLACEMENT, youth="nobody", number=3))
    await world.records(replace(PLACEMENT, evidence=(), number=4))
    consent = await consented(world)
    await world.records(replace(TEAM_RECORDS, authority=consent, number=5))
    await world.revoke(consent)
    await world.records(replace(TEAM_RECORDS, authority=consent, number=6))


def keys(world: World) -> Keys:
    return read_keys(world.path.with_name("keys.db"), world.keys, world.youth_keys)


def replayed(world: World) -> Counts:
    return replay_log(world.reader, keys(world), [world.policy])


def steps(world: World) -> list[Step]:
    with world.reader.snapshot() as tx:
        return list(_steps(tx, keys(world)))


def follow(world: World, changed: list[Step]) -> Counts:
    replay = Replay(_decide_with({world.policy.digest: world.policy}), granted=parse_grant, owed=owed_to)
    for step in changed:
        replay.follow(step)
    replay.authorities.check_ended([], [])
    return replay.counts


async def test_an_honest_log_is_decided_again_to_the_same_end(world: World) -> None:
    await lived(world)
    counts = replayed(world)
    assert counts.recomputed == counts.decided >= 7
    assert counts.released == 3
    assert (counts.sealed, counts.guarded) == (0, 0)


async def test_what_was_decided_under_a_bundle_of_before_flag_acts_is_decided_again_under_it(tmp_path: Path) -> None:
    text = (files("gateway.protocol.policy") / CALIFORNIA).read_text(encoding="utf-8")
    path = tmp_path / "earlier.toml"
    path.write_text(text.partition("[[flag_acts]]")[0] + text[text.index("[emergency]") :], encoding="utf-8")
    earlier = bundle_to_replay(path)
    world = World(tmp_path, policy=earlier)
    world.register("plain")
    world.register("flagged", flag=FlagState.ACTIVE)
    await lived(world)
    counts = replay_log(world.reader, keys(world), [load_california(), earlier])
    await world.close()
    assert counts.recomputed == counts.decided >= 7


def lose_keys(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "keys.db")) as connection, connection:
        connection.execute("DELETE FROM youth_key")


async def test_a_sealed_youths_decisions_count_as_sealed_and_the_rest_still_holds(world: World, tmp_path: Path) -> None:
    await lived(world)
    before = replayed(world)
    lose_keys(tmp_path)
    for owner in {step.holder or step.requester for step in steps(world)}:
        await world.log.append(bare_seal(AgencyId(owner)))
    counts = replayed(world)
    assert counts.sealed > 0
    assert counts.sealed + counts.recomputed == before.recomputed
    assert counts.released == before.released


def test_nobody_without_the_key_reads_what_was_decided_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.register("plain")
    asyncio.run(lived(world))
    raw = b"".join(each.read_bytes() for each in sorted(tmp_path.iterdir()) if each.is_file())
    assert b"homeward/decision-input" not in raw
    # The control: the argument itself begins with these words.
    assert any(step.committed and b"homeward/decision-input" in step.committed for step in steps(world))
    asyncio.run(world.close())


async def test_a_key_that_left_without_a_seal_hides_nothing_that_was_released(world: World, tmp_path: Path) -> None:
    """Whoever released what was revoked could take the youth's key away, and say that it was a seal."""
    await lived(world)
    released = [step for step in steps(world) if step.kind == "access.outcome" and step.fields["decision"] == "ALLOW"]
    # A seal that came first explains nothing, nor does another county's.
    await world.log.append(bare_seal(AgencyId("06999.cwa")))
    lose_keys(tmp_path)
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert (found.value.rule, found.value.index) == (Rule.SEALED, released[-1].index)


# --- one lie for each rule ---

Change = Callable[[list[Step]], list[Step]]


def at(kind: str, *, allow: bool, place: int = 0, **wanted: str) -> Callable[[list[Step]], int]:
    """The place of an entry of this kind that says this."""

    def find(found: list[Step]) -> int:
        word = "ALLOW" if allow else "DENY"
        places = [
            number
            for number, step in enumerate(found)
            if step.kind == kind
            and step.fields.get("decision") == word
            and all(step.fields.get(name) == value for name, value in wanted.items())
        ]
        return places[place]

    return find


def says(where: Callable[[list[Step]], int], **fields: str) -> Change:
    """The entry says something else."""

    def change(found: list[Step]) -> list[Step]:
        number = where(found)
        edited = replace(found[number], fields={**found[number].fields, **fields})
        return [*found[:number], edited, *found[number + 1 :]]

    return change


def is_(where: Callable[[list[Step]], int], **values: object) -> Change:
    """The entry is something else."""

    def change(found: list[Step]) -> list[Step]:
        number = where(found)
        return [*found[:number], replace(found[number], **values), *found[number + 1 :]]  # type: ignore[arg-type]

    return change


def without(where: Callable[[list[Step]], int]) -> Change:
    return lambda found: [step for number, step in enumerate(found) if number != where(found)]


def committing(where: Callable[[list[Step]], int], edit: Callable[[Mapping[str, object]], object]) -> Change:
    """The argument is another one, and the entry commits to it."""

    def change(found: list[Step]) -> list[Step]:
        number = where(found)
        document = json.loads(found[number].committed or b"")
        edit(document)
        argument = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        fields = {**found[number].fields, "input": sha256(argument).hexdigest()}
        edited = replace(found[number], committed=argument, fields=fields)
        return [*found[:number], edited, *found[number + 1 :]]

    return change


def kind(name: str) -> Callable[[list[Step]], int]:
    return lambda found: [step.kind for step in found].index(name)


def revoked_member(found: list[Step]) -> list[Step]:
    agency = found[at("access.outcome", allow=True)(found)].requester
    fields = {"kind": "member.revoked", "agency": agency, "revoked": "agency"}
    return [Step(-1, 0, "member.revoked", agency, "", fields), *found]


def moved(where: Callable[[list[Step]], int], before: Callable[[list[Step]], int]) -> Change:
    """An entry stands before another one."""

    def change(found: list[Step]) -> list[Step]:
        step, target = found[where(found)], before(found)
        return [*found[:target], step, *(each for each in found[target:] if each is not step)]

    return change


OBLIGED = "ACCOUNT,ALERT_OWNER,OFFER_NOTICE_TO_MINORS_COUNSEL"
PERMIT, REFUSAL = at("access.decision", allow=True, place=1), at("access.decision", allow=False)
RELEASE, END = at("access.outcome", allow=True), at("access.outcome", allow=False)
CONSENTED = at("access.outcome", allow=True, place=1)

LIES: Mapping[str, tuple[Change, Rule]] = {
    "an argument that is not kept": (is_(PERMIT, committed=None), Rule.COMMITTED),
    "another argument": (is_(PERMIT, committed=b"{}"), Rule.COMMITTED),
    "an argument that is none": (
        committing(PERMIT, lambda document: document.update(format="x")),  # type: ignore[attr-defined]
        Rule.COMMITTED,
    ),
    "another policy": (
        committing(PERMIT, lambda document: document.update(policy_digest="0" * 64)),  # type: ignore[attr-defined]
        Rule.COMMITTED,
    ),
    "a permit without an argument": (
        lambda found: [
            replace(step, fields={name: value for name, value in step.fields.items() if name != "input"})
            for step in found
        ],
        Rule.COMMITTED,
    ),
    "a refusal written as a permit": (
        says(REFUSAL, decision="ALLOW", outcome="ANSWERED", fields="FS0,FS1 STATUTE"),
        Rule.DECIDED,
    ),
    "more granted than the policy gives": (says(PERMIT, fields=f"FS0,FS4,FS5,FS6 STATUTE {OBLIGED}"), Rule.DECIDED),
    "another basis": (says(PERMIT, fields=f"FS0,FS4,FS5 COURT_ORDER {OBLIGED}"), Rule.DECIDED),
    "a duty left out": (says(PERMIT, fields="FS0,FS4,FS5 STATUTE ACCOUNT,ALERT_OWNER"), Rule.DECIDED),
    "another reason": (says(REFUSAL, reason="RECORD_SEALED"), Rule.DECIDED),
    "another outcome": (says(REFUSAL, outcome="UNDETERMINED"), Rule.DECIDED),
    "another end of a refusal": (says(END, reason="RECORD_SEALED"), Rule.DECIDED),
    "another purpose": (says(PERMIT, purpose="MFC_LOCATE"), Rule.FACTS),
    "another role": (says(PERMIT, worker="w CWA.supervisor"), Rule.FACTS),
    "another agency": (is_(PERMIT, requester="06999.cwa"), Rule.FACTS),
    "another owner": (is_(PERMIT, holder="06999.cwa"), Rule.FACTS),
    "an argument of the future": (is_(PERMIT, time_ms=0), Rule.FACTS),
    "a consent that nobody recorded": (without(kind("authority.recorded")), Rule.AUTHORITY),
    "a consent recorded afterwards": (moved(kind("authority.revoked"), kind("authority.recorded")), Rule.AUTHORITY),
    "a release after the revocation": (moved(kind("authority.revoked"), CONSENTED), Rule.AUTHORITY),
    "a revocation that nobody made": (without(kind("authority.revoked")), Rule.AUTHORITY),
    "a consent recorded by two agencies": (
        lambda found: [*found, replace(found[kind("authority.recorded")(found)], requester="06999.cwa")],
        Rule.AUTHORITY,
    ),
    "a release to a revoked agency": (revoked_member, Rule.MEMBER),
    "more released than decided": (says(RELEASE, fields="FS0,FS4,FS5,FS6 STATUTE"), Rule.SCOPE),
    "a release of a refusal": (
        says(END, decision="ALLOW", outcome="ANSWERED", fields="FS0,FS4 STATUTE", sealed="00"),
        Rule.SCOPE,
    ),
    "a refusal with something sealed": (says(END, sealed="00"), Rule.SCOPE),
    "a release of nothing": (says(RELEASE, sealed=""), Rule.SCOPE),
    "a release without a decision": (without(PERMIT), Rule.CAUSALITY),
    "a release before its decision": (moved(RELEASE, PERMIT), Rule.CAUSALITY),
    "a release of another's decision": (is_(RELEASE, requester="06999.cwa"), Rule.CAUSALITY),
    "a release for another request": (says(RELEASE, request="00"), Rule.CAUSALITY),
    "two releases of one decision": (
        lambda found: [*found, found[RELEASE(found)]],
        Rule.CAUSALITY,
    ),
    "an owner who was not told of a flag's check": (is_(at("access.decision", allow=True), told=()), Rule.TOLD),
    "an owner who was not told of a release": (is_(RELEASE, told=()), Rule.TOLD),
    "another one told than the owner": (is_(RELEASE, told=("06999.cwa",)), Rule.TOLD),
    "an alert that is gone": (is_(RELEASE, untold=1), Rule.TOLD),
    "a receipt of nothing": (
        lambda found: [*found, Step(99, 0, "access.receipt", "06999.cwa", "", {"released": "3"})],
        Rule.CAUSALITY,
    ),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
async def test_each_lie_is_found_by_its_rule(lie: str, world: World) -> None:
    await lived(world)
    told = steps(world)
    follow(world, told)
    change, rule = LIES[lie]
    with pytest.raises(Contradiction) as found:
        follow(world, change(told))
    assert found.value.rule is rule


async def test_a_receipt_confirms_one_release_once(world: World) -> None:
    await lived(world)
    told = steps(world)
    release = told[RELEASE(told)]
    receipt = Step(99, 0, "access.receipt", release.requester, "", {"released": str(release.index)})
    assert follow(world, [*told, receipt]).confirmed == 1
    with pytest.raises(Contradiction):
        follow(world, [*told, receipt, receipt])


# --- what a faulty exchange writes is found in the log it wrote ---


class Trusting(SqlProjections):
    """A fault: nothing is re-checked when a record leaves."""

    def releasable(self, *_: object, **__: object) -> Callable[[object], None]:  # type: ignore[override]
        return lambda tx: None


async def test_the_log_of_an_exchange_that_released_after_a_revocation_contradicts_itself(world: World) -> None:
    consent = await consented(world)
    world.use(replace(world.setting, projections=Trusting(world.keys, world.alert_keys)))

    async def meanwhile() -> None:
        await world.revoke(consent)

    world.sources.meanwhile = meanwhile
    await world.records(replace(TEAM_RECORDS, authority=consent))
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.AUTHORITY


class Confused(SqlProjections):
    """A fault: another argument is kept than the one that was decided on."""

    def committed(self, argument: bytes, youth: object) -> object:  # type: ignore[override]
        return super().committed(argument.replace(b"CWA", b"LEA"), youth)  # type: ignore[arg-type]


async def test_an_argument_kept_wrongly_contradicts_its_leaf(world: World) -> None:
    world.use(replace(world.setting, projections=Confused(world.keys, world.alert_keys)))
    await world.records(PLACEMENT)
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.COMMITTED


class Silent(SqlProjections):
    """A fault: nobody is told."""

    def tell(self, alerts: object) -> Says:
        return lambda tx, index: b""


class Whispering(SqlProjections):
    """A fault: the entry says that somebody was told who was not."""

    def tell(self, alerts: Sequence[tuple[NewAlert, YouthKey | None]]) -> Says:
        says = super().tell(alerts)

        def unheard(tx: Tx, index: int) -> bytes:
            annex = says(tx, index)
            tx.run(Statement(delete(tables.alert)))
            return annex

        return unheard


@pytest.mark.parametrize("fault", [Silent, Whispering])
async def test_an_exchange_that_told_no_owner_contradicts_its_policy(world: World, fault: type[SqlProjections]) -> None:
    await world.flag(FLAG)
    assert replayed(world).released == 1
    world.use(replace(world.setting, projections=fault(world.keys, world.alert_keys)))
    await world.records(replace(PLACEMENT, number=1))
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.TOLD


@pytest.mark.parametrize(
    "edit", ["DELETE FROM alert WHERE sequence = 2", "UPDATE alert SET sequence = 3 WHERE sequence = 2"]
)
async def test_a_replay_finds_an_alert_that_was_taken_out_or_made_up(world: World, edit: str) -> None:
    await world.flag(FLAG)
    await world.records(replace(PLACEMENT, number=1))
    replayed(world)
    with closing(sqlite3.connect(world.path)) as connection, connection:
        assert connection.execute(edit).rowcount == 1
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.TOLD


async def test_a_revocation_that_came_first_is_a_refusal_that_replays(world: World) -> None:
    consent = await consented(world)

    async def meanwhile() -> None:
        await world.revoke(consent)

    world.sources.meanwhile = meanwhile
    await world.records(replace(TEAM_RECORDS, authority=consent))
    assert replayed(world).released == 0
