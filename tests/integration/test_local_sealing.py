"""A sealing order on its way: who is off the list when, whatever becomes of the order."""

import secrets
from pathlib import Path
from typing import Any
from uuid import UUID

from adapters.flag_words import unanswered_lines
from adapters.node import rpcs, tables
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.sealed_subjects import SealedSubjects
from homeward.county.v1 import access_pb2, sealing_pb2
from homeward.gateway.v1 import sealing_pb2 as gateway_sealing
from tests.integration.local_kit import OWN_HANDLE, OWN_YOUTH, County, county, refusal
from tests.integration.report_kit import hears_nothing, recorded, refuses
from tests.unit.node.world import ASKER, NOW, keys

IDENTIFIER = str(UUID(int=9))


def order(at: County) -> sealing_pb2.SealRequest:
    """To restrict the agency's one youth."""
    with at.store.write() as connection:
        connection.execute(
            tables.subject.insert().prefix_with("OR IGNORE").values(local_id=OWN_YOUTH, handle=OWN_HANDLE)
        )
    return sealing_pb2.SealRequest(
        request_id=IDENTIFIER,
        operation=gateway_sealing.SEAL_OPERATION_RESTRICT,
        local_id=OWN_YOUTH,
        case_reference="INVENTED-CASE-1",
    )


def marks(at: County) -> SealedSubjects:
    """What is on disk, as after a restart."""
    return SealedSubjects(at.store, keys().rings[ASKER].commitment).load()


async def test_the_youth_is_off_the_list_before_the_order_leaves_and_stays_so_without_an_answer(tmp_path: Path) -> None:
    seen = []

    async with county(tmp_path) as at:

        def leaves(payload: bytes, claims: Any) -> Any:
            seen.append(marks(at).is_sealed(OWN_YOUTH))
            return hears_nothing(payload, claims)

        request = order(at)
        at.gateway.answers[rpcs.SEAL.path] = leaves
        await refusal(at, "SealingService/Seal", request, "privacy")
        assert seen == [True]
        assert (marks(at).is_sealed(OWN_YOUTH), marks(at).unanswered()) == (True, 1)
        told = unanswered_lines(access_pb2.GetStatusResponse(unanswered_seal_count=marks(at).unanswered()))
        assert told == [
            "warn  sealing orders without an answer: 1, their youths are off the list; give each order again"
        ]
        at.gateway.answers[rpcs.SEAL.path] = recorded(
            at, "seal.restricted", gateway_sealing.SealResponse, seal_id=secrets.token_bytes(16)
        )
        await at.call("SealingService/Seal", request, sealing_pb2.SealResponse, "privacy")
        assert (marks(at).is_sealed(OWN_YOUTH), marks(at).unanswered()) == (True, 0)


async def test_an_order_that_never_leaves_takes_nobody_off_the_list(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = order(at)
        with at.store.write() as connection:
            # The identifier stood for something else.
            row = {"request_id": UUID(IDENTIFIER).bytes, "method": "Recall", "digest": b"", "payload": b"?"}
            connection.execute(tables.request.insert().values(**row, create_ms=int(NOW.timestamp() * 1000)))
        found = await refusal(at, "SealingService/Seal", request, "privacy")
        assert (found.reason, at.gateway.calls) == ("ID_REUSED", [])
        assert (marks(at).is_sealed(OWN_YOUTH), marks(at).unanswered()) == (False, 0)


async def test_an_order_that_the_exchange_refuses_puts_the_youth_back(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = order(at)
        for answer in (refuses, _not_ready):
            at.gateway.answers[rpcs.SEAL.path] = answer
            await refusal(at, "SealingService/Seal", request, "privacy")
        assert marks(at).is_sealed(OWN_YOUTH), "nobody knows what became of the second"
        at.gateway.answers[rpcs.SEAL.path] = refuses
        await refusal(at, "SealingService/Seal", request, "privacy")
        assert (marks(at).is_sealed(OWN_YOUTH), marks(at).unanswered()) == (False, 0)


def _not_ready(payload: bytes, claims: Any) -> Any:
    raise CallFailed(CallFault.UNAVAILABLE)
