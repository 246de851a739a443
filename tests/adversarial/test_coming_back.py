"""An adapter that was shut out comes back, and nobody comes beside it: over the enrollment listener of real processes.

What the operator types is typed here: invitations, revocations and `homeward join` are commands.
"""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from adapters.channel_identity import load_identity, write_identity
from adapters.keyring import load_keyring
from adapters.membership import read_membership
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    EvidenceKind,
    Purpose,
    Role,
)
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse
from tests.adversarial.house import House, beat, register
from tests.adversarial.identities import forge, uri
from tests.adversarial.outcome import refusal
from tests.adversarial.resident import Act, Resident, dial
from tests.adversarial.stage import check_flag, outcome, raise_new
from tests.adversarial.town import Town
from tests.commands import answered, homeward

pytestmark = pytest.mark.asyncio(loop_scope="session")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
OWNER, ASKER = AgencyId("06075.cwa"), AgencyId("06029.cwa")
EXPIRED = {"life": timedelta(hours=-1), "backdated": timedelta(hours=2)}


@pytest_asyncio.fixture(loop_scope="session")
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """An exchange of one that lists youths and one that asks."""
    made = Town.found(tmp_path)
    owner = await made.settle(OWNER, AgencyKind.CWA, has_sources=True)
    await made.settle(ASKER, AgencyKind.CWA)
    await made.listed(*made.residents)
    await register(owner, secrets.token_bytes(16), "somebody")
    await beat(owner)
    yield made
    await made.close()


async def line_for(town: Town, agency: str = OWNER, *options: str) -> str:
    invited = await asyncio.to_thread(answered, "gateway", "invite", town.gateway, agency, "--kind", "CWA", *options)
    return str(invited["line"])


def place(resident: Resident) -> Path:
    """Where the agency's file would be."""
    return resident.state.parent


async def joined(line: str, directory: Path, *options: object, code: int = 0) -> dict[str, object]:
    return await asyncio.to_thread(answered, "join", line, "--dir", directory, *options, code=code)


async def code_of(line: str, directory: Path, *options: object) -> str:
    error = (await joined(line, directory, *options, code=1))["error"]
    assert isinstance(error, dict)
    return str(error["code"])


async def asked(town: Town, label: str = "somebody") -> CheckFlagResponse:
    return await check_flag(town.residents[ASKER], label, ACT, EvidenceKind.YOUTH_PRESENT)


async def greeted(town: Town, resident: Resident) -> None:
    await MembershipServiceStub(resident.channel).GetDirectory(GetDirectoryRequest(), timeout=5)


async def test_an_adapter_whose_certificate_has_expired_comes_back_in_its_directory(town: Town) -> None:
    owner = town.residents[OWNER]
    expired = forge(town, [uri(owner.membership.spiffe_id)], **EXPIRED)  # type: ignore[arg-type]
    write_identity(owner.state / "keys", key=expired.key, chain=expired.chain, ca=expired.ca)
    async with dial(town.address, load_identity(owner.state)) as channel:
        await refusal(MembershipServiceStub(channel).GetDirectory(GetDirectoryRequest(), timeout=5))
    before, rows = read_membership(owner.state), town.rows("subject", "index_token")
    said = await joined(await line_for(town), place(owner))
    assert (said["ok"], said["already_joined"], said["line_used"]) == (True, True, True)
    back = Resident.open(owner.state, town.address)
    await greeted(town, back)
    assert load_keyring(owner.state / "keys").envelope.key_id == owner.ring.envelope.key_id
    assert (back.membership.generation, back.membership.joined) == (before.generation + 1, before.joined)
    assert town.rows("subject", "index_token") == rows
    # The list goes on under the same handles.
    await beat(back)
    assert outcome((await asked(town)).answer.outcome) == "NO_ACTIVE_FLAG_FOUND"
    await back.close()


async def test_a_line_is_left_unused_where_the_certificate_is_good_and_serves_once_it_was_revoked(town: Town) -> None:
    owner, line = town.residents[OWNER], await line_for(town)
    before = town.size()
    said = await joined(line, place(owner), code=1)
    assert (said["ok"], said["already_joined"], said["line_used"]) == (False, True, False)
    text = (await asyncio.to_thread(homeward, "join", line, "--dir", place(owner), code=1)).out
    assert "was not used" in text
    assert "spent" not in text
    assert town.news(before) == []
    await town.revoke(OWNER)
    rows = town.rows("subject")
    said = await joined(line, place(owner))
    assert said["line_used"] is True
    back = Resident.open(owner.state, town.address)
    await greeted(town, back)
    assert town.rows("subject") == rows
    again = await joined(line, place(owner))
    assert (again["ok"], town.rows("subject")) == (True, rows)
    await back.close()


async def test_an_adapter_that_is_refused_knows_and_says_so_once(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    house = await House.open(town.residents[OWNER])
    await house.disconnect()
    link, adapter = asyncio.create_task(house.adapter.link.run()), house.adapter
    async with asyncio.timeout(10):
        while not adapter.status().link_up:  # noqa: ASYNC110 - the link says so by its status alone
            await asyncio.sleep(0.05)
    assert not adapter.status().certificate_refused
    await town.revoke(OWNER)
    async with asyncio.timeout(10):
        while not adapter.status().certificate_refused:  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.05)
    # It tries again, and again, and tells it when it became so.
    await asyncio.sleep(1)
    told = [record.message for record in caplog.records if "refuses the certificate" in record.message]
    assert len(told) == 1
    link.cancel()
    await asyncio.gather(link, return_exceptions=True)
    await house.close()


async def test_an_identity_that_was_locked_comes_back_too(town: Town) -> None:
    owner = town.residents[OWNER]
    await town.revoke(owner.membership.spiffe_id)
    assert (await joined(await line_for(town), place(owner)))["line_used"] is True
    back = Resident.open(owner.state, town.address)
    await greeted(town, back)
    await back.close()


async def test_who_copied_a_directory_stays_shut_out_when_its_agency_has_come_back(town: Town, tmp_path: Path) -> None:
    owner, stolen = town.residents[OWNER], tmp_path / "stolen" / "state"
    shutil.copytree(owner.state, stolen)
    thief = Resident.open(stolen, town.address)
    await greeted(town, thief)
    await town.revoke(OWNER)
    refused = await refusal(MembershipServiceStub(thief.channel).GetDirectory(GetDirectoryRequest(), timeout=5))
    assert (await joined(await line_for(town), place(owner)))["line_used"] is True
    back = Resident.open(owner.state, town.address)
    await greeted(town, back)
    # Neither over the connection that was open, nor over another, nor after the gateway began again.
    fresh = Resident.open(stolen, town.address)
    for each in (thief, fresh):
        again = await refusal(MembershipServiceStub(each.channel).GetDirectory(GetDirectoryRequest(), timeout=5))
        assert again == refused
    town.residents[OWNER] = back
    town.kill("gateway")
    await asyncio.to_thread(town.start, "gateway")
    await town.heard()
    later = Resident.open(stolen, town.address)
    assert await refusal(MembershipServiceStub(later.channel).GetDirectory(GetDirectoryRequest(), timeout=5)) == refused
    for each in (thief, fresh, later):
        await each.close()


async def test_a_new_directory_or_another_adapter_lists_nobody_a_second_time(town: Town, tmp_path: Path) -> None:
    line, root = await line_for(town), town.roots["06075"]
    rows = town.rows("subject", "index_token", "listing", "key_statement", "member")
    options = ("--county-root", root)
    assert await code_of(line, tmp_path / "fresh", *options) == "JOIN-018"
    assert await code_of(line, tmp_path / "second", *options, "--instance", "a2") == "JOIN-017"
    # Nor does one without records take the agency's place, whose list nobody would keep current any more.
    assert await code_of(line, place(town.residents[OWNER]), "--again", "--no-sources") == "JOIN-018"
    reasons = [leaf.reason for leaf in town.leaves() if leaf.kind == "access.refused"]
    assert {"ADAPTER_ENROLLED", "YOUTHS_LISTED"} <= set(reasons)
    assert town.rows("subject", "index_token", "listing", "key_statement", "member") == rows
    assert outcome((await asked(town)).answer.outcome) == "NO_ACTIVE_FLAG_FOUND"
    # The line is good still.
    assert (await joined(line, place(town.residents[OWNER]), "--again"))["line_used"] is True


async def test_after_a_revocation_a_new_directory_begins_with_an_empty_list_and_until_it_is_complete_nobody_is_cleared(
    town: Town, tmp_path: Path
) -> None:
    await town.revoke(OWNER)
    root = town.roots["06075"]
    said = await joined(await line_for(town), tmp_path / "fresh", "--county-root", root)
    assert said["line_used"] is True
    assert town.rows("subject", "index_token", "listing") == {"subject": [], "index_token": [], "listing": []}
    (redeemed,) = [leaf for leaf in town.leaves() if "removed" in leaf.op and leaf.kind == "enroll.redeemed"]
    assert (redeemed.requester, redeemed.op["removed"]) == (OWNER, "1")
    fresh = Resident.open(tmp_path / "fresh" / "state", town.address)
    await unsuspended(town, fresh)
    # A heartbeat of before, a minute ago, spoke of the list that is gone.
    reply = await asked(town)
    assert (outcome(reply.answer.outcome), list(reply.answer.stale_counties)) == ("UNDETERMINED", ["06075"])
    # What is left is what the log says: a start compares.
    town.kill("gateway")
    await asyncio.to_thread(town.start, "gateway")
    town.residents[OWNER] = fresh
    await town.heard()
    await register(fresh, secrets.token_bytes(16), "somebody")
    reply = await asked(town)
    assert (outcome(reply.answer.outcome), list(reply.answer.stale_counties)) == ("UNDETERMINED", ["06075"])
    await beat(fresh)
    await asyncio.sleep(1.1)
    assert outcome((await asked(town)).answer.outcome) == "NO_ACTIVE_FLAG_FOUND"
    assert len(town.rows("subject")["subject"]) == 1


async def test_a_youth_who_is_looked_for_stays_findable_and_no_directory_takes_the_place_of_the_one_that_said_so(
    town: Town, tmp_path: Path
) -> None:
    owner = town.residents[OWNER]
    await raise_new(owner, "who is missing")
    assert outcome((await asked(town, "who is missing")).answer.outcome) == "ANSWERED"
    await town.revoke(OWNER)
    line = await line_for(town)
    rows = town.rows("subject", "index_token", "flag")
    assert await code_of(line, tmp_path / "fresh", "--county-root", town.roots["06075"]) == "JOIN-019"
    assert town.rows("subject", "index_token", "flag") == rows
    # The directory that raised it comes back by the very line, and the flag is its own.
    assert (await joined(line, place(owner)))["line_used"] is True
    back = Resident.open(owner.state, town.address)
    await unsuspended(town, back)
    assert outcome((await asked(town, "who is missing")).answer.outcome) == "ANSWERED"
    await back.close()


async def unsuspended(town: Town, resident: Resident) -> None:
    """The directory that both sign says so, with the keys that the agency has now."""
    async with asyncio.timeout(15):
        while True:
            view = await town.directory(resident)
            member = view.member(resident.agency) if view is not None else None
            if member is not None and not member.suspended and resident.ring.envelope.key_id in member.keys:
                return
            await asyncio.sleep(0.1)
