"""What the custodian's operator does: admit a county's root, look.

Decides that an admission names the fingerprint that two people compared out of band; the custodian never offers to
admit what the gateway presented.
"""

from typing import Final

from sqlalchemy import select

from audit.statement import Statement
from audit.tables import TREE
from gateway.members.ledger import Ledger
from gateway.tokens.countersign import Countersigning
from homeward.gateway.v1 import admin_pb2

_SIZE: Final = Statement(select(TREE.c.size))


class CustodianAdministration:
    """The operator's acts on one custodian. Requests keep the rules of their .proto."""

    def __init__(self, ledger: Ledger, countersigning: Countersigning, *, operator: str) -> None:
        self._ledger = ledger
        self._countersigning = countersigning
        self._operator = operator

    async def admit(self, request: admin_pb2.AdmitCountyRequest) -> admin_pb2.AdmitCountyResponse:
        """The county's root is admitted. Raises `Unavailable`."""
        await self._countersigning.admit(request.fips, request.root_fingerprint)
        return admin_pb2.AdmitCountyResponse()

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
