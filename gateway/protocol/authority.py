"""What permits beyond statute: one value for consent, order, agreement and emergency.

Decides whether an authority is live and covers a use, from the authority, the request, the
clock and two facts the log knows (revoked, team ended). Does not decide whether the purpose
needs an authority at all (`decide`), nor verify its signature or store it.

An authority that a purpose does not need is never consulted, so that revoking a consent
cannot stop a statutory duty (ARCHITECTURE §5 row 6).

Order of the checks, first failure wins: absent, revoked, not yet, lapsed or expired, team
ended, grantor, purpose, recipient, subject, field sets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from hashlib import sha256
from typing import Final

from gateway.protocol.names import (
    COMMITMENT_LENGTH,
    AgencyId,
    AuthorityId,
    Basis,
    FieldSet,
    Grantor,
    Purpose,
    Role,
    SubjectHandle,
    Token,
)
from gateway.protocol.policy.fieldsets import ACK, mask_of, members

MAJORITY_ZONE: Final = timezone(timedelta(hours=-7))
"""A birthday starts at midnight in this zone: the earlier of California's two offsets, so that
a parent's consent can end at most one hour early on its account and never late."""


class AuthorityError(ValueError):
    """An authority breaks its own rules. The text names the rule, never a value."""


class AuthorityStatus(StrEnum):
    """Result of `check`."""

    LIVE = "LIVE"
    ABSENT = "ABSENT"
    REVOKED = "REVOKED"
    NOT_YET = "NOT_YET"
    EXPIRED = "EXPIRED"
    LAPSED_MAJORITY = "LAPSED_MAJORITY"
    LAPSED_TEAM_ENDED = "LAPSED_TEAM_ENDED"
    GRANTOR_LACKS_POWER = "GRANTOR_LACKS_POWER"
    OUT_OF_SCOPE_PURPOSE = "OUT_OF_SCOPE_PURPOSE"
    OUT_OF_SCOPE_RECIPIENT = "OUT_OF_SCOPE_RECIPIENT"
    OUT_OF_SCOPE_SUBJECT = "OUT_OF_SCOPE_SUBJECT"
    OUT_OF_SCOPE_FIELDS = "OUT_OF_SCOPE_FIELDS"


GRANTORS: Final[Mapping[Basis, frozenset[Grantor]]] = {
    Basis.STATUTE: frozenset({Grantor.AGENCY_STATUTORY}),
    Basis.CONSENT: frozenset(
        {
            Grantor.MINOR_SELF,
            Grantor.NMD_SELF,
            Grantor.PARENT_GUARDIAN,
            Grantor.MINOR_COUNSEL,
            Grantor.EDUCATION_RIGHTS_HOLDER,
        }
    ),
    Basis.COURT_ORDER: frozenset({Grantor.COURT}),
    Basis.AGREEMENT: frozenset({Grantor.AGENCY_SIGNATORY}),
    Basis.EMERGENCY: frozenset({Grantor.EMERGENCY_CLAIMANT}),
}
"""Who may give which kind. A worker never consents for a youth (DOMAIN §3.4)."""

CONSENT_PURPOSES: Final[Mapping[Grantor, frozenset[Purpose]]] = {
    # 45 CFR 1351.21: the youth's own written consent, nobody else's, opens a voluntary shelter's question.
    Grantor.MINOR_SELF: frozenset({Purpose.VOLUNTARY_SHELTER}),
    Grantor.NMD_SELF: frozenset(Purpose),
    Grantor.PARENT_GUARDIAN: frozenset({Purpose.CFT_COORDINATION, Purpose.PLACEMENT_PLANNING}),
    # WIC 832: counsel or another authorized individual signs for a child without the legal power to.
    Grantor.MINOR_COUNSEL: frozenset({Purpose.CFT_COORDINATION}),
    # Education data is not carried, so this holder's signature opens nothing here.
    Grantor.EDUCATION_RIGHTS_HOLDER: frozenset(),
}
"""For which purposes each grantor's consent counts."""

LAPSES_AT_MAJORITY: Final = frozenset({Grantor.PARENT_GUARDIAN, Grantor.MINOR_COUNSEL})
"""Those who sign in a minor's stead; what a minor may sign for itself stays its own word (DOMAIN §3.4)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The youth an authority is for: the owner's handle, or digests of tokens; exactly one of them."""

    owner: AgencyId | None = None
    handle: SubjectHandle | None = field(default=None, repr=False)
    token_digests: frozenset[bytes] = field(default=frozenset(), repr=False)
    """`token_digest` of each token of the core match key the youth was named by, 32 bytes each, padding included.
    Weaker keys do not belong here: twins can share them."""

    def __post_init__(self) -> None:
        if (self.owner is None) != (self.handle is None):
            raise AuthorityError("subject: an owner and its handle come together")
        if (self.handle is None) != bool(self.token_digests):
            raise AuthorityError("subject: a handle or token digests, not both")
        if any(len(digest) != COMMITMENT_LENGTH for digest in self.token_digests):
            raise AuthorityError("subject: a token digest has 32 bytes")


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority as its issuer signed it. Times are aware; the life is half-open, [effective, expire)."""

    authority_id: AuthorityId
    basis: Basis
    grantor: Grantor
    issuer_agency: AgencyId
    subject: Subject | None
    """None: for every youth; only an agreement or a statute may be."""
    purposes: frozenset[Purpose]
    field_sets: frozenset[FieldSet]
    recipient_agencies: frozenset[AgencyId]
    """Empty: not limited to agencies; then roles or a team must limit it."""
    recipient_roles: frozenset[Role]
    effective_time: datetime
    expire_time: datetime
    expires_at_majority: bool = False
    """Whether `expire_time` was brought forward because the signer's power ends when the youth is 18. It is then
    `majority_month`, so that no birth date follows from it."""
    team_ref_commitment: bytes | None = None
    """Commitment to the named team, 32 bytes; the caller's TEAM_MEMBERSHIP evidence must repeat it."""
    evidence_commitment: bytes | None = None
    """Commitment to the signed form and the proof of the signer's capacity, 32 bytes."""
    language_version_hash: bytes | None = None
    """SHA-256 of the plain-language form that was read to the signer."""
    redisclosure_prohibited: bool = True
    copy_given_to_youth: bool = False

    def __post_init__(self) -> None:
        if self.effective_time.tzinfo is None or self.expire_time.tzinfo is None:
            raise AuthorityError("authority: times carry a zone")
        if not self.effective_time < self.expire_time:
            raise AuthorityError("authority: it takes effect before it expires")
        if self.subject is None and self.basis not in (Basis.AGREEMENT, Basis.STATUTE):
            raise AuthorityError("authority: this basis names one youth")
        for commitment in (self.team_ref_commitment, self.evidence_commitment, self.language_version_hash):
            if commitment is not None and len(commitment) != COMMITMENT_LENGTH:
                raise AuthorityError("authority: a commitment has 32 bytes")


@dataclass(frozen=True, slots=True)
class Use:
    """The use a request wants to make of an authority."""

    purpose: Purpose
    field_sets: tuple[FieldSet, ...]
    agency: AgencyId
    role: Role
    team_ref_commitment: bytes | None = None
    """Commitment carried by the caller's TEAM_MEMBERSHIP evidence."""
    token_digests: frozenset[bytes] = field(default=frozenset(), repr=False)
    """`token_digest` of each token of the request's core match key, padding included."""


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """What `decide` needs to know of an authority; holds nothing personal."""

    status: AuthorityStatus
    basis: Basis
    field_sets: tuple[FieldSet, ...] = ()
    """What the authority covers, expanded and ascending."""
    life_seconds: int = 0
    """From effective to expiry; bounds an emergency."""
    redisclosure_prohibited: bool = True


def check(
    authority: Authority | None, use: Use, now: datetime, *, revoked: bool, team_ended: bool = False
) -> AuthorityFacts | None:
    """The facts of an authority for one use; None when the request names none that is known.

    `now` is the request's receipt time, aware. `revoked` and `team_ended` are the log's latest
    word. An authority id that nobody recorded is treated like a request without one.
    """
    if authority is None:
        return None
    return AuthorityFacts(
        status=_status(authority, use, now, revoked=revoked, team_ended=team_ended),
        basis=authority.basis,
        field_sets=members(mask_of(authority.field_sets)),
        life_seconds=int((authority.expire_time - authority.effective_time).total_seconds()),
        redisclosure_prohibited=authority.redisclosure_prohibited,
    )


def covers_subject(authority: Authority, owner: AgencyId, handle: SubjectHandle) -> bool:
    """Whether the located youth is the one the authority is for.

    Token digests were compared with the request already, before anything was located, so an
    authority by tokens, or one for every youth, covers what those tokens led to.
    """
    subject = authority.subject
    if subject is None or subject.handle is None:
        return True
    return subject.owner == owner and subject.handle == handle


def token_digest(token: Token) -> bytes:
    """SHA-256 of a token: names a youth in an authority without repeating the index's key."""
    return sha256(b"homeward/authority-subject/v1\0" + token).digest()


def majority_moment(majority_date: date) -> datetime:
    """The moment, UTC, from which the youth is an adult; see `MAJORITY_ZONE`. Never leaves the county."""
    return datetime.combine(majority_date, time(), MAJORITY_ZONE).astimezone(UTC)


def majority_month(majority_date: date) -> datetime:
    """The moment, UTC, at which a consent in a minor's stead ends: the first day of the month of the 18th birthday.

    Up to a month early rather than on the day, because everybody who sees an authority could read the day.
    """
    return majority_moment(majority_date.replace(day=1))


def consent_gaps(authority: Authority) -> tuple[str, ...]:
    """Names of the fields a consent still lacks before it may be recorded; empty for a complete one.

    The list is what 42 CFR 2.31(a), CMIA 56.11 and 45 CFR 164.508 ask for together. Other kinds lack nothing.
    """
    if authority.basis is not Basis.CONSENT:
        return ()
    present = {
        "purposes": bool(authority.purposes),
        "field_sets": bool(authority.field_sets),
        "recipients": _names_a_recipient(authority),
        "evidence_commitment": authority.evidence_commitment is not None,
        "language_version_hash": authority.language_version_hash is not None,
        "copy_given_to_youth": authority.copy_given_to_youth,
    }
    return tuple(name for name, there in present.items() if not there)


def _status(authority: Authority, use: Use, now: datetime, *, revoked: bool, team_ended: bool) -> AuthorityStatus:
    if revoked:
        return AuthorityStatus.REVOKED
    if now < authority.effective_time:
        return AuthorityStatus.NOT_YET
    if now >= authority.expire_time:
        lapsed = authority.expires_at_majority and authority.basis is Basis.CONSENT
        return AuthorityStatus.LAPSED_MAJORITY if lapsed else AuthorityStatus.EXPIRED
    if team_ended and authority.team_ref_commitment is not None:
        return AuthorityStatus.LAPSED_TEAM_ENDED
    return _scope(authority, use)


def _scope(authority: Authority, use: Use) -> AuthorityStatus:
    if not _has_power(authority, use.purpose):
        return AuthorityStatus.GRANTOR_LACKS_POWER
    if use.purpose not in authority.purposes:
        return AuthorityStatus.OUT_OF_SCOPE_PURPOSE
    if not _is_recipient(authority, use):
        return AuthorityStatus.OUT_OF_SCOPE_RECIPIENT
    subject = authority.subject
    # One token in common suffices: the rest of either set is other spellings and padding nobody can tell apart.
    if subject is not None and subject.token_digests and subject.token_digests.isdisjoint(use.token_digests):
        return AuthorityStatus.OUT_OF_SCOPE_SUBJECT
    if mask_of(use.field_sets) & mask_of(authority.field_sets) == ACK:
        return AuthorityStatus.OUT_OF_SCOPE_FIELDS
    return AuthorityStatus.LIVE


def _has_power(authority: Authority, purpose: Purpose) -> bool:
    if authority.grantor not in GRANTORS[authority.basis]:
        return False
    return authority.basis is not Basis.CONSENT or purpose in CONSENT_PURPOSES[authority.grantor]


def _names_a_recipient(authority: Authority) -> bool:
    named = authority.recipient_agencies or authority.recipient_roles
    return bool(named) or authority.team_ref_commitment is not None


def _is_recipient(authority: Authority, use: Use) -> bool:
    if not _names_a_recipient(authority):
        return False
    if authority.recipient_agencies and use.agency not in authority.recipient_agencies:
        return False
    if authority.recipient_roles and use.role not in authority.recipient_roles:
        return False
    return authority.team_ref_commitment in (None, use.team_ref_commitment)
