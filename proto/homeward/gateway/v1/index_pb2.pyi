import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Restriction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESTRICTION_UNSPECIFIED: _ClassVar[Restriction]
    RESTRICTION_NONE: _ClassVar[Restriction]
    RESTRICTION_SENSITIVE: _ClassVar[Restriction]
    RESTRICTION_SEALED: _ClassVar[Restriction]

class IndexScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INDEX_SCOPE_UNSPECIFIED: _ClassVar[IndexScope]
    INDEX_SCOPE_FLAGGED_ONLY: _ClassVar[IndexScope]
    INDEX_SCOPE_ALL_IN_CARE: _ClassVar[IndexScope]
RESTRICTION_UNSPECIFIED: Restriction
RESTRICTION_NONE: Restriction
RESTRICTION_SENSITIVE: Restriction
RESTRICTION_SEALED: Restriction
INDEX_SCOPE_UNSPECIFIED: IndexScope
INDEX_SCOPE_FLAGGED_ONLY: IndexScope
INDEX_SCOPE_ALL_IN_CARE: IndexScope

class RegisterSubjectsRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class RegistrationBatch(_message.Message):
    __slots__ = ("request_id", "subjects", "removed_handles")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_HANDLES_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    removed_handles: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, request_id: _Optional[bytes] = ..., subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ..., removed_handles: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Subject(_message.Message):
    __slots__ = ("handle", "tokens", "restriction", "placement_county")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    RESTRICTION_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_COUNTY_FIELD_NUMBER: _ClassVar[int]
    handle: bytes
    tokens: _envelope_pb2.TokenSet
    restriction: Restriction
    placement_county: str
    def __init__(self, handle: _Optional[bytes] = ..., tokens: _Optional[_Union[_envelope_pb2.TokenSet, _Mapping]] = ..., restriction: _Optional[_Union[Restriction, str]] = ..., placement_county: _Optional[str] = ...) -> None: ...

class RegisterSubjectsResponse(_message.Message):
    __slots__ = ("subject_count", "kept_handles", "sealed_handles", "receipt")
    SUBJECT_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEPT_HANDLES_FIELD_NUMBER: _ClassVar[int]
    SEALED_HANDLES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    subject_count: int
    kept_handles: _containers.RepeatedScalarFieldContainer[bytes]
    sealed_handles: _containers.RepeatedScalarFieldContainer[bytes]
    receipt: _log_pb2.Receipt
    def __init__(self, subject_count: _Optional[int] = ..., kept_handles: _Optional[_Iterable[bytes]] = ..., sealed_handles: _Optional[_Iterable[bytes]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class RegisterAllRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class RegisterAllResponse(_message.Message):
    __slots__ = ("request_id", "result")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    result: RegisterSubjectsResponse
    def __init__(self, request_id: _Optional[bytes] = ..., result: _Optional[_Union[RegisterSubjectsResponse, _Mapping]] = ...) -> None: ...

class HeartbeatRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class IndexHeartbeat(_message.Message):
    __slots__ = ("revision", "scope", "data_as_of_time", "create_time", "complete_epochs", "log_origin")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    DATA_AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    revision: int
    scope: IndexScope
    data_as_of_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    complete_epochs: _containers.RepeatedScalarFieldContainer[str]
    log_origin: str
    def __init__(self, revision: _Optional[int] = ..., scope: _Optional[_Union[IndexScope, str]] = ..., data_as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., complete_epochs: _Optional[_Iterable[str]] = ..., log_origin: _Optional[str] = ...) -> None: ...

class HeartbeatResponse(_message.Message):
    __slots__ = ("stale_after_seconds", "receipt")
    STALE_AFTER_SECONDS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    stale_after_seconds: int
    receipt: _log_pb2.Receipt
    def __init__(self, stale_after_seconds: _Optional[int] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...
