"""An attacker who kept what was signed before the token key was rotated, and sends it again afterwards.

Envelopes of lists and questions under a user's assertion, the very bytes and new ones in the same old epoch: while
both epochs are answered, and after the old one ended. None changes a list or makes it look complete, and no question
that meets nothing any more is told that nobody looks for the youth. Real processes.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import pytest_asyncio

from adapters.node.identifiers import timestamp
from gateway.exchange.coverage import KNOWN_FOR
from gateway.protocol.epochs import EpochState
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, HandlingCode, Purpose, Role
from homeward.gateway.v1 import index_pb2, missing_pb2
from homeward.gateway.v1.codes_pb2 import Outcome
from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest, CheckFlagResponse
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.index_pb2_grpc import IndexServiceStub
from tests.adversarial.house import House, beat, change, heartbeat, register
from tests.adversarial.outcome import ending, refusal
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.stage import report_flag
from tests.adversarial.town import Town
from tests.commands import homeward

pytestmark = pytest.mark.asyncio(loop_scope="session")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
OWNER, ASKER = AgencyId("06075.cwa"), AgencyId("06029.cwa")
OLD, NEW = "e1", "e2"
KNOWN_SECONDS = KNOWN_FOR / timedelta(seconds=1) + 0.1
"""After which the exchange looks again which counties are complete."""
LISTS = ("subject", "index_token", "listing")
SOUGHT, BACK, GONE = "sought", "came back", "left care"


@dataclass
class Recording:
    """What was signed in the old epoch, and answered then."""

    registered: index_pb2.RegisterSubjectsRequest
    removed: index_pb2.RegisterSubjectsRequest
    asked: CheckFlagRequest = field(default_factory=CheckFlagRequest)
    answered: CheckFlagResponse = field(default_factory=CheckFlagResponse)


@dataclass
class Rotating:
    """An exchange on its way from one epoch to the next, and what the attacker kept."""

    town: Town
    owner: Resident
    asker: Resident
    kept: Recording
    handles: dict[str, bytes]

    async def ask(self, label: str, epoch: str) -> CheckFlagResponse:
        return await self.put(self.question(label, epoch))

    def question(self, label: str, epoch: str) -> CheckFlagRequest:
        query = flag_query(tokens_of(label, epoch=epoch), EvidenceKind.YOUTH_PRESENT)
        return self.asker.flag_request(query, ACT)

    async def put(self, request: CheckFlagRequest) -> CheckFlagResponse:
        answer: CheckFlagResponse = await ExchangeServiceStub(self.asker.channel).CheckFlag(request, timeout=5)
        return answer

    async def lists(self, request: index_pb2.RegisterSubjectsRequest) -> None:
        await IndexServiceStub(self.owner.channel).RegisterSubjects(request, timeout=5)

    async def beats(self, request: index_pb2.HeartbeatRequest) -> None:
        await IndexServiceStub(self.owner.channel).Heartbeat(request, timeout=5)

    async def operate(self, *words: str) -> None:
        await asyncio.to_thread(homeward, *words)

    async def announced(self, **states: EpochState) -> None:
        """The directory names these epochs, so."""
        until = time.monotonic() + 20
        while True:
            view = await self.town.directory(self.asker)
            if view is not None and {name: each.state for name, each in view.epochs.items()} == states:
                return
            assert time.monotonic() < until, view and view.epochs
            await asyncio.sleep(0.1)

    async def unchanged(self, replayed: object, reason: str) -> None:
        """The call is refused for this reason, and every list is as it was."""
        before = self.town.rows(*LISTS)
        found = await refusal(replayed)  # type: ignore[arg-type]
        assert found.reason == reason
        assert self.town.rows(*LISTS) == before


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rotating(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rotating]:
    """Everybody is listed in the old epoch, one youth is sought, one has left care; then the new epoch is current."""
    town = Town.found(tmp_path_factory.mktemp("replay"))
    owner = await town.settle(OWNER, AgencyKind.CWA, has_sources=True)
    asker = await town.settle(ASKER, AgencyKind.CWA)
    await town.listed(*town.residents)
    handles = {label: secrets.token_bytes(16) for label in (SOUGHT, BACK, GONE)}
    registered = [await register(owner, handle, label) for label, handle in handles.items()][-1]
    removed = await change(owner, removed=[handles[BACK], handles[GONE]])
    await raise_flag(await House.open(owner), SOUGHT, handles[SOUGHT])
    made = Rotating(town, owner, asker, Recording(registered, removed), handles)
    await beat(owner)
    made.kept.asked = made.question(SOUGHT, OLD)
    made.kept.answered = await made.put(made.kept.asked)
    assert made.kept.answered.answer.outcome == Outcome.OUTCOME_ANSWERED
    assert (await made.ask(GONE, OLD)).answer.outcome == Outcome.OUTCOME_NO_ACTIVE_FLAG_FOUND
    dealt, gateway, custodian = town.root / "dealt", str(town.gateway), str(town.custodian)
    await made.operate("custodian", "deal", "--threshold", "2", "--holders", "2", "--epoch", NEW, "--out", str(dealt))
    await made.operate("custodian", "epoch", "add", custodian, "--share", str(dealt / "share-2.bin"))
    await made.operate("gateway", "epoch", "open", gateway, "--share", str(dealt / "share-1.bin"))
    await made.announced(**{OLD: EpochState.CURRENT, NEW: EpochState.FOLLOWING})
    for label in (SOUGHT, BACK):
        # The one who left has come back meanwhile, and is in care again.
        for epoch in (OLD, NEW):
            await register(owner, handles[label], label, epoch=epoch)
    await beat(owner, epochs=(OLD, NEW))
    yield made
    await town.close()


async def raise_flag(house: House, label: str, handle: bytes) -> None:
    flag = house.state(handle, handling=HandlingCode.CALL_DUTY_LINE)  # type: ignore[arg-type]
    report = missing_pb2.FlagReport(
        request_id=secrets.token_bytes(16),
        subject_handle=handle,
        tokens=tokens_of(label),
        flag_statement=flag.statement,
        learn_time=timestamp(flag.learned),
    )
    assert (await report_flag(house.resident, report)).outcome == Outcome.OUTCOME_RECORDED
    await house.close()


async def test_an_older_heartbeat_does_not_call_complete_what_a_newer_one_does_not(rotating: Rotating) -> None:
    """The list grew, and is complete in the new epoch no more: the heartbeat of before says otherwise, and is fresh."""
    before = await heartbeat(rotating.owner, epochs=(OLD, NEW))
    await rotating.beats(before)
    assert (await rotating.ask(GONE, NEW)).answer.outcome == Outcome.OUTCOME_NO_ACTIVE_FLAG_FOUND
    await beat(rotating.owner, epochs=(OLD,))
    await asyncio.sleep(KNOWN_SECONDS)
    assert (await rotating.ask(GONE, NEW)).answer.outcome == Outcome.OUTCOME_UNDETERMINED
    await rotating.unchanged(rotating.beats(before), "INVALID_REQUEST")
    await asyncio.sleep(KNOWN_SECONDS)
    assert (await rotating.ask(GONE, NEW)).answer.outcome == Outcome.OUTCOME_UNDETERMINED


async def test_what_was_signed_before_the_cut_over_changes_nothing_after_it(rotating: Rotating) -> None:
    kept, town = rotating.kept, rotating.town
    await beat(rotating.owner, epochs=(OLD, NEW))
    await rotating.operate("gateway", "epoch", "cut-over", str(town.gateway))
    await rotating.announced(**{NEW: EpochState.CURRENT, OLD: EpochState.PRECEDING})
    await beat(rotating.owner, epochs=(NEW,))
    await rotating.unchanged(rotating.lists(kept.registered), "EPOCH_UNKNOWN")
    again = rotating.owner.wrapped(fresh(kept.registered))
    await rotating.unchanged(rotating.lists(index_pb2.RegisterSubjectsRequest(envelope=again)), "EPOCH_UNKNOWN")
    await rotating.unchanged(rotating.beats(await heartbeat(rotating.owner, epochs=(OLD,))), "EPOCH_UNKNOWN")
    await rotating.unchanged(rotating.beats(await heartbeat(rotating.owner, epochs=(OLD, NEW))), "EPOCH_UNKNOWN")
    # A removal names no epoch, and is known by its identifier: the youth who came back stays.
    before = town.rows(*LISTS)
    await rotating.lists(kept.removed)
    assert town.rows(*LISTS) == before
    assert rotating.handles[BACK] in {row[1] for row in before["subject"]}
    # Questions in the epoch before are still answered, and none with a negative.
    assert (await rotating.ask(SOUGHT, OLD)).answer.outcome == Outcome.OUTCOME_ANSWERED
    assert (await rotating.ask(GONE, OLD)).answer.outcome == Outcome.OUTCOME_UNDETERMINED
    assert (await rotating.ask(SOUGHT, NEW)).answer.outcome == Outcome.OUTCOME_ANSWERED
    await asyncio.sleep(KNOWN_SECONDS)
    assert (await rotating.ask(GONE, NEW)).answer.outcome == Outcome.OUTCOME_NO_ACTIVE_FLAG_FOUND


async def test_what_was_signed_in_an_epoch_that_ended_meets_nothing_and_is_told_so(rotating: Rotating) -> None:
    kept, town = rotating.kept, rotating.town
    signed = [rotating.question(label, OLD) for label in (SOUGHT, GONE)]
    await rotating.operate("gateway", "epoch", "finish", str(town.gateway))
    await rotating.announced(**{NEW: EpochState.CURRENT})
    await erased(town)
    await beat(rotating.owner, epochs=(NEW,))
    await rotating.unchanged(rotating.lists(kept.registered), "EPOCH_UNKNOWN")
    await rotating.unchanged(rotating.beats(await heartbeat(rotating.owner, epochs=(OLD,))), "EPOCH_UNKNOWN")
    for question in signed:
        await rotating.unchanged(rotating.put(question), "EPOCH_UNKNOWN")
    # The very question that was answered then: for minutes its answer is kept, with the entry of then, and no other.
    assert (await refusal(rotating.put(kept.asked))).reason == "ASSERTION_REPLAYED"
    assert await rotating.put(rotating.asker.signed(CheckFlagRequest, kept.asked.payload, ACT)) == kept.answered
    await asyncio.to_thread(town.kill, "gateway")
    await asyncio.to_thread(town.start, "gateway")
    await town.heard()
    await serving(rotating)
    await rotating.unchanged(
        rotating.put(rotating.asker.signed(CheckFlagRequest, kept.asked.payload, ACT)), "EPOCH_UNKNOWN"
    )
    assert (await rotating.ask(SOUGHT, NEW)).answer.outcome == Outcome.OUTCOME_ANSWERED


def fresh(request: index_pb2.RegisterSubjectsRequest) -> index_pb2.RegistrationBatch:
    """The same youths under another identifier."""
    batch = index_pb2.RegistrationBatch.FromString(request.envelope.payload)
    batch.request_id = secrets.token_bytes(16)
    return batch


async def serving(rotating: Rotating) -> None:
    """The gateway answers again; a client redials by itself."""
    until = time.monotonic() + 20
    while await ending(rotating.ask(SOUGHT, NEW)) is not None:
        assert time.monotonic() < until
        await asyncio.sleep(0.1)


async def erased(town: Town) -> None:
    """No token of the old epoch is left, and the log says so."""
    until = time.monotonic() + 20
    while "epoch.erased" not in {leaf.kind for leaf in town.leaves()}:
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
    assert not [row for row in town.rows("index_token")["index_token"] if row[3] == OLD]
