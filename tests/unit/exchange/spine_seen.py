"""What a caller can tell apart: everything about an answer that is not random and not the caller's own.

Salts, digests, proofs and checkpoints are random or grow with other people's traffic, so only their sizes count; sizes
that depend on how long the log is (positions, proofs) are left out.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message

from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse, RequestRecordsResponse
from tests.unit.exchange.spine_parts import Answered

GROWS = ("index", "inclusion_hashes", "checkpoint")
OWN = ("request", "decided")
"""Openings whose values repeat the caller's own request, and a position in the log."""
Seen = dict[str, Any]


def seen(answered: Answered) -> Seen:
    """What the caller learns: shape, size, values, time, and how many leaves it left."""
    response = type(answered.response)()
    response.CopyFrom(answered.response)
    receipts = list(_receipts(response))
    values = [[(each.slot, each.name, _value(each.name, each.value)) for each in got.openings] for got in receipts]
    for receipt in receipts:
        for name in GROWS:
            receipt.ClearField(name)
        for opening in receipt.openings:
            if opening.name in OWN:
                opening.value = b""
    return {
        "openings": values,
        "size": response.ByteSize(),
        "shape": sorted(_shape(response)),
        "plain": _plain(response),
        "seconds": answered.seconds,
        "leaves": [entry.kind for entry in answered.entries if entry.kind.startswith("access.")],
    }


def distinguishes(one: Answered, other: Answered) -> set[str]:
    """By what a caller could tell these two answers apart; empty when it cannot."""
    left, right = seen(one), seen(other)
    return {name for name in left if left[name] != right[name]}


def _receipts(response: RequestRecordsResponse | CheckFlagResponse) -> Iterator[Receipt]:
    if isinstance(response, CheckFlagResponse):
        yield response.receipt
        return
    yield response.decision_receipt
    yield response.release_receipt


def _value(name: str, value: bytes) -> bytes:
    return b"" if name in OWN else value


def _shape(message: Message, path: str = "") -> Iterator[str]:
    for descriptor, value in message.ListFields():
        here = f"{path}.{descriptor.name}"
        yield here
        parts = value if descriptor.is_repeated else [value]
        yield f"{here} x{len(parts)}"
        for part in parts if descriptor.message_type is not None else ():
            yield from _shape(part, here)


def _plain(response: RequestRecordsResponse | CheckFlagResponse) -> str:
    bare = type(response)()
    bare.CopyFrom(response)
    for name in ("receipt", "decision_receipt", "release_receipt"):
        if name in bare.DESCRIPTOR.fields_by_name:
            bare.ClearField(name)
    if isinstance(bare, CheckFlagResponse):
        # The time of receipt; every caller knows when it asked.
        bare.answer.ClearField("decide_time")
    return str(bare)
