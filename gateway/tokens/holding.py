"""What the operator of a holder does with its share: declare a caseload, look. The same for gateway and custodian.

Decides what the operator sees: which share, under which directory, and how much of each budget is used; never who was
asked about, which a holder does not know.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.config import Budgets
from gateway.members.ledger import Ledger
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId
from gateway.tokens.evaluate import day_of
from gateway.tokens.shares import Shares
from gateway.tokens.spending import Use, declare_caseload, read_use
from homeward.gateway.v1 import admin_pb2

_LOG: Final = logging.getLogger(__name__)


class OneOperator(Exception):
    """One operator runs as many holders as make a token, and this is no demonstration. Names the operators."""


def check_operators(view: DirectoryView | None, *, demo: bool) -> None:
    """No operator alone makes tokens, or this is a demonstration and says so. Raises `OneOperator`.

    The same operator name or the same CA root is the same operator: the split of the key would be theater (TOKENS §6).
    """
    alone = view.sole_operators if view is not None else ()
    if alone and not demo:
        raise OneOperator(", ".join(alone))
    if alone:
        _LOG.warning("a demonstration: one operator runs as many holders as make a token")


@dataclass(frozen=True, slots=True)
class HolderAdministration:
    """The operator's acts on one holder. Requests keep the rules of their .proto."""

    ledger: Ledger
    shares: Shares
    operator: str
    demo: bool
    budgets: Budgets
    directory: Callable[[], DirectoryView | None]
    now: Callable[[], datetime]

    async def declare(self, request: admin_pb2.DeclareCaseloadRequest) -> admin_pb2.DeclareCaseloadResponse:
        """The agency's caseload is on record. Raises `Unavailable`."""
        await declare_caseload(self.ledger, AgencyId(request.agency), request.figure)
        return admin_pb2.DeclareCaseloadResponse()

    async def status(self) -> admin_pb2.GetHolderStatusResponse:
        """Where the share and its budgets stand."""
        day, view = day_of(self.now()), self.directory()
        named = self.shares.of_epoch(view.epoch) if view is not None else None
        share = named if named is not None else self.shares.in_force()
        used = await self.ledger.read(lambda tx: read_use(tx, epoch=share.epoch, day=day, budgets=self.budgets))
        status = admin_pb2.GetHolderStatusResponse(
            operator=self.operator,
            share_index=share.share.index,
            epoch=share.epoch,
            generation=share.generation,
            held_generations=self.shares.generations(),
            held_epochs=self.shares.epochs(),
            threshold=share.sharing.threshold,
            demo=self.demo,
            accounts=[_account(each) for each in used],
        )
        if view is not None:
            status.directory_version = view.version
            status.directory_create_time.CopyFrom(view.message.create_time)
            status.directory_generation = view.sharing.generation if view.sharing is not None else 0
            status.holders.extend(holder.operator for holder in view.holders)
            status.sole_operators.extend(view.sole_operators)
        return status


def _account(use: Use) -> admin_pb2.AccountUse:
    return admin_pb2.AccountUse(
        agency=use.agency,
        account=use.account,
        record_count=use.records,
        element_count=use.elements,
        limit=use.limit,
        alarm_percent=use.alarm_percent,
    )
