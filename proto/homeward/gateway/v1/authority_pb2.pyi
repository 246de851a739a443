import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Grantor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANTOR_UNSPECIFIED: _ClassVar[Grantor]
    GRANTOR_MINOR_SELF: _ClassVar[Grantor]
    GRANTOR_NMD_SELF: _ClassVar[Grantor]
    GRANTOR_PARENT_GUARDIAN: _ClassVar[Grantor]
    GRANTOR_MINOR_COUNSEL: _ClassVar[Grantor]
    GRANTOR_EDUCATION_RIGHTS_HOLDER: _ClassVar[Grantor]
    GRANTOR_COURT: _ClassVar[Grantor]
    GRANTOR_AGENCY_STATUTORY: _ClassVar[Grantor]
    GRANTOR_AGENCY_SIGNATORY: _ClassVar[Grantor]
    GRANTOR_EMERGENCY_CLAIMANT: _ClassVar[Grantor]
GRANTOR_UNSPECIFIED: Grantor
GRANTOR_MINOR_SELF: Grantor
GRANTOR_NMD_SELF: Grantor
GRANTOR_PARENT_GUARDIAN: Grantor
GRANTOR_MINOR_COUNSEL: Grantor
GRANTOR_EDUCATION_RIGHTS_HOLDER: Grantor
GRANTOR_COURT: Grantor
GRANTOR_AGENCY_STATUTORY: Grantor
GRANTOR_AGENCY_SIGNATORY: Grantor
GRANTOR_EMERGENCY_CLAIMANT: Grantor

class Authority(_message.Message):
    __slots__ = ("authority_id", "basis", "grantor", "issuer_agency", "subject", "purposes", "field_sets", "recipient_agencies", "recipient_roles", "effective_time", "expire_time", "expires_at_majority", "team_commitment", "evidence_commitment", "language_version_hash", "copy_given_to_youth", "redisclosure_prohibited")
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    GRANTOR_FIELD_NUMBER: _ClassVar[int]
    ISSUER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    FIELD_SETS_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_AGENCIES_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ROLES_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MAJORITY_FIELD_NUMBER: _ClassVar[int]
    TEAM_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_VERSION_HASH_FIELD_NUMBER: _ClassVar[int]
    COPY_GIVEN_TO_YOUTH_FIELD_NUMBER: _ClassVar[int]
    REDISCLOSURE_PROHIBITED_FIELD_NUMBER: _ClassVar[int]
    authority_id: bytes
    basis: _codes_pb2.Basis
    grantor: Grantor
    issuer_agency: str
    subject: AuthoritySubject
    purposes: _containers.RepeatedScalarFieldContainer[_codes_pb2.Purpose]
    field_sets: _containers.RepeatedScalarFieldContainer[_codes_pb2.FieldSet]
    recipient_agencies: _containers.RepeatedScalarFieldContainer[str]
    recipient_roles: _containers.RepeatedScalarFieldContainer[str]
    effective_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    expires_at_majority: bool
    team_commitment: bytes
    evidence_commitment: bytes
    language_version_hash: bytes
    copy_given_to_youth: bool
    redisclosure_prohibited: bool
    def __init__(self, authority_id: _Optional[bytes] = ..., basis: _Optional[_Union[_codes_pb2.Basis, str]] = ..., grantor: _Optional[_Union[Grantor, str]] = ..., issuer_agency: _Optional[str] = ..., subject: _Optional[_Union[AuthoritySubject, _Mapping]] = ..., purposes: _Optional[_Iterable[_Union[_codes_pb2.Purpose, str]]] = ..., field_sets: _Optional[_Iterable[_Union[_codes_pb2.FieldSet, str]]] = ..., recipient_agencies: _Optional[_Iterable[str]] = ..., recipient_roles: _Optional[_Iterable[str]] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at_majority: _Optional[bool] = ..., team_commitment: _Optional[bytes] = ..., evidence_commitment: _Optional[bytes] = ..., language_version_hash: _Optional[bytes] = ..., copy_given_to_youth: _Optional[bool] = ..., redisclosure_prohibited: _Optional[bool] = ...) -> None: ...

class AuthoritySubject(_message.Message):
    __slots__ = ("handle", "token_digests")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    handle: bytes
    token_digests: SubjectTokenDigests
    def __init__(self, handle: _Optional[bytes] = ..., token_digests: _Optional[_Union[SubjectTokenDigests, _Mapping]] = ...) -> None: ...

class SubjectTokenDigests(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, digests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class RecordAuthorityRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class AuthorityRecord(_message.Message):
    __slots__ = ("request_id", "authority")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    authority: _envelope_pb2.SignedEnvelope
    def __init__(self, request_id: _Optional[bytes] = ..., authority: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class RecordAuthorityResponse(_message.Message):
    __slots__ = ("outcome", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class RevokeAuthorityRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class AuthorityRevocation(_message.Message):
    __slots__ = ("request_id", "authority_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    authority_id: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., authority_id: _Optional[bytes] = ...) -> None: ...

class RevokeAuthorityResponse(_message.Message):
    __slots__ = ("outcome", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListAuthoritiesRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class AuthorityFilter(_message.Message):
    __slots__ = ("request_id", "live_only", "page_size", "page_token")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    LIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    live_only: bool
    page_size: int
    page_token: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., live_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[bytes] = ...) -> None: ...

class ListAuthoritiesResponse(_message.Message):
    __slots__ = ("outcome", "authorities", "next_page_token", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    authorities: _containers.RepeatedCompositeFieldContainer[ListedAuthority]
    next_page_token: bytes
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., authorities: _Optional[_Iterable[_Union[ListedAuthority, _Mapping]]] = ..., next_page_token: _Optional[bytes] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListedAuthority(_message.Message):
    __slots__ = ("authority", "revoke_time", "recorded")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECORDED_FIELD_NUMBER: _ClassVar[int]
    authority: _envelope_pb2.SignedEnvelope
    revoke_time: _timestamp_pb2.Timestamp
    recorded: _envelope_pb2.LeafReference
    def __init__(self, authority: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recorded: _Optional[_Union[_envelope_pb2.LeafReference, _Mapping]] = ...) -> None: ...
