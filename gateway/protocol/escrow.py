"""What the court custodian holds of a sealed youth, and how it comes back. Pure.

The youth's audit key leaves the exchange sealed (HPKE) to the custodian's public key; the custodian can open it, the
exchange cannot. To lift a seal the custodian opens its copy and seals the same bytes to the exchange's own key. Both
are bound to the seal's identifier, so that one youth's copy cannot be given for another's.
"""

import base64
import binascii
import struct
from dataclasses import dataclass, field
from typing import Final

from gateway.protocol.names import OPAQUE_LENGTH, AgencyId, NameSyntaxError, SubjectHandle, parse_agency_id
from gateway.protocol.sealing import SealBroken, SealKey, open_bytes, seal_bytes

_KEPT: Final = b"homeward/escrow/v1\0"
_RELEASED: Final = b"homeward/escrow-release/v1\0"
_CASE: Final = b"homeward/seal-case/v1\0"
_FORM: Final = struct.Struct(f">B40s{OPAQUE_LENGTH}s32sQ")
_VERSION: Final = 1


class EscrowBroken(Exception):
    """A copy does not open, or is not one. Names no youth."""


@dataclass(frozen=True, slots=True)
class Escrowed:
    """Everything it takes to open and find a youth's entries again."""

    owner: AgencyId
    handle: SubjectHandle = field(repr=False)
    key: bytes = field(repr=False)
    reserved: int
    """Counters that entries may have used."""

    def to_bytes(self) -> bytes:
        """The form that is sealed; one length for everybody."""
        return _FORM.pack(_VERSION, self.owner.encode(), self.handle, self.key, self.reserved)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Escrowed":
        """The same from that form. Raises `EscrowBroken`."""
        try:
            version, owner, handle, key, reserved = _FORM.unpack(data)
            agency = parse_agency_id(owner.rstrip(b"\0").decode("ascii"))
        except (struct.error, UnicodeDecodeError, NameSyntaxError) as exc:
            raise EscrowBroken from exc
        if version != _VERSION:
            raise EscrowBroken
        return cls(agency, SubjectHandle(handle), key, reserved)


def seal_to_custodian(escrowed: Escrowed, custodian_key: bytes, seal_id: bytes) -> bytes:
    """The custodian's copy."""
    return seal_bytes(escrowed.to_bytes(), custodian_key, _KEPT + seal_id)


def release(copy: bytes, custodian: SealKey, *, to: bytes, seal_id: bytes) -> bytes:
    """The copy, opened by the custodian and sealed to the exchange's key `to`. Raises `EscrowBroken`."""
    try:
        opened = open_bytes(copy, custodian, _KEPT + seal_id)
        Escrowed.from_bytes(opened)
        return seal_bytes(opened, to, _RELEASED + seal_id)
    except (SealBroken, ValueError) as exc:
        raise EscrowBroken from exc


def open_release(released: bytes, exchange: SealKey, seal_id: bytes) -> Escrowed:
    """What the custodian released of this seal. Raises `EscrowBroken`."""
    try:
        return Escrowed.from_bytes(open_bytes(released, exchange, _RELEASED + seal_id))
    except SealBroken as exc:
        raise EscrowBroken from exc


def seal_case_key(key: bytes, custodian_key: bytes, seal_id: bytes) -> bytes:
    """The key of an entry's court-only field, for the custodian."""
    return seal_bytes(key, custodian_key, _CASE + seal_id)


def open_case_key(sealed: bytes, custodian: SealKey, seal_id: bytes) -> bytes:
    """The key of an entry's court-only field. Raises `EscrowBroken`."""
    try:
        return open_bytes(sealed, custodian, _CASE + seal_id)
    except SealBroken as exc:
        raise EscrowBroken from exc


def public_key_text(key: bytes) -> str:
    """A public key as one line of text."""
    return base64.b64encode(key).decode("ascii") + "\n"


def parse_public_key(text: str) -> bytes:
    """The public key in such a line. Raises `EscrowBroken`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
        seal_bytes(b"", key, b"")
    except (binascii.Error, ValueError) as exc:
        raise EscrowBroken from exc
    return key
