"""Gateway and custodian as real processes, over real connections: joining, admission, tokens, revocation, renewal."""

import asyncio
import json
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.members.ca import Issuer, make_intermediate, make_root
from gateway.members.service_identity import server_credential
from gateway.protocol.channel import client_options
from gateway.protocol.invitation import decode
from gateway.protocol.names import AgencyId
from gateway.rpc.tls import mutual_tls
from gateway.state import LogInUse, State, key_pem
from gateway.tokens.countersign import root_fingerprint
from homeward.gateway.v1 import custodian_pb2_grpc, directory_pb2, directory_pb2_grpc, token_pb2_grpc
from homeward.gateway.v1.custodian_pb2 import CountersignRequest
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.token_pb2 import EvaluateRequest
from tests.commands import Process, answered
from tests.integration.exchange_kit import directory_of, free_port, join, reason_of
from tests.unit.members.batches import batch, check_proof, record
from tests.unit.members.world import Clock

AGENCY = AgencyId("06037.cwa")


@dataclass(frozen=True, slots=True)
class Processes:
    """A gateway and a custodian that serve."""

    gateway: Path
    custodian: Path
    gateway_port: int
    custodian_port: int
    running: tuple[Process, ...]


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    place = tmp_path_factory.mktemp("exchange")
    gateway, custodian, shares = place / "gw", place / "cu", place / "shares"
    ports = [free_port() for _ in range(3)]
    answered("custodian", "deal", "--out", shares)
    answered(
        "gateway", "init", gateway, "--trust-domain", "exchange.example", "--share", shares / "share-1.bin",
        "--listen", f"127.0.0.1:{ports[0]}", "--enroll-listen", f"127.0.0.1:{ports[1]}",
    )  # fmt: skip
    answered(
        "custodian", "init", custodian, "--share", shares / "share-2.bin", "--operator", "auditor",
        "--gateway-card", gateway / "card.json", "--listen", f"127.0.0.1:{ports[2]}",
    )  # fmt: skip
    answered("gateway", "trust", gateway, "--custodian-card", custodian / "card.json")
    running = tuple(
        Process.start(path.name, group, "serve", path, directory=place)
        for group, path in (("custodian", custodian), ("gateway", gateway))
    )
    yield Processes(gateway, custodian, ports[0], ports[2], running)
    for process in running:
        process.terminate()
        assert process.wait(30) == 0


async def test_a_county_joins_is_admitted_and_has_tokens_evaluated_by_two_processes(processes: Processes) -> None:
    joined = await join(processes.gateway, "06037")
    status = await asyncio.to_thread(answered, "custodian", "status", processes.custodian)
    assert status["admitted_counties"] == []
    fingerprint = root_fingerprint(joined.county.root.public_bytes).hex()
    await asyncio.to_thread(answered, "custodian", "admit", processes.custodian, "06037", "--root", fingerprint)
    view = await directory_of(joined)
    elements = record()
    request = EvaluateRequest(envelope=batch(joined.county, elements))
    for holder in view.holders:
        root = x509.load_der_x509_certificate(holder.ca_certificate).public_bytes(Encoding.PEM)
        async with joined.channel(holder.address, root) as channel:
            answer = await token_pb2_grpc.TokenServiceStub(channel).Evaluate(request, timeout=10)
        assert answer.share_index == holder.share_index
        check_proof(holder.share_commitment, elements, answer)


async def test_a_revocation_while_serving_refuses_calls_on_the_open_connection(processes: Processes) -> None:
    joined = await join(processes.gateway, "06059")
    async with joined.gateway() as channel:
        stub = directory_pb2_grpc.MembershipServiceStub(channel)
        await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
        await asyncio.to_thread(answered, "gateway", "revoke", processes.gateway, joined.county.agency)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
    assert reason_of(caught.value) == "CERTIFICATE_REFUSED"


async def test_renewal_over_the_network_and_the_new_certificate_serves(processes: Processes) -> None:
    joined = await join(processes.gateway, "06065")
    key = ec.generate_private_key(ec.SECP256R1())
    async with joined.gateway() as channel:
        reply = await directory_pb2_grpc.MembershipServiceStub(channel).RenewCertificate(
            directory_pb2.RenewCertificateRequest(envelope=joined.county.renewal(key, 1)), timeout=5
        )
    joined.county.tls = key
    joined.response.certificate_chain = reply.certificate_chain
    async with joined.gateway() as channel:
        found = await directory_pb2_grpc.MembershipServiceStub(channel).GetDirectory(GetDirectoryRequest(), timeout=5)
    assert found.HasField("directory")


async def test_an_adapter_cannot_ask_for_a_countersignature(processes: Processes) -> None:
    joined = await join(processes.gateway, "06071")
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
    joined = await join(processes.gateway, "06073")
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
    before = answered("gateway", "status", processes.gateway)["log_size"]
    invited = answered(
        "gateway", "invite", processes.gateway, "06001.cwa", "--kind", "CWA",
        "--duty-line", "+15555550100", "--hotline", "+15555550101",
    )  # fmt: skip
    after = answered("gateway", "status", processes.gateway)
    assert decode(str(invited["line"])).agency == "06001.cwa"
    assert int(str(after["log_size"])) > int(str(before))
    socket_file = State(processes.gateway, "gateway").admin_socket
    assert socket_file.stat().st_mode & 0o077 == 0


def test_a_refused_command_says_what_and_what_to_do(processes: Processes) -> None:
    failed = answered("gateway", "revoke", processes.gateway, "06999.nobody", code=3)
    assert failed["error"] == {
        "code": "ADMIN-001",
        "what": "refused: MEMBER_UNKNOWN",
        "where": str(processes.gateway),
        "why": "no agency or adapter of this name ever enrolled",
        "fix": "list the members: homeward gateway status DIR",
    }


async def test_a_server_shows_a_new_certificate_at_half_its_life_without_a_restart(tmp_path: Path) -> None:
    # Thirteen hours back, so that both certificates count on this machine's own clock.
    clock = Clock(datetime.now(UTC) - timedelta(hours=13))
    root = make_root("a root", now=clock(), random_bytes=os.urandom)
    below = make_intermediate("an intermediate", root, now=clock(), random_bytes=os.urandom)
    issuer = Issuer(below, now=clock, random_bytes=os.urandom)
    roots = root.certificate.public_bytes(Encoding.PEM)
    uri = "spiffe://exchange.example/custodian/auditor"
    credential = server_credential(issuer, uri, ["127.0.0.1"], now=clock)
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", mutual_tls(credential, roots))
    await server.start()
    key = ec.generate_private_key(ec.SECP256R1())
    files = tmp_path / "chain.pem", tmp_path / "key.pem"
    files[0].write_bytes(issuer.client("spiffe://exchange.example/gateway/gw1", key.public_key()).chain)
    files[1].write_bytes(key_pem(key))
    context = ssl.create_default_context(cadata=roots.decode())
    context.load_cert_chain(*files)
    context.set_alpn_protocols(["h2"])

    async def shown() -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return bytes(certificate)

    first = await shown()
    assert await shown() == first
    clock.advance(timedelta(hours=12))
    renewed = x509.load_der_x509_certificate(await shown())
    assert renewed.not_valid_after_utc == clock().replace(microsecond=0) + timedelta(hours=24)
    await server.stop(None)
