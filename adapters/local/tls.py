"""The endpoint's own certificate: a small CA of this adapter, for county systems to trust and nobody else.

Decides its files (`ca.pem`, `server.pem`, `server.key`) and names. The CA's private key is not kept: once the server
certificate is signed it can sign nothing else. When the certificate is about to end, or the address changed, all three
files are made anew and county systems fetch `ca.pem` again; it lasts ten years, so that this is rare.
"""

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from adapters.keyring import make_private_directory, read_secret, write_secret
from homeward.replacing import replace_file

LIFE: Final = timedelta(days=3650)
RENEW_BEFORE: Final = timedelta(days=90)
BACKDATING: Final = timedelta(minutes=5)
CA_FILE: Final = "ca.pem"
_CERTIFICATE_FILE: Final = "server.pem"
_KEY_FILE: Final = "server.key"
_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class LocalTls:
    """What the server needs. PEM."""

    key: bytes = field(repr=False)
    certificate: bytes
    ca: bytes


def local_tls(directory: Path, *, host: str, now: datetime) -> LocalTls:
    """The pair in the directory, made where there is none for this host or it is about to end.

    Raises `KeyFileUnusable` when the key can be read by others.
    """
    names = tuple(dict.fromkeys((*_ALWAYS, host)))
    if not _is_usable(directory, names, now):
        _make(directory, names, now)
    return LocalTls(
        key=read_secret(directory / _KEY_FILE),
        certificate=(directory / _CERTIFICATE_FILE).read_bytes(),
        ca=(directory / CA_FILE).read_bytes(),
    )


def _is_usable(directory: Path, names: tuple[str, ...], now: datetime) -> bool:
    paths = [directory / name for name in (CA_FILE, _CERTIFICATE_FILE, _KEY_FILE)]
    if not all(path.exists() for path in paths):
        return False
    certificate = x509.load_pem_x509_certificate(paths[1].read_bytes())
    named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return now + RENEW_BEFORE < certificate.not_valid_after_utc and all(_general(name) in named for name in names)


def _make(directory: Path, names: tuple[str, ...], now: datetime) -> None:
    make_private_directory(directory)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = _name("homeward adapter, local CA")
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name("homeward adapter, local endpoint"), ca_name, key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    # The key last: a pair is complete only with it.
    (directory / _KEY_FILE).unlink(missing_ok=True)
    replace_file(directory / CA_FILE, ca.public_bytes(Encoding.PEM), mode=0o644)
    replace_file(directory / _CERTIFICATE_FILE, certificate.public_bytes(Encoding.PEM), mode=0o644)
    write_secret(directory / _KEY_FILE, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATING)
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
