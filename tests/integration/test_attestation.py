"""An adapter that follows its agency's entries, against a gateway that shows all of them, or leaves some out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.node.attest import EVERY, Attester, await_entry
from adapters.node.store import open_store
from audit.checkpoint import Checkpoint, parse_checkpoint
from audit.log import Append
from audit.reader import Reader, Selection
from gateway.errors import Invalid
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey
from gateway.publishing.attested import Attestations, AttestationStanding, kept_attestations
from gateway.publishing.own_entries import PAGE, OwnHeads, page_of
from gateway.state import StateBroken
from homeward.audit.v1 import log_pb2 as pb
from homeward.audit.v1.log_pb2 import CompletenessAttestation
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ConnectRequest, OwnEntries
from tests.integration.log_kit import KEYS, SIGNER, A, B, C, LogHome, draft, sqlite_home

OWN = AgencyId(B)
KEY = SigningKey.from_private_bytes(b"e" * 32)
LIMIT = timedelta(minutes=15)
Lie = Callable[[OwnEntries], None]


def honest(page: OwnEntries) -> None:
    """Shows everything."""


def without(place: int) -> Lie:
    def leave_out(page: OwnEntries) -> None:
        del page.entries[place]

    return leave_out


def altered(page: OwnEntries) -> None:
    page.entries[1].entry.digests = bytes(512)


def moved(page: OwnEntries) -> None:
    page.entries[1].entry.index += 1


def unnumbered(page: OwnEntries) -> None:
    del page.entries[0].entry.openings[:]


@dataclass
class World:
    """A log, the gateway's side of it and the adapter's."""

    home: LogHome
    now: datetime = datetime(2026, 11, 28, 3, tzinfo=UTC)
    tree: Checkpoint | None = None
    linked: list[AgencyId] = field(default_factory=lambda: [OWN])

    def __post_init__(self) -> None:
        self.reader = Reader(self.home.store)
        self.heads = OwnHeads(Reader(self.home.store))
        self.store = open_store(self.home.directory / "adapter.db")
        self.attester = Attester(OWN, self.store, KEY, lambda: self.tree, lambda: self.now)
        self.attestations = self.gateway()

    def gateway(self, *, limit: timedelta = LIMIT) -> Attestations:
        return Attestations(
            self.home.directory / "attestations", self.heads, origin=SIGNER.public.origin,
            linked=lambda: self.linked, now=lambda: self.now, limit=limit,
        )  # fmt: skip

    async def grow(self, *drafts: tuple[str, str]) -> None:
        """So many entries more, of these requesters and holders; the adapter cosigned the tree."""
        log = self.home.open()
        for requester, holder in drafts:
            await log.append(Append(draft(requester=requester, holder=holder)))
        self.tree = parse_checkpoint(log.checkpoint, SIGNER.public)
        await log.close()

    def walk(self, lie: Lie = honest) -> CompletenessAttestation:
        """What the adapter says in the end."""
        self.now += timedelta(minutes=1)
        return unwrap(self._walked(lie), CompletenessAttestation, KEY.public_bytes)

    async def attest(self, lie: Lie = honest) -> bool:
        """The gateway took the adapter's word; whether it is a new contradiction."""
        self.now += timedelta(minutes=1)
        envelope = self._walked(lie)
        return await self.attestations.take(OWN, envelope, CompletenessAttestation.FromString(envelope.payload))

    def await_receipt(self, index: int) -> None:
        """The adapter has a receipt of this entry."""
        reader = Reader(self.home.store)
        (entry,) = reader.entries(Selection(start=index, end=index + 1))
        reader.close()
        with self.store.write() as connection:
            await_entry(connection, index, entry.leaf)

    def _walked(self, lie: Lie) -> SignedEnvelope:
        request: ConnectRequest | None = self.attester.begin()
        while request is not None and request.HasField("own_entries_query"):
            query = request.own_entries_query
            page = self.reader.read(lambda tx: page_of(tx, KEYS, OWN, query))  # noqa: B023 (called at once)
            assert page is not None
            lie(page)
            request = self.attester.take(page)
        assert request is not None
        return request.attestation


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(sqlite_home(tmp_path))
    asyncio.run(made.grow((A, B), (A, C), (B, C), (B, B), (C, B)))
    return made


def test_an_agency_that_is_shown_everything_vouches_for_its_newest_number(world: World) -> None:
    said = world.walk()
    assert (said.finding, said.number, said.tree_size) == (pb.COMPLETENESS_FINDING_COMPLETE, 4, 5)
    assert world.heads.head(OWN, 5) == (said.number, said.leaf_hash)


async def test_entries_are_followed_once_and_over_many_pages(world: World) -> None:
    assert world.walk().number == 4
    await world.grow(*[(A, B)] * (2 * PAGE + 1))
    said = world.walk()
    assert (said.finding, said.number) == (pb.COMPLETENESS_FINDING_COMPLETE, 4 + 2 * PAGE + 1)


@pytest.mark.parametrize(
    ("lie", "finding"),
    [
        (without(1), pb.COMPLETENESS_FINDING_GAP),
        (without(0), pb.COMPLETENESS_FINDING_GAP),
        (unnumbered, pb.COMPLETENESS_FINDING_GAP),
        (altered, pb.COMPLETENESS_FINDING_UNPROVEN),
        (moved, pb.COMPLETENESS_FINDING_UNPROVEN),
    ],
)
async def test_an_entry_that_is_withheld_or_untrue_is_told_and_an_alarm(
    world: World, lie: Lie, finding: pb.CompletenessFinding
) -> None:
    assert await world.attest(lie)
    assert world.attester.newest().finding == finding  # type: ignore[union-attr]  # it was just made
    assert world.attestations.standing(OWN) is AttestationStanding.CONTRADICTED
    assert not await world.attest(lie), "told once, while it lasts"
    await world.attest()
    assert world.attestations.standing(OWN) is AttestationStanding.COMPLETE


async def test_a_withheld_tail_is_found_by_a_receipt_and_by_whoever_holds_the_log(world: World) -> None:
    assert await world.attest(without(-1)), "the adapter cannot know, but what it signs is not what the log holds"
    newest = world.attester.newest()
    assert newest is not None
    assert (newest.finding, newest.number) == (pb.COMPLETENESS_FINDING_COMPLETE, 3)
    world.await_receipt(4)
    said = world.walk(lambda page: page.entries.__delitem__(slice(None)))
    assert (said.finding, said.missing_index) == (pb.COMPLETENESS_FINDING_MISSING, 4)
    assert world.walk().finding == pb.COMPLETENESS_FINDING_COMPLETE


async def test_a_call_that_the_log_never_took_is_missed(world: World) -> None:
    world.await_receipt(1)
    said = world.walk()
    assert (said.finding, said.missing_index) == (pb.COMPLETENESS_FINDING_MISSING, 1), "entry 1 is not this agency's"


async def test_silence_is_an_alarm_after_the_limit(world: World) -> None:
    await world.attest()
    world.now += LIMIT
    assert world.attestations.standing(OWN) is AttestationStanding.COMPLETE
    world.now += timedelta(seconds=1)
    assert world.attestations.standing(OWN) is AttestationStanding.STALE
    (status,) = world.attestations.status()
    assert (status.standing, status.number, status.age_seconds) == ("ATTESTATION_STALE", 4, 901)


async def test_a_short_limit_calls_nobody_silent_between_two_attestations(world: World) -> None:
    await world.attest()
    short = world.gateway(limit=timedelta(seconds=5))
    await short.load()
    world.now += EVERY + timedelta(seconds=30)
    assert short.standing(OWN) is AttestationStanding.COMPLETE
    world.now += 2 * EVERY
    assert short.standing(OWN) is AttestationStanding.STALE


async def test_a_clock_that_is_ahead_does_not_hide_the_silence_after_it(world: World) -> None:
    said = world.walk()
    said.create_time.FromDatetime(world.now + timedelta(days=365))
    await world.attestations.take(OWN, SignedEnvelope(payload=said.SerializeToString()), said)
    again = world.gateway()
    await again.load()
    world.now += LIMIT + timedelta(seconds=1)
    for attestations in (world.attestations, again):
        assert attestations.standing(OWN) is AttestationStanding.STALE
        (status,) = attestations.status()
        assert status.age_seconds == 901


async def test_a_time_beyond_the_calendar_is_malformed(world: World) -> None:
    said = world.walk()
    said.create_time.seconds = 1 << 62
    with pytest.raises(Invalid):
        await world.attestations.take(OWN, SignedEnvelope(payload=said.SerializeToString()), said)


async def test_what_was_attested_counts_after_a_restart(world: World) -> None:
    await world.attest(without(1))
    again = world.gateway()
    await again.load()
    assert again.standing(OWN) is AttestationStanding.CONTRADICTED
    assert (world.home.directory / "attestations" / OWN).is_file()


async def test_what_was_attested_is_not_passed_over(world: World) -> None:
    await world.attest(without(1))
    kept = world.home.directory / "attestations"
    (kept / "06037.tmp").write_bytes((kept / OWN).read_bytes())
    (kept / f"{OWN}.tmp").write_bytes(b"half of it")
    assert len(kept_attestations(kept, SIGNER.public.origin)) == 2
    (kept / OWN).write_bytes(b"half of it")
    with pytest.raises(StateBroken, match=OWN):
        await world.gateway().load()


async def test_nobody_vouches_for_another_agency_or_another_log(world: World) -> None:
    said = world.walk()
    for name, value in (("agency", A), ("root", b"r"), ("finding", 0)):
        lie = CompletenessAttestation()
        lie.CopyFrom(said)
        setattr(lie, name, value)
        with pytest.raises(Invalid):
            await world.attestations.take(OWN, SignedEnvelope(), lie)
    said.log_origin, said.root = "other.example/log", bytes(32)
    assert not await world.attestations.take(OWN, SignedEnvelope(), said)
    assert world.attestations.standing(OWN) is AttestationStanding.NONE


async def test_an_attestation_of_another_history_is_a_contradiction(world: World) -> None:
    said = world.walk()
    said.root = bytes(32)
    assert await world.attestations.take(OWN, SignedEnvelope(payload=said.SerializeToString()), said)
