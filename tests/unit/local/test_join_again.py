"""A directory that has joined is given another line: when it is redeemed, what stays, and what a crash leaves."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from adapters import channel_identity
from adapters.channel_identity import load_identity
from adapters.joined_words import joined_data, joined_text
from adapters.keyring import KeyFile, load_keyring
from adapters.membership import LOCK_FILE, parse_membership, read_membership, write_membership
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.store import open_store, put_setting
from adapters.node.succession import DIRECTORY
from gateway.protocol.enrollment_proof import check_request
from gateway.protocol.envelope import unwrap
from gateway.protocol.invitation import encode
from gateway.protocol.signing import SigningKey
from homeward.alone import alone
from homeward.failure import CommandFailure
from homeward.gateway.v1.directory_pb2 import KEY_USE_FLAG, County, Directory, KeyStatement, Member, SignedDirectory
from tests.unit.local.enrollment_listener import NEXT_TICKET, NOW, Listener, certificate_key, enter, invitation
from tests.unit.node.world import keys

EXPIRED = NOW + timedelta(days=1)
LINE = encode(invitation())


def next_line(**changes: object) -> str:
    return encode(invitation(**{"ticket": NEXT_TICKET, "expires": EXPIRED + timedelta(hours=1)} | changes))


def files(state: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in [*(state / "keys").iterdir(), state / "member.json"]}


@pytest.fixture
async def listener(tmp_path: Path) -> Listener:
    """An exchange that this directory has joined; the certificate has just ended."""
    made = Listener()
    await enter(made, tmp_path, line=LINE)
    made.now = EXPIRED
    return made


async def refused(listener: Listener, state: Path, **changes: object) -> CommandFailure:
    before = files(state)
    with pytest.raises(CommandFailure) as caught:
        await enter(listener, state, **{"line": next_line()} | changes)
    assert {name: data for name, data in files(state).items() if name != "tls.key.next"} == before
    return caught.value


async def test_an_expired_directory_comes_back_with_its_keys_and_a_new_channel_key(
    tmp_path: Path, listener: Listener
) -> None:
    before = files(tmp_path)
    joined = await enter(listener, tmp_path, line=next_line(gateway_address="moved.exchange.example:8443"))
    first, second = listener.requests
    root = first.county_root_key
    named = [[unwrap(each, KeyStatement, root).public_key for each in one.keys] for one in (first, second)]
    assert named[0] == named[1]
    assert (first.county_root_key, first.instance) == (second.county_root_key, second.instance)
    for request in (first, second):
        check_request(request, load_keyring(tmp_path / "keys").envelope.public_bytes)
    asked = [x509.load_der_x509_csr(each.certificate_request).public_key() for each in (first, second)]
    assert certificate_key(asked[0]) != certificate_key(asked[1])
    after, identity, member = files(tmp_path), load_identity(tmp_path), read_membership(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"tls.key", "tls.pem", "ca.pem", "member.json"}
    assert set(after) == set(before)
    assert (identity.expires, member.generation) == (EXPIRED + timedelta(days=1), 2)
    assert (member.joined, member.gateway_address) == (NOW, "moved.exchange.example:8443")
    assert (joined.membership, joined.was_member, joined.is_line_used) == (member, True, True)


async def test_a_line_that_is_not_needed_is_left_unused_and_said_to_be_good(tmp_path: Path, listener: Listener) -> None:
    listener.now = NOW
    before = files(tmp_path)
    joined = await enter(listener, tmp_path, line=next_line())
    assert (joined.was_member, joined.is_line_used) == (True, False)
    assert (len(listener.requests), files(tmp_path)) == (1, before)
    text = joined_text(joined, tmp_path / "adapter.yaml")
    assert "was not used" in text
    assert "2026-11-25 12:10 UTC" in text
    assert "spent" not in text
    assert (joined_data(joined)["ok"], joined_data(joined)["line_used"]) == (False, False)
    again = await enter(listener, tmp_path, line=next_line(), again=True)
    assert (again.is_line_used, again.membership.generation) == (True, 2)


async def test_the_line_that_made_the_directory_a_member_may_be_given_again(tmp_path: Path, listener: Listener) -> None:
    listener.now = NOW + timedelta(hours=2)
    before = files(tmp_path)
    joined = await enter(listener, tmp_path, line=LINE)
    assert (joined.was_member, joined.is_line_used, files(tmp_path)) == (True, True, before)
    listener.now = EXPIRED
    found = await refused(listener, tmp_path, line=LINE)
    assert found.code == "JOIN-003"


async def test_a_refused_certificate_is_replaced_although_it_has_not_ended(tmp_path: Path, listener: Listener) -> None:
    listener.now, listener.refused = NOW, True
    joined = await enter(listener, tmp_path, line=next_line())
    assert (joined.is_line_used, joined.membership.generation) == (True, 2)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"agency": "06037.prob"}, "06037.prob"),
        ({"trust_domain": "other.example"}, "exchange.example"),
        ({"gateway_key": b"o" * 32}, "another exchange"),
    ],
)
async def test_a_line_for_somebody_else_is_refused_and_not_used(
    tmp_path: Path, listener: Listener, changes: dict[str, object], word: str
) -> None:
    for now in (EXPIRED, NOW):
        listener.now = now
        found = await refused(listener, tmp_path, line=next_line(**changes))
        assert (found.code, word in found.why) == ("JOIN-014", True)
    assert len(listener.requests) == 1


async def test_another_instance_is_refused_and_the_directorys_own_need_not_be_named(
    tmp_path: Path, listener: Listener
) -> None:
    write_membership(tmp_path, replace(read_membership(tmp_path), instance="a2"))
    found = await refused(listener, tmp_path, instance="a1")
    assert (found.code, "a2" in found.why) == ("JOIN-014", True)
    with pytest.raises(CommandFailure) as caught:
        await enter(listener, tmp_path, line=next_line())
    assert (caught.value.code, listener.requests[-1].instance) == ("JOIN-008", "a2")


async def test_nothing_is_redeemed_while_the_adapter_runs(tmp_path: Path, listener: Listener) -> None:
    with alone(tmp_path / LOCK_FILE):
        found = await refused(listener, tmp_path)
    assert (found.code, len(listener.requests)) == ("JOIN-016", 1)


async def test_a_lost_answer_is_given_again_to_the_same_key(tmp_path: Path, listener: Listener) -> None:
    listener.cut_off = 1
    assert (await refused(listener, tmp_path)).code == "JOIN-004"
    joined = await enter(listener, tmp_path, line=next_line())
    assert joined.membership.generation == 2


@pytest.mark.parametrize("crash_before", range(1, 6))
async def test_a_crash_while_files_are_replaced_leaves_the_old_member_or_the_new_one(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch, crash_before: int
) -> None:
    real, writes = channel_identity.replace_file, []

    class Crash(BaseException):
        pass

    def crashing(path: Path, data: bytes, *, mode: int) -> None:
        if path.name != "tls.key.next":
            writes.append(path.name)
        if len(writes) == crash_before:
            raise Crash
        real(path, data, mode=mode)

    for name in ("adapters.channel_identity", "adapters.keyring", "adapters.membership"):
        monkeypatch.setattr(f"{name}.replace_file", crashing)
    line = next_line(gateway_address="moved.exchange.example:8443")
    with pytest.raises(Crash):
        await enter(listener, tmp_path, line=line)
    monkeypatch.undo()
    identity, member = load_identity(tmp_path), read_membership(tmp_path)
    is_new = crash_before > 1
    assert (member.generation, identity.expires > EXPIRED) == (1 + is_new, is_new)
    assert member.gateway_address.startswith("moved") == is_new
    again = await enter(listener, tmp_path, line=line)
    assert (again.membership.generation, len(listener.tickets)) == (2, 2)


# --- the county root


def keep_directory(state: Path, listener: Listener) -> None:
    """The newest directory that the adapter accepted lists it."""
    request = listener.requests[0]
    flags = [each for each in request.keys if KeyStatement.FromString(each.payload).use == KEY_USE_FLAG]
    others = [each for each in request.keys if each not in flags]
    directory = Directory(
        counties=[County(fips="06037", root_key=request.county_root_key, flag_keys=flags)],
        members=[Member(agency="06037.cwa", keys=others)],
        log_origin=keys().log.public.origin,
        log_key=keys().log.public.raw,
    )
    store = open_store(state / "adapter.db")
    with store.write() as connection:
        put_setting(connection, DIRECTORY, SignedDirectory(directory=directory.SerializeToString()).SerializeToString())
    store.close()


async def test_the_root_may_stay_where_it_is_kept_while_what_it_said_counts(tmp_path: Path, listener: Listener) -> None:
    keep_directory(tmp_path, listener)
    (tmp_path / "keys" / KeyFile.COUNTY_ROOT).unlink()
    joined = await enter(listener, tmp_path, line=next_line())
    first, second = listener.requests
    assert second.county_root_key == first.county_root_key
    assert {each.payload for each in second.keys} == {each.payload for each in first.keys}
    assert joined.membership.county_root == first.county_root_key


async def test_without_the_root_and_what_it_said_it_is_asked_for_and_no_other_is_made(
    tmp_path: Path, listener: Listener
) -> None:
    kept = tmp_path / "offline.key"
    shutil.move(tmp_path / "keys" / KeyFile.COUNTY_ROOT, kept)
    assert (await refused(listener, tmp_path)).code == "JOIN-015"
    other = tmp_path / "other.key"
    other.write_bytes(SigningKey.generate().private_bytes)
    other.chmod(0o600)
    assert (await refused(listener, tmp_path, county_root=other)).code == "JOIN-007"
    assert len(listener.requests) == 1
    joined = await enter(listener, tmp_path, line=next_line(), county_root=kept)
    assert joined.membership.county_root == listener.requests[0].county_root_key
    assert not (tmp_path / "keys" / KeyFile.COUNTY_ROOT).exists()


async def test_keys_of_a_damaged_directory_are_not_made_anew(tmp_path: Path, listener: Listener) -> None:
    (tmp_path / "keys" / KeyFile.ENVELOPE).unlink()
    found = await refused(listener, tmp_path)
    assert (found.code, KeyFile.ENVELOPE in found.what) == ("JOIN-011", True)


async def test_a_directory_that_an_earlier_release_made_comes_back_too(tmp_path: Path, listener: Listener) -> None:
    before = load_keyring(tmp_path / "keys").envelope.public_bytes
    write_membership(tmp_path, replace(read_membership(tmp_path), county_root=b"", line_digest=b""))
    assert parse_membership((tmp_path / "member.json").read_text()).county_root == b""
    joined = await enter(listener, tmp_path, line=next_line())
    assert joined.membership.county_root == listener.requests[0].county_root_key
    assert load_keyring(tmp_path / "keys").envelope.public_bytes == before


@pytest.mark.parametrize(
    ("reason", "code"), [("ADAPTER_ENROLLED", "JOIN-017"), ("YOUTHS_LISTED", "JOIN-018"), ("FLAGS_OPEN", "JOIN-019")]
)
async def test_what_the_exchange_refuses_of_another_directory_is_told_with_what_to_do(
    tmp_path: Path, reason: str, code: str
) -> None:
    listener = Listener(error=CallFailed(CallFault.REFUSED, reason))
    with pytest.raises(CommandFailure) as caught:
        await enter(listener, tmp_path)
    assert (caught.value.code, "not used" in caught.value.why) == (code, True)
