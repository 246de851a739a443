"""Alerts and notices are compared with the log on either database, whatever types its driver gives, page for page."""

import pytest
from sqlalchemy import bindparam, delete, insert

from audit.entry import Draft, Field, FieldClass
from audit.log import Append
from audit.reader import Reader
from audit.sequencer import INDEX
from audit.startup import create_log
from audit.statement import Statement
from gateway.exchange.notices import Copy, sent_as
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId
from gateway.store import tables, told
from gateway.store.told import AlertRow, ComparedAlerts, compare_alerts, telling
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED, ALERT_KIND_NOTICE
from homeward.gateway.v1.sealing_pb2 import NOTICE_FINDING_DONE, NOTICE_KIND_SEALED
from tests.integration.log_kit import KEYS, SIGNER, A, B, LogHome

NOTICE = b"n" * 16
COPIES = tuple(Copy(AgencyId(agency), b"sealed to it", b"k" * 16) for agency in (A, B))
PUT_SENT, PUT_COPY = Statement(insert(tables.sent_notice)), Statement(insert(tables.notice_copy))
DROP_COPY = Statement(delete(tables.notice_copy).where(tables.notice_copy.c.agency == bindparam("agency_")), "agency_")
DROP_ALERT = Statement(delete(tables.alert).where(tables.alert.c.sequence == bindparam("sequence_")), "sequence_")


@pytest.fixture
def home(place: LogHome) -> LogHome:
    create_log(place.store, signer=SIGNER, high_water=place.high_water, also=[tables.metadata])
    return place


def leaf(kind: Kind, requester: str, **said: str) -> Draft:
    fields = {"kind": str(kind), **said}
    drafted = tuple(Field(FieldClass.OP, name, value.encode()) for name, value in fields.items())
    return Draft(drafted, None, requester, None)


async def test_what_an_entry_says_of_alerts_and_notices_compares_on_either_database(
    home: LogHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "_PAGE", 2)
    log, reader = home.open(), Reader(home.store)

    def compared() -> ComparedAlerts:
        return reader.read(lambda tx: compare_alerts(tx, KEYS.op, {}))

    checked = AlertRow(A, ALERT_KIND_CHECKED, B, "MFC_LOCATE", 1_790_000_000_000, mark=b"m" * 16, sealed=b"\xff\0")
    for _ in range(3):
        await log.append(Append(leaf(Kind.DECISION, B), says=telling([checked])))
    sealed = [
        AlertRow(
            each.agency, ALERT_KIND_NOTICE, A, "", 1_790_000_000_000, NOTICE, sealed=sent_as(NOTICE_KIND_SEALED, each)
        )
        for each in COPIES
    ]
    rows = [(PUT_SENT, (NOTICE, A, NOTICE_KIND_SEALED, 1_790_000_000_000, INDEX))]
    rows += [(PUT_COPY, (NOTICE, each.agency, each.sealed, each.key_id, 0, INDEX)) for each in COPIES]
    await log.append(Append(leaf(Kind.SEAL_RESTRICTED, A), rows=tuple(rows), says=telling(sealed)))
    assert compared() == ComparedAlerts()
    answered = [(DROP_COPY, (B,)), (PUT_COPY, (NOTICE, B, b"", b"k" * 16, NOTICE_FINDING_DONE, INDEX))]
    answer = leaf(Kind.NOTICE_ACKNOWLEDGED, B, notice=NOTICE.hex(), outcome="NOTICE_FINDING_DONE")
    await log.append(Append(answer, rows=tuple(answered)))
    assert compared() == ComparedAlerts()
    # What is planted is found.
    planted = ((DROP_ALERT, (2,)), (DROP_COPY, (B,)), (DROP_COPY, (A,)))
    await log.append(Append(leaf(Kind.NOTICE_LISTED, A), rows=planted))
    found = compared()
    assert [each.index for each in found.missing] == [1, 3]
    assert (found.wrong, found.copies) == (
        {(A, 4): 3}, {(NOTICE, B): (b"", b"k" * 16, NOTICE_FINDING_DONE, 4)}
    )  # fmt: skip
    await log.close()
    reader.close()
