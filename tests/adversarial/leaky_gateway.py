"""The gateway's real listener over mutual TLS, in front of the spine of `tests/unit/exchange`, with a part that fails.

Decides that the fault is put where the product has its ports; interceptor, status table, listener and TLS are the
product's own.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.protocol.channel import client_options
from gateway.protocol.names import AgencyId
from gateway.protocol.spiffe import ChannelIdentity, ChannelKind
from gateway.protocol.wire_names import to_wire
from gateway.rpc.machine import MachineCalls
from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.server import Add, Edge, serve
from gateway.state import key_pem
from gateway.telemetry import call_counts, outcome_counts
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.envelope_pb2 import Evidence
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceServicer, add_ExchangeServiceServicer_to_server
from tests.adversarial.watch import Watch, watch
from tests.integration.channel_kit import Authority
from tests.unit.exchange.spine_parts import ASKER, TRUST_DOMAIN, Party, Question, tokens_of
from tests.unit.exchange.spine_world import World

SERVICE = "/homeward.gateway.v1.ExchangeService"
YOUTH = "an invented youth"


@dataclass(frozen=True)
class Certified(Party):
    """A member whose channel certificate is a real one."""

    digest: bytes = b""

    @property
    def thumbprint(self) -> bytes:
        return self.digest


@dataclass
class Seen:
    """What a peer sees of a failed call."""

    code: grpc.StatusCode
    text: str
    everything: str


@dataclass
class Gateway:
    """A listening gateway and one adapter's channel to it."""

    world: World
    channel: grpc.aio.Channel
    watch: Watch

    def request(self, question: Question) -> exchange_pb2.RequestRecordsRequest:
        payload = exchange_pb2.RecordsQuery(
            request_id=question.request_id,
            tokens=tokens_of(question.youth),
            evidence=[
                Evidence(kind=cast(Any, to_wire(kind)), reference_commitment=bytes(32)) for kind in question.evidence
            ],
            field_sets=[to_wire(each) for each in question.field_sets],
            page=question.page,
            recipient_key_id=self.world.parties[question.by].seal.key_id,
        ).SerializeToString()
        return exchange_pb2.RequestRecordsRequest(
            payload=payload, user_assertion=self.world.assertion(question, payload)
        )

    async def call(self, method: str, data: bytes, *metadata: tuple[str, str]) -> bytes:
        made = self.channel.unary_unary(f"{SERVICE}/{method}")
        return cast(bytes, await made(data, timeout=10, metadata=metadata))

    async def ask(self, question: Question, *metadata: tuple[str, str]) -> exchange_pb2.RequestRecordsResponse:
        data = await self.call("RequestRecords", self.request(question).SerializeToString(), *metadata)
        return exchange_pb2.RequestRecordsResponse.FromString(data)

    async def failed(self, method: str, data: bytes, *metadata: tuple[str, str]) -> Seen:
        """What the peer sees; the test fails where the call does not."""
        try:
            await self.call(method, data, *metadata)
        except grpc.aio.AioRpcError as error:
            return seen(error)
        raise AssertionError("the call was answered")


def seen(error: grpc.aio.AioRpcError) -> Seen:
    """Everything that a peer can read of the error."""
    parts = (error.details(), error.debug_error_string(), *(error.trailing_metadata() or ()))
    initial = tuple(error.initial_metadata() or ())
    return Seen(error.code(), error.details() or "", " ".join(map(repr, (*parts, *initial))))


def assert_internal(found: Seen) -> None:
    """The peer was told that something failed, and nothing else."""
    assert (found.code, found.text) == (grpc.StatusCode.INTERNAL, "internal error")


@asynccontextmanager
async def gateway(
    place: Path,
    *,
    servicer: Callable[[World], ExchangeServiceServicer] = lambda world: world.servicer,
    also: Callable[[World, MachineCalls, Peers], Add] | None = None,
    **faults: object,
) -> AsyncIterator[Gateway]:
    """The gateway, with these parts of its setting replaced."""
    world, authority = World(place), Authority()
    key, chain = _certificate(authority, world.parties, ASKER)
    world.register(YOUTH)
    world.use(replace(world.setting, **cast(dict[str, Any], faults)))
    world.servicer = servicer(world)
    peers = Peers(trust_domain=TRUST_DOMAIN, is_denied=lambda _: False, now=lambda: datetime.now(UTC))
    with watch(call_counts(), outcome_counts().readings()) as watching:
        services: list[Add] = [lambda server: add_ExchangeServiceServicer_to_server(world.servicer, server)]
        if also is not None:
            services.append(also(world, MachineCalls(world.directory, world.clock), peers))
        edge = Edge(listener=Listener.GATEWAY, peers=peers, recorder=watching.recorder)
        served = await serve(edge, "127.0.0.1:0", authority.server_credentials(), services)
        address = f"127.0.0.1:{served.port}"
        credentials = grpc.ssl_channel_credentials(authority.root_pem, key, chain)
        try:
            async with grpc.aio.secure_channel(address, credentials, options=client_options(address)) as channel:
                yield Gateway(world, channel, watching)
        finally:
            await served.stop(0)
            await world.close()


def _certificate(authority: Authority, parties: dict[AgencyId, Party], agency: AgencyId) -> tuple[bytes, bytes]:
    """Key and chain (PEM) of the agency's adapter; from here on its assertions are bound to them."""
    key = ec.generate_private_key(ec.SECP256R1())
    uri = ChannelIdentity(TRUST_DOMAIN, ChannelKind.ADAPTER, "a1", agency).uri
    issued = authority.issuer.client(uri, key.public_key())
    digest = x509.load_pem_x509_certificates(issued.chain)[0].fingerprint(SHA256())
    party = parties[agency]
    parties[agency] = Certified(**{each.name: getattr(party, each.name) for each in fields(Party)}, digest=digest)
    return key_pem(key), issued.chain


def fresh(number: int = 0) -> Question:
    """A question that nobody asked before."""
    return Question(YOUTH, number=number or secrets.randbits(30))
