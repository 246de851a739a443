"""What an adapter shows as overdue: the county's own episodes, by the exchange's clocks, until staff say it is done."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.flag_words import overdue_lines
from adapters.node.alerts import Alerts
from adapters.node.duties import SHOWN, OwnDuties
from adapters.node.flags import OwnFlags
from adapters.node.identifiers import timestamp
from adapters.node.own_flag import FlagIssuer, OwnFlag
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.store import Store, open_store
from adapters.records import LocalSubjectId
from gateway.protocol.names import FlagId, FlagState, HandlingCode, SubjectHandle
from gateway.protocol.reporting_duties import DUTIES
from gateway.protocol.signing import SigningKey
from homeward.county.v1.access_pb2 import OverdueDuty
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED, ALERT_KIND_LOCATED, Alert
from homeward.gateway.v1.missing_pb2 import DUTY_FOUND_REPORT, DUTY_NCMEC_REPORT, DUTY_TRIBE_NOTICE
from homeward.gateway.v1.records_pb2 import FlagLocate

LEARNED = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
FLAG, HANDLE = FlagId(b"f" * 16), SubjectHandle(b"h" * 16)
HOURS = timedelta(hours=1)


@dataclass
class Desk:
    """One county's adapter with one open flag."""

    store: Store
    issuer: FlagIssuer
    flag: OwnFlag

    def overdue(self, at: datetime) -> list[int]:
        return [each.duty for each in OwnDuties(self.store).overdue(at)]

    def hears(self, kind: int, at: datetime, sequence: int = 1) -> None:
        message = Alert(sequence=sequence, subject_handle=HANDLE, flag_id=FLAG, acting_agency="06077.pd")
        message.kind = kind  # type: ignore[assignment]
        message.leaf.create_time.FromDatetime(at)
        Alerts(self.store).accept(message, at)

    def states(self, state: FlagState) -> None:
        self.flag = self.issuer.changed(self.flag, now=LEARNED + HOURS, state=state)
        OwnFlags(self.store).keep(self.flag)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    store, issuer = open_store(tmp_path / "adapter.db"), FlagIssuer("06075", SigningKey.generate())
    flag = issuer.raised(
        FLAG, HANDLE, handling_code=HandlingCode.CALL_DUTY_LINE, learned=LEARNED, locate=FlagLocate(), now=LEARNED
    )
    OwnFlags(store).keep(flag)
    return Desk(store, issuer, flag)


def test_each_duty_is_overdue_a_day_after_the_absence_was_learned_of(desk: Desk) -> None:
    assert desk.overdue(LEARNED + 24 * HOURS) == []
    assert desk.overdue(LEARNED + 25 * HOURS) == list(DUTIES)


def test_what_staff_did_or_what_does_not_apply_is_overdue_no_more(desk: Desk) -> None:
    OwnDuties(desk.store).settle(FLAG, [DUTY_NCMEC_REPORT, DUTY_TRIBE_NOTICE])
    OwnDuties(desk.store).settle(FLAG, [DUTY_NCMEC_REPORT])
    assert set(desk.overdue(LEARNED + 25 * HOURS)) == set(DUTIES) - {DUTY_NCMEC_REPORT, DUTY_TRIBE_NOTICE}


def test_the_first_word_that_a_youth_was_found_starts_the_found_report(desk: Desk) -> None:
    OwnDuties(desk.store).settle(FLAG, DUTIES)
    desk.hears(ALERT_KIND_CHECKED, LEARNED, 1)
    desk.hears(ALERT_KIND_LOCATED, LEARNED + 2 * HOURS, 2)
    desk.hears(ALERT_KIND_LOCATED, LEARNED + 9 * HOURS, 3)
    assert desk.overdue(LEARNED + 26 * HOURS) == []
    (late,) = OwnDuties(desk.store).overdue(LEARNED + 27 * HOURS)
    assert (late.flag_id, late.duty, late.due) == (FLAG, DUTY_FOUND_REPORT, LEARNED + 26 * HOURS)


def test_a_check_says_nothing_of_a_youth_having_been_found(desk: Desk) -> None:
    desk.hears(ALERT_KIND_CHECKED, LEARNED)
    assert DUTY_FOUND_REPORT not in desk.overdue(LEARNED + 99 * HOURS)


def test_of_a_resolved_episode_the_found_report_is_left_for_thirty_days(desk: Desk) -> None:
    desk.states(FlagState.RESOLVED)
    OwnDuties(desk.store).found(FLAG, LEARNED + HOURS)
    assert desk.overdue(LEARNED + 26 * HOURS) == [DUTY_FOUND_REPORT]
    assert desk.overdue(LEARNED + timedelta(days=40)) == []


def test_a_flag_raised_by_mistake_leaves_no_duty(desk: Desk) -> None:
    desk.states(FlagState.ENTERED_IN_ERROR)
    assert desk.overdue(LEARNED + 99 * HOURS) == []


def test_a_status_names_a_hundred_duties_at_most(desk: Desk) -> None:
    for number in range(SHOWN):
        flag = desk.issuer.raised(
            FlagId(number.to_bytes(16, "big")),
            HANDLE,
            handling_code=HandlingCode.CALL_DUTY_LINE,
            learned=LEARNED,
            locate=FlagLocate(),
            now=LEARNED,
        )
        OwnFlags(desk.store).keep(flag)
    assert len(desk.overdue(LEARNED + 25 * HOURS)) == SHOWN


def test_nothing_of_a_sealed_youths_duties_is_left(desk: Desk) -> None:
    OwnDuties(desk.store).settle(FLAG, DUTIES)
    desk.hears(ALERT_KIND_LOCATED, LEARNED)
    SealedSubjects(desk.store, bytes(32)).take_up(LocalSubjectId("invented-1"), HANDLE)
    with desk.store.read() as connection:
        for table in ("settled_duty", "found_flag"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0  # noqa: S608


def test_an_overdue_duty_is_one_line_that_says_what_to_do() -> None:
    due = OverdueDuty(flag_id=FLAG, duty=DUTY_FOUND_REPORT, due_time=timestamp(LEARNED))
    (line,) = overdue_lines([due])
    assert line.startswith(f"FAIL  flag {FLAG.hex()}: FOUND_REPORT is overdue since 2026-11-26 03:00 UTC")


def test_what_was_reported_by_mistake_leaves_no_found_report_and_what_is_heard_since_does(desk: Desk) -> None:
    duties, said = OwnDuties(desk.store), LEARNED + 2 * HOURS
    duties.settle(FLAG, DUTIES)
    desk.hears(ALERT_KIND_LOCATED, LEARNED + HOURS)
    duties.settle(FLAG, [DUTY_FOUND_REPORT])
    duties.not_found(FLAG, said)
    assert desk.overdue(LEARNED + 40 * HOURS) == []
    desk.hears(ALERT_KIND_LOCATED, LEARNED + 3 * HOURS, sequence=2)
    duties.not_found(FLAG, said)
    assert desk.overdue(LEARNED + 27 * HOURS) == []
    assert desk.overdue(LEARNED + 28 * HOURS) == [DUTY_FOUND_REPORT]
