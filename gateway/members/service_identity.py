"""The channel identity of a gateway or custodian itself.

Decides that its keys live in memory only: made at start, made anew with every certificate at half of its life, never
written. What outlives the process is the intermediate's key, in `secrets/`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.members.ca import Issued, Issuer
from gateway.state import key_pem


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key with its certificate chain, both PEM."""

    key: bytes = field(repr=False)
    chain: bytes
    renew: datetime
    """From when on a new one should take its place."""


class RenewingCredential:
    """The credential of the moment. Thread-safe as far as two threads may at worst make two good ones."""

    def __init__(self, issue: Callable[[ec.EllipticCurvePublicKey], Issued], *, now: Callable[[], datetime]) -> None:
        self._issue = issue
        self._now = now
        self._current: Credential | None = None

    def current(self) -> Credential:
        """A credential in the first half of its life; the same object until then."""
        now = self._now()
        current = self._current
        if current is None or now >= current.renew:
            key = ec.generate_private_key(ec.SECP256R1())
            issued = self._issue(key.public_key())
            current = self._current = Credential(key_pem(key), issued.chain, now + (issued.expires - now) / 2)
        return current


def server_credential(
    issuer: Issuer, uri: str, hosts: Sequence[str], *, now: Callable[[], datetime]
) -> RenewingCredential:
    """For serving at these hosts."""
    return RenewingCredential(lambda key: issuer.server(uri, key, hosts=hosts), now=now)


def client_credential(issuer: Issuer, uri: str, *, now: Callable[[], datetime]) -> RenewingCredential:
    """For dialing another process."""
    return RenewingCredential(lambda key: issuer.client(uri, key), now=now)
