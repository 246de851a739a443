"""The directory: which counties, members and keys exist, signed by everybody who must agree.

Decides when a directory counts (every pinned signer signed these bytes, and the version
does not fall) and when a key counts (listed, certified by the county root, right use,
in its time, its member not suspended). The gateway alone can therefore neither mint a
county nor swap a key (SECURITY §0.9, ARCHITECTURE §6 Trust roots).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.protocol.envelope import unwrap, wrap
from gateway.protocol.epochs import EpochState, EpochView, read_epochs
from gateway.protocol.names import AgencyId, AgencyKind, parse_agency_id
from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.sharing import Sharing, read_sharing, sole_operators
from gateway.protocol.signing import SignatureInvalid, SigningKey, key_id, verify
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_FLAG,
    County,
    Directory,
    DirectorySignature,
    KeyStatement,
    KeyUse,
    Member,
    SignedDirectory,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

GATEWAY_SHARE: Final = 1
"""Index of the share that the gateway holds."""
_LABEL: Final = b"homeward/directory/v1"


class DirectoryInvalid(Exception):
    """A directory does not count. `why` is a constant word: signature, version, malformed, key, log."""

    def __init__(self, why: str) -> None:
        super().__init__(f"directory refused: {why}")
        self.why = why


class KeyUnknown(Exception):
    """No key with this identifier counts for this use at this time."""


@dataclass(frozen=True, slots=True)
class Pins:
    """Signers a reader insists on: raw Ed25519 public keys, from the invitation."""

    gateway_key: bytes
    holder_keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A key whose statement the county root signed."""

    key_id: bytes
    public_bytes: bytes
    use: KeyUse
    effective: datetime
    expires: datetime

    def valid_at(self, at: datetime) -> bool:
        """Whether the key counts at this time; half-open."""
        return self.effective <= at < self.expires


@dataclass(frozen=True, slots=True)
class CountyView:
    """A county as a whole."""

    fips: str
    duty_line: str
    hotline: str
    root_key: bytes
    flag_keys: Mapping[bytes, CertifiedKey]


@dataclass(frozen=True, slots=True)
class MemberView:
    """A member agency."""

    agency: AgencyId
    kind: AgencyKind
    suspended: bool
    has_sources: bool
    keys: Mapping[bytes, CertifiedKey]


@dataclass(frozen=True, slots=True)
class HolderView:
    """A holder of a share of the token key."""

    share_index: int
    operator: str
    address: str
    ca_certificate: bytes
    """DER."""
    directory_key: bytes
    share_commitment: bytes
    log_origin: str
    log_key: bytes
    """Raw Ed25519 key that signs checkpoints of the holder's log."""


def sign_directory(directory: bytes, key: SigningKey) -> DirectorySignature:
    """Signature over these exact directory bytes."""
    return DirectorySignature(key_id=key.key_id, signature=key.sign(_LABEL, directory))


def check_signature(directory: bytes, signature: DirectorySignature, public_key: bytes) -> None:
    """This signature by this key holds over these bytes. Raises `SignatureInvalid` otherwise."""
    if signature.key_id != key_id(public_key):
        raise SignatureInvalid
    verify(public_key, signature.signature, _LABEL, directory)


def open_directory(signed: SignedDirectory, pins: Pins, *, newer_than: int = 0) -> "DirectoryView":
    """The directory, after every pinned signer's signature held and every key was checked.

    `newer_than` is the highest version the reader has seen: a lower one is refused, the same
    one is accepted. Raises `DirectoryInvalid`.
    """
    by_key = {signature.key_id: signature for signature in signed.signatures}
    for public_key in (pins.gateway_key, *pins.holder_keys):
        signature = by_key.get(key_id(public_key))
        try:
            if signature is None:
                raise SignatureInvalid
            check_signature(signed.directory, signature, public_key)
        except SignatureInvalid as exc:
            raise DirectoryInvalid("signature") from exc
    view = read_directory(signed.directory)
    if view.version < newer_than:
        raise DirectoryInvalid("version")
    return view


def read_directory(directory: bytes) -> "DirectoryView":
    """The directory in these bytes with every key statement checked; signatures of the whole are not.

    For the two signers themselves, before they sign. Raises `DirectoryInvalid`.
    """
    try:
        return DirectoryView(parse(Directory, directory))
    except MalformedMessage as exc:
        raise DirectoryInvalid("malformed") from exc
    except SignatureInvalid as exc:
        raise DirectoryInvalid("key") from exc


class DirectoryView:
    """A checked directory, indexed for look-ups. Immutable."""

    def __init__(self, message: Directory) -> None:
        """Checks every key statement against its county root, and that the log of share 1 is the exchange's.

        Raises `SignatureInvalid`, `MalformedMessage`, `DirectoryInvalid`.
        """
        self.message: Final = message
        self._counties: Final = {county.fips: _county(county) for county in message.counties}
        self._members: Final = {AgencyId(member.agency): self._member(member) for member in message.members}
        self._no_agreement: Final = frozenset(message.counties_without_agreement)
        self.sharing: Final[Sharing | None] = read_sharing(message.sharing) if message.HasField("sharing") else None
        self.epochs: Final[Mapping[str, EpochView]] = read_epochs(message)
        """Epochs of the token key that are answered, the current one first."""
        self.holders: Final = tuple(
            HolderView(
                share_index=holder.share_index,
                operator=holder.operator,
                address=holder.address,
                ca_certificate=holder.ca_certificate,
                directory_key=holder.directory_key,
                share_commitment=holder.share_commitment,
                log_origin=holder.log_origin,
                log_key=holder.log_key,
            )
            for holder in message.holders
        )
        log = message.log_origin, message.log_key
        if any(each.share_index == GATEWAY_SHARE and (each.log_origin, each.log_key) != log for each in self.holders):
            # Another log than the one that members witness would hide what the gateway evaluates.
            raise DirectoryInvalid("log")

    @property
    def version(self) -> int:
        """Version, from 1."""
        return self.message.version

    @property
    def trust_domain(self) -> str:
        """Trust domain of the exchange; the audience of user assertions."""
        return self.message.trust_domain

    @property
    def epoch(self) -> str:
        """Current epoch of the token key."""
        return self.message.epoch

    @property
    def following(self) -> EpochView | None:
        """The epoch in which members make their tokens again, or None at any other time."""
        return next((each for each in self.epochs.values() if each.state is EpochState.FOLLOWING), None)

    @property
    def sole_operators(self) -> tuple[str, ...]:
        """Operators who alone run as many holders as make a token; only a demonstration is run like that."""
        thresholds = [each.sharing.threshold for each in self.epochs.values() if each.sharing is not None]
        return sole_operators(self.holders, min(thresholds)) if thresholds else ()

    def member(self, agency: AgencyId) -> MemberView | None:
        """The member, or None."""
        return self._members.get(agency)

    def members(self) -> tuple[MemberView, ...]:
        """All members, in directory order."""
        return tuple(self._members.values())

    def county(self, fips: str) -> CountyView:
        """The county. Raises `KeyUnknown` when it is not listed."""
        county = self._counties.get(fips)
        if county is None:
            raise KeyUnknown
        return county

    def counties(self) -> tuple[CountyView, ...]:
        """All counties, in directory order."""
        return tuple(self._counties.values())

    def key(self, agency: AgencyId, use: KeyUse, identifier: bytes, at: datetime) -> bytes:
        """Public key of this member with this identifier, if it counts for this use now. Raises `KeyUnknown`."""
        member = self._members.get(agency)
        if member is None or member.suspended:
            raise KeyUnknown
        return _usable(member.keys.get(identifier), use, at)

    def current_key(self, agency: AgencyId, use: KeyUse, at: datetime) -> CertifiedKey:
        """The member's key for this use that began last. Raises `KeyUnknown`."""
        member = self._members.get(agency)
        if member is None or member.suspended:
            raise KeyUnknown
        usable = [key for key in member.keys.values() if key.use == use and key.valid_at(at)]
        if not usable:
            raise KeyUnknown
        return max(usable, key=lambda key: key.effective)

    def flag_key(self, fips: str, identifier: bytes, at: datetime) -> bytes:
        """Public flag key of this county. Raises `KeyUnknown`."""
        return _usable(self.county(fips).flag_keys.get(identifier), KEY_USE_FLAG, at)

    def agreement(self, one: str, other: str) -> bool:
        """Whether two counties (five-digit FIPS) have an agreement on file; agencies of one county need none."""
        low, high = sorted((one, other))
        return one == other or f"{low}/{high}" not in self._no_agreement

    def _member(self, member: Member) -> MemberView:
        agency = parse_agency_id(member.agency)
        county = self._counties.get(agency[:5])
        if county is None:
            raise SignatureInvalid
        return MemberView(
            agency=agency,
            kind=from_wire(AgencyKind, member.kind),
            suspended=member.suspended,
            has_sources=member.has_sources,
            keys=_certified(member.keys, county.root_key, county=county.fips, agency=agency),
        )


def certify(statement: KeyStatement, root: SigningKey) -> SignedEnvelope:
    """The statement, signed by the county root."""
    return wrap(statement, root)


def _county(county: County) -> CountyView:
    return CountyView(
        fips=county.fips,
        duty_line=county.duty_line,
        hotline=county.hotline,
        root_key=county.root_key,
        flag_keys=_certified(county.flag_keys, county.root_key, county=county.fips, agency=""),
    )


def _certified(
    envelopes: Iterable[SignedEnvelope], root_key: bytes, *, county: str, agency: str
) -> dict[bytes, CertifiedKey]:
    keys = {}
    for envelope in envelopes:
        statement = unwrap(envelope, KeyStatement, root_key)
        # A flag key speaks for the county; were it to name an agency, every finder would learn its kind.
        if (statement.county, statement.agency) != (county, agency) or (statement.use == KEY_USE_FLAG) != (not agency):
            raise SignatureInvalid
        identifier = key_id(statement.public_key)
        keys[identifier] = CertifiedKey(
            key_id=identifier,
            public_bytes=statement.public_key,
            use=statement.use,
            effective=statement.effective_time.ToDatetime(UTC),
            expires=statement.expire_time.ToDatetime(UTC),
        )
    return keys


def _usable(key: CertifiedKey | None, use: KeyUse, at: datetime) -> bytes:
    if key is None or key.use != use or not key.valid_at(at):
        raise KeyUnknown
    return key.public_bytes
