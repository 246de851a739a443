"""Key statements: what a county says about its own keys.

Decides which statements an agency may bring when it enrolls: signed by its county's root, about itself (or, for a flag
key, about the county as a whole), of a plausible key and a plausible time. Every reader of the directory checks the
chain again; here it is checked so that nothing is stored that a directory could not carry.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.errors import ErrorReason, Invalid
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId, county_of
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import PUBLIC_KEY_LENGTH, SignatureInvalid, key_id
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_ASSERTION,
    KEY_USE_ENVELOPE,
    KEY_USE_FLAG,
    KEY_USE_SEAL,
    KeyStatement,
    KeyUse,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

LONGEST_LIFE: Final = timedelta(days=400)
"""A year and the time to replace a key in (SECURITY §3.3)."""
NECESSARY: Final = frozenset({KEY_USE_ENVELOPE, KEY_USE_ASSERTION, KEY_USE_SEAL})
"""Without these an adapter can neither speak nor be answered; the others depend on what it does."""


@dataclass(frozen=True, slots=True)
class StatedKey:
    """A key of an agency, or, with `agency` empty, of its county."""

    key_id: bytes
    use: KeyUse
    county: str
    agency: str
    envelope: bytes
    """The statement as signed, serialized."""
    public_key: bytes


def check_statements(
    envelopes: Iterable[SignedEnvelope], *, root_key: bytes, agency: AgencyId, now: datetime
) -> tuple[StatedKey, ...]:
    """The keys stated in untrusted envelopes. Raises `Invalid` for the whole when one of them must not be stored."""
    keys = tuple(
        _stated(envelope, root_key=root_key, agency=agency, now=now, path=f"keys[{position}]")
        for position, envelope in enumerate(envelopes)
    )
    if len({key.key_id for key in keys}) != len(keys):
        raise _invalid("keys: unique")
    if NECESSARY.difference(key.use for key in keys):
        raise _invalid("keys: necessary_uses")
    return keys


def open_statement(envelope: SignedEnvelope, *, root_key: bytes, agency: AgencyId) -> KeyStatement:
    """A statement that the root signed about this agency or its county.

    Raises `SignatureInvalid`, or `MalformedMessage` when it is about somebody else.
    """
    if envelope.key_id != key_id(root_key):
        raise SignatureInvalid
    statement = unwrap(envelope, KeyStatement, root_key)
    spoken_for = "" if statement.use == KEY_USE_FLAG else agency
    if (statement.county, statement.agency) != (county_of(agency), spoken_for):
        raise MalformedMessage("agency: own")
    return statement


def _stated(envelope: SignedEnvelope, *, root_key: bytes, agency: AgencyId, now: datetime, path: str) -> StatedKey:
    try:
        statement = open_statement(envelope, root_key=root_key, agency=agency)
    except SignatureInvalid as exc:
        raise _invalid(f"{path}: county_root_signature") from exc
    except MalformedMessage as exc:
        raise _invalid(*(f"{path}.{field}" for field in exc.fields)) from exc
    if statement.use != KEY_USE_SEAL and len(statement.public_key) != PUBLIC_KEY_LENGTH:
        raise _invalid(f"{path}.public_key: length")
    effective, expires = statement.effective_time.ToDatetime(UTC), statement.expire_time.ToDatetime(UTC)
    if not (now < expires and effective < expires <= effective + LONGEST_LIFE):
        raise _invalid(f"{path}.expire_time: range")
    return StatedKey(
        key_id=key_id(statement.public_key),
        use=statement.use,
        county=statement.county,
        agency=statement.agency,
        envelope=envelope.SerializeToString(),
        public_key=statement.public_key,
    )


def _invalid(*fields: str) -> Invalid:
    return Invalid(ErrorReason.INVALID_REQUEST, fields=fields)
