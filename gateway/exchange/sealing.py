"""Sealing, destruction and lifting a seal, in the order they happen (AUDIT §2.7; WIC 389, 781, 786, 826).

1. the caller is a privacy officer of the agency that owns the youth; everybody else is refused on record
2. the youth's entries are found with its key, and whoever was told by one of them
3. the key's copy for the court custodian is durable
4. one transaction: the entry of the seal, and no row names the youth any more; notices wait for everybody told
5. the key leaves the exchange, and those of authorities that name the youth
6. whoever was told deletes what lays the entries open, and acknowledges: an entry each (`recall`)

A seal is lifted in the same order: the key that the court released is durable, then the entry, then it is in force.

The entry names neither the youth nor its entries, only how many agencies were sent a notice, and commits to how many
entries all seals have closed (`closing`); the court's case stands in a field that the custodian alone can open. A crash
after the entry is made good before anything is answered again (`Escrow.settle`). A destroyed youth's entries stay in
the log, and nobody can open or link them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from audit.entry import KEY_BYTES, ClassKeys, YouthKey, youth_tag
from gateway.errors import Conflict, ErrorReason, Invalid, Unavailable
from gateway.exchange.call import Caller
from gateway.exchange.closing import Closing
from gateway.exchange.deed import Deed, Moved, both, on_what_stands
from gateway.exchange.notices import SealState, told
from gateway.exchange.officer_orders import Ordered, Orders, order_leaf
from gateway.exchange.seal_ports import Escrow, ReturnedKeys
from gateway.ports import OF_NOBODY, Guard, Rows, own_youth
from gateway.protocol.escrow import EscrowBroken, Escrowed, open_release, seal_case_key
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId, RequestId, SubjectHandle
from gateway.protocol.outcomes import Outcome
from gateway.protocol.sealing import SealKey
from homeward.gateway.v1 import sealing_pb2 as pb

_KINDS: Final = {
    SealState.RESTRICTED: Kind.SEAL_RESTRICTED,
    SealState.DESTROYED: Kind.SEAL_DESTROYED,
    SealState.LIFTED: Kind.SEAL_LIFTED,
}


@dataclass(frozen=True, slots=True)
class Court:
    """Keys of the way to the court custodian and back."""

    custodian_key: bytes | None
    """None: no custodian is configured, and nothing can be sealed."""
    release_key: SealKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sealing:
    """Carries out orders of the owners of youths. Every call raises `Invalid`, `Conflict` and `Unavailable`."""

    orders: Orders
    escrow: Escrow = field(repr=False)
    returned: ReturnedKeys = field(repr=False)
    keys: ClassKeys = field(repr=False)
    court: Court = field(repr=False)
    closing: Closing = field(repr=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """One order after another: two about one youth at once would leave two seals, of which a court lifts one."""

    async def seal(self, caller: Caller, order: pb.SealOrder) -> Ordered:
        """The order is carried out, once: entry durable, key gone or back, notices waiting. Never to be cut short.

        An entry whose key stays would seal nobody until the next order or start.
        """
        async with self.turn:
            deed = Deed(RequestId(order.request_id), caller.claims.request_digest)
            settled = await self.orders.settled(caller, deed)
            if settled is not None and settled.outcome is not Outcome.RECORDED:
                return settled
            await self.closing.settle()
            await self._carry_out(is_final=False)
            done = await self._carried_out(caller, deed, order, settled)
            # Where an entry was written now, the log has gone on: whatever it does not say was not written.
            await self._carry_out(is_final=settled is None)
            return done

    async def _carried_out(self, caller: Caller, deed: Deed, order: pb.SealOrder, settled: Ordered | None) -> Ordered:
        if order.operation == pb.SEAL_OPERATION_LIFT:
            return await self._lift(caller, deed, order, settled)
        done = settled
        if done is None:
            done = await on_what_stands(lambda: self._close(caller, deed, order), quiet=self.orders.at.journal.quiet)
        # Again after a crash: each does what is left of it.
        await self.closing.done(done.closed)
        await asyncio.to_thread(self.escrow.withdraw, done.notice_id)
        if order.operation == pb.SEAL_OPERATION_DESTROY:
            await asyncio.to_thread(self.escrow.erase, done.notice_id)
        return done

    async def _close(self, caller: Caller, deed: Deed, order: pb.SealOrder) -> Ordered:
        custodian, seals = self._custodian(), self.orders.seals
        state = SealState.DESTROYED if order.operation == pb.SEAL_OPERATION_DESTROY else SealState.RESTRICTED
        if order.seal_id:
            return await self._destroy_sealed(caller, deed, order)
        owner, handle = caller.agency, SubjectHandle(order.subject_handle)
        marks = await self.orders.at.youth_keys.marks(owner, [handle])
        if len(handle) != OPAQUE_LENGTH or not (marks or await seals.is_listed(owner, handle)):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: yours",))
        if not marks:
            # Listed a moment ago, it has no key yet; without a copy of one no court could lift the seal.
            await self.orders.at.youth_keys.next(owner, handle)
        seal_id = self.orders.at.random_bytes(OPAQUE_LENGTH)
        kept = custodian if state is SealState.RESTRICTED else None
        authorities, no_others = await seals.naming(owner, handle, frozenset(order.token_digests))
        # After what takes longest: an entry about the youth that is written meanwhile does not hold up the order.
        history = await self.orders.history(owner, handle)
        of_authorities = await self.orders.history(OF_NOBODY, *(own_youth(each)[1] for each in authorities))
        closed = await self.closing.closes([*history.entries, *of_authorities.entries])
        await asyncio.to_thread(
            self.escrow.deposit, owner, handle, seal_id, custodian_key=kept, authorities=authorities
        )
        indexes = told(history.entries, self.keys)
        # The owner's adapter holds receipts of its own, as the source and as a caller.
        indexes[owner] = [entry.index for entry in history.entries]
        guard = both(both(history.unchanged(seals), of_authorities.unchanged(seals)), no_others)
        try:
            done = await self._enter_seal(
                caller, deed, order, state, seal_id, indexes=indexes,
                guard=guard, rows=seals.forget(owner, handle, authorities), closed=closed,
            )  # fmt: skip
        except (Moved, Conflict):
            # Nothing was written. After any other error it may have been: the next start knows (`Escrow.settle`).
            await asyncio.to_thread(self.escrow.erase, seal_id)
            raise
        if done.notice_id != seal_id:
            await asyncio.to_thread(self.escrow.erase, seal_id)
        return done

    async def _destroy_sealed(self, caller: Caller, deed: Deed, order: pb.SealOrder) -> Ordered:
        await self._own_seal(caller, order.seal_id)
        return await self._enter_seal(
            caller, deed, order, SealState.DESTROYED, order.seal_id, indexes={},
            guard=self.orders.seals.stands(order.seal_id, SealState.RESTRICTED), rows=(),
            closed=await self.closing.closes(()),
        )  # fmt: skip

    async def _lift(self, caller: Caller, deed: Deed, order: pb.SealOrder, settled: Ordered | None) -> Ordered:
        self._custodian()
        try:
            escrowed = open_release(order.released_key, self.court.release_key, order.seal_id)
        except EscrowBroken as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("released_key: opens",)) from exc
        if escrowed.owner != caller.agency:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("seal_id: yours",))
        if settled is None:
            await self._own_seal(caller, order.seal_id)
            settled = await self._enter_lift(caller, deed, order, escrowed)
        await self.closing.done(settled.closed)
        await asyncio.to_thread(self.returned.restore, order.seal_id)
        return replace(settled, handle=escrowed.handle)

    async def _enter_lift(self, caller: Caller, deed: Deed, order: pb.SealOrder, escrowed: Escrowed) -> Ordered:
        closed = await self.closing.opens(await self.orders.marked.marked(_marks(escrowed)))
        await asyncio.to_thread(self.returned.receive, order.seal_id, escrowed)
        try:
            return await on_what_stands(
                lambda: self._enter_seal(
                    caller, deed, order, SealState.LIFTED, order.seal_id, indexes={},
                    guard=self.orders.seals.stands(order.seal_id, SealState.RESTRICTED), rows=(), closed=closed,
                ),
                quiet=self.orders.at.journal.quiet,
            )  # fmt: skip
        except (Moved, Conflict):
            # As in `_close`: nothing was written.
            await asyncio.to_thread(self.returned.give_up, order.seal_id)
            raise

    async def _own_seal(self, caller: Caller, seal_id: bytes) -> None:
        if await self.orders.seals.seal_of(seal_id) != (caller.agency, SealState.RESTRICTED):
            # Somebody else's seal, one that was lifted or destroyed, and none at all are one answer.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("seal_id: yours",))

    async def _enter_seal(
        self,
        caller: Caller,
        deed: Deed,
        order: pb.SealOrder,
        state: SealState,
        seal_id: bytes,
        *,
        indexes: Mapping[AgencyId, list[int]],
        guard: Guard,
        rows: Rows,
        closed: bytes,
    ) -> Ordered:
        case = YouthKey(self.orders.at.random_bytes(KEY_BYTES), 0)
        leaf = order_leaf(
            caller, deed, _KINDS[state], seal_id, count=len(indexes), case=case, order=order, closed=closed
        )
        rows += self.orders.seals.put(seal_id, caller.agency, state)
        rows += self.orders.seals.put_case(seal_id, seal_case_key(case.key, self._custodian(), seal_id))
        kind = pb.NOTICE_KIND_SEALED
        return await self.orders.enter(caller, deed, leaf, seal_id, kind, indexes, guard=guard, rows=rows)

    async def _carry_out(self, *, is_final: bool) -> None:
        """Orders that ended in doubt are carried out where the log has them; with `is_final`, forgotten elsewhere.

        Otherwise the same youth could be sealed twice, and a key that nobody asks for would stay until the next start.
        """
        escrow, returned, seals = self.escrow, self.returned, self.orders.seals
        for seal_id in await asyncio.to_thread(escrow.waiting):
            if await seals.seal_of(seal_id) is not None:
                await asyncio.to_thread(escrow.withdraw, seal_id)
            elif is_final:
                await asyncio.to_thread(escrow.erase, seal_id)
        for seal_id in await asyncio.to_thread(returned.waiting):
            found = await seals.seal_of(seal_id)
            if found is not None and found[1] is SealState.LIFTED:
                await asyncio.to_thread(returned.restore, seal_id)
            elif is_final:
                await asyncio.to_thread(returned.give_up, seal_id)

    def _custodian(self) -> bytes:
        if self.court.custodian_key is None:
            raise Unavailable(ErrorReason.NOT_READY)
        return self.court.custodian_key


def _marks(escrowed: Escrowed) -> list[bytes]:
    return [youth_tag(YouthKey(escrowed.key, counter)) for counter in range(escrowed.reserved)]
