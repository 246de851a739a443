"""Things that happen at one moment: the same question twice, an alert on two streams, somebody else at the database."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.exc import OperationalError

from adapters import service
from adapters.errors import EvidenceInvalid
from adapters.node.alerts import Alerts, Arrival
from adapters.node.attest import await_entry
from adapters.node.store import open_store
from audit.leaf import LEAF_BYTES
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.link_pb2 import ALERT_KIND_LOCATED, Alert
from tests.integration.channel_kit import Authority
from tests.integration.local_kit import LOCATE, county, inquiry
from tests.integration.test_source_link import Visit, alert, remain, running, wait_for, welcome
from tests.unit.node.world import NOW


async def test_one_question_sent_several_times_at_once_is_asked_and_answered(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE, request_id=str(UUID(int=9))))
        answers = await asyncio.gather(
            *(at.call("MissingService/CheckFlag", request, missing_pb2.CheckFlagResponse, "workers") for _ in range(6))
        )
        sent = {payload for _, payload, _ in at.gateway.calls}
    assert {each.outcome for each in answers} == {codes.OUTCOME_ANSWERED}
    assert len(sent) == 1, "one identifier stands for the same bytes"


def test_an_alert_that_two_streams_bring_at_once_is_stored_once(tmp_path: Path) -> None:
    """A stream that ended may still be writing what the next one brings again."""
    store = open_store(tmp_path / "adapter.db")
    alerts, arrivals = Alerts(store), list[Arrival]()
    message = Alert(sequence=1, kind=ALERT_KIND_LOCATED, subject_handle=bytes(16), flag_id=bytes(16))
    message.leaf.create_time.FromDatetime(NOW)
    threads = [threading.Thread(target=lambda: arrivals.append(alerts.accept(message, NOW))) for _ in range(4)]
    with store.write():
        for thread in threads:
            thread.start()
        # All of them wait for their turn to write.
        threads[0].join(0.3)
    for thread in threads:
        thread.join(10)
    assert sorted(arrivals) == [Arrival.DUPLICATE] * 3 + [Arrival.STORED]
    store.close()


def test_two_entries_at_one_place_of_the_log_are_two_histories(tmp_path: Path) -> None:
    store = open_store(tmp_path / "adapter.db")
    with store.write() as connection:
        for _ in range(2):
            await_entry(connection, 5, b"a" * LEAF_BYTES)
        with pytest.raises(EvidenceInvalid):
            await_entry(connection, 5, b"b" * LEAF_BYTES)
    store.close()


def database(place: Path) -> Path:
    """The adapter's, somewhere below."""
    (path,) = place.rglob("adapter.db")
    return path


async def test_a_link_whose_database_somebody_else_uses_begins_again_and_loses_no_alert(tmp_path: Path) -> None:
    async def busy(visit: Visit) -> None:
        await welcome(visit)
        with closing(sqlite3.connect(database(tmp_path), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await visit.send(alert=alert(1))
            # Longer than a connection waits for its turn (`store`).
            await asyncio.sleep(6)
            other.execute("ROLLBACK")

    async def again(visit: Visit) -> None:
        assert visit.hello.alert_cursor == 0
        await welcome(visit)
        await visit.send(alert=alert(1))
        await remain(visit)

    async with running(tmp_path, Authority(), busy, again) as run:
        await asyncio.sleep(6)
        await wait_for(lambda: run.alerts.cursor() == 1)
        assert not run.task.done()


async def test_a_part_whose_database_was_in_use_begins_again_and_any_other_fault_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path / "adapter.db")
    monkeypatch.setattr(service, "BUSY_PAUSE_SECONDS", 0.01)
    begun = 0

    async def part() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            with closing(sqlite3.connect(tmp_path / "adapter.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with store.write() as connection:
                    connection.exec_driver_sql("PRAGMA busy_timeout=0")
                    connection.exec_driver_sql("DELETE FROM setting")
        if begun == 2:
            with store.write() as connection:
                connection.exec_driver_sql("DELETE FROM nothing_of_this_name")

    with pytest.raises(OperationalError):
        await service._lasting("part", part)
    assert begun == 2
    store.close()
