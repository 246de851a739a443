"""The custodian's listener: token evaluation for adapters, countersigning for one gateway, health.

Decides its size limit: a directory is the largest message it receives, from the gateway alone, and it must fit. The
limit is the listener's and not the method's, so that a peer has fewer calls at once here.
"""

from typing import Final

import grpc

from gateway.members.service_identity import RenewingCredential
from gateway.rpc.countersign import CountersignServicer
from gateway.rpc.server import Edge, Served, serve
from gateway.rpc.tls import mutual_tls
from gateway.rpc.token import TokenServicer
from homeward.gateway.v1.custodian_pb2_grpc import add_CountersignServiceServicer_to_server
from homeward.gateway.v1.token_pb2_grpc import add_TokenServiceServicer_to_server

MAX_DIRECTORY_BYTES: Final = 4 * 1024 * 1024
CALLS_OF_A_PEER: Final = 32
"""With messages as large as that, an adapter that means harm holds 128 MiB and not four times as many."""


async def serve_custodian(
    edge: Edge,
    address: str,
    *,
    credential: RenewingCredential,
    client_roots: bytes,
    token: TokenServicer,
    countersign: CountersignServicer,
) -> Served:
    """The listener answers; adapters and the gateway chain to `client_roots` (PEM). Raises OSError."""

    def add(server: grpc.aio.Server) -> None:
        add_TokenServiceServicer_to_server(token, server)
        add_CountersignServiceServicer_to_server(countersign, server)

    return await serve(edge, address, mutual_tls(credential, client_roots), [add])
