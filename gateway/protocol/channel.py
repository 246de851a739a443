"""Channel options of both ends, with the reason for each.

Figures: SECURITY §0.1 and §3.5. By default one peer can push gigabytes into a process that
stops reading; `bdp_probe` off and a fixed look-ahead hold it to tens of megabytes.
"""

from typing import Final

Option = tuple[str, int | str]

MAX_MESSAGE_BYTES: Final = 256 * 1024
"""Largest request: what an authenticated peer may push at a server."""
MAX_REPLY_BYTES: Final = 16 * 1024 * 1024
"""Largest reply a client takes, from the one server it pinned: a directory of a whole state (`directory.proto`)."""
MAX_METADATA_BYTES: Final = 8 * 1024

_BOTH: Final[tuple[Option, ...]] = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 262_144),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
)

_SERVER: Final[tuple[Option, ...]] = (
    *_BOTH,
    ("grpc.max_concurrent_streams", 32),
    # Bounds how long a revoked or expired certificate can keep a quiet connection, and frees
    # handlers stuck on a reader that stopped (SECURITY §3.5).
    ("grpc.max_connection_age_ms", 1_800_000),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Two processes must never share the port by accident: one log has one writer.
    ("grpc.so_reuseport", 0),
)

CLIENT_OPTIONS: Final[tuple[Option, ...]] = (
    *_BOTH,
    ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # By default a peer that was away for long is tried every two minutes; it must be found again at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # A transparent retry by the library would repeat a single-use assertion.
    ("grpc.enable_retries", 0),
)

LOOPBACK_CLIENT_OPTIONS: Final[tuple[Option, ...]] = (
    *CLIENT_OPTIONS,
    # A proxy variable would capture loopback calls too (grpc issue 29718).
    ("grpc.enable_http_proxy", 0),
)


def server_options(*, max_message_bytes: int = MAX_MESSAGE_BYTES) -> tuple[Option, ...]:
    """Options of a server that reads requests up to this size. Each stands once: of two, gRPC takes the first."""
    return (*_SERVER, ("grpc.max_receive_message_length", max_message_bytes))


def client_options(address: str) -> tuple[Option, ...]:
    """Options for a channel to `host:port`; a loopback address never goes through a proxy."""
    host = address.rsplit(":", 1)[0].strip("[]")
    return LOOPBACK_CLIENT_OPTIONS if host in ("127.0.0.1", "::1", "localhost") else CLIENT_OPTIONS
