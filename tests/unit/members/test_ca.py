"""What a certificate says, whatever was asked for (SECURITY AN-06)."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.members.ca import Issuer, RequestRefused, make_intermediate, make_root, read_request

SHA256 = hashes.SHA256()
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
URI = "spiffe://exchange.example/county/06037/cwa/adapter/a1"
ROOT = make_root("Exchange root", now=NOW, random_bytes=os.urandom)
INTERMEDIATE = make_intermediate("Exchange intermediate", ROOT, now=NOW, random_bytes=os.urandom)
KEY = ec.generate_private_key(ec.SECP256R1())


def issuer() -> Issuer:
    return Issuer(INTERMEDIATE, now=lambda: NOW, random_bytes=os.urandom)


def request(
    key: CertificateIssuerPrivateKeyTypes = KEY,
    *extensions: x509.ExtensionType,
    name: str = "",
    digest: hashes.SHA256 | None = SHA256,
) -> bytes:
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(key, digest).public_bytes(Encoding.DER)


GREEDY = request(
    KEY,
    x509.BasicConstraints(ca=True, path_length=3),
    x509.SubjectAlternativeName(
        [
            x509.UniformResourceIdentifier("spiffe://exchange.example/county/06001/cwa/adapter/a1"),
            x509.DNSName("gw.exchange.example"),
        ]
    ),
    x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING]),
    x509.PrivateKeyUsagePeriod(not_before=None, not_after=NOW + timedelta(days=3650)),
    name="gateway",
)


def profile(certificate: x509.Certificate) -> dict[str, object]:
    """Everything a certificate says but its serial number, key and signature."""
    return {
        "version": certificate.version,
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "from": certificate.not_valid_before_utc,
        "to": certificate.not_valid_after_utc,
        "extensions": {
            extension.oid.dotted_string: (extension.critical, extension.value.public_bytes())
            for extension in certificate.extensions
        },
    }


def test_a_greedy_request_gets_byte_for_byte_the_profile_of_a_modest_one() -> None:
    modest = issuer().client(URI, read_request(request())).certificate
    greedy = issuer().client(URI, read_request(GREEDY)).certificate
    assert profile(greedy) == profile(modest)


def test_the_profile_of_a_client_is_complete_and_exact() -> None:
    certificate = issuer().client(URI, read_request(GREEDY)).certificate
    found = {extension.value for extension in certificate.extensions}
    assert found == {
        x509.BasicConstraints(ca=False, path_length=None),
        x509.KeyUsage(True, False, False, False, False, False, False, False, False),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier(URI)]),
    }
    assert certificate.subject == x509.Name([])
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert certificate.not_valid_after_utc == NOW + timedelta(hours=24)
    assert certificate.public_key() == KEY.public_key()
    assert 0 < certificate.serial_number < 2**128


def test_a_server_is_named_by_its_uri_and_the_hosts_it_serves_at() -> None:
    uri = "spiffe://exchange.example/gateway/gw1"
    certificate = issuer().server(uri, KEY.public_key(), hosts=["127.0.0.1", "gw.exchange.example"]).certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert names.get_values_for_type(x509.DNSName) == ["gw.exchange.example"]


def test_the_chain_verifies_up_to_the_root_and_stops_there() -> None:
    issued = issuer().client(URI, KEY.public_key())
    leaf, intermediate = x509.load_pem_x509_certificates(issued.chain)
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(ROOT.certificate)
    assert len(issued.serial) == 32
    assert issued.expires == NOW + timedelta(hours=24)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 (it is to be refused)
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP192R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ],
    ids=["rsa-1024", "rsa-2048", "p-192", "p-384", "secp256k1"],
)
def test_another_kind_of_key_is_refused(key: CertificateIssuerPrivateKeyTypes) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_request(request(key))
    assert refused.value.rule == "key_type"


def test_an_ed25519_key_is_refused() -> None:
    with pytest.raises(RequestRefused) as refused:
        read_request(request(ed25519.Ed25519PrivateKey.generate(), digest=None))
    assert refused.value.rule == "key_type"


def test_a_request_that_does_not_prove_possession_is_refused() -> None:
    genuine = request()
    own = KEY.public_key().public_bytes(Encoding.X962, _point())
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.X962, _point())
    with pytest.raises(RequestRefused) as refused:
        read_request(genuine.replace(own, other))
    assert refused.value.rule == "possession"


def _point() -> serialization.PublicFormat:
    return serialization.PublicFormat.UncompressedPoint


@pytest.mark.parametrize("garbage", [b"", b"\x30", GREEDY[:-1], GREEDY + b"\x00", b"\x30\x80" + bytes(40)])
def test_bytes_that_are_no_request_are_refused(garbage: bytes) -> None:
    with pytest.raises(RequestRefused) as refused:
        read_request(garbage)
    assert refused.value.rule == "encoding"
