"""Reports of this county's staff about missing youths: raised, updated, located, resolved.

Decides what the county states itself (a flag of its own, signed here) and what it only reports of another's. A flag is
on disk before it is sent: a gateway that recorded it while this process died must not know more than its owner.

The details of a flag (FS2) and its duties (FS3) stay in the county; a duty done is told with its time alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from google.protobuf.message import Message

from adapters.errors import ErrorReason, Invalid, NotFound
from adapters.identity.tokenize import Person
from adapters.node import rpcs
from adapters.node.duties import OwnDuties
from adapters.node.flags import OwnFlags, note_casework
from adapters.node.identifiers import timestamp
from adapters.node.own_flag import OwnFlag
from adapters.node.own_reports import OwnReports
from adapters.node.receipts import Kept
from adapters.node.recording import Entry, Recorder, outcome_of
from adapters.node.send import Deadline
from adapters.node.stating import Stating, is_over
from adapters.node.translate import county_errors
from adapters.records import LocalSubjectId
from gateway.protocol.names import FlagId, FlagState, HandlingCode, Purpose, SubjectHandle, county_of
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.codes_pb2 import ResolutionGroup
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope, TokenSet
from homeward.gateway.v1.missing_pb2 import (
    DUTY_COURT_NOTICE,
    DUTY_LAW_ENFORCEMENT_REPORT,
    DUTY_NCMEC_REPORT,
    DUTY_PARTIES_NOTICE,
    DUTY_TRIBE_NOTICE,
    Duty,
    DutyDone,
    DutyDue,
    FlagReport,
    FlagResolution,
    FlagUpdate,
    LocatedReport,
)
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate

# A flag that is known already, or that another agency owns, makes the report a supporting one; a late one is marked.
# What is repeated after a declared loss may have been presented again meanwhile (`present`).
_RAISED: Final = frozenset({"flag.raised", "flag.updated", "report.presented"})
_UPDATED: Final = frozenset({"flag.updated"})
_LOCATED: Final = frozenset({"flag.located", "located.presented"})
_RESOLVED: Final = frozenset({"flag.resolved", *_LOCATED})
# What the policy refuses leaves a decision instead.
_REFUSED: Final = frozenset({"access.decision"})

TIME_OF_DUTY: Final[dict[Duty, str]] = {
    DUTY_LAW_ENFORCEMENT_REPORT: "law_enforcement_report_time",
    DUTY_NCMEC_REPORT: "ncmec_report_time",
    DUTY_PARTIES_NOTICE: "parties_notice_time",
    DUTY_COURT_NOTICE: "court_notice_time",
    DUTY_TRIBE_NOTICE: "tribe_notice_time",
}
"""Field of FS3 that holds when a duty was done."""


class Listing(Protocol):
    """This agency's own youths in the exchange's index."""

    async def listed(self, local_id: LocalSubjectId) -> SubjectHandle:
        """The youth's handle, listed at the gateway when this returns. Raises `NotReady(SUBJECT)`."""

    @property
    def is_sealed_now(self) -> Callable[[SubjectHandle], bool]:
        """Whether the records of this agency's youth are sealed. Raises `SourceUnusable`."""


@dataclass(frozen=True, slots=True)
class Absence:
    """A youth is missing, as staff report it."""

    youth: Person = field(repr=False)
    local_id: LocalSubjectId | None = field(repr=False)
    """The county's own number; None from an agency that does not own the youth."""
    learned: datetime
    """Of an open flag the first one stands: its duties fall due from then."""
    handling_code: HandlingCode | None
    """None: unchanged of an open flag, else CALL_DUTY_LINE."""
    locate: FlagLocate = field(repr=False)
    """Of an open flag, what is said takes the place of what was said before; the rest stays."""
    of_another_agency: bool = False
    """The youth is none of this agency's, although one that it lists fits."""


@dataclass(frozen=True, slots=True)
class Change:
    """What the owner changes about a flag; with nothing set the flag still stands."""

    duties: Sequence[DutyDone] = ()
    handling_code: HandlingCode | None = None
    locate: FlagLocate | None = field(default=None, repr=False)
    return_conversation_done: bool = False
    still_missing: bool = False
    """Staff looked into what others reported, and nobody has found the youth."""

    @property
    def is_of_the_end(self) -> bool:
        """It says what was done, and nothing by which the youth would still be looked for."""
        says_done = bool(self.duties) or self.return_conversation_done
        return says_done and not self.still_missing and self.handling_code is None and self.locate is None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report."""

    outcome: Outcome
    receipt: Kept
    flag_id: bytes = b""
    late: bool = False
    open_duties: tuple[DutyDue, ...] = ()
    flag_state: FlagState | None = None


@dataclass(frozen=True, slots=True)
class _Resolving:
    """How an episode ends; `flag` is None where it is another agency's."""

    flag: OwnFlag | None
    group: ResolutionGroup
    in_error: bool


@dataclass(frozen=True, slots=True)
class Reporter:
    """Reports to the exchange for this county's staff."""

    recorder: Recorder
    flags: OwnFlags
    stating: Stating
    listing: Listing
    tokens: Callable[[Sequence[Person], str], Awaitable[Sequence[TokenSet]]]
    own: OwnReports
    duties: OwnDuties

    async def raise_flag(self, entry: Entry, absence: Absence, deadline: Deadline) -> Recorded:
        """The report is on record. Raises an `adapters.errors.Error`."""
        with county_errors():
            sent = await self.recorder.sent(rpcs.RAISE_FLAG, entry)
            tokens = () if sent is not None else await self.tokens([absence.youth], entry.act.staff.pseudonym)
            handle = await self._handle(absence)
            async with self.stating.turn(deadline) if handle is not None else nullcontext():
                try:
                    return await self._raise(entry, absence, handle, tokens, deadline)
                except rpcs.CallFailed as failed:
                    if not is_over(failed):
                        raise
                    # The youth is missing again: what was open here has ended, and another flag is raised.
                    tokens = tokens or await self.tokens([absence.youth], entry.act.staff.pseudonym)
                    return await self._raise(entry, absence, handle, tokens, deadline)

    async def _raise(
        self,
        entry: Entry,
        absence: Absence,
        handle: SubjectHandle | None,
        tokens: Sequence[TokenSet],
        deadline: Deadline,
    ) -> Recorded:
        statement: SignedEnvelope | None = None
        is_again = False
        # Asked in its turn: the same report may have been sent beside this one.
        sent = await self.recorder.sent(rpcs.RAISE_FLAG, entry)
        if sent is not None:
            # What was sent before says nothing new: what was changed since then stays.
            statement = _statement_in(FlagReport.FromString(sent))
        elif handle is not None:
            statement, is_again = await self.stating.raised(
                handle,
                handling_code=absence.handling_code,
                learned=absence.learned,
                locate=absence.locate,
            )

        async def build() -> Message:
            if not tokens:
                # The same report, sent again beside this one, was refused meanwhile: it can be made anew.
                raise rpcs.CallFailed(rpcs.CallFault.UNAVAILABLE)
            return FlagReport(
                request_id=entry.request_id,
                subject_handle=handle or b"",
                tokens=tokens[0],
                flag_statement=statement,
                learn_time=timestamp(absence.learned),
                of_another_agency=absence.of_another_agency,
                missing_again=is_again,
            )

        refused = self.stating.refused(statement, raises=True)
        response, digest = await self.recorder.send(rpcs.RAISE_FLAG, entry, deadline, build, refused=refused)
        outcome = outcome_of(response.outcome)
        settle = self.stating.settled_raised(statement, response)
        kept = await self.recorder.check(
            response.receipt, entry, digest=digest, kinds=_kinds(outcome, _RAISED), outcome=outcome, settle=settle
        )
        if outcome is Outcome.RECORDED and not response.flag_id:
            await self._keep(entry)
        return Recorded(outcome, kept, flag_id=response.flag_id, late=response.late)

    async def update_flag(self, entry: Entry, flag_id: FlagId, change: Change, deadline: Deadline) -> Recorded:
        """The change is on record and this county's own copy has it. Raises `NotFound` unless the flag is its own."""
        with county_errors():
            async with self.stating.turn(deadline):
                return await self._update(entry, await self._own(flag_id), change, deadline)

    async def _update(self, entry: Entry, flag: OwnFlag, change: Change, deadline: Deadline) -> Recorded:
        flag_id = flag.flag_id
        sent = await self.recorder.sent(rpcs.UPDATE_FLAG, entry)
        casework = _casework(flag.casework, change)
        statement: SignedEnvelope | None = None
        if sent is not None:
            statement = _statement_in(FlagUpdate.FromString(sent))
        elif flag.ended_unheard and change.is_of_the_end and not change.duties:
            # Nothing would be left to record at the exchange, for which the episode may be open.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_id: end the episode again first",))
        elif flag.is_open or (flag.ended_unheard and not change.is_of_the_end):
            if not flag.is_open:
                casework.ClearField("resolved_date")
                casework.ClearField("resolution_group")
            statement = await self.stating.changed(
                flag, handling_code=change.handling_code, locate=change.locate, casework=casework
            )
        elif not change.is_of_the_end:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_id: an episode that is open, or duties alone",))

        async def build() -> Message:
            return FlagUpdate(
                request_id=entry.request_id,
                flag_id=flag_id,
                flag_statement=statement,
                duties=change.duties,
                still_missing=change.still_missing,
            )

        refused = self.stating.refused(statement)
        response, digest = await self.recorder.send(rpcs.UPDATE_FLAG, entry, deadline, build, refused=refused)
        outcome = outcome_of(response.outcome)
        settle = self.stating.settled(statement, recorded=outcome is Outcome.RECORDED)
        if statement is None and outcome is Outcome.RECORDED:
            # Of an ended episode nothing is stated any more: what was done after it is the county's own to keep.
            settle = partial(note_casework, flag_id=flag_id, casework=casework)
        kept = await self.recorder.check(
            response.receipt, entry, digest=digest, kinds=_kinds(outcome, _UPDATED), outcome=outcome, settle=settle
        )
        if outcome is Outcome.RECORDED:
            if change.still_missing:
                await asyncio.to_thread(self.duties.not_found, flag_id, kept.leaf_time)
            await asyncio.to_thread(self.duties.settle, flag_id, [each.duty for each in change.duties])
        return Recorded(outcome, kept, flag_id=flag_id, open_duties=tuple(response.open_duties))

    async def report_located(
        self, entry: Entry, flag_id: FlagId, *, located: datetime, county: str, deadline: Deadline
    ) -> Recorded:
        """The owner is told. `county` is a five-digit FIPS code, empty for this county."""
        with county_errors():

            async def build() -> Message:
                return LocatedReport(
                    request_id=entry.request_id,
                    flag_id=flag_id,
                    located_county=county or county_of(self.recorder.sender.agency),
                    locate_time=timestamp(located),
                )

            response, digest = await self.recorder.send(rpcs.REPORT_LOCATED, entry, deadline, build)
            outcome = outcome_of(response.outcome)
            kept = await self.recorder.check(
                response.receipt, entry, digest=digest, kinds=_kinds(outcome, _LOCATED), outcome=outcome
            )
            if outcome is Outcome.RECORDED:
                await self._keep(entry, flag_id)
            return Recorded(outcome, kept, flag_id=flag_id)

    async def resolve_flag(
        self,
        entry: Entry,
        flag_id: FlagId,
        *,
        resolution: ResolutionGroup,
        entered_in_error: bool,
        deadline: Deadline,
    ) -> Recorded:
        """The flag is ended by its owner, or reported as located by anybody else."""
        with county_errors():
            is_own = await asyncio.to_thread(self.flags.by_id, flag_id) is not None
            async with self.stating.turn(deadline) if is_own else nullcontext():
                flag = await asyncio.to_thread(self.flags.by_id, flag_id)
                resolving = _Resolving(flag, resolution, entered_in_error)
                return await self._resolve(entry, flag_id, resolving, deadline)

    async def _resolve(self, entry: Entry, flag_id: FlagId, resolving: "_Resolving", deadline: Deadline) -> Recorded:
        flag = resolving.flag
        if flag is not None and entry.act.purpose is not Purpose.MFC_LOCATE:
            # The exchange would refuse it; where it cannot be asked, nobody would look for the youth here meanwhile.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("purpose: MFC_LOCATE for a flag of this agency",))
        statement: SignedEnvelope | None = None
        sent = await self.recorder.sent(rpcs.RESOLVE_FLAG, entry)
        if sent is not None:
            statement = _statement_in(FlagResolution.FromString(sent))
        elif flag is not None:
            statement = await self.stating.ended(flag, resolving.group, entered_in_error=resolving.in_error)

        async def build() -> Message:
            return FlagResolution(request_id=entry.request_id, flag_id=flag_id, flag_statement=statement)

        refused = self.stating.refused(statement)
        response, digest = await self.recorder.send(rpcs.RESOLVE_FLAG, entry, deadline, build, refused=refused)
        outcome = outcome_of(response.outcome)
        settle = self.stating.settled(statement, recorded=outcome is Outcome.RECORDED)
        kept = await self.recorder.check(
            response.receipt, entry, digest=digest, kinds=_kinds(outcome, _RESOLVED), outcome=outcome, settle=settle
        )
        if flag is not None:
            if outcome is Outcome.RECORDED and not resolving.in_error:
                await asyncio.to_thread(self.duties.found, flag_id, self.recorder.sender.now())
        elif outcome is Outcome.RECORDED:
            await self._keep(entry, flag_id)
        state = from_wire(FlagState, response.flag_state) if outcome is Outcome.RECORDED else None
        open_duties = tuple(response.open_duties) if flag is not None else ()
        return Recorded(outcome, kept, flag_id=flag_id, flag_state=state, open_duties=open_duties)

    async def _handle(self, absence: Absence) -> SubjectHandle | None:
        """The youth's at this agency, listed at the gateway; None from a non-owner."""
        if absence.local_id is None:
            return None
        if not absence.locate.missing_since_date:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_locate.missing_since_date: required",))
        return await self.listing.listed(absence.local_id)

    async def _keep(self, entry: Entry, flag_id: FlagId | None = None) -> None:
        """The report can be presented again, under an assertion like the one that went with it and is used up."""
        sender = self.recorder.sender
        await asyncio.to_thread(
            self.own.keep, entry.request_id, lambda payload: sender.assertion(payload, entry.act), flag_id=flag_id
        )

    async def _own(self, flag_id: FlagId) -> OwnFlag:
        flag = await asyncio.to_thread(self.flags.by_id, flag_id)
        if flag is None:
            raise NotFound(ErrorReason.FLAG_NOT_FOUND)
        return flag


def _statement_in(report: FlagReport | FlagUpdate | FlagResolution) -> SignedEnvelope | None:
    return report.flag_statement if report.HasField("flag_statement") else None


def _kinds(outcome: Outcome, kinds: frozenset[str]) -> frozenset[str]:
    return kinds if outcome is Outcome.RECORDED else _REFUSED


def _casework(before: FlagCasework, change: Change) -> FlagCasework:
    casework = FlagCasework()
    casework.CopyFrom(before)
    for done in change.duties:
        name = TIME_OF_DUTY.get(done.duty)
        if name is None:
            # That a youth was found is told by the end of the episode; FS3 has no field for who was told of it.
            continue
        if done.HasField("done_time"):
            getattr(casework, name).CopyFrom(done.done_time)
        else:
            casework.ClearField(name)
    casework.return_conversation_done |= change.return_conversation_done
    return casework
