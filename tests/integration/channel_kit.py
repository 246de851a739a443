"""Certificates for tests: the exchange's own authority, its service and its adapters."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from adapters.channel_identity import ChannelIdentityFiles, new_tls_key
from gateway.members.ca import Issued, Issuer, make_intermediate, make_root
from gateway.protocol.names import AgencyId
from tests.unit.node.world import DOMAIN


class Authority:
    """A certificate authority, made as the gateway makes its own."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        root = make_root("test root", now=now, random_bytes=secrets.token_bytes)
        intermediate = make_intermediate("test", root, now=now, random_bytes=secrets.token_bytes)
        self.issuer = Issuer(
            intermediate, life=timedelta(hours=24), now=lambda: datetime.now(UTC), random_bytes=secrets.token_bytes
        )
        self.root_pem = root.certificate.public_bytes(Encoding.PEM)

    def server_credentials(self) -> grpc.ServerCredentials:
        """Of a gateway at 127.0.0.1 that asks for a client certificate below this root."""
        key = new_tls_key()
        issued = self.issuer.server(f"spiffe://{DOMAIN}/gateway/main", public(key), hosts=["127.0.0.1"])
        return grpc.ssl_server_credentials([(key, issued.chain)], self.root_pem, require_client_auth=True)

    def adapter(self, agency: AgencyId, key: bytes | None = None) -> ChannelIdentityFiles:
        """A fresh certificate of this agency's adapter."""
        key = key or new_tls_key()
        issued = self.certify(agency, public(key))
        return identity_files(key, issued, self.root_pem)

    def certify(self, agency: AgencyId, key: ec.EllipticCurvePublicKey) -> Issued:
        county, _, office = agency.partition(".")
        return self.issuer.client(f"spiffe://{DOMAIN}/county/{county}/{office}/adapter/a1", key)


def identity_files(key: bytes, issued: Issued, root_pem: bytes) -> ChannelIdentityFiles:
    leaf: x509.Certificate = issued.certificate
    return ChannelIdentityFiles(
        key=key,
        chain=issued.chain,
        ca=root_pem,
        thumbprint=hashlib.sha256(leaf.public_bytes(Encoding.DER)).digest(),
        effective=leaf.not_valid_before_utc,
        expires=leaf.not_valid_after_utc,
    )


def public(key: bytes) -> ec.EllipticCurvePublicKey:
    private = load_pem_private_key(key, password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private.public_key()
