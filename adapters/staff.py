"""Which member of the county's staff calls, and in which roles: the token of the county's identity provider.

Decides when a token counts, in this order: size and form, header, key and its one algorithm, signature, issuer,
audience, times; then which roles its groups give. The identity provider decides who may log in; the policy decides what
a role may ask. The worker's own identifier never leaves the county: beyond this file there is a keyed pseudonym.

The library's own claim checks are not used: it accepts any `typ`, repeated claims, several audiences, lives
of ten years and tokens of megabytes (SECURITY §0.7). It verifies the signature, under the algorithm
that the key is for.
"""

import base64
import hmac
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import jwt
from jwt.api_jws import PyJWS
from pydantic import Field, field_validator

from adapters.errors import Denied, ErrorReason, Invalid, Unauthenticated
from adapters.staff_keys import JwksConfig, KeySource, StaffKey
from gateway.protocol.names import ROLES, Role, parse_role
from gateway.protocol.strict_json import parse_object
from gateway.protocol.strict_yaml import Duration, FieldProblems, StrictModel

MAX_LENGTH: Final = 8192
LEEWAY: Final = timedelta(seconds=30)
LOGIN_UNKNOWN: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Login time of a token without `auth_time`: never fresh. Its `iat` would not do, a refresh renews that silently."""
_MAX_GROUPS: Final = 512
_REQUIRED: Final = frozenset({"iss", "sub", "aud", "exp", "iat"})
# RFC 9068 names access tokens `at+jwt`; Entra and Keycloak still say `JWT`.
_TYPES: Final = frozenset({"jwt", "at+jwt"})


class StaffFault(StrEnum):
    """In which respect a token does not count; reaches the county's own engineer as the fault of the error."""

    MISSING = "TOKEN_MISSING"
    REPEATED = "TOKEN_REPEATED"
    TOO_LONG = "TOKEN_TOO_LONG"
    MALFORMED = "TOKEN_MALFORMED"
    TYPE = "TOKEN_TYPE"
    ALGORITHM = "TOKEN_ALGORITHM"
    KEY = "TOKEN_KEY"
    SIGNATURE = "TOKEN_SIGNATURE"
    CLAIMS = "TOKEN_CLAIMS"
    ISSUER = "TOKEN_ISSUER"
    AUDIENCE = "TOKEN_AUDIENCE"
    LIFETIME = "TOKEN_LIFETIME"
    NOT_YET = "TOKEN_NOT_YET"
    EXPIRED = "TOKEN_EXPIRED"


class StaffConfig(StrictModel):
    """The `staff:` section of the county's file."""

    issuer: str = Field(min_length=1, max_length=256, examples=["https://login.county.example/v2.0"])
    """Exactly as in `iss`."""
    audience: str = Field(min_length=1, max_length=256, examples=["homeward-adapter"])
    """The one value of `aud`."""
    jwks: JwksConfig = Field(examples=["{ file: staff-keys.json }"])
    roles_claim: str = Field(default="groups", min_length=1, max_length=64)
    roles: dict[str, tuple[str, ...]] = Field(min_length=1, examples=["{ caseworkers: [CWA.case_worker] }"])
    """Group of the identity provider to roles of the exchange."""
    max_lifetime: Duration = timedelta(hours=12)
    """Longest life of a token, from `iat` to `exp`."""

    @field_validator("roles")
    @classmethod
    def _known(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        faults = [
            ((group, position), f'no such role "{role}"; homeward policy show lists them')
            for group, roles in value.items()
            for position, role in enumerate(roles)
            if role not in ROLES
        ]
        if faults:
            raise FieldProblems(*faults)
        return value


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of staff as the exchange may know one."""

    pseudonym: str = field(repr=False)
    """22 characters; stable for this worker at this county, resolvable by the county alone."""
    roles: frozenset[Role]
    login: datetime
    """When the user authenticated; `LOGIN_UNKNOWN` where the token does not say."""


class StaffTokens:
    """Verifies tokens of one identity provider. Holds no state of its own."""

    def __init__(
        self, config: StaffConfig, keys: KeySource, *, pseudonym_key: bytes, now: Callable[[], datetime]
    ) -> None:
        self._config = config
        self._keys = keys
        self._pseudonym_key = pseudonym_key
        self._now = now

    async def verify(self, token: str) -> Staff:
        """The member of staff whose untrusted token this is. Raises `Unauthenticated` with a `StaffFault`."""
        header, claims = _decode(token)
        _check_header(header)
        key = await self._keys.key(header["kid"])
        if key is None:
            raise Unauthenticated(StaffFault.KEY)
        _check_signature(token, header, key)
        self._check_claims(claims)
        return Staff(
            pseudonym=self._pseudonym(claims),
            roles=_roles(claims.get(self._config.roles_claim), self._config.roles),
            login=_login(claims),
        )

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        if not set(claims) >= _REQUIRED or not _is_text(claims["sub"]):
            raise Unauthenticated(StaffFault.CLAIMS)
        if claims["iss"] != self._config.issuer:
            raise Unauthenticated(StaffFault.ISSUER)
        # A list, even of one, is another audience policy than ours (RFC 8725 §3.9).
        if claims["aud"] != self._config.audience:
            raise Unauthenticated(StaffFault.AUDIENCE)
        issued, expires, now = _time(claims["iat"]), _time(claims["exp"]), self._now()
        if not timedelta(0) < expires - issued <= self._config.max_lifetime:
            raise Unauthenticated(StaffFault.LIFETIME)
        if issued > now + LEEWAY or ("nbf" in claims and _time(claims["nbf"]) > now + LEEWAY):
            raise Unauthenticated(StaffFault.NOT_YET)
        if expires + LEEWAY <= now:
            raise Unauthenticated(StaffFault.EXPIRED)
        if "auth_time" in claims and _time(claims["auth_time"]) > now + LEEWAY:
            raise Unauthenticated(StaffFault.NOT_YET)

    def _pseudonym(self, claims: Mapping[str, Any]) -> str:
        text = f"{claims['iss']}\0{claims['sub']}".encode()
        digest = hmac.digest(self._pseudonym_key, b"homeward/staff/v1\0" + text, "sha256")
        return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def bearer(metadata: Collection[tuple[str, str | bytes]]) -> str:
    """The one bearer token in call metadata, unverified. Raises `Unauthenticated` for none, two or another scheme."""
    values = [value for key, value in metadata if key.lower() == "authorization"]
    if len(values) > 1:
        # grpcio hands over both; which of them counts must never be a question (SECURITY §3.1).
        raise Unauthenticated(StaffFault.REPEATED)
    if not values:
        raise Unauthenticated(StaffFault.MISSING)
    scheme, _, token = str(values[0]).partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(StaffFault.MISSING)
    return token


def choose_role(staff: Staff, requested: str) -> Role:
    """The role in which this call is made: the requested one if it is held, or the only one there is.

    Raises `Denied` for a role that is not held, `Invalid` when nothing was requested and several are held.
    """
    if requested:
        if requested not in staff.roles:
            raise Denied
        return Role(requested)
    if not staff.roles:
        raise Denied
    if len(staff.roles) > 1:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("role: several_held",))
    return next(iter(staff.roles))


def _decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(token) > MAX_LENGTH:
        raise Unauthenticated(StaffFault.TOO_LONG)
    segments = token.split(".")
    if len(segments) != 3:
        raise Unauthenticated(StaffFault.MALFORMED)
    return _json(segments[0]), _json(segments[1])


def _json(segment: str) -> dict[str, Any]:
    try:
        return parse_object(base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True))
    except ValueError as exc:
        raise Unauthenticated(StaffFault.MALFORMED) from exc


def _check_header(header: Mapping[str, Any]) -> None:
    if not _is_text(header.get("kid")) or "crit" in header:
        raise Unauthenticated(StaffFault.MALFORMED)
    kind = header.get("typ", "jwt")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Unauthenticated(StaffFault.TYPE)


def _check_signature(token: str, header: Mapping[str, Any], key: StaffKey) -> None:
    if header.get("alg") != key.algorithm:
        raise Unauthenticated(StaffFault.ALGORITHM)
    try:
        PyJWS(algorithms=[key.algorithm]).decode_complete(token, key.public, algorithms=[key.algorithm])
    except jwt.InvalidTokenError as exc:
        raise Unauthenticated(StaffFault.SIGNATURE) from exc


def _roles(groups: object, mapping: Mapping[str, tuple[str, ...]]) -> frozenset[Role]:
    # An overfull token names no groups at all (Entra's overage); then no role is given, never all.
    listed = groups if isinstance(groups, list) else [groups]
    names = [name for name in listed[:_MAX_GROUPS] if isinstance(name, str)]
    return frozenset(parse_role(role) for name in names for role in mapping.get(name, ()))


def _login(claims: Mapping[str, Any]) -> datetime:
    return _time(claims["auth_time"]) if "auth_time" in claims else LOGIN_UNKNOWN


def _time(value: object) -> datetime:
    # bool is an int to Python, and a float would carry NaN.
    if type(value) is not int:
        raise Unauthenticated(StaffFault.CLAIMS)
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as exc:
        raise Unauthenticated(StaffFault.CLAIMS) from exc


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 256


def reference_commitment(key: bytes, kind: str, reference: str) -> bytes:
    """Commitment to a report, referral or order number that stays in the county, 32 bytes."""
    return hmac.digest(key, b"homeward/evidence/v1\0" + kind.encode() + b"\0" + reference.encode(), "sha256")
