"""Joining: what is checked before the ticket is spent, what an answer must be, and how every failure is told."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from adapters.channel_identity import load_identity, thumbprint
from adapters.enrol import Wish
from adapters.fingerprint import WORDS, fingerprint, spoken
from adapters.keyring import KeyFile, load_keyring, load_signing_key
from adapters.membership import read_membership
from adapters.node.link.redeem import OtherCertificate, Unreachable
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.store import open_store
from adapters.node.tables import awaited_entry
from audit.checkpoint import LogSigner
from audit.merkle import leaf_hash
from gateway.protocol.envelope import unwrap
from gateway.protocol.invitation import encode
from gateway.protocol.log_kinds import Kind
from gateway.protocol.signing import SigningKey
from homeward.audit.v1.log_pb2 import Receipt
from homeward.failure import CommandFailure, ExitCode
from homeward.gateway.v1.directory_pb2 import KeyStatement
from homeward.gateway.v1.enrollment_pb2 import EnrollResponse
from tests.unit.local.enrollment_listener import (
    NOW,
    SPIFFE,
    TICKET,
    Listener,
    certificate,
    certificate_key,
    enter,
    failure,
    invitation,
)
from tests.unit.node.world import act_receipt, keys, receipt_of


async def test_one_line_makes_an_adapter_with_pins_keys_and_a_certificate(tmp_path: Path) -> None:
    listener = Listener()
    joined = await enter(listener, tmp_path / "state")
    member = read_membership(tmp_path / "state")
    assert joined.membership == member
    assert (member.spiffe_id, member.gateway_address) == (SPIFFE, "gateway.exchange.example:8443")
    assert (member.gateway_key, member.holder_keys) == (b"g" * 32, (b"h" * 32,))
    assert listener.looks == [("gateway.exchange.example:8444", b"d" * 32)]
    load_identity(tmp_path / "state")
    load_keyring(tmp_path / "state" / "keys")


@pytest.mark.parametrize(
    "forged",
    [
        lambda receipt: Receipt(),
        lambda receipt: act_receipt(Kind.ENROLL_REDEEMED, certificate=bytes(32)),
        lambda receipt: act_receipt(
            Kind.CERTIFICATE_RENEWED,
            certificate=next(each.value for each in receipt.openings if each.name == "certificate"),
        ),
        lambda receipt: act_receipt(
            Kind.ENROLL_REDEEMED,
            certificate=next(each.value for each in receipt.openings if each.name == "certificate"),
            log=LogSigner(keys().log.public.origin, Ed25519PrivateKey.generate()),
        ),
    ],
    ids=["none", "another certificate", "another kind", "another log than the line names"],
)
async def test_a_certificate_whose_entry_is_not_in_the_log_of_the_line_makes_no_member(
    tmp_path: Path, forged: Callable[[Receipt], Receipt]
) -> None:
    listener = Listener(edit=lambda response: response.receipt.CopyFrom(forged(response.receipt)))
    broken = await failure(listener, tmp_path)
    assert (broken.code, broken.exit_code) == ("JOIN-013", ExitCode.EVIDENCE)
    assert "new line" in broken.fix
    listener.edit = lambda _: None
    joined = await enter(listener, tmp_path)
    assert joined.membership.log == keys().log.public


async def test_the_entry_of_joining_is_awaited_among_those_that_the_agency_is_shown(tmp_path: Path) -> None:
    taken: list[Receipt] = []
    await enter(Listener(edit=lambda response: taken.append(response.receipt)), tmp_path)
    with open_store(tmp_path / "adapter.db").read() as connection:
        (awaited,) = connection.execute(select(awaited_entry)).all()
    assert tuple(awaited) == (taken[0].index, leaf_hash(taken[0].leaf))


async def test_nothing_is_awaited_of_an_attempt_that_was_cut_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    def always_the_sixth(response: EnrollResponse) -> None:
        said = {"kind": Kind.ENROLL_REDEEMED.encode(), "certificate": thumbprint(response.certificate_chain)}
        # Each time of another history: the exchange lost the entry in between, and its operators said so.
        response.receipt.CopyFrom(receipt_of(said, index=5, time=NOW))

    listener = Listener(edit=always_the_sixth)
    monkeypatch.setattr("adapters.enrol.write_membership", full)
    await failure(listener, tmp_path)
    monkeypatch.undo()
    await enter(listener, tmp_path)
    with open_store(tmp_path / "adapter.db").read() as connection:
        assert len(connection.execute(select(awaited_entry)).all()) == 1


async def test_the_root_that_signed_the_keys_is_the_one_whose_fingerprint_is_told(tmp_path: Path) -> None:
    listener = Listener()
    joined = await enter(listener, tmp_path)
    (request,) = listener.requests
    assert joined.root_fingerprint == fingerprint(request.county_root_key)
    statements = [unwrap(each, KeyStatement, request.county_root_key) for each in request.keys]
    assert len({each.use for each in statements}) == 6
    assert {each.agency for each in statements} == {"06037.cwa", ""}
    assert spoken(joined.root_fingerprint).count(" ") == 5


async def test_every_private_key_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    await enter(Listener(), tmp_path)
    keys = [path for path in sorted((tmp_path / "keys").iterdir()) if path.suffix == ".key"]
    assert {path.name for path in keys} == {*(str(each) for each in KeyFile), "tls.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys} == {0o600}


async def test_a_dropped_connection_does_not_burn_the_line(tmp_path: Path) -> None:
    listener = Listener(cut_off=1)
    broken = await failure(listener, tmp_path)
    assert (broken.code, broken.exit_code) == ("JOIN-004", ExitCode.UNREACHABLE)
    await enter(listener, tmp_path)
    first, second = listener.requests
    assert certificate_key(x509.load_der_x509_csr(first.certificate_request).public_key()) == certificate_key(
        x509.load_der_x509_csr(second.certificate_request).public_key()
    )
    assert first.county_root_key == second.county_root_key


async def test_another_machine_with_the_same_line_is_told_that_it_was_used(tmp_path: Path) -> None:
    listener = Listener()
    await enter(listener, tmp_path / "one")
    refused = await failure(listener, tmp_path / "two")
    assert refused.code == "JOIN-003"
    assert "invite" in refused.fix


async def test_a_second_agency_of_a_county_signs_with_the_countys_root(tmp_path: Path) -> None:
    root = SigningKey.generate()
    file = tmp_path / "root.key"
    file.write_bytes(root.private_bytes)
    file.chmod(0o600)
    listener = Listener()
    joined = await enter(listener, tmp_path / "state", county_root=file)
    assert listener.requests[0].county_root_key == root.public_bytes
    assert joined.root_fingerprint == fingerprint(root.public_bytes)
    assert not (tmp_path / "state" / "keys" / KeyFile.COUNTY_ROOT).exists()


async def test_a_root_that_the_county_does_not_have_is_neither_kept_nor_told(tmp_path: Path) -> None:
    listener = Listener(error=CallFailed(CallFault.REFUSED, "COUNTY_ROOT_DIFFERS"))
    assert (await failure(listener, tmp_path / "state")).code == "JOIN-007"
    assert [path.name for path in (tmp_path / "state" / "keys").glob("county-root*")] == []
    root, file = SigningKey.generate(), tmp_path / "root.key"
    file.write_bytes(root.private_bytes)
    file.chmod(0o600)
    listener.error = None
    joined = await enter(listener, tmp_path / "state", county_root=file)
    again = await enter(listener, tmp_path / "state", county_root=file)
    assert joined.root_fingerprint == again.root_fingerprint == fingerprint(root.public_bytes)
    assert [path.name for path in (tmp_path / "state" / "keys").glob("county-root*")] == []


async def test_a_root_that_was_made_here_has_its_name_once_the_exchange_has_it(tmp_path: Path) -> None:
    listener = Listener(cut_off=1)
    await failure(listener, tmp_path)
    assert [path.name for path in (tmp_path / "keys").glob("county-root*")] == ["county-root.key.new"]
    joined = await enter(listener, tmp_path)
    assert [path.name for path in (tmp_path / "keys").glob("county-root*")] == [KeyFile.COUNTY_ROOT]
    assert joined.root_fingerprint == fingerprint(
        load_signing_key(tmp_path / "keys" / KeyFile.COUNTY_ROOT).public_bytes
    )


async def test_nothing_secret_is_sent_to_another_listener_than_the_lines(tmp_path: Path) -> None:
    listener = Listener(look_error=OtherCertificate("CN=Invented Web Filter CA"))
    found = await failure(listener, tmp_path)
    assert (found.code, found.exit_code) == ("JOIN-005", ExitCode.EVIDENCE)
    assert "Invented Web Filter CA" in found.why
    assert listener.requests == []
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("why", ["name", "refused", "time", "tls"])
async def test_a_listener_that_cannot_be_reached_is_told_with_what_to_check(why: str, tmp_path: Path) -> None:
    found = await failure(Listener(look_error=Unreachable(why)), tmp_path)
    assert (found.code, found.exit_code, found.where) == (
        "JOIN-004",
        ExitCode.UNREACHABLE,
        "gateway.exchange.example:8444",
    )


@pytest.mark.parametrize("cut", [1, 14])
async def test_a_line_that_was_cut_says_how_much_is_missing(cut: int, tmp_path: Path) -> None:
    found = await failure(Listener(), tmp_path, line=encode(invitation())[:-cut])
    assert found.code == "JOIN-001"
    assert f"{cut} character" in found.what


async def test_a_line_that_was_altered_is_refused(tmp_path: Path) -> None:
    line = encode(invitation())
    altered = line[:40] + ("A" if line[40] != "A" else "B") + line[41:]
    assert (await failure(Listener(), tmp_path, line=altered)).code == "JOIN-001"


async def test_an_expired_line_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    listener = Listener()
    found = await failure(listener, tmp_path, line=encode(invitation(expires=NOW)))
    assert found.code == "JOIN-002"
    assert listener.looks == []


REFUSALS = {
    "TICKET_EXPIRED": "JOIN-002",
    "TICKET_USED": "JOIN-003",
    "TICKET_UNKNOWN": "JOIN-006",
    "COUNTY_ROOT_DIFFERS": "JOIN-007",
    "INVALID_REQUEST": "JOIN-008",
}


@pytest.mark.parametrize("reason", REFUSALS)
async def test_each_refusal_of_the_exchange_has_its_code(reason: str, tmp_path: Path) -> None:
    found = await failure(Listener(error=CallFailed(CallFault.REFUSED, reason)), tmp_path)
    assert found.code == REFUSALS[reason]
    for part in (found.what, found.where, found.why, found.fix):
        assert part


def _other_identity(response: EnrollResponse) -> None:
    response.spiffe_id = SPIFFE.replace("06037", "06075")


def _other_name(response: EnrollResponse) -> None:
    key = x509.load_pem_x509_certificate(response.certificate_chain).public_key()
    response.certificate_chain = certificate(key, SPIFFE.replace("a1", "a2"))


def _other_key(response: EnrollResponse) -> None:
    response.certificate_chain = certificate(ec.generate_private_key(ec.SECP256R1()).public_key())


def _garbage(response: EnrollResponse) -> None:
    response.certificate_chain = b"-----BEGIN CERTIFICATE-----\n"


def _no_ca(response: EnrollResponse) -> None:
    response.ca_certificates = b""


def _no_generation(response: EnrollResponse) -> None:
    response.generation = 0


@pytest.mark.parametrize("edit", [_other_identity, _other_name, _other_key, _garbage, _no_ca, _no_generation])
async def test_an_answer_that_is_not_for_us_is_not_kept(edit: Callable[[EnrollResponse], None], tmp_path: Path) -> None:
    found = await failure(Listener(edit=edit), tmp_path)
    assert (found.code, found.exit_code) == ("JOIN-008", ExitCode.EVIDENCE)
    assert not (tmp_path / "keys" / "tls.pem").exists()


async def test_an_instance_name_that_cannot_be_an_identity_is_refused(tmp_path: Path) -> None:
    for name in ("", "A1", "-a", "a/b", "x" * 33):
        assert (await failure(Listener(), tmp_path, instance=name)).code == "JOIN-010"


async def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    listener = Listener(cut_off=1)
    await failure(listener, tmp_path)
    (tmp_path / "keys" / KeyFile.SEAL).chmod(0o644)
    found = await failure(listener, tmp_path)
    assert found.code == "JOIN-011"
    assert KeyFile.SEAL in found.what


async def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = await failure(Listener(), tmp_path / "file")
    assert found.code in ("JOIN-011", "JOIN-012")


async def test_a_damaged_membership_is_not_joined_over(tmp_path: Path) -> None:
    (tmp_path / "member.json").write_text("{}")
    with pytest.raises(CommandFailure) as caught:
        await enter(Listener(), tmp_path)
    assert caught.value.code == "JOIN-009"


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


async def test_the_ticket_is_in_no_failure_and_no_file(tmp_path: Path) -> None:
    line = encode(invitation())
    found = await failure(Listener(error=CallFailed(CallFault.REFUSED, "TICKET_USED")), tmp_path)
    told = found.as_text() + found.as_json() + repr(Wish(line=line, state=tmp_path))
    stored = everything_in(tmp_path)
    assert TICKET.hex() not in told
    assert line not in told
    assert TICKET not in stored
    assert line.encode() not in stored


def test_there_are_256_words_and_no_two_alike() -> None:
    assert len(set(WORDS)) == len(WORDS) == 256
    assert all(word.isascii() and word.islower() and 3 <= len(word) <= 8 for word in WORDS)
