"""AccessLogService and StatusService: the county's own view of the log, and of its adapter. Parse, ask, build."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from adapters.errors import ErrorReason, Invalid
from adapters.local.interceptor import current_call
from adapters.local.wire import Reading, not_a_token, page_position, person, receipt, stamp
from adapters.node.access_words import field_text
from adapters.node.accesses import ANYBODY, About, Access, Accesses
from adapters.node.attest import newest_attestation
from adapters.records import LocalSubjectId
from gateway.protocol.names import Purpose
from homeward.county.v1 import access_pb2, access_pb2_grpc

DEFAULT_PAGE_SIZE: Final = 50
LAST_INDEX: Final = 2**63 - 1
"""No log has an entry behind this one."""


@dataclass(frozen=True, slots=True)
class AccessEdge:
    """What the service needs."""

    reading: Reading = field(repr=False)
    accesses: Accesses = field(repr=False)
    policy_version: Callable[[], str]


class AccessLogServicer(access_pb2_grpc.AccessLogServiceServicer):
    """Serves `homeward.county.v1.AccessLogService`."""

    def __init__(self, edge: AccessEdge) -> None:
        self._at = edge

    async def ListAccesses(
        self, request: access_pb2.ListAccessesRequest, context: Any
    ) -> access_pb2.ListAccessesResponse:
        """Entries that concern this agency, each verified here."""
        call = current_call()
        after_index = page_position(request.page_token, lowest=0, highest=LAST_INDEX)
        entry = self._at.reading.entry(
            request,
            call,
            request_id="",
            role=request.role,
            purpose=Purpose.OVERSIGHT_AUDIT,
        )
        page = await self._at.accesses.page(
            entry,
            request.filter,
            page_size=request.page_size or DEFAULT_PAGE_SIZE,
            after_index=-1 if after_index is None else after_index,
            deadline=call.deadline,
            about=_about(request, self._at.reading.now()),
            consistent_size=request.consistent_size,
        )
        if after_index is not None and after_index >= page.receipt.index:
            # The log has no such entry: a token that was invented, or of entries that were declared lost since. To
            # whoever goes on with it an empty page would be the end.
            raise not_a_token()
        return access_pb2.ListAccessesResponse(
            entries=[_entry(each, with_proof=request.with_proofs) for each in page.accesses],
            next_page_token="" if page.next_index is None else str(page.next_index),
            checkpoint=page.checkpoint,
            receipt=receipt(page.receipt, entry.request_id, self._at.policy_version()),
            reading=page.reading,
            log_key=page.log_key.vkey(),
            consistency_hashes=page.consistency,
            attestation=await asyncio.to_thread(newest_attestation, self._at.accesses.store),
            is_sealed=page.is_sealed,
            is_oversight=page.oversees,
        )


class StatusServicer(access_pb2_grpc.StatusServiceServicer):
    """Serves `homeward.county.v1.StatusService`."""

    def __init__(self, status: Callable[[], access_pb2.GetStatusResponse]) -> None:
        """`status` reads the adapter's state; it may block."""
        self._status = status

    async def GetStatus(self, request: access_pb2.GetStatusRequest, context: Any) -> access_pb2.GetStatusResponse:
        """Identity, link, sources and index state; names no youth."""
        return await asyncio.to_thread(self._status)


def _about(request: access_pb2.ListAccessesRequest, now: datetime) -> About:
    if request.local_id and request.HasField("youth"):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("local_id, youth: one of them",))
    if request.HasField("youth"):
        return About(person=person(request.youth, now))
    return About(local_id=LocalSubjectId(request.local_id)) if request.local_id else ANYBODY


def _entry(access: Access, *, with_proof: bool) -> access_pb2.AccessEntry:
    return access_pb2.AccessEntry(
        index=access.index,
        create_time=stamp(access.created),
        fields=[
            access_pb2.AccessField(name=name, value=field_text(name, value)) for name, value in access.opened.items()
        ],
        local_id=access.local_id,
        sentence=access.sentence,
        proof=access.proof if with_proof else None,
        requester_agency=access.parties.requester,
        holder_agency=access.parties.holder,
    )
