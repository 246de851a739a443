"""Every RPC by every class of caller, on every listener, against the checked-in matrix.

`matrix.toml` says what an empty request of each class comes to. What may not call is refused before its message is
looked at; what may call gets as far as its message, which is refused for being empty. A method without a row fails
here, and a server without a row for a method does not start.
"""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from gateway.protocol.channel import client_options
from gateway.protocol.names import AgencyKind
from gateway.rpc import methods
from gateway.rpc.methods import FILES, METHODS, MethodTableIncomplete, check_complete
from gateway.rpc.server import Edge, serve
from gateway.state import State
from gateway.telemetry import call_counts
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from tests.adversarial.identities import forge, uri
from tests.adversarial.outcome import read
from tests.adversarial.town import TRUST_DOMAIN, Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
MATRIX = Path(__file__).with_name("matrix.toml")
MUTUAL = frozenset({"gateway", "custodian"})
"""Listeners that ask for a client certificate."""
Channels = dict[tuple[str, str], grpc.aio.Channel]


def matrix() -> dict[str, dict[str, dict[str, str]]]:
    """Method to serving listener to caller to what becomes of the call."""
    found: dict[str, dict[str, dict[str, str]]] = tomllib.loads(MATRIX.read_text(encoding="utf-8"))
    return found


def declared() -> set[str]:
    """Every method in the .proto files."""
    return {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }


STREAMS = frozenset(
    f"/{service.full_name}/{method.name}"
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods
    if method.client_streaming
)
"""Methods that a caller may speak to without end."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def channels(town: Town) -> AsyncIterator[Channels]:
    """A channel for each listener and caller."""
    denied = await town.settle("06083.denied", AgencyKind.CWA)
    await town.listed(denied.agency)
    await town.revoke(denied.agency)
    await town.suspended(denied.agency)
    gateway = forge(town, [uri(f"spiffe://{TRUST_DOMAIN}/gateway/gw1")])
    custodian = forge(town, [uri(f"spiffe://{TRUST_DOMAIN}/custodian/auditor")])
    identities = {
        "adapter": town.residents["06029.cwa"].identity,  # type: ignore[index]
        "denied": denied.identity,
        "gateway": gateway,
        "custodian": custodian,
    }
    custodian_ca, custodian_at = town.custodian_card["ca_certificate"].encode(), town.custodian_card["address"]
    socket = State(town.custodian, "custodian").admin_socket
    made: Channels = {
        ("gateway-socket", "local"): town.admin(),
        ("custodian-socket", "local"): grpc.aio.insecure_channel(f"unix:{socket}"),
    }
    for listener, address, roots in (
        ("gateway", town.address, town.roots_pem),
        ("custodian", custodian_at, custodian_ca),
    ):
        for caller, each in identities.items():
            credentials = grpc.ssl_channel_credentials(roots, each.key, each.chain)
            made[listener, caller] = _secure(address, credentials)
        made[listener, "nobody"] = _secure(address, grpc.ssl_channel_credentials(roots))
    shown = town.state.certificate("enroll").read_bytes()
    enrollment = (town.gateway / "gateway.yaml").read_text().split("enroll_address:")[1].split()[0].strip("\"'")
    made["enrollment", "nobody"] = _secure(enrollment, grpc.ssl_channel_credentials(shown))
    yield made
    for channel in made.values():
        await channel.close()


def _secure(address: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    options = (*client_options(address), ("grpc.use_local_subchannel_pool", 1))
    return grpc.aio.secure_channel(address, credentials, options=options)


async def result(channel: grpc.aio.Channel, path: str) -> str:
    """What an empty request comes to, in a word."""
    try:
        if path in STREAMS:
            await _first_of_stream(channel, path)
        else:
            await channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)(b"", timeout=10)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return "NO_CONNECTION"
        return read(error).reason or error.code().name
    return "OK"


async def _first_of_stream(channel: grpc.aio.Channel, path: str) -> None:
    call: Any = channel.stream_stream(path, request_serializer=bytes, response_deserializer=bytes)(timeout=10)
    reading = asyncio.ensure_future(call.read())
    # Who may not call is refused without a message; a message sent meanwhile would hide the refusal from this client.
    await asyncio.wait({reading}, timeout=2)
    if not reading.done():
        # It may end between the two: what was read says how.
        with suppress(asyncio.InvalidStateError):
            await call.write(b"")
    await reading


async def test_every_rpc_has_a_row_and_every_row_an_rpc() -> None:
    assert set(matrix()) == declared() == set(METHODS)


async def test_each_call_of_each_caller_ends_as_the_matrix_says(channels: Channels) -> None:
    rows = matrix()

    def expected(method: str, listener: str, caller: str) -> str:
        if caller == "nobody" and listener in MUTUAL:
            return "NO_CONNECTION"
        cells = rows[method].get(listener)
        return "UNIMPLEMENTED" if cells is None else cells[caller]

    # Below the streams a listener lets one connection have: the rest would be turned away for being many.
    turns = {where: asyncio.Semaphore(16) for where in channels}

    async def one(method: str, listener: str, caller: str) -> str:
        async with turns[listener, caller]:
            return await result(channels[listener, caller], method)

    asked = [(method, *where) for method in sorted(declared()) for where in channels]
    found = dict(zip(asked, await asyncio.gather(*(one(*each) for each in asked)), strict=True))
    assert {key: word for key, word in found.items() if word != expected(*key)} == {}


async def test_what_the_kind_of_an_agency_is_changes_nothing_at_the_edge(town: Town) -> None:
    rows = {method: row["gateway"]["adapter"] for method, row in matrix().items() if "gateway" in row}
    kinds = {}
    for resident in town.residents.values():
        kinds.setdefault(resident.membership.kind, resident)
    assert len(kinds) == 7
    for kind, resident in kinds.items():
        found = {method: await result(resident.channel, method) for method in rows}
        assert found == rows, kind


@pytest.mark.parametrize(
    "path",
    [
        "homeward.gateway.v1.MembershipService/GetDirectory",
        "//homeward.gateway.v1.MembershipService/GetDirectory",
        "/homeward.gateway.v1.MembershipService//GetDirectory",
        "/homeward.gateway.v1.MembershipService/GetDirectory/",
        "/homeward.gateway.v1.MembershipService/getdirectory",
        "/Homeward.gateway.v1.MembershipService/GetDirectory",
        "/homeward.gateway.v1.MembershipService/%47etDirectory",
        "/homeward.gateway.v1.MembershipService/GetDirectory?x",
        "/homeward.gateway.v1.MembershipService/GetDirectory ",
        "/homeward.gateway.v1.MembershipService/../MembershipService/GetDirectory",
        "/",
    ],
)
async def test_a_path_that_is_not_exactly_a_method_reaches_no_handler(town: Town, path: str) -> None:
    channel = town.residents["06029.cwa"].channel  # type: ignore[index]
    before = town.size()
    request = GetDirectoryRequest().SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)(request, timeout=5)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
    assert town.size() == before


async def test_reflection_and_channelz_are_not_there(town: Town) -> None:
    channel = town.residents["06029.cwa"].channel  # type: ignore[index]
    for path in (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
    ):
        assert await result(channel, path) == "UNIMPLEMENTED"


async def test_a_server_without_a_row_for_a_method_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    check_complete()
    short = {name: row for name, row in METHODS.items() if not name.endswith("/CheckFlag")}
    monkeypatch.setattr(methods, "METHODS", short)
    edge = Edge(listener=methods.Listener.GATEWAY, peers=None, recorder=call_counts())
    with pytest.raises(MethodTableIncomplete, match=r"/homeward\.gateway\.v1\.ExchangeService/CheckFlag"):
        await serve(edge, "127.0.0.1:0", grpc.ssl_server_credentials([(b"", b"")]), [])
