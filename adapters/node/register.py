"""Keeps this agency's list at the gateway equal to its caseload, and says when it is not.

Decides who is listed (everybody in care, or only youths with a raised flag), with which restriction, and when a
heartbeat may claim that the list is complete. A heartbeat is not sent while a source is staler than the county
tolerates or a change is not registered yet: the gateway then answers UNDETERMINED and names this county, which is the
truth (ARCHITECTURE §6). A youth whose name or birth date is missing makes no tokens; it is counted, and not found.

    1  compare: new and changed youths, youths that left   (compare)
    2  tokens with the holders, as many at once as a batch holds; on disk before the gateway has them
    3  register and remove in signed batches
    4  heartbeat
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.identity.errors import IncompleteIdentity
from adapters.node.compare import Change, Comparison
from adapters.node.errors import HolderUnavailable, Missing, NotReady
from adapters.node.identifiers import new_request_id, timestamp
from adapters.node.node import Node
from adapters.node.rpcs import HEARTBEAT, REGISTER_SUBJECTS, CallFailed
from adapters.node.source import SourceUnusable
from adapters.node.store import Store, get_setting, put_setting
from adapters.records import LocalSubjectId
from gateway.protocol.envelope import wrap
from gateway.protocol.names import SubjectHandle
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.index_pb2 import (
    INDEX_SCOPE_ALL_IN_CARE,
    INDEX_SCOPE_FLAGGED_ONLY,
    HeartbeatRequest,
    IndexHeartbeat,
    RegisterSubjectsRequest,
    RegisterSubjectsResponse,
    RegistrationBatch,
)
from homeward.gateway.v1.index_pb2 import Subject as SubjectMessage
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION

BATCH: Final = 50
"""Subjects a registration; with 80 tokens each about 95 KiB, half of the envelope's 192 KiB."""
REMOVALS: Final = 1000
CALL_SECONDS: Final = 15.0
_REVISION: Final = "index-revision"
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
    _poked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def node(self) -> Node:
        """The node whose list it is."""
        return self.comparison.node

    async def run(self) -> None:
        """Synchronizes and sends heartbeats at the configured interval, until cancelled."""
        while True:
            self._poked.clear()
            pause = self.comparison.policy.heartbeat_seconds
            try:
                await self.synchronize()
                await self.heartbeat()
            except NotReady as waiting:
                _LOG.debug("list not synchronized", extra={"missing": waiting.missing})
                pause = min(pause, 0.5)
            except (CallFailed, HolderUnavailable) as failed:
                _LOG.warning("list not synchronized", extra={"why": str(failed)})
                pause = min(pause, 5.0)
            except SourceUnusable:
                _LOG.warning("list not synchronized: the county's sources cannot be used")
            try:
                async with asyncio.timeout(pause):
                    await self._poked.wait()
            except TimeoutError:
                continue

    def poke(self) -> None:
        """The caseload may have changed: the next comparison happens at once."""
        self._poked.set()

    async def synchronize(self) -> int:
        """The gateway lists exactly whom it should; returns how many changes that took.

        Raises `NotReady`, `HolderUnavailable`, `CallFailed`, `SourceUnusable`. What was done before an error stays.
        """
        async with self._turn:
            plan = await asyncio.to_thread(self.comparison.compare)
            self.unlistable = plan.unlistable
            if plan.unlistable:
                _LOG.warning("youths without a usable name or birth date", extra={"count": plan.unlistable})
            await self._register(plan.changes)
            await self._remove(plan.removed)
            return len(plan.changes) + len(plan.removed)

    async def listed(self, local_id: LocalSubjectId) -> SubjectHandle:
        """The youth's handle, listed at the gateway when this returns; used before a flag is raised.

        Raises `NotReady(SUBJECT)` for a youth that is not in the caseload or makes no tokens, and as `synchronize`.
        """
        async with self._turn:
            youth = self.comparison.source.by_local_id(local_id)
            if youth is None or self.comparison.is_sealed(local_id):
                raise NotReady(Missing.SUBJECT)
            handle = await asyncio.to_thread(self.comparison.subjects.handle_of, local_id)
            change = self.comparison.change_of(youth, handle)
            if change is None:
                raise NotReady(Missing.SUBJECT)
            known = (await asyncio.to_thread(self.comparison.subjects.listed)).get(local_id)
            if known is None or known.fingerprint != change.fingerprint:
                await self._register((change,))
            return change.handle

    async def heartbeat(self) -> None:
        """The gateway knows that the list is complete and current. Nothing is sent while a source is stale."""
        now = self.node.now()
        if self.comparison.source.is_stale(now):
            _LOG.warning("no heartbeat: a source is older than its own limit")
            return
        scope = INDEX_SCOPE_FLAGGED_ONLY if self.comparison.policy.flagged_only else INDEX_SCOPE_ALL_IN_CARE
        beat = IndexHeartbeat(
            revision=revision(self.node.store),
            scope=scope,
            data_as_of_time=timestamp(self.comparison.source.data_as_of()),
            create_time=timestamp(now),
        )
        request = HeartbeatRequest(envelope=wrap(beat, self.node.keyring.envelope))
        await self.node.gateway.call(HEARTBEAT, request, seconds=CALL_SECONDS)
        self.beats += 1

    async def _register(self, changes: Sequence[Change]) -> None:
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            tokens = await self._tokens(part)
            batch = RegistrationBatch(subjects=[_message(each, tokens[each.handle]) for each in part])
            sealed = frozenset((await self._send(batch)).sealed_handles)
            prints = {each.handle: each.fingerprint for each in part if each.handle not in sealed}
            await asyncio.to_thread(self.comparison.subjects.confirm, prints, self.node.now())
            for handle in sealed & {each.handle for each in part}:
                await asyncio.to_thread(self._forgotten, SubjectHandle(handle))

    async def _tokens(self, changes: Sequence[Change]) -> Mapping[SubjectHandle, TokenSet]:
        people = [change.person for change in changes]
        try:
            made = await self.node.tokens(people, EVALUATION_USE_REGISTRATION)
        except IncompleteIdentity as exc:
            # Each was complete when compared, under the same rules.
            raise NotReady(Missing.SUBJECT) from exc
        tokens = {change.handle: each for change, each in zip(changes, made, strict=True)}
        await asyncio.to_thread(self.comparison.subjects.propose, tokens)
        return tokens

    async def _remove(self, handles: Sequence[SubjectHandle]) -> None:
        for start in range(0, len(handles), REMOVALS):
            part = handles[start : start + REMOVALS]
            await self._send(RegistrationBatch(removed_handles=part))
            await asyncio.to_thread(self.comparison.subjects.withdraw, part)

    def _forgotten(self, handle: SubjectHandle) -> None:
        local_id = self.comparison.subjects.local_id_of(handle)
        if local_id is not None:
            _LOG.warning("a seal was taken up again that this adapter had forgotten")
            self.found_sealed(local_id, handle)

    async def _send(self, batch: RegistrationBatch) -> RegisterSubjectsResponse:
        now: datetime = self.node.now()
        batch.request_id = new_request_id(now, self.node.random_bytes)
        request = RegisterSubjectsRequest(envelope=wrap(batch, self.node.keyring.envelope))
        answer = await self.node.gateway.call(REGISTER_SUBJECTS, request, seconds=CALL_SECONDS)
        with self.node.store.write() as connection:
            revision = int(get_setting(connection, _REVISION) or b"0") + 1
            put_setting(connection, _REVISION, str(revision).encode())
        return answer


def revision(store: Store) -> int:
    """How often the list was changed since the adapter joined."""
    with store.read() as connection:
        return int(get_setting(connection, _REVISION) or b"0")


def _message(change: Change, tokens: TokenSet) -> SubjectMessage:
    return SubjectMessage(
        handle=change.handle,
        tokens=tokens,
        restriction=to_wire(change.restriction),  # type: ignore[arg-type]
        placement_county=change.placement_county,
    )
