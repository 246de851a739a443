"""Between the signed form of an authority and the value that is decided on.

Both ends read authorities the same way: signature by the issuer's authority key first,
then every rule of `authority.Authority`.
"""

from datetime import UTC, datetime

from gateway.protocol.authority import Authority, AuthorityError, Subject
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import (
    AgencyId,
    AuthorityId,
    Basis,
    FieldSet,
    Grantor,
    NameSyntaxError,
    Purpose,
    SubjectHandle,
    parse_agency_id,
    parse_role,
)
from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1 import authority_pb2
from homeward.gateway.v1.directory_pb2 import KEY_USE_AUTHORITY
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope


class AuthorityInvalid(Exception):
    """A signed authority does not count: signature, issuer or content. Carries nothing of it."""


def open_authority(envelope: SignedEnvelope, directory: DirectoryView, at: datetime) -> Authority:
    """The authority, after the issuer it names had signed it with a key that counts at this time.

    The envelope is unverified. Raises `AuthorityInvalid`.
    """
    try:
        # The issuer is read before it is verified only to find its key; what is returned was verified under that key.
        claimed = parse(authority_pb2.Authority, envelope.payload)
        issuer = parse_agency_id(claimed.issuer_agency)
        public_key = directory.key(issuer, KEY_USE_AUTHORITY, envelope.key_id, at)
        return _authority(unwrap(envelope, authority_pb2.Authority, public_key))
    except (MalformedMessage, NameSyntaxError, KeyUnknown, SignatureInvalid, AuthorityError, ValueError) as exc:
        raise AuthorityInvalid from exc


def _authority(message: authority_pb2.Authority) -> Authority:
    issuer = parse_agency_id(message.issuer_agency)
    return Authority(
        authority_id=AuthorityId(message.authority_id),
        basis=from_wire(Basis, message.basis),
        grantor=from_wire(Grantor, message.grantor),
        issuer_agency=issuer,
        subject=_subject(message.subject, issuer),
        purposes=frozenset(from_wire(Purpose, number) for number in message.purposes),
        field_sets=frozenset(from_wire(FieldSet, number) for number in message.field_sets),
        recipient_agencies=frozenset(parse_agency_id(agency) for agency in message.recipient_agencies),
        recipient_roles=frozenset(parse_role(role) for role in message.recipient_roles),
        effective_time=message.effective_time.ToDatetime(UTC),
        expire_time=message.expire_time.ToDatetime(UTC),
        expires_at_majority=message.expires_at_majority,
        team_ref_commitment=message.team_commitment or None,
        evidence_commitment=message.evidence_commitment,
        language_version_hash=message.language_version_hash or None,
        redisclosure_prohibited=message.redisclosure_prohibited,
        copy_given_to_youth=message.copy_given_to_youth,
    )


def _subject(message: authority_pb2.AuthoritySubject, issuer: AgencyId) -> Subject:
    if message.WhichOneof("subject") == "handle":
        return Subject(owner=issuer, handle=SubjectHandle(message.handle))
    return Subject(token_digests=frozenset(message.token_digests.digests))
