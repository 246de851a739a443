"""The source's own check of a work order: exactly one thing wrong, and it is refused for exactly that reason."""

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.node.order import Here, verify_order
from adapters.node.refusal import OrderRefused, Refusal
from gateway.protocol.authority import AuthorityStatus
from gateway.protocol.names import (
    FieldSet,
)
from gateway.protocol.policy.facts import DecisionInput
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.directory_pb2 import Directory
from homeward.gateway.v1.link_pb2 import WorkOrder
from tests.unit.node.consents import consent, consented_order
from tests.unit.node.defects import WRONG, grant_edit, leaf_edit
from tests.unit.node.world import (
    ASKER,
    NOW,
    THIRD,
    Order,
    directory,
    here,
    keys,
    stamp,
)


def refusal_of(order: WorkOrder, at: Here | None = None) -> Refusal:
    with pytest.raises(OrderRefused) as caught:
        verify_order(order, at or here())
    return caught.value.refusal


def test_an_honest_order_is_accepted() -> None:
    order = Order()
    verified = verify_order(order.build(), here())
    assert verified.granted == (FieldSet.FS4_PLACEMENT_SUMMARY, FieldSet.FS5_PLACEMENT_DETAIL)
    assert verified.decided == (FieldSet.FS0_ACK, *verified.granted)
    assert (verified.requester.agency, verified.decision_index) == (ASKER, order.decision_index)
    assert verified.recipient_key == keys().rings[ASKER].seal.public_bytes


def test_an_order_that_rests_on_a_consent_is_accepted() -> None:
    assert verify_order(consented_order().build(), here()).authority is not None


@pytest.mark.parametrize(("order", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_one_thing_wrong_is_refused_for_that_reason(order: Order, expected: Refusal) -> None:
    assert refusal_of(order.build()) is expected


def test_facts_in_another_byte_form_are_refused_even_if_the_leaf_commits_to_them() -> None:
    order = Order()
    spaced = order.build().decision_input.replace(b",", b", ")
    order.after_input = lambda _: spaced
    order.edit_leaf = leaf_edit(input=hashlib.sha256(spaced).digest())
    assert refusal_of(order.build()) is Refusal.FACTS_DIFFER


def test_an_assertion_of_a_suspended_member_is_refused() -> None:
    def suspend(message: Directory) -> None:
        next(member for member in message.members if member.agency == ASKER).suspended = True

    assert refusal_of(Order().build(), here(directory=directory(suspend))) is Refusal.ASSERTION_KEY


def test_a_seal_key_whose_time_has_ended_is_refused() -> None:
    later = NOW + timedelta(days=400)
    order = Order(after_grant=grant_edit(expire_time=later + timedelta(seconds=30)))
    # Every key of the directory has ended by then; the assertion's is met first.
    assert refusal_of(order.build(), here(now=later)) is Refusal.ASSERTION_KEY


@pytest.mark.parametrize("where", ["directory", "release"])
def test_a_policy_that_is_not_the_directorys_and_this_releases_is_refused(where: str) -> None:
    def other(message: Directory) -> None:
        message.policy_digest = bytes(32)

    at = (
        here(directory=directory(other))
        if where == "directory"
        else here(policy=replace(here().policy, digest=bytes(32)))
    )
    assert refusal_of(Order().build(), at) is Refusal.POLICY_DIFFERS


def test_an_authority_signed_by_somebody_else_than_its_issuer_is_refused() -> None:
    order = consented_order()
    foreign = consent()
    foreign.key_id = keys().rings[THIRD].authority.key_id
    order.after_order = lambda built: built.authority.CopyFrom(foreign)
    assert refusal_of(order.build()) is Refusal.AUTHORITY_INVALID


def test_an_authority_that_ended_is_not_made_live_by_the_gateways_word() -> None:
    order = consented_order(expire_time=stamp(NOW - timedelta(seconds=1)))
    assert order.authority is not None

    def live(given: DecisionInput) -> DecisionInput:
        worth = given.request.authority
        assert worth is not None
        return replace(given, request=replace(given.request, authority=replace(worth, status=AuthorityStatus.LIVE)))

    order.edit_input = live
    assert refusal_of(order.build()) is Refusal.FACTS_DIFFER


def test_a_revocation_only_the_log_knows_is_believed() -> None:
    order = consented_order()

    def revoked(given: DecisionInput) -> DecisionInput:
        worth = given.request.authority
        assert worth is not None
        return replace(given, request=replace(given.request, authority=replace(worth, status=AuthorityStatus.REVOKED)))

    order.edit_input = revoked
    order.after_grant = grant_edit(field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)])
    assert refusal_of(order.build()) is Refusal.DECISION_DIFFERS


def test_every_reason_of_verify_and_settle_is_reached_by_a_test() -> None:
    elsewhere = {
        # The source cannot see the channel, so this fault cannot arise here (SECURITY §3.1).
        Refusal.ASSERTION_BINDING,
        # Reached in tests/integration/test_source_side.py, where there is a database.
        Refusal.REPEATED,
        Refusal.DECISION_REPEATED,
        Refusal.SUBJECT_UNKNOWN,
        Refusal.FLAG_UNKNOWN,
        Refusal.HELD_FOR_HUMAN,
        Refusal.CONSENT_OUTLIVED,
        Refusal.GRANTOR_AGE,
    }
    reached = {expected for _, _, expected in WRONG} | {Refusal.TOKENS_DIFFER, Refusal.DECIDED_OTHERWISE}
    assert set(Refusal) - elsewhere == reached
