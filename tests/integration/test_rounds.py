"""The rounds of publishing in a serving gateway: witnesses, quorum, full disks, damaged rows, and a restart."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.errors import EvidenceError, EvidenceReason, LogRecovering, LogUnavailable, StopReason
from audit.log import Append, Log, LogState
from audit.policy import Policy, Witness, k_of
from audit.publish import Publisher
from audit.published import verify_published
from audit.quorum import Standing, WitnessPeer, WitnessSilent
from audit.reader import Reader
from audit.source import DirectorySource
from audit.store_sqlite import SqliteStore
from audit.submission import Status
from audit.witness_serve import serving_witness
from gateway.errors import Unavailable
from gateway.protocol.names import AgencyId
from gateway.publishing.cosigned_sizes import CosignedSizes
from gateway.publishing.outside import outside_witnesses
from gateway.publishing.rounds import Rounds
from gateway.publishing.shown import Shown
from gateway.publishing.witnessed import Witnessed
from tests.integration.log_kit import SIGNER, LogHome, draft
from tests.integration.published_kit import answering, fill, filled_home
from tests.integration.witness_kit import HonestPeer, HostilePeer, cosigner, open_witness

COUNT = 300
POLICY = k_of(2, tuple(Witness(name.upper(), cosigner(name).public) for name in "abc"))
NOBODY = k_of(0, ())


@pytest.fixture
def home(tmp_path: Path) -> LogHome:
    return filled_home(tmp_path / "log", COUNT)


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[list[HonestPeer]]:
    witnesses = [(name, open_witness(tmp_path / f"{name}.db", name)) for name in "abc"]
    yield [HonestPeer(name, witness) for name, witness in witnesses]
    for _, witness in witnesses:
        witness.close()


class Setting:
    """A gateway's publishing on one log."""

    def __init__(
        self,
        home: LogHome,
        peers: list[WitnessPeer],
        policy: Policy,
        *,
        limit: timedelta,
        log: Log | None = None,
        shown: Shown | None = None,
    ) -> None:
        reader = Reader(home.store)
        self.peers = peers
        self.witnessed = Witnessed(waits=False, limit=limit, now=lambda: datetime.now(UTC))
        self.published = home.directory.parent / "published"
        self.rounds = Rounds(
            Publisher(reader, self.published, signer=SIGNER), reader, peers=lambda: self.peers,
            policy=lambda: policy, witnessed=self.witnessed, interval_seconds=0.02, log=log, shown=shown,
            sizes=CosignedSizes(home.directory / "cosigned.sizes", origin=SIGNER.public.origin),
        )  # fmt: skip

    async def until(self, size: int) -> None:
        """The witnessed size is at least this."""
        async with asyncio.timeout(10):
            while self.witnessed.size < size:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    home: LogHome,
    peers: list[WitnessPeer],
    policy: Policy,
    *,
    limit: timedelta = timedelta(days=1),
    log: Log | None = None,
    shown: Shown | None = None,
) -> AsyncIterator[Setting]:
    setting = Setting(home, peers, policy, limit=limit, log=log, shown=shown)
    await setting.rounds.begin()
    task = asyncio.create_task(setting.rounds.run())
    try:
        yield setting
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_published_log_carries_its_quorum_and_grows(home: LogHome, peers: list[HonestPeer]) -> None:
    async with running(home, list(peers), POLICY) as setting:
        await setting.until(COUNT)
        await asyncio.to_thread(fill, home, 70, start=COUNT)
        await setting.until(COUNT + 70)
        found = verify_published(DirectorySource(setting.published), key=SIGNER.public, policy=POLICY)
    assert (found.checkpoint.size, len(found.cosigned)) == (COUNT + 70, 3)


async def test_without_its_quorum_no_checkpoint_is_published_and_disclosure_stops(
    home: LogHome, peers: list[HonestPeer]
) -> None:
    silent: list[WitnessPeer] = [
        peers[0],
        HostilePeer("b", lambda _: (500, b"")),
        HostilePeer("c", lambda _: (422, b"")),
    ]
    async with running(home, silent, POLICY, limit=timedelta(0)) as setting:
        async with asyncio.timeout(10):
            while not setting.rounds.standings:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
        assert not (setting.published / "checkpoint").exists()
        assert setting.witnessed.stopped
        assert sorted(setting.rounds.standings.values()) == [Standing.COSIGNED, Standing.JUNK, Standing.REFUSED]
        setting.peers[1:] = peers[1:]
        await setting.until(COUNT)
        async with asyncio.timeout(10):
            while setting.witnessed.stopped:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)


async def test_6_rows_that_do_not_hold_together_end_it(home: LogHome) -> None:
    with sqlite3.connect(home.directory / "log.db") as connection:
        connection.execute("UPDATE log_node SET hash = zeroblob(32) WHERE level = 3 AND position = 7")
    connection.close()
    setting = Setting(home, [], NOBODY, limit=timedelta(days=1))
    with pytest.raises(EvidenceError) as caught:
        await asyncio.wait_for(setting.rounds.run(), 10)
    assert caught.value.reason is EvidenceReason.NODE
    assert not (setting.published / "checkpoint").exists()


async def test_3_a_full_tile_volume_stops_nothing_but_the_publishing_and_is_tried_again(
    home: LogHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, refused = os.fsync, asyncio.Event()
    loop = asyncio.get_running_loop()

    def full(descriptor: int) -> None:
        loop.call_soon_threadsafe(refused.set)
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    async with running(home, [], NOBODY, limit=timedelta(0)) as setting:
        await asyncio.wait_for(refused.wait(), 10)
        assert setting.witnessed.size == 0
        monkeypatch.setattr(os, "fsync", sync)
        await setting.until(COUNT)
    assert verify_published(DirectorySource(setting.published), key=SIGNER.public).checkpoint.size == COUNT


async def test_7_a_restored_store_discloses_nothing_once_a_quorum_of_witnesses_knows_more(
    home: LogHome, peers: list[HonestPeer], tmp_path: Path
) -> None:
    backup = tmp_path / "backup"
    shutil.copytree(home.directory, backup)
    async with running(home, list(peers), POLICY) as setting:
        await setting.until(COUNT)
        await asyncio.to_thread(fill, home, 70, start=COUNT)
        await setting.until(COUNT + 70)
    shutil.rmtree(setting.published)
    restored = LogHome(backup, SqliteStore(backup / "log.db"))
    for count, standing in ((10, Standing.AHEAD), (100, Standing.REFUSED)):
        await asyncio.to_thread(fill, restored, count, start=5000)
        async with running(restored, list(peers), POLICY) as again:
            async with asyncio.timeout(10):
                while not again.witnessed.stopped:  # noqa: ASYNC110 - another task's doing
                    await asyncio.sleep(0.01)
            assert set(again.rounds.standings.values()) == {standing}
            assert not (again.published / "checkpoint").exists()
            with pytest.raises(Unavailable):
                again.witnessed.check()


async def test_one_witness_alone_cannot_stop_an_exchange(home: LogHome, peers: list[HonestPeer]) -> None:
    lying = HostilePeer("c", lambda _: (422, b""))
    async with running(home, [*peers[:1], lying], POLICY) as setting:
        async with asyncio.timeout(10):
            while Standing.REFUSED not in setting.rounds.standings.values():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert not setting.witnessed.stopped


async def test_after_a_restart_old_unwitnessed_entries_stop_disclosure_before_the_first_round(
    home: LogHome, peers: list[HonestPeer]
) -> None:
    async with running(home, list(peers), POLICY) as setting:
        await setting.until(COUNT)
    again = Setting(home, [], POLICY, limit=timedelta(0))
    await again.rounds.begin()
    assert (again.witnessed.size, again.witnessed.stopped) == (COUNT, False)
    await asyncio.to_thread(fill, home, 1, start=COUNT)
    await again.rounds.begin()
    assert again.witnessed.stopped


async def test_outside_witnesses_of_the_policy_are_asked_over_http_and_a_dead_one_is_silent(
    home: LogHome, peers: list[HonestPeer], tmp_path: Path
) -> None:
    witness = open_witness(tmp_path / "outside.db", "outside", from_log_alone=False)
    with answering(serving_witness(witness, tuple, "127.0.0.1", 0)) as url:
        outside = Witness("outside", cosigner("outside").public, url)
        dead = Witness("dead", cosigner("dead").public, "http://127.0.0.1:9/")
        policy = Policy((), (outside, dead, *POLICY.witnesses), (), "outside")
        asked = outside_witnesses(policy)
        assert [each.name for each in asked] == ["outside.example/w", "dead.example/w"]
        async with running(home, [*asked, peers[0]], policy) as setting:
            await setting.until(COUNT)
            await asyncio.to_thread(fill, home, 70, start=COUNT)
            await setting.until(COUNT + 70)
            assert setting.rounds.standings["dead.example/w"] is Standing.SILENT
            assert setting.rounds.standings["outside.example/w"] is Standing.COSIGNED
        found = verify_published(DirectorySource(setting.published), key=SIGNER.public, policy=policy)
    assert "outside.example/w" in {each.key.name for each in found.cosigned}
    for each in asked:
        each.close()
    witness.close()


async def test_7_a_store_that_most_witnesses_have_seen_longer_takes_no_more_entries(
    home: LogHome, peers: list[HonestPeer]
) -> None:
    """Everything on the gateway's own machine was put back together: only its witnesses know."""
    kept = {name: (home.directory / name).read_bytes() for name in ("log.db", "high-water")}
    async with running(home, list(peers), POLICY) as setting:
        await asyncio.to_thread(fill, home, 70, start=COUNT)
        await setting.until(COUNT + 70)
    for name, content in kept.items():
        (home.directory / name).write_bytes(content)
    for left in home.directory.glob("log.db-*"):
        left.unlink()
    shutil.rmtree(setting.published)
    log = home.open()
    assert log.state is LogState.OPEN, "nothing here tells"
    async with running(home, list(peers), POLICY, log=log) as setting:
        async with asyncio.timeout(10):
            while log.state is LogState.OPEN:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
        assert set(setting.rounds.standings.values()) == {Standing.AHEAD}
        with pytest.raises(LogRecovering):
            await log.append(Append(draft()))
        assert not (setting.published / "checkpoint").exists()
    assert log.state is LogState.RECOVERING
    await log.close()


async def test_12_one_witness_that_claims_to_know_more_stops_nobody(home: LogHome, peers: list[HonestPeer]) -> None:
    liar = HostilePeer("c", lambda _: (409, b"100000\n"))
    log = home.open()
    async with running(home, [*peers[:2], liar], POLICY, log=log) as setting:
        await setting.until(COUNT)
        assert list(setting.rounds.standings.values()).count(Standing.AHEAD) == 1
        await log.append(Append(draft()))
        await setting.until(COUNT + 1)
    assert log.state is LogState.OPEN
    await log.close()


async def test_12_the_only_witness_that_is_linked_stops_nobody_by_a_claim(home: LogHome) -> None:
    log = home.open()
    liar = HostilePeer("c", lambda _: (409, b"100000\n"))
    async with running(home, [liar], NOBODY, log=log) as setting:
        await setting.until(COUNT)
        assert list(setting.rounds.standings.values()) == [Standing.AHEAD]
        await log.append(Append(draft()))
        await setting.until(COUNT + 1)
    assert log.state is LogState.OPEN
    await log.close()


async def test_6_rows_that_do_not_hold_together_stop_the_log_and_say_so(home: LogHome) -> None:
    log = home.open()
    with sqlite3.connect(home.directory / "log.db") as connection:
        connection.execute("UPDATE log_node SET hash = zeroblob(32) WHERE level = 3 AND position = 7")
    connection.close()
    async with running(home, [], NOBODY, log=log):
        async with asyncio.timeout(10):
            while log.state is LogState.OPEN:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
    assert (log.state, log.stopped_for) == (LogState.FAILED, StopReason.ROOT)
    with pytest.raises(LogUnavailable):
        await log.append(Append(draft()))
    assert home.explain() is StopReason.ROOT


class LateWitness:
    """An honest witness that links while a round is under way: what it was first asked is lost."""

    def __init__(self, witness: HonestPeer) -> None:
        self.name, self.keys = witness.name, witness.keys
        self._witness = witness
        self._is_linked = False
        self.answers: list[int] = []

    async def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Is silent once; then answers as it does."""
        if not self._is_linked:
            self._is_linked = True
            raise WitnessSilent(self.name)
        status, answer = await self._witness.add_checkpoint(body)
        self.answers.append(status)
        return status, answer


@pytest.mark.parametrize("newer", [0, 70], ids=["all of it published", "some of it not published yet"])
async def test_7_whoever_is_asked_while_a_start_waits_is_told_of_one_history(
    home: LogHome, peers: list[HonestPeer], newer: int
) -> None:
    """A process that ends leaves entries that it had not published; its next start asks for the quorum again."""
    async with running(home, list(peers), POLICY) as setting:
        await setting.until(COUNT)
    await asyncio.to_thread(fill, home, newer, start=COUNT)
    log, reader = home.open(), Reader(home.store)
    shown = Shown(log, SIGNER.public, stored=lambda: reader.tree().size, enough=POLICY.is_met_by)
    shown.ask([AgencyId("06037.cwa")], seconds=0.01)
    asked = LateWitness(peers[0])
    async with running(home, [asked], POLICY, log=log, shown=shown) as setting:
        async with asyncio.timeout(10):
            while len(asked.answers) < 5:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
        assert set(asked.answers) == {Status.OTHER_SIZE, Status.COSIGNED}, "it names its size, and cosigns"
        assert shown.asks, "it is alone"
        setting.peers.append(peers[1])
        await asyncio.wait_for(shown.answered(), 10)
    await log.close()
    reader.close()
