"""A flag answer with one thing changed is refused whole."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from adapters.errors import EvidenceInvalid
from adapters.node import tables
from gateway.protocol.names import FlagState, Notice
from gateway.protocol.outcomes import Outcome
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from tests.unit.local.exchange import (
    FS1,
    Desk,
    FakeGateway,
    question,
    statement,
)
from tests.unit.node.world import NOW, stamp


def _receipt(edit: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda response: edit(response.receipt)


def _flip(name: str) -> Callable[[Any], None]:
    def flip(receipt: Any) -> None:
        raw = bytearray(getattr(receipt, name))
        raw[-1] ^= 1
        setattr(receipt, name, bytes(raw))

    return flip


FLAG_TAMPERING: dict[str, tuple[Callable[[FakeGateway], None], str]] = {
    "leaf": (lambda at: _after(at, _receipt(_flip("leaf"))), "receipt"),
    "digests": (lambda at: _after(at, _receipt(_flip("digests"))), "receipt"),
    "path": (lambda at: _after(at, _receipt(_flip_hash)), "receipt"),
    "index": (lambda at: _after(at, _receipt(_next_index)), "receipt"),
    "opening": (lambda at: _after(at, _receipt(_change_opening)), "receipt"),
    "checkpoint of another key": (lambda at: _after(at, _receipt(_other_log)), "receipt"),
    "no receipt": (lambda at: _after(at, lambda response: response.ClearField("receipt")), "receipt"),
    "leaf of another kind": (lambda at: _leaf(at, kind=b"access.receipt"), "receipt_kind"),
    "leaf about another request": (lambda at: _leaf(at, request=bytes(32)), "receipt_request"),
    "leaf with another outcome": (lambda at: _leaf(at, outcome=b"NO_ACTIVE_FLAG_FOUND"), "receipt_outcome"),
    "outcome hidden": (lambda at: _after(at, _hide_outcome), "receipt_outcome"),
    "statement signed by another": (lambda at: _statement(at, key=SigningKey.generate()), "statement_key"),
    "statement of another county": (lambda at: _statement(at, county="06037"), "statement_county"),
    "statement from the future": (
        lambda at: _statement(at, issue_time=stamp(NOW + timedelta(hours=1))),
        "statement_time",
    ),
    "statement of a resolved flag": (
        lambda at: _statement(at, state=to_wire(FlagState.RESOLVED)),
        "statement_state",
    ),
    "statement altered": (lambda at: _after(at, _alter_statement), "statement"),
    "flag ended by the gateway": (lambda at: _after(at, _end_flag), "flag_state"),
    "another policy": (lambda at: _after(at, _other_policy), "policy_version"),
    "an outcome no flag check has": (lambda at: _after(at, _record_outcome), "outcome"),
    "no outcome": (lambda at: _after(at, lambda response: response.answer.ClearField("outcome")), "answer_malformed"),
}


def _after(gateway: FakeGateway, edit: Callable[[Any], None]) -> None:
    gateway.after = edit


def _leaf(gateway: FakeGateway, **said: bytes) -> None:
    gateway.edit_leaf = lambda fields: fields.update(said)


def _statement(gateway: FakeGateway, **changes: Any) -> None:
    gateway.flag_statement = statement(**changes)


def _flip_hash(receipt: Any) -> None:
    receipt.inclusion_hashes[0] = bytes(32)


def _next_index(receipt: Any) -> None:
    receipt.index += 1


def _change_opening(receipt: Any) -> None:
    next(each for each in receipt.openings if each.name == "outcome").value = b"CONSENT_NEEDED"


def _other_log(receipt: Any) -> None:
    lines = receipt.checkpoint.split("\n")
    lines[1] = str(int(lines[1]) + 1)
    receipt.checkpoint = "\n".join(lines)


def _hide_outcome(response: Any) -> None:
    kept = [each for each in response.receipt.openings if each.name != "outcome"]
    del response.receipt.openings[:]
    response.receipt.openings.extend(kept)


def _alter_statement(response: Any) -> None:
    response.answer.flag_statement.payload += b"\x08\x01"


def _end_flag(response: Any) -> None:
    response.answer.flag_state = to_wire(FlagState.RESOLVED)


def _other_policy(response: Any) -> None:
    response.answer.policy_version = "california-2030-01"


def _record_outcome(response: Any) -> None:
    response.answer.outcome = to_wire(Outcome.NO_DISCLOSABLE_RECORD)


@pytest.mark.parametrize("name", FLAG_TAMPERING)
async def test_a_flag_answer_with_one_thing_changed_is_refused_whole(name: str) -> None:
    change, fault = FLAG_TAMPERING[name]
    desk = Desk()
    change(desk.gateway)
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert caught.value.fault == fault
    with desk.store.read() as connection:
        assert connection.execute(select(tables.receipt)).all() == []


async def test_a_flag_that_its_owner_did_not_reaffirm_is_undetermined_and_names_its_county() -> None:
    desk = Desk()
    _statement(desk.gateway, expire_time=stamp(NOW))
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert result.outcome is Outcome.UNDETERMINED
    assert len(result.stale_counties) == 1
    assert Notice.NOT_A_CLEARANCE in result.notices
    assert result.flag_id == b""


async def test_a_located_flag_may_be_reported_although_its_owner_has_not_said_so() -> None:
    desk = Desk()
    desk.gateway.after = lambda response: setattr(response.answer, "flag_state", to_wire(FlagState.LOCATED_PENDING))
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert result.flag_state is FlagState.LOCATED_PENDING


async def test_two_histories_of_one_log_are_found() -> None:
    desk = Desk()
    await desk.requester().ask_flag(question(FS1), desk.deadline())
    # The same size again, with another root: this gateway shows another tree to somebody.
    desk.gateway.index = iter([100])
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert caught.value.fault == "receipt_split_view"
