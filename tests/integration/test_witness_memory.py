"""A witness that was put back would cosign a fork: a gateway knows it, also after a restart of its own."""

from __future__ import annotations

import asyncio
import logging
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cosignature import Cosigner
from audit.note import parse_note
from audit.policy import Witness, k_of
from audit.quorum import MOST_KEYS, Quorum, Remembered, Standing
from audit.submission import encode_size
from audit.witness import Witness as OpenWitness
from gateway.publishing.cosigned_sizes import CosignedSizes
from gateway.state import StateBroken
from tests.integration.log_kit import SIGNER
from tests.integration.published_kit import fill, filled_home
from tests.integration.test_rounds import Setting, running
from tests.integration.witness_kit import NOW, HonestPeer, HostilePeer, Told, cosigner, open_witness

COUNT = 40
POLICY = k_of(2, tuple(Witness(name.upper(), cosigner(name).public) for name in "abc"))
ORIGIN = SIGNER.public.origin
_DAY = timedelta(days=1)


def key_of(name: str) -> str:
    return f"{cosigner(name).public.name}+{cosigner(name).public.key_id.hex()}"


class Place:
    """A log, what its gateway keeps beside it, and the states of its witnesses."""

    def __init__(self, directory: Path, count: int = COUNT) -> None:
        self.directory = directory
        self.home = filled_home(directory / "log", count)
        self.sizes = self.home.directory / "cosigned.sizes"
        self.size = count

    def state(self, name: str) -> Path:
        return self.directory / f"{name}.db"

    async def grow(self) -> None:
        await asyncio.to_thread(fill, self.home, 10, start=self.size)
        self.size += 10

    async def life(self, *names: str) -> dict[str, Standing]:
        """Gateway and witnesses are started on what there is, and ended; how each of these witnesses answered."""
        opened: list[OpenWitness] = [open_witness(self.state(name), name) for name in names]
        peers = [HonestPeer(name, witness) for name, witness in zip(names, opened, strict=True)]
        async with running(self.home, list(peers), POLICY) as setting:
            await self._heard(setting, len(names))
        for witness in opened:
            witness.close()
        found = {name.partition(".")[0]: standing for name, standing in setting.rounds.standings.items()}
        # What is published is what the policy asks: whoever forgot is missing in it.
        counting = [name for name, standing in found.items() if standing is Standing.COSIGNED]
        assert (setting.witnessed.size == self.size) == (len(counting) >= 2)
        return found

    async def _heard(self, setting: Setting, count: int) -> None:
        async with asyncio.timeout(10):
            while len(setting.rounds.standings) < count:  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
        # The round ends after that; one that is cut off shows nothing.
        await asyncio.sleep(0)
        if sum(each is Standing.COSIGNED for each in setting.rounds.standings.values()) >= 2:
            await setting.until(self.size)


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """A and B cosigned all of the log; of yesterday there is a copy of B's state."""
    place = await asyncio.to_thread(Place, tmp_path)
    assert await place.life("a", "b") == {"a": Standing.COSIGNED, "b": Standing.COSIGNED}
    shutil.copy(place.state("b"), tmp_path / "yesterday.db")
    await place.grow()
    assert await place.life("a", "b") == {"a": Standing.COSIGNED, "b": Standing.COSIGNED}
    return place


@pytest.mark.parametrize("whole", [True, False], ids=["put back to yesterday", "begun anew under its old key"])
async def test_a_witness_that_was_put_back_while_the_gateway_was_down_has_no_voice(place: Place, whole: bool) -> None:
    for left in place.directory.glob("b.db*"):
        left.unlink()
    if whole:
        shutil.copy(place.directory / "yesterday.db", place.state("b"))
    await place.grow()
    assert await place.life("a", "b") == {"a": Standing.COSIGNED, "b": Standing.FORGOT}
    # It was shown the log all the same and knows all of it again: that does not make it honest.
    await place.grow()
    assert await place.life("a", "b") == {"a": Standing.COSIGNED, "b": Standing.FORGOT}
    assert await place.life("a", "b", "c") == {
        "a": Standing.COSIGNED, "b": Standing.FORGOT, "c": Standing.COSIGNED,
    }, "another key counts"  # fmt: skip


async def test_a_log_that_was_cosigned_before_its_first_entry_starts_again(tmp_path: Path) -> None:
    place = await asyncio.to_thread(Place, tmp_path, 0)
    opened = [open_witness(place.state(name), name) for name in "ab"]
    async with running(place.home, [HonestPeer(each, at) for each, at in zip("ab", opened, strict=True)], POLICY):
        async with asyncio.timeout(10):
            while not place.sizes.exists():  # noqa: ASYNC110 - another task's doing
                await asyncio.sleep(0.01)
    for witness in opened:
        witness.close()
    assert CosignedSizes(place.sizes, origin=ORIGIN).load() == {key_of(name): Remembered(0) for name in "ab"}
    await place.grow()
    assert await place.life("a", "b") == {"a": Standing.COSIGNED, "b": Standing.COSIGNED}


async def test_an_operator_readmits_a_key_by_taking_its_line_out_of_what_is_kept(place: Place) -> None:
    shutil.copy(place.directory / "yesterday.db", place.state("b"))
    await place.grow()
    assert (await place.life("a", "b"))["b"] is Standing.FORGOT
    kept = place.sizes.read_text().splitlines(keepends=True)
    assert kept == [f"{ORIGIN}\n", f"{key_of('b')} {COUNT + 10} FORGOT\n", f"{key_of('a')} {COUNT + 20}\n"]
    place.sizes.write_text("".join(line for line in kept if not line.endswith("FORGOT\n")))
    assert (await place.life("a", "b"))["b"] is Standing.COSIGNED


async def test_what_was_kept_of_another_log_counts_for_nothing(place: Place) -> None:
    before = CosignedSizes(place.sizes, origin=ORIGIN).load()
    assert before == {key_of(name): Remembered(COUNT + 10) for name in "ab"}
    after = CosignedSizes(place.sizes, origin=f"{ORIGIN}-2")
    assert after.load() == {}
    after.keep({key_of("a"): Remembered(3)})
    assert CosignedSizes(place.sizes, origin=f"{ORIGIN}-2").load() == {key_of("a"): Remembered(3)}


GOOD = f"{ORIGIN}\n{key_of('a')} 50\n{key_of('b')} 40 FORGOT\n"


@pytest.mark.parametrize(
    "damaged",
    [
        b"", GOOD[:-1].encode(), GOOD.replace(" 50", " 050").encode(), GOOD.replace(" 50", " ").encode(),
        GOOD.replace("FORGOT", "FORGIVEN").encode(), GOOD.replace("\n", "\n\n", 1).encode(), b"\xff" + GOOD.encode(),
        GOOD.replace(key_of("b"), key_of("a")).encode(), GOOD.partition("\n")[2].encode(), bytes(60),
    ],
)  # fmt: skip
async def test_a_damaged_file_is_named_and_passed_over_by_nobody(place: Place, damaged: bytes) -> None:
    place.sizes.write_text(GOOD)
    assert CosignedSizes(place.sizes, origin=ORIGIN).load()[key_of("b")] == Remembered(40, has_forgotten=True)
    place.sizes.write_bytes(damaged)
    with pytest.raises(StateBroken, match=r"cosigned\.sizes: .*; move it away"):
        await Setting(place.home, [], POLICY, limit=_DAY).rounds.begin()
    place.sizes.unlink()
    await Setting(place.home, [], POLICY, limit=_DAY).rounds.begin()


async def test_a_size_is_kept_before_what_it_cosigned_is_shown(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The file cannot be written: nothing is published, and it is tried again."""
    (place.sizes.with_name("cosigned.sizes.partial")).mkdir()
    await place.grow()
    opened = [open_witness(place.state(name), name) for name in "ab"]
    peers = [HonestPeer(name, witness) for name, witness in zip("ab", opened, strict=True)]
    async with running(place.home, list(peers), POLICY) as setting:
        with caplog.at_level(logging.ERROR):
            async with asyncio.timeout(10):
                while "log not published" not in caplog.text:  # noqa: ASYNC110 - another task's doing
                    await asyncio.sleep(0.01)
        assert setting.witnessed.size == COUNT + 10
        place.sizes.with_name("cosigned.sizes.partial").rmdir()
        await setting.until(place.size)
    for witness in opened:
        witness.close()


async def test_of_one_name_a_few_keys_are_remembered_and_no_other_name_pays_for_them() -> None:
    told, honest = Told(8), {key_of("a"): Remembered(5, has_forgotten=True), key_of("b"): Remembered(8)}
    quorum, keys = Quorum(told.consistency), []
    quorum.remember(honest)
    for number in range(2 * MOST_KEYS):
        made = Cosigner("c.example/w", Ed25519PrivateKey.from_private_bytes(bytes((number + 1,)) * 32))
        line = made.sign(told.checkpoint(8), NOW).text().encode()
        peer = HostilePeer("c", lambda _, line=line: (200, line))  # type: ignore[misc]
        peer.keys = (made.public,)
        gathered = await quorum.gather(parse_note(told.note(8)), [peer], POLICY)
        assert gathered.standings == {"c.example/w": Standing.COSIGNED}
        keys.append(f"c.example/w+{made.public.key_id.hex()}")
        assert quorum.remembered == honest | {key: Remembered(8) for key in keys[-MOST_KEYS:]}


async def test_whoever_names_less_than_it_cosigned_and_nothing_more_has_forgotten_too() -> None:
    told, before = Told(8), {key_of("c"): Remembered(5)}
    quorum = Quorum(told.consistency)
    quorum.remember(before)
    for size, after in ((5, before), (4, {key_of("c"): Remembered(5, has_forgotten=True)})):
        await quorum.gather(
            parse_note(told.note(8)),
            [HostilePeer("c", lambda _, size=size: (409, encode_size(size)))],
            POLICY,  # type: ignore[misc]
        )
        assert quorum.remembered == after
