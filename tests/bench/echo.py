"""What everything is compared with: a bare `grpc.aio` server over mutual TLS that returns what it receives.

Decides nothing about a call: no interceptor, no check of the peer beyond the handshake, no option of ours, no disk. A
message is parsed and built again, as any service's would be.

Run: python -m tests.bench.echo DIRECTORY. It makes its own CA, writes what a client needs into the directory and says
on one line of JSON that it is ready.
"""

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import grpc
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.wrappers_pb2 import BytesValue

from gateway.members.ca import Issuer, make_intermediate, make_root
from gateway.members.service_identity import server_credential
from gateway.rpc.tls import mutual_tls
from gateway.state import key_pem
from tests.bench.load import Peer

PATH: Final = "/homeward.bench.Echo/Echo"
MESSAGE_BYTES: Final = 200
_HOST: Final = "127.0.0.1"


def message() -> bytes:
    """A request of 200 bytes."""
    return BytesValue(value=os.urandom(MESSAGE_BYTES - 3)).SerializeToString()


def peer_of(directory: Path, port: int) -> Peer:
    """The echo of this directory, as its client."""
    return Peer(_HOST, port, directory / "roots.pem", directory / "client.pem", directory / "client.key")


async def echo(request: BytesValue, context: Any) -> BytesValue:
    """What was received."""
    return BytesValue(value=request.value)


def _now() -> datetime:
    return datetime.now(UTC)


async def serve(directory: Path) -> None:
    """Serves until SIGTERM."""
    root = make_root("bench root", now=_now(), random_bytes=os.urandom)
    below = make_intermediate("bench intermediate", root, now=_now(), random_bytes=os.urandom)
    issuer = Issuer(below, now=_now, random_bytes=os.urandom)
    roots = root.certificate.public_bytes(Encoding.PEM)
    key = ec.generate_private_key(ec.SECP256R1())
    (directory / "roots.pem").write_bytes(roots)
    (directory / "client.pem").write_bytes(
        issuer.client("spiffe://bench.example/gateway/bench", key.public_key()).chain
    )
    (directory / "client.key").write_bytes(key_pem(key))
    credential = server_credential(issuer, "spiffe://bench.example/gateway/echo", [_HOST], now=_now)
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        echo, request_deserializer=BytesValue.FromString, response_serializer=BytesValue.SerializeToString
    )
    _, service, method = PATH.split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_secure_port(f"{_HOST}:0", mutual_tls(credential, roots))
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"event": "ready", "port": port}), flush=True)
    await stop.wait()
    await server.stop(1.0)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
