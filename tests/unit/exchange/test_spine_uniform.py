"""Unknown, sealed, sensitive, not matching, refused by the source: a caller cannot tell them apart."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path

import pytest

from audit.sequencer import Append
from gateway.exchange.asked import Result, Shown
from gateway.exchange.spine import Exchange
from gateway.ports import Entered, Journal
from gateway.protocol.match_keys import SOUND_KEY
from gateway.protocol.names import (
    AuthorityId,
    EvidenceKind,
    FieldSet,
    FlagState,
    Purpose,
    Restriction,
    Role,
)
from gateway.protocol.outcomes import REASONS, Outcome, Phase, Reason
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.exchange_pb2 import RequestRecordsResponse
from tests.unit.exchange.spine_parts import FAR_OWNER, OWNER, TEAM, Answered, Question
from tests.unit.exchange.spine_seen import distinguishes, seen
from tests.unit.exchange.spine_world import World

PLACEMENT = Question("nobody")
SUPERVISION = replace(
    PLACEMENT,
    purpose=Purpose.PLACEMENT_SUPERVISION,
    role=Role("CWA.case_worker"),
    field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
    evidence=(EvidenceKind.HOST_COUNTY,),
)
SEARCH = replace(
    PLACEMENT,
    purpose=Purpose.MFC_LOCATE,
    role=Role("CWA.duty_officer"),
    field_sets=(FieldSet.FS3_FLAG_CASEWORK,),
    evidence=(),
)
TEAM_RECORDS = replace(
    PLACEMENT,
    purpose=Purpose.CFT_COORDINATION,
    role=Role("FFA.social_worker"),
    field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
    evidence=(EvidenceKind.TEAM_MEMBERSHIP,),
    by=TEAM,
)
FINDER = replace(
    PLACEMENT,
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.er_worker"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)
NAMED, OTHER = AuthorityId((1).to_bytes(16, "big")), AuthorityId((2).to_bytes(16, "big"))


@dataclass(frozen=True)
class Hidden:
    """A youth that a caller must not tell from an unknown one, and why the exchange refuses."""

    reason: Reason
    ask: Question
    known: Callable[[World], object]
    mode: str = "answer"
    meanwhile: Callable[[World], Callable[[], Awaitable[object]]] | None = None
    auto: bool = True

    def __str__(self) -> str:
        return f"{self.reason} {self.ask.purpose}"


def consented(world: World) -> None:
    """A youth that is listed, and a consent by name for it."""
    world.register("known")
    world.record_authority(1, subject="known")


def anothers_consent(world: World) -> None:
    """A consent by handle that is for another youth of the same owner."""
    world.register("known")
    world.record_authority(1, subject=world.register("another"))


RECORDS = [
    Hidden(Reason.RECORD_SEALED, PLACEMENT, lambda world: world.register("known", restriction=Restriction.SEALED)),
    Hidden(
        Reason.RECORD_SENSITIVE, PLACEMENT, lambda world: world.register("known", restriction=Restriction.SENSITIVE)
    ),
    Hidden(Reason.AGREEMENT_MISSING, PLACEMENT, lambda world: world.register("known", owner=FAR_OWNER)),
    Hidden(
        Reason.AMBIGUOUS_MATCH,
        PLACEMENT,
        lambda world: [world.register("known", owner=owner) for owner in (OWNER, FAR_OWNER)],
    ),
    Hidden(Reason.MATCH_TOO_WEAK, PLACEMENT, lambda world: world.register("known", keys=(SOUND_KEY,))),
    Hidden(Reason.MATCH_TOO_WEAK, PLACEMENT, lambda world: world.register("known"), auto=False),
    Hidden(Reason.PURPOSE_PRECONDITION_FAILED, SUPERVISION, lambda world: world.register("known")),
    Hidden(Reason.PURPOSE_PRECONDITION_FAILED, SEARCH, lambda world: world.register("known")),
    Hidden(Reason.REFUSED_BY_SOURCE, PLACEMENT, lambda world: world.register("known"), mode="refuse"),
    Hidden(
        Reason.MEMBER_DENIED_BEFORE_RELEASE,
        PLACEMENT,
        lambda world: world.register("known"),
        meanwhile=lambda world: lambda: world.deny(PLACEMENT.by),
    ),
    Hidden(
        Reason.AUTHORITY_ENDED_BEFORE_RELEASE,
        replace(TEAM_RECORDS, authority=NAMED),
        consented,
        meanwhile=lambda world: lambda: world.revoke(NAMED),
    ),
    Hidden(Reason.AUTHORITY_OTHER_SUBJECT, replace(TEAM_RECORDS, authority=NAMED), anothers_consent),
]
FLAGS = [
    Hidden(Reason.NO_ACTIVE_FLAG, FINDER, lambda world: world.register("known")),
    Hidden(Reason.NO_ACTIVE_FLAG, FINDER, lambda world: world.register("known", flag=FlagState.RESOLVED)),
    Hidden(Reason.RECORD_SEALED, FINDER, lambda world: world.register("known", restriction=Restriction.SEALED)),
    Hidden(
        Reason.RECORD_SEALED,
        FINDER,
        lambda world: world.register("known", restriction=Restriction.SEALED, flag=FlagState.ACTIVE),
    ),
    Hidden(Reason.RECORD_SENSITIVE, FINDER, lambda world: world.register("known", restriction=Restriction.SENSITIVE)),
    Hidden(Reason.MATCH_TOO_WEAK, FINDER, lambda world: world.register("known", keys=(SOUND_KEY,))),
    Hidden(
        Reason.AMBIGUOUS_MATCH,
        FINDER,
        lambda world: [world.register("known", owner=owner) for owner in (OWNER, FAR_OWNER)],
    ),
]


async def pair(
    directory: Path, hidden: Hidden, *, page: int = 1, plant: Callable[[World], None] | None = None
) -> tuple[Answered, Answered]:
    """The answer about the hidden youth, and about nobody, in two exchanges that are otherwise alike."""
    answers = []
    for name in ("known", "nobody"):
        place = directory / name
        place.mkdir(parents=True)
        world = World(place, auto=hidden.auto)
        if name == "known":
            hidden.known(world)
        elif hidden.ask.authority is not None:
            # An unknown youth with a consent that is on record: the consent names it by tokens.
            world.record_authority(1, subject="nobody")
        if plant is not None:
            plant(world)
        world.sources.mode = hidden.mode
        if hidden.meanwhile is not None:
            world.sources.meanwhile = hidden.meanwhile(world)
        asked = replace(hidden.ask, youth=name, page=page)
        call = world.flag if asked.field_sets == (FieldSet.FS1_FLAG_STATUS,) else world.records
        answers.append(await call(asked))
        await world.close()
    return answers[0], answers[1]


def reason_of(answered: Answered) -> Reason:
    """The internal reason, as the log has it."""
    own = [entry for entry in answered.entries if "reason" in entry.fields]
    return Reason(str(own[-1].fields["reason"]))


@pytest.mark.parametrize("hidden", [*RECORDS, *FLAGS], ids=str)
async def test_a_hidden_youth_is_answered_like_nobody(tmp_path: Path, hidden: Hidden) -> None:
    known, nobody = await pair(tmp_path, hidden)
    assert (reason_of(known), reason_of(nobody)) == (hidden.reason, Reason.NO_MATCH)
    assert distinguishes(known, nobody) == set()


def test_every_reason_that_hides_a_youth_is_tried() -> None:
    uniform = {reason for reason in Reason if REASONS[reason].phase is Phase.YOUTH and REASONS[reason].outcome is None}
    assert {hidden.reason for hidden in (*RECORDS, *FLAGS)} == uniform - {Reason.NO_MATCH}


@pytest.mark.parametrize(("hidden", "page"), list(product(RECORDS[-4:], (2, 7, 999))), ids=str)
async def test_a_hidden_youth_is_answered_like_nobody_on_every_page(tmp_path: Path, hidden: Hidden, page: int) -> None:
    known, nobody = await pair(tmp_path, hidden, page=page)
    assert reason_of(known) is hidden.reason
    assert distinguishes(known, nobody) == set()


@pytest.mark.parametrize("hidden", [each for each in RECORDS if each.meanwhile is None], ids=str)
async def test_the_answers_have_the_same_number_of_bytes(tmp_path: Path, hidden: Hidden) -> None:
    known, nobody = await pair(tmp_path, hidden)
    assert known.response.ByteSize() == nobody.response.ByteSize()


@pytest.mark.parametrize("hidden", [*RECORDS, *FLAGS], ids=str)
async def test_no_opened_field_confirms_a_guess_of_what_the_exchange_knows(tmp_path: Path, hidden: Hidden) -> None:
    known, _ = await pair(tmp_path, hidden)
    opened = {value for fields in seen(known)["openings"] for _, _, value in fields}
    committed = {entry.fields["input"] for entry in known.entries if "input" in entry.fields}
    assert committed
    assert committed.isdisjoint(opened)


# --- positive controls: planted oracles ---


def plant_open_decision(world: World) -> None:
    """The edge shows the DECISION leaf as it was first written."""

    class Telling(Exchange):
        async def run(self, *asked: object) -> Result:
            result = await super().run(*asked)  # type: ignore[arg-type]
            assert isinstance(result.decided, Shown)
            return replace(result, decided=result.decided.entered)

    world.servicer._exchange = Telling(world.setting)


def plant_haste(world: World) -> None:
    """Nobody waits for the slot."""

    async def at_once(moment: datetime) -> None:
        return None

    world.use(replace(world.setting, until=at_once))


class Verbose:
    """Writes one leaf more when the entry is about a youth."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def enter(self, append: Append) -> Entered:
        if append.draft.holder is not None:
            await self._journal.enter(Append(replace(append.draft, youth=None, fields=append.draft.fields[:1])))
        return await self._journal.enter(append)


def plant_leaf(world: World) -> None:
    """A known youth leaves more leaves."""
    world.use(replace(world.setting, journal=Verbose(world.journal)))


def plant_handle(world: World) -> None:
    """A known youth's answer carries its handle."""
    build = world.servicer._records_response

    def with_handle(caller: object, result: Result) -> RequestRecordsResponse:
        response = build(caller, result)  # type: ignore[arg-type]
        if result.found.candidate is not None:
            response.pairwise_handle = bytes(16)
        return response

    world.servicer._records_response = with_handle  # type: ignore[method-assign]


REFUSED = next(each for each in RECORDS if each.reason is Reason.REFUSED_BY_SOURCE)


@pytest.mark.parametrize(
    ("plant", "caught"),
    [
        (plant_open_decision, {"openings", "size", "shape"}),
        (plant_haste, {"seconds"}),
        (plant_leaf, {"leaves"}),
        (plant_handle, {"size", "shape", "plain"}),
    ],
)
async def test_a_planted_oracle_is_caught(tmp_path: Path, plant: Callable[[World], None], caught: set[str]) -> None:
    known, nobody = await pair(tmp_path, REFUSED, plant=plant)
    assert caught & distinguishes(known, nobody)
    assert distinguishes(known, nobody) <= caught


async def test_a_disclosure_is_of_course_told_apart(tmp_path: Path) -> None:
    known, nobody = await pair(tmp_path, replace(REFUSED, mode="answer"))
    assert {"plain", "size", "shape", "seconds"} <= distinguishes(known, nobody)


# --- UNDETERMINED ---


@pytest.mark.parametrize("hidden", [*RECORDS, *FLAGS], ids=str)
async def test_while_a_county_is_silent_every_miss_is_undetermined_whoever_is_meant(
    tmp_path: Path, hidden: Hidden
) -> None:
    known, nobody = await pair(tmp_path, hidden, plant=lambda world: world.silence(FAR_OWNER))
    answers = [getattr(each.response, "answer", each.response) for each in (known, nobody)]
    for answer in answers:
        assert from_wire(Outcome, answer.outcome) is Outcome.UNDETERMINED
        assert list(answer.stale_counties) == [FAR_OWNER[:5]]
    assert reason_of(known) is hidden.reason
    assert distinguishes(known, nobody) == set()


async def test_a_hit_is_answered_while_another_county_is_silent(tmp_path: Path) -> None:
    known, nobody = await pair(tmp_path, replace(REFUSED, mode="answer"), plant=lambda world: world.silence(FAR_OWNER))
    assert isinstance(known.response, RequestRecordsResponse)
    assert from_wire(Outcome, known.response.outcome) is Outcome.ANSWERED
    assert not known.response.stale_counties
    assert from_wire(Outcome, nobody.response.outcome) is Outcome.UNDETERMINED  # type: ignore[union-attr]
