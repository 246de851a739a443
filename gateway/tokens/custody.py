"""What the custodian's operator does: admit a county's root, keep and erase shares in a rotation, look.

Decides that an admission names the fingerprint that two people compared out of band; the custodian never offers to
admit what the gateway presented. Decides also that a share is erased when the newest directory it signed names its
epoch no more, and that both are on record first.
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

    async def finish_epoch_share(self) -> admin_pb2.FinishEpochShareResponse:
        """The share that no directory names any more is gone. Raises `Error` (EPOCH_STEP), `Unavailable`."""
        view, held = self._countersigning.view(), self._shares.epochs()
        left = [name for name in held if view is not None and name not in view.epochs]
        if len(left) != 1 or len(held) == 1:
            raise Error(ErrorReason.EPOCH_STEP, fields=("epoch: named",))
        await self._ledger.append(Append(draft(Kind.EPOCH_SHARE_ERASED, op={"epoch": left[0]})))
        self._shares.leave_epoch(left[0])
        commitment = self._shares.in_force().public(load_ristretto())
        renew_card(self._state, CustodianCard, share_commitment=commitment.hex())
        return admin_pb2.FinishEpochShareResponse(epoch=left[0])

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
