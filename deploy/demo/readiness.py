"""When an agency of the sandbox is ready for questions.

Decides by what the adapter itself says of its state: stream up, token keys usable, youths listed, sources fresh.
"""

import time
from typing import Final

import grpc

from deploy.demo.counties import Agency, SourceKind
from deploy.demo.county import CALL_SECONDS, Calls, County
from deploy.demo.processes import READY_SECONDS, Running, is_alive
from homeward.county.v1.access_pb2 import GetStatusRequest, GetStatusResponse
from homeward.failure import CommandFailure

_POLL_SECONDS: Final = 0.05


def wait_ready(county: County, agency: Agency, adapter: Running) -> None:
    """The agency can ask, and what it lists can be found. Raises `CommandFailure`."""
    deadline = time.monotonic() + READY_SECONDS
    status: GetStatusResponse | None = None
    with county.channel() as channel:
        calls = Calls(channel)
        while time.monotonic() < deadline and is_alive(adapter):
            status = _status(calls)
            if status is not None and _is_ready(status, has_source=agency.source is not SourceKind.NONE):
                return
            time.sleep(_POLL_SECONDS)
    raise CommandFailure(
        "SBX-006",
        f"{agency.title} did not become ready",
        where=str(adapter.log),
        why=_lacking(status),
        fix="read the log named above and those beside it",
    )


def _status(calls: Calls) -> GetStatusResponse | None:
    try:
        response: GetStatusResponse = calls.status.GetStatus(GetStatusRequest(), timeout=CALL_SECONDS)
    except grpc.RpcError as refused:
        if refused.code() is grpc.StatusCode.UNAVAILABLE:
            return None
        raise
    return response


def _is_ready(status: GetStatusResponse, *, has_source: bool) -> bool:
    listed = not has_source or (status.listed_count > 0 and all(source.freshness == "ok" for source in status.sources))
    return status.link_up and status.tokens_ready and listed


def _lacking(status: GetStatusResponse | None) -> str:
    if status is None:
        return "its local endpoint does not answer"
    states = {"link": status.link_up, "token keys": status.tokens_ready, "youths listed": status.listed_count > 0}
    return "missing: " + ", ".join(name for name, is_there in states.items() if not is_there)
