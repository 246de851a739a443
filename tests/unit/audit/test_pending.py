"""The queue in front of the writer: bounded, ordered, and when a batch is due."""

import threading
import time

import pytest

from audit.errors import LogBusy, LogUnavailable
from audit.pending import Pending


def _queue(limit: int = 100, batch: int = 8, window: float = 0.05) -> Pending[int]:
    return Pending(limit=limit, batch=batch, window_seconds=window)


def test_batches_keep_the_order_and_the_size_limit() -> None:
    queue = _queue()
    for item in range(20):
        queue.put(item)
    assert [queue.take(), queue.take(), queue.take()] == [[*range(8)], [*range(8, 16)], [*range(16, 20)]]


def test_full_queue_refuses_at_once() -> None:
    queue = _queue(limit=2)
    queue.put(1)
    queue.put(2)
    with pytest.raises(LogBusy):
        queue.put(3)
    assert queue.take() == [1, 2]


def test_single_entry_after_a_single_entry_is_due_at_once() -> None:
    queue = _queue(window=5.0)
    for item in range(3):
        queue.put(item)
        assert queue.take() == [item]


def test_after_a_larger_batch_the_writer_waits_for_as_many_but_not_past_the_window() -> None:
    queue = _queue(window=0.05)
    queue.put(1)
    queue.put(2)
    assert queue.take() == [1, 2]
    queue.put(3)
    started = time.monotonic()
    assert queue.take() == [3]
    assert time.monotonic() - started >= 0.04


def test_a_waiting_writer_is_woken_when_as_many_as_last_time_have_come() -> None:
    queue = _queue(window=10.0)
    queue.put(1)
    queue.put(2)
    queue.take()
    taken: list[list[int]] = []
    writer = threading.Thread(target=lambda: taken.append(queue.take()))
    writer.start()
    for item in (3, 4):
        time.sleep(0.01)
        queue.put(item)
    writer.join(5)
    assert taken == [[3, 4]]


def test_stopped_queue_refuses_but_gives_out_what_was_waiting() -> None:
    queue = _queue()
    queue.put(1)
    queue.stop()
    with pytest.raises(LogUnavailable):
        queue.put(2)
    assert queue.take() == [1]
    assert queue.take() == []


def test_stopping_wakes_a_waiting_writer() -> None:
    queue = _queue()
    taken: list[list[int]] = []
    writer = threading.Thread(target=lambda: taken.append(queue.take()))
    writer.start()
    time.sleep(0.01)
    queue.stop()
    writer.join(5)
    assert taken == [[]]
