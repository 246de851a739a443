"""What the custodian's operator does: admit a county's root, keep and erase shares in a rotation, look.

Decides that an admission names the fingerprint that two people compared out of band; the custodian never offers to
admit what the gateway presented. Decides also that a share is erased when the newest directory it signed names its
epoch no more, and that both are on record first. A share that no directory has named yet looks the same: it goes only
when its epoch is named as one that was given up.
"""

from typing import Final

from sqlalchemy import select

from audit.log import Append
from audit.statement import Statement
from audit.tables import TREE
from gateway.cards import CustodianCard, renew_card
from gateway.errors import Error, ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members.ledger import Ledger
from gateway.protocol.ristretto import InvalidElement, load_ristretto
from gateway.state import State
from gateway.tokens.ceremony import ShareRefused
from gateway.tokens.countersign import Countersigning
from gateway.tokens.share_file import ShareFileBroken
from gateway.tokens.shares import EpochRefused, Shares
from homeward.gateway.v1 import admin_pb2

_SIZE: Final = Statement(select(TREE.c.size))


class CustodianAdministration:
    """The operator's acts on one custodian. Requests keep the rules of their .proto."""

    def __init__(
        self, ledger: Ledger, countersigning: Countersigning, *, operator: str, state: State, shares: Shares
    ) -> None:
        self._state = state
        self._shares = shares
        self._ledger = ledger
        self._countersigning = countersigning
        self._operator = operator

    async def admit(self, request: admin_pb2.AdmitCountyRequest) -> admin_pb2.AdmitCountyResponse:
        """The county's root is admitted. Raises `Unavailable`."""
        await self._countersigning.admit(request.fips, request.root_fingerprint)
        return admin_pb2.AdmitCountyResponse()

    async def add_epoch_share(self, request: admin_pb2.AddEpochShareRequest) -> admin_pb2.AddEpochShareResponse:
        """The share lies beside the one in force. Raises `Error` (EPOCH_STEP), `Invalid`, `Unavailable`."""
        try:
            dealt = self._shares.check_epoch(request.share)
        except (ShareFileBroken, ShareRefused, InvalidElement) as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("share: file",)) from exc
        except EpochRefused as exc:
            raise Error(ErrorReason.EPOCH_STEP, fields=(f"share: {exc}",)) from exc
        await self._ledger.append(Append(draft(Kind.EPOCH_SHARE_ADDED, op=dealt.sharing.facts())))
        self._shares.add_epoch(request.share)
        return admin_pb2.AddEpochShareResponse(epoch=dealt.epoch)

    async def finish_epoch_share(
        self, request: admin_pb2.FinishEpochShareRequest
    ) -> admin_pb2.FinishEpochShareResponse:
        """One share is left, of an epoch in force. Raises `Error` (EPOCH_STEP), `Unavailable`.

        Repeated, it changes nothing and enters nothing in the log.
        """
        ended = self._ended_epoch()
        if ended and ended != request.unopened_epoch and not await self._was_open(ended):
            raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: unopened",))
        if ended:
            await self._ledger.append(Append(draft(Kind.EPOCH_SHARE_ERASED, op={"epoch": ended})))
            self._shares.leave_epoch(ended)
        # Also where nothing was erased: a crash may have come between the two.
        commitment = self._shares.in_force().public(load_ristretto())
        renew_card(self._state, CustodianCard, share_commitment=commitment.hex())
        return admin_pb2.FinishEpochShareResponse(epoch=ended, kept_epoch=self._shares.in_force().epoch)

    def _ended_epoch(self) -> str:
        """The epoch whose share is to be erased; empty where one share alone is kept, of an epoch in force."""
        view, held = self._countersigning.view(), self._shares.epochs()
        if view is None:
            raise Error(ErrorReason.EPOCH_STEP, fields=("directory: none",))
        left = [name for name in held if name not in view.epochs]
        if len(left) == len(held):
            raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: not_named",))
        if not left and len(held) > 1:
            raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: named",))
        return left[0] if left else ""

    async def _was_open(self, epoch: str) -> bool:
        dealt = self._shares.of_epoch(epoch)
        return dealt is not None and await self._countersigning.has_named(dealt)

    async def status(self) -> admin_pb2.GetCustodianStatusResponse:
        """Where everything stands."""
        size = await self._ledger.read(lambda tx: tx.one(_SIZE))
        view = self._countersigning.view()
        admitted = await self._countersigning.admitted()
        return admin_pb2.GetCustodianStatusResponse(
            operator=self._operator,
            log_size=size[0] if size else 0,
            directory_version=view.version if view else 0,
            admitted_counties=sorted(admitted),
            waiting_counties=[
                admin_pb2.WaitingCounty(fips=fips, root_fingerprint=fingerprint)
                for fips, fingerprint in sorted(self._countersigning.waiting.items())
                if admitted.get(fips) != fingerprint
            ],
        )
