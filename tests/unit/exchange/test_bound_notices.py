"""Notices are what the log says: none is taken out, put in another's place or said to be answered unseen.

Whoever holds the gateway's database could else keep from an agency that a youth was sealed, and tell the youth's owner
that it had deleted what it kept.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit.errors import EvidenceError, EvidenceReason
from audit.followed import Contradiction, Rule
from gateway.exchange.journal import Kind
from gateway.store import tables
from tests.unit.exchange.members import KERN, POLICE, SF, officer
from tests.unit.exchange.seal_desk import ANA, acknowledge, listed, lived, notices, restrict
from tests.unit.exchange.test_mended import mend, plan
from tests.unit.exchange.test_told import edit
from tests.unit.exchange.token_authority_desk import replayed
from tests.unit.exchange.world import World

LOST = {
    "one is taken out": ("DELETE FROM notice_copy WHERE finding = 0",),
    "all are taken out": ("DELETE FROM notice_copy", "DELETE FROM sent_notice"),
    "one says nothing": ("UPDATE notice_copy SET sealed = x'' WHERE finding = 0",),
    "one says something else": ("UPDATE notice_copy SET sealed = zeroblob(length(sealed)) WHERE finding = 0",),
    "one is text": ("UPDATE notice_copy SET sealed = CAST(hex(sealed) AS TEXT) WHERE finding = 0",),
    "one is another agency's": ("UPDATE notice_copy SET agency = '06037.cwa' WHERE finding = 0",),
    "one is of an agency that nobody asks for": (
        "UPDATE notice_copy SET agency = CAST(agency AS BLOB) WHERE finding = 0",
    ),
    "one is said to be answered": (
        "UPDATE notice_copy SET leaf_index = (SELECT max(idx) FROM log_entry) WHERE finding = 0",
        "UPDATE notice_copy SET sealed = x'', finding = 1 WHERE finding = 0",
    ),
}
"""What is left of the copy is not what was sent."""
WRITTEN = {
    "one is for another key": ("UPDATE notice_copy SET key_id = zeroblob(16) WHERE finding = 0",),
    "the notice is of another kind": ("UPDATE sent_notice SET kind = 3",),
    "the notice is gone": ("DELETE FROM sent_notice",),
    "the notice is another agency's": ("UPDATE sent_notice SET owner = '06037.cwa'",),
    "the notice is of another time": ("UPDATE sent_notice SET create_ms = create_ms + 1",),
    "the notice is by another entry": ("UPDATE sent_notice SET leaf_index = leaf_index - 1",),
    "one that waits is said to be answered, and left": (
        "UPDATE notice_copy SET finding = 1, leaf_index = (SELECT max(idx) FROM log_entry) WHERE finding = 0",
    ),
    "an answer is gone": ("DELETE FROM notice_copy WHERE agency = '06029.cwa'",),
    "an answer is another": ("UPDATE notice_copy SET finding = finding + 1 WHERE agency = '06029.cwa'",),
    "an answer is by another entry": ("UPDATE notice_copy SET leaf_index = leaf_index - 1 WHERE agency = '06029.cwa'",),
    "an answer is none": (
        "UPDATE notice_copy SET finding = 0 WHERE agency = '06029.cwa'",
        "UPDATE notice_copy SET leaf_index = (SELECT leaf_index FROM sent_notice) WHERE finding = 0",
    ),
    "what was answered waits again": ("UPDATE notice_copy SET sealed = zeroblob(40) WHERE agency = '06029.cwa'",),
    "somebody else is sent one": (
        "CREATE TEMP TABLE copied AS SELECT * FROM notice_copy WHERE agency = '06029.cwa'",
        "UPDATE copied SET agency = '06037.cwa'",
        "INSERT INTO notice_copy SELECT * FROM copied",
    ),
    "one more is sent": (
        "CREATE TEMP TABLE copied AS SELECT * FROM sent_notice",
        "UPDATE copied SET notice_id = zeroblob(16)",
        "INSERT INTO sent_notice SELECT * FROM copied",
    ),
}
"""What it must be, entries and alerts say whole."""


@pytest.fixture
async def sent(tmp_path: Path) -> AsyncIterator[World]:
    """A youth is sealed: its owner, the police and Kern are sent a notice; Kern and the owner have answered."""
    world = World(tmp_path)
    done = await restrict(world, (await lived(world))[ANA])
    await acknowledge(world, KERN, done.seal_id)
    await acknowledge(world, SF, done.seal_id)
    assert {row["agency"] for row in world.rows(tables.notice_copy)} == {KERN, POLICE, SF}
    world.check_projections()
    replayed(world)
    yield world
    await world.log.close()
    world.reader.close()
    world.authority_keys.close()
    world.youth_keys.close()


def at_odds(world: World) -> None:
    """A start is refused, and so are `fsck` and a mirror's round, which ask the same."""
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert found.value.reason is EvidenceReason.PROJECTION


def rows(world: World) -> list[list[dict[str, object]]]:
    return [sorted(world.rows(table), key=repr) for table in (tables.notice_copy, tables.sent_notice)]


@pytest.mark.parametrize("edits", WRITTEN.values(), ids=WRITTEN.keys())
async def test_what_entries_say_of_notices_is_written_from_them(
    sent: World, tmp_path: Path, edits: tuple[str, ...]
) -> None:
    before = rows(sent)
    edit(tmp_path, *edits)
    at_odds(sent)
    mending = await mend(sent, tmp_path)
    assert mending.alerts == 0
    assert rows(sent) == before
    (waiting,) = await notices(sent, POLICE)
    await acknowledge(sent, POLICE, waiting[0])
    sent.check_projections()


@pytest.mark.parametrize("edits", LOST.values(), ids=LOST.keys())
async def test_a_lost_notice_is_lost_with_its_alert(sent: World, tmp_path: Path, edits: tuple[str, ...]) -> None:
    """Its agency hears that one is lost; nobody can say any more what it said."""
    edit(tmp_path, *edits)
    at_odds(sent)
    with pytest.raises(Contradiction) as found:
        replayed(sent)
    assert found.value.rule is Rule.TOLD
    mending = await mend(sent, tmp_path)
    assert mending.alerts == 1
    (leaf,) = await sent.leaves(sent.size() - 1)
    assert leaf.kind == Kind.TABLES_MENDED
    replayed(sent)
    assert await notices(sent, POLICE) == []
    assert plan(sent, tmp_path) is None


async def test_a_list_of_who_has_answered_says_when_the_entry_was_written(sent: World) -> None:
    (notice,) = (await listed(sent, officer(SF))).notices
    answered = [leaf.entry for leaf in await sent.leaves() if leaf.kind == Kind.NOTICE_ACKNOWLEDGED]
    times = {copy.agency: copy.acknowledge_time for copy in notice.copies if copy.HasField("acknowledge_time")}
    assert {agency: time.ToMilliseconds() for agency, time in times.items()} == {
        entry.requester: entry.time_ms for entry in answered
    }
    assert times.keys() == {KERN, SF}
