"""What flag checks rest on: one object for a second, and made anew with whatever it depends on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway.exchange.circumstances import Known
from gateway.exchange.coverage import Listing
from gateway.protocol.directory import DirectoryView
from homeward.gateway.v1.directory_pb2 import Directory

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Surroundings:
    """A directory without members, a clock, and how often lists were read and youths counted."""

    def __init__(self) -> None:
        self.now = NOW
        self.directory = view("e1")
        self.read = 0

    async def listings(self) -> Sequence[Listing]:
        self.read += 1
        return ()

    async def records(self) -> int:
        return 7

    def known(self) -> Known:
        return Known(
            lambda: self.directory, listings=self.listings, records=self.records, auto=True, now=lambda: self.now
        )


def view(epoch: str) -> DirectoryView:
    return DirectoryView(Directory(epoch=epoch))


async def test_within_a_second_all_rest_on_one_object() -> None:
    around = Surroundings()
    known = around.known()
    first = await known.of_flag_checks()
    around.now += timedelta(milliseconds=999)
    assert await known.of_flag_checks() is first
    around.now += timedelta(milliseconds=1)
    assert await known.of_flag_checks() is not first


async def test_another_directory_makes_it_anew_at_once() -> None:
    around = Surroundings()
    known = around.known()
    first = await known.of_flag_checks()
    around.directory = view("e2")
    following = await known.of_flag_checks()
    assert (set(first.stale), set(following.stale)) == ({"e1"}, {"e2"})


async def test_a_clock_that_goes_back_makes_it_anew() -> None:
    around = Surroundings()
    known = around.known()
    first = await known.of_flag_checks()
    around.now -= timedelta(milliseconds=1)
    assert await known.of_flag_checks() is not first
