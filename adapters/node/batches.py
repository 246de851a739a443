"""Registers youths in bulk: signed batches on one stream, each durable at the gateway before the next is sent.

    1  tokens with the holders, as many at once as a batch holds, from the third batch on while the one before is on
       its way; tokens that lie here and were never confirmed are sent again, not made again: a registration is paid
       for once
    2  on disk before the gateway has them
    3  sent, and confirmed here when the gateway has answered with a receipt that holds

So whatever ends in between, the adapter goes on after the last batch that was answered: nobody is listed twice, because
a handle replaces itself, and nobody is left out, because only what was answered counts as listed. Decides also that a
youth that changed since the comparison is left to the next one, and that a flag waits for one batch at most.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.identity.errors import IncompleteIdentity
from adapters.node.compare import Change
from adapters.node.errors import Missing, NotReady
from adapters.node.identifiers import new_request_id
from adapters.node.node import Node
from adapters.node.rpcs import REGISTER_ALL, REGISTER_SUBJECTS, CallFailed, Conversation
from adapters.node.store import get_setting, put_setting
from adapters.node.subjects import Proposal, Subjects
from gateway.protocol.envelope import wrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import SubjectHandle
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.index_pb2 import (
    RegisterAllRequest,
    RegisterAllResponse,
    RegisterSubjectsRequest,
    RegisterSubjectsResponse,
    RegistrationBatch,
    Subject,
)
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION

BATCH: Final = 50
"""Subjects a registration; with 89 tokens each about 73 KiB of the envelope's 192 KiB."""
REMOVALS: Final = 1000
CALL_SECONDS: Final = 15.0
STREAM_SECONDS: Final = 50.0
"""A stream is given up for another one after so long: the gateway allows a call a minute."""
REVISION: Final = "index-revision"
_Send = Callable[[SignedEnvelope], Awaitable[RegisterSubjectsResponse]]


@dataclass(slots=True)
class Progress:
    """How far a registration is. `told` is called with every change."""

    due: dict[str, int] = field(default_factory=dict)
    """Youths still to be listed, by epoch."""
    done: dict[str, int] = field(default_factory=dict)
    """Youths listed since the work was first seen, by epoch."""
    told: Callable[["Progress"], None] = field(default=lambda _: None, repr=False)

    def begin(self, epoch: str, due: int) -> None:
        """So many are to be listed in this epoch now."""
        if not self.due.get(epoch):
            self.done[epoch] = 0
        self.due[epoch] = due
        self.told(self)

    def advance(self, epoch: str, count: int) -> None:
        """So many more are listed."""
        self.due[epoch] -= count
        self.done[epoch] += count
        self.told(self)


@dataclass(frozen=True, slots=True)
class Batches:
    """Registration of one agency's youths in one epoch."""

    node: Node
    subjects: Subjects
    epoch: str
    turn: asyncio.Lock
    """Held while a batch is on its way."""
    progress: Progress
    forgotten: Callable[[SubjectHandle], None]
    """Called for a youth whose seal this adapter had forgotten."""

    async def register(self, changes: Sequence[Change], *, go_on: Callable[[], bool] = lambda: True) -> bool:
        """The youths are listed, as far as `go_on` allows; whether all of them are.

        Raises `NotReady`, `HolderUnavailable`, `CallFailed`. What was done before an error stays.
        """
        self.progress.begin(self.epoch, len(changes))
        parts = [changes[start : start + BATCH] for start in range(0, len(changes), BATCH)]
        stream = _Stream(self.node)
        making: asyncio.Task[Mapping[SubjectHandle, Proposal]] | None = None
        try:
            for number, part in enumerate(parts):
                if number and not go_on():
                    return False
                made = await (making or asyncio.ensure_future(self._proposals(part)))
                making = None
                if 0 < number < len(parts) - 1:
                    # Not before the gateway has taken one: while it is away each try would pay for another batch.
                    making = asyncio.ensure_future(self._proposals(parts[number + 1]))
                await self._list(part, made, stream.send)
                self.progress.advance(self.epoch, len(part))
        finally:
            stream.close()
            if making is not None:
                making.cancel()
                await asyncio.gather(making, return_exceptions=True)
        return True

    async def one(self, change: Change) -> None:
        """The youth is listed as it is now. Raises as `register`."""
        known = (await asyncio.to_thread(self.subjects.proposed, [change.handle], self.epoch)).get(change.handle)
        if known is not None and known.confirmed and known.fingerprint == change.fingerprint:
            return
        await self._list((change,), await self._proposals((change,)), self._send, newest=True)

    async def remove(self, handles: Sequence[SubjectHandle]) -> None:
        """The youths are listed in no epoch. Raises `CallFailed`.

        Those the gateway keeps, because somebody looks for them, stay listed here too: a later comparison asks again.
        """
        for start in range(0, len(handles), REMOVALS):
            part = handles[start : start + REMOVALS]
            async with self.turn:
                answer = await self._signed(RegistrationBatch(removed_handles=part), self._send)
                gone = [handle for handle in part if handle not in answer.kept_handles]
                await asyncio.to_thread(self.subjects.withdraw, gone)

    async def _proposals(self, changes: Sequence[Change]) -> Mapping[SubjectHandle, Proposal]:
        """Tokens of each: what lies here unconfirmed, or made now."""
        lying = await asyncio.to_thread(self.subjects.proposed, [each.handle for each in changes], self.epoch)
        ready = {
            each.handle: lying[each.handle]
            for each in changes
            if each.handle in lying and lying[each.handle].fingerprint == each.fingerprint
        }
        missing = [each for each in changes if each.handle not in ready]
        if not missing:
            return ready
        try:
            people = [each.person for each in missing]
            made = await self.node.tokens(people, EVALUATION_USE_REGISTRATION, epoch=self.epoch)
        except IncompleteIdentity as exc:
            # Each was complete when compared, under the same rules.
            raise NotReady(Missing.SUBJECT) from exc
        fresh = {each.handle: Proposal(tokens, each.fingerprint) for each, tokens in zip(missing, made, strict=True)}
        return {**ready, **fresh}

    async def _list(
        self, changes: Sequence[Change], made: Mapping[SubjectHandle, Proposal], send: _Send, *, newest: bool = False
    ) -> None:
        async with self.turn:
            kept = list(changes) if newest else await asyncio.to_thread(self._unmoved, changes)
            if not kept:
                return
            await asyncio.to_thread(self.subjects.propose, {each.handle: made[each.handle] for each in kept})
            batch = RegistrationBatch(subjects=[_message(each, made[each.handle]) for each in kept])
            named = frozenset((await self._signed(batch, send)).sealed_handles)
            sealed = [each.handle for each in kept if each.handle in named]
            prints = {each.handle: each.fingerprint for each in kept if each.handle not in named}
            await asyncio.to_thread(self.subjects.confirm, prints, self.epoch, self.node.now())
            if sealed:
                # Also of one whose seal came after the comparison: it was carried out here before these were made.
                await asyncio.to_thread(self.subjects.forget, sealed)
        for handle in sealed:
            await asyncio.to_thread(self.forgotten, handle)

    def _unmoved(self, changes: Sequence[Change]) -> list[Change]:
        """Those that stand as they were compared: a flag may have had one listed meanwhile."""
        now = self.subjects.proposed([each.handle for each in changes], self.epoch)
        confirmed = {handle: each.fingerprint for handle, each in now.items() if each.confirmed}
        return [each for each in changes if each.known == confirmed.get(each.handle)]

    async def _signed(self, batch: RegistrationBatch, send: _Send) -> RegisterSubjectsResponse:
        batch.request_id = new_request_id(self.node.now(), self.node.random_bytes)
        envelope = wrap(batch, self.node.keyring.envelope)
        answer = await send(envelope)
        await self.node.acts.check(answer.receipt, Kind.INDEX_REGISTERED, envelope)
        with self.node.store.write() as connection:
            revision = int(get_setting(connection, REVISION) or b"0") + 1
            put_setting(connection, REVISION, str(revision).encode())
        return answer

    async def _send(self, envelope: SignedEnvelope) -> RegisterSubjectsResponse:
        request = RegisterSubjectsRequest(envelope=envelope)
        return await self.node.gateway.call(REGISTER_SUBJECTS, request, seconds=CALL_SECONDS)


class _Stream:
    """The stream in use; another one in good time before it ends, and after it failed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._open: Conversation[RegisterAllRequest, RegisterAllResponse] | None = None
        self._until = 0.0

    async def send(self, envelope: SignedEnvelope) -> RegisterSubjectsResponse:
        """The gateway's answer to this batch. Raises `CallFailed`."""
        now = asyncio.get_running_loop().time()
        if self._open is None or now + CALL_SECONDS > self._until:
            self.close()
            self._open = self._node.gateway.converse(REGISTER_ALL, seconds=STREAM_SECONDS)
            self._until = now + STREAM_SECONDS
        try:
            return (await self._open.ask(RegisterAllRequest(envelope=envelope))).result
        except CallFailed:
            self.close()
            raise

    def close(self) -> None:
        """No stream is open."""
        if self._open is not None:
            self._open.close()
        self._open = None


def _message(change: Change, proposal: Proposal) -> Subject:
    return Subject(
        handle=change.handle,
        tokens=proposal.tokens,
        restriction=to_wire(change.restriction),  # type: ignore[arg-type]
        placement_county=change.placement_county,
    )
