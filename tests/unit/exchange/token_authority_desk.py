"""A youth whose consent is named by handle or by tokens, what happens to that, and what the log says of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from audit.entry import FieldClass, StoredEntry, open_class
from audit.followed import Counts
from gateway.protocol.escrow import release
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.replay import Keys, read_keys, replay_log
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.authority_pb2 import Authority, AuthoritySubject, SubjectTokenDigests
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_CONSENT_NEEDED
from tests.unit.exchange.members import SF, STRTP, Youth, handle_of
from tests.unit.exchange.seal_desk import ANA, answers, order, restrict
from tests.unit.exchange.test_authorities import consent, record, revoke
from tests.unit.exchange.test_row_links import ask_by, every_entry
from tests.unit.exchange.world import World

Consent = Callable[[World, Youth], Authority]


def digests(world: World, youth: Youth) -> list[bytes]:
    return sorted(naming_digests(world.tokens(youth)))


def by_handle(world: World, youth: Youth) -> Authority:
    """A consent that San Francisco records about its youth."""
    return consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handle_of(SF, youth)))


def by_tokens(world: World, youth: Youth) -> Authority:
    """A consent that Los Angeles records about whosever youth that is."""
    return consent(world, subject=AuthoritySubject(token_digests=SubjectTokenDigests(digests=digests(world, youth))))


@dataclass(frozen=True)
class Lived:
    """A youth of San Francisco, and a consent about it."""

    handle: SubjectHandle
    authority_id: AuthorityId
    entries: list[StoredEntry] = field(repr=False)
    """All that name the authority."""

    def of(self, kind: str) -> list[StoredEntry]:
        return [entry for entry in self.entries if entry.kind == kind]


async def lived(world: World, youth: Youth = ANA, *, named: Consent = by_tokens) -> Lived:
    """The consent is recorded, used, recorded again, revoked by who was given it, and tried again; a minute apart."""
    world.sources.answer = answers
    handle = await world.register(SF, youth)
    await world.all_current()
    message = named(world, youth)
    authority_id, issuer = AuthorityId(message.authority_id), AgencyId(message.issuer_agency)

    async def tried() -> int:
        world.clock.advance(seconds=60)
        return (await ask_by(world, youth, authority_id)).outcome

    await record(world, message, agency=issuer)
    assert await tried() == OUTCOME_ANSWERED
    world.clock.advance(seconds=60)
    await record(world, message, agency=issuer)
    world.clock.advance(seconds=60)
    await revoke(world, message.authority_id, agency=STRTP)
    assert [await tried() for _ in range(2)] == [OUTCOME_CONSENT_NEEDED] * 2
    world.clock.advance(seconds=60)
    return Lived(handle, authority_id, naming(world, authority_id))


def naming(world: World, authority_id: AuthorityId) -> list[StoredEntry]:
    """Every entry that says which authority it is about, to whoever has every key."""
    marks = world.youth_keys.every_mark()
    return [
        entry
        for entry in every_entry(world)
        if entry.tag in marks
        and any(
            each.value == authority_id.hex().encode() for each in open_class(entry, FieldClass.YOUTH, marks[entry.tag])
        )
    ]


async def sealed(world: World, had: Lived, youth: Youth = ANA) -> pb.SealResponse:
    return await restrict(world, had.handle, token_digests=digests(world, youth))


async def lift(world: World, done: pb.SealResponse) -> None:
    copy = world.seals.escrow.copy_of(done.seal_id) or b""
    released = release(copy, world.custodian, to=world.release_key.public_bytes, seal_id=done.seal_id)
    await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released)


def replayed(world: World) -> Counts:
    return replay_log(world.reader, replay_keys(world), [world.policy])


def replay_keys(world: World) -> Keys:
    return read_keys(world.seals.escrow.path, world.class_keys, world.youth_keys)
