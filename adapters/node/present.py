"""After entries of the exchange's log were declared lost: what this agency had on record is presented again.

Decides what is presented (authorities that stand, revocations, flags and the ends of flags, each as it was signed), and
that no person is asked for what one did before. What cannot be presented waits for a person, and is said: a flag whose
statement has ended, an authority that another party may have revoked, whatever the exchange refuses.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.errors import EvidenceInvalid
from adapters.node.errors import NotReady
from adapters.node.flags import OwnFlag, OwnFlags
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.own_authorities import DOUBTED, STANDS, OwnAuthorities, OwnAuthority
from adapters.node.receipts import Expected, check_receipt, request_digest
from adapters.node.rpcs import PRESENT_EVENT, CallFailed, CallFault
from gateway.protocol.envelope import wrap
from gateway.protocol.policy.facts import moment_of
from homeward.gateway.v1.restoration_pb2 import PresentedEvent, PresentedFlag, PresentEventRequest

CALL_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 600.0
"""Between attempts at what the exchange does not take yet: a youth is listed again first, an issuer comes before a
party that revoked."""
_FOR_GOOD: Final = frozenset({"AUTHORITY_INVALID", "STATEMENT_INVALID", "ID_REUSED"})
"""Reasons that presenting again does not change."""
_KINDS: Final = frozenset({"authority.presented", "authority.revoked", "flag.presented"})
_LOG: Final = logging.getLogger(__name__)


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
        flags = [flag for flag in await asyncio.to_thread(self.flags.unheard) if flag.expires > now]
        # Flags first: while one is not heard of, every other county's miss is undetermined.
        unheard = [flag for flag in flags if not await self._flag(flag)]
        if len(unheard) < len(flags):
            self.heard()
        due = await asyncio.to_thread(self.authorities.due)
        waiting = [each for each in due if not await self._authority(each)]
        doubted = await asyncio.to_thread(self.authorities.doubted_count)
        if doubted:
            _LOG.warning(
                "the exchange lost entries; staff must record these authorities again", extra={"count": doubted}
            )
        return bool(unheard or waiting)

    async def _flag(self, flag: OwnFlag) -> bool:
        event = PresentedFlag(subject_handle=flag.handle, statement=flag.statement, learn_time=timestamp(flag.learned))
        refused = await self._send(PresentedEvent(flag=event))
        if refused is None:
            await asyncio.to_thread(self.flags.recorded, flag.flag_id, flag.version)
        return refused is None

    async def _authority(self, each: OwnAuthority) -> bool:
        event = PresentedEvent()
        if each.revoke_ms is not None:
            event.revocation.authority_id = each.authority_id
            event.revocation.revoke_time.CopyFrom(timestamp(moment_of(each.revoke_ms)))
        elif each.envelope is not None:
            event.authority.CopyFrom(each.envelope)
        refused = await self._send(event)
        if refused is None:
            await asyncio.to_thread(self.authorities.settle, each.authority_id, STANDS)
        elif refused in _FOR_GOOD:
            _LOG.warning("an authority must be recorded anew", extra={"reason": refused})
            await asyncio.to_thread(self.authorities.settle, each.authority_id, DOUBTED)
        return refused is None or refused in _FOR_GOOD

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
