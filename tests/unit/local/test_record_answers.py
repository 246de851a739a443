"""Sealed records: opened, checked against their grant, confirmed; refused whole otherwise."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import select

from adapters.errors import EvidenceInvalid, Unavailable
from adapters.node import tables
from adapters.node.request import Page
from adapters.node.rpcs import CallFailed, CallFault
from audit.receipt import parse_receipt
from gateway.protocol.names import FieldSet, Notice
from gateway.protocol.outcomes import Outcome
from gateway.protocol.sealing import SealContext
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import exchange_pb2 as pb
from tests.unit.local.exchange import (
    CANARY,
    CANARY_SURNAME,
    FS1,
    FS2,
    FS3,
    FS4,
    FS5,
    FS6,
    KNOWN,
    LOCATE,
    UNKNOWN,
    Calls,
    Desk,
    FakeGateway,
    desk_for_flags,
    desk_for_history,
    planning,
    question,
)
from tests.unit.node.world import NOW, directory, keys, receipt_of


async def test_details_are_opened_checked_and_confirmed() -> None:
    desk = desk_for_flags()
    result = await desk.requester().ask_records(question(FS2, FS3), Page(), desk.deadline())
    assert result.outcome is Outcome.ANSWERED
    assert result.answer is not None
    assert result.answer.flag_locate == LOCATE
    (confirmed,) = desk.gateway.confirmed
    assert confirmed.finding == pb.RECEIPT_FINDING_OPENED
    assert result.release is not None
    assert confirmed.release_index == result.release.index
    with desk.store.read() as connection:
        proofs = connection.scalars(select(tables.receipt.c.proof)).all()
    assert len(proofs) == 3
    log = keys().log.public
    assert all(parse_receipt(proof).verify(log).size > 0 for proof in proofs)


async def test_a_requester_only_gets_what_its_role_is_granted() -> None:
    desk = desk_for_history()
    result = await desk.requester().ask_records(planning(), Page(), desk.deadline())
    assert result.granted == (FieldSet.FS0_ACK, FS4, FS5)


async def _over(desk: Desk, asked: Any) -> EvidenceInvalid:
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_records(asked, Page(), desk.deadline())
    return caught.value


async def test_a_field_outside_the_grant_spoils_the_whole_answer_and_is_reported() -> None:
    desk = desk_for_history()
    error = await _over(desk, planning(sets=(FS4,)))
    assert error.fault == "record_over_disclosed"
    assert [each.finding for each in desk.gateway.confirmed] == [pb.RECEIPT_FINDING_OVER_DISCLOSED]


async def test_a_field_set_outside_the_grant_spoils_the_whole_answer() -> None:
    desk = desk_for_history()
    desk.gateway.record.flag_locate.CopyFrom(LOCATE)
    assert (await _over(desk, planning())).fault == "record_over_disclosed"


async def test_a_grant_beyond_what_was_asked_is_refused() -> None:
    desk = desk_for_history()
    desk.gateway.after = lambda response: response.field_sets.append(cast(Any, to_wire(FS6)))
    assert (await _over(desk, planning())).fault == "granted"
    assert desk.gateway.confirmed == []


RECORD_CONTEXT: dict[str, Callable[[SealContext], SealContext]] = {
    "another request": lambda context: replace(context, request_digest=bytes(32)),
    "another pair": lambda context: replace(context, pairwise_handle=bytes(16)),
    "another requester": lambda context: replace(context, requester=cast(Any, "06037.prob")),
    "another page": lambda context: replace(context, page=2),
    "another grant": lambda context: replace(context, field_sets=(FieldSet.FS0_ACK,)),
    "another decision": lambda context: replace(context, decision_index=1),
}


@pytest.mark.parametrize("name", RECORD_CONTEXT)
async def test_a_record_sealed_for_another_exchange_does_not_open(name: str) -> None:
    desk = desk_for_history()
    desk.gateway.edit_context = RECORD_CONTEXT[name]
    assert (await _over(desk, planning())).fault == "record_binding"
    assert [each.finding for each in desk.gateway.confirmed] == [pb.RECEIPT_FINDING_BINDING_FAILED]


def _flip_sealed(sealed: pb.SealedRecord) -> None:
    sealed.sealed = sealed.sealed[:-1] + bytes([sealed.sealed[-1] ^ 1])


def _flip_signature(sealed: pb.SealedRecord) -> None:
    sealed.signature = sealed.signature[:-1] + bytes([sealed.signature[-1] ^ 1])


@pytest.mark.parametrize("edit", [_flip_sealed, _flip_signature])
async def test_an_altered_sealed_record_does_not_open(edit: Callable[[pb.SealedRecord], None]) -> None:
    desk = desk_for_history()
    desk.gateway.after_seal = edit
    assert (await _over(desk, planning())).fault == "record_binding"


def _other_recipient(response: Any) -> None:
    response.sources[0].sealed_record.recipient_key_id = bytes(16)


def _other_source_key(response: Any) -> None:
    response.sources[0].sealed_record.source_key_id = bytes(16)


def _swap_sealed(response: Any) -> None:
    response.sources[0].sealed_record.sealed = b"other bytes than the log committed to"


def _two_sources(response: Any) -> None:
    response.sources.append(response.sources[0])


def _no_release(response: Any) -> None:
    response.ClearField("release_receipt")


RECORD_RESPONSE: dict[str, tuple[Callable[[Any], None], str]] = {
    "sealed to another key": (_other_recipient, "record_recipient"),
    "signed by an unknown key": (_other_source_key, "record_key"),
    "not the bytes of the release": (_swap_sealed, "receipt_sealed"),
    "two sources": (_two_sources, "sources"),
    "no release": (_no_release, "receipt_release"),
}


@pytest.mark.parametrize("name", RECORD_RESPONSE)
async def test_a_record_response_with_one_thing_changed_is_refused_whole(name: str) -> None:
    edit, fault = RECORD_RESPONSE[name]
    desk = desk_for_history()
    desk.gateway.after = edit
    assert (await _over(desk, planning())).fault == fault


async def test_a_release_of_another_decision_is_refused() -> None:
    desk = desk_for_history()
    desk.gateway.edit_leaf = lambda said: said.update(decided=b"7") if "decided" in said else None
    assert (await _over(desk, planning())).fault == "receipt_decision"


async def test_a_source_that_fails_is_named_and_is_no_negative() -> None:
    desk = desk_for_history()
    desk.gateway.source_fails = True
    result = await desk.requester().ask_records(planning(), Page(), desk.deadline())
    assert (result.outcome, result.source, result.answer) == (Outcome.SOURCE_UNAVAILABLE, "06075.cwa", None)


async def test_a_withdrawn_permit_shows_a_county_system_no_more_than_an_unknown_youth_does() -> None:
    shown = []
    for gateway in (FakeGateway(youth=UNKNOWN), FakeGateway()):
        desk = Desk(gateway)
        if gateway.youth is KNOWN:
            _withdraw(gateway)
        result = await desk.requester().ask_records(planning(), Page(), desk.deadline())
        assert result.decision is not None
        assert result.release is not None
        shown.append(
            (
                replace(result, decision=None, release=None),
                sorted(result.decision.opened),
                {
                    name: value
                    for name, value in result.release.opened.items()
                    if name in ("kind", "outcome", "decision")
                },
            )
        )
    assert shown[0] == shown[1]
    assert shown[0][0].outcome is Outcome.NO_DISCLOSABLE_RECORD


def _withdraw(gateway: FakeGateway) -> None:
    """The decision permits; before anything leaves the authority ends, and the source is named all the same."""

    def edit(said: dict[str, bytes]) -> None:
        if said["kind"] == b"access.outcome":
            said |= {"outcome": b"NO_DISCLOSABLE_RECORD", "decision": b"DENY", "sealed": b""}

    def after(response: Any) -> None:
        response.outcome = to_wire(Outcome.NO_DISCLOSABLE_RECORD)
        del response.notices[:]
        response.notices.append(to_wire(Notice.NOT_A_CLEARANCE))

    gateway.edit_leaf, gateway.after = edit, after


async def test_an_answer_whose_receipt_cannot_be_confirmed_is_given_and_stays_unconfirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = desk_for_history()
    requester = desk.requester()
    real = desk.gateway.call

    async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
        if rpc.path.endswith("ConfirmReceipt"):
            raise CallFailed(CallFault.UNAVAILABLE)
        return await real(rpc, request, seconds=seconds)

    requester = replace(requester, sender=replace(requester.sender, gateway=Calls(call)))
    with caplog.at_level(logging.WARNING):
        result = await requester.ask_records(planning(), Page(), desk.deadline())
    assert result.answer is not None
    assert "a release stays unconfirmed" in caplog.text


async def test_nothing_personal_reaches_a_log_or_the_text_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(FakeGateway(unreachable=1000))
    asked = question(FS1)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        await desk.requester().ask_flag(asked, desk.deadline())
    seen = caplog.text + repr(caught.value) + repr(asked) + str(caught.value.__cause__)
    assert CANARY not in seen
    assert CANARY_SURNAME not in seen
    # The control: the scanner would find it where it is.
    assert CANARY in repr(asked.youth.identity)


def test_the_helper_receipts_are_real() -> None:
    message = receipt_of({"kind": b"access.decision"}, index=9, time=NOW)
    assert directory().message.log_key == keys().log.public.raw
    assert message.index == 9
