"""What this agency states of a flag of its own around a call: on disk before it is sent, taken back if it is refused.

Decides the versions. One report at a time states one (`turn`), because each follows the one before; what can fail by
itself, or waits for others than the gateway, is done before, so that a report holds up another for the gateway's answer
at most, and nobody waits longer than for an answer of its own.

    raised     the youth's open flag, stated anew where the report says something new of it; else a new one
    repeated   as it was, while no version of it was ever answered: what is said instead would not be heard either
    refused    a new flag is dropped, a changed one says again what was recorded last, under a higher version; whatever
               the report stated is taken back, when it first came or when it was sent again
    late       what was taken back and is on record after all is said again
    over       the exchange knows the episode to be over: it is here, too, where this agency stated the end and heard no
               answer, and where the youth is reported missing again, so that another flag is raised
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.errors import ErrorReason, EvidenceInvalid, Unavailable
from adapters.node.flags import HEARD, FlagIssuer, OwnFlag, OwnFlags, Unrecorded
from adapters.node.identifiers import Clock, RandomBytes
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.send import Deadline
from gateway.protocol.names import FlagId, FlagState, HandlingCode, SubjectHandle
from homeward.gateway.v1.codes_pb2 import ResolutionGroup
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate

_OVER: Final = frozenset({"flag_statement: state", "flag_statement: flag_id"})
"""Fields by which the gateway says that an episode is over (`gateway/missing/restated`, `raising`)."""


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
    ) -> SignedEnvelope:
        """What is stated of the youth's flag, on disk."""
        known = await asyncio.to_thread(self.flags.open_flag, handle)
        if known is None:
            flag = self.issuer.raised(
                FlagId(self.random_bytes(16)),
                handle,
                handling_code=handling_code or HandlingCode.CALL_DUTY_LINE,
                learned=learned,
                locate=locate,
                now=self.now(),
            )
        else:
            stands = known.expires > self.now() and not known.waits_for_person(self.now())
            was_answered = known.recorded or known.version > 1 or known.unheard != HEARD
            if not was_answered:
                handling_code, locate = None, FlagLocate()
            code, details = handling_code or known.handling_code, _located_anew(known.locate, locate)
            flag = self.issuer.changed(known, now=self.now(), handling_code=code, locate=details)
            if stands and not _differ(known, flag):
                return known.statement
            # Otherwise, or if its statement has ended or the exchange no longer takes it, the episode is stated anew.
        await asyncio.to_thread(self.flags.keep, flag)
        return flag.statement

    async def settle_raised(self, statement: SignedEnvelope | None, recorded: bytes, *, supports: bool) -> None:
        """The statement is on record where `recorded` is its flag; else it is taken back. Raises `EvidenceInvalid`.

        `supports`: the report is on record, and of a flag of another agency.
        """
        if statement is None and recorded:
            raise EvidenceInvalid("flag_id")
        # Otherwise it is a supporting report of another owner's flag: this agency states none, and a flag that nobody
        # else knows must not be answered from.
        is_own = statement is not None and recorded == _read(statement).flag_id
        why = Unrecorded.ANOTHERS if supports else Unrecorded.NOT_TAKEN
        await self.settle(statement, recorded=is_own, why=why)

    async def settle(
        self, statement: SignedEnvelope | None, *, recorded: bool, why: Unrecorded = Unrecorded.NOT_TAKEN
    ) -> None:
        """What a report stated, now or when it was first sent, is on record, or it is taken back; None states nothing.

        What is settled is the statement that was sent: others may have been made since.
        """
        if statement is None:
            return
        if recorded:
            stated = _read(statement)
            await asyncio.to_thread(self.flags.recorded, FlagId(stated.flag_id), stated.version, self._again)
        else:
            await asyncio.to_thread(self.flags.take_back, statement, self._again, why)

    @asynccontextmanager
    async def taking_back(self, statement: SignedEnvelope | None, *, raises: bool = False) -> AsyncIterator[None]:
        """What was stated is taken back when it is refused within. `raises`: that the youth is missing now."""
        try:
            yield
        except CallFailed as failed:
            if failed.fault is CallFault.REFUSED:
                over = Unrecorded.SUPERSEDED if raises else Unrecorded.OVER
                why = over if is_over(failed) else Unrecorded.NOT_TAKEN
                await self.settle(statement, recorded=False, why=why)
            raise

    async def changed(
        self, flag: OwnFlag, *, handling_code: HandlingCode | None, locate: FlagLocate | None, casework: FlagCasework
    ) -> SignedEnvelope:
        """What is stated of a flag that changed, on disk."""
        following = self.issuer.changed(
            flag, now=self.now(), handling_code=handling_code, locate=locate, casework=casework
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
    """Whether a statement was refused because the exchange knows its episode to be over.

    No statement about an open episode is refused for its state, and a first one for its identifier where that ended.
    """
    return failed.reason == "STATEMENT_INVALID" and not _OVER.isdisjoint(failed.fields)


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
