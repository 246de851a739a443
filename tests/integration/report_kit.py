"""Reports of a county about its own youth, and exchanges that record, refuse or do not hear them."""

from typing import Any, cast

from adapters.node import rpcs
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import to_wire
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.local_kit import (
    LOCATE,
    OWN_YOUTH,
    County,
    inquiry,
)
from tests.unit.node.world import NOW, stamp


def recorded(at: County, kind: str, response: Any, **fields: Any) -> Any:
    """An answer of the exchange that records something."""

    def answer(payload: bytes, claims: Any) -> Any:
        made = response(outcome=to_wire(Outcome.RECORDED), receipt=at.gateway.leaf(kind, payload, claims, "RECORDED"))
        for name, value in fields.items():
            setattr(made, name, value(payload) if callable(value) else value)
        return made

    return answer


def absence(*, request_id: str = "", **changes: Any) -> missing_pb2.RaiseFlagRequest:
    """A report that a youth of this agency is missing."""
    fields: dict[str, Any] = {
        "local_id": OWN_YOUTH,
        "learn_time": stamp(NOW),
        "flag_locate": FlagLocate(missing_since_date="2026-11-20"),
    }
    return missing_pb2.RaiseFlagRequest(inquiry=inquiry(LOCATE, request_id=request_id), **fields | changes)


def refuses(payload: bytes, claims: Any) -> Any:
    """An exchange that does not take what is stated."""
    raise CallFailed(CallFault.REFUSED, "INVALID_REQUEST", fields=("subject_handle: another youth as listed",))


def hears_nothing(payload: bytes, claims: Any) -> Any:
    """An exchange whose answer does not come."""
    raise CallFailed(CallFault.TIMED_OUT)


async def raise_own_flag(
    at: County, request: missing_pb2.RaiseFlagRequest | None = None, *, kind: str = "flag.raised"
) -> missing_pb2.RaiseFlagResponse:
    """A flag of this agency's own youth, recorded at the exchange."""

    def flag_of(payload: bytes) -> bytes:
        report = gateway_missing.FlagReport.FromString(payload)
        return FlagStatement.FromString(report.flag_statement.payload).flag_id

    at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(at, kind, gateway_missing.RaiseFlagResponse, flag_id=flag_of)
    answer = await at.call("MissingService/RaiseFlag", request or absence(), missing_pb2.RaiseFlagResponse, "workers")
    return cast(missing_pb2.RaiseFlagResponse, answer)
