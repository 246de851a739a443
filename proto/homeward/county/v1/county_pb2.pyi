from buf.validate import validate_pb2 as _validate_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class YouthIdentity(_message.Message):
    __slots__ = ("given_name", "surname", "birth_date", "aliases", "ssn4", "postcode", "house_number", "birth_date_estimated")
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    SURNAME_FIELD_NUMBER: _ClassVar[int]
    BIRTH_DATE_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    SSN4_FIELD_NUMBER: _ClassVar[int]
    POSTCODE_FIELD_NUMBER: _ClassVar[int]
    HOUSE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    BIRTH_DATE_ESTIMATED_FIELD_NUMBER: _ClassVar[int]
    given_name: str
    surname: str
    birth_date: str
    aliases: _containers.RepeatedCompositeFieldContainer[YouthName]
    ssn4: str
    postcode: str
    house_number: str
    birth_date_estimated: bool
    def __init__(self, given_name: _Optional[str] = ..., surname: _Optional[str] = ..., birth_date: _Optional[str] = ..., aliases: _Optional[_Iterable[_Union[YouthName, _Mapping]]] = ..., ssn4: _Optional[str] = ..., postcode: _Optional[str] = ..., house_number: _Optional[str] = ..., birth_date_estimated: _Optional[bool] = ...) -> None: ...

class YouthName(_message.Message):
    __slots__ = ("given_name", "surname")
    GIVEN_NAME_FIELD_NUMBER: _ClassVar[int]
    SURNAME_FIELD_NUMBER: _ClassVar[int]
    given_name: str
    surname: str
    def __init__(self, given_name: _Optional[str] = ..., surname: _Optional[str] = ...) -> None: ...

class EvidenceReference(_message.Message):
    __slots__ = ("kind", "reference")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    kind: _codes_pb2.EvidenceKind
    reference: str
    def __init__(self, kind: _Optional[_Union[_codes_pb2.EvidenceKind, str]] = ..., reference: _Optional[str] = ...) -> None: ...

class Inquiry(_message.Message):
    __slots__ = ("request_id", "youth", "purpose", "role", "evidence", "authority_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    YOUTH_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    youth: YouthIdentity
    purpose: _codes_pb2.Purpose
    role: str
    evidence: _containers.RepeatedCompositeFieldContainer[EvidenceReference]
    authority_id: str
    def __init__(self, request_id: _Optional[str] = ..., youth: _Optional[_Union[YouthIdentity, _Mapping]] = ..., purpose: _Optional[_Union[_codes_pb2.Purpose, str]] = ..., role: _Optional[str] = ..., evidence: _Optional[_Iterable[_Union[EvidenceReference, _Mapping]]] = ..., authority_id: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("leaf_index", "checkpoint", "request_id", "policy_version", "proof")
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    checkpoint: str
    request_id: str
    policy_version: str
    proof: str
    def __init__(self, leaf_index: _Optional[int] = ..., checkpoint: _Optional[str] = ..., request_id: _Optional[str] = ..., policy_version: _Optional[str] = ..., proof: _Optional[str] = ...) -> None: ...
