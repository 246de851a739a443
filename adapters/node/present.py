"""After entries of the exchange's log were declared lost: what this agency had on record is presented again.

Decides what is presented (authorities that stand, revocations, flags and the ends of flags, reports about the episodes
of others, each as it was signed), and that no person is asked for what one did before. What cannot be presented waits
for a person, and is said (`homeward adapter status`): a flag whose statement has ended, an authority that another party
may have revoked, whatever the exchange refuses for good, and what was not presented within 30 days.

One event that the exchange cannot answer keeps no other from being presented: the next is tried, and in the next round
it comes after the others. Only where several in a row bring no answer the exchange itself is away, and is left alone
until the next round.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from sqlalchemy.exc import OperationalError

from adapters.errors import EvidenceInvalid
from adapters.node.errors import NotReady
from adapters.node.flags import OwnFlags, refuse_flag
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.own_authorities import DOUBTED, REFUSED, STANDS, OwnAuthorities, OwnAuthority, give_up
from adapters.node.own_flag import UNHEARD, OwnFlag
from adapters.node.own_reports import REFUSED as REPORT_REFUSED
from adapters.node.own_reports import STANDS as REPORT_STANDS
from adapters.node.own_reports import OwnReport, OwnReports, give_up_reports
from adapters.node.receipts import Expected, Requests, check_receipt, request_digest
from adapters.node.rpcs import PRESENT_EVENT, CallFailed, CallFault
from adapters.node.succession import log_of, logs_of
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AuthorityId, FlagId, RequestId
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.succession import PRESENTING_WINDOW
from homeward.gateway.v1.restoration_pb2 import PresentedEvent, PresentedFlag, PresentEventRequest

CALL_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 600.0
"""Between attempts at what the exchange does not take yet: a youth is listed again first, an issuer comes before a
party that revoked, a flag before what others report of it."""
SHOWN: Final = 20
"""At most so many identifiers are shown of what waits for a person."""
AWAY: Final = 3
"""So many events in a row without an answer, and the exchange counts as away."""
_FOR_GOOD: Final = frozenset(
    {"AUTHORITY_INVALID", "STATEMENT_INVALID", "ID_REUSED", "ASSERTION_REPLAYED", "EPOCH_UNKNOWN", "TOKENS_INCOMPLETE"}
)
"""Reasons that presenting again does not change."""
_MENDS: Final = frozenset(
    {
        "subject_handle: unknown",
        "log_origin: in_force",
        "(log): nothing_lost",
        "learn_time: past",
        "revoke_time: past",
        "(index): current",
        "user_assertion: past",
    }
)
"""Of an INVALID_REQUEST what time mends: a youth is listed, a directory arrives, a clock goes on."""
_KINDS: Final = frozenset({"authority.presented", "authority.revoked", "flag.presented"})
_REPORT_KINDS: Final = frozenset({"report.presented", "located.presented", "flag.raised", "flag.located"})
"""The last two where a person repeated the very request meanwhile."""
_LOG: Final = logging.getLogger(__name__)
N = TypeVar("N", bound=bytes)
"""Identifier of what is presented."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is still to be presented, and what waits for a person: how many, and the first of them."""

    due_authority_count: int
    due_flag_count: int
    doubted_authority_count: int
    doubted_authority_ids: Sequence[AuthorityId]
    refused_flag_count: int
    refused_flag_ids: Sequence[FlagId]
    refused_revocation_count: int
    refused_revocation_ids: Sequence[AuthorityId]
    due_report_count: int
    refused_report_count: int
    refused_report_ids: Sequence[RequestId]


@dataclass(slots=True)
class _Round:
    """What came of the events of one round."""

    late: frozenset[bytes]
    """What brought no answer in the round before: it comes after everything else."""
    unanswered: set[bytes] = field(default_factory=set)
    in_a_row: int = 0
    is_left: bool = False

    def fails(self, name: bytes, failed: CallFailed) -> None:
        """This event brought no answer. Raises `failed` where the exchange counts as away."""
        self.unanswered.add(name)
        self.in_a_row += 1
        self.is_left = True
        if self.in_a_row >= AWAY:
            raise failed

    def ends(self, *, is_settled: bool) -> None:
        """An event brought an answer."""
        self.in_a_row = 0
        self.is_left |= not is_settled


@dataclass(frozen=True, slots=True)
class Presenter:
    """Presents what is due."""

    node: Node
    authorities: OwnAuthorities
    flags: OwnFlags
    reports: OwnReports
    requests: Requests
    heard: Callable[[], None]
    """Called when the exchange has heard of flags again: the list may count as current now."""
    _late: set[bytes] = field(default_factory=set)

    async def run(self) -> None:
        """Presents whenever something is due, until cancelled."""
        pause = PAUSE_SECONDS
        while True:
            version, left = self.node.keeper.version, True
            try:
                left = await self.present()
            except NotReady as waiting:
                _LOG.debug("nothing is presented again", extra={"missing": waiting.missing})
            except OperationalError as exc:
                # Somebody else wrote to the file for longer than is waited for; what is due is found again.
                _LOG.warning("not presented again yet", extra={"exception_type": type(exc).__name__})
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if left else LONGEST_PAUSE_SECONDS
            try:
                # A directory that names another log makes everything due, and a new one may take what was refused.
                async with asyncio.timeout(pause):
                    await self.node.keeper.newer_than(version)
                pause = PAUSE_SECONDS
            except TimeoutError:
                continue

    async def present(self) -> bool:
        """Everything due was presented once, as far as the exchange answers; whether something is left.

        Raises `NotReady`, `OperationalError`; what was answered before is settled.
        """
        now = self.node.now()
        await asyncio.to_thread(self._give_up, now)
        unheard = await asyncio.to_thread(self.flags.unheard)
        flags = [flag for flag in unheard if flag.unheard == UNHEARD and flag.expires > now]
        due = await asyncio.to_thread(self.authorities.due)
        reports = await asyncio.to_thread(self.reports.due)
        tried = _Round(frozenset(self._late))
        try:
            for is_late in (False, True):
                # Flags first: while one is not heard of, every other county's miss is undetermined.
                await self._flags(tried, [flag for flag in flags if (flag.flag_id in tried.late) is is_late])
                await self._each(tried, [each for each in due if (each in tried.late) is is_late], self._authority)
                await self._each(tried, [each for each in reports if (each in tried.late) is is_late], self._report)
        except CallFailed as failed:
            _LOG.warning("the exchange does not answer what is presented again", extra={"why": str(failed)})
        self._late.clear()
        self._late.update(tried.unanswered)
        doubted, _ = await asyncio.to_thread(self.authorities.doubted, 0)
        if doubted:
            _LOG.warning(
                "the exchange lost entries; staff must record these authorities again", extra={"count": doubted}
            )
        return tried.is_left

    def left(self) -> Left | None:
        """What is left to do; None where nothing is."""
        now, due, due_reports = self.node.now(), self.authorities.due(), self.reports.due()
        count, doubted = self.authorities.doubted(SHOWN)
        unheard = [flag for flag in self.flags.unheard() if flag.is_open]
        refused = [flag.flag_id for flag in unheard if flag.waits_for_person(now)]
        unrevoked_count, unrevoked = self.authorities.unrevoked(SHOWN)
        unreported_count, unreported = self.reports.refused(SHOWN)
        if not (due or count or unheard or unrevoked_count or due_reports or unreported_count):
            return None
        return Left(
            due_authority_count=len(due),
            due_flag_count=len(unheard) - len(refused),
            doubted_authority_count=count,
            doubted_authority_ids=doubted,
            refused_flag_count=len(refused),
            refused_flag_ids=refused[:SHOWN],
            refused_revocation_count=unrevoked_count,
            refused_revocation_ids=unrevoked,
            due_report_count=len(due_reports),
            refused_report_count=unreported_count,
            refused_report_ids=unreported,
        )

    def _give_up(self, now: datetime) -> None:
        """Nothing is due any more once the exchange takes nothing of before the loss."""
        with self.node.store.read() as connection:
            closed = logs_of(connection).closed
        if not closed or now - closed[-1].create_time.ToDatetime(UTC) <= PRESENTING_WINDOW:
            return
        with self.node.store.write() as connection:
            give_up(connection)
            give_up_reports(connection)
            for flag in self.flags.unheard():
                refuse_flag(connection, flag.flag_id, flag.version)

    async def _flags(self, tried: _Round, flags: Sequence[OwnFlag]) -> None:
        """Each was presented. Raises `CallFailed` where the exchange is away, and as `_send`."""
        is_heard = False
        try:
            for flag in flags:
                try:
                    refused = await self._flag(flag)
                except CallFailed as failed:
                    _LOG.warning("a flag is not presented again yet", extra={"why": str(failed)})
                    tried.fails(flag.flag_id, failed)
                    continue
                is_heard |= refused is None
                tried.ends(is_settled=refused is None or is_final(refused))
        finally:
            if is_heard:
                self.heard()

    async def _each(self, tried: _Round, names: Sequence[N], present: Callable[[N], Awaitable[bool]]) -> None:
        """Each was presented. Raises as `_flags`."""
        for name in names:
            try:
                is_settled = await present(name)
            except CallFailed as failed:
                _LOG.warning("an authority or a report is not presented again yet", extra={"why": str(failed)})
                tried.fails(name, failed)
                continue
            tried.ends(is_settled=is_settled)

    async def _flag(self, flag: OwnFlag) -> CallFailed | None:
        """None when the exchange has it on record; else its refusal."""
        event = PresentedFlag(subject_handle=flag.handle, statement=flag.statement, learn_time=timestamp(flag.learned))
        refused = await self._send(PresentedEvent(flag=event))
        if refused is None:
            await asyncio.to_thread(self.flags.recorded, flag.flag_id, flag.version)
        elif is_final(refused):
            _LOG.warning("a flag must be stated anew", extra={"reason": refused.reason})
            await asyncio.to_thread(self.flags.refused, flag.flag_id, flag.version)
        return refused

    async def _authority(self, authority_id: AuthorityId) -> bool:
        """Whether it is no longer to be presented."""
        while (each := await asyncio.to_thread(self.authorities.find, authority_id)) is not None:
            refused = await self._send(_event(each))
            if refused is not None and refused.reason == "AUTHORITY_NOT_FOUND" and each.envelope is not None:
                # Its own record is lost as well, and nobody else presents that: there is nothing to revoke.
                refused = None
            if refused is not None and not is_final(refused):
                return False
            # A person may have revoked it while it was under way. Then it is presented once more, as revoked.
            if await asyncio.to_thread(self.authorities.settle, each, _state_after(each, refused)):
                break
        return True

    async def _report(self, request_id: RequestId) -> bool:
        """Whether it is no longer to be presented."""
        report = await asyncio.to_thread(self.reports.find, request_id)
        if report is None:
            # Its youth was sealed, or was another one: it is forgotten.
            return True
        why = "EPOCH_ENDED"
        if report.payload:
            refused = await self._send(PresentedEvent(report=report.event()), of=report)
            if refused is not None and not is_final(refused):
                return False
            why = "" if refused is None else refused.reason
        if why:
            _LOG.warning("a report must be made anew", extra={"reason": why})
        await asyncio.to_thread(self.reports.settle, request_id, REPORT_REFUSED if why else REPORT_STANDS)
        return True

    async def _send(self, event: PresentedEvent, *, of: OwnReport | None = None) -> CallFailed | None:
        """None when the exchange has the event on record; else its refusal. Raises `NotReady`, `CallFailed`.

        The receipt of a report is kept with its request: a notice finds by it what must go (`notices`).
        """
        directory = self.node.directory()
        event.log_origin = directory.message.log_origin
        envelope = wrap(event, self.node.keyring.envelope)
        try:
            answer = await self.node.gateway.call(
                PRESENT_EVENT, PresentEventRequest(envelope=envelope), seconds=CALL_SECONDS
            )
        except CallFailed as failed:
            if failed.fault is CallFault.REFUSED:
                return failed
            raise
        if answer.HasField("receipt"):
            try:
                said = Expected(_KINDS, request_digest(envelope.payload))
                if of is not None:
                    said = Expected(_REPORT_KINDS, request_digest(of.payload))
                kept = check_receipt(answer.receipt, log_of(directory), said)
                if of is not None:
                    await asyncio.to_thread(self.requests.keep, of.request_id, [kept], now=self.node.now())
            except EvidenceInvalid:
                _LOG.error("the receipt of what was presented again does not hold")
                raise CallFailed(CallFault.BROKEN) from None
        return None


def is_final(refused: CallFailed) -> bool:
    """Whether presenting the same again changes nothing. An INVALID_REQUEST that names no field may mend itself."""
    if refused.reason == "INVALID_REQUEST":
        return bool(refused.fields) and _MENDS.isdisjoint(refused.fields)
    return refused.reason in _FOR_GOOD


def _state_after(each: OwnAuthority, refused: CallFailed | None) -> int:
    """What it is once it was presented: with a refusal, what a person must do."""
    if refused is None:
        return STANDS
    if each.revoke_ms is not None:
        _LOG.warning("an authority must be revoked anew", extra={"reason": refused.reason})
        return REFUSED
    _LOG.warning("an authority must be recorded anew", extra={"reason": refused.reason})
    return DOUBTED


def _event(each: OwnAuthority) -> PresentedEvent:
    event = PresentedEvent()
    if each.revoke_ms is not None:
        event.revocation.authority_id = each.authority_id
        event.revocation.revoke_time.CopyFrom(timestamp(moment_of(each.revoke_ms)))
    elif each.envelope is not None:
        event.authority.CopyFrom(each.envelope)
    return event
