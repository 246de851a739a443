"""Keeps this agency's list at the gateway equal to its caseload, and says when it is not.

Decides who is listed (everybody in care, or only youths with a raised flag), with which restriction, and when a
heartbeat may claim that the list is complete. A heartbeat is not sent while a source is staler than the county
tolerates or a change is not registered yet: the gateway then answers UNDETERMINED and names this county, which is the
truth (ARCHITECTURE §6). A youth whose name or birth date is missing makes no tokens; it is counted, and not found.

    1  compare: new and changed youths, youths that left
    2  tokens with the holders, as many at once as a batch holds; on disk before the gateway has them
    3  register and remove in signed batches
    4  heartbeat
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.identity.errors import IncompleteIdentity, InvalidIdentity
from adapters.identity.keys import missing_fields
from adapters.identity.tokenize import Person
from adapters.node.errors import HolderUnavailable, Missing, NotReady
from adapters.node.flags import OwnFlags
from adapters.node.identifiers import new_request_id, timestamp
from adapters.node.listing import IndexPolicy, person_of
from adapters.node.node import Node
from adapters.node.rpcs import HEARTBEAT, REGISTER_SUBJECTS, CallFailed
from adapters.node.source import Source, SourceUnusable, placement_county_of
from adapters.node.store import get_setting, put_setting
from adapters.node.subjects import Subjects
from adapters.records import LocalSubjectId, Youth
from gateway.protocol.envelope import wrap
from gateway.protocol.names import Restriction, SubjectHandle
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.index_pb2 import (
    INDEX_SCOPE_ALL_IN_CARE,
    INDEX_SCOPE_FLAGGED_ONLY,
    HeartbeatRequest,
    IndexHeartbeat,
    RegisterSubjectsRequest,
    RegistrationBatch,
)
from homeward.gateway.v1.index_pb2 import Subject as SubjectMessage
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION

BATCH: Final = 100
"""Subjects a registration; with 12 tokens each about 30 KiB, far below the envelope's 192 KiB."""
REMOVALS: Final = 1000
CALL_SECONDS: Final = 15.0
_REVISION: Final = "index-revision"
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """One youth to register."""

    handle: SubjectHandle = field(repr=False)
    person: Person = field(repr=False)
    restriction: Restriction
    placement_county: str = field(repr=False)
    fingerprint: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What must change at the gateway."""

    changes: tuple[Change, ...]
    removed: tuple[SubjectHandle, ...] = field(repr=False)
    unlistable: int
    """Youths without a usable name or birth date."""


@dataclass(slots=True)
class Registrar:
    """The list of this agency at the gateway."""

    node: Node
    source: Source
    subjects: Subjects
    flags: OwnFlags
    policy: IndexPolicy
    unlistable: int = 0
    """Of the last comparison."""
    beats: int = 0
    """Heartbeats the gateway took since the start."""
    _poked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def run(self) -> None:
        """Synchronizes and sends heartbeats at the configured interval, until cancelled."""
        while True:
            self._poked.clear()
            pause = self.policy.heartbeat_seconds
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
            plan = await asyncio.to_thread(self._compare)
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
            youth = self.source.by_local_id(local_id)
            if youth is None:
                raise NotReady(Missing.SUBJECT)
            handle = await asyncio.to_thread(self.subjects.handle_of, local_id)
            change = self._change(youth, handle)
            if change is None:
                raise NotReady(Missing.SUBJECT)
            known = (await asyncio.to_thread(self.subjects.listed)).get(local_id)
            if known is None or known.fingerprint != change.fingerprint:
                await self._register((change,))
            return change.handle

    async def heartbeat(self) -> None:
        """The gateway knows that the list is complete and current. Nothing is sent while a source is stale."""
        now = self.node.now()
        if self.source.is_stale(now):
            _LOG.warning("no heartbeat: a source is older than its own limit")
            return
        scope = INDEX_SCOPE_FLAGGED_ONLY if self.policy.flagged_only else INDEX_SCOPE_ALL_IN_CARE
        beat = IndexHeartbeat(
            revision=self._revision(),
            scope=scope,
            data_as_of_time=timestamp(self.source.data_as_of()),
            create_time=timestamp(now),
        )
        request = HeartbeatRequest(envelope=wrap(beat, self.node.keyring.envelope))
        await self.node.gateway.call(HEARTBEAT, request, seconds=CALL_SECONDS)
        self.beats += 1

    def _compare(self) -> Plan:
        listed = self.subjects.listed()
        flagged = {self.subjects.local_id_of(handle) for handle in self.flags.open_handles()}
        youths = [youth for youth in self.source.youths() if self._belongs(youth, flagged)]
        handles = self.subjects.handles_of([youth.local_id for youth in youths])
        changes: list[Change] = []
        kept: set[LocalSubjectId] = set()
        unlistable = 0
        for youth in youths:
            change = self._change(youth, handles[youth.local_id])
            if change is None:
                unlistable += 1
                continue
            kept.add(youth.local_id)
            known = listed.get(youth.local_id)
            if known is None or known.fingerprint != change.fingerprint:
                changes.append(change)
        removed = tuple(each.handle for local_id, each in listed.items() if local_id not in kept)
        return Plan(tuple(changes), removed, unlistable)

    def _belongs(self, youth: Youth, flagged: Collection[LocalSubjectId | None]) -> bool:
        if self.policy.drops(youth.restriction):
            return False
        if self.policy.flagged_only or youth.local_id in flagged:
            return youth.local_id in flagged
        return youth.current_episode is not None or youth.open_absence is not None

    def _change(self, youth: Youth, handle: SubjectHandle) -> Change | None:
        """What would be registered of this youth; None where it makes no tokens."""
        person = person_of(youth.identity)
        try:
            if missing_fields(person.identity, aliases=person.aliases, scheme=self.node.tokenizer.scheme):
                return None
        except InvalidIdentity:
            return None
        county = placement_county_of(youth)
        restriction = youth.restriction
        return Change(
            handle=handle,
            person=person,
            restriction=restriction,
            placement_county="" if county == self.node.membership.county else county,
            fingerprint=self._fingerprint(person, restriction, county),
        )

    def _fingerprint(self, person: Person, restriction: Restriction, county: str) -> bytes:
        """Keyed: whoever takes the database without the key cannot test a name against it."""
        scheme, epoch = self.node.tokenizer.scheme.version, self.node.directory().epoch
        parts = [scheme, epoch, restriction, county, dict(person.identity), [dict(each) for each in person.aliases]]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
        return hmac.digest(self.node.keyring.commitment, b"homeward/listing/v1\0" + text.encode(), "sha256")

    async def _register(self, changes: Sequence[Change]) -> None:
        for start in range(0, len(changes), BATCH):
            part = changes[start : start + BATCH]
            tokens = await self._tokens(part)
            batch = RegistrationBatch(subjects=[_message(each, tokens[each.handle]) for each in part])
            await self._send(batch)
            prints = {each.handle: each.fingerprint for each in part}
            await asyncio.to_thread(self.subjects.confirm, prints, self.node.now())

    async def _tokens(self, changes: Sequence[Change]) -> Mapping[SubjectHandle, TokenSet]:
        people = [change.person for change in changes]
        try:
            made = await self.node.tokens(people, EVALUATION_USE_REGISTRATION)
        except IncompleteIdentity as exc:
            # Each was complete when compared, under the same rules.
            raise NotReady(Missing.SUBJECT) from exc
        tokens = {change.handle: each for change, each in zip(changes, made, strict=True)}
        await asyncio.to_thread(self.subjects.propose, tokens)
        return tokens

    async def _remove(self, handles: Sequence[SubjectHandle]) -> None:
        for start in range(0, len(handles), REMOVALS):
            part = handles[start : start + REMOVALS]
            await self._send(RegistrationBatch(removed_handles=part))
            await asyncio.to_thread(self.subjects.withdraw, part)

    async def _send(self, batch: RegistrationBatch) -> None:
        now: datetime = self.node.now()
        batch.request_id = new_request_id(now, self.node.random_bytes)
        request = RegisterSubjectsRequest(envelope=wrap(batch, self.node.keyring.envelope))
        await self.node.gateway.call(REGISTER_SUBJECTS, request, seconds=CALL_SECONDS)
        with self.node.store.write() as connection:
            revision = int(get_setting(connection, _REVISION) or b"0") + 1
            put_setting(connection, _REVISION, str(revision).encode())

    def _revision(self) -> int:
        with self.node.store.read() as connection:
            return int(get_setting(connection, _REVISION) or b"0")


def _message(change: Change, tokens: TokenSet) -> SubjectMessage:
    return SubjectMessage(
        handle=change.handle,
        tokens=tokens,
        restriction=to_wire(change.restriction),  # type: ignore[arg-type]
        placement_county=change.placement_county,
    )
