"""What agencies reported of episodes that they do not state themselves, taken again after a declared loss.

A report leaves two things that a loss takes: an open flag that is LOCATED_PENDING, and the word to the owner, which
may not have been under way yet. In this order:

1. the county's user assertion is over the very bytes and held when it was made, not more than 60 days ago
2. what an entry that is left carried out, or a retry or a presentation since, stays as it is; that entry answers
3. the role is one of this kind of agency, which is neither barred nor one that reviews
4. missing: the tokens are of the current epoch, and every county lists its youths again, or had a day for it
5. located: its flag is on record again, and it is not older than the episode; where every county has stated its flags
   and this one is not among them, the episode is over and nothing is left to report
6. one leaf, the state of the flag and the alert in its transaction, with the time of then

Step 3 does not ask what the policy lets the role say for the purpose (`missing.permitted`): the report was on record
under the policy of its time, and what a later one no longer lists would be lost for good to an owner who may never
have been told of it. A report raises no flag and ends none, so no harm comes of asking less.

Step 4 does not look at the youth: whether one is known must not show in whether a report is taken (ARCHITECTURE §6,
Outcomes). The state of a flag is decided by the state machine as ever
(`missing.episode`). An end that the owner stated stays an end. That the owner said of the report that the youth is
still missing may be lost with it: then the flag is LOCATED_PENDING until a person of the owner says so again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.errors import Error, ErrorReason, Invalid
from gateway.exchange.call import Call, Caller
from gateway.exchange.coverage import sources_of, stale_counties
from gateway.exchange.deed import Deeds
from gateway.exchange.setting import Setting
from gateway.missing.flags import FlagReports
from gateway.missing.recording import deed_of
from gateway.ports import Entered
from gateway.protocol.assertion import AssertionFault, AssertionRefused, verify_earlier_assertion
from gateway.protocol.names import AgencyId
from gateway.protocol.names import Call as Family
from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.policy.conditions import overseer_gap, staff_gap
from gateway.protocol.succession import REPORT_LIFE
from homeward.gateway.v1.missing_pb2 import FlagReport, FlagResolution, LocatedReport
from homeward.gateway.v1.restoration_pb2 import PresentedReport

Report = FlagReport | LocatedReport | FlagResolution
LISTING_PERIOD: Final = timedelta(days=1)
"""How long a report that a youth is missing waits for counties that do not list their youths again: those that are left
in the index are found meanwhile, and the owner of one of them must not wait for another county."""
NOT_LISTED_YET: Final = ("(index): current",)
_TYPES: Final[dict[str, type[Report]]] = {
    "flag_report": FlagReport,
    "located_report": LocatedReport,
    "flag_resolution": FlagResolution,
}


@dataclass(frozen=True, slots=True)
class PresentedReports:
    """Takes reports again."""

    at: Setting
    deeds: Deeds
    reports: FlagReports

    async def take(self, agency: AgencyId, event: PresentedReport, *, lost: datetime, now: datetime) -> Entered | None:
        """The report is on record; its entry, whichever it is by now, or None where nothing is left to report.

        Raises `Invalid`, `Conflict`, `Unavailable`.
        """
        report, payload = _opened(event)
        caller = self._caller(agency, payload, event.user_assertion, now)  # 1
        done = await self.deeds.done(caller, deed_of(caller, report.request_id))  # 2
        if done is not None:
            return done
        kind = caller.member.kind
        if staff_gap(self.at.policy, kind, caller.claims.role) or overseer_gap(kind):  # 3
            raise _refused("user_assertion: role")
        if isinstance(report, FlagReport):
            return await self._missing(caller, report, lost=lost)
        return await self._located(caller, report)

    async def _missing(self, caller: Caller, report: FlagReport, *, lost: datetime) -> Entered:
        now = caller.call.received_at
        if now - lost < LISTING_PERIOD and not await self._all_listed(now):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=NOT_LISTED_YET)
        return (await self.reports.support_again(caller, report)).entered

    async def _located(self, caller: Caller, report: LocatedReport | FlagResolution) -> Entered | None:
        try:
            return (await self.reports.located_again(caller, report)).entered
        except Error as refusal:
            # Its owner sends no heartbeat before it has stated every open flag again (`adapters.node.register`).
            if refusal.reason is ErrorReason.FLAG_NOT_FOUND and await self._all_listed(caller.call.received_at):
                return None
            raise

    async def _all_listed(self, now: datetime) -> bool:
        directory, listings = self.at.directory(), await self.at.index.listings()
        sources, epoch = sources_of(directory), directory.epoch
        return not stale_counties(sources, listings, call=Family.FLAG_CHECK, epoch=epoch, now=now)

    def _caller(self, agency: AgencyId, payload: bytes, assertion: str, now: datetime) -> Caller:
        """Who reported, by the county's word of then; the adapter of then may have another certificate now."""
        directory = self.at.directory()
        member = directory.member(agency)
        if member is None:
            raise AssertionError("the envelope was opened with a key of a member")
        try:
            claims = verify_earlier_assertion(assertion, directory=directory, payload=payload, now=now)
        except AssertionRefused as refused:
            # A clock that is ahead goes on; nothing else of an assertion changes.
            rule = "past" if refused.fault is AssertionFault.NOT_YET else refused.fault.lower()
            raise _refused(f"user_assertion: {rule}") from refused
        if claims.issuer != agency:
            raise _refused("user_assertion: issuer")
        if now - claims.issued > REPORT_LIFE:
            raise _refused("user_assertion: life")
        call = Call(payload, assertion, agency, claims.actor, claims.channel_thumbprint, now)
        return Caller(call, claims, member)


def _opened(event: PresentedReport) -> tuple[Report, bytes]:
    name = event.WhichOneof("report")
    if name is None:
        raise AssertionError("well-formed: one of the reports is set")
    payload: bytes = getattr(event, name)
    try:
        return parse(_TYPES[name], payload), payload
    except MalformedMessage as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc


def _refused(rule: str) -> Invalid:
    return Invalid(ErrorReason.INVALID_REQUEST, fields=(rule,))
