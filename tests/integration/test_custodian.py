"""The custodian: what it signs, what it evaluates and for whom; then gateway and custodian as real processes."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.config import Budgets
from gateway.errors import EnvelopeInvalid, Error, ErrorReason, Invalid
from gateway.protocol import oprf
from gateway.protocol.channel import client_options
from gateway.protocol.directory import DirectoryView, Pins, certify, open_directory, sign_directory
from gateway.protocol.envelope import wrap
from gateway.protocol.invitation import decode
from gateway.protocol.names import AgencyId
from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.signing import SigningKey
from gateway.state import LogInUse, State, key_pem
from gateway.tokens.countersign import root_fingerprint
from gateway.tokens.evaluate import Evaluator
from homeward.gateway.v1 import custodian_pb2_grpc, directory_pb2, directory_pb2_grpc, token_pb2_grpc
from homeward.gateway.v1.custodian_pb2 import CountersignRequest
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_ENVELOPE,
    Directory,
    GetDirectoryRequest,
    SignedDirectory,
)
from homeward.gateway.v1.enrollment_pb2 import EnrollResponse, Invitation
from homeward.gateway.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.token_pb2 import (
    EVALUATION_USE_LOOKUP,
    EVALUATION_USE_REGISTRATION,
    BlindedBatch,
    EvaluateRequest,
    EvaluateResponse,
)
from tests.unit.members.world import Clock, County, World, make_world

AGENCY = AgencyId("06037.cwa")
SUITE = oprf.Suite(load_ristretto())


def blinded(inputs: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Blinds and blinded elements."""
    blinds = oprf.random_scalars(SUITE, len(inputs), random_bytes=os.urandom)
    return blinds, oprf.blind(SUITE, inputs, blinds)


def batch(county: County, elements: list[bytes], **changes: object) -> SignedEnvelope:
    message = BlindedBatch(
        request_id=os.urandom(16), epoch="e1", record_count=1, elements=elements, use=EVALUATION_USE_LOOKUP
    )
    for name, value in changes.items():
        setattr(message, name, value)
    return wrap(message, county.envelope_key)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, budgets=Budgets(lookups_a_day=3, registrations_a_day=5))
    await made.trust()
    yield made
    await made.close()


@pytest.fixture
async def county(world: World) -> County:
    one = County(clock=world.clock)
    await world.enroll(one)
    await world.admit(one)
    assert await world.gateway.office.step()
    return one


# --- what it evaluates


async def test_both_holders_together_give_what_the_whole_key_gives(world: World, county: County) -> None:
    inputs = [b"one", b"two", b"three"]
    blinds, elements = blinded(inputs)
    answers = [
        await holder.evaluate(AGENCY, batch(county, elements))
        for holder in (world.gateway.evaluator, world.custodian.evaluator)
    ]
    combined = oprf.combine(SUITE.group, {answer.share_index: list(answer.elements) for answer in answers}, threshold=2)
    outputs = oprf.finalize(SUITE.group, inputs, blinds=blinds, evaluated=combined)
    again, other_elements = blinded(inputs)
    once_more = [
        await holder.evaluate(AGENCY, batch(county, other_elements))
        for holder in (world.gateway.evaluator, world.custodian.evaluator)
    ]
    combined = oprf.combine(
        SUITE.group, {answer.share_index: list(answer.elements) for answer in once_more}, threshold=2
    )
    assert oprf.finalize(SUITE.group, inputs, blinds=again, evaluated=combined) == outputs
    view = world.gateway.office.view()
    assert view is not None
    for holder, answer in zip(view.holders, answers, strict=True):
        assert holder.share_index == answer.share_index
        check_proof(holder.share_commitment, elements, answer)


def check_proof(commitment: bytes, elements: list[bytes], answer: EvaluateResponse) -> None:
    oprf.verify_proof(SUITE, commitment, blinded=elements, evaluated=list(answer.elements), proof=answer.proof)


async def test_an_evaluation_is_a_leaf_that_counts_and_holds_no_element(world: World, county: County) -> None:
    _, elements = blinded([b"one", b"two"])
    await world.gateway.evaluator.evaluate(AGENCY, batch(county, elements))
    leaf = world.leaf(len(world.kinds()) - 1)
    assert (leaf["kind"], leaf["records"], leaf["elements"], leaf["use"]) == (b"token.evaluated", b"1", b"2", b"LOOKUP")
    assert not any(element in value for value in leaf.values() for element in elements)


IDENTITY = bytes(32)
NOT_CANONICAL = b"\xff" * 32


@pytest.mark.parametrize(
    "spoil",
    [
        lambda elements: [*elements, IDENTITY],
        lambda elements: [*elements, NOT_CANONICAL],
        lambda elements: [*elements, elements[0]],
    ],
    ids=["identity", "not canonical", "repeated"],
)
async def test_one_bad_element_refuses_the_whole_batch_and_is_charged(
    world: World, county: County, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    elements = spoil(blinded([b"one"])[1])
    assert await refusal(world.gateway.evaluator, batch(county, elements)) == ErrorReason.ELEMENT_INVALID
    for _ in range(2):
        await world.gateway.evaluator.evaluate(AGENCY, batch(county, blinded([b"x"])[1]))
    assert await refusal(world.gateway.evaluator, batch(county, elements)) == ErrorReason.BUDGET_EXHAUSTED


async def refusal(evaluator: Evaluator, envelope: SignedEnvelope, agency: AgencyId = AGENCY) -> ErrorReason:
    with pytest.raises(Error) as caught:
        await evaluator.evaluate(agency, envelope)
    return caught.value.reason


async def test_more_elements_than_the_records_account_for_are_refused(world: World, county: County) -> None:
    _, elements = blinded([bytes([number]) for number in range(13)])
    assert await refusal(world.gateway.evaluator, batch(county, elements)) == ErrorReason.INVALID_REQUEST
    await world.gateway.evaluator.evaluate(AGENCY, batch(county, elements, record_count=2))


async def test_another_epoch_is_refused(world: World, county: County) -> None:
    envelope = batch(county, blinded([b"one"])[1], epoch="e2")
    assert await refusal(world.gateway.evaluator, envelope) == ErrorReason.EPOCH_UNKNOWN


async def test_the_days_budget_is_each_uses_own_and_ends_with_the_day(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    _, elements = blinded([b"one"])
    await evaluator.evaluate(AGENCY, batch(county, elements, record_count=3))
    assert await refusal(evaluator, batch(county, elements)) == ErrorReason.BUDGET_EXHAUSTED
    assert world.kinds()[-1] == "access.refused"
    await evaluator.evaluate(AGENCY, batch(county, elements, use=EVALUATION_USE_REGISTRATION, record_count=5))
    world.clock.advance(timedelta(days=1))
    await evaluator.evaluate(AGENCY, batch(county, elements))


async def test_fifty_batches_at_once_do_not_pass_the_budget(world: World, county: County) -> None:
    _, elements = blinded([b"one"])
    work = [world.gateway.evaluator.evaluate(AGENCY, batch(county, elements)) for _ in range(50)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(outcome, EvaluateResponse) for outcome in outcomes) == 3


@pytest.mark.parametrize("case", ["stranger's key", "another use", "another agency", "altered"])
async def test_only_an_envelope_key_of_the_agency_counts(world: World, county: County, case: str) -> None:
    envelope, agency = batch(county, blinded([b"one"])[1]), AGENCY
    if case == "stranger's key":
        county.signing[KEY_USE_ENVELOPE] = SigningKey.generate()
        envelope = batch(county, blinded([b"one"])[1])
    elif case == "another use":
        county.signing[KEY_USE_ENVELOPE] = county.signing[directory_pb2.KEY_USE_ASSERTION]
        envelope = batch(county, blinded([b"one"])[1])
    elif case == "another agency":
        agency = AgencyId("06001.cwa")
    else:
        envelope.payload += b"\x00"
    for evaluator in (world.custodian.evaluator, world.gateway.evaluator):
        with pytest.raises(EnvelopeInvalid):
            await evaluator.evaluate(agency, envelope)
    refused = world.leaf(len(world.kinds()) - 1)
    assert (refused["kind"], refused["reason"]) == (b"access.refused", b"ENVELOPE_INVALID")
    assert (refused["agency"], refused["asked"]) == (agency.encode(), b"Evaluate")


async def test_the_custodian_evaluates_only_for_counties_in_a_directory_it_signed(world: World) -> None:
    stranger = County(fips="06001", clock=world.clock)
    await world.enroll(stranger)
    await world.gateway.office.step()
    await world.gateway.office.step()
    envelope = batch(stranger, blinded([b"one"])[1])
    with pytest.raises(EnvelopeInvalid):
        await world.custodian.evaluator.evaluate(AgencyId(stranger.agency), envelope)


# --- what it signs


def redirected(world: World, change: Callable[[Directory], None], *, key: SigningKey | None = None) -> SignedDirectory:
    """The published directory with a change, signed by the gateway again: what a malicious gateway would send."""
    current = world.gateway.office.current()
    assert current is not None
    message = Directory.FromString(current.directory)
    message.version += 1
    change(message)
    raw = message.SerializeToString()
    signer = key or gateway_key(world)
    return SignedDirectory(directory=raw, signatures=[sign_directory(raw, signer)])


def gateway_key(world: World) -> SigningKey:
    return SigningKey.from_private_bytes(world.gateway_state.read_secret("directory.key"))


async def refused_rule(world: World, signed: SignedDirectory) -> str:
    with pytest.raises(Invalid) as caught:
        await world.custodian.countersigning.countersign(signed)
    assert caught.value.reason == ErrorReason.DIRECTORY_INVALID
    return caught.value.fields[0].removeprefix("directory: ")


async def test_an_unchanged_directory_of_a_higher_version_is_signed(world: World, county: County) -> None:
    signature, waiting = await world.custodian.countersigning.countersign(redirected(world, lambda _: None))
    assert signature is not None
    assert waiting == ()


async def test_a_county_the_gateway_minted_waits_and_is_not_signed(world: World, county: County) -> None:
    def mint(message: Directory) -> None:
        minted = County(fips="06099", clock=world.clock)
        message.counties.add(
            fips=minted.fips,
            root_key=minted.root.public_bytes,
            duty_line="+15555550102",
            hotline="+15555550103",
        )

    signature, waiting = await world.custodian.countersigning.countersign(redirected(world, mint))
    assert signature is None
    assert waiting == ("06099",)


async def test_a_swapped_county_root_waits_and_is_not_signed(world: World, county: County) -> None:
    def swap(message: Directory) -> None:
        impostor = County(clock=world.clock)
        message.counties[0].root_key = impostor.root.public_bytes
        del message.counties[0].flag_keys[:]
        del message.members[0].keys[:]

    signature, waiting = await world.custodian.countersigning.countersign(redirected(world, swap))
    assert signature is None
    assert waiting == ("06037",)


async def test_a_key_the_county_did_not_certify_is_refused(world: World, county: County) -> None:
    def slip_in(message: Directory) -> None:
        own = SigningKey.generate()
        statement = county.statement(KEY_USE_ENVELOPE, own.public_bytes)
        message.members[0].keys.append(certify(statement, gateway_key(world)))

    assert await refused_rule(world, redirected(world, slip_in)) == "key"


def _readdress(message: Directory) -> None:
    message.holders[1].address = "127.0.0.1:9"


def _double(message: Directory) -> None:
    message.holders[0].operator = message.holders[1].operator


def _drop_gateway(message: Directory) -> None:
    del message.holders[0]


def _move(message: Directory) -> None:
    message.trust_domain = "other.example"


def _lower(message: Directory) -> None:
    message.version -= 1
    message.create_time.seconds += 1


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_readdress, "own_entry"),
        (_double, "operator"),
        (_drop_gateway, "gateway_entry"),
        (_move, "exchange"),
        (_lower, "version"),
    ],
)
async def test_a_directory_that_breaks_a_rule_is_refused(
    world: World, county: County, change: Callable[[Directory], None], rule: str
) -> None:
    assert await refused_rule(world, redirected(world, change)) == rule


async def test_two_contents_never_get_one_version(world: World, county: County) -> None:
    first = redirected(world, lambda _: None)
    assert (await world.custodian.countersigning.countersign(first))[0] is not None
    assert (await world.custodian.countersigning.countersign(first))[0] is not None

    def other(message: Directory) -> None:
        message.counties[0].hotline = "+15555550199"

    assert await refused_rule(world, redirected(world, other)) == "version"


async def test_a_directory_another_key_signed_is_refused(world: World, county: County) -> None:
    signed = redirected(world, lambda _: None, key=SigningKey.generate())
    assert await refused_rule(world, signed) == "signature"


# --- real processes


HOMEWARD = Path(sys.executable).with_name("homeward")
Run = Callable[..., dict[str, object]]


def homeward(*arguments: object, code: int = 0) -> dict[str, object]:
    """What a command answers with --json."""
    done = subprocess.run(
        [HOMEWARD, *map(str, arguments), "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    reply: dict[str, object] = json.loads((done.stdout or done.stderr).splitlines()[-1])
    return reply


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Processes:
    """A gateway and a custodian that serve."""

    gateway: Path
    custodian: Path
    gateway_port: int
    custodian_port: int
    running: tuple[subprocess.Popen[str], ...]


def start(*arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen([HOMEWARD, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = json.loads(process.stdout.readline())
    assert line["event"] == "ready"
    return process


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    place = tmp_path_factory.mktemp("exchange")
    gateway, custodian, shares = place / "gw", place / "cu", place / "shares"
    ports = [free_port() for _ in range(3)]
    homeward("custodian", "deal", "--out", shares)
    homeward(
        "gateway", "init", gateway, "--trust-domain", "exchange.example", "--share", shares / "share-1.bin",
        "--listen", f"127.0.0.1:{ports[0]}", "--enroll-listen", f"127.0.0.1:{ports[1]}",
    )  # fmt: skip
    homeward(
        "custodian", "init", custodian, "--share", shares / "share-2.bin", "--operator", "auditor",
        "--gateway-card", gateway / "card.json", "--listen", f"127.0.0.1:{ports[2]}",
    )  # fmt: skip
    homeward("gateway", "trust", gateway, "--custodian-card", custodian / "card.json")
    running = (start("custodian", "serve", custodian), start("gateway", "serve", gateway))
    yield Processes(gateway, custodian, ports[0], ports[2], running)
    for process in running:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()


@dataclass(frozen=True, slots=True)
class Joined:
    """An adapter that enrolled over the network."""

    county: County
    invitation: Invitation
    response: EnrollResponse

    def channel(self, address: str, roots: bytes) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(roots, key_pem(self.county.tls), self.response.certificate_chain)
        return grpc.aio.secure_channel(address, credentials, options=client_options(address))

    def gateway(self) -> grpc.aio.Channel:
        return self.channel(self.invitation.gateway_address, self.response.ca_certificates)

    def pins(self) -> Pins:
        return Pins(self.invitation.gateway_key, tuple(self.invitation.holder_keys))


async def join(processes: Processes, fips: str) -> Joined:
    """What `homeward join` does: pin the listener by the line, enroll, keep the answer."""
    county = County(fips=fips, clock=Clock(datetime.now(UTC)))
    arguments = ("--kind", "CWA", "--duty-line", "+15555550100", "--hotline", "+15555550101")
    invited = await asyncio.to_thread(homeward, "gateway", "invite", processes.gateway, county.agency, *arguments)
    invitation = decode(str(invited["line"]))
    host, port = invitation.enrollment_address.split(":")
    shown = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
    der = x509.load_pem_x509_certificate(shown.encode()).public_bytes(Encoding.DER)
    assert sha256(der).digest() == invitation.enrollment_certificate_digest
    credentials = grpc.ssl_channel_credentials(shown.encode())
    options = client_options(invitation.enrollment_address)
    async with grpc.aio.secure_channel(invitation.enrollment_address, credentials, options=options) as channel:
        response = await EnrollmentServiceStub(channel).Enroll(county.enrollment(invitation), timeout=10)
    return Joined(county, invitation, response)


async def directory_of(joined: Joined) -> DirectoryView:
    """The directory that lists the adapter, as soon as it is published."""
    async with asyncio.timeout(10), joined.gateway() as channel:
        stub = directory_pb2_grpc.MembershipServiceStub(channel)
        while True:
            reply = await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
            if reply.HasField("directory"):
                view = open_directory(reply.directory, joined.pins())
                if view.member(AGENCY) is not None:
                    return view
            await asyncio.sleep(0.1)


async def test_a_county_joins_is_admitted_and_has_tokens_evaluated_by_two_processes(processes: Processes) -> None:
    joined = await join(processes, "06037")
    status = await asyncio.to_thread(homeward, "custodian", "status", processes.custodian)
    assert status["admitted_counties"] == []
    fingerprint = root_fingerprint(joined.county.root.public_bytes).hex()
    await asyncio.to_thread(homeward, "custodian", "admit", processes.custodian, "06037", "--root", fingerprint)
    view = await directory_of(joined)
    _, elements = blinded([b"one", b"two"])
    request = EvaluateRequest(envelope=batch(joined.county, elements))
    for holder in view.holders:
        root = x509.load_der_x509_certificate(holder.ca_certificate).public_bytes(Encoding.PEM)
        async with joined.channel(holder.address, root) as channel:
            answer = await token_pb2_grpc.TokenServiceStub(channel).Evaluate(request, timeout=10)
        assert answer.share_index == holder.share_index
        check_proof(holder.share_commitment, elements, answer)


async def test_a_revocation_while_serving_refuses_calls_on_the_open_connection(processes: Processes) -> None:
    joined = await join(processes, "06059")
    async with joined.gateway() as channel:
        stub = directory_pb2_grpc.MembershipServiceStub(channel)
        await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
        await asyncio.to_thread(homeward, "gateway", "revoke", processes.gateway, joined.county.agency)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
    assert reason_of(caught.value) == "CERTIFICATE_REFUSED"


async def test_renewal_over_the_network_and_the_new_certificate_serves(processes: Processes) -> None:
    joined = await join(processes, "06065")
    key = ec.generate_private_key(ec.SECP256R1())
    async with joined.gateway() as channel:
        reply = await directory_pb2_grpc.MembershipServiceStub(channel).RenewCertificate(
            directory_pb2.RenewCertificateRequest(envelope=joined.county.renewal(key, 1)), timeout=5
        )
    joined.county.tls = key
    joined.response.certificate_chain = reply.certificate_chain
    async with joined.gateway() as channel:
        await directory_pb2_grpc.MembershipServiceStub(channel).GetDirectory(GetDirectoryRequest(), timeout=5)


async def test_an_adapter_cannot_ask_for_a_countersignature(processes: Processes) -> None:
    joined = await join(processes, "06071")
    card = json.loads((processes.custodian / "card.json").read_text())
    async with joined.channel(card["address"], card["ca_certificate"].encode()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await custodian_pb2_grpc.CountersignServiceStub(channel).Countersign(CountersignRequest(), timeout=5)
    assert reason_of(caught.value) == "METHOD_NOT_ALLOWED"


async def test_without_a_client_certificate_nobody_reaches_the_custodian(processes: Processes) -> None:
    card = json.loads((processes.custodian / "card.json").read_text())
    credentials = grpc.ssl_channel_credentials(card["ca_certificate"].encode())
    async with grpc.aio.secure_channel(
        card["address"], credentials, options=client_options(card["address"])
    ) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await token_pb2_grpc.TokenServiceStub(channel).Evaluate(EvaluateRequest(), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_the_enrollment_listener_offers_enrollment_alone(processes: Processes) -> None:
    joined = await join(processes, "06073")
    address = joined.invitation.enrollment_address
    shown = (processes.gateway / "ca" / "enroll.pem").read_bytes()
    async with grpc.aio.secure_channel(
        address, grpc.ssl_channel_credentials(shown), options=client_options(address)
    ) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await directory_pb2_grpc.MembershipServiceStub(channel).GetDirectory(GetDirectoryRequest(), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_only_the_serving_process_writes_its_log(processes: Processes) -> None:
    with pytest.raises(LogInUse), State(processes.gateway, "gateway").writing():
        pass
    before = homeward("gateway", "status", processes.gateway)["log_size"]
    invited = homeward(
        "gateway", "invite", processes.gateway, "06001.cwa", "--kind", "CWA",
        "--duty-line", "+15555550100", "--hotline", "+15555550101",
    )  # fmt: skip
    after = homeward("gateway", "status", processes.gateway)
    assert decode(str(invited["line"])).agency == "06001.cwa"
    assert int(str(after["log_size"])) > int(str(before))
    socket_file = State(processes.gateway, "gateway").admin_socket
    assert socket_file.stat().st_mode & 0o077 == 0


def test_a_refused_command_says_what_and_what_to_do(processes: Processes) -> None:
    failed = homeward("gateway", "revoke", processes.gateway, "06999.nobody", code=3)
    assert failed["error"] == {
        "code": "ADMIN-001",
        "what": "refused: MEMBER_UNKNOWN",
        "where": str(processes.gateway),
        "why": "no agency or adapter of this name ever enrolled",
        "fix": "list the members: homeward gateway status DIR",
    }


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The `ErrorInfo` reason of a refused call."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # reads code, details, trailing metadata alone
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return str(info.reason)
