"""Who is at the other end of a channel, checked on every call.

mTLS is checked at the handshake only: an expired or revoked certificate keeps its open
connection (SECURITY §0.3), and the library can be told neither "TLS 1.3 only" nor which
key-exchange groups (§0.4). So this is decided here, per call: version and group, exactly
one URI SAN of the exact grammar, time, deny-list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import ErrorReason, Unauthenticated
from gateway.protocol.names import AgencyId
from gateway.protocol.spiffe import ChannelIdentity, IdentityMalformed, parse_spiffe

ALLOWED_GROUPS: Final = frozenset({"X25519MLKEM768", "X25519", "prime256v1", "secp384r1"})
"""As the transport names them: P-256 and P-384 by the names of OpenSSL."""
_CACHE_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a channel. Whether it counts right now, `check_live` says."""

    identity: ChannelIdentity
    thumbprint: bytes
    """SHA-256 of the DER certificate (RFC 8705)."""
    serial: str
    """Serial number of the certificate, 32 hex digits."""
    not_before: datetime
    not_after: datetime

    @property
    def agency(self) -> AgencyId:
        """The agency of an adapter. Raises `Unauthenticated` for any other kind of peer."""
        if self.identity.agency is None:
            raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)
        return self.identity.agency


class Peers:
    """Reads peers from what the transport reports. Certificates are parsed once and remembered by their bytes."""

    def __init__(self, *, trust_domain: str, is_denied: Callable[[str], bool], now: Callable[[], datetime]) -> None:
        self._trust_domain = trust_domain
        self._is_denied = is_denied
        self._now = now
        self._known: dict[bytes, Peer] = {}

    def peer(self, auth_context: Mapping[str, Sequence[bytes]]) -> Peer:
        """The peer of a call. Raises `Unauthenticated` unless everything this module decides holds."""
        peer = self.known(auth_context)
        self.check_channel(auth_context)
        self.check_live(peer)
        return peer

    def known(self, auth_context: Mapping[str, Sequence[bytes]]) -> Peer:
        """Who a call is from, whether or not that counts (`check_channel`, `check_live`).

        Raises `Unauthenticated` where no certificate of this exchange names anybody.
        """
        pem = _only(auth_context, "x509_pem_cert")
        return self._known.get(pem) or self._remember(pem)

    def check_channel(self, auth_context: Mapping[str, Sequence[bytes]]) -> None:
        """The channel is as strong as it must be. Raises `Unauthenticated`."""
        if _only(auth_context, "ssl_tls_version") != b"TLSv1.3":
            raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED)
        if _only(auth_context, "ssl_negotiated_key_exchange_group").decode("ascii", "replace") not in ALLOWED_GROUPS:
            raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED)

    def check_live(self, peer: Peer) -> None:
        """The peer's certificate is in its time, and neither it nor its identity nor its agency is denied.

        Cheap: streams call it on a timer, unary calls every time. Raises `Unauthenticated`.
        """
        if not peer.not_before <= self._now() < peer.not_after:
            raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED)
        names = (peer.serial, peer.identity.uri, peer.identity.agency)
        if any(name is not None and self._is_denied(name) for name in names):
            raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED)

    def _remember(self, pem: bytes) -> Peer:
        peer = _parse(pem)
        if peer.identity.trust_domain != self._trust_domain:
            raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED)
        if len(self._known) >= _CACHE_LIMIT:
            self._known.clear()
        self._known[pem] = peer
        return peer


def _parse(pem: bytes) -> Peer:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        # The library accepts two URIs and then reports none (SECURITY §3.1); anything but one name is refused.
        (name,) = names
        identity = parse_spiffe(name.value if isinstance(name, x509.UniformResourceIdentifier) else "")
    except (ValueError, x509.ExtensionNotFound, IdentityMalformed) as exc:
        raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED) from exc
    return Peer(
        identity=identity,
        thumbprint=sha256(certificate.public_bytes(Encoding.DER)).digest(),
        serial=f"{certificate.serial_number:032x}",
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _only(auth_context: Mapping[str, Sequence[bytes]], name: str) -> bytes:
    values = auth_context.get(name, ())
    if len(values) != 1:
        raise Unauthenticated(ErrorReason.CERTIFICATE_REFUSED)
    return bytes(values[0])
