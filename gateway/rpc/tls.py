"""TLS of listeners and outgoing channels.

Decides that a server asks for its certificate anew at every handshake, so that a 24-hour certificate renews itself
without a restart, and that a listener with client roots requires a client certificate. Which protocol version and which
groups count is checked on every call (`peer`); the library cannot be told.
"""

import grpc

from gateway.members.service_identity import Credential, RenewingCredential


def mutual_tls(credential: RenewingCredential, client_roots: bytes) -> grpc.ServerCredentials:
    """Credentials of a listener for peers whose certificates chain to `client_roots` (PEM)."""
    return grpc.dynamic_ssl_server_credentials(
        _configuration(credential, client_roots),
        lambda: _configuration(credential, client_roots),
        require_client_authentication=True,
    )


def server_tls(key: bytes, chain: bytes) -> grpc.ServerCredentials:
    """Credentials of a listener for anybody, by one fixed certificate (PEM): enrollment."""
    return grpc.ssl_server_credentials([(key, chain)])


def client_tls(credential: Credential, server_roots: bytes) -> grpc.ChannelCredentials:
    """Credentials of a channel to a server whose certificate chains to `server_roots` (PEM)."""
    return grpc.ssl_channel_credentials(
        root_certificates=server_roots, private_key=credential.key, certificate_chain=credential.chain
    )


def _configuration(credential: RenewingCredential, client_roots: bytes) -> grpc.ServerCertificateConfiguration:
    current = credential.current()
    return grpc.ssl_server_certificate_configuration([(current.key, current.chain)], client_roots)
