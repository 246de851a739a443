"""WR-04: what a peer can learn of a production build beyond the answers: nothing that explains it.

A demonstration offers reflection, which is the control: the same probe finds it there.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grpc
import pytest
from grpc import aio

from gateway.config import CustodianConfig, GatewayConfig
from tests.adversarial.leaky_gateway import seen
from tests.integration.edge_kit import main_listener

ROOT = Path(__file__).resolve().parents[2]
REFLECTION = (
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
)
DEBUGGING = (
    *REFLECTION,
    "/grpc.channelz.v1.Channelz/GetServers",
    "/grpc.channelz.v1.Channelz/GetTopChannels",
    "/grpc.admin.v1.Admin/Get",
    "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus",
    "/homeward.gateway.v1.AdminService/GetGatewayStatus",
    "/debug/pprof",
    "/metrics",
)
LIST_SERVICES = b"\x3a\x01*"
"""A request of reflection for the names of all services."""
EXPLAINS = re.compile(r"\d+\.\d+\.\d+|python|grpcio|cygrpc|traceback|\.py\b|_pb2|homeward/\d", re.IGNORECASE)
"""Version strings, names of libraries and of files."""


async def refusal(channel: aio.Channel, path: str) -> aio.AioRpcError:
    with pytest.raises(aio.AioRpcError) as caught:
        await channel.unary_unary(path)(LIST_SERVICES, timeout=5)
    return caught.value


async def test_nothing_that_explains_a_server_is_served() -> None:
    async with main_listener() as channel:
        for path in DEBUGGING:
            error = await refusal(channel, path)
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED, path


async def test_the_same_probe_finds_the_reflection_of_a_demonstration() -> None:
    async with main_listener(reflection=True) as channel:
        call = channel.stream_stream(REFLECTION[0])(timeout=5)
        await call.write(LIST_SERVICES)
        answer = await call.read()
        call.cancel()
    assert b"homeward.gateway.v1.ExchangeService" in answer


async def test_a_reply_holds_no_version_no_library_and_no_file_name() -> None:
    async with main_listener() as channel:
        for path in (*DEBUGGING, "/homeward.gateway.v1.ExchangeService/CheckFlag"):
            error = await refusal(channel, path)
            # What the client's own library adds to its description of the error is not from the peer.
            parts = (error.details(), *(error.initial_metadata() or ()), *(error.trailing_metadata() or ()))
            told = " ".join(map(repr, parts))
            assert EXPLAINS.search(told) is None, told
        health = channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
        assert await health == b"\x08\x01"
        metadata = (*(await health.initial_metadata() or ()), *(await health.trailing_metadata() or ()))
        assert EXPLAINS.search(repr(metadata)) is None
        assert EXPLAINS.search(seen(error).text) is None


def test_a_gateway_and_a_custodian_are_no_demonstration_unless_their_files_say_so() -> None:
    assert GatewayConfig.model_fields["demo"].default is False
    assert CustodianConfig.model_fields["demo"].default is False


def test_a_production_install_does_not_hold_the_code_of_reflection_and_channelz() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    everywhere = " ".join(project["dependencies"] + project["optional-dependencies"]["otel"])
    assert "reflection" not in everywhere
    assert "channelz" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert any("grpcio-reflection" in each for each in project["optional-dependencies"]["sandbox"])


def test_nothing_listens_beside_the_listeners_of_the_configuration() -> None:
    """Metrics are pushed (OTLP); there is no port that serves them, nor any web server in a serving process.

    The published log and a witness can be served by commands of their own, which no process of the exchange loads.
    """
    serving = re.compile(
        r"http\.server|start_http_server|socketserver|\.add_insecure_port\(|prometheus_client|aiohttp\.web"
    )
    found = {
        path.relative_to(ROOT).as_posix(): serving.findall(path.read_text(encoding="utf-8"))
        for room in ("gateway", "adapters", "audit", "proto/homeward")
        for path in (ROOT / room).rglob("*.py")
        if serving.search(path.read_text(encoding="utf-8"))
    }
    # The one insecure port is the admin's Unix socket (`add_insecure_port(f"unix:...")`).
    assert found == {"gateway/rpc/admin.py": [".add_insecure_port("], "audit/serve.py": ["http.server"]}
    loaded = "import sys, gateway.cli, gateway.tokens.cli, adapters.cli, adapters.service; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.split()
    assert {"gateway.wiring", "adapters.service"} <= set(modules)
    assert {"audit.serve", "audit.witness_serve"}.isdisjoint(modules)
