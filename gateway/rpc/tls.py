"""TLS of listeners and outgoing channels.

Decides that a server asks for its certificate anew at every handshake, so that a 24-hour certificate renews itself
without a restart, and that a listener with client roots requires a client certificate. Which protocol version and which
groups count is checked on every call (`peer`); the library cannot be told.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, cast

import grpc

from gateway.members.service_identity import Credential, RenewingCredential

SETTLING_SECONDS: Final = 0.1
"""How long a handshake that asked before may take to make use of the certificate it was told to keep: microseconds."""


@dataclass
class Renewals:
    """What the library is told when it asks, at each handshake and from threads of its own: nothing, or a new one.

    Replacing a certificate frees the one before, and a handshake of another thread that has just been told to keep it
    may still be about to use it; that ended the process (grpc/grpc issue 36693). So a certificate is handed over once,
    not at every handshake, and only when those that asked before have had their time. Whoever asks meanwhile waits.
    """

    credential: RenewingCredential
    client_roots: bytes
    given: Credential = field(init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self.given = self.credential.current()

    def first(self) -> grpc.ServerCertificateConfiguration:
        """What the listener starts with."""
        return _configuration(self.given, self.client_roots)

    def newer(self) -> grpc.ServerCertificateConfiguration | None:
        """The certificate that takes the place of the one given; None while there is none."""
        with self._lock:
            current = self.credential.current()
            if current is self.given:
                return None
            time.sleep(SETTLING_SECONDS)
            self.given = current
            return _configuration(current, self.client_roots)


def mutual_tls(credential: RenewingCredential, client_roots: bytes) -> grpc.ServerCredentials:
    """Credentials of a listener for peers whose certificates chain to `client_roots` (PEM)."""
    renewals = Renewals(credential, client_roots)
    # The library documents None as "keep what you have"; its stubs do not.
    newer = cast("Callable[[], grpc.ServerCertificateConfiguration]", renewals.newer)
    return grpc.dynamic_ssl_server_credentials(renewals.first(), newer, require_client_authentication=True)


def server_tls(key: bytes, chain: bytes) -> grpc.ServerCredentials:
    """Credentials of a listener for anybody, by one fixed certificate (PEM): enrollment."""
    return grpc.ssl_server_credentials([(key, chain)])


def client_tls(credential: Credential, server_roots: bytes) -> grpc.ChannelCredentials:
    """Credentials of a channel to a server whose certificate chains to `server_roots` (PEM)."""
    return grpc.ssl_channel_credentials(
        root_certificates=server_roots, private_key=credential.key, certificate_chain=credential.chain
    )


def _configuration(credential: Credential, client_roots: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(credential.key, credential.chain)], client_roots)
