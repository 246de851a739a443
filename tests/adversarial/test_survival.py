"""An attacker on the machine itself: the gateway killed in mid-load, its disk full, its log taken away.

What was acknowledged stays; what is spent stays spent; and where the log cannot be written, nothing is answered.
"""

import asyncio
import resource
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.node.receipts import Expected, check_receipt
from adapters.node.succession import log_of
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from deploy.demo.commands import Done
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    EvidenceKind,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.store.youth_keys import FileYouthKeys, youth_name
from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.sealing_pb2 import SEAL_OPERATION_RESTRICT, SealOrder, SealRequest
from homeward.gateway.v1.sealing_pb2_grpc import SealingServiceStub
from tests.adversarial.house import beat, register
from tests.adversarial.outcome import Refusal, ending, read, refusal
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.stage import raise_new
from tests.adversarial.town import Town
from tests.commands import commands

pytestmark = pytest.mark.asyncio(loop_scope="session")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
OWNER, ASKER = AgencyId("06075.cwa"), AgencyId("06029.cwa")
ANSWERS_BEFORE_KILL = 60


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def doomed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An exchange of two that may be broken."""
    town = Town.found(tmp_path_factory.mktemp("doomed"))
    owner = await town.settle(OWNER, AgencyKind.CWA, has_sources=True)
    await town.settle(ASKER, AgencyKind.CWA)
    await town.listed(*town.residents)
    await register(owner, secrets.token_bytes(16), "somebody")
    await beat(owner)
    yield town
    await town.close()


def question(resident: Resident, **changes: object) -> CheckFlagRequest:
    return resident.flag_request(flag_query(tokens_of("somebody"), EvidenceKind.YOUTH_PRESENT), ACT, **changes)


async def answered(town: Town) -> None:
    """The gateway answers again; a client redials by itself."""
    asker = town.residents[ASKER]
    await town.heard()
    stub = ExchangeServiceStub(asker.channel)
    for _ in range(100):
        if await ending(stub.CheckFlag(question(asker), timeout=5)) is None:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the gateway answers nobody")


async def test_a_kill_in_mid_load_loses_nothing_acknowledged_and_revives_nothing_spent(doomed: Town) -> None:
    asker = doomed.residents[ASKER]
    view = await doomed.directory(asker)
    assert view is not None
    stub, kept = ExchangeServiceStub(asker.channel), list[tuple[CheckFlagRequest, Receipt]]()
    loaded = asyncio.Event()

    async def load() -> Refusal:
        while True:
            request = question(asker)
            try:
                reply = await stub.CheckFlag(request, timeout=5)
            except grpc.aio.AioRpcError as error:
                return read(error)
            kept.append((request, reply.receipt))
            if len(kept) >= ANSWERS_BEFORE_KILL:
                loaded.set()

    await stub.CheckFlag(question(asker, assertion_id="before-the-kill"), timeout=5)

    clients = [asyncio.create_task(load()) for _ in range(8)]
    async with asyncio.timeout(20):
        await loaded.wait()
    # The clients go on while the signal is on its way.
    await asyncio.to_thread(doomed.kill, "gateway")
    ends = {each.code for each in await asyncio.gather(*clients)}
    assert ends <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    assert len(kept) >= ANSWERS_BEFORE_KILL
    entries = doomed.entries()
    for _, receipt in kept:
        check_receipt(receipt, log_of(view), Expected(frozenset({"access.decision"}), None))
        assert entries[receipt.index].leaf == receipt.leaf, "the very entry stands at the index of the receipt"
    # The very request again; another request under an assertion that is spent. The process that knew them is dead.
    spent = question(asker, assertion_id="before-the-kill")
    for request, reason in ((kept[-1][0], "EXPIRED_REFETCH"), (spent, "ASSERTION_REPLAYED")):
        before = doomed.size()
        found = await refusal(stub.CheckFlag(request, timeout=5))
        assert (found.code, found.reason) == (grpc.StatusCode.ABORTED, reason)
        assert [(leaf.kind, leaf.reason) for leaf in doomed.news(before)] == [("access.refused", reason)]
    await whole(doomed)


async def whole(town: Town) -> None:
    """The log verifies from its first entry to the last of this moment, and every decision in it is made again.

    A gateway that serves goes on writing it.
    """
    size = town.size()
    reader = Reader(SqliteStore(town.state.database))
    try:
        assert verify_log(reader).size >= size
    finally:
        reader.close()
    replayed = await command("gateway", "replay", str(town.gateway))
    assert replayed.exit == 0, replayed.out + replayed.err


async def test_a_full_disk_ends_answers_and_the_process_and_never_discloses(doomed: Town) -> None:
    asker, process = doomed.residents[ASKER], doomed.processes["gateway"]
    stub, before = ExchangeServiceStub(asker.channel), doomed.size()
    # No file of this process may grow or be written any more: what a full volume does to it.
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
    seen = await asyncio.gather(*(ending(stub.CheckFlag(question(asker), timeout=5)) for _ in range(8)))
    assert None not in seen, "an answer without an entry"
    codes = {each.code for each in seen if each is not None}
    # The process ends at once; a call it had not begun to refuse is cut off with it.
    assert {grpc.StatusCode.UNAVAILABLE} <= codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, seen
    assert {each.reason for each in seen if each is not None and each.reason} <= {"LOG_UNAVAILABLE"}
    assert await asyncio.to_thread(process.wait, 20) == 1, "a gateway that cannot write its log does not serve"
    assert doomed.size() == before
    refused = await command("gateway", "serve", str(doomed.gateway))
    assert (refused.exit, refused.out) == (6, ""), "a restart alone explains nothing"
    assert "stopped for good (IO)" in refused.err
    explained = await command("audit", "recover", str(doomed.gateway), "--explain", "the test volume was full")
    assert explained.exit == 0, explained.out + explained.err
    health = health_pb2_grpc.HealthStub(asker.channel)
    assert (await refusal(health.Check(health_pb2.HealthCheckRequest(), timeout=2))).code is (
        grpc.StatusCode.UNAVAILABLE
    )
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    assert doomed.size() > before
    await whole(doomed)


def stored(town: Town) -> dict[str, bytes]:
    """The database as it lies on disk, with what its journal still holds."""
    return {each.name: each.read_bytes() for each in town.gateway.glob(f"{town.state.database.name}*")}


def store(town: Town, files: dict[str, bytes]) -> None:
    """The disk holds this database and nothing newer."""
    for each in town.gateway.glob(f"{town.state.database.name}*"):
        each.unlink()
    for name, content in files.items():
        (town.gateway / name).write_bytes(content)


async def test_an_edited_table_keeps_the_gateway_from_starting(doomed: Town) -> None:
    """Whoever can write the database denies, or allows again, whom they like: until the next start."""
    await end(doomed)
    edit(doomed, "INSERT INTO denied VALUES (?, 1)", ASKER)
    refused = await command("gateway", "serve", str(doomed.gateway))
    assert (refused.exit, refused.out) == (6, "")
    assert "a denied name is not in the database as the log says" in refused.err
    checked = await command("audit", "fsck", str(doomed.gateway))
    assert (checked.exit, checked.out) == (6, "")
    assert checked.err.startswith("FAIL  AUDIT-PROJECTION ")
    edit(doomed, "DELETE FROM denied WHERE name = ?", ASKER)
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)


async def test_whoever_is_killed_between_the_entry_of_a_seal_and_the_keys_leaving_starts_again(doomed: Town) -> None:
    """Where somebody holds keys.db, the process waits just there.

    Until it is held nobody writes the log, so that a deposit is found before its entry, however slow this process is.
    """
    owner = doomed.residents[OWNER]
    handle = await raise_new(owner, "who is sealed")
    message = SealOrder(
        request_id=secrets.token_bytes(16),
        operation=SEAL_OPERATION_RESTRICT,
        subject_handle=handle,
        case_commitment=b"c" * 32,
    )
    officer = Act(Role("COUNTY.privacy_officer"), Purpose.OVERSIGHT_AUDIT)
    order = SealingServiceStub(owner.channel).Seal(owner.signed(SealRequest, message, officer), timeout=20)
    with (
        closing(sqlite3.connect(doomed.state.youth_keys, isolation_level=None, timeout=0)) as holding,
        closing(sqlite3.connect(doomed.state.database, isolation_level=None)) as log,
    ):
        log.execute("BEGIN IMMEDIATE")
        waiting = asyncio.ensure_future(ending(order))
        await asyncio.wait_for(held_after_deposit(holding), 15)
        log.execute("ROLLBACK")
        for _ in range(200):
            if any(leaf.kind == "seal.restricted" for leaf in doomed.news(0)):
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(doomed.kill, "gateway")
        holding.execute("ROLLBACK")
    assert await waiting is not None, "nobody was told that the seal is carried out"
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    with closing(sqlite3.connect(doomed.state.youth_keys)) as keys:
        name = youth_name(OWNER, SubjectHandle(handle))
        assert keys.execute("SELECT 1 FROM youth_key WHERE name = ?", (name,)).fetchone() is None
        assert keys.execute("SELECT count(*) FROM escrow WHERE name IS NULL").fetchone() == (1,)


async def held_after_deposit(connection: sqlite3.Connection) -> None:
    """Nobody else writes to the keys, from the moment that one of them is deposited."""
    while True:
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT 1 FROM escrow WHERE name IS NOT NULL").fetchone():
                return
            connection.execute("ROLLBACK")
        await asyncio.sleep(0.0005)


async def test_a_gateway_without_the_keys_of_youths_does_not_start_and_says_what_to_do(doomed: Town) -> None:
    await end(doomed)
    keys = doomed.state.youth_keys
    keys.rename(keys.with_name("elsewhere"))
    for words in (("gateway", "serve"), ("gateway", "replay"), ("audit", "fsck")):
        refused = await command(*words, str(doomed.gateway))
        assert refused.exit != 0
        assert "STATE-007" in refused.err, refused.err
        assert "Traceback" not in refused.err
    assert not keys.exists(), "none is made because one is missing"
    keys.with_name("elsewhere").rename(keys)
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)


async def test_a_database_put_back_to_before_a_seal_takes_revocations_all_the_same(doomed: Town) -> None:
    """A sealed youth is listed in it again, which waits until the log is healed; revocations do not."""
    asker, owner, mirror = doomed.residents[ASKER], doomed.residents[OWNER], doomed.root / "mirror-of-the-sealed"
    handle = secrets.token_bytes(16)
    await register(owner, handle, "somebody else")
    await end(doomed)
    backup = stored(doomed)
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    await end(doomed)
    leave(doomed, OWNER, handle)
    assert (await command("audit", "mirror", str(doomed.gateway), str(mirror))).exit == 0
    store(doomed, backup)
    await asyncio.to_thread(doomed.start, "gateway")
    assert (await recovering(asker)).code is grpc.StatusCode.UNAVAILABLE
    await end(doomed)
    healed = await command("audit", "recover", str(doomed.gateway), "--mirror", str(mirror))
    assert healed.exit == 0, healed.out + healed.err
    size = doomed.size()
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    kinds = [leaf.kind for leaf in doomed.news(size)]
    assert kinds.index("seal.enforced") < kinds.index("access.decision")


async def test_a_database_put_back_discloses_nothing_keeps_revocations_and_is_healed(doomed: Town) -> None:
    """The database of before beside today's record of its size: the restored backup that would un-revoke."""
    asker, mirror = doomed.residents[ASKER], doomed.root / "mirror"
    await end(doomed)
    backup = stored(doomed)
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    await end(doomed)
    assert (await command("audit", "mirror", str(doomed.gateway), str(mirror))).exit == 0
    size = doomed.size()
    store(doomed, backup)
    assert (await command("audit", "fsck", str(doomed.gateway))).exit == 6
    await asyncio.to_thread(doomed.start, "gateway")
    assert (await recovering(asker)).code is grpc.StatusCode.UNAVAILABLE
    with pytest.raises(grpc.aio.AioRpcError) as held:
        await doomed.revoke(OWNER)
    assert read(held.value).reason == "REVOCATION_HELD"
    assert doomed.size() < size, "nothing is written to a log that was put back"
    await end(doomed)
    healed = await command("audit", "recover", str(doomed.gateway), "--mirror", str(mirror))
    assert healed.exit == 0, healed.out + healed.err
    await asyncio.to_thread(doomed.start, "gateway")
    await answered(doomed)
    kinds = [leaf.kind for leaf in doomed.news(size)]
    assert kinds.index("log.recovered") < kinds.index("member.revoked") < kinds.index("access.decision")
    await whole(doomed)
    checked = await command("audit", "fsck", str(doomed.gateway), "--mirror", str(mirror))
    assert (checked.exit, "behind: it lacks" in checked.out) == (0, True), checked.out + checked.err
    assert (await command("audit", "mirror", str(doomed.gateway), str(mirror))).exit == 0


def leave(town: Town, owner: AgencyId, handle: bytes) -> None:
    """The youth's key has left, as with a seal that the database does not know."""
    wrapping_key = town.state.read_secret("youth-wrap.key", length=32)
    keys = FileYouthKeys(town.state.youth_keys, wrapping_key=wrapping_key, random_bytes=secrets.token_bytes)
    name = youth_name(owner, SubjectHandle(handle))
    with closing(sqlite3.connect(town.state.youth_keys)) as connection, connection:
        connection.execute("INSERT INTO sealed_name VALUES (?)", (keys.sealed_digest(name),))
        assert connection.execute("DELETE FROM youth_key WHERE name = ?", (name,)).rowcount == 1
    keys.close()


async def recovering(asker: Resident) -> Refusal:
    """What the gateway answers while its log is put back; a client redials by itself."""
    stub = ExchangeServiceStub(asker.channel)
    for _ in range(100):
        found = await ending(stub.CheckFlag(question(asker), timeout=5))
        assert found is not None, "an answer from a log that was put back"
        if found.reason == "RECOVERING":
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("the gateway does not say that it recovers")


def edit(town: Town, statement: str, *values: str) -> None:
    """Somebody changes a table behind the log's back."""
    connection = sqlite3.connect(town.state.database)
    with connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


async def command(*words: str) -> Done:
    """What a command of the operator says."""
    return await asyncio.to_thread(commands().ask, *words)


async def end(town: Town) -> None:
    """The gateway was told to stop and did."""
    town.processes["gateway"].terminate()
    assert await asyncio.to_thread(town.processes["gateway"].wait, 30) == 0
