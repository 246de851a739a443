"""What happens to a flag after it was raised: updated, reported located, resolved.

Decides who may change what, once the policy lets the user report at all (`permitted`): the owner under its signed
statement, whose version only grows; anybody else at most to LOCATED_PENDING, and the owner is told at once. A
resolution by another agency counts as a report that the youth was located (S15).
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, on_what_stands
from gateway.exchange.journal import Kind
from gateway.exchange.moments import LEEWAY, observed_moment
from gateway.missing.episode import FOUND_STATES, Event, after
from gateway.missing.leaves import report_leaf
from gateway.missing.permitted import report_gap
from gateway.missing.ports import Flag
from gateway.missing.recording import Recorded, Recording, alert_to, deed_of
from gateway.missing.restated import restated
from gateway.missing.statement import open_statement
from gateway.protocol.names import OPEN_FLAG_STATES, FlagId, FlagState, county_of
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.reporting_duties import DueDuty, open_duties
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_LOCATED, ALERT_KIND_RESOLVE_ATTEMPTED
from homeward.gateway.v1.missing_pb2 import DUTY_FOUND_REPORT, FlagResolution, FlagUpdate, LocatedReport

ENDED_STATES: Final = frozenset(FlagState) - OPEN_FLAG_STATES
_ACTIVE: Final = frozenset({FlagState.ACTIVE})


class Changing:
    """Takes reports about flags that were raised."""

    def __init__(self, recording: Recording) -> None:
        self._on = recording

    async def update_flag(self, caller: Caller, update: FlagUpdate) -> Recorded:
        """The owner's change is on record, once. Raises `Invalid`, `Conflict`, `Unavailable`."""
        deed = deed_of(caller, update.request_id)
        before = await self._on.before(caller, deed)
        if before is not None and before.outcome is not Outcome.RECORDED:
            return before
        if before is not None:
            return replace(before, duties=await self._open_duties(caller, FlagId(update.flag_id)))
        reason = report_gap(self._on.at.policy, caller, update)
        if reason is not None:
            return await self._on.deny(caller, deed, reason)
        return await on_what_stands(lambda: self._update(caller, deed, update))

    async def report_located(self, caller: Caller, report: LocatedReport) -> Recorded:
        """The report is on record, once, and the owner is told. Raises `Invalid`, `Conflict`, `Unavailable`."""
        deed = deed_of(caller, report.request_id)
        before = await self._on.before(caller, deed)
        if before is not None:
            return before
        reason = report_gap(self._on.at.policy, caller, report)
        if reason is not None:
            return await self._on.deny(caller, deed, reason)
        observed_moment(report.locate_time, caller.call.received_at, field="locate_time")
        return await on_what_stands(
            lambda: self._locate(caller, deed, report.flag_id, Event.LOCATED, county=report.located_county)
        )

    async def located_again(self, caller: Caller, report: LocatedReport | FlagResolution) -> Recorded:
        """What another agency reported of a flag before a declared loss is on record again, and the owner is told.

        Raises `Invalid`, `Conflict`, `Unavailable`.
        """
        deed = deed_of(caller, report.request_id)
        event, county = Event.RESOLVE_ATTEMPTED, ""
        if isinstance(report, LocatedReport):
            event, county = Event.LOCATED, report.located_county
        return await on_what_stands(
            lambda: self._locate(caller, deed, report.flag_id, event, county=county, is_again=True)
        )

    async def resolve_flag(self, caller: Caller, resolution: FlagResolution) -> Recorded:
        """The flag is ended by its owner, or pending by anybody else; on record, once.

        Raises `Invalid`, `Conflict`, `Unavailable`.
        """
        deed = deed_of(caller, resolution.request_id)
        before = await self._on.before(caller, deed)
        if before is not None:
            return before
        reason = report_gap(self._on.at.policy, caller, resolution)
        if reason is not None:
            return await self._on.deny(caller, deed, reason)
        return await on_what_stands(lambda: self._resolve(caller, deed, resolution))

    async def _update(self, caller: Caller, deed: Deed, update: FlagUpdate) -> Recorded:
        on, flag = self._on, await self._known(update.flag_id)
        if flag.owner != caller.agency:
            raise Invalid(ErrorReason.NOT_FLAG_OWNER)
        duties = _done(update, caller.call.received_at)
        dismissed = update.still_missing
        if not update.HasField("flag_statement"):
            if dismissed:
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_statement: required",))
            if not duties and flag.state in OPEN_FLAG_STATES:
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_statement: required without duties",))
        changed = flag
        if update.HasField("flag_statement"):
            to, event = (_ACTIVE, Event.STILL_MISSING) if dismissed else (OPEN_FLAG_STATES, None)
            changed = self._restated(caller, flag, update.flag_statement, to=to, event=event)
        about = await on.about(flag.owner, flag.handle, flag.flag_id)
        leaf = report_leaf(Kind.FLAG_UPDATED, caller, deed, reason=Reason.RECORDED, about=about, state=changed.state)
        entered = await on.enter(
            caller,
            deed,
            leaf,
            guard=on.flags.stands(flag.flag_id, flag.state, flag.version),
            rows=on.flags.put(changed, about.key)
            + on.flags.settle(flag.flag_id, duties, reopened=[DUTY_FOUND_REPORT] if dismissed else ()),
        )
        still_open = await self._open_duties(caller, flag.flag_id)
        return Recorded(Outcome.RECORDED, entered, flag.flag_id, state=changed.state, duties=still_open)

    async def _resolve(self, caller: Caller, deed: Deed, resolution: FlagResolution) -> Recorded:
        on, flag = self._on, await self._known(resolution.flag_id)
        if flag.owner != caller.agency:
            return await self._locate(caller, deed, flag.flag_id, Event.RESOLVE_ATTEMPTED, county="")
        if not resolution.HasField("flag_statement"):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag_statement: required",))
        ended = self._restated(caller, flag, resolution.flag_statement, to=ENDED_STATES)
        about = await on.about(flag.owner, flag.handle, flag.flag_id)
        leaf = report_leaf(Kind.FLAG_RESOLVED, caller, deed, reason=Reason.RECORDED, about=about, state=ended.state)
        stands = on.flags.stands(flag.flag_id, flag.state, flag.version)
        entered = await on.enter(caller, deed, leaf, guard=stands, rows=on.flags.put(ended, about.key))
        still_open = await self._open_duties(caller, flag.flag_id) if ended.state in FOUND_STATES else ()
        return Recorded(Outcome.RECORDED, entered, flag.flag_id, state=ended.state, duties=still_open)

    async def _locate(
        self, caller: Caller, deed: Deed, flag_id: bytes, event: Event, *, county: str, is_again: bool = False
    ) -> Recorded:
        on, flag = self._on, await self._known(flag_id)
        attempt = event is Event.RESOLVE_ATTEMPTED
        kind, reason = Kind.FLAG_LOCATED, Reason.NOT_FLAG_OWNER if attempt else Reason.RECORDED
        if is_again:
            _check_of_episode(flag, caller.claims.issued)
            kind, reason = Kind.LOCATED_PRESENTED, Reason.PRESENTED_AGAIN
        reported = caller.claims.issued if is_again else caller.call.received_at
        about = await on.about(flag.owner, flag.handle, flag.flag_id)
        leaf = report_leaf(kind, caller, deed, reason=reason, about=about, county=county)
        alert = alert_to(
            caller,
            flag.owner,
            flag.handle,
            kind=ALERT_KIND_RESOLVE_ATTEMPTED if attempt else ALERT_KIND_LOCATED,
            flag_id=flag.flag_id,
            county=county,
            is_again=is_again,
        )
        entered = await on.enter(
            caller,
            deed,
            leaf,
            guard=on.flags.stands(flag.flag_id, flag.state, flag.version),
            rows=on.flags.put(_found(replace(flag, state=_after(flag.state, event)), reported), about.key),
            alert=alert,
        )
        # That an episode ended meanwhile is the owner's to tell.
        return Recorded(Outcome.RECORDED, entered)

    async def _known(self, flag_id: bytes) -> Flag:
        flag = await self._on.flags.get(FlagId(flag_id))
        if flag is None:
            raise Invalid(ErrorReason.FLAG_NOT_FOUND)
        return flag

    def _restated(
        self,
        caller: Caller,
        flag: Flag,
        envelope: SignedEnvelope,
        *,
        to: frozenset[FlagState],
        event: Event | None = None,
    ) -> Flag:
        """The flag under its owner's next statement, which may say one of these states. Raises `Invalid`."""
        statement = open_statement(
            envelope,
            county=county_of(caller.agency),
            directory=self._on.at.directory(),
            at=caller.call.received_at,
        )
        changed = restated(flag, statement, to=to, event=event)
        if event is Event.STILL_MISSING:
            # Nobody has found the youth: the clock of the found report begins with the next word that somebody has.
            changed = replace(changed, found_ms=0)
        return _found(changed, caller.call.received_at)

    async def _open_duties(self, caller: Caller, flag_id: FlagId) -> tuple[DueDuty, ...]:
        flag = await self._known(flag_id)
        settled = await self._on.flags.settled(flag_id)
        found = moment_of(flag.found_ms) if flag.found_ms else None
        return open_duties(moment_of(flag.learn_ms), settled, caller.call.received_at, found=found)


def _after(state: FlagState, event: Event) -> FlagState:
    following = after(state, event)
    if following is None:
        raise AssertionError("a report of another agency is possible in every state")
    return following


def _found(flag: Flag, at: datetime) -> Flag:
    """The flag with the clock of the found report running, from the first word that the youth was found."""
    if flag.found_ms or flag.state not in FOUND_STATES:
        return flag
    return replace(flag, found_ms=milliseconds(at))


def _check_of_episode(flag: Flag, reported: datetime) -> None:
    """Whoever names a flag learned it from an answer, so after its owner learned of the absence. Raises `Invalid`."""
    if reported + LEEWAY < moment_of(flag.learn_ms):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("report: of_episode",))


def _done(update: FlagUpdate, at: datetime) -> frozenset[int]:
    """The duties that were done, at a time that can be, or do not apply. Raises `Invalid`."""
    for each in update.duties:
        if each.HasField("done_time"):
            observed_moment(each.done_time, at, field="duties.done_time")
    return frozenset(each.duty for each in update.duties)
