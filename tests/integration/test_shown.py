"""What one adapter can prove when it links, and what none can: that the log's database was put back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner
from audit.errors import LogRecovering
from audit.highwater import read_high_water
from audit.log import Append, Log, LogState
from audit.reader import Reader
from gateway.errors import ErrorReason, Unavailable
from gateway.protocol.names import AgencyId
from gateway.publishing.shown import Shown, carried_out
from gateway.recovery.held import HeldMember, HeldRevocations, Revoking
from tests.integration.log_kit import SIGNER, LogHome, append_one, draft, fill, sqlite_home
from tests.integration.witness_kit import Told, cosigner

COUNT, MORE = 20, 30
A, B = AgencyId("06037.cwa"), AgencyId("06059.cwa")
OTHER_KEY = LogSigner(SIGNER.public.origin, Ed25519PrivateKey.from_private_bytes(b"x" * 32))
CLOSED = LogSigner(f"{SIGNER.public.origin}-0", Ed25519PrivateKey.from_private_bytes(b"s" * 32))


@dataclass(frozen=True)
class At:
    log: Log
    shown: Shown
    home: LogHome


@asynccontextmanager
async def started(
    tmp_path: Path,
    *awaited: AgencyId,
    attested: Collection[AgencyId] = (),
    seconds: float = 30,
    needed: int = 1,
    unheard: bool = False,
) -> AsyncIterator[At]:
    """A log of so many entries, which does not know of more, and asks these adapters."""
    home = sqlite_home(tmp_path)
    await fill(home, COUNT)
    log, reader = home.open(may_recover=True), Reader(home.store)
    shown = Shown(log, SIGNER.public, stored=lambda: reader.tree().size, enough=lambda keys: len(keys) >= needed)
    shown.ask(awaited, attested=attested, seconds=seconds, unheard=unheard)
    try:
        yield At(log, shown, home)
    finally:
        await log.close()
        reader.close()


def note(size: int = MORE, *, signer: LogSigner = SIGNER) -> str:
    """As an adapter keeps it: with its own cosignature behind the log's signature."""
    told = Told(MORE, signer=signer)
    return told.note(size) + cosigner("a").sign(told.checkpoint(size), 1).text()


async def is_late(at: At) -> bool:
    """Whether the start refuses calls, once it knows; one that begins says nothing here."""
    async with asyncio.timeout(10):
        return not await at.shown.answering()


async def test_one_note_of_the_logs_own_key_is_enough_and_is_known_at_the_next_start(tmp_path: Path) -> None:
    async with started(tmp_path) as at:
        await at.shown.hear(A, note())
        with pytest.raises(LogRecovering):
            await at.log.append(Append(draft()))
        assert (at.log.state, at.log.behind and at.log.behind.known_size) == (LogState.RECOVERING, MORE)
    assert read_high_water(at.home.high_water, SIGNER.public).size == MORE
    assert at.home.high_water.read_bytes().count("\u2014".encode()) == 1, "the log's own signature alone"
    again = at.home.open(may_recover=True)
    assert again.state is LogState.RECOVERING, "whoever restarts it hides nothing"
    await again.close()


async def test_of_what_adapters_show_the_most_must_come_back(tmp_path: Path) -> None:
    async with started(tmp_path) as at:
        for size in (MORE - 5, MORE, MORE - 3):
            await at.shown.hear(A, note(size))
        assert at.log.behind is not None
        assert at.log.behind.known_size == MORE
    assert read_high_water(at.home.high_water, SIGNER.public).size == MORE


@pytest.mark.parametrize(
    "shown",
    [
        note(signer=OTHER_KEY),
        note(signer=CLOSED),
        note().replace(f"\n{MORE}\n", "\n1000000\n"),
        note(COUNT),
        "",
        "junk",
        f"{SIGNER.public.origin}\n{10**18}\n\n",
    ],
    ids=["another key", "a closed log", "a larger size", "no more than there is", "none", "junk", "unsigned"],
)
async def test_what_the_log_did_not_sign_or_already_has_stops_nobody(tmp_path: Path, shown: str) -> None:
    async with started(tmp_path) as at:
        for _ in range(3):
            await at.shown.hear(A, shown)
        assert (await append_one(at.log)).index == COUNT
        assert at.log.state is LogState.OPEN


async def test_nothing_is_written_before_those_who_may_know_more_were_heard(tmp_path: Path) -> None:
    async with started(tmp_path, A, B) as at:
        first = asyncio.create_task(append_one(at.log))
        await at.shown.hear(A, note(COUNT))
        done, _ = await asyncio.wait({first}, timeout=0.3)
        assert not done, "B may know more"
        await at.shown.hear(B, note())
        with pytest.raises(LogRecovering):
            await first
    reader = Reader(at.home.store)
    assert reader.tree().size == COUNT, "no second history has begun"
    reader.close()


async def test_a_start_goes_on_as_soon_as_all_were_heard(tmp_path: Path) -> None:
    async with started(tmp_path, A, B) as at:
        first = asyncio.create_task(append_one(at.log))
        for agency in (A, B):
            await at.shown.hear(agency, note(COUNT))
        assert (await first).index == COUNT


async def test_seconds_alone_begin_nothing_and_one_that_cosigned_since_does(tmp_path: Path) -> None:
    async with started(tmp_path, A, B, seconds=0.1) as at:
        first = asyncio.create_task(append_one(at.log))
        await at.shown.hear(A, note(COUNT))
        assert await is_late(at), "the start is late, and says so to whoever calls"
        assert (at.shown.waits_for(), first.done()) == ((B,), False)
        at.shown.vouched([cosigner("a").public])
        assert (await first).index == COUNT
        assert at.shown.waits_for() == ()


async def test_who_cosigned_early_begins_nothing_before_the_others_had_their_time(tmp_path: Path) -> None:
    async with started(tmp_path, A, B) as at:
        first = asyncio.create_task(append_one(at.log))
        at.shown.vouched([cosigner("a").public])
        await at.shown.hear(A, note())
        with pytest.raises(LogRecovering):
            await first


async def test_too_few_that_cosigned_begin_nothing_and_all_that_were_asked_do(tmp_path: Path) -> None:
    async with started(tmp_path, A, B, seconds=0.1, needed=2) as at:
        first = asyncio.create_task(append_one(at.log))
        at.shown.vouched([cosigner("a").public])
        assert await is_late(at)
        at.shown.vouched([cosigner("a").public])
        assert not first.done(), "the same one again"
        for agency in (A, B):
            await at.shown.hear(agency, note(COUNT))
        assert (await first).index == COUNT


@pytest.mark.parametrize(
    "shown", ["", "junk", note(0), note(signer=CLOSED)], ids=["none", "junk", "of no entry", "of a closed log"]
)
async def test_an_adapter_made_anew_knows_nothing_and_is_no_answer(tmp_path: Path, shown: str) -> None:
    async with started(tmp_path, A, attested=[A], seconds=0.1) as at:
        await at.shown.hear(A, shown)
        assert await is_late(at)
        assert at.shown.waits_for() == (A,)
        # The one that the county had before, or whose directory was put back beside it, knows.
        await at.shown.hear(A, note(COUNT - 1))
        assert (await append_one(at.log)).index == COUNT


async def test_an_adapter_that_never_ran_before_has_nothing_to_show(tmp_path: Path) -> None:
    async with started(tmp_path, A) as at:
        await at.shown.hear(A, "")
        assert (await append_one(at.log)).index == COUNT


@pytest.mark.parametrize("is_known", [True, False], ids=["of a member", "of a stranger to the directory"])
async def test_a_start_that_is_late_finds_out_all_the_same(tmp_path: Path, is_known: bool) -> None:
    async with started(tmp_path, A, B, seconds=0.1) as at:
        first = asyncio.create_task(append_one(at.log))
        assert await is_late(at)
        await (at.shown.hear if is_known else at.shown.look)(B, note())
        with pytest.raises(LogRecovering):
            await asyncio.wait_for(first, 10)
        assert at.shown.waits_for() == ()


async def test_an_operator_who_says_that_nobody_can_come_waits_the_seconds_alone(tmp_path: Path) -> None:
    async with started(tmp_path, A, seconds=0.1, unheard=True) as at:
        assert (await append_one(at.log)).index == COUNT


async def test_a_log_that_nobody_uses_has_nobody_to_ask(tmp_path: Path) -> None:
    async with started(tmp_path) as at:
        assert (await append_one(at.log)).index == COUNT


@pytest.mark.parametrize("is_put_back", [False, True], ids=["", "that finds the log put back"])
async def test_a_revocation_does_not_overtake_what_a_late_start_has_to_write(tmp_path: Path, is_put_back: bool) -> None:
    """Whoever was revoked meanwhile is so by the start, and could act before it."""
    async with started(tmp_path, A, seconds=0.1) as at:
        held = HeldRevocations(tmp_path / "revocations.held")

        def keeps() -> bool:
            return at.log.state is LogState.RECOVERING or bool(at.shown.waits_for())

        revoking = Revoking(held, keeps, partial(carried_out, at.shown))
        assert await is_late(at)
        with pytest.raises(Unavailable) as kept:
            await revoking.member(A)
        assert kept.value.reason is ErrorReason.REVOCATION_HELD
        await at.shown.hear(A, note(COUNT))
        second = asyncio.create_task(revoking.member(B))
        done, _ = await asyncio.wait({second}, timeout=0.3)
        assert not done, "the start has not carried out what was kept"
        if is_put_back:
            await at.shown.look(B, note())
        at.shown.begin()
        if is_put_back:
            with pytest.raises(Unavailable):
                await second
        else:
            await second
        assert held.all() == [HeldMember(A), *([HeldMember(B)] if is_put_back else [])]


async def test_a_call_that_waits_for_the_start_is_refused_when_the_process_stops(tmp_path: Path) -> None:
    async with started(tmp_path, A) as at:
        waiting = asyncio.create_task(at.shown.answering())
        await asyncio.sleep(0)
        assert not waiting.done()
        at.shown.decided.set()
        async with asyncio.timeout(5):
            assert not await waiting
