"""The user assertion: who acts, for what, over which exact bytes.

A JWT that the county signs once for user and message. Decides when one counts, in this
order: size and form, one algorithm, issuer's key, lifetime, audience, digest of the
request bytes, channel. The gateway checks it, and the source checks it again without the
channel, which it cannot see (SECURITY §3.1(3), ARCHITECTURE §6 Who acts).

Single use is not decided here: the log refuses an assertion id it has seen.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

import jwt

from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.names import (
    AgencyId,
    AuthorityId,
    NameSyntaxError,
    Purpose,
    Role,
    parse_agency_id,
    parse_role,
)
from gateway.protocol.signing import SignatureInvalid, SigningKey, verify_unframed
from gateway.protocol.strict_json import parse_object
from homeward.gateway.v1.directory_pb2 import KEY_USE_ASSERTION

TYPE: Final = "user-attr+jwt"
MAX_LENGTH: Final = 4096
MAX_LIFETIME: Final = timedelta(seconds=120)
LEEWAY: Final = timedelta(seconds=30)
# One algorithm, named here and nowhere else: no token says how it is to be verified.
_ALGORITHM: Final = "EdDSA"
_HEADER_NAMES: Final = frozenset({"alg", "typ", "kid"})
_CLAIM_NAMES: Final = frozenset(
    {"iss", "sub", "act", "aud", "role", "purpose", "authority", "req", "cnf", "jti", "iat", "exp", "auth_time"}
)
_NEEDED: Final = _CLAIM_NAMES - {"authority"}
# A pseudonym stands in entries of the log, and a sentence in its place would stay there.
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class AssertionFault(StrEnum):
    """Why an assertion does not count; becomes the reason `ASSERTION_<fault>`."""

    MALFORMED = "MALFORMED"
    KEY = "KEY"
    SIGNATURE = "SIGNATURE"
    EXPIRED = "EXPIRED"
    NOT_YET = "NOT_YET"
    LIFETIME = "LIFETIME"
    AUDIENCE = "AUDIENCE"
    REQUEST = "REQUEST"
    BINDING = "BINDING"


class AssertionRefused(Exception):
    """An assertion does not count. Carries the fault only."""

    def __init__(self, fault: AssertionFault) -> None:
        super().__init__(f"assertion refused: {fault}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Claims:
    """What the county says of one user and one request."""

    issuer: AgencyId
    subject: str
    """Keyed pseudonym of the worker, 1 to 64 of A-Z a-z 0-9 - _; the county alone can resolve it."""
    actor: str
    """SPIFFE id of the adapter (RFC 8693 `act`)."""
    role: Role
    purpose: Purpose
    authority_id: AuthorityId | None
    request_digest: bytes
    """SHA-256 of the exact request bytes."""
    channel_thumbprint: bytes
    """SHA-256 of the DER channel certificate (RFC 8705 `x5t#S256`)."""
    audience: str
    assertion_id: str
    """`jti`, of the same characters; single use."""
    issued: datetime
    expires: datetime
    login: datetime
    """When the user authenticated (`auth_time`)."""


def sign_assertion(claims: Claims, key: SigningKey) -> str:
    """The claims as a compact JWT under the county's assertion key."""
    body: dict[str, Any] = {
        "iss": claims.issuer,
        "sub": claims.subject,
        "act": {"sub": claims.actor},
        "aud": claims.audience,
        "role": claims.role,
        "purpose": claims.purpose,
        "req": _b64(claims.request_digest),
        "cnf": {"x5t#S256": _b64(claims.channel_thumbprint)},
        "jti": claims.assertion_id,
        "iat": int(claims.issued.timestamp()),
        "exp": int(claims.expires.timestamp()),
        "auth_time": int(claims.login.timestamp()),
    }
    if claims.authority_id is not None:
        body["authority"] = claims.authority_id.hex()
    return jwt.encode(body, key.private, algorithm=_ALGORITHM, headers={"typ": TYPE, "kid": key.key_id.hex()})


def verify_assertion(
    token: str,
    *,
    directory: DirectoryView,
    payload: bytes,
    now: datetime,
    channel_thumbprint: bytes | None,
) -> Claims:
    """The claims, after everything this module decides held.

    `token` and `payload` are unverified. `channel_thumbprint` is that of the certificate in
    use; None where the verifier is not at the end of that channel (the source).
    Raises `AssertionRefused`.
    """
    key_id, body = _decode(token)
    claims = _read(body)
    _check_signature(token, key_id, claims, directory, now)
    _check_time(claims, now)
    if claims.audience != directory.trust_domain:
        raise AssertionRefused(AssertionFault.AUDIENCE)
    if not hmac.compare_digest(claims.request_digest, hashlib.sha256(payload).digest()):
        raise AssertionRefused(AssertionFault.REQUEST)
    if channel_thumbprint is not None and not hmac.compare_digest(claims.channel_thumbprint, channel_thumbprint):
        raise AssertionRefused(AssertionFault.BINDING)
    return claims


def verify_earlier_assertion(token: str, *, directory: DirectoryView, payload: bytes, now: datetime) -> Claims:
    """The claims of an assertion that held when it was made, before `now`; the channel of then is not known any more.

    That it was made when it says, is the county's word as all the rest is. Raises `AssertionRefused`.
    """
    _, body = _decode(token)
    issued = _read(body).issued
    if issued > now + LEEWAY:
        raise AssertionRefused(AssertionFault.NOT_YET)
    return verify_assertion(token, directory=directory, payload=payload, now=issued, channel_thumbprint=None)


def _decode(token: str) -> tuple[bytes, dict[str, Any]]:
    segments = token.split(".")
    if len(token) > MAX_LENGTH or len(segments) != 3:
        raise AssertionRefused(AssertionFault.MALFORMED)
    key_id, body = _key_named(segments[0]), _json(segments[1])
    if not _NEEDED <= body.keys() <= _CLAIM_NAMES:
        raise AssertionRefused(AssertionFault.MALFORMED)
    return key_id, body


@lru_cache(maxsize=1024)
def _key_named(header_segment: str) -> bytes:
    """Id of the key that a header names. All assertions under one key have the same header."""
    header = _json(header_segment)
    if header.keys() != _HEADER_NAMES or header["typ"] != TYPE or header["alg"] != _ALGORITHM:
        raise AssertionRefused(AssertionFault.MALFORMED)
    try:
        return _unhex(_text(header["kid"]))
    except ValueError as exc:
        raise AssertionRefused(AssertionFault.KEY) from exc


def _json(segment: str) -> dict[str, Any]:
    try:
        return parse_object(_unb64(segment))
    except ValueError as exc:
        raise AssertionRefused(AssertionFault.MALFORMED) from exc


def _read(body: dict[str, Any]) -> Claims:
    try:
        authority = body.get("authority")
        return Claims(
            issuer=parse_agency_id(_text(body["iss"])),
            subject=_identifier(body["sub"]),
            actor=_text(_only(body["act"], "sub")),
            role=parse_role(_text(body["role"])),
            purpose=Purpose(_text(body["purpose"])),
            authority_id=None if authority is None else AuthorityId(_exactly(_unhex(_text(authority)), 16)),
            request_digest=_exactly(_unb64(_text(body["req"])), 32),
            channel_thumbprint=_exactly(_unb64(_text(_only(body["cnf"], "x5t#S256"))), 32),
            audience=_text(body["aud"]),
            assertion_id=_identifier(body["jti"]),
            issued=_time(body["iat"]),
            expires=_time(body["exp"]),
            login=_time(body["auth_time"]),
        )
    except (NameSyntaxError, ValueError, TypeError, OverflowError) as exc:
        raise AssertionRefused(AssertionFault.MALFORMED) from exc


def _check_signature(token: str, key_id: bytes, claims: Claims, directory: DirectoryView, now: datetime) -> None:
    try:
        public_key = directory.key(claims.issuer, KEY_USE_ASSERTION, key_id, now)
    except KeyUnknown as exc:
        raise AssertionRefused(AssertionFault.KEY) from exc
    signed, _, signature = token.rpartition(".")
    try:
        # The JWS is read above, strictly and once; the library would read all of it again to come to this line.
        verify_unframed(public_key, _unb64(signature), signed.encode())
    except (SignatureInvalid, ValueError) as exc:
        raise AssertionRefused(AssertionFault.SIGNATURE) from exc


def _check_time(claims: Claims, now: datetime) -> None:
    if not timedelta(0) < claims.expires - claims.issued <= MAX_LIFETIME:
        raise AssertionRefused(AssertionFault.LIFETIME)
    if claims.issued > now + LEEWAY or claims.login > now + LEEWAY:
        raise AssertionRefused(AssertionFault.NOT_YET)
    if claims.expires + LEEWAY <= now:
        raise AssertionRefused(AssertionFault.EXPIRED)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 256:
        raise ValueError
    return value


def _identifier(value: Any) -> str:
    if _IDENTIFIER.fullmatch(_text(value)) is None:
        raise ValueError
    return str(value)


def _only(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or set(value) != {name}:
        raise ValueError
    return value[name]


def _time(value: Any) -> datetime:
    # bool is an int to Python, and a float would carry NaN.
    if type(value) is not int:
        raise ValueError
    try:
        return datetime.fromtimestamp(value, UTC)
    except OSError as exc:
        # What a far year is depends on how far: ValueError, OverflowError, or the C library's EOVERFLOW between them.
        raise ValueError from exc


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise ValueError
    return data


def _unhex(text: str) -> bytes:
    data = bytes.fromhex(text)
    # The decoder takes blanks and capitals too: two texts must not stand for one value.
    if data.hex() != text:
        raise ValueError
    return data


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    raw = text.encode("ascii")
    data = binascii.a2b_base64(raw.translate(_FROM_URL) + b"=" * (-len(raw) % 4), strict_mode=True)
    # Of the last character the decoder ignores some bits: two texts must not stand for one value.
    if binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL) != raw:
        raise ValueError
    return data


# The two characters in which base64url differs; those of plain base64 become ones that no alphabet has.
_FROM_URL: Final = bytes.maketrans(b"-_+/", b"+/**")
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
