"""Keys, membership and certificate of an adapter on disk: made once, renewed without a moment of neither."""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from adapters import channel_identity
from adapters.channel_identity import (
    accept_renewal,
    certificate_request,
    load_identity,
    new_tls_key,
    next_key,
    thumbprint,
    write_identity,
)
from adapters.keyring import (
    KeyFile,
    KeyFileUnusable,
    generate_keyring,
    key_statements,
    load_keyring,
    write_keyring,
)
from adapters.membership import MembershipInvalid, parse_membership, read_membership, write_membership
from adapters.node.acts import Acts
from adapters.node.receipts import Requests
from adapters.node.renew import IdentityLocked, Renewer, due
from adapters.node.rpcs import RENEW_CERTIFICATE, A, CallFailed, CallFault, Q, Rpc
from adapters.node.store import open_store
from gateway.protocol.envelope import unwrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.signing import SigningKey
from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_FLAG,
    CertificateRenewal,
    KeyStatement,
    RenewCertificateRequest,
    RenewCertificateResponse,
)
from tests.integration.channel_kit import Authority, public
from tests.integration.source_kit import Clock, membership
from tests.unit.node import world
from tests.unit.node.world import NOW, SOURCE, act_receipt, keys


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def state(tmp_path: Path, authority: Authority) -> Path:
    """The state directory of an adapter that joined."""
    write_keyring(tmp_path / "keys", generate_keyring())
    key = new_tls_key()
    write_identity(
        tmp_path / "keys", key=key, chain=authority.certify(SOURCE, public(key)).chain, ca=authority.root_pem
    )
    write_membership(tmp_path, membership(SOURCE))
    return tmp_path


class Office:
    """The gateway's renewal: the next generation for the next key."""

    def __init__(self, authority: Authority, envelope_key: bytes) -> None:
        self.authority = authority
        self.envelope_key = envelope_key
        self.asked: list[CertificateRenewal] = []
        self.failing: CallFailed | None = None
        self.edit_receipt: Callable[[Receipt], Receipt] = lambda receipt: receipt

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        assert rpc.path == RENEW_CERTIFICATE.path
        assert isinstance(request, RenewCertificateRequest)
        renewal = unwrap(request.envelope, CertificateRenewal, self.envelope_key)
        self.asked.append(renewal)
        if self.failing is not None:
            raise self.failing
        asked = x509.load_der_x509_csr(renewal.certificate_request)
        assert asked.is_signature_valid
        key = asked.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        chain = self.authority.certify(SOURCE, key).chain
        receipt = self.edit_receipt(act_receipt(Kind.CERTIFICATE_RENEWED, certificate=thumbprint(chain)))
        answer = RenewCertificateResponse(certificate_chain=chain, generation=renewal.generation + 1, receipt=receipt)
        assert isinstance(answer, rpc.answer)
        return answer


def renewer(state: Path, office: Office) -> tuple[Renewer, list[bytes]]:
    took_over: list[bytes] = []
    made = Renewer(
        state=state,
        envelope_key=load_keyring(state / "keys").envelope,
        identity=lambda: load_identity(state),
        gateway=office,
        acts=Acts(Requests(open_store(state / "adapter.db")), lambda: keys().log.public),
        took_over=lambda: took_over.append(load_identity(state).thumbprint),
        now=Clock(),
        random_bytes=secrets.token_bytes,
    )
    return made, took_over


def office_of(state: Path, authority: Authority) -> Office:
    return Office(authority, load_keyring(state / "keys").envelope.public_bytes)


async def test_a_renewal_replaces_key_certificate_and_generation(state: Path, authority: Authority) -> None:
    before = load_identity(state)
    made, took_over = renewer(state, office_of(state, authority))
    await made.renew()
    after = load_identity(state)
    assert after.thumbprint != before.thumbprint
    assert after.key != before.key
    assert (read_membership(state).generation, took_over) == (2, [after.thumbprint])
    assert sorted(path.name for path in (state / "keys").iterdir() if "next" in path.name) == []


async def test_a_renewal_without_an_answer_is_repeated_with_the_same_key(state: Path, authority: Authority) -> None:
    office = office_of(state, authority)
    made, took_over = renewer(state, office)
    office.failing = CallFailed(CallFault.TIMED_OUT)
    with pytest.raises(CallFailed):
        await made.renew()
    office.failing = None
    await made.renew()
    first, second = (x509.load_der_x509_csr(each.certificate_request).public_key() for each in office.asked)
    assert first == second
    assert [each.generation for each in office.asked] == [1, 1]
    assert len(took_over) == 1
    await made.renew()
    third = x509.load_der_x509_csr(office.asked[2].certificate_request).public_key()
    assert third != first


@pytest.mark.parametrize(
    "forged",
    [
        lambda receipt: Receipt(),
        lambda receipt: act_receipt(Kind.CERTIFICATE_RENEWED, certificate=bytes(32)),
        lambda receipt: act_receipt(Kind.ENROLL_REDEEMED, certificate=opened(receipt, "certificate")),
    ],
    ids=["none", "another certificate", "another kind"],
)
async def test_a_certificate_whose_issuing_is_not_in_the_log_is_not_used(
    state: Path, authority: Authority, forged: Callable[[Receipt], Receipt]
) -> None:
    before, office = load_identity(state), office_of(state, authority)
    made, took_over = renewer(state, office)
    office.edit_receipt = forged
    with pytest.raises(CallFailed) as caught:
        await made.renew()
    assert (caught.value.fault, caught.value.reason) == (CallFault.BROKEN, "RECEIPT_INVALID")
    assert (load_identity(state).thumbprint, took_over) == (before.thumbprint, [])
    office.edit_receipt = lambda receipt: receipt
    await made.renew()
    first, second = (x509.load_der_x509_csr(each.certificate_request).public_key() for each in office.asked)
    assert first == second, "the next try names the same key, or the identity would be locked"
    assert took_over == [load_identity(state).thumbprint]


def opened(receipt: Receipt, name: str) -> bytes:
    return next(each.value for each in receipt.openings if each.name == name)


@pytest.mark.parametrize("crash_before", [1, 2, 3, 4])
def test_a_crash_while_replacing_files_is_finished_at_the_next_start(
    state: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, crash_before: int
) -> None:
    chain = authority.certify(SOURCE, public(next_key(state))).chain
    real, writes = channel_identity.replace_file, []

    class Crash(BaseException):
        pass

    def crashing(path: Path, data: bytes, *, mode: int) -> None:
        writes.append(path.name)
        if len(writes) == crash_before:
            raise Crash
        real(path, data, mode=mode)

    for name in ("adapters.channel_identity", "adapters.keyring", "adapters.membership"):
        monkeypatch.setattr(f"{name}.replace_file", crashing)
    with pytest.raises(Crash):
        accept_renewal(state, chain=chain, generation=2)
    monkeypatch.undo()
    identity = load_identity(state)
    # Before the promise is on disk the old pair counts; after it, the new one, whole.
    expected = (1, False) if crash_before == 1 else (2, True)
    assert (read_membership(state).generation, identity.chain == chain) == expected


def test_a_certificate_of_another_key_is_not_accepted(state: Path, authority: Authority) -> None:
    before = load_identity(state)
    next_key(state)
    with pytest.raises(KeyFileUnusable):
        accept_renewal(state, chain=authority.certify(SOURCE, public(new_tls_key())).chain, generation=2)
    assert load_identity(state) == before


async def test_a_locked_identity_ends_the_renewal_for_good(state: Path, authority: Authority) -> None:
    office = office_of(state, authority)
    office.failing = CallFailed(CallFault.UNAUTHENTICATED, "IDENTITY_LOCKED")
    made, _ = renewer(state, office)
    made.now = Clock(load_identity(state).expires)
    with pytest.raises(IdentityLocked):
        async with asyncio.timeout(5):
            await made.run()


async def test_an_expired_certificate_is_named_in_the_log_with_what_to_do(
    state: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    office = office_of(state, authority)
    office.failing = CallFailed(CallFault.UNAVAILABLE)
    made, _ = renewer(state, office)
    identity = load_identity(state)
    for now, is_named in ((identity.expires - timedelta(seconds=1), False), (identity.expires, True)):
        made.now = Clock(now)
        caplog.clear()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await made.run()
        told = [record.message for record in caplog.records if "expired" in record.message]
        assert bool(told) is is_named
        assert all("join again" in each for each in told)


def test_renewal_is_due_around_two_thirds_of_the_life(state: Path) -> None:
    identity = load_identity(state)
    life = identity.expires - identity.effective
    shares = [(due(identity, each.__mul__) - identity.effective) / life for each in (b"\x00", b"\x80", b"\xff")]
    assert [round(each, 3) for each in shares] == [0.617, 0.667, 0.717]


def test_a_request_names_no_identity(state: Path) -> None:
    request = x509.load_der_x509_csr(certificate_request(new_tls_key()))
    assert len(request.extensions) == 0


# --- key files


def test_keys_come_back_as_they_were_written(tmp_path: Path) -> None:
    ring = generate_keyring()
    write_keyring(tmp_path / "keys", ring)
    again = load_keyring(tmp_path / "keys")
    assert again.envelope.public_bytes == ring.envelope.public_bytes
    assert (again.seal.public_bytes, again.commitment) == (ring.seal.public_bytes, ring.commitment)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}


@pytest.mark.parametrize("file", sorted(set(KeyFile) - {KeyFile.COUNTY_ROOT}))
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, file: KeyFile) -> None:
    write_keyring(tmp_path, generate_keyring())
    (tmp_path / file).chmod(0o640)
    with pytest.raises(KeyFileUnusable) as caught:
        load_keyring(tmp_path)
    assert caught.value.file == file


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_damaged_key_file_is_named_and_not_shown(tmp_path: Path, damage: str) -> None:
    write_keyring(tmp_path, generate_keyring())
    file = tmp_path / KeyFile.RECORD
    raw = file.read_bytes()
    file.unlink()
    if damage == "short":
        file.touch(mode=0o600)
        file.write_bytes(raw[:31])
    with pytest.raises(KeyFileUnusable, match=r"record\.key") as caught:
        load_keyring(tmp_path)
    assert raw.hex()[:20] not in str(caught.value)


def test_a_keyring_does_not_print_its_keys() -> None:
    ring = generate_keyring()
    assert repr(ring) == "Keyring()"


def test_the_flag_keys_statement_names_the_county_and_no_agency() -> None:
    root = SigningKey.generate()
    statements = [
        unwrap(each, KeyStatement, root.public_bytes)
        for each in key_statements(generate_keyring(), root, agency=SOURCE, now=NOW)
    ]
    assert {each.use: each.agency for each in statements} == {
        use: "" if use == KEY_USE_FLAG else SOURCE for use in range(1, 7)
    }
    assert {each.county for each in statements} == {"06075"}
    assert {each.effective_time.ToDatetime(UTC) for each in statements} == {NOW - timedelta(minutes=5)}


# --- membership


def test_a_membership_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_membership(tmp_path, membership(SOURCE))
    assert read_membership(tmp_path) == membership(SOURCE)
    assert membership(SOURCE).spiffe_id == f"spiffe://{world.DOMAIN}/county/06075/cwa/adapter/a1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("agency", "75.cwa"),
        ("kind", "NOPE"),
        ("instance", "A/1"),
        ("gateway_key", "00"),
        ("generation", "x"),
        ("format", ""),
    ],
)
def test_a_membership_that_was_edited_badly_is_refused(name: str, value: str) -> None:
    document = json.loads(membership(SOURCE).to_json()) | {name: value}
    with pytest.raises(MembershipInvalid):
        parse_membership(json.dumps(document))


def test_text_that_is_no_membership_is_refused() -> None:
    for text in ("", "[]", "{", "{}"):
        with pytest.raises(MembershipInvalid):
            parse_membership(text)
    assert replace(membership(SOURCE), generation=2) == membership(SOURCE).renewed(2)
