"""Alerts that repeat are told once: nothing that is new is ever among what is only counted."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.node.alerts import Alerts, Told
from adapters.node.store import open_store
from gateway.protocol.names import Purpose
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.link_pb2 import (
    ALERT_KIND_CHECKED,
    ALERT_KIND_LOCATED,
    ALERT_KIND_SUPPORTING_REPORT,
    Alert,
)

NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
QUIET = timedelta(minutes=15)
FLAGS = (b"f" * 16, b"g" * 16)
AGENCIES = ("06029.cwa", "06077.pd")
PURPOSES = (Purpose.HOTLINE_SCREEN, Purpose.MFC_HANDOFF)


@dataclass
class Screen:
    """The alerts of one adapter, and what a person has been told so far."""

    directory: Path
    now: datetime = NOW
    sequence: int = 0
    alerts: Alerts = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """The process is another one; only what is on disk is left."""
        self.alerts = Alerts(open_store(self.directory / "adapter.db"), quiet=QUIET)

    def arrives(
        self,
        *,
        flag: bytes = FLAGS[0],
        agency: str = AGENCIES[0],
        kind: int = ALERT_KIND_CHECKED,
        purpose: Purpose = PURPOSES[0],
        reported: datetime | None = None,
    ) -> int:
        """Its sequence."""
        self.sequence += 1
        message = Alert(sequence=self.sequence, subject_handle=b"h" * 16, flag_id=flag, acting_agency=agency)
        message.kind, message.purpose = kind, to_wire(purpose)  # type: ignore[assignment]
        message.leaf.create_time.FromDatetime(self.now)
        message.leaf.index = self.sequence + 1000
        if reported is not None:
            message.report_time.FromDatetime(reported)
        self.alerts.accept(message, self.now)
        return self.sequence

    def told(self, after: int = 0) -> list[Told]:
        """What a person is told after a sequence."""
        return list(self.alerts.told_after(after))


@pytest.fixture
def screen(tmp_path: Path) -> Screen:
    return Screen(tmp_path)


def test_five_hundred_checks_are_one_alert_with_count_and_times(screen: Screen) -> None:
    for _ in range(500):
        screen.arrives()
        screen.now += timedelta(seconds=1)
    (only,) = screen.told()
    assert only.run is not None
    assert (only.message.sequence, only.run.count) == (1, 500)
    assert only.run.last_ms - only.run.first_ms == 499_000
    assert screen.alerts.open_count() == 1
    # What is on disk, and so acknowledged toward the exchange, has no hole.
    assert screen.alerts.cursor() == 500


def test_what_goes_on_is_told_again_after_the_quiet_time_in_the_place_of_the_first(screen: Screen) -> None:
    first = screen.arrives()
    screen.now += QUIET - timedelta(seconds=1)
    screen.arrives()
    screen.now += timedelta(seconds=1)
    again = screen.arrives()
    (told,) = screen.told(first)
    assert told.message.sequence == again
    assert told.run is not None
    assert (told.run.count, told.run.last_ms - told.run.first_ms) == (3, 900_000)
    assert [each.message.sequence for each in screen.told()] == [again]
    assert screen.alerts.open_count() == 1


def test_after_a_person_took_note_the_next_one_is_told_at_once(screen: Screen) -> None:
    screen.arrives()
    screen.arrives()
    screen.alerts.note(1)
    new = screen.arrives()
    told = screen.told(1)
    assert [each.message.sequence for each in told] == [new]
    assert told[0].run is not None
    assert told[0].run.count == 1
    assert screen.alerts.open_count() == 1


@pytest.mark.parametrize(
    "another",
    [
        {"agency": AGENCIES[1]},
        {"flag": FLAGS[1]},
        {"purpose": PURPOSES[1]},
        {"kind": ALERT_KIND_LOCATED},
    ],
    ids=["agency", "flag", "purpose", "located"],
)
def test_another_agency_flag_purpose_and_a_located_report_are_told_at_once(
    screen: Screen, another: dict[str, object]
) -> None:
    screen.arrives()
    new = screen.arrives(**another)  # type: ignore[arg-type]
    assert [each.message.sequence for each in screen.told()] == [1, new]


def test_every_located_report_is_told(screen: Screen) -> None:
    for _ in range(3):
        screen.arrives(kind=ALERT_KIND_LOCATED)
    assert [each.message.sequence for each in screen.told()] == [1, 2, 3]
    assert screen.alerts.open_count() == 3


def test_a_run_goes_on_after_a_restart(screen: Screen) -> None:
    screen.arrives()
    screen.restart()
    screen.arrives()
    (only,) = screen.told()
    assert only.run is not None
    assert only.run.count == 2


def test_a_clock_that_was_set_back_silences_nothing(screen: Screen) -> None:
    screen.arrives()
    screen.now -= timedelta(hours=1)
    new = screen.arrives()
    assert [each.message.sequence for each in screen.told()] == [new]


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("arrives"),
            st.sampled_from(FLAGS),
            st.sampled_from(AGENCIES),
            st.sampled_from((ALERT_KIND_CHECKED, ALERT_KIND_LOCATED)),
            st.sampled_from(PURPOSES),
        ),
        st.tuples(st.just("waits"), st.integers(1, 30)),
        st.tuples(st.just("notes")),
        st.tuples(st.just("restarts")),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_no_first_sighting_is_ever_swallowed(steps: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as name:
        screen, waiting, told_at = Screen(Path(name)), dict[object, int](), dict[object, datetime]()
        for step in steps:
            if step[0] == "waits":
                screen.now += timedelta(minutes=int(str(step[1])))
            elif step[0] == "restarts":
                screen.restart()
            elif step[0] == "notes":
                screen.alerts.note(screen.sequence)
                waiting.clear()
                told_at.clear()
            else:
                _, flag, agency, kind, purpose = step
                sequence = screen.arrives(flag=flag, agency=agency, kind=kind, purpose=purpose)  # type: ignore[arg-type]
                key = sequence if kind == ALERT_KIND_LOCATED else (flag, agency, purpose)
                is_told = bool(screen.told(sequence - 1))
                due = key not in told_at or screen.now - told_at[key] >= QUIET
                assert is_told is due
                waiting[key] = waiting.get(key, 0) + 1
                if due:
                    told_at[key] = screen.now
        assert screen.alerts.open_count() == len(waiting)
        counted = [each.run.count if each.run is not None else 1 for each in screen.told()[-len(waiting) :]]
        assert not waiting or sorted(counted) == sorted(waiting.values())


def test_a_report_that_comes_again_after_a_loss_is_told_unless_a_person_took_note_of_it(screen: Screen) -> None:
    screen.arrives(kind=ALERT_KIND_LOCATED)
    reported = screen.now - timedelta(seconds=1)
    screen.now += timedelta(hours=2)
    again = screen.arrives(kind=ALERT_KIND_LOCATED, reported=reported)
    assert [each.message.sequence for each in screen.told()] == [1, again], "nobody is known to have read the first"
    screen.alerts.note(again)
    known = screen.arrives(kind=ALERT_KIND_LOCATED, reported=reported)
    assert screen.told(again) == []
    assert screen.alerts.open_count() == 0
    assert screen.alerts.cursor() == known, "it is stored, and acknowledged toward the exchange"


@pytest.mark.parametrize(
    "another",
    [
        {"agency": AGENCIES[1]},
        {"purpose": PURPOSES[1]},
        {"kind": ALERT_KIND_SUPPORTING_REPORT},
        {"reported": NOW - timedelta(minutes=4)},
        {"reported": NOW + timedelta(minutes=4)},
        {"reported": None},
    ],
    ids=["agency", "purpose", "kind", "earlier", "later", "new"],
)
def test_another_report_than_the_one_a_person_took_note_of_is_told(screen: Screen, another: dict[str, object]) -> None:
    screen.alerts.note(screen.arrives(kind=ALERT_KIND_LOCATED))
    screen.now += timedelta(hours=2)
    said: dict[str, object] = {"kind": ALERT_KIND_LOCATED, "reported": NOW} | another
    new = screen.arrives(**said)  # type: ignore[arg-type]
    assert [each.message.sequence for each in screen.told(1)] == [new]
    assert screen.alerts.open_count() == 1
