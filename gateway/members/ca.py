"""The exchange's certificate authority: an own root, an intermediate, and one fixed profile for everything below.

Decides what a certificate says. Of a request only the public key is used, after it proved possession of the private
half; names, lifetimes and extensions are this file's, whatever the request asks for (SECURITY AN-06):

    leaf   EC P-256; exactly one URI SAN; digitalSignature; CA:FALSE; 24 h, valid from five minutes ago;
           client: clientAuth. server: serverAuth, and beside the URI the hosts it is dialed at. A process that is
           both has one of each, because a peer that dials must have its URI for its only name (`rpc/peer`).

Does not decide who gets one (`enroll`, `renew`), nor whether one still counts (`deny`).
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BACKDATING: Final = timedelta(minutes=5)
"""Clocks of two machines differ; a certificate of this minute must count on both."""
LEAF_LIFE: Final = timedelta(hours=24)
ROOT_LIFE: Final = timedelta(days=3650)
INTERMEDIATE_LIFE: Final = timedelta(days=3 * 365)
_SERIAL_BYTES: Final = 16
_CHARACTERS_OF_A_NAME: Final = 64  # RFC 5280 appendix A, ub-common-name

PrivateKey = ec.EllipticCurvePrivateKey


class RequestRefused(ValueError):
    """A certificate request does not prove a usable key. `rule` is a constant word."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"certificate request refused: {rule}")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate and the key that signs below it."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """One certificate, as it is handed out and as it is remembered."""

    certificate: x509.Certificate
    chain: bytes
    """PEM, leaf first, without the root."""

    @property
    def serial(self) -> str:
        """Serial number in hexadecimal, 32 characters."""
        return f"{self.certificate.serial_number:032x}"

    @property
    def expires(self) -> datetime:
        """End of validity."""
        return self.certificate.not_valid_after_utc


def make_root(name: str, *, now: datetime, random_bytes: Callable[[int], bytes]) -> Authority:
    """A new root: P-384, certificates of intermediates only. `name` is public."""
    key = ec.generate_private_key(ec.SECP384R1())
    builder = _builder(_name(name), _name(name), key.public_key(), now=now, life=ROOT_LIFE, random_bytes=random_bytes)
    builder = _as_authority(builder, key.public_key(), key.public_key(), path_length=1)
    return Authority(builder.sign(key, hashes.SHA384()), key)


def make_intermediate(name: str, root: Authority, *, now: datetime, random_bytes: Callable[[int], bytes]) -> Authority:
    """A new intermediate below the root: P-256, certificates of leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = root.certificate.subject
    builder = _builder(
        _name(name), issuer, key.public_key(), now=now, life=INTERMEDIATE_LIFE, random_bytes=random_bytes
    )
    builder = _as_authority(builder, key.public_key(), root.key.public_key(), path_length=0)
    return Authority(builder.sign(root.key, hashes.SHA384()), key)


def make_self_signed(
    key: PrivateKey, hosts: Sequence[str], *, now: datetime, life: timedelta, random_bytes: Callable[[int], bytes]
) -> x509.Certificate:
    """A server certificate trusted by its digest alone: the enrollment listener's, pinned in every invitation."""
    name = _name("homeward enrollment")
    builder = _builder(name, name, key.public_key(), now=now, life=life, random_bytes=random_bytes)
    names = x509.SubjectAlternativeName([_host(host) for host in hosts])
    builder = _as_leaf(builder, names, (ExtendedKeyUsageOID.SERVER_AUTH,))
    return builder.sign(key, hashes.SHA256())


def read_request(der: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of an untrusted PKCS #10 request, which proved possession of it. Raises `RequestRefused`.

    Everything else in the request is ignored.
    """
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
            raise RequestRefused("key_type")
        if not request.is_signature_valid:
            raise RequestRefused("possession")
    except UnsupportedAlgorithm as exc:
        raise RequestRefused("key_type") from exc
    except (ValueError, InvalidSignature) as exc:
        if isinstance(exc, RequestRefused):
            raise
        raise RequestRefused("encoding") from exc
    return key


class Issuer:
    """Issues leaves below one intermediate."""

    def __init__(
        self,
        intermediate: Authority,
        *,
        life: timedelta = LEAF_LIFE,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._intermediate = intermediate
        self._life = life
        self._now = now
        self._random_bytes = random_bytes

    def client(self, uri: str, key: ec.EllipticCurvePublicKey) -> Issued:
        """A certificate for whoever dials: an adapter, or the gateway toward a custodian."""
        return self._issue(key, [x509.UniformResourceIdentifier(uri)], (ExtendedKeyUsageOID.CLIENT_AUTH,))

    def server(self, uri: str, key: ec.EllipticCurvePublicKey, *, hosts: Sequence[str]) -> Issued:
        """A certificate for a gateway or custodian that serves at these hosts."""
        names = [x509.UniformResourceIdentifier(uri), *(_host(host) for host in hosts)]
        return self._issue(key, names, (ExtendedKeyUsageOID.SERVER_AUTH,))

    def _issue(
        self, key: ec.EllipticCurvePublicKey, names: Sequence[x509.GeneralName], uses: Sequence[x509.ObjectIdentifier]
    ) -> Issued:
        above = self._intermediate
        builder = _builder(
            x509.Name([]),
            above.certificate.subject,
            key,
            now=self._now(),
            life=self._life,
            random_bytes=self._random_bytes,
        )
        # RFC 5280 §4.2.1.6: with an empty subject the alternative name must be critical.
        certificate = _as_leaf(builder, x509.SubjectAlternativeName(names), uses, critical_names=True).sign(
            above.key, hashes.SHA256()
        )
        chain = certificate.public_bytes(Encoding.PEM) + above.certificate.public_bytes(Encoding.PEM)
        return Issued(certificate, chain)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    life: timedelta,
    random_bytes: Callable[[int], bytes],
) -> x509.CertificateBuilder:
    # RFC 5280 §4.1.2.2: positive, at most 20 octets; 16 with the top bit cleared.
    serial = int.from_bytes(random_bytes(_SERIAL_BYTES), "big") >> 1 or 1
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - BACKDATING)
        .not_valid_after(now + life)
    )


def _as_leaf(
    builder: x509.CertificateBuilder,
    names: x509.SubjectAlternativeName,
    uses: Sequence[x509.ObjectIdentifier],
    *,
    critical_names: bool = False,
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(names, critical=critical_names)
    )


def _as_authority(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_CHARACTERS_OF_A_NAME])])
