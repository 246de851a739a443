"""The rotation of the token key, as the gateway takes it: another key, pepper and key at rest for everybody.

    open       the following epoch has a share here and a key at rest; the directory announces it once every holder
               has a share of it, and members list everybody in it beside the current one
    cut over   it is the current one: refused while a county in scope has not listed everybody in it, or a youth
               somebody looks for would not be found there; the epoch before is still answered
    finish     the epoch before ends, and is erased
    abandon    the following epoch ends instead, and is erased

Each step is one leaf in one transaction with what it changes. Nothing here touches a youth's handle, flags or
restriction: they belong to no epoch. How what an ended epoch left is erased is in `ended_epochs`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.entry import Draft
from audit.log import Append
from audit.transaction import Tx
from gateway.errors import Error, ErrorReason, Invalid
from gateway.exchange.coverage import sources_of, stale_counties
from gateway.exchange.journal import Kind, draft
from gateway.members.composition import Exchange, live_epochs
from gateway.members.ledger import Ledger
from gateway.members.office import DirectoryOffice
from gateway.ports import Rows
from gateway.protocol.directory import DirectoryView
from gateway.protocol.epochs import LISTED_IN, EpochState
from gateway.protocol.names import Call, county_of
from gateway.protocol.ristretto import InvalidElement
from gateway.store.epochs import changed, count_tokens, drop_peppers, owners_unseen, read_states
from gateway.store.index import read_listings
from gateway.tokens.ceremony import ShareRefused
from gateway.tokens.epoch_keys import KEY_LENGTH, EpochKeys
from gateway.tokens.share_file import ShareFileBroken
from gateway.tokens.shares import EpochRefused, Shares
from homeward.gateway.v1 import admin_pb2 as pb

Facts = dict[str, str | bytes | int]
_BESIDE: Final = (EpochState.FOLLOWING, EpochState.PRECEDING, EpochState.ENDING)


@dataclass(frozen=True, slots=True)
class Step:
    """One step, on record."""

    epoch: str
    leaf_index: int


@dataclass(frozen=True, slots=True)
class Rotation:
    """The epochs of one gateway. One event loop."""

    ledger: Ledger
    office: DirectoryOffice
    exchange: Exchange
    shares: Shares
    keys: EpochKeys
    ended: Callable[[], None]
    """Called when an epoch has ended."""
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]

    async def open(self, share: bytes) -> Step:
        """The epoch of this share is open. Raises `Error` (EPOCH_STEP), `Invalid`, `Unavailable`."""
        (current, _), states = await self.ledger.read(lambda tx: (live_epochs(tx, self.exchange), read_states(tx)))
        _check_alone(states)
        try:
            epoch = self.shares.check_epoch(share).epoch
            if epoch in states:
                raise EpochRefused("used_before")
            dealt = self.shares.add_epoch(share)
        except (ShareFileBroken, ShareRefused, InvalidElement) as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("share: file",)) from exc
        except EpochRefused as exc:
            raise Error(ErrorReason.EPOCH_STEP, fields=(f"share: {exc}",)) from exc
        self.keys.add(epoch, self.random_bytes(KEY_LENGTH), current=current)

        def guard(tx: Tx) -> Draft | None:
            _check_alone(read_states(tx))
            return None

        facts = dealt.sharing.facts() | {"before": current}
        return await self._take(Kind.EPOCH_OPENED, epoch, facts, guard=guard, before=current)

    async def cut_over(self, without: frozenset[str]) -> Step:
        """The following epoch is the current one; `without` are counties that need not have listed everybody.

        Raises `Error` (EPOCH_STEP; EPOCH_INCOMPLETE with the counties), `Unavailable`.
        """
        view = self._view()
        following = await self._beside(EpochState.FOLLOWING)
        if following not in view.epochs:
            raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: not_announced",))

        def guard(tx: Tx) -> Draft | None:
            _check_state(tx, following, EpochState.FOLLOWING)
            missing = [fips for fips in self.incomplete(tx, following) if fips not in without]
            if missing:
                raise Error(ErrorReason.EPOCH_INCOMPLETE, fields=tuple(missing))
            return None

        facts: Facts = {"epoch": following, "before": view.epoch, "without": ",".join(sorted(without))}
        return await self._take(Kind.EPOCH_CUT_OVER, following, facts, guard=guard, before=view.epoch)

    async def abandon(self) -> Step:
        """The following epoch ends. Raises `Error` (EPOCH_STEP), `Unavailable`."""
        return await self._end(Kind.EPOCH_ABANDONED, EpochState.FOLLOWING)

    async def finish(self) -> Step:
        """The preceding epoch ends. Raises `Error` (EPOCH_STEP), `Unavailable`."""
        current, _ = await self.ledger.read(lambda tx: live_epochs(tx, self.exchange))
        if self._view().epoch != current:
            # Members still ask in the epoch that would end.
            raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: not_announced",))
        return await self._end(Kind.EPOCH_ENDED, EpochState.PRECEDING)

    def incomplete(self, tx: Tx, epoch: str) -> tuple[str, ...]:
        """Counties in scope that have not listed everybody in this epoch, are silent, or look for somebody unlisted."""
        sources = sources_of(self._view())
        stale = stale_counties(sources, read_listings(tx), call=Call.FLAG_CHECK, epoch=epoch, now=self.now())
        return tuple(sorted({*stale, *map(county_of, owners_unseen(tx, epoch))}))

    async def status(self) -> list[pb.EpochStatus]:
        """Where every epoch stands that is not over, the current one first."""
        view = self.office.view()

        def survey(tx: Tx) -> list[pb.EpochStatus]:
            current, _ = live_epochs(tx, self.exchange)
            beside = {name: state for name, state in read_states(tx).items() if state in _BESIDE}
            return [
                pb.EpochStatus(
                    epoch=name,
                    state=state,
                    announced=view is not None and name in view.epochs,
                    token_count=count_tokens(tx, name),
                    incomplete_counties=self.incomplete(tx, name) if view is not None and state in LISTED_IN else (),
                )
                for name, state in {current: EpochState.CURRENT, **beside}.items()
            ]

        return await self.ledger.survey(survey)

    async def _end(self, kind: Kind, state: EpochState) -> Step:
        name = await self._beside(state)

        def guard(tx: Tx) -> Draft | None:
            _check_state(tx, name, state)
            return None

        step = await self._take(kind, name, {"epoch": name}, guard=guard, rows=drop_peppers(name))
        self.ended()
        return step

    async def _take(
        self,
        kind: Kind,
        epoch: str,
        facts: Facts,
        *,
        guard: Callable[[Tx], Draft | None],
        before: str = "",
        rows: Rows = (),
    ) -> Step:
        entry = draft(kind, op=facts)
        appended = await self.ledger.append(Append(entry, guard=guard, rows=(*changed(kind, epoch, before), *rows)))
        self.office.changed()
        return Step(epoch, appended.index)

    async def _beside(self, state: EpochState) -> str:
        states = await self.ledger.read(read_states)
        name = next((name for name, each in states.items() if each is state), None)
        if name is None:
            raise Error(ErrorReason.EPOCH_STEP, fields=(f"epoch: none_{state.lower()}",))
        return name

    def _view(self) -> DirectoryView:
        view = self.office.view()
        if view is None:
            raise Error(ErrorReason.EPOCH_STEP, fields=("directory: none",))
        return view


def _check_alone(states: dict[str, EpochState]) -> None:
    if any(state in _BESIDE for state in states.values()):
        raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: another_open",))


def _check_state(tx: Tx, name: str, state: EpochState) -> None:
    if read_states(tx).get(name) is not state:
        raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: moved",))
