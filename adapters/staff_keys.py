"""Keys of the county's identity provider: a JWK set from a file, or over https.

Decides which keys count and the one algorithm each is for, so that a token cannot choose (RFC 8725 §3.1). Symmetric
keys do not count: whoever can verify with one can also sign. Decides too that a set by which nobody could log in is a
fault of the county's file. Does not decide about tokens (`staff`).
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, Protocol

import jwt
from pydantic import ValidationInfo, field_validator, model_validator

from gateway.protocol.strict_yaml import FieldProblems, StrictModel

MAX_BYTES: Final = 256 * 1024
MAX_AGE: Final = timedelta(minutes=10)
MIN_INTERVAL: Final = timedelta(seconds=30)
"""An unknown key identifier makes a set be read again, but no oftener than this: anybody can invent identifiers."""
_MIN_RSA_BITS: Final = 2048
_FETCH_SECONDS: Final = 5
_BY_CURVE: Final[Mapping[tuple[str, str], str]] = {
    ("OKP", "Ed25519"): "EdDSA",
    ("EC", "P-256"): "ES256",
    ("EC", "P-384"): "ES384",
}
_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_ALGORITHMS: Final = (*sorted(_BY_CURVE.values()), *sorted(_RSA))

log = logging.getLogger(__name__)


class KeysNeeded(Enum):
    """When the key set that a county's file names must be of use."""

    LATER = auto()
    """Nobody looks: the command is not the one that logs staff in."""
    IF_ANSWERED = auto()
    """What is there must be. An address that does not answer is asked again at each login, and keeps nothing from
    its start."""
    NOW = auto()


@dataclass(frozen=True, slots=True)
class KeysLookedAt:
    """Given to the reading of a county's file as its context: what the key set holds is looked at, too."""

    base: Path
    """Where relative file names start."""
    needed: KeysNeeded

    def check(self, config: "JwksConfig") -> None:
        """Raises `FieldProblems` for a set by which nobody could log in."""
        try:
            if parse_keys(_reading(config, self.base)()):
                return
            why = f"no key counts; each needs a kid, and to be for signatures by {', '.join(_ALGORITHMS)}"
        except KeySetAway as away:
            if self.needed is not KeysNeeded.NOW:
                return
            why = f"{away}; correct it, or ask whoever runs the identity provider"
        except KeySetUnreadable as unreadable:
            why = f"{unreadable}; put there what the identity provider shows at its jwks_uri"
        name, where = ("url", config.url) if config.url is not None else ("file", self.base / (config.file or Path()))
        raise FieldProblems(((name,), f"{where}: {why}"))


class JwksConfig(StrictModel):
    """Where the identity provider's keys are: `file` or `url`, not both."""

    file: Path | None = None
    url: str | None = None

    @field_validator("url")
    @classmethod
    def _https(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("https://"):
            raise ValueError("an https:// address")
        return value

    @model_validator(mode="after")
    def _one(self) -> "JwksConfig":
        if (self.file is None) == (self.url is None):
            raise ValueError("give either file or url")
        return self

    @model_validator(mode="after")
    def _of_use(self, info: ValidationInfo) -> "JwksConfig":
        if isinstance(info.context, KeysLookedAt) and info.context.needed is not KeysNeeded.LATER:
            info.context.check(self)
        return self


@dataclass(frozen=True, slots=True)
class StaffKey:
    """A public key and the one algorithm it verifies."""

    algorithm: str
    public: Any = field(repr=False)


class KeySource(Protocol):
    """Where a token's key is looked up."""

    async def key(self, identifier: str) -> StaffKey | None:
        """The key with this identifier, or None where there is none or the set cannot be had."""


class KeySetUnreadable(Exception):
    """A JWK set cannot be had or read. The text holds no key."""


class KeySetAway(KeySetUnreadable):
    """The address of a set does not answer: it may answer later."""


class KeySet:
    """Keys of one set, read again when they are old or when an identifier is unknown."""

    def __init__(self, read: Callable[[], Mapping[str, Any]], *, now: Callable[[], datetime]) -> None:
        self._read = read
        self._now = now
        self._keys: dict[str, StaffKey] = {}
        self._read_at: datetime | None = None
        self._lock = asyncio.Lock()

    async def key(self, identifier: str) -> StaffKey | None:
        """The key with this identifier, or None."""
        async with self._lock:
            age = None if self._read_at is None else self._now() - self._read_at
            unknown = identifier not in self._keys and (age is None or age > MIN_INTERVAL)
            if age is None or age > MAX_AGE or unknown:
                await self._refresh()
        return self._keys.get(identifier)

    async def _refresh(self) -> None:
        self._read_at = self._now()
        try:
            document = await asyncio.to_thread(self._read)
            self._keys = parse_keys(document)
        except KeySetUnreadable:
            # The keys already known stay: an identity provider that is down must not lock out who is logged in.
            log.warning("the identity provider's key set cannot be read")


def key_set(config: JwksConfig, *, base: Path, now: Callable[[], datetime]) -> KeySet:
    """The key set a county's file names; `base` is where relative file names start."""
    return KeySet(_reading(config, base), now=now)


def _reading(config: JwksConfig, base: Path) -> Callable[[], Mapping[str, Any]]:
    if config.url is not None:
        client = jwt.PyJWKClient(config.url, cache_jwk_set=False, timeout=_FETCH_SECONDS)
        return lambda: _fetch(client)
    path = base / (config.file or Path())
    return lambda: _load(path)


def parse_keys(document: Mapping[str, Any]) -> dict[str, StaffKey]:
    """The keys of a JWK set (RFC 7517) that count, by `kid`. Raises `KeySetUnreadable` when it is not one.

    Keys without identifier, for encryption, symmetric, or of an algorithm we do not use are left out.
    """
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise KeySetUnreadable("not a JWK set")
    keys: dict[str, StaffKey] = {}
    for jwk in listed:
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
            continue
        algorithm = _algorithm(jwk) if isinstance(jwk.get("alg"), str | None) else None
        if algorithm is None:
            continue
        if jwk["kid"] in keys:
            raise KeySetUnreadable("two keys with one identifier")
        keys[jwk["kid"]] = StaffKey(algorithm, _public(jwk, algorithm))
    return keys


def _algorithm(jwk: Mapping[str, Any]) -> str | None:
    stated = jwk.get("alg")
    if jwk.get("kty") == "RSA":
        return stated if stated in _RSA else "RS256" if stated is None else None
    found = _BY_CURVE.get((str(jwk.get("kty")), str(jwk.get("crv"))))
    return found if stated in (None, found) else None


def _public(jwk: dict[str, Any], algorithm: str) -> Any:
    try:
        key = jwt.PyJWK({**jwk, "alg": algorithm}).key
    except jwt.PyJWTError as exc:
        raise KeySetUnreadable("a key is malformed") from exc
    if hasattr(key, "private_bytes"):
        raise KeySetUnreadable("the set holds a private key")
    if algorithm in _RSA and key.key_size < _MIN_RSA_BITS:
        raise KeySetUnreadable("an RSA key is too short")
    return key


def _load(path: Path) -> Mapping[str, Any]:
    try:
        data = path.read_bytes()
        document = json.loads(data) if len(data) <= MAX_BYTES else None
    except (OSError, ValueError) as exc:
        raise KeySetUnreadable("the file cannot be read") from exc
    return _mapping(document)


def _fetch(client: jwt.PyJWKClient) -> Mapping[str, Any]:
    try:
        return _mapping(client.fetch_data())
    except (jwt.PyJWKClientConnectionError, OSError) as exc:
        raise KeySetAway("the address does not answer") from exc
    except (jwt.PyJWKClientError, ValueError) as exc:
        raise KeySetUnreadable("not a JWK set") from exc


def _mapping(document: object) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise KeySetUnreadable("not a JWK set")
    return document
