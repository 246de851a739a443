"""Channel identities: the one URI SAN of a certificate.

Grammar of SECURITY §3.1(1): segments of `[a-z0-9-]`, no escapes, no trailing slash. The
library that terminates TLS passes other spellings through, so nothing is normalized here:
what does not match is refused.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.protocol.names import AgencyId

_TRUST_DOMAIN: Final = r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?"
_SEGMENT: Final = r"[a-z0-9][a-z0-9-]{0,31}"
_ADAPTER: Final = re.compile(rf"spiffe://({_TRUST_DOMAIN})/county/([0-9]{{5}})/({_SEGMENT})/adapter/({_SEGMENT})")
_SERVICE: Final = re.compile(rf"spiffe://({_TRUST_DOMAIN})/(gateway|custodian)/({_SEGMENT})")


class ChannelKind(StrEnum):
    """What is at the other end of a channel."""

    ADAPTER = "adapter"
    GATEWAY = "gateway"
    CUSTODIAN = "custodian"


class IdentityMalformed(ValueError):
    """A channel identity breaks its grammar."""


@dataclass(frozen=True, slots=True)
class ChannelIdentity:
    """Who a certificate speaks for."""

    trust_domain: str
    kind: ChannelKind
    instance: str
    agency: AgencyId | None = None
    """Set for adapters only."""

    @property
    def uri(self) -> str:
        """The URI SAN."""
        if self.agency is None:
            return f"spiffe://{self.trust_domain}/{self.kind}/{self.instance}"
        county, _, office = self.agency.partition(".")
        return f"spiffe://{self.trust_domain}/county/{county}/{office}/adapter/{self.instance}"


def parse_spiffe(uri: str) -> ChannelIdentity:
    """The identity a URI SAN names. Raises `IdentityMalformed` for anything but the exact grammar."""
    match = _ADAPTER.fullmatch(uri)
    if match is not None:
        domain, county, office, instance = match.groups()
        return ChannelIdentity(domain, ChannelKind.ADAPTER, instance, AgencyId(f"{county}.{office}"))
    match = _SERVICE.fullmatch(uri)
    if match is None:
        raise IdentityMalformed
    domain, kind, instance = match.groups()
    return ChannelIdentity(domain, ChannelKind(kind), instance)
