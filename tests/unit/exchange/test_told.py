"""What agencies are told is what the log says: no alert is taken out, renumbered, moved or altered unseen.

Whoever holds the gateway's database could else keep from a county that somebody has found its youth.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from audit.errors import EvidenceError, EvidenceReason
from audit.followed import Contradiction, Rule
from gateway.exchange.journal import Kind
from gateway.protocol.match_keys import SOUND_KEY
from gateway.protocol.succession import ALERTS_OF_A_LOG
from gateway.store import tables
from gateway.store.alert_keys import AlertKeys
from gateway.store.alerts import Alerts
from gateway.store.told import AlertRow, ComparedAlerts, compare_alerts, triple_of
from homeward.gateway.v1.sealing_pb2 import NOTICE_KIND_WRONG_YOUTH
from tests.unit.exchange.members import LA, POLICE, handle_of, officer
from tests.unit.exchange.seal_desk import recall, restrict
from tests.unit.exchange.spine_parts import EPOCH, OWNER
from tests.unit.exchange.spine_world import World as Spine
from tests.unit.exchange.test_authorities import ANA
from tests.unit.exchange.test_mended import mend, plan
from tests.unit.exchange.test_presented import lose
from tests.unit.exchange.test_reviews import PLACEMENT
from tests.unit.exchange.token_authority_desk import replayed
from tests.unit.exchange.world import World

TAKEN_OUT = (
    "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 2",
    "UPDATE alert SET sequence = sequence - 1 WHERE agency = '06037.cwa' AND sequence > 2",
)
EDITS = {
    "one is taken out and those after it renumbered": TAKEN_OUT,
    "the newest is cut off": ("DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 4",),
    "all of an agency's are cut off": ("DELETE FROM alert WHERE agency = '06037.cwa'",),
    "all of everybody's are cut off": ("DELETE FROM alert",),
    "the oldest, which was acknowledged long ago, is gone": (
        "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 1",
    ),
    "one is another agency's": (
        "UPDATE alert SET agency = '06075.cwa', sequence = 1 WHERE agency = '06037.cwa' AND sequence = 4",
    ),
    "two have changed places": (
        "UPDATE alert SET sequence = 9 WHERE agency = '06037.cwa' AND sequence = 2",
        "UPDATE alert SET sequence = 2 WHERE agency = '06037.cwa' AND sequence = 3",
        "UPDATE alert SET sequence = 3 WHERE agency = '06037.cwa' AND sequence = 9",
    ),
    "one is told twice": (
        "CREATE TEMP TABLE copied AS SELECT * FROM alert WHERE agency = '06037.cwa' AND sequence = 4",
        "UPDATE copied SET sequence = 5",
        "INSERT INTO alert SELECT * FROM copied",
    ),
    "one is of another kind": ("UPDATE alert SET kind = kind + 1 WHERE sequence = 3 AND agency = '06037.cwa'",),
    "one names another agency": ("UPDATE alert SET acting_agency = '06075.cwa' WHERE sequence = 3",),
    "one is of another time": ("UPDATE alert SET create_ms = create_ms + 1 WHERE sequence = 3",),
    "one says another purpose": ("UPDATE alert SET purpose = '' WHERE sequence = 3",),
    "one says nothing any more": ("UPDATE alert SET sealed = x'', mark = x'' WHERE sequence = 3",),
    "one is by another entry": ("UPDATE alert SET leaf_index = leaf_index - 1 WHERE sequence = 3",),
    "a notice is another": ("UPDATE alert SET notice_id = zeroblob(16) WHERE notice_id != x''",),
    "one is of an agency that nobody asks for": (
        "UPDATE alert SET agency = CAST(agency AS BLOB) WHERE sequence = 4 AND agency = '06037.cwa'",
    ),
    "one is by no entry": (
        "CREATE TABLE other AS SELECT * FROM alert WHERE sequence = 1 AND agency = '06037.cwa'",
        "UPDATE other SET sequence = 9, leaf_index = -7",
        "INSERT INTO alert SELECT * FROM other",
    ),
    "digests are made up": ("UPDATE alert SET digests = zeroblob(40), epoch = '2026-1' WHERE sequence = 3",),
}


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[World]:
    """Los Angeles is told four times, the police once."""
    made = World(tmp_path)
    handle = await made.register(LA, ANA)
    await made.heartbeat(LA)
    await made.raise_flag(LA, ANA, handle=handle)
    await made.raise_flag(POLICE, ANA)
    for _ in range(3):
        await made.check_flag(POLICE, ANA)
    await recall(made, handle_of(LA, ANA), NOTICE_KIND_WRONG_YOUTH, act=officer(LA))
    numbers = [(row["agency"], row["sequence"]) for row in made.rows(tables.alert)]
    assert sorted(numbers) == [*((LA, number) for number in range(1, 5)), (POLICE, 1)], numbers
    yield made
    await made.log.close()
    made.reader.close()
    made.authority_keys.close()
    made.youth_keys.close()


def edit(path: Path, *statements: str) -> None:
    """Edits the database, or the one in this directory."""
    database = path / "gateway.db" if path.is_dir() else path
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def at_odds(world: World) -> None:
    """A start is refused, and so are `fsck` and a mirror's round, which ask the same."""
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert (found.value.reason, "alert" in str(found.value)) == (EvidenceReason.PROJECTION, True)


@pytest.mark.parametrize("edits", EDITS.values(), ids=EDITS.keys())
@pytest.mark.parametrize("is_after_a_loss", [False, True], ids=["", "after a declared loss"])
async def test_what_somebody_is_told_is_what_the_log_says(
    told: World, tmp_path: Path, edits: tuple[str, ...], is_after_a_loss: bool
) -> None:
    if is_after_a_loss:
        await lose(told)
    told.check_projections()
    edit(tmp_path, *edits)
    at_odds(told)


async def test_what_is_told_after_a_loss_is_checked_as_well(told: World, tmp_path: Path) -> None:
    await lose(told)
    await told.check_flag(POLICE, ANA)
    told.check_projections()
    edit(tmp_path, "DELETE FROM alert WHERE sequence = (SELECT max(sequence) FROM alert)")
    at_odds(told)


async def test_alerts_of_a_sealed_youth_are_checked_as_before(told: World, tmp_path: Path) -> None:
    await restrict(told, handle_of(LA, ANA), act=officer(LA))
    (leaf,) = await told.leaves(told.size() - 1)
    assert leaf.kind == Kind.SEAL_RESTRICTED
    told.check_projections()
    edit(tmp_path, *TAKEN_OUT)
    at_odds(told)


async def test_digests_end_with_their_epoch_and_not_before(tmp_path: Path) -> None:
    """What an entry says of them keeps nobody from erasing them, and them from nobody before."""
    spine = Spine(tmp_path, auto=False)
    spine.register("known", keys=(SOUND_KEY,))
    await spine.records(PLACEMENT)

    def compared(epochs: dict[str, tuple[str, int]]) -> ComparedAlerts:
        return spine.reader.read(lambda tx: compare_alerts(tx, spine.keys.op, epochs))

    current, ended = {EPOCH: ("CURRENT", 5)}, {EPOCH: ("ENDING", 5)}
    assert compared(current) == compared(ended) == ComparedAlerts()
    edit(spine.path, "UPDATE alert SET digests = x'', epoch = '' WHERE epoch != ''")
    assert compared(ended) == ComparedAlerts()
    ((key, index),) = compared(current).wrong.items()
    assert (key, [each.index for each in compared(current).missing]) == ((OWNER, 1), [index])
    # An epoch that ended before the entry had nothing to do with it, nor has another that ended since.
    assert compared({"2025": ("ENDED", index)}) == compared(current)
    assert compared({**current, "2025": ("ENDED", 5)}) == compared(current)
    edit(spine.path, "UPDATE alert SET digests = zeroblob(60), epoch = 'e1' WHERE sequence = 1")
    assert index in compared(ended).wrong.values()
    await spine.close()


async def test_what_is_lost_of_alerts_is_said_and_what_is_left_stays(told: World, tmp_path: Path) -> None:
    feed = Alerts(told.lookups, AlertKeys(told.lookups, told.youth_keys))
    before = {(row["agency"], row["sequence"]): row for row in told.rows(tables.alert)}
    edit(tmp_path, *TAKEN_OUT)
    at_odds(told)
    mending = await mend(told, tmp_path)
    # The one taken out, and the two that were renumbered: of these no entry says what the rows say.
    assert mending.alerts == 3
    (leaf,) = await told.leaves(told.size() - 1)
    assert leaf.kind == Kind.TABLES_MENDED
    assert {(row["agency"], row["sequence"]): row for row in told.rows(tables.alert)} == {
        key: before[key] for key in ((LA, 1), (POLICE, 1))
    }
    assert plan(told, tmp_path) is None
    # The next has a number that none had, and it alone is told; nobody takes it for the one after the first.
    await told.check_flag(POLICE, ANA)
    told.check_projections()
    assert [alert.sequence for alert in await feed.after(LA, 1)] == [ALERTS_OF_A_LOG + 1]
    edit(tmp_path, "DELETE FROM alert WHERE sequence = 1 AND agency = '06037.cwa'")
    at_odds(told)


async def test_no_alert_is_taken_out_in_the_place_of_one_that_comes_back(told: World, tmp_path: Path) -> None:
    """Whoever has a copy of the lost rows keeps the count with them; which ones are lost is in the log."""
    edit(
        tmp_path,
        "CREATE TABLE copied AS SELECT * FROM alert WHERE agency = '06037.cwa' AND sequence = 2",
        "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 2",
    )
    mending = await mend(told, tmp_path)
    assert mending.alerts == 1
    edit(
        tmp_path,
        "INSERT INTO alert SELECT * FROM copied",
        "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 3",
    )
    at_odds(told)


async def test_an_adapter_that_lacks_a_lost_alert_hears_that_it_is_lost(told: World, tmp_path: Path) -> None:
    feed = Alerts(told.lookups, AlertKeys(told.lookups, told.youth_keys))
    assert [await feed.is_lost(LA, after) for after in range(5)] == [False] * 5
    edit(tmp_path, "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence IN (2, 4)")
    await mend(told, tmp_path)
    assert [await feed.is_lost(LA, after) for after in range(5)] == [False, True, False, False, False]
    await told.check_flag(POLICE, ANA)
    # After 3 nothing is known to be missing: the log that follows begins with its own first number.
    assert [await feed.is_lost(LA, after) for after in range(5)] == [False, True, False, False, False]


def test_what_an_entry_says_of_an_alert_stays_what_stored_logs_were_written_in() -> None:
    """The worked example of audit/README.md, "Alerts"."""
    row = AlertRow("06037.cwa", 1, "06077.example-pd", "MFC_LOCATE", 1_790_000_000_000, mark=bytes(range(16)))
    said = (
        b"\0\0\0\x0906037.cwa" + b"\0\0\0\x08" + (7).to_bytes(8, "big") + b"\0\0\0\x08" + (1).to_bytes(8, "big")
        + b"\0\0\0\x1006077.example-pd" + b"\0\0\0\x0aMFC_LOCATE"
        + b"\0\0\0\x08" + (1_790_000_000_000).to_bytes(8, "big")
        + b"\0\0\0\0" + b"\0\0\0\x10" + bytes(range(16)) + b"\0\0\0\0"
    )  # fmt: skip
    first = sha256(b"homeward/told/v1\0" + said).digest()[:16]
    second = sha256(b"homeward/told-ending/v1\0" + b"\0\0\0\x10" + first + b"\0\0\0\0" * 2).digest()[:16]
    third = sha256(b"homeward/told-until/v1\0" + b"\0\0\0\x10" + first + b"\0\0\0\0").digest()[:16]
    assert triple_of(row.values(7, 99)) == first + second + third
    assert (first + second + third).hex() == (
        "b23edb4aa501f63d41c1f9222471a9023a88cff683d3dee20785bc2dee7140bb7e8046ec957e8499f81d367baff8d698"
    )


async def test_a_replay_follows_what_a_declared_loss_took_of_alerts_and_nothing_else(
    told: World, tmp_path: Path
) -> None:
    replayed(told)
    edit(tmp_path, "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 2")
    await mend(told, tmp_path)
    replayed(told)
    edit(tmp_path, "DELETE FROM alert WHERE agency = '06037.cwa' AND sequence = 3")
    with pytest.raises(Contradiction) as found:
        replayed(told)
    assert found.value.rule is Rule.TOLD


@pytest.mark.parametrize(
    "made_up",
    [
        "UPDATE copied SET sequence = 5, leaf_index = (SELECT min(idx) FROM log_entry)",
        "UPDATE copied SET sequence = 5, leaf_index = (SELECT max(idx) + 1 FROM log_entry)",
    ],
    ids=["by an entry that tells nobody", "by no entry"],
)
async def test_an_alert_that_no_entry_names_is_found(told: World, tmp_path: Path, made_up: str) -> None:
    edit(
        tmp_path,
        "CREATE TEMP TABLE copied AS SELECT * FROM alert WHERE agency = '06037.cwa' AND sequence = 4",
        made_up,
        "INSERT INTO alert SELECT * FROM copied",
    )
    at_odds(told)
