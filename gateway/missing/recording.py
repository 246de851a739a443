"""What every report about a missing youth has in common: once, on record, the owner told."""

from dataclasses import dataclass, field

from audit.entry import Draft
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, Deeds, denied_leaf, enter_once, opened, outcome_of_refusal
from gateway.exchange.setting import Setting
from gateway.missing.leaves import About
from gateway.missing.ports import Flags
from gateway.ports import Entered, Guard, NewAlert, Rows
from gateway.protocol.names import AgencyId, FlagState, RequestId, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.reporting_duties import DueDuty


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report, before it is a message."""

    outcome: Outcome
    entered: Entered = field(repr=False)
    flag_id: bytes = b""
    """Set for the flag's owner only."""
    late: bool = False
    state: FlagState | None = None
    standing: bytes = field(default=b"", repr=False)
    """The owner's statement of the flag that stands, serialized, where its report states another one."""
    duties: tuple[DueDuty, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """Puts reports on record."""

    at: Setting
    flags: Flags
    deeds: Deeds

    async def before(self, caller: Caller, deed: Deed) -> Recorded | None:
        """What became of this very request the first time, as far as its entry says; None for a new one.

        Raises `Conflict`.
        """
        entered = await self.deeds.done(caller, deed)
        return None if entered is None else as_recorded(entered)

    async def deny(self, caller: Caller, deed: Deed, reason: Reason) -> Recorded:
        """The policy's refusal is on record."""
        version, purpose = self.at.policy.version, caller.claims.purpose
        leaf = denied_leaf(caller, deed, reason, policy=version, purpose=purpose)
        return Recorded(outcome_of_refusal(reason), await self.enter(caller, deed, leaf))

    async def enter(
        self,
        caller: Caller,
        deed: Deed,
        leaf: Draft,
        *,
        guard: Guard | None = None,
        rows: Rows = (),
        alert: NewAlert | None = None,
    ) -> Entered:
        """The leaf and all that changes with it are durable, once; then whoever is alerted is told.

        Raises `Moved` when the guard finds that something changed, `Conflict`, `Unavailable`.
        """
        alerts = () if alert is None else (alert,)
        return await enter_once(self.at, self.deeds, caller, deed, leaf, guard=guard, rows=rows, alerts=alerts)

    async def about(self, owner: AgencyId, handle: SubjectHandle, flag_id: bytes) -> About:
        """The youth of the next leaf."""
        return About(owner, handle, flag_id, await self.at.youth_keys.next(owner, handle))


def deed_of(caller: Caller, request_id: bytes) -> Deed:
    """The call as the log knows it; its digest was verified with the assertion."""
    return Deed(RequestId(request_id), caller.claims.request_digest)


def as_recorded(entered: Entered) -> Recorded:
    """What an entry says of the report that it records."""
    state = opened(entered, "state")
    return Recorded(
        outcome=Outcome(opened(entered, "outcome")),
        entered=entered,
        late=opened(entered, "reason") == Reason.RECORDED_LATE,
        state=FlagState(state) if state else None,
    )


def alert_to(
    caller: Caller,
    owner: AgencyId,
    handle: SubjectHandle,
    *,
    kind: int,
    flag_id: bytes = b"",
    county: str = "",
    is_again: bool = False,
) -> NewAlert | None:
    """What the owner hears of another agency's report; None where the owner itself reported.

    `is_again` for one that is presented again: the owner may have heard of it when it was made.
    """
    if owner == caller.agency:
        return None
    return NewAlert(
        agency=owner,
        kind=kind,
        handle=handle,
        youth=(owner, handle),
        acting_agency=caller.agency,
        create_ms=milliseconds(caller.call.received_at),
        purpose=caller.claims.purpose,
        flag_id=flag_id,
        located_county=county,
        report_ms=milliseconds(caller.claims.issued) if is_again else None,
    )
