"""Somebody edits the gateway's tables past its log while the mirror lags: every command names the next, to the end.

The operator has what a message says, and nothing else. No entry is lost on the way, nothing that was revoked comes
back, and the mirror is not made to forget what the tables were.
"""

import asyncio
import re
import secrets
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.node.identifiers import timestamp
from gateway.protocol.envelope import wrap
from homeward.gateway.v1.link_pb2 import ConnectRequest, Hello
from homeward.gateway.v1.link_pb2_grpc import AdapterLinkServiceStub
from tests.adversarial.house import beat, register
from tests.adversarial.resident import Resident
from tests.adversarial.stage import record_authority, revoke_authority
from tests.adversarial.test_declared_loss import (
    ASKER,
    GONE,
    OWNER,
    consent_of,
    followed,
    is_ended,
    keeper,
    presented,
)
from tests.adversarial.test_declared_loss import losing as edited
from tests.adversarial.test_survival import answered, command, end
from tests.adversarial.town import Town, utc_now

pytestmark = pytest.mark.asyncio(loop_scope="session")
__all__ = ["edited"]
WAY = re.compile(r"homeward audit recover \S+ --(?:mirror MIRROR|declare-loss FILE|declared \S+)")


def edit(town: Town, *statements: str) -> None:
    with closing(sqlite3.connect(town.state.database)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount > 0, statement


async def refused(*words: str) -> list[str]:
    """The ways on that the refusal names, in its order."""
    done = await command(*words)
    assert done.exit == 6, done.out + done.err
    assert [line.split()[0] for line in done.err.splitlines()] == ["FAIL", "where", "why", "fix"]
    return WAY.findall(done.err)


async def carried_out(*words: str) -> str:
    done = await command(*words)
    assert done.exit == 0, done.out + done.err
    return done.out


def contents(directory: Path) -> dict[Path, bytes]:
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def test_rows_that_no_mirror_has_are_declared_lost_and_every_entry_stays(edited: Town, tmp_path: Path) -> None:
    gateway, mirror, loss = str(edited.gateway), str(tmp_path / "mirror"), str(tmp_path / "loss.pb")
    owner = edited.residents[OWNER]
    adapter, _ = keeper(edited.residents[ASKER], tmp_path / "adapter.db", None)
    await adapter.refresh()
    stood, taken_back = consent_of(OWNER), consent_of(OWNER)
    await record_authority(owner, stood)
    await record_authority(owner, taken_back)
    await carried_out("audit", "mirror", gateway, mirror)
    # A round behind: what the mirror's tables do not know.
    await revoke_authority(owner, taken_back.authority_id)
    await edited.revoke(GONE)
    await edited.suspended(GONE)
    await end(edited)
    size, kept = edited.size(), contents(Path(mirror))
    edit(
        edited,
        "DELETE FROM authority", "DELETE FROM authority_party", "DELETE FROM denied",
        "UPDATE member SET suspended = 0",
    )  # fmt: skip

    named = [
        f"homeward audit recover {gateway} --mirror MIRROR",
        f"homeward audit recover {gateway} --declare-loss FILE",
    ]
    assert await refused("audit", "fsck", gateway) == named
    assert await refused("audit", "mirror", gateway, mirror) == named, "the mirror is not made to forget"
    assert contents(Path(mirror)) == kept
    first, second = (way.replace("MIRROR", mirror).replace("FILE", loss) for way in named)
    assert await refused(*shlex.split(first)[1:]) == named, "it lacks what was written since"
    await carried_out(*shlex.split(second)[1:])
    assert "no entries, but rows of the tables" in await signed_by_the_custodian(edited, loss)
    done = await carried_out("audit", "recover", gateway, "--declared", loss)
    assert f"with {size} of {size} entries" in done
    assert re.search(r"^mended .*1 authorities and 0 flags are lost", done, re.MULTILINE), done
    # Who is revoked the custodian's directory says as well, and a revocation that was in doubt is said once more.
    assert [leaf.kind for leaf in edited.leaves(size)] == ["log.succeeded", "member.revoked", "tables.mended"]
    await carried_out("audit", "fsck", gateway)
    assert [name for name, _ in edited.rows("denied")["denied"]] == [GONE]

    await asyncio.to_thread(edited.start, "gateway")
    await answered(edited)
    await followed(adapter)
    assert await presented(owner, authority=wrap(stood, owner.ring.authority)) == ""
    assert await presented(owner, authority=wrap(taken_back, owner.ring.authority)) == "ID_REUSED"
    assert not await is_ended(edited, stood.authority_id)
    ended = {row[0]: row[3] is not None for row in edited.rows("authority")["authority"]}
    assert ended == {stood.authority_id: False, taken_back.authority_id: True}
    await end(edited)
    for words in (
        ("audit", "fsck", gateway),
        ("gateway", "replay", gateway),
        ("audit", "mirror", gateway, mirror + "-2"),
    ):
        await carried_out(*words)


async def test_members_and_lists_that_were_emptied_come_back_from_the_directory_and_the_counties(
    edited: Town, tmp_path: Path
) -> None:
    gateway, loss, owner = str(edited.gateway), str(tmp_path / "loss.pb"), edited.residents[OWNER]
    await end(edited)
    size = edited.size()
    edit(edited, "DELETE FROM member", "DELETE FROM spent", "DELETE FROM index_token")
    *_, way = await refused("audit", "fsck", gateway)
    await carried_out(*shlex.split(way.replace("FILE", loss))[1:])
    await signed_by_the_custodian(edited, loss)
    await carried_out("audit", "recover", gateway, "--declared", loss)
    assert [leaf.kind for leaf in edited.leaves(size)][:2] == ["log.succeeded", "directory.signed"]
    await carried_out("audit", "fsck", gateway)
    assert {row[0] for row in edited.rows("member")["member"]} == {OWNER, ASKER, GONE}

    await asyncio.to_thread(edited.start, "gateway")
    await answered(edited)
    await register(owner, secrets.token_bytes(16), "somebody")
    await beat(owner)
    await end(edited)
    await carried_out("audit", "fsck", gateway)
    await carried_out("gateway", "replay", gateway)


async def test_a_database_that_is_gone_goes_on_with_what_a_mirror_has_of_it(edited: Town, tmp_path: Path) -> None:
    gateway, mirror, loss = str(edited.gateway), str(tmp_path / "mirror"), str(tmp_path / "loss.pb")
    owner, consent = edited.residents[OWNER], consent_of(OWNER)
    await record_authority(owner, consent)
    adapter, _ = keeper(edited.residents[ASKER], tmp_path / "adapter.db", None)
    await adapter.refresh()
    await carried_out("audit", "mirror", gateway, mirror)
    await revoke_authority(owner, consent.authority_id)
    await edited.revoke(GONE)
    await edited.suspended(GONE)
    await end(edited)
    size = edited.size()
    for left in edited.gateway.glob("gateway.db*"):
        left.unlink()
    (way,) = await refused("audit", "fsck", gateway)
    assert await refused(*shlex.split(way.replace("MIRROR", mirror))[1:]) == [
        f"homeward audit recover {gateway} --mirror MIRROR",
        f"homeward audit recover {gateway} --declare-loss FILE",
    ]
    await carried_out("audit", "recover", gateway, "--declare-loss", loss, "--mirror", mirror)
    kept = edited.size()
    assert "entries of" in await signed_by_the_custodian(edited, loss)
    assert f"with {kept} of {size} entries" in await carried_out("audit", "recover", gateway, "--declared", loss)
    await asyncio.to_thread(edited.start, "gateway")
    await answered(edited)
    await followed(adapter)
    assert await is_ended(edited, consent.authority_id), "its revocation may be what is lost"
    assert [name for name, _ in edited.rows("denied")["denied"]] == [GONE]
    await end(edited)
    await carried_out("audit", "fsck", gateway)


async def test_nothing_is_declared_lost_of_a_log_that_holds(edited: Town, tmp_path: Path) -> None:
    await end(edited)
    loss = tmp_path / "loss.pb"
    assert await refused("audit", "recover", str(edited.gateway), "--declare-loss", str(loss)) == []
    assert not loss.exists()
    await asyncio.to_thread(edited.start, "gateway")


async def test_an_alert_that_is_taken_out_is_found_and_once_it_is_lost_said_to_whom_it_was_for(
    edited: Town, tmp_path: Path
) -> None:
    """A revocation is an alert to whoever was given the authority."""
    gateway, loss, owner = str(edited.gateway), str(tmp_path / "loss.pb"), edited.residents[OWNER]
    for _ in range(4):
        await revoke_authority(owner, await record_authority(owner, consent_of(OWNER)))
    await end(edited)
    assert [row[:2] for row in edited.rows("alert")["alert"]] == [(ASKER, number) for number in range(1, 5)]
    edit(
        edited,
        "DELETE FROM alert WHERE sequence = 2",
        "UPDATE alert SET sequence = 2 WHERE sequence = 3",
        "UPDATE alert SET sequence = 3 WHERE sequence = 4",
    )
    for words in (("audit", "fsck", gateway), ("gateway", "serve", gateway), ("gateway", "replay", gateway)):
        done = await command(*words)
        assert (done.exit, done.out) == (6, ""), words
        assert "alert" in done.err, done.err
    # Whoever puts the numbers back has still taken one out.
    edit(
        edited,
        "UPDATE alert SET sequence = 4 WHERE sequence = 3",
        "UPDATE alert SET sequence = 3 WHERE sequence = 2",
    )
    *_, way = await refused("audit", "fsck", gateway)
    await carried_out(*shlex.split(way.replace("FILE", loss))[1:])
    await signed_by_the_custodian(edited, loss)
    assert re.search(
        r"^lost    1 alerts for good", await carried_out("audit", "recover", gateway, "--declared", loss), re.M
    )
    for words in (("audit", "fsck", gateway), ("gateway", "replay", gateway)):
        await carried_out(*words)

    await asyncio.to_thread(edited.start, "gateway")
    await answered(edited)
    said = {cursor: await told_after(edited.residents[ASKER], cursor) for cursor in (0, 1, 3)}
    assert said == {0: (False, 1), 1: (True, 3), 3: (False, 4)}


async def told_after(resident: Resident, cursor: int) -> tuple[bool, int]:
    """Whether the exchange says that an alert behind this one is lost, and the number of the next it has."""
    hello = Hello(create_time=timestamp(utc_now()), session_nonce=secrets.token_bytes(32), alert_cursor=cursor)
    call = AdapterLinkServiceStub(resident.channel).Connect()
    await call.write(ConnectRequest(hello=resident.wrapped(hello)))
    welcome = await call.read()
    async with asyncio.timeout(20):
        while not (message := await call.read()).HasField("alert"):
            pass
    call.cancel()
    return welcome.welcome.resync_required, message.alert.sequence


async def signed_by_the_custodian(town: Town, loss: str) -> str:
    custodian = town.processes["custodian"]
    custodian.terminate()
    assert await asyncio.to_thread(custodian.wait, 20) == 0
    said = await carried_out("custodian", "sign-loss", str(town.custodian), loss)
    await asyncio.to_thread(town.start, "custodian")
    return said
