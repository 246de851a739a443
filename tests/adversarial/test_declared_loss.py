"""An exchange that lost entries of its log for good: no mirror has them, counties cosigned them, two operators say so.

Nobody joins again, nothing that was revoked comes back, and no adapter follows to a log that one operator alone opened
or that passes over what the adapter cosigned.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from sqlalchemy import select

from adapters.node.alerts import Alerts, Arrival
from adapters.node.directory_keeper import DirectoryKeeper
from adapters.node.identifiers import timestamp
from adapters.node.receipts import Expected, check_receipt
from adapters.node.store import open_store
from adapters.node.succession import begin_log, log_of, logs_of
from adapters.node.tables import awaited_entry
from audit.checkpoint import Checkpoint, LogKey
from audit.highwater import read_high_water
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from gateway.protocol.directory import sign_directory
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId, AgencyKind, AuthorityId, FieldSet, Grantor, Purpose
from gateway.protocol.signing import SigningKey
from gateway.protocol.succession import ALERTS_OF_A_LOG
from gateway.protocol.wire_names import to_wire
from gateway.state import State
from gateway.store.authorities import SqlAuthorities
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.lookups import Lookups
from gateway.store.youth_keys import FileYouthKeys
from homeward.gateway.v1.authority_pb2 import Authority
from homeward.gateway.v1.codes_pb2 import BASIS_CONSENT
from homeward.gateway.v1.directory_pb2 import (
    Directory,
    GetDirectoryRequest,
    GetDirectoryResponse,
    LogSuccession,
    LossDeclaration,
    SignedDirectory,
    SignedSuccession,
)
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.link_pb2 import Alert
from homeward.gateway.v1.restoration_pb2 import PresentedEvent, PresentedRevocation, PresentEventRequest
from homeward.gateway.v1.restoration_pb2_grpc import RestorationServiceStub
from tests.adversarial.house import beat, register
from tests.adversarial.outcome import ending
from tests.adversarial.resident import Resident
from tests.adversarial.stage import core_digests, record_authority, revoke_authority
from tests.adversarial.test_survival import answered, command, end, question, store, stored
from tests.adversarial.town import Town, utc_now

pytestmark = pytest.mark.asyncio(loop_scope="session")
OWNER, ASKER, GONE = AgencyId("06075.cwa"), AgencyId("06029.cwa"), AgencyId("06019.cwa")


@dataclass
class Offered:
    """`rpcs.Caller` of one adapter; the exchange's answer, or what somebody put in its place."""

    resident: Resident
    instead: SignedDirectory | None = None

    async def call(self, rpc: Any, request: Any, *, seconds: float) -> Any:
        if self.instead is not None:
            return GetDirectoryResponse(directory=self.instead)
        return await MembershipServiceStub(self.resident.channel).GetDirectory(request, timeout=seconds)


def keeper(resident: Resident, path: Path, cosigned: Checkpoint | None) -> tuple[DirectoryKeeper, Offered]:
    """The directory as the adapter of this agency keeps it, having cosigned this much."""
    offered = Offered(resident)
    kept = DirectoryKeeper(
        store=open_store(path),
        pins=resident.membership.pins,
        log=resident.membership.log,
        gateway=offered,
        is_listed=lambda _: True,
        cosigned=lambda origin: cosigned if cosigned is not None and cosigned.origin == origin else None,
    )
    return kept, offered


@pytest_asyncio.fixture(loop_scope="session")
async def losing(tmp_path: Path) -> AsyncIterator[Town]:
    """An exchange of three that may lose its log."""
    town = Town.found(tmp_path)
    for agency in (OWNER, ASKER, GONE):
        await town.settle(agency, AgencyKind.CWA, has_sources=agency == OWNER)
    await town.listed(*town.residents)
    await register(town.residents[OWNER], secrets.token_bytes(16), "somebody")
    await beat(town.residents[OWNER])
    yield town
    await town.close()


async def joined_before_and_heard_of_it_first(resident: Resident, place: Path, kept: int, after: LogKey) -> None:
    """An adapter that joined before a loss and has its first directory after it goes on in the log that is left."""
    with (made := open_store(place / "late.db")).write() as connection:
        for index in (kept - 1, kept):
            connection.execute(awaited_entry.insert().values(leaf_index=index, leaf_hash=bytes(32)))
    made.close()
    late, _ = keeper(resident, place / "late.db", None)
    assert late.log == resident.membership.log
    await late.refresh()
    assert (late.fault, late.log) == ("", after)
    with open_store(place / "late.db").read() as connection:
        left = connection.scalars(select(awaited_entry.c.leaf_index)).all()
    assert left == [kept - 1], "what was lost is not awaited, and what is left is"


async def signed_by_both(town: Town, path: Path) -> None:
    """The gateway's operator and the custodian's say what is lost."""
    # A declaration is written over nothing, also not over one that was carried out.
    await asyncio.to_thread(path.unlink, missing_ok=True)
    await run("audit", "recover", str(town.gateway), "--declare-loss", str(path))
    custodian = town.processes["custodian"]
    custodian.terminate()
    assert await asyncio.to_thread(custodian.wait, 20) == 0
    await run("custodian", "sign-loss", str(town.custodian), str(path))
    await asyncio.to_thread(town.start, "custodian")


async def run(*words: str) -> dict[str, Any]:
    done = await command(*words, "--json")
    assert done.exit == 0, done.out + done.err
    said: dict[str, Any] = json.loads(done.out)
    return said


async def test_members_go_on_and_what_was_revoked_stays_revoked(losing: Town, tmp_path: Path) -> None:
    asker, path = losing.residents[ASKER], tmp_path / "loss.pb"
    before, first = await losing.directory(asker), await offered_by(asker)
    assert before is not None
    owner = losing.residents[OWNER]
    taken_back = consent_of(OWNER)
    consent = await record_authority(owner, taken_back)
    assert not await is_ended(losing, consent)
    nothing_lost = await presented(owner, authority=wrap(consent_of(OWNER), owner.ring.authority))
    assert nothing_lost == "INVALID_REQUEST"
    await end(losing)
    backup = stored(losing)
    await asyncio.to_thread(losing.start, "gateway")
    await answered(losing)
    receipt = (await ExchangeServiceStub(asker.channel).CheckFlag(question(asker), timeout=5)).receipt
    await revoke_authority(losing.residents[OWNER], consent)
    await losing.revoke(GONE)
    await losing.suspended(GONE)
    old = LogKey(before.message.log_origin, before.message.log_key)
    adapter, _ = keeper(asker, tmp_path / "adapter.db", None)
    await adapter.refresh()
    await end(losing)
    size = losing.size()
    head = read_high_water(losing.state.high_water, old)
    assert head.size == size
    store(losing, backup)
    kept = losing.size()

    alone = await command("audit", "recover", str(losing.gateway), "--declare-loss", str(path))
    assert alone.exit == 0, alone.out + alone.err
    refused = await command("audit", "recover", str(losing.gateway), "--declared", str(path))
    assert refused.exit == 6, "one operator alone does not lose what the log held"
    assert losing.size() == kept
    await signed_by_both(losing, path)
    # Whoever is cut off in the middle gives the same command again.
    obstacle = losing.gateway / "gateway.new"
    obstacle.mkdir()
    cut_off = await command("audit", "recover", str(losing.gateway), "--declared", str(path))
    assert cut_off.exit not in (0, 6), cut_off.out
    obstacle.rmdir()
    went_on = await run("audit", "recover", str(losing.gateway), "--declared", str(path))
    again = await command("audit", "recover", str(losing.gateway), "--declared", str(path))
    assert again.exit == 6, "it is done once"
    assert f"{kept} of {size} entries" in went_on["done"][0]
    denied_names = [name for name, _ in losing.rows("denied")["denied"]]
    assert denied_names == [GONE], "a revocation among the lost entries is not lost"
    await asyncio.to_thread(losing.start, "gateway")
    await answered(losing)

    leaves = losing.leaves(kept)
    kinds = [leaf.kind for leaf in leaves]
    assert kinds.index("log.succeeded") < kinds.index("member.revoked") < kinds.index("access.decision")
    assert int(leaves[0].op["size"]) == size
    assert await is_ended(losing, consent), "the lost entry that took the consent back counts as if it were there"
    # What is presented names the log in force, which a directory must name first.
    await followed(adapter)
    ours = wrap(consent_of(OWNER), owner.ring.authority)
    for presenting, signed in ((asker, ours), (asker, forged(asker)), (owner, forged(asker))):
        before_it = losing.size()
        assert await presented(presenting, authority=signed) == "AUTHORITY_INVALID"
        said = [(leaf.kind, leaf.requester) for leaf in losing.leaves(before_it)]
        assert ("access.refused", presenting.agency) in said
        assert "authority.presented" not in dict(said)
    revoked = PresentedRevocation(authority_id=consent, revoke_time=timestamp(utc_now()))
    assert await presented(owner, revocation=revoked) == ""
    signed = wrap(taken_back, owner.ring.authority)
    assert await presented(owner, authority=signed) == "", "presented after its revocation, it changes nothing"
    assert await is_ended(losing, consent)
    message = consent_of(OWNER)
    anew = await record_authority(owner, message)
    assert not await is_ended(losing, anew)
    await revoke_authority(owner, anew)
    assert await presented(owner, authority=wrap(message, owner.ring.authority)) == ""
    assert await is_ended(losing, anew), "what was revoked since the loss is not presented back to life"
    denied = losing.residents[GONE]
    assert await ending(ExchangeServiceStub(denied.channel).CheckFlag(question(denied), timeout=5)) is not None
    check_receipt(receipt, log_of(before), Expected(frozenset({"access.decision"}), None))

    view = adapter.current()
    assert view.message.log_origin == f"{old.origin}-2"
    await joined_before_and_heard_of_it_first(asker, tmp_path, kept, log_of(view))
    reader = Reader(SqliteStore(losing.state.database))
    assert verify_log(reader, key=LogKey(view.message.log_origin, view.message.log_key)).size > kept
    reader.close()
    await end(losing)
    for words in (("audit", "fsck"), ("gateway", "replay")):
        checked = await command(*words, str(losing.gateway))
        assert checked.exit == 0, checked.out + checked.err
    await asyncio.to_thread(losing.start, "gateway")
    await answered(losing)

    # Whoever cosigned more than was declared, or another history, stays with the closed log and says so.
    now = await offered_by(asker)
    for cosigned in (Checkpoint(old.origin, size + 1, head.root), Checkpoint(old.origin, size, bytes(32))):
        assert await follows(asker, tmp_path, cosigned, before=first, then=now) == "log"
    assert await follows(asker, tmp_path, head, before=first, then=now) == ""
    assert await follows(asker, tmp_path, head, before=first, then=of_one_operator(losing, now)) == "log"
    assert await follows(asker, tmp_path, head, before=first, then=of_one_operator(losing, now, declared=True)) == "log"


async def test_no_older_directory_brings_a_revoked_member_back(losing: Town, tmp_path: Path) -> None:
    gone, path = losing.residents[GONE], tmp_path / "loss.pb"
    older = await offered_by(losing.residents[ASKER])
    await end(losing)
    backup = stored(losing)
    await asyncio.to_thread(losing.start, "gateway")
    await answered(losing)
    await losing.revoke(GONE)
    await losing.suspended(GONE)
    await end(losing)
    store(losing, backup)
    await signed_by_both(losing, path)
    honest = LossDeclaration.FromString(path.read_bytes())
    assert older.directory not in [each.directory for each in honest.directories]
    forged = LossDeclaration(signed=honest.signed, directories=[older], newest=honest.newest)
    unsaid = LossDeclaration(signed=honest.signed, directories=honest.directories)
    for each in (forged, unsaid):
        path.write_bytes(each.SerializeToString())
        refused = await command("audit", "recover", str(losing.gateway), "--declared", str(path))
        assert (refused.exit, "AUDIT-FORMAT" in refused.err) == (6, True), refused.out + refused.err
        assert list(losing.gateway.glob("succession-*")) == [], "nothing was carried out"
    # One that nobody vouches for is passed over.
    honest.directories.insert(0, older)
    path.write_bytes(honest.SerializeToString())
    await run("audit", "recover", str(losing.gateway), "--declared", str(path))
    assert losing.rows("denied")["denied"] != []
    await asyncio.to_thread(losing.start, "gateway")
    await answered(losing)
    with pytest.raises(grpc.aio.AioRpcError) as shut:
        await ExchangeServiceStub(gone.channel).CheckFlag(question(gone), timeout=8)
    assert shut.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_alerts_of_the_new_log_do_not_pass_for_old_ones(tmp_path: Path) -> None:
    """The gateway counts on from what is left, and the adapter's disk holds more."""
    database = open_store(tmp_path / "adapter.db")
    alerts = Alerts(database)
    for sequence in (1, 2, 3):
        assert alerts.accept(Alert(sequence=sequence), utc_now()) is Arrival.STORED
    first = Alert(sequence=ALERTS_OF_A_LOG + 1)
    assert alerts.accept(first, utc_now()) is Arrival.GAP, "no other log was declared"
    assert alerts.forgotten() == 0
    alerts.compare(1)
    assert alerts.forgotten() == 2, "the loss is not declared yet"
    with database.write() as connection:
        begin_log(connection, [SignedSuccession(succession=_closing("log", "log-2", kept=5))], kept=5)
    assert alerts.forgotten() == 0
    alerts.compare(1)
    assert alerts.forgotten() == 0, "what was lost was declared"
    assert alerts.accept(Alert(sequence=ALERTS_OF_A_LOG + 2), utc_now()) is Arrival.GAP
    assert alerts.accept(first, utc_now()) is Arrival.STORED
    assert alerts.accept(first, utc_now()) is Arrival.DUPLICATE
    assert alerts.accept(Alert(sequence=ALERTS_OF_A_LOG + 2), utc_now()) is Arrival.STORED
    alerts.compare(ALERTS_OF_A_LOG + 1)
    assert alerts.forgotten() == ALERTS_OF_A_LOG + 2
    database.close()


def consent_of(agency: AgencyId) -> Authority:
    """A consent about a youth that the agency does not list."""
    now = utc_now()
    message = Authority(
        authority_id=secrets.token_bytes(16),
        basis=BASIS_CONSENT,
        grantor=to_wire(Grantor.MINOR_SELF),  # type: ignore[arg-type]
        issuer_agency=agency,
        purposes=[to_wire(Purpose.PLACEMENT_PLANNING)],  # type: ignore[list-item]
        field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)],  # type: ignore[list-item]
        recipient_agencies=[ASKER],
        effective_time=timestamp(now - timedelta(days=1)),
        expire_time=timestamp(now + timedelta(days=30)),
        evidence_commitment=bytes(32),
        language_version_hash=bytes(32),
        copy_given_to_youth=True,
    )
    message.subject.token_digests.digests.extend(core_digests("somebody"))
    return message


def forged(forger: Resident) -> SignedEnvelope:
    """An authority in the owner's name, which somebody else signed."""
    return wrap(consent_of(OWNER), forger.ring.authority)


async def presented(resident: Resident, **event: Message) -> str:
    """Why the exchange does not take the event again; empty where it does."""
    origin = (await directory_of(resident)).log_origin
    message = PresentedEvent(log_origin=origin, **event)  # type: ignore[arg-type]
    request = PresentEventRequest(envelope=resident.wrapped(message))
    found = await ending(RestorationServiceStub(resident.channel).PresentEvent(request, timeout=5))
    return found.reason if found is not None else ""


async def directory_of(resident: Resident) -> Directory:
    reply = await MembershipServiceStub(resident.channel).GetDirectory(GetDirectoryRequest(), timeout=5)
    return Directory.FromString(reply.directory.directory)


async def is_ended(town: Town, authority_id: bytes) -> bool:
    """Whether the exchange takes the authority for one that was revoked."""
    reader = Reader(SqliteStore(town.state.database))
    wrapping_key = town.state.read_secret("youth-wrap.key", length=32)
    youth_keys = FileYouthKeys(town.state.youth_keys, wrapping_key=wrapping_key, random_bytes=secrets.token_bytes)
    keys = FileAuthorityKeys(town.state.youth_keys, youth_keys)
    try:
        lookups = Lookups(reader, threaded=False)
        found = await SqlAuthorities(lookups, keys).get(AuthorityId(authority_id))
        listed = await SqlAuthorityBook(lookups, keys).find(AuthorityId(authority_id))
    finally:
        keys.close()
        youth_keys.close()
        reader.close()
    assert found is not None
    assert listed is not None
    assert found.revoked == (listed.revoke_ms is not None), "staff are told what decisions rest on"
    return found.revoked


async def test_an_entry_is_what_a_notice_names_only_in_the_log_in_force(tmp_path: Path) -> None:
    """A lost entry had the position of another one: what is held of it is not touched by a notice about the other."""
    database = open_store(tmp_path / "adapter.db")
    with database.write() as connection:
        assert logs_of(connection).stands("log", 7), "no other log was declared"
        declared = [
            SignedSuccession(succession=_closing("log", "log-2", kept=5)),
            SignedSuccession(succession=_closing("log-2", "log-3", kept=9)),
        ]
        begin_log(connection, declared, kept=5)
        logs = logs_of(connection)
    database.close()
    assert [logs.stands("log", index) for index in (4, 5)] == [True, False]
    assert [logs.stands("log-2", index) for index in (5, 8, 9)] == [True, True, False]
    assert logs.stands("log-3", 9)
    alerts = (7, ALERTS_OF_A_LOG + 1, 2 * ALERTS_OF_A_LOG + 1)
    assert [logs.origin_of_alert(sequence) for sequence in alerts] == ["log", "log-2", ""]


def _closing(closed: str, origin: str, *, kept: int) -> bytes:
    keys = {name: hashlib.sha256(name.encode()).digest() for name in (closed, origin)}
    message = LogSuccession(
        trust_domain="exchange.example", closed_origin=closed, closed_key=keys[closed], closed_checkpoint="note",
        kept_count=kept, closed_size=kept + 5, log_origin=origin, log_key=keys[origin],
    )  # fmt: skip
    message.create_time.FromDatetime(utc_now())
    return message.SerializeToString()


async def followed(adapter: DirectoryKeeper) -> None:
    """The adapter's directory names the log that goes on."""
    async with asyncio.timeout(20):
        while adapter.current().message.log_origin.endswith("/log"):
            await adapter.refresh()
            assert adapter.fault == ""
            await asyncio.sleep(0.2)


async def offered_by(resident: Resident) -> SignedDirectory:
    """What the gateway offers now."""
    reply = await MembershipServiceStub(resident.channel).GetDirectory(GetDirectoryRequest(), timeout=5)
    return reply.directory


async def follows(
    resident: Resident, place: Path, cosigned: Checkpoint, *, before: SignedDirectory, then: SignedDirectory
) -> str:
    """Why an adapter that cosigned this much does not follow from one directory to the other; empty if it does."""
    other, offered = keeper(resident, place / f"{secrets.token_hex(4)}.db", cosigned)
    for offered.instead in (before, then):
        await other.refresh()
    went = other.current().message.log_origin != Directory.FromString(before.directory).log_origin
    assert went == (other.fault == "")
    return other.fault


def of_one_operator(town: Town, signed: SignedDirectory, *, declared: bool = False) -> SignedDirectory:
    """The directory with nobody's declaration, or with the gateway's alone, as if both had signed even that."""
    directory = Directory.FromString(signed.directory)
    if declared:
        del directory.successions[0].signatures[1:]
    else:
        del directory.successions[:]
    raw = directory.SerializeToString(deterministic=True)
    keys = [
        SigningKey.from_private_bytes(State(path, kind).read_secret("directory.key"))
        for path, kind in ((town.gateway, "gateway"), (town.custodian, "custodian"))
    ]
    return SignedDirectory(directory=raw, signatures=[sign_directory(raw, key) for key in keys])
