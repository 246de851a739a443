"""The calls of joining: to the enrollment listener, trusting exactly one certificate.

Decides how the listener is recognized: by the digest in the join line and by nothing else. No public CA, no name and no
machine-wide trust store takes part, so that a proxy that opens TLS is found before anything secret is sent. Of a
directory that has joined the gateway itself is asked whether its certificate still counts.
"""

import hashlib
import hmac
import socket
import ssl
from typing import Final

import grpc
from cryptography import x509
from grpc import aio

from adapters.channel_identity import ChannelIdentityFiles
from adapters.node.link.channels import PeerChannel, failure_of
from adapters.node.rpcs import GET_DIRECTORY, REFUSED_CERTIFICATE, CallFailed, CallFault
from gateway.protocol.channel import client_options
from gateway.protocol.parse import MalformedMessage, check
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse
from homeward.gateway.v1.enrollment_pb2_grpc import EnrollmentServiceStub

CONNECT_SECONDS: Final = 10.0
CALL_SECONDS: Final = 30.0


class Unreachable(Exception):
    """The listener does not answer. `why` is a constant word: name, refused, time, tls."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class OtherCertificate(Exception):
    """Something else than the listener of the join line answers. `issuer` is what its certificate says of itself."""

    def __init__(self, issuer: str) -> None:
        super().__init__("other certificate")
        self.issuer = issuer


def shown_certificate(address: str, digest: bytes) -> str:
    """The listener's certificate (PEM), which has this SHA-256. Raises `Unreachable`, `OtherCertificate`."""
    host, _, port = address.rpartition(":")
    try:
        pem = ssl.get_server_certificate((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS)
    except socket.gaierror as exc:
        raise Unreachable("name") from exc
    except TimeoutError as exc:
        raise Unreachable("time") from exc
    except ssl.SSLError as exc:
        raise Unreachable("tls") from exc
    except OSError as exc:
        raise Unreachable("refused") from exc
    der = ssl.PEM_cert_to_DER_cert(pem)
    if not hmac.compare_digest(hashlib.sha256(der).digest(), digest):
        raise OtherCertificate(_issuer(der))
    return pem


async def redeem(address: str, certificate: str, request: EnrollRequest) -> EnrollResponse:
    """The listener's answer over a channel that accepts this one certificate. Raises `CallFailed`."""
    credentials = grpc.ssl_channel_credentials(root_certificates=certificate.encode())
    # The digest proved who answers; the name in the certificate need not be the one this county dials.
    options = (*client_options(address), ("grpc.ssl_target_name_override", _name(certificate)))
    async with aio.secure_channel(address, credentials, options=options) as channel:
        try:
            response: EnrollResponse = await EnrollmentServiceStub(channel).Enroll(request, timeout=CALL_SECONDS)
            check(response)
        except aio.AioRpcError as error:
            raise failure_of(error) from None
        except MalformedMessage as exc:
            raise CallFailed(CallFault.BROKEN, "MALFORMED") from exc
    return response


async def is_refused(address: str, identity: ChannelIdentityFiles) -> bool:
    """Whether the gateway refuses this certificate: revoked, or locked. False where it does not answer."""
    peer = PeerChannel(address, identity, roots=identity.ca)
    try:
        await peer.call(GET_DIRECTORY, GetDirectoryRequest(), seconds=CONNECT_SECONDS)
    except CallFailed as failed:
        return failed.reason == REFUSED_CERTIFICATE
    finally:
        await peer.close()
    return False


def _name(certificate: str) -> str:
    parsed = x509.load_pem_x509_certificate(certificate.encode())
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "localhost"
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return found[0] if found else "localhost"


def _issuer(der: bytes) -> str:
    try:
        name = x509.load_der_x509_certificate(der).issuer.rfc4514_string()
    except ValueError:
        return "unknown"
    # A stranger's text on an operator's screen: one short printable line.
    return "".join(each for each in name if each.isprintable())[:80] or "unknown"
