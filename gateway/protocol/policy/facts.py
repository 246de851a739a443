"""The argument of a decision, and the one byte form of it that is committed to and replayed.

Decides what a decision may depend on: nothing outside these values, and nothing personal in
them. `DecisionInput.to_bytes` is deterministic JSON; `from_bytes` accepts exactly what
`to_bytes` produces and nothing else, so that one decision has one commitment.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from typing import Final, TypeVar

from gateway.protocol.authority import AuthorityFacts, AuthorityStatus
from gateway.protocol.names import (
    COMMITMENT_LENGTH,
    AgencyId,
    AgencyKind,
    Basis,
    Call,
    EvidenceKind,
    FieldSet,
    FlagState,
    NameSyntaxError,
    Purpose,
    Restriction,
    Role,
    parse_agency_id,
    parse_role,
)
from gateway.protocol.policy.fieldsets import call_of

FORMAT: Final = "homeward/decision-input/v1"
MAX_BYTES: Final = 8192
"""Longest accepted byte form; a real one is under 1,500 bytes."""
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
LATEST_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_LARGEST: Final = (1 << 53) - 1
"""Integers beyond this are not portable JSON (RFC 8259 §6)."""


class DecisionInputError(ValueError):
    """Bytes are not the byte form of a decision's argument. The text names the part, never a value."""


class Located(StrEnum):
    """What the locate stage found (ARCHITECTURE §6, Who may match)."""

    ONE = "ONE"
    """One candidate, matched with certainty or linked by hand: good for every field set."""
    ONE_FOR_FLAG = "ONE_FOR_FLAG"
    """One candidate that agrees on the whole core key group: good for FS1 and nothing deeper."""
    POSSIBLE = "POSSIBLE"
    """One candidate, weaker than that."""
    AMBIGUOUS = "AMBIGUOUS"
    """Several candidates."""
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a request shows by itself. Verified: agency and kind by enrollment, role by the county's assertion."""

    agency: AgencyId
    agency_kind: AgencyKind
    role: Role
    purpose: Purpose
    field_sets: tuple[FieldSet, ...]
    """What is asked for, in any order, without repetition."""
    evidence: frozenset[EvidenceKind]
    authority: AuthorityFacts | None
    """Result of `authority.check`; None when the request names no authority, or an unknown one."""
    received_at: datetime
    """UTC, whole milliseconds; read once per call."""
    login_age_seconds: int | None = None
    """Since the user authenticated, by the assertion's `auth_time`; None when it is not stated."""
    emergency_uses: int = 0
    """Emergencies this user invoked within the policy's period, before this one."""

    @property
    def call(self) -> Call:
        """Family of this call; it fixes the uniform negative."""
        return call_of(self.field_sets)


@dataclass(frozen=True, slots=True)
class YouthFacts:
    """What was found about a youth. Nothing in here names one."""

    located: Located
    coverage_complete: bool
    """Whether every source in scope of this call is fresh and lists what the call asks about."""
    owner: AgencyId | None = None
    """None unless one candidate was found."""
    flag: FlagState | None = None
    """State of the candidate's flag; with several candidates, an open state if any of them has one."""
    restriction: Restriction = Restriction.NONE
    placed_in_callers_county: bool = False
    agreement_with_owner: bool = False
    """Whether the directory holds an agreement in force between caller and owner."""
    authority_covers_youth: bool = False
    """Result of `authority.covers_subject`; ignored where no authority is relied on."""

    def __post_init__(self) -> None:
        if (self.owner is None) != (self.located in (Located.NONE, Located.AMBIGUOUS)):
            raise DecisionInputError("youth: an owner if and only if one candidate was found")


@dataclass(frozen=True, slots=True)
class DecisionInput:
    """Everything a decision depended on. `youth` is None when the request alone was refused."""

    policy_digest: bytes
    request: RequestFacts
    youth: YouthFacts | None

    def to_bytes(self) -> bytes:
        """Deterministic JSON, ASCII, keys sorted, no white space."""
        document = {
            "format": FORMAT,
            "policy_digest": self.policy_digest.hex(),
            "request": _request_document(self.request),
            "youth": None if self.youth is None else _youth_document(self.youth),
        }
        return _ENCODER.encode(document).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> "DecisionInput":
        """The value whose byte form this is. Raises `DecisionInputError` for anything else."""
        if len(data) > MAX_BYTES:
            raise DecisionInputError("decision input: too long")
        try:
            document = json.loads(data.decode("ascii"))
        except (ValueError, RecursionError) as problem:
            raise DecisionInputError("decision input: not ASCII JSON") from problem
        try:
            value = _input_of(_Part(document, "decision input"))
        except NameSyntaxError as problem:
            raise DecisionInputError("decision input: malformed name") from problem
        # Repeated keys, white space, other orders and other spellings of a number all end here.
        if value.to_bytes() != data:
            raise DecisionInputError("decision input: not in its one byte form")
        return value


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970-01-01 UTC of an aware time, rounded down."""
    return (moment - _EPOCH) // _MS


def moment_of(value: int) -> datetime:
    """The UTC time of a number of milliseconds since 1970-01-01."""
    return _EPOCH + value * _MS


def _request_document(request: RequestFacts) -> dict[str, object]:
    authority = request.authority
    return {
        "agency": request.agency,
        "agency_kind": request.agency_kind,
        "authority": None if authority is None else _authority_document(authority),
        "emergency_uses": request.emergency_uses,
        "evidence": sorted(request.evidence),
        "field_sets": sorted(request.field_sets),
        "login_age_seconds": request.login_age_seconds,
        "purpose": request.purpose,
        "received_at_ms": milliseconds(request.received_at),
        "role": request.role,
    }


def _authority_document(authority: AuthorityFacts) -> dict[str, object]:
    return {
        "basis": authority.basis,
        "field_sets": sorted(authority.field_sets),
        "life_seconds": authority.life_seconds,
        "redisclosure_prohibited": authority.redisclosure_prohibited,
        "status": authority.status,
    }


def _youth_document(youth: YouthFacts) -> dict[str, object]:
    return {
        "agreement_with_owner": youth.agreement_with_owner,
        "authority_covers_youth": youth.authority_covers_youth,
        "coverage_complete": youth.coverage_complete,
        "flag": youth.flag,
        "located": youth.located,
        "owner": youth.owner,
        "placed_in_callers_county": youth.placed_in_callers_county,
        "restriction": youth.restriction,
    }


_E = TypeVar("_E", bound=Enum)


class _Part:
    """One JSON object, read strictly by name. Unread keys are caught by the comparison of byte forms."""

    def __init__(self, document: object, name: str) -> None:
        if not isinstance(document, dict):
            raise DecisionInputError(f"{name}: not an object")
        self._document: dict[str, object] = document
        self._name = name

    def part(self, key: str) -> "_Part | None":
        value = self._get(key)
        return None if value is None else _Part(value, key)

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str):
            raise self._wrong(key)
        return value

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong(key)
        return value

    def number(self, key: str, *, most: int = _LARGEST) -> int:
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self._wrong(key)
        return value

    def is_null(self, key: str) -> bool:
        return self._get(key) is None

    def one(self, key: str, values: type[_E]) -> _E:
        return _enum(values, self._get(key), key)

    def many(self, key: str, values: type[_E]) -> tuple[_E, ...]:
        listed = self._get(key)
        if not isinstance(listed, list):
            raise self._wrong(key)
        found = tuple(_enum(values, each, key) for each in listed)
        if len(set(found)) != len(found):
            raise self._wrong(key)
        return found

    def _get(self, key: str) -> object:
        if key not in self._document:
            raise DecisionInputError(f"{self._name}: {key} is missing")
        return self._document[key]

    def _wrong(self, key: str) -> DecisionInputError:
        return DecisionInputError(f"{self._name}: {key} is malformed")


def _enum(values: type[_E], value: object, key: str) -> _E:
    try:
        return values(value)
    except ValueError as problem:
        raise DecisionInputError(f"{key}: not in its list") from problem


def _input_of(part: _Part) -> DecisionInput:
    digest = part.text("policy_digest")
    if len(digest) != 2 * COMMITMENT_LENGTH or set(digest) - set("0123456789abcdef"):
        raise DecisionInputError("decision input: policy_digest is malformed")
    request, youth = part.part("request"), part.part("youth")
    if request is None:
        raise DecisionInputError("decision input: request is missing")
    return DecisionInput(
        policy_digest=bytes.fromhex(digest),
        request=_request_of(request),
        youth=None if youth is None else _youth_of(youth),
    )


def _request_of(part: _Part) -> RequestFacts:
    authority = part.part("authority")
    return RequestFacts(
        agency=parse_agency_id(part.text("agency")),
        agency_kind=part.one("agency_kind", AgencyKind),
        role=parse_role(part.text("role")),
        purpose=part.one("purpose", Purpose),
        field_sets=part.many("field_sets", FieldSet),
        evidence=frozenset(part.many("evidence", EvidenceKind)),
        authority=None if authority is None else _authority_of(authority),
        received_at=moment_of(part.number("received_at_ms", most=LATEST_MS)),
        login_age_seconds=None if part.is_null("login_age_seconds") else part.number("login_age_seconds"),
        emergency_uses=part.number("emergency_uses"),
    )


def _authority_of(part: _Part) -> AuthorityFacts:
    return AuthorityFacts(
        status=part.one("status", AuthorityStatus),
        basis=part.one("basis", Basis),
        field_sets=part.many("field_sets", FieldSet),
        life_seconds=part.number("life_seconds"),
        redisclosure_prohibited=part.flag("redisclosure_prohibited"),
    )


def _youth_of(part: _Part) -> YouthFacts:
    return YouthFacts(
        located=part.one("located", Located),
        coverage_complete=part.flag("coverage_complete"),
        owner=None if part.is_null("owner") else parse_agency_id(part.text("owner")),
        flag=None if part.is_null("flag") else part.one("flag", FlagState),
        restriction=part.one("restriction", Restriction),
        placed_in_callers_county=part.flag("placed_in_callers_county"),
        agreement_with_owner=part.flag("agreement_with_owner"),
        authority_covers_youth=part.flag("authority_covers_youth"),
    )
