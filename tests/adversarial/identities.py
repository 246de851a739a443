"""Certificates that the exchange would never issue, from its own stolen intermediate key."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from adapters.channel_identity import ChannelIdentityFiles, new_tls_key
from tests.adversarial.town import Town


def forge(
    town: Town,
    names: Sequence[x509.GeneralName],
    *,
    use: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    life: timedelta = timedelta(hours=1),
    backdated: timedelta = timedelta(minutes=5),
) -> ChannelIdentityFiles:
    """A leaf below the gateway's intermediate with these names. Its life ends `life` from now."""
    authority = load_pem_private_key(town.state.read_secret("ca-intermediate.key"), password=None)
    above = x509.load_pem_x509_certificate(town.state.certificate("intermediate").read_bytes())
    assert isinstance(authority, ec.EllipticCurvePrivateKey)
    pem = new_tls_key()
    key = load_pem_private_key(pem, password=None)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(above.subject)
        .public_key(key.public_key())  # type: ignore[arg-type]
        .serial_number(int.from_bytes(secrets.token_bytes(15), "big"))
        .not_valid_before(now - backdated)
        .not_valid_after(now + life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    leaf = builder.sign(authority, hashes.SHA256())
    return ChannelIdentityFiles(
        key=pem,
        chain=leaf.public_bytes(Encoding.PEM) + above.public_bytes(Encoding.PEM),
        ca=town.roots_pem,
        thumbprint=hashlib.sha256(leaf.public_bytes(Encoding.DER)).digest(),
        effective=leaf.not_valid_before_utc,
        expires=leaf.not_valid_after_utc,
    )


def uri(text: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(text)
