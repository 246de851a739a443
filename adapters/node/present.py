"""After entries of the exchange's log were declared lost: what this agency had on record is presented again.

Decides what is presented (authorities that stand, revocations, flags and the ends of flags, each as it was signed), and
that no person is asked for what one did before. What cannot be presented waits for a person, and is said (`homeward
adapter status`): a flag whose statement has ended, an authority that another party may have revoked, whatever the
exchange refuses for good, and what was not presented within 30 days.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.errors import EvidenceInvalid
from adapters.node.errors import NotReady
from adapters.node.flags import UNHEARD, OwnFlag, OwnFlags, refuse_flag
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.own_authorities import DOUBTED, STANDS, OwnAuthorities, OwnAuthority, give_up
from adapters.node.receipts import Expected, check_receipt, request_digest
from adapters.node.rpcs import PRESENT_EVENT, CallFailed, CallFault
from adapters.node.succession import logs_of
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AuthorityId, FlagId
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.succession import PRESENTING_WINDOW
from homeward.gateway.v1.restoration_pb2 import PresentedEvent, PresentedFlag, PresentEventRequest

CALL_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 600.0
"""Between attempts at what the exchange does not take yet: a youth is listed again first, an issuer comes before a
party that revoked."""
SHOWN: Final = 20
"""At most so many identifiers are shown of what waits for a person."""
_FOR_GOOD: Final = frozenset({"AUTHORITY_INVALID", "STATEMENT_INVALID", "ID_REUSED"})
"""Reasons that presenting again does not change."""
_KINDS: Final = frozenset({"authority.presented", "authority.revoked", "flag.presented"})
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """What is still to be presented, and what waits for a person: how many, and the first of them."""

    due_authority_count: int
    due_flag_count: int
    doubted_authority_count: int
    doubted_authority_ids: Sequence[AuthorityId]
    refused_flag_count: int
    refused_flag_ids: Sequence[FlagId]


@dataclass(frozen=True, slots=True)
class Presenter:
    """Presents what is due."""

    node: Node
    authorities: OwnAuthorities
    flags: OwnFlags
    heard: Callable[[], None]
    """Called when the exchange has heard of flags again: the list may count as current now."""

    async def run(self) -> None:
        """Presents whenever something is due, until cancelled."""
        pause = PAUSE_SECONDS
        while True:
            version, left = self.node.keeper.version, True
            try:
                left = await self.present()
            except NotReady as waiting:
                _LOG.debug("nothing is presented again", extra={"missing": waiting.missing})
            except CallFailed as failed:
                _LOG.warning("not presented again yet", extra={"why": str(failed)})
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS) if left else LONGEST_PAUSE_SECONDS
            try:
                # A directory that names another log makes everything due, and a new one may take what was refused.
                async with asyncio.timeout(pause):
                    await self.node.keeper.newer_than(version)
                pause = PAUSE_SECONDS
            except TimeoutError:
                continue

    async def present(self) -> bool:
        """Everything due was presented once; whether something is left. Raises `NotReady`, `CallFailed`."""
        now = self.node.now()
        await asyncio.to_thread(self._give_up, now)
        unheard = await asyncio.to_thread(self.flags.unheard)
        flags = [flag for flag in unheard if flag.unheard == UNHEARD and flag.expires > now]
        # Flags first: while one is not heard of, every other county's miss is undetermined.
        refusals = [await self._flag(flag) for flag in flags]
        if None in refusals:
            self.heard()
        due = await asyncio.to_thread(self.authorities.due)
        left = [authority_id for authority_id in due if not await self._authority(authority_id)]
        doubted, _ = await asyncio.to_thread(self.authorities.doubted, 0)
        if doubted:
            _LOG.warning(
                "the exchange lost entries; staff must record these authorities again", extra={"count": doubted}
            )
        return bool(left) or any(refused is not None and refused not in _FOR_GOOD for refused in refusals)

    def left(self) -> Left | None:
        """What is left to do; None where nothing is."""
        now, due = self.node.now(), self.authorities.due()
        count, doubted = self.authorities.doubted(SHOWN)
        unheard = [flag for flag in self.flags.unheard() if flag.is_open]
        refused = [flag.flag_id for flag in unheard if flag.waits_for_person(now)]
        if not (due or count or unheard):
            return None
        return Left(
            due_authority_count=len(due),
            due_flag_count=len(unheard) - len(refused),
            doubted_authority_count=count,
            doubted_authority_ids=doubted,
            refused_flag_count=len(refused),
            refused_flag_ids=refused[:SHOWN],
        )

    def _give_up(self, now: datetime) -> None:
        """Nothing is due any more once the exchange takes nothing of before the loss."""
        with self.node.store.read() as connection:
            closed = logs_of(connection).closed
        if not closed or now - closed[-1].create_time.ToDatetime(UTC) <= PRESENTING_WINDOW:
            return
        with self.node.store.write() as connection:
            give_up(connection)
            for flag in self.flags.unheard():
                refuse_flag(connection, flag.flag_id, flag.version)

    async def _flag(self, flag: OwnFlag) -> str | None:
        """None when the exchange has it on record; else its reason."""
        event = PresentedFlag(subject_handle=flag.handle, statement=flag.statement, learn_time=timestamp(flag.learned))
        refused = await self._send(PresentedEvent(flag=event))
        if refused is None:
            await asyncio.to_thread(self.flags.recorded, flag.flag_id, flag.version)
        elif refused in _FOR_GOOD:
            _LOG.warning("a flag must be stated anew", extra={"reason": refused})
            await asyncio.to_thread(self._refuse, flag)
        return refused

    def _refuse(self, flag: OwnFlag) -> None:
        with self.node.store.write() as connection:
            refuse_flag(connection, flag.flag_id, flag.version)

    async def _authority(self, authority_id: AuthorityId) -> bool:
        """Whether it is no longer to be presented."""
        while (each := await asyncio.to_thread(self.authorities.find, authority_id)) is not None:
            refused = await self._send(_event(each))
            if refused == "AUTHORITY_NOT_FOUND" and each.envelope is not None:
                # Its own record is lost as well, and nobody else presents that: there is nothing to revoke.
                refused = None
            if refused in _FOR_GOOD:
                _LOG.warning("an authority must be recorded anew", extra={"reason": refused})
            elif refused is not None:
                return False
            # A person may have revoked it while it was under way. Then it is presented once more, as revoked.
            if await asyncio.to_thread(self.authorities.settle, each, DOUBTED if refused else STANDS):
                break
        return True

    async def _send(self, event: PresentedEvent) -> str | None:
        """None when the exchange has the event on record; else its reason. Raises `NotReady`, `CallFailed`."""
        directory = self.node.directory()
        event.log_origin = directory.message.log_origin
        envelope = wrap(event, self.node.keyring.envelope)
        try:
            answer = await self.node.gateway.call(
                PRESENT_EVENT, PresentEventRequest(envelope=envelope), seconds=CALL_SECONDS
            )
        except CallFailed as failed:
            if failed.fault is CallFault.REFUSED:
                return failed.reason
            raise
        if answer.HasField("receipt"):
            try:
                check_receipt(answer.receipt, directory, Expected(_KINDS, request_digest(envelope.payload), None))
            except EvidenceInvalid:
                _LOG.error("the receipt of what was presented again does not hold")
                raise CallFailed(CallFault.BROKEN) from None
        return None


def _event(each: OwnAuthority) -> PresentedEvent:
    event = PresentedEvent()
    if each.revoke_ms is not None:
        event.revocation.authority_id = each.authority_id
        event.revocation.revoke_time.CopyFrom(timestamp(moment_of(each.revoke_ms)))
    elif each.envelope is not None:
        event.authority.CopyFrom(each.envelope)
    return event
