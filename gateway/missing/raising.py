"""A report that a youth is missing: a flag, a supporting report, or a word to whoever owns the youth.

In this order:

1. carried out before: the entry of that time
2. the policy lets the role, for this purpose, keep flags or report a youth missing (`permitted`); otherwise its refusal
3. another agency's open flag for the youth: a supporting report, and its owner is told (S15)
4. the agency says which of its youths it is: refused where the identity is another's or nobody's; else its own open
   flag again, as stated anew where a newer statement came, or a new one
5. it does not say so, and one of its youths it is for certain: refused, because nobody would be looked for; unless it
   says that it is a youth of another agency all the same
6. anybody else: the owner is told where one youth is known for certain, and the reporter sees no
   difference, because whether a youth is known is not the reporter's to learn

Two agencies that raise at once cannot both succeed: what step 3 found is checked again in the
transaction of the leaf.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, both, on_what_stands
from gateway.exchange.journal import Kind
from gateway.exchange.locate import Candidate, Search, check_core, locate
from gateway.exchange.moments import observed_moment
from gateway.missing.episode import OWNER_KINDS, Event, is_late
from gateway.missing.leaves import report_leaf
from gateway.missing.permitted import report_gap
from gateway.missing.ports import Flag
from gateway.missing.recording import Recorded, Recording, alert_to, deed_of
from gateway.missing.restated import restated, stated
from gateway.missing.statement import Statement, open_statement, statement_invalid
from gateway.protocol.directory import DirectoryView
from gateway.protocol.matching.key_scheme import present_keys
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    Call,
    FlagId,
    FlagState,
    Restriction,
    SubjectHandle,
    county_of,
)
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import Located, milliseconds
from gateway.protocol.reporting_duties import DUTIES
from gateway.protocol.statement_rules import StatementRule
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.link_pb2 import ALERT_KIND_SUPPORTING_REPORT
from homeward.gateway.v1.missing_pb2 import DUTY_FOUND_REPORT, FlagReport

_CERTAIN: Final = frozenset({Located.ONE, Located.ONE_FOR_FLAG})


@dataclass(frozen=True, slots=True)
class _Case:
    """A report and what was found about it."""

    caller: Caller
    deed: Deed
    report: FlagReport
    learned: datetime
    own_handle: SubjectHandle | None
    """Of the youth at the reporting agency, if that agency may own episodes and says it owns this youth."""
    candidates: Sequence[Candidate]
    search: Search
    is_again: bool
    """Whether it was made before a declared loss, and is presented again."""

    @property
    def reason(self) -> Reason:
        """What the leaf says."""
        if self.is_again:
            return Reason.PRESENTED_AGAIN
        late = is_late(self.learned, self.caller.call.received_at)
        return Reason.RECORDED_LATE if late else Reason.RECORDED

    @property
    def theirs(self) -> Sequence[Candidate]:
        """Youths of other agencies."""
        return [each for each in self.candidates if each.owner != self.caller.agency]

    @property
    def own(self) -> Sequence[Candidate]:
        """Youths of the reporting agency, without their flags: that one is looked for makes it no likelier."""
        return [replace(each, flag=None) for each in self.candidates if each.owner == self.caller.agency]

    def owned(self, named: SubjectHandle | None) -> Candidate | None:
        """Which of them it is for certain. Of a sealed one that was not `named` nobody learns that there is one."""
        known = (each for each in self.own if each.restriction is not Restriction.SEALED or each.handle == named)
        return self.certain(known)

    def is_about(self, handle: SubjectHandle) -> bool:
        """Whether the identity can mean this youth of the agency, and no other for certain."""
        owned = self.owned(handle)
        return handle in {each.handle for each in self.own} and (owned is None or owned.handle == handle)

    @property
    def flagged(self) -> Sequence[Candidate]:
        """Youths of other agencies with an open flag."""
        return [each for each in self.theirs if each.flag is not None]

    def certain(self, candidates: Iterable[Candidate]) -> Candidate | None:
        """The one youth that these are for certain, or None."""
        found = locate(candidates, self.search)
        return found.candidate if found.located in _CERTAIN else None


class Raising:
    """Takes reports that a youth is missing."""

    def __init__(self, recording: Recording) -> None:
        self._on = recording

    async def raise_flag(self, caller: Caller, report: FlagReport) -> Recorded:
        """The report is on record, once. Raises `Invalid`, `Conflict`, `Unavailable`."""
        deed = deed_of(caller, report.request_id)
        before = await self._on.before(caller, deed)  # 1
        if before is not None:
            return await self._again(caller, report, before)
        reason = report_gap(self._on.at.policy, caller, report)  # 2
        if reason is not None:
            return await self._on.deny(caller, deed, reason)
        return await on_what_stands(lambda: self._record(caller, deed, report))

    async def support_again(self, caller: Caller, report: FlagReport) -> Recorded:
        """A report of before a declared loss is on record again; it raises no flag, and whoever owns the youth is told.

        Raises `Invalid`, `Conflict`, `Unavailable`.
        """

        async def support() -> Recorded:
            case = await self._case(caller, deed_of(caller, report.request_id), report, is_again=True)
            return await self._support(case, case.certain(case.flagged) or case.certain(case.candidates))

        return await on_what_stands(support)

    async def _record(self, caller: Caller, deed: Deed, report: FlagReport) -> Recorded:
        case = await self._case(caller, deed, report, is_again=False)
        flagged = case.certain(case.flagged)
        if flagged is not None:  # 3
            return await self._support(case, flagged)
        if case.own_handle is None:
            may_own = caller.member.kind in OWNER_KINDS and not report.of_another_agency
            if may_own and case.owned(None) is not None:  # 5
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: required",))
            told = case.theirs if report.of_another_agency else case.candidates
            return await self._support(case, case.certain(told))  # 6
        if not case.is_about(case.own_handle):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: another youth as listed",))
        own = await self._on.flags.open_of(caller.agency, case.own_handle)
        return await self._raise(case, case.own_handle) if own is None else await self._repost(case, own)  # 4

    async def _case(self, caller: Caller, deed: Deed, report: FlagReport, *, is_again: bool) -> _Case:
        at = self._on.at
        learned = observed_moment(report.learn_time, caller.call.received_at, field="learn_time")
        check_core(report.tokens)
        if report.tokens.epoch != at.directory().epoch:
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)
        candidates, verdicts = await at.index.look_up(caller.agency, report.tokens)
        search = Search(
            family=Call.FLAG_CHECK,
            keys=present_keys(report.tokens),
            records=await at.index.records(),
            auto=at.auto,
            purpose=caller.claims.purpose,
            asking=caller.agency,
            verdicts=verdicts,
        )
        own_handle = None if is_again else await self._own_handle(caller, report)
        return _Case(caller, deed, report, learned, own_handle, candidates, search, is_again)

    async def _own_handle(self, caller: Caller, report: FlagReport) -> SubjectHandle | None:
        if caller.member.kind not in OWNER_KINDS or not report.subject_handle:
            return None
        handle = SubjectHandle(report.subject_handle)
        if not await self._on.flags.is_listed(caller.agency, handle):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: unknown",))
        if not report.HasField("flag_statement"):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_statement: required",))
        return handle

    async def _support(self, case: _Case, candidate: Candidate | None) -> Recorded:
        on, caller = self._on, case.caller
        flag = candidate.flag if candidate is not None else None
        about = alert = None
        if candidate is not None:
            flag_id = flag.flag_id if flag is not None else b""
            about = await on.about(candidate.owner, candidate.handle, flag_id)
            alert = alert_to(
                caller,
                candidate.owner,
                candidate.handle,
                kind=ALERT_KIND_SUPPORTING_REPORT,
                flag_id=flag_id,
                is_again=case.is_again,
            )
        kind = Kind.REPORT_PRESENTED if case.is_again else Kind.FLAG_RAISED
        entered = await on.enter(
            caller,
            case.deed,
            report_leaf(kind, caller, case.deed, reason=case.reason, about=about),
            guard=on.flags.stands(FlagId(flag.flag_id), flag.state, flag.version) if flag is not None else None,
            alert=alert,
        )
        return Recorded(Outcome.RECORDED, entered, late=case.reason is Reason.RECORDED_LATE)

    async def _repost(self, case: _Case, own: Flag) -> Recorded:
        """The owner reports an absence that is flagged: the flag stands as it is, or as it is stated anew."""
        statement = _stated(case, self._on.at.directory())
        if statement.flag_id != own.flag_id or statement.version <= own.version:
            return await self._own_leaf(case, own, new=False)
        on, caller = self._on, case.caller
        known, event, owed = own, None, tuple[int, ...]()
        if case.report.missing_again:
            # The episode of before goes on, because nobody heard its end; of what was done in it nothing counts.
            event, owed = Event.STILL_MISSING, (*DUTIES, DUTY_FOUND_REPORT)
            learned, reported = milliseconds(case.learned), milliseconds(caller.call.received_at)
            known = replace(own, learn_ms=learned, report_ms=reported, found_ms=0)
        flag = restated(known, statement, to=OPEN_FLAG_STATES, event=event)
        about = await on.about(flag.owner, flag.handle, flag.flag_id)
        entered = await on.enter(
            caller,
            case.deed,
            report_leaf(Kind.FLAG_UPDATED, caller, case.deed, reason=case.reason, about=about, state=flag.state),
            guard=on.flags.stands(own.flag_id, own.state, own.version),
            rows=on.flags.put(flag, about.key) + on.flags.settle(flag.flag_id, (), reopened=owed),
        )
        late = case.reason is Reason.RECORDED_LATE
        return Recorded(Outcome.RECORDED, entered, flag_id=flag.flag_id, late=late, state=flag.state)

    async def _raise(self, case: _Case, handle: SubjectHandle) -> Recorded:
        caller = case.caller
        received = caller.call.received_at
        statement = _stated(case, self._on.at.directory())
        # The identifier of an ended episode never comes back; a higher version may, after the exchange lost the flag.
        if statement.state is not FlagState.ACTIVE or await self._on.flags.get(statement.flag_id) is not None:
            raise statement_invalid(
                StatementRule.STATE if statement.state is not FlagState.ACTIVE else StatementRule.FLAG_ID
            )
        flag = stated(
            statement, statement.state, owner=caller.agency, handle=handle, learned=case.learned, reported=received
        )
        return await self._own_leaf(case, flag, new=True)

    async def _own_leaf(self, case: _Case, flag: Flag, *, new: bool) -> Recorded:
        on, caller = self._on, case.caller
        about = await on.about(flag.owner, flag.handle, flag.flag_id)
        guard = on.flags.stands(flag.flag_id, flag.state, flag.version)
        if new:
            theirs = [(each.owner, each.handle) for each in case.theirs if case.certain([each])]
            none_stands = on.flags.none_stands(flag.flag_id, [(flag.owner, flag.handle), *theirs])
            guard = both(on.flags.stays_listed(flag.owner, flag.handle), none_stands)
        entered = await on.enter(
            caller,
            case.deed,
            report_leaf(Kind.FLAG_RAISED, caller, case.deed, reason=case.reason, about=about, state=flag.state),
            guard=guard,
            rows=on.flags.put(flag, about.key) if new else (),
        )
        late = case.reason is Reason.RECORDED_LATE
        standing = _standing(case.report, flag)
        return Recorded(Outcome.RECORDED, entered, flag.flag_id, late=late, state=flag.state, standing=standing)

    async def _again(self, caller: Caller, report: FlagReport, before: Recorded) -> Recorded:
        """The same answer as the first time. That the caller owns the flag is told by the flag, not by the retry."""
        # Only the leaf of an owner's report says a state.
        if before.state is None:
            return before
        flag = await self._on.flags.open_of(caller.agency, SubjectHandle(report.subject_handle))
        if flag is None:
            # Ended since; these are the bytes that were verified the first time.
            stated = FlagStatement.FromString(report.flag_statement.payload)
            flag = await self._on.flags.get(FlagId(stated.flag_id))
        if flag is None:
            return replace(before, flag_id=b"")
        return replace(before, flag_id=flag.flag_id, standing=_standing(report, flag))


def _standing(report: FlagReport, flag: Flag) -> bytes:
    """What the owner stated of its open flag, where its report states another one, or an earlier version."""
    stated = FlagStatement.FromString(report.flag_statement.payload)
    is_the_one = stated.flag_id == flag.flag_id and stated.version >= flag.version
    return b"" if is_the_one else flag.statement


def _stated(case: _Case, directory: DirectoryView) -> Statement:
    caller = case.caller
    return open_statement(
        case.report.flag_statement, county=county_of(caller.agency), directory=directory, at=caller.call.received_at
    )
