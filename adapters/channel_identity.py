"""The adapter's channel certificate: key, chain, and how one pair replaces another without a moment of neither.

Decides the files `tls.key`, `tls.pem` (chain, leaf first), `ca.pem` (what gateway certificates chain to) and the order
of a renewal:

    1  `tls.key.next` is durable before the gateway is asked, so that a repeated question names the same key
    2  `tls.next.json` holds chain and generation: from here on the new pair counts
    3  `tls.pem`, `tls.key`, `member.json` are replaced, then `tls.next.json` is removed

A crash after 2 is finished by the next start; a crash before it leaves the old pair in use. A directory that joins
again goes the same way; `tls.next.json` then holds the CA and the whole membership, too.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from adapters.keyring import KeyFileUnusable, read_secret, write_secret
from adapters.membership import Membership, parse_membership, read_membership, write_membership
from homeward.replacing import replace_file

KEY_FILE: Final = "tls.key"
CHAIN_FILE: Final = "tls.pem"
CA_FILE: Final = "ca.pem"
_NEXT_KEY: Final = "tls.key.next"
_NEXT: Final = "tls.next.json"


@dataclass(frozen=True, slots=True)
class ChannelIdentityFiles:
    """One key with its chain, and whom to trust on the other side. PEM."""

    key: bytes = field(repr=False)
    chain: bytes
    ca: bytes
    thumbprint: bytes
    """SHA-256 of the DER leaf certificate (RFC 8705 `x5t#S256`)."""
    effective: datetime
    expires: datetime


def new_tls_key() -> bytes:
    """A fresh EC P-256 private key, PKCS #8 PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def certificate_request(key: bytes) -> bytes:
    """A PKCS #10 request (DER) that proves possession of the key; it names nothing else of weight."""
    private = _private(key)
    # The issuer reads the public key only; a request without a subject is not accepted by every parser.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homeward adapter")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(private, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


def write_identity(keys: Path, *, key: bytes, chain: bytes, ca: bytes) -> None:
    """The first identity of a member is on disk."""
    write_secret(keys / KEY_FILE, key)
    replace_file(keys / CHAIN_FILE, chain, mode=0o644)
    replace_file(keys / CA_FILE, ca, mode=0o644)


def load_identity(state: Path) -> ChannelIdentityFiles:
    """The pair in use, after finishing a renewal that a crash interrupted. Raises `KeyFileUnusable`."""
    keys = state / "keys"
    if (keys / _NEXT).exists():
        finish_renewal(state)
    key = read_secret(keys / KEY_FILE)
    chain, ca = _public(keys / CHAIN_FILE), _public(keys / CA_FILE)
    leaf = _leaf(chain)
    if _public_bytes(leaf.public_key()) != _public_bytes(_private(key).public_key()):
        raise KeyFileUnusable(CHAIN_FILE, f"the certificate is not of the key in {KEY_FILE}")
    return ChannelIdentityFiles(
        key=key,
        chain=chain,
        ca=ca,
        thumbprint=thumbprint(chain),
        effective=leaf.not_valid_before_utc,
        expires=leaf.not_valid_after_utc,
    )


def thumbprint(chain: bytes) -> bytes:
    """SHA-256 of the DER form of the first certificate (RFC 8705 `x5t#S256`). Raises `KeyFileUnusable`."""
    return hashlib.sha256(_leaf(chain).public_bytes(Encoding.DER)).digest()


def next_key(state: Path) -> bytes:
    """The key to renew with: the one an unfinished renewal made, else a fresh one, durable."""
    path = state / "keys" / _NEXT_KEY
    if not path.exists():
        write_secret(path, new_tls_key())
    return read_secret(path)


def accept_renewal(state: Path, *, chain: bytes, generation: int) -> None:
    """The new pair is in use, the old one gone. Raises `KeyFileUnusable` when the chain is not of the next key."""
    _accept(state, chain, {"generation": generation})


def accept_joining(state: Path, *, chain: bytes, ca: bytes, membership: Membership) -> None:
    """The pair of a directory that joined again is in use, with what the new line said. Raises as `accept_renewal`."""
    said: dict[str, int | str] = {"generation": membership.generation}
    said |= {"ca": ca.decode("ascii"), "member": membership.to_json()}
    _accept(state, chain, said)


def _accept(state: Path, chain: bytes, said: dict[str, int | str]) -> None:
    keys = state / "keys"
    if _public_bytes(_leaf(chain).public_key()) != _public_bytes(_private(next_key(state)).public_key()):
        raise KeyFileUnusable(_NEXT_KEY, "the certificate is of another key")
    document = json.dumps({"chain": chain.decode("ascii"), **said})
    replace_file(keys / _NEXT, document.encode(), mode=0o644)
    finish_renewal(state)


def finish_renewal(state: Path) -> None:
    """What step 2 of a renewal promised is done; repeating it changes nothing."""
    keys = state / "keys"
    document = json.loads((keys / _NEXT).read_text(encoding="ascii"))
    if "ca" in document:
        replace_file(keys / CA_FILE, document["ca"].encode("ascii"), mode=0o644)
    replace_file(keys / CHAIN_FILE, document["chain"].encode("ascii"), mode=0o644)
    if (keys / _NEXT_KEY).exists():
        write_secret(keys / KEY_FILE, read_secret(keys / _NEXT_KEY))
    known = parse_membership(document["member"]) if "member" in document else read_membership(state)
    write_membership(state, known.renewed(int(document["generation"])))
    # The key goes first: a leftover of it would be taken for an unfinished renewal and used twice.
    (keys / _NEXT_KEY).unlink(missing_ok=True)
    (keys / _NEXT).unlink()


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except ValueError as exc:
        raise KeyFileUnusable(KEY_FILE, "is not a private key in PEM") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFileUnusable(KEY_FILE, "is not an elliptic-curve key")
    return key


def _leaf(chain: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as exc:
        raise KeyFileUnusable(CHAIN_FILE, "is not a certificate chain in PEM") from exc


def _public(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise KeyFileUnusable(path.name, "cannot be read") from exc


def _public_bytes(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise KeyFileUnusable(CHAIN_FILE, "is not a certificate of an elliptic-curve key")
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
