"""Keeps this agency's list at the gateway equal to its caseload, and says when it is not.

Decides who is listed (everybody in care, or only youths with a raised flag), with which restriction, and when a
heartbeat may claim that the list is complete. A heartbeat is not sent while a source is staler than the county
tolerates or a change is not registered yet: the gateway then answers UNDETERMINED and names this county, which is the
truth (ARCHITECTURE §6). Nor is one sent after entries of the log were declared lost, until every open flag was raised
again by a person of the county. A youth whose name or birth date is missing makes no tokens; it is counted, and not
found.

    1  compare: new and changed youths, youths that left   (compare)
    2  register and remove                                 (batches)
    3  heartbeat, naming the epochs in which the list is complete
    4  while the token key is rotated: the same list in the following epoch, a while at a time, so that heartbeats,
       changes and flags go on meanwhile
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from adapters.node.acts import RECEIPT_INVALID
from adapters.node.batches import REVISION, Batches, Progress
from adapters.node.compare import Comparison, Plan
from adapters.node.errors import HolderUnavailable, Missing, NotReady
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.rpcs import HEARTBEAT, CallFailed
from adapters.node.source import SourceUnusable
from adapters.node.store import Store, get_setting
from adapters.records import LocalSubjectId
from gateway.protocol.envelope import wrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import SubjectHandle
from homeward.gateway.v1.index_pb2 import (
    INDEX_SCOPE_ALL_IN_CARE,
    INDEX_SCOPE_FLAGGED_ONLY,
    HeartbeatRequest,
    IndexHeartbeat,
)

CALL_SECONDS: Final = 15.0
MOST_PATIENCE_SECONDS: Final = 300.0
"""How long until what was answered without a receipt that holds is said again, at most."""
_LOG: Final = logging.getLogger(__name__)


@dataclass(slots=True)
class Registrar:
    """The list of this agency at the gateway."""

    comparison: Comparison
    unlistable: int = 0
    """Of the last comparison."""
    beats: int = 0
    """Heartbeats the gateway took since the start."""
    found_sealed: Callable[[LocalSubjectId, SubjectHandle], None] = field(default=lambda *_: None, repr=False)
    """Called for a youth whose seal this adapter had forgotten."""
    progress: Progress = field(default_factory=Progress)
    complete: set[str] = field(default_factory=set)
    """Epochs in which everybody is listed, as far as the last comparisons knew."""
    unfindable: set[str] = field(default_factory=set)
    """Epochs in which a youth somebody looks for cannot be listed, because no source names the youth any more."""
    _listed_under: str = ""
    """Origin of the exchange's log at the last comparison: `complete` holds for that log alone."""
    is_sealed_now: Callable[[SubjectHandle], bool] = field(init=False, repr=False)
    birth_date_of: Callable[[LocalSubjectId], date | None] = field(init=False, repr=False)
    _poked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def __post_init__(self) -> None:
        self.is_sealed_now = self.comparison.is_sealed_now
        self.birth_date_of = self.comparison.birth_date_of

    @property
    def node(self) -> Node:
        """The node whose list it is."""
        return self.comparison.node

    async def run(self) -> None:
        """Synchronizes and sends heartbeats at the configured interval, until cancelled."""
        disbelieved = 0.0
        while True:
            self._poked.clear()
            pause = self.comparison.policy.heartbeat_seconds
            try:
                await self.synchronize()
                await self.heartbeat()
                if await self.renew(seconds=pause):
                    await self.heartbeat()
            except NotReady as waiting:
                _LOG.debug("list not synchronized", extra={"missing": waiting.missing})
                pause = min(pause, 0.5)
            except (CallFailed, HolderUnavailable) as failed:
                _LOG.warning("list not synchronized", extra={"why": str(failed)})
                pause = min(pause, 5.0)
                if isinstance(failed, CallFailed) and failed.reason == RECEIPT_INVALID:
                    # Each try is an entry of the exchange's log, and no later one is likely to be believed.
                    disbelieved = min(max(1.0, 2 * disbelieved), MOST_PATIENCE_SECONDS)
                    pause = disbelieved
            except SourceUnusable:
                _LOG.warning("list not synchronized: the county's sources cannot be used")
            else:
                disbelieved = 0.0
            if self.has_more_to_list() and not disbelieved:
                pause = min(pause, 0.5)
            try:
                async with asyncio.timeout(pause):
                    await self._poked.wait()
            except TimeoutError:
                continue

    def poke(self) -> None:
        """The caseload may have changed: the next comparison happens at once."""
        self._poked.set()

    async def synchronize(self) -> int:
        """The gateway lists exactly whom it should in the current epoch; returns how many changes that took.

        Raises `NotReady`, `HolderUnavailable`, `CallFailed`, `SourceUnusable`. What was done before an error stays.
        """
        directory = self.node.directory()
        epoch, log_origin = directory.epoch, directory.message.log_origin
        self.complete.discard(epoch)
        if log_origin != self._listed_under:
            # What was listed may be among the entries that are lost.
            self.complete.clear()
            self._listed_under = log_origin
        plan = await asyncio.to_thread(self.comparison.compare, epoch)
        self.unlistable = plan.unlistable
        if plan.unlistable:
            _LOG.warning("youths without a usable name or birth date", extra={"count": plan.unlistable})
        if plan.changes or plan.removed:
            # Whoever is new or changed is so in every epoch; the other ones are compared anew.
            self.complete.clear()
        batches = self._batches(epoch)
        await batches.register(plan.changes)
        await batches.remove(plan.removed)
        self._settle(epoch, plan)
        return len(plan.changes) + len(plan.removed)

    async def renew(self, *, seconds: float) -> bool:
        """The list of the following epoch is nearer to the current one by what `seconds` allow; whether it is complete
        now and was not before. Ends early when poked. Raises as `synchronize`.
        """
        following = self.node.directory().following
        if following is None or following.name in self.complete:
            return False
        plan = await asyncio.to_thread(self.comparison.compare, following.name)
        until = time.monotonic() + seconds
        done = await self._batches(following.name).register(
            plan.changes, go_on=lambda: time.monotonic() < until and not self._poked.is_set()
        )
        if done:
            self._settle(following.name, plan)
        return following.name in self.complete

    def _settle(self, epoch: str, plan: Plan) -> None:
        """Everybody who can be is listed in this epoch."""
        if plan.unfindable and epoch not in self.unfindable:
            _LOG.warning("youths somebody looks for are in no source", extra={"count": plan.unfindable})
        (self.unfindable if plan.unfindable else self.complete).add(epoch)
        (self.complete if plan.unfindable else self.unfindable).discard(epoch)

    async def listed(self, local_id: LocalSubjectId) -> SubjectHandle:
        """The youth's handle, listed at the gateway when this returns, in every epoch; used before a flag is raised.

        Raises `NotReady(SUBJECT)` for a youth that is not in the caseload or makes no tokens, and as `synchronize`.
        """
        youth = self.comparison.source.by_local_id(local_id)
        if youth is None or self.comparison.is_sealed(local_id):
            raise NotReady(Missing.SUBJECT)
        handle = await asyncio.to_thread(self.comparison.subjects.handle_of, local_id)
        for epoch in [each.name for each in self.node.directory().epochs.values() if each.is_listed_in]:
            change = self.comparison.change_of(youth, handle, epoch)
            if change is None:
                raise NotReady(Missing.SUBJECT)
            if epoch == self.node.directory().epoch:
                await self._batches(epoch).one(change)
                continue
            try:
                await self._batches(epoch).one(change)
            except (NotReady, CallFailed, HolderUnavailable) as failed:
                # The pepper of an epoch that has just been announced may not be here yet, or a holder may refuse to
                # evaluate in it. A flag waits for neither: the gateway does not cut over before the youth is listed.
                _LOG.warning("a flag is not found in the following epoch yet", extra={"why": str(failed)})
                self.complete.discard(epoch)
        return handle

    async def heartbeat(self) -> None:
        """The gateway knows in which epochs the list is complete and current. Nothing is sent while a source is stale,
        or in none it is."""
        now = self.node.now()
        if self.comparison.source.is_stale(now):
            _LOG.warning("no heartbeat: a source is older than its own limit")
            return
        unheard = [flag for flag in self.comparison.flags.unheard() if flag.is_open]
        if unheard:
            waiting = sum(flag.waits_for_person(now) for flag in unheard)
            if waiting:
                _LOG.warning("no heartbeat: the exchange lost entries; state these flags", extra={"count": waiting})
            return
        directory = self.node.directory()
        epochs = [each.name for each in directory.epochs.values() if each.is_listed_in]
        is_of_log = directory.message.log_origin == self._listed_under
        complete = [name for name in epochs if is_of_log and name in self.complete]
        if not complete:
            _LOG.info("no heartbeat: the list is not complete in any epoch yet")
            return
        scope = INDEX_SCOPE_FLAGGED_ONLY if self.comparison.policy.flagged_only else INDEX_SCOPE_ALL_IN_CARE
        beat = IndexHeartbeat(
            revision=revision(self.node.store),
            scope=scope,
            data_as_of_time=timestamp(self.comparison.source.data_as_of()),
            create_time=timestamp(now),
            complete_epochs=complete,
            log_origin=self._listed_under,
        )
        envelope = wrap(beat, self.node.keyring.envelope)
        answer = await self.node.gateway.call(HEARTBEAT, HeartbeatRequest(envelope=envelope), seconds=CALL_SECONDS)
        await self.node.acts.check(answer.receipt, Kind.INDEX_HEARTBEAT, envelope)
        self.beats += 1

    def has_more_to_list(self) -> bool:
        """Whether an epoch, perhaps one just announced, is not complete, and can be made so."""
        try:
            epochs = self.node.directory().epochs.values()
        except NotReady:
            return False
        return any(each.is_listed_in and each.name not in self.complete | self.unfindable for each in epochs)

    def _batches(self, epoch: str) -> Batches:
        return Batches(self.node, self.comparison.subjects, epoch, self._turn, self.progress, self._forgotten)

    def _forgotten(self, handle: SubjectHandle) -> None:
        local_id = self.comparison.subjects.local_id_of(handle)
        if local_id is not None:
            _LOG.warning("a seal was taken up again that this adapter had forgotten")
            self.found_sealed(local_id, handle)


def revision(store: Store) -> int:
    """How often the list was changed since the adapter joined."""
    with store.read() as connection:
        return int(get_setting(connection, REVISION) or b"0")
