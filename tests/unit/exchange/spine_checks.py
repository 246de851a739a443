"""What must hold of every answer of the spine (ARCHITECTURE §7, 1, 2 and 5), whoever asks for whatever."""

import hashlib

from adapters.node.answers import Asked, check_records, open_sealed
from audit.checkpoint import LogKey
from audit.entry import Opening
from audit.receipt import Receipt
from gateway.protocol.decide import Decision, DecisionInput, decide, decide_request
from gateway.protocol.names import FieldSet
from gateway.protocol.outcomes import REASONS, Outcome, Phase, Reason
from gateway.protocol.policy.fieldsets import expand, mask_of
from gateway.protocol.wire_names import from_wire
from homeward.audit.v1 import log_pb2
from homeward.gateway.v1.exchange_pb2 import RequestRecordsResponse
from homeward.gateway.v1.link_pb2 import WorkOrder
from tests.unit.exchange.spine_parts import Answered, Question
from tests.unit.exchange.spine_world import World

SOURCE_FAILED = ("offline", "silent", "busy", "error")


def check_records_answer(
    world: World, question: Question, answered: Answered, orders: list[WorkOrder]
) -> Decision | None:
    """The answer to a request for records keeps the invariants; the decision its source was shown, if one was asked."""
    response = answered.response
    assert isinstance(response, RequestRecordsResponse)
    outcome = from_wire(Outcome, response.outcome)
    check_leaves(world, answered, outcome)
    decision = check_order(world, answered, orders)
    check_fields(world, question, response, decision)
    if orders and world.sources.mode in SOURCE_FAILED:
        assert outcome is Outcome.SOURCE_UNAVAILABLE
    if outcome is not Outcome.ANSWERED:
        assert not any(row.HasField("sealed_record") for row in response.sources)
        assert not response.pairwise_handle
    return decision


def check_leaves(world: World, answered: Answered, outcome: Outcome) -> None:
    """One DECISION; then one OUTCOME for every call that looked for a youth; both where the receipts say."""
    response = answered.response
    own = [entry for entry in answered.entries if entry.kind in ("access.decision", "access.outcome")]
    decided = own[0]
    assert decided.kind == "access.decision"
    assert [entry.kind for entry in own].count("access.decision") == 1
    assert receipt_of(world, response.decision_receipt).index == decided.index
    if not response.HasField("release_receipt"):
        assert len(own) == 1
        assert REASONS[Reason(str(decided.fields["reason"]))].phase is not Phase.YOUTH
        assert not response.sources
        return
    assert [entry.kind for entry in own] == ["access.decision", "access.outcome"]
    released = own[1]
    assert receipt_of(world, response.release_receipt).index == released.index > decided.index
    assert released.fields["decided"] == str(decided.index)
    assert released.fields["outcome"] == outcome
    assert released.allows is (outcome is Outcome.ANSWERED)
    sealed = [row.sealed_record.sealed for row in response.sources if row.HasField("sealed_record")]
    if sealed:
        assert released.fields["sealed"] == hashlib.sha256(sealed[0]).digest()
    else:
        assert released.fields["sealed"] == ""


def check_order(world: World, answered: Answered, orders: list[WorkOrder]) -> Decision | None:
    """The source was asked at most once, after the DECISION was durable, with the very argument it commits to."""
    assert len(orders) <= 1
    for order in orders:
        receipt = receipt_of(world, order.decision_receipt)
        decided = answered.entries[0]
        assert (receipt.index, decided.kind, decided.allows) == (decided.index, "access.decision", True)
        assert decided.fields["input"] == hashlib.sha256(order.decision_input).digest()
        decision = decide(world.policy, DecisionInput.from_bytes(order.decision_input))
        assert decision.permit
        return decision
    return None


def check_fields(world: World, question: Question, response: RequestRecordsResponse, decision: Decision | None) -> None:
    """What was answered ⊆ what was decided ⊆ what was asked and what the purpose allows this role."""
    told = {from_wire(FieldSet, number) for number in response.field_sets}
    decided = set(decision.field_sets) if decision is not None else {FieldSet.FS0_ACK}
    assert told <= decided
    assert decided <= allowed(world, question) & set(expand(question.field_sets))
    if not any(row.HasField("sealed_record") for row in response.sources):
        return
    party = world.parties[question.by]
    asked = Asked(
        agency=question.by,
        digest=digest_of(response, world),
        field_sets=question.field_sets,
        here=decide_request(world.policy, DecisionInput.from_bytes(world.sources.orders[-1].decision_input).request),
        binding=question.authority is None,
        now=world.clock(),
    )
    result, sealed = check_records(
        response, asked, world.directory(), recipient_key_id=party.seal.key_id, page=question.page
    )
    assert sealed is not None
    answer = open_sealed(sealed, party.seal)
    assert {from_wire(FieldSet, number) for number in answer.field_sets} <= set(result.granted) <= decided


def allowed(world: World, question: Question) -> set[FieldSet]:
    """Everything any rule of the purpose gives the role, the emergency modality included; FS0 always."""
    mask = mask_of(())
    for rule in world.policy.rules:
        if rule.purpose is question.purpose and question.role in rule.roles:
            mask |= rule.mask
    if question.authority is not None and question.role in world.policy.emergency.roles:
        mask |= world.policy.emergency.mask
    return {each for each in FieldSet if mask & mask_of((each,)) == mask_of((each,))}


def digest_of(response: RequestRecordsResponse, world: World) -> bytes:
    """The request's digest as the receipt opens it."""
    (value,) = (each.value for each in response.decision_receipt.openings if each.name == "request")
    return value


def receipt_of(world: World, message: log_pb2.Receipt) -> Receipt:
    """The receipt, which holds under the log's key."""
    receipt = Receipt(
        index=message.index,
        leaf=message.leaf,
        digests=message.digests,
        openings=tuple(Opening(each.slot, each.name, each.value, each.salt) for each in message.openings),
        inclusion_hashes=tuple(message.inclusion_hashes),
        checkpoint=message.checkpoint,
    )
    public = world.signer.public
    receipt.verify(LogKey(public.origin, public.raw))
    return receipt
