"""Sources that behave, for tests of the spine."""

from collections.abc import Awaitable, Callable, Mapping

from adapters.node.order import Here, VerifiedOrder, verify_order
from adapters.node.refusal import OrderRefused
from gateway.ports import SourceUnreachable
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import (
    AgencyId,
)
from gateway.protocol.policy.rules import Policy
from gateway.protocol.sealing import SealContext, seal_record
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.link_pb2 import (
    WORK_STATUS_ANSWERED,
    WORK_STATUS_BUSY,
    WORK_STATUS_ERROR,
    WORK_STATUS_REFUSED,
    WorkOrder,
    WorkResult,
)
from homeward.gateway.v1.records_pb2 import RecordAnswer
from tests.unit.exchange.spine_parts import Clock


class CountySources:
    """Sources that behave: each checks a work order as a county does, then seals an answer, or does as it was told."""

    def __init__(
        self,
        clock: Clock,
        directory: Callable[[], DirectoryView],
        *,
        policy: Policy,
        record_keys: Mapping[AgencyId, SigningKey],
    ) -> None:
        self._clock = clock
        self._directory = directory
        self._policy = policy
        self._record_keys = record_keys
        self.orders: list[WorkOrder] = []
        self.alerts: list[AgencyId] = []
        self.mode = "answer"
        """answer, refuse, busy, error, offline, silent"""
        self.seconds = 0.05
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """Happens while the source is at work."""
        self.checked: list[str] = []
        """What the county's own check said of each order: `ok`, or its reason to refuse."""

    def use(self, policy: Policy) -> None:
        """The counties are on this bundle from here on."""
        self._policy = policy

    async def ask(self, agency: AgencyId, order: WorkOrder, *, seconds: float) -> WorkResult:
        self.orders.append(order)
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.mode in ("offline", "silent"):
            self._clock.advance(seconds if self.mode == "silent" else 0)
            silent = exchange_pb2.SOURCE_STATUS_TIMED_OUT
            raise SourceUnreachable(silent if self.mode == "silent" else exchange_pb2.SOURCE_STATUS_OFFLINE)
        self._clock.advance(self.seconds)
        statuses = {"refuse": WORK_STATUS_REFUSED, "busy": WORK_STATUS_BUSY, "error": WORK_STATUS_ERROR}
        if self.mode in statuses:
            return WorkResult(work_id=order.work_id, status=statuses[self.mode])
        return self._answer(agency, order)

    def alerted(self, agency: AgencyId) -> None:
        self.alerts.append(agency)

    def _answer(self, agency: AgencyId, order: WorkOrder) -> WorkResult:
        now = self._clock()
        try:
            verified = verify_order(order, Here(agency, self._directory(), self._policy, now))
        except OrderRefused as refused:
            self.checked.append(str(refused.refusal))
            return WorkResult(work_id=order.work_id, status=WORK_STATUS_REFUSED)
        self.checked.append("ok")
        answer = RecordAnswer(
            request_digest=verified.digest,
            page=verified.query.page or 1,
            field_sets=[to_wire(each) for each in verified.granted],
        )
        answer.data_as_of_time.FromDatetime(now)
        sealed = seal_record(
            answer,
            context=_seal_context(order, verified),
            recipient_key=verified.recipient_key,
            source_key=self._record_keys[agency],
        )
        return WorkResult(work_id=order.work_id, status=WORK_STATUS_ANSWERED, sealed_record=sealed)


def _seal_context(order: WorkOrder, verified: VerifiedOrder) -> SealContext:
    return SealContext(
        request_digest=verified.digest,
        pairwise_handle=order.grant.pairwise_handle,
        requester=verified.requester.agency,
        source=AgencyId(order.grant.source_agency),
        field_sets=verified.decided,
        recipient_key_id=order.grant.recipient_key_id,
        page=verified.query.page or 1,
        decision_index=verified.decision_index,
    )
