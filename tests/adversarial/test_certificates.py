"""An attacker with certificates: from the right CA but wrongly named, past its time, or denied while connected."""

import asyncio
import secrets
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID

from adapters.node.identifiers import timestamp
from audit.checkpoint import LogSigner
from audit.cosignature import Cosigner
from gateway.protocol.names import AgencyId, AgencyKind
from gateway.state import State
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest, GetDirectoryResponse
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.gateway.v1.link_pb2 import ConnectRequest, Hello
from homeward.gateway.v1.link_pb2_grpc import AdapterLinkServiceStub
from tests.adversarial.identities import forge, uri
from tests.adversarial.outcome import Refusal, read, refusal
from tests.adversarial.resident import Resident, dial
from tests.adversarial.town import TRUST_DOMAIN, Town
from tests.bench.http2 import Calls, ProtocolBroken
from tests.integration.greeting import hello

pytestmark = pytest.mark.asyncio(loop_scope="session")
VICTIM = AgencyId("06029.cwa")
GOOD = f"spiffe://{TRUST_DOMAIN}/county/06029/cwa/adapter/a1"
REFUSED = Refusal(grpc.StatusCode.UNAUTHENTICATED, "the caller is not authenticated", "CERTIFICATE_REFUSED")
MISNAMED: dict[str, list[x509.GeneralName]] = {
    "two URIs": [uri(GOOD), uri(f"spiffe://{TRUST_DOMAIN}/county/06037/cwa/adapter/a1")],
    "the same URI and a DNS name": [uri(GOOD), x509.DNSName("exchange.example")],
    "a DNS name alone": [x509.DNSName("06029.cwa.exchange.example")],
    "no name": [],
    "another trust domain": [uri("spiffe://other.example/county/06029/cwa/adapter/a1")],
    "a trust domain below": [uri(f"spiffe://a.{TRUST_DOMAIN}/county/06029/cwa/adapter/a1")],
    "an encoded slash": [uri(f"spiffe://{TRUST_DOMAIN}/county/06029%2fcwa/adapter/a1")],
    "upper case": [uri(f"spiffe://{TRUST_DOMAIN}/county/06029/CWA/adapter/a1")],
    "an upper-case scheme": [uri(GOOD.replace("spiffe", "SPIFFE"))],
    "a trailing slash": [uri(GOOD + "/")],
    "a query": [uri(GOOD + "?x")],
    "a dot segment": [uri(f"spiffe://{TRUST_DOMAIN}/county/06029/./cwa/adapter/a1")],
    "a port": [uri(f"spiffe://{TRUST_DOMAIN}:443/county/06029/cwa/adapter/a1")],
}


async def directory(channel: grpc.aio.Channel) -> object:
    return await MembershipServiceStub(channel).GetDirectory(GetDirectoryRequest(), timeout=5)


async def test_the_forged_certificate_is_good_when_only_its_name_is(town: Town) -> None:
    async with dial(town.address, forge(town, [uri(GOOD)])) as channel:
        assert isinstance(await directory(channel), GetDirectoryResponse)


@pytest.mark.parametrize("names", MISNAMED.values(), ids=MISNAMED)
async def test_a_misnamed_certificate_reaches_no_handler(town: Town, names: list[x509.GeneralName]) -> None:
    before = town.size()
    async with dial(town.address, forge(town, names)) as channel:
        assert await refusal(directory(channel)) == REFUSED
        # Nothing is written: the refusal does not wait for a message.
        assert await refusal(AdapterLinkServiceStub(channel).Connect().read()) == REFUSED
    assert town.news(before) == []


@pytest.mark.parametrize("use", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING])
async def test_a_certificate_for_another_use_gets_no_connection(town: Town, use: x509.ObjectIdentifier) -> None:
    async with dial(town.address, forge(town, [uri(GOOD)], use=use)) as channel:
        assert (await refusal(directory(channel))).code is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_authority_gets_no_connection(town: Town) -> None:
    # The custodian has a CA of its own, which the gateway trusts for the custodian's address and for nobody's name.
    key = State(town.custodian, "custodian").read_secret("ca-intermediate.key")
    stranger = replace(town.residents[VICTIM].identity, key=key, chain=town.custodian_card["ca_certificate"].encode())
    async with dial(town.address, stranger) as channel:
        assert (await refusal(directory(channel))).code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("by", "curve", "newest", "is_answered"),
    [
        (VICTIM, "X25519", ssl.TLSVersion.TLSv1_3, True),
        (VICTIM, "prime256v1", ssl.TLSVersion.TLSv1_3, True),
        (VICTIM, "secp384r1", ssl.TLSVersion.TLSv1_3, True),
        # Each of its own: of one agency such a refusal is an entry once a minute.
        (AgencyId("06001.pd"), "secp521r1", ssl.TLSVersion.TLSv1_3, False),
        (AgencyId("06019.ffa"), "prime256v1", ssl.TLSVersion.TLSv1_2, False),
    ],
    ids=["X25519", "P-256", "P-384", "P-521", "TLS 1.2"],
)
async def test_a_connection_counts_by_its_version_and_key_exchange(
    town: Town, tmp_path: Path, by: AgencyId, curve: str, newest: ssl.TLSVersion, is_answered: bool
) -> None:
    """By a handshake of another library: what it is named there is what is decided by."""
    identity = town.residents[by].identity
    context = ssl.create_default_context(cadata=identity.ca.decode())
    (tmp_path / "chain.pem").write_bytes(identity.chain)
    (tmp_path / "key.pem").write_bytes(identity.key)
    context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    context.set_alpn_protocols(["h2"])
    context.maximum_version = newest
    context.set_ecdh_curve(curve)
    host, port = town.address.rsplit(":", 1)
    before = town.size()
    assert await asyncio.to_thread(_is_answered, context, host, int(port)) is is_answered
    # However weak the channel is, who called is known.
    refused = [(leaf.requester, leaf.reason) for leaf in town.news(before)]
    assert refused == ([] if is_answered else [(by, "CERTIFICATE_REFUSED")])


def _is_answered(context: ssl.SSLContext, host: str, port: int) -> bool:
    """Whether one GetDirectory over such a connection is."""
    plain = socket.create_connection((host, port), timeout=5)
    with context.wrap_socket(plain, server_hostname=host) as connection:
        connection.setblocking(False)
        calls = Calls(connection, path="/homeward.gateway.v1.MembershipService/GetDirectory", authority=host)
        calls.ask(1, b"")
        try:
            while not calls.done:
                calls.flush()
                assert select.select([connection], [], [], 5)[0], "neither an answer nor a refusal"
                calls.receive()
        except ProtocolBroken:
            return False
        return True


async def test_an_expired_certificate_loses_its_open_connection_and_stream(town: Town) -> None:
    # Certificates count in whole seconds.
    short = forge(town, [uri(GOOD)], life=timedelta(seconds=3))
    async with dial(town.address, short) as channel:
        await directory(channel)
        stream = AdapterLinkServiceStub(channel).Connect()
        await stream.write(hello(town.residents[VICTIM].wrapped))
        await stream.read()
        ended = await _end_of(stream, within=8.0)
        assert ended.reason == "CERTIFICATE_REFUSED"
        assert datetime.now(UTC) - short.expires < timedelta(seconds=5)
        assert await refusal(directory(channel)) == REFUSED


@pytest.mark.parametrize(
    "key",
    [
        Cosigner(f"{TRUST_DOMAIN}/witness/06037.cwa", Ed25519PrivateKey.generate()).public.vkey(),
        LogSigner(f"{TRUST_DOMAIN}/witness/{VICTIM}", Ed25519PrivateKey.generate()).public.vkey(),
        "no key at all",
    ],
    ids=["another county's name", "a key that signs logs", "no key"],
)
async def test_an_adapter_is_a_witness_under_no_name_but_its_own(town: Town, key: str) -> None:
    resident = town.residents[VICTIM]
    greeting = Hello(
        create_time=timestamp(datetime.now(UTC)), session_nonce=secrets.token_bytes(32), witness_keys=[key]
    )
    stream = AdapterLinkServiceStub(resident.channel).Connect()
    await stream.write(ConnectRequest(hello=resident.wrapped(greeting)))
    assert (await refusal(stream.read())).reason == "INVALID_REQUEST"


@pytest.mark.parametrize("subject", ["agency", "adapter"])
async def test_a_denied_member_loses_its_open_connection_and_stream_within_5_seconds(town: Town, subject: str) -> None:
    name: Callable[[Resident], str] = {
        "agency": lambda each: str(each.agency),
        "adapter": lambda each: each.membership.spiffe_id,
    }[subject]
    resident = await town.settle(f"06011.denied-{subject}", AgencyKind.LEA)
    await town.listed(resident.agency)
    stream = AdapterLinkServiceStub(resident.channel).Connect()
    await stream.write(hello(resident.wrapped))
    await stream.read()
    before, started = town.size(), time.monotonic()
    await town.revoke(name(resident))
    assert await refusal(directory(resident.channel)) == REFUSED
    assert (await _end_of(stream, within=5.0)).reason == "CERTIFICATE_REFUSED"
    assert time.monotonic() - started < 5.0
    revoked, *tried = town.news(before)
    assert revoked.kind == "member.revoked"
    # One a minute: an adapter that is shut out goes on trying by itself.
    assert 1 <= len(tried) <= 2
    for leaf in tried:
        assert (leaf.kind, leaf.requester, leaf.op["reason"]) == (
            "access.refused",
            resident.agency,
            "CERTIFICATE_REFUSED",
        )


async def _end_of(stream: grpc.aio.StreamStreamCall[object, object], *, within: float) -> Refusal:
    async with asyncio.timeout(within):
        while True:
            try:
                if await stream.read() is grpc.aio.EOF:
                    raise AssertionError("the stream ended without a status")
            except grpc.aio.AioRpcError as error:
                return read(error)
