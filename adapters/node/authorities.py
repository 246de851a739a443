"""Authorities as this county's staff record, revoke and list them.

Decides the signed form: who issues, how the youth is named (by handle where this agency owns the youth, else by digests
of tokens), and what stays here (the form itself, its text, its reference: commitments travel). Refuses a grantor for
whom the youth has not the age (`signing_ages`), which only a county can. Whether an authority is worth anything for a
use is decided by `gateway.protocol.authority`, at every use anew.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from adapters.errors import ErrorReason, EvidenceInvalid, Invalid
from adapters.identity.tokenize import Person
from adapters.node import rpcs
from adapters.node.identifiers import timestamp
from adapters.node.majority import expiry_for
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.receipts import Kept
from adapters.node.recording import Entry, Recorder, outcome_of
from adapters.node.reports import Listing
from adapters.node.send import Deadline
from adapters.node.signing_ages import SIGNING_AGES, may_sign
from adapters.node.translate import county_errors
from adapters.records import LocalSubjectId
from adapters.staff import reference_commitment
from gateway.protocol.authority_wire import AuthorityInvalid, open_authority
from gateway.protocol.envelope import wrap
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import (
    AgencyId,
    AuthorityId,
    Basis,
    FieldSet,
    Grantor,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.protocol.outcomes import Outcome
from gateway.protocol.parse import parse
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import authority_pb2
from homeward.gateway.v1.authority_pb2 import AuthoritySubject, SubjectTokenDigests
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope, TokenSet

REVOCATION_LIFE: Final = timedelta(days=3 * 365)
"""How long a revocation of another agency's authority is kept: no authority lives longer than its youth is in care."""
_RECORDED: Final = frozenset({"authority.recorded"})
_REVOKED: Final = frozenset({"authority.revoked"})
_LISTED: Final = frozenset({"authority.listed"})
_REFUSED: Final = frozenset({"access.decision"})


@dataclass(frozen=True, slots=True)
class Permission:
    """An authority as staff enter it from the signed form or order."""

    youth: Person = field(repr=False)
    birth_date: date | None = field(repr=False)
    """As staff say; None where the county's record of a youth of its own has none."""
    local_id: LocalSubjectId | None = field(repr=False)
    basis: Basis
    grantor: Grantor
    purposes: tuple[Purpose, ...]
    field_sets: tuple[FieldSet, ...]
    recipient_agencies: tuple[AgencyId, ...]
    recipient_roles: tuple[Role, ...]
    effective: datetime
    expires: datetime
    evidence_reference: str = field(repr=False)
    language_text: str = field(repr=False)
    copy_given_to_youth: bool


@dataclass(frozen=True, slots=True)
class Registered:
    """An authority that is on record, or the refusal to record it."""

    outcome: Outcome
    authority_id: bytes
    receipt: Kept


@dataclass(frozen=True, slots=True)
class Listed:
    """One authority of a list: verified, without its subject."""

    authority: authority_pb2.Authority
    revoked: datetime | None


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of authorities."""

    outcome: Outcome
    authorities: tuple[Listed, ...]
    next_token: bytes
    receipt: Kept


class OwnYouths(Listing, Protocol):
    """This agency's own youths, and how old they are."""

    @property
    def birth_date_of(self) -> Callable[[LocalSubjectId], date | None]:
        """The birth date in the county's record; None where it has none.

        Raises `NotReady(SUBJECT)` for a youth that is not in the caseload, `SourceUnusable`.
        """


@dataclass(frozen=True, slots=True)
class Registrar:
    """Keeps authorities at the exchange for this county's staff."""

    recorder: Recorder
    listing: OwnYouths
    zone: ZoneInfo
    """In which the county's days begin."""
    tokens: Callable[[Sequence[Person], str], Awaitable[Sequence[TokenSet]]]
    authority_key: SigningKey = field(repr=False)
    commitment_key: bytes = field(repr=False)
    own: OwnAuthorities

    async def record(self, entry: Entry, permission: Permission, deadline: Deadline) -> Registered:
        """The authority is on record, or the policy's refusal is. Raises an `adapters.errors.Error`."""
        with county_errors():
            # From the request's identifier, so that a repeated request names the same authority.
            identifier = AuthorityId(hashlib.sha256(b"homeward/authority-id/v1\0" + entry.request_id).digest()[:16])

            async def build() -> Message:
                # Not when the request is repeated, perhaps after a birthday.
                given = self._as_on_record(permission)
                self._check(given)
                message = self._message(identifier, given, await self._subject(given, entry.act.staff.pseudonym))
                envelope = wrap(message, self.authority_key)
                await asyncio.to_thread(self._keep, message, envelope)
                return authority_pb2.AuthorityRecord(request_id=entry.request_id, authority=envelope)

            response, digest = await self.recorder.send(rpcs.RECORD_AUTHORITY, entry, deadline, build)
            outcome = outcome_of(response.outcome)
            kinds = _RECORDED if outcome is Outcome.RECORDED else _REFUSED
            kept = await self.recorder.check(response.receipt, entry, digest=digest, kinds=kinds, outcome=outcome)
            if outcome is Outcome.RECORDED:
                await asyncio.to_thread(self.own.recorded, identifier)
            return Registered(outcome, identifier if outcome is Outcome.RECORDED else b"", kept)

    async def revoke(self, entry: Entry, authority_id: AuthorityId, deadline: Deadline) -> Registered:
        """The authority is revoked: nothing that relies on it is released from here on."""
        with county_errors():

            async def build() -> Message:
                return authority_pb2.AuthorityRevocation(request_id=entry.request_id, authority_id=authority_id)

            try:
                response, digest = await self.recorder.send(rpcs.REVOKE_AUTHORITY, entry, deadline, build)
            except rpcs.CallFailed as failed:
                if failed.reason == "AUTHORITY_NOT_FOUND":
                    # Lost with entries of the log, perhaps, and not presented again yet. Now it never will be.
                    await asyncio.to_thread(self.own.withdrawn, authority_id, self.recorder.sender.now())
                raise
            outcome = outcome_of(response.outcome)
            kinds = _REVOKED if outcome is Outcome.RECORDED else _REFUSED
            kept = await self.recorder.check(response.receipt, entry, digest=digest, kinds=kinds, outcome=outcome)
            if outcome is Outcome.RECORDED:
                now = self.recorder.sender.now()
                await asyncio.to_thread(self.own.revoked, authority_id, now, expires=now + REVOCATION_LIFE)
            return Registered(outcome, authority_id, kept)

    async def page(
        self, entry: Entry, *, live_only: bool, page_size: int, page_token: bytes, deadline: Deadline
    ) -> ListPage:
        """One page of the authorities this agency issued or is named in, each verified under its issuer's key."""
        with county_errors():

            async def build() -> Message:
                return authority_pb2.AuthorityFilter(
                    request_id=entry.request_id, live_only=live_only, page_size=page_size, page_token=page_token
                )

            response, digest = await self.recorder.send(rpcs.LIST_AUTHORITIES, entry, deadline, build)
            outcome = outcome_of(response.outcome)
            kinds = _LISTED if outcome is Outcome.ANSWERED else _REFUSED
            kept = await self.recorder.check(response.receipt, entry, digest=digest, kinds=kinds, outcome=outcome)
            listed = tuple(self._listed(each) for each in response.authorities)
            return ListPage(outcome, listed, response.next_page_token, kept)

    def _keep(self, message: authority_pb2.Authority, envelope: SignedEnvelope) -> None:
        subject = message.subject
        handle = SubjectHandle(subject.handle) if subject.WhichOneof("subject") == "handle" else None
        epochs = frozenset() if handle is not None else frozenset(self.recorder.sender.directory().epochs)
        self.own.keep(envelope, handle=handle, epochs=epochs)

    def _as_on_record(self, permission: Permission) -> Permission:
        """Of a youth of this agency the county's record says the birth date, whatever was typed."""
        if permission.local_id is None:
            return permission
        return replace(permission, birth_date=self.listing.birth_date_of(permission.local_id))

    def _check(self, permission: Permission) -> None:
        """The times follow each other, and whoever signed may at the youth's age, now and when it takes effect.

        Raises `Invalid`, which says no date.
        """
        grantor, effective = permission.grantor, permission.effective
        if permission.expires <= effective:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("expire_time: after effective_time",))
        moments = (effective, self.recorder.sender.now())
        if not all(may_sign(grantor, permission.birth_date, moment, self.zone) for moment in moments):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"grantor: {SIGNING_AGES[grantor].rule}",))
        expires, _ = _life(permission)
        if expires <= effective:
            raise Invalid(
                ErrorReason.INVALID_REQUEST, fields=("grantor: no power from the month of the 18th birthday on",)
            )

    async def _subject(self, permission: Permission, worker: str) -> AuthoritySubject:
        if permission.local_id is not None:
            return AuthoritySubject(handle=await self.listing.listed(permission.local_id))
        (tokens,) = await self.tokens([permission.youth], worker)
        return AuthoritySubject(token_digests=SubjectTokenDigests(digests=sorted(naming_digests(tokens))))

    def _message(
        self, identifier: AuthorityId, permission: Permission, subject: AuthoritySubject
    ) -> authority_pb2.Authority:
        text = permission.language_text
        expires, at_majority = _life(permission)
        return authority_pb2.Authority(
            authority_id=identifier,
            basis=to_wire(permission.basis),  # type: ignore[arg-type]
            grantor=to_wire(permission.grantor),  # type: ignore[arg-type]
            issuer_agency=self.recorder.sender.agency,
            subject=subject,
            purposes=[to_wire(each) for each in permission.purposes],  # type: ignore[misc]
            field_sets=[to_wire(each) for each in permission.field_sets],  # type: ignore[misc]
            recipient_agencies=permission.recipient_agencies,
            recipient_roles=permission.recipient_roles,
            effective_time=timestamp(permission.effective),
            expire_time=timestamp(expires),
            expires_at_majority=at_majority,
            evidence_commitment=reference_commitment(
                self.commitment_key, "AUTHORITY_EVIDENCE", permission.evidence_reference
            ),
            language_version_hash=hashlib.sha256(text.encode()).digest() if text else b"",
            copy_given_to_youth=permission.copy_given_to_youth,
            redisclosure_prohibited=True,
        )

    def _listed(self, item: authority_pb2.ListedAuthority) -> Listed:
        now, recorded = self.recorder.sender.now(), item.recorded.create_time.ToDatetime(UTC)
        directory = self.recorder.sender.directory()
        for moment in (now, recorded):
            # A key that has ended since still vouches for what it signed in its time (SECURITY §3.3).
            try:
                open_authority(item.authority, directory, moment)
            except AuthorityInvalid:
                continue
            authority = parse(authority_pb2.Authority, item.authority.payload)
            authority.ClearField("subject")
            revoked = item.revoke_time.ToDatetime(UTC) if item.HasField("revoke_time") else None
            return Listed(authority, revoked)
        raise EvidenceInvalid("authority")


def _life(permission: Permission) -> tuple[datetime, bool]:
    # Without a birth date nobody signs whose power ends with an age (`Registrar._check`).
    if permission.basis is not Basis.CONSENT or permission.birth_date is None:
        return permission.expires, False
    return expiry_for(permission.grantor, permission.expires, permission.birth_date)
