"""Reconciliation and the draw: differences are named by their entries; a seed draws the same for everybody."""

import hashlib
import hmac
from datetime import date

from audit.reconcile import Confirmation, Release, reconcile
from audit.sample import draw

MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
A, B = "06001.cwa", "06029.cwa"


def test_each_day_of_each_direction_is_counted_and_its_differences_are_named() -> None:
    releases = [
        Release(10, MONDAY, A, B),
        Release(12, MONDAY, A, B),
        Release(14, MONDAY, B, A),
        Release(20, TUESDAY, A, B),
    ]
    confirmations = [Confirmation(11, 10, True), Confirmation(15, 14, False), Confirmation(30, 99, True)]
    days = reconcile(releases, confirmations)
    assert [(day.day, day.requester, day.released, day.confirmed) for day in days] == [
        (MONDAY, A, 2, 1),
        (MONDAY, B, 1, 1),
        (TUESDAY, A, 1, 0),
    ]
    assert [day.unconfirmed for day in days] == [(12,), (), (20,)]
    assert [day.damaged for day in days] == [(), (14,), ()]
    assert all(day.differs for day in days)


def test_nothing_differs_where_everything_was_confirmed() -> None:
    (day,) = reconcile([Release(1, MONDAY, A, B)], [Confirmation(2, 1, True)])
    assert not day.differs


def test_the_draw_is_the_rule_that_is_written_down() -> None:
    origin, seed, population = "log.example", "lottery 11-25", range(0, 400, 2)
    key = hashlib.sha256(b"homeward/sample/v1\0log.example\0lottery 11-25").digest()
    ranks = {index: hmac.digest(key, index.to_bytes(8, "big"), "sha256") for index in population}
    expected = sorted(sorted(population, key=ranks.__getitem__)[:25])
    assert draw(population, 25, seed=seed, origin=origin) == expected
    assert draw(reversed(population), 25, seed=seed, origin=origin) == expected
    assert draw(population, 25, seed="another", origin=origin) != expected
    assert draw([4, 2], 25, seed=seed, origin=origin) == [2, 4]
    # A test vector, so that another implementation can be compared.
    assert draw(range(1000), 5, seed="homeward", origin="log.example/homeward") == VECTOR


VECTOR = [68, 73, 111, 542, 715]
