"""Step 9: the work order. Pure.

Carries everything the source needs to decide alone: the caller's exact bytes and assertion,
the authority as signed, the grant, the decision's argument and the proof that the decision
was written down first (ARCHITECTURE §6, Work order).
"""

from datetime import timedelta
from typing import Final

from gateway.exchange.call import Caller, Query
from gateway.exchange.locate import Candidate
from gateway.protocol.decide import Decision
from gateway.protocol.names import AgencyId, FieldSet
from gateway.protocol.wire_names import to_wire
from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import Grant, WorkOrder

GRANT_LIFE: Final = timedelta(seconds=60)
_ANSWERED_BY_GATEWAY: Final = frozenset({FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS})


def source_field_sets(decision: Decision) -> tuple[FieldSet, ...]:
    """Granted field sets that only the source can answer, ascending."""
    return tuple(each for each in decision.field_sets if each not in _ANSWERED_BY_GATEWAY)


def work_order(
    caller: Caller,
    query: Query,
    decision: Decision,
    *,
    candidate: Candidate,
    authority: SignedEnvelope | None,
    committed: bytes,
    receipt: Receipt,
    work_id: bytes,
    pairwise_handle: bytes,
    policy: str,
) -> WorkOrder:
    """The order for the one source that owns the youth."""
    grant = Grant(
        subject_handle=candidate.handle,
        pairwise_handle=pairwise_handle,
        requester_agency=caller.agency,
        source_agency=AgencyId(candidate.owner),
        field_sets=[to_wire(each) for each in source_field_sets(decision)],  # type: ignore[misc]
        policy_version=policy,
        recipient_key_id=query.recipient_key_id,
        flag_id=candidate.flag.flag_id if candidate.flag is not None else b"",
    )
    grant.expire_time.FromDatetime(caller.call.received_at + GRANT_LIFE)
    return WorkOrder(
        work_id=work_id,
        request_payload=query.payload,
        user_assertion=caller.call.assertion,
        authority=authority,
        grant=grant,
        decision_receipt=receipt,
        decision_input=committed,
    )
