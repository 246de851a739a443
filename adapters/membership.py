"""What joining left behind: who this adapter is, where the gateway is, and whose signatures it insists on.

Decides the form of `member.json`. It is public data; the keys are in files of their own (`keyring`). It is written
by joining, and again by each renewal of the certificate and when the directory joins again, always as a whole and
atomically.
"""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from audit.checkpoint import LogKey
from gateway.protocol.directory import Pins
from gateway.protocol.names import AgencyId, AgencyKind, NameSyntaxError, county_of, parse_agency_id
from gateway.protocol.spiffe import IdentityMalformed, parse_spiffe
from homeward.replacing import replace_file

FILE_NAME: Final = "member.json"
LOCK_FILE: Final = "adapter.lock"
"""Beside it: held by whoever uses the state directory alone."""
_FORMAT: Final = "homeward/member/v1"


class MembershipInvalid(Exception):
    """The file is not the membership of an adapter. `why` is a constant sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Membership:
    """One adapter instance as the exchange knows it."""

    trust_domain: str
    agency: AgencyId
    kind: AgencyKind
    instance: str
    gateway_address: str
    """`host:port`."""
    gateway_key: bytes
    """Raw Ed25519 key that signs directories, from the invitation."""
    holder_keys: tuple[bytes, ...]
    """Keys of the other signers of directories, from the invitation."""
    log_origin: str
    """Origin of the exchange's log when this adapter joined, from the invitation; it may have gone on elsewhere."""
    log_key: bytes
    """Raw Ed25519 key that signed that log's checkpoints."""
    generation: int
    """Of the certificate in use, from 1."""
    has_sources: bool
    joined: datetime
    """When this directory first was of a member."""
    county_root: bytes = b""
    """Raw Ed25519 key that certified this adapter's keys; empty where an earlier release joined."""
    line_digest: bytes = b""
    """SHA-256 of the join line that was redeemed last; empty where an earlier release joined."""

    @property
    def county(self) -> str:
        """Five-digit FIPS code."""
        return county_of(self.agency)

    @property
    def spiffe_id(self) -> str:
        """Channel identity of this instance."""
        county, _, office = self.agency.partition(".")
        return f"spiffe://{self.trust_domain}/county/{county}/{office}/adapter/{self.instance}"

    @property
    def pins(self) -> Pins:
        """Signers without whom no directory counts."""
        return Pins(self.gateway_key, self.holder_keys)

    @property
    def log(self) -> LogKey:
        """The log that the first directory must name, or lawfully lead to."""
        return LogKey(self.log_origin, self.log_key)

    def renewed(self, generation: int) -> Self:
        """The same member with the next certificate."""
        return replace(self, generation=generation)

    def to_json(self) -> str:
        """Text of the file."""
        document = asdict(self) | {
            "format": _FORMAT,
            "gateway_key": self.gateway_key.hex(),
            "holder_keys": [key.hex() for key in self.holder_keys],
            "log_key": self.log_key.hex(),
            "joined": self.joined.astimezone(UTC).isoformat(),
            "county_root": self.county_root.hex(),
            "line_digest": self.line_digest.hex(),
        }
        return json.dumps(document, indent=1, sort_keys=True) + "\n"


def parse_membership(text: str) -> Membership:
    """The membership this text holds. Raises `MembershipInvalid`."""
    try:
        document = json.loads(text)
        if not isinstance(document, dict) or document.pop("format", None) != _FORMAT:
            raise MembershipInvalid("it is not written in the form homeward/member/v1")
        return _membership(document)
    except (NameSyntaxError, IdentityMalformed, ValueError, TypeError, KeyError) as exc:
        raise MembershipInvalid("a field is missing or malformed") from exc


def read_membership(state: Path) -> Membership:
    """The membership in a state directory. Raises `MembershipInvalid`; `FileNotFoundError` where nobody joined."""
    return parse_membership((state / FILE_NAME).read_text(encoding="utf-8"))


def write_membership(state: Path, membership: Membership) -> None:
    """The file holds this membership, durably; a reader sees the old one or the new one."""
    replace_file(state / FILE_NAME, membership.to_json().encode(), mode=0o644)


def _membership(document: dict[str, Any]) -> Membership:
    member = Membership(
        trust_domain=document["trust_domain"],
        agency=parse_agency_id(document["agency"]),
        kind=AgencyKind(document["kind"]),
        instance=document["instance"],
        gateway_address=document["gateway_address"],
        gateway_key=_key(document["gateway_key"]),
        holder_keys=tuple(_key(key) for key in document["holder_keys"]),
        log_origin=str(document["log_origin"]),
        log_key=_key(document["log_key"]),
        generation=int(document["generation"]),
        has_sources=bool(document["has_sources"]),
        joined=datetime.fromisoformat(document["joined"]),
        county_root=_key(document["county_root"]) if document.get("county_root") else b"",
        line_digest=bytes.fromhex(document.get("line_digest", "")),
    )
    parse_spiffe(member.spiffe_id)
    return member


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError
    return key
