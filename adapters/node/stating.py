"""What this agency states of a flag of its own around a call: on disk before it is sent, settled with its answer.

Decides the versions. One report at a time states one (`turn`), because each follows the one before; what can fail by
itself, or waits for others than the gateway, is done before, so that a report holds up another for the gateway's answer
at most, and nobody waits longer than for an answer of its own.

    raised     the youth's open flag, stated anew where the report says something new of it; else the one whose end the
               exchange may not have heard; else a new one
    again      the youth had been back: what is open, or open again, says nothing of the absence before, and its duties
               are owed from when this one was learned of
    repeated   as it was, while no version of it was ever answered: what is said instead would not be heard either
    refused    a new flag is dropped, a changed one says again what was recorded last, under a higher version; whatever
               the report stated is taken back, when it first came or when it was sent again
    late       what was taken back and is on record after all is said again
    another    the exchange holds a flag of this agency that is not here: the adapter was put back to before it, and
               takes it over, with what the report says of the youth. One that ended here is not believed
    over       the exchange knows the episode to be over: it is here, too, where this agency stated the end and heard no
               answer, and where the youth is reported missing again, so that another flag is raised
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from adapters.errors import ErrorReason, EvidenceInvalid, Unavailable
from adapters.node.flags import OwnFlags, Unrecorded, note_recorded_flag, take_back_flag, take_over_flag
from adapters.node.identifiers import Clock, RandomBytes
from adapters.node.own_flag import HEARD, FlagIssuer, OwnFlag, looked_for
from adapters.node.receipts import Settle
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.send import Deadline
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import OPEN_FLAG_STATES, FlagId, FlagState, HandlingCode, SubjectHandle
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.statement_rules import OVER
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.codes_pb2 import OUTCOME_RECORDED, ResolutionGroup
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.missing_pb2 import RaiseFlagResponse
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate


@dataclass(frozen=True, slots=True)
class Stating:
    """States flags, one report at a time."""

    flags: OwnFlags
    issuer: FlagIssuer
    now: Clock
    random_bytes: RandomBytes = field(repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @asynccontextmanager
    async def turn(self, deadline: Deadline) -> AsyncIterator[None]:
        """Within, no other report states anything. Raises `Unavailable` when that takes as long as an answer may."""
        try:
            async with asyncio.timeout(deadline.left()):
                await self._turn.acquire()
        except TimeoutError as exc:
            raise Unavailable(ErrorReason.GATEWAY_UNAVAILABLE, fault=CallFault.TIMED_OUT) from exc
        try:
            # Whoever has no time left to send it states nothing.
            deadline.left()
            yield
        finally:
            self._turn.release()

    async def raised(
        self,
        handle: SubjectHandle,
        *,
        handling_code: HandlingCode | None,
        learned: datetime,
        locate: FlagLocate,
    ) -> tuple[SignedEnvelope, bool]:
        """What is stated of the youth's flag, on disk; and whether the youth had been back and is missing again."""
        of_youth = await asyncio.to_thread(self.flags.of, handle)
        known = looked_for(of_youth)
        if known is None:
            # Were another raised, the exchange would go on with this one, and nobody here would know of it.
            known = next((flag for flag in reversed(of_youth) if flag.ended_unheard), None)
        if known is None:
            code = handling_code or HandlingCode.CALL_DUTY_LINE
            flag_id = FlagId(self.random_bytes(16))
            flag = self.issuer.raised(
                flag_id, handle, handling_code=code, learned=learned, locate=locate, now=self.now()
            )
            await asyncio.to_thread(self.flags.keep, flag)
            return flag.statement, False
        if not known.is_open or await asyncio.to_thread(self.flags.was_found_before, known.flag_id, learned):
            return await self._missing_again(known, handling_code=handling_code, learned=learned, locate=locate), True
        stands = known.expires > self.now() and not known.waits_for_person(self.now())
        was_answered = known.recorded or known.version > 1 or known.unheard != HEARD
        if not was_answered:
            handling_code, locate = None, FlagLocate()
        code, details = handling_code or known.handling_code, _located_anew(known.locate, locate)
        flag = self.issuer.changed(known, now=self.now(), handling_code=code, locate=details)
        if stands and not _differ(known, flag):
            return known.statement, False
        # Otherwise, or if its statement has ended or the exchange no longer takes it, the episode is stated anew.
        await asyncio.to_thread(self.flags.keep, flag)
        return flag.statement, False

    async def _missing_again(
        self, known: OwnFlag, *, handling_code: HandlingCode | None, learned: datetime, locate: FlagLocate
    ) -> SignedEnvelope:
        """Nothing of the absence before is said of this one."""
        flag = self.issuer.changed(
            known,
            now=self.now(),
            state=FlagState.ACTIVE,
            handling_code=handling_code,
            locate=locate,
            casework=FlagCasework(),
            learned=learned,
        )
        await asyncio.to_thread(self.flags.keep, flag, anew=True)
        return flag.statement

    def settled_raised(self, statement: SignedEnvelope | None, answer: RaiseFlagResponse) -> Settle | None:
        """The statement is on record where the answer names its flag; else it is taken back.

        Where another one stands, or a higher version of this one, the answer shows this agency's own statement of that,
        which is taken over. Raises `EvidenceInvalid`.
        """
        if statement is None and answer.flag_id:
            raise EvidenceInvalid("flag_id")
        is_the_one = statement is not None and answer.flag_id == _read(statement).flag_id
        if statement is None or not answer.flag_id or (is_the_one and not answer.HasField("standing_statement")):
            # Without one it is a supporting report of another owner's flag: this agency states none, and a flag that
            # nobody else knows must not be answered from.
            supports = answer.outcome == OUTCOME_RECORDED and not answer.flag_id
            why = Unrecorded.ANOTHERS if supports else Unrecorded.NOT_TAKEN
            return self.settled(statement, recorded=bool(answer.flag_id), why=why)
        return partial(take_over_flag, instead_of=statement, standing=self._standing(answer), again=self._again)

    def _standing(self, answer: RaiseFlagResponse) -> SignedEnvelope:
        """What this agency stated of the youth's open flag once. Raises `EvidenceInvalid`."""
        envelope = answer.standing_statement
        try:
            stated = unwrap(envelope, FlagStatement, self.issuer.key.public_bytes)
        except (SignatureInvalid, MalformedMessage) as exc:
            raise EvidenceInvalid("flag_id") from exc
        is_open = from_wire(FlagState, stated.state) in OPEN_FLAG_STATES
        if stated.flag_id != answer.flag_id or stated.county != self.issuer.county or not is_open:
            raise EvidenceInvalid("flag_id")
        return envelope

    def settled(
        self, statement: SignedEnvelope | None, *, recorded: bool, why: Unrecorded = Unrecorded.NOT_TAKEN
    ) -> Settle | None:
        """What a report stated, now or when it was first sent, is on record, or it is taken back; None states nothing.

        What is settled is the statement that was sent: others may have been made since.
        """
        if statement is None:
            return None
        if not recorded:
            return partial(take_back_flag, statement=statement, again=self._again, why=why)
        stated = _read(statement)
        return partial(note_recorded_flag, flag_id=FlagId(stated.flag_id), version=stated.version, again=self._again)

    def refused(
        self, statement: SignedEnvelope | None, *, raises: bool = False
    ) -> Callable[[CallFailed], Settle | None]:
        """What becomes of it where the exchange refuses it. `raises`: that the youth is missing now."""
        over = Unrecorded.SUPERSEDED if raises else Unrecorded.OVER
        return lambda failed: self.settled(
            statement, recorded=False, why=over if is_over(failed) else Unrecorded.NOT_TAKEN
        )

    async def changed(
        self, flag: OwnFlag, *, handling_code: HandlingCode | None, locate: FlagLocate | None, casework: FlagCasework
    ) -> SignedEnvelope:
        """What is stated of a flag that changed, on disk; one whose end nobody heard is open again by it."""
        state = None if flag.is_open else FlagState.ACTIVE
        following = self.issuer.changed(
            flag, now=self.now(), state=state, handling_code=handling_code, locate=locate, casework=casework
        )
        await asyncio.to_thread(self.flags.keep, following)
        return following.statement

    async def ended(self, flag: OwnFlag, resolution: ResolutionGroup, *, entered_in_error: bool) -> SignedEnvelope:
        """The statement that the episode is over, on disk."""
        now = self.now()
        casework = FlagCasework()
        casework.CopyFrom(flag.casework)
        casework.resolved_date = now.date().isoformat()
        casework.resolution_group = resolution
        state = FlagState.ENTERED_IN_ERROR if entered_in_error else FlagState.RESOLVED
        following = self.issuer.changed(flag, now=now, state=state, casework=casework)
        await asyncio.to_thread(self.flags.keep, following)
        return following.statement

    def _again(self, flag: OwnFlag) -> OwnFlag:
        return self.issuer.changed(flag, now=self.now())


def is_over(failed: CallFailed) -> bool:
    """Whether a statement was refused because the exchange knows its episode to be over."""
    return failed.reason == "STATEMENT_INVALID" and not OVER.isdisjoint(failed.fields)


def _read(statement: SignedEnvelope) -> FlagStatement:
    """This agency's own."""
    return FlagStatement.FromString(statement.payload)


def _differ(one: OwnFlag, other: OwnFlag) -> bool:
    """Whether the two say different things about the same absence."""
    return (one.handling_code, one.locate) != (other.handling_code, other.locate)


def _located_anew(before: FlagLocate, said: FlagLocate) -> FlagLocate:
    locate = FlagLocate()
    locate.CopyFrom(before)
    for field_said, _ in said.ListFields():
        locate.ClearField(field_said.name)
    locate.MergeFrom(said)
    return locate
