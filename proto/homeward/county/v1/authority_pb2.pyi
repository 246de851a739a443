import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.county.v1 import county_pb2 as _county_pb2
from homeward.gateway.v1 import authority_pb2 as _authority_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordAuthorityRequest(_message.Message):
    __slots__ = ("request_id", "youth", "local_id", "role", "basis", "grantor", "purposes", "field_sets", "recipient_agencies", "recipient_roles", "effective_time", "expire_time", "evidence_reference", "language_text", "copy_given_to_youth")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    YOUTH_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    GRANTOR_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    FIELD_SETS_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_AGENCIES_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_ROLES_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_TEXT_FIELD_NUMBER: _ClassVar[int]
    COPY_GIVEN_TO_YOUTH_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    youth: _county_pb2.YouthIdentity
    local_id: str
    role: str
    basis: _codes_pb2.Basis
    grantor: _authority_pb2.Grantor
    purposes: _containers.RepeatedScalarFieldContainer[_codes_pb2.Purpose]
    field_sets: _containers.RepeatedScalarFieldContainer[_codes_pb2.FieldSet]
    recipient_agencies: _containers.RepeatedScalarFieldContainer[str]
    recipient_roles: _containers.RepeatedScalarFieldContainer[str]
    effective_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    evidence_reference: str
    language_text: str
    copy_given_to_youth: bool
    def __init__(self, request_id: _Optional[str] = ..., youth: _Optional[_Union[_county_pb2.YouthIdentity, _Mapping]] = ..., local_id: _Optional[str] = ..., role: _Optional[str] = ..., basis: _Optional[_Union[_codes_pb2.Basis, str]] = ..., grantor: _Optional[_Union[_authority_pb2.Grantor, str]] = ..., purposes: _Optional[_Iterable[_Union[_codes_pb2.Purpose, str]]] = ..., field_sets: _Optional[_Iterable[_Union[_codes_pb2.FieldSet, str]]] = ..., recipient_agencies: _Optional[_Iterable[str]] = ..., recipient_roles: _Optional[_Iterable[str]] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., evidence_reference: _Optional[str] = ..., language_text: _Optional[str] = ..., copy_given_to_youth: _Optional[bool] = ...) -> None: ...

class RecordAuthorityResponse(_message.Message):
    __slots__ = ("outcome", "authority_id", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    authority_id: str
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., authority_id: _Optional[str] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class RevokeAuthorityRequest(_message.Message):
    __slots__ = ("request_id", "authority_id", "role")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    authority_id: str
    role: str
    def __init__(self, request_id: _Optional[str] = ..., authority_id: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class RevokeAuthorityResponse(_message.Message):
    __slots__ = ("outcome", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListAuthoritiesRequest(_message.Message):
    __slots__ = ("live_only", "role", "page_size", "page_token")
    LIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    live_only: bool
    role: str
    page_size: int
    page_token: str
    def __init__(self, live_only: _Optional[bool] = ..., role: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuthoritiesResponse(_message.Message):
    __slots__ = ("authorities", "next_page_token", "receipt")
    AUTHORITIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    authorities: _containers.RepeatedCompositeFieldContainer[ListedAuthority]
    next_page_token: str
    receipt: _county_pb2.Receipt
    def __init__(self, authorities: _Optional[_Iterable[_Union[ListedAuthority, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListedAuthority(_message.Message):
    __slots__ = ("authority", "authority_id", "revoke_time")
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    authority: _authority_pb2.Authority
    authority_id: str
    revoke_time: _timestamp_pb2.Timestamp
    def __init__(self, authority: _Optional[_Union[_authority_pb2.Authority, _Mapping]] = ..., authority_id: _Optional[str] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
