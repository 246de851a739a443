"""A real gateway and a real custodian whose token key is rotated, and two counties that list invented youths."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert

from audit.log import Append
from audit.reader import Reader
from audit.statement import Statement
from gateway.config import load_gateway
from gateway.errors import Error, ErrorReason
from gateway.exchange.coverage import Coverage
from gateway.exchange.journal import Kind, draft
from gateway.members.assembly import open_members, read_keys
from gateway.protocol.directory import DirectoryView
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import AgencyId, Call, FlagState, SubjectHandle
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.facts import milliseconds
from gateway.store import tables
from gateway.store.flags import seal_flag
from gateway.store.index import SqlIndex
from gateway.store.lookups import Lookups
from gateway.store.youth_keys import FileYouthKeys
from gateway.tokens.ceremony import deal
from gateway.tokens.index import Registrations, Signed
from gateway.tokens.share_file import DealtShare
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1 import index_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import TokenSet
from tests.unit.members.world import County, World, make_world
from tests.unit.token_sets import SHAPE, token_set

ANA, BEN = "ana", "ben"
_FLAG = Statement(insert(tables.flag))


async def _nothing(*_: object) -> None:
    return None


@dataclass
class Town:
    """A gateway, its custodian, two counties and what they list."""

    world: World
    counties: list[County] = field(default_factory=list)
    revision: int = 0

    @property
    def view(self) -> DirectoryView:
        """The directory in force."""
        view = self.world.gateway.office.view()
        assert view is not None
        return view

    @cached_property
    def youth_keys(self) -> FileYouthKeys:
        """Keys of the youths that are flagged."""
        state = self.world.gateway_state
        wrapping_key = state.read_secret("youth-wrap.key", length=32)
        return FileYouthKeys(state.youth_keys, wrapping_key=wrapping_key, random_bytes=os.urandom)

    @property
    def registrations(self) -> Registrations:
        members, view = self.world.gateway, self.view
        return Registrations(
            members.ledger,
            directory=lambda: view,
            at_rest=members.at_rest,
            prepare=_nothing,
            acknowledged=lambda _: 0,
            now=self.world.clock,
        )

    def tokens(self, epoch: str, name: str) -> TokenSet:
        def mint(key: str, pad: int) -> list[bytes]:
            return [sha256(f"{epoch} {key} {name} {place}".encode()).digest()[:16] for place in range(pad)]

        return token_set(epoch, mint)

    async def list_in(self, epoch: str, name: str = ANA, *, county: int = 0) -> bytes:
        """The county lists the youth; its handle."""
        handle = sha256(f"{county} {name}".encode()).digest()[:16]
        subject = pb.Subject(handle=handle, tokens=self.tokens(epoch, name), restriction=pb.RESTRICTION_NONE)
        batch = pb.RegistrationBatch(request_id=os.urandom(16), subjects=[subject])
        agency = AgencyId(self.counties[county].agency)
        await self.registrations.register(Signed(agency, os.urandom(32)), batch)
        return handle

    async def beat(self, *epochs: str, counties: tuple[int, ...] = (0, 1)) -> None:
        """The lists of these counties are complete in these epochs."""
        for county in counties:
            beat = pb.IndexHeartbeat(revision=1, scope=pb.INDEX_SCOPE_ALL_IN_CARE, complete_epochs=epochs)
            beat.log_origin = self.view.message.log_origin
            beat.data_as_of_time.FromDatetime(self.world.clock())
            beat.create_time.FromDatetime(self.world.clock())
            await self.registrations.beat(Signed(AgencyId(self.counties[county].agency), os.urandom(32)), beat)

    async def found(self, epoch: str, name: str = ANA) -> list[bytes]:
        """Handles that a question in this epoch finds."""
        reader = Reader(self.world.gateway.store)
        try:
            index = SqlIndex(Lookups(reader, threaded=False), self.world.gateway.at_rest, self.youth_keys)
            candidates, _ = await index.look_up(AgencyId(self.counties[0].agency), self.tokens(epoch, name))
            return [each.handle for each in candidates]
        finally:
            reader.close()

    async def stale(self, epoch: str) -> tuple[str, ...]:
        """Counties of which a miss in this epoch cannot be believed."""
        reader = Reader(self.world.gateway.store)
        index = SqlIndex(Lookups(reader, threaded=False), self.world.gateway.at_rest, self.youth_keys)
        coverage = Coverage(
            lambda: [AgencyId(each.agency) for each in self.counties],
            index.listings,
            is_listed_in=lambda name: name in self.view.epochs and self.view.epochs[name].is_listed_in,
        )
        try:
            return await coverage.stale(Call.FLAG_CHECK, epoch=epoch, now=self.world.clock())
        finally:
            reader.close()

    async def raise_flag(self, handle: bytes, *, county: int = 0) -> None:
        """Somebody looks for the youth."""
        now, agency, flag_id = milliseconds(self.world.clock()), self.counties[county].agency, os.urandom(16)
        key = await self.youth_keys.next(AgencyId(agency), SubjectHandle(handle))
        sealed = seal_flag(b"s", key.key, flag_id=flag_id, times=(now, now, 0))
        row = (flag_id, agency, handle, str(FlagState.ACTIVE), 1, sealed)
        await self.world.gateway.ledger.append(Append(draft(Kind.ALERT_ACKNOWLEDGED, op={}), rows=((_FLAG, row),)))

    async def publish(self) -> bool:
        """One attempt of the directory office; whether the published directory says all there is to say."""
        return await self.world.gateway.office.step()

    async def opened(self, epoch: str = "e2") -> None:
        """The epoch is open and announced."""
        ours, theirs = shares(self.world, epoch)
        await self.world.custodian.administration.add_epoch_share(admin_pb2.AddEpochShareRequest(share=theirs))
        await self.world.gateway.rotation.open(ours)
        assert await self.publish()

    async def cut_over(self) -> None:
        """Both counties list Ana and Ben in e2, which is the current epoch."""
        for epoch in ("e1", "e2"):
            await self.list_in(epoch, ANA)
            await self.list_in(epoch, BEN, county=1)
        await self.beat("e1", "e2")
        await self.world.gateway.rotation.cut_over(frozenset())
        assert await self.publish()

    async def restart(self) -> None:
        """The gateway was stopped and started: every entry was verified, and the projections by them."""
        world, old = self.world, self.world.gateway
        await old.ledger.close()
        config = load_gateway(world.gateway_state.directory)
        keys = read_keys(world.gateway_state, config, world.group, now=world.clock, random_bytes=os.urandom)
        world.gateway = await open_members(
            world.gateway_state,
            config,
            keys,
            policy=load_california(),
            group=world.group,
            signers=world.signers,
            now=world.clock,
            random_bytes=os.urandom,
        )

    def raw(self) -> bytes:
        """The database's files, byte by byte."""
        database = self.world.gateway_state.database
        files = [database, database.with_name(f"{database.name}-wal")]
        return b"".join(file.read_bytes() for file in files if file.exists())

    def resting(self, epoch: str, name: str) -> tuple[bytes, ...]:
        """The youth's tokens as they rest."""
        return split_tokens(self.world.gateway.at_rest(epoch, SHAPE.present(self.tokens(epoch, name))))


def shares(world: World, epoch: str) -> tuple[bytes, bytes]:
    """The gateway's and the custodian's share of a new ceremony."""
    dealing = deal(world.group, threshold=2, holders=2, random_bytes=os.urandom)
    ours, theirs = (DealtShare(epoch, share, dealing.commitments).to_bytes() for share in dealing.shares)
    return ours, theirs


@asynccontextmanager
async def settled(place: Path) -> AsyncIterator[Town]:
    """Two counties have joined a gateway and a custodian, and a directory lists them."""
    made = Town(await make_world(place))
    await made.world.trust()
    made.counties = [County(fips=fips, clock=made.world.clock) for fips in ("06029", "06037")]
    for county in made.counties:
        await made.world.enroll(county)
        await made.world.admit(county)
    assert await made.publish()
    yield made
    await made.world.close()


async def refused(step: object) -> tuple[ErrorReason, tuple[str, ...]]:
    with pytest.raises(Error) as caught:
        await step  # type: ignore[misc]
    return caught.value.reason, caught.value.fields


def states(town: Town) -> dict[str, str]:
    connection = sqlite3.connect(town.world.gateway_state.database)
    found = dict(connection.execute("SELECT name, state FROM epoch"))
    connection.close()
    return found


def has_share(place: Path, share: bytes) -> bool:
    secret = share[-96:-64]
    return any(secret in file.read_bytes() for file in (place / "secrets").iterdir())
