from buf.validate import validate_pb2 as _validate_pb2
from homeward.county.v1 import county_pb2 as _county_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from homeward.gateway.v1 import sealing_pb2 as _sealing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SealRequest(_message.Message):
    __slots__ = ("request_id", "role", "operation", "local_id", "seal_id", "case_reference", "release")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    SEAL_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    role: str
    operation: _sealing_pb2.SealOperation
    local_id: str
    seal_id: str
    case_reference: str
    release: bytes
    def __init__(self, request_id: _Optional[str] = ..., role: _Optional[str] = ..., operation: _Optional[_Union[_sealing_pb2.SealOperation, str]] = ..., local_id: _Optional[str] = ..., seal_id: _Optional[str] = ..., case_reference: _Optional[str] = ..., release: _Optional[bytes] = ...) -> None: ...

class SealResponse(_message.Message):
    __slots__ = ("outcome", "seal_id", "notice_count", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SEAL_ID_FIELD_NUMBER: _ClassVar[int]
    NOTICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    seal_id: str
    notice_count: int
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., seal_id: _Optional[str] = ..., notice_count: _Optional[int] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class RecallRequest(_message.Message):
    __slots__ = ("request_id", "role", "kind", "local_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    role: str
    kind: _sealing_pb2.NoticeKind
    local_id: str
    def __init__(self, request_id: _Optional[str] = ..., role: _Optional[str] = ..., kind: _Optional[_Union[_sealing_pb2.NoticeKind, str]] = ..., local_id: _Optional[str] = ...) -> None: ...

class RecallResponse(_message.Message):
    __slots__ = ("outcome", "notice_id", "notice_count", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    NOTICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notice_id: str
    notice_count: int
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notice_id: _Optional[str] = ..., notice_count: _Optional[int] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListNoticesRequest(_message.Message):
    __slots__ = ("role", "open_only")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    role: str
    open_only: bool
    def __init__(self, role: _Optional[str] = ..., open_only: _Optional[bool] = ...) -> None: ...

class ListNoticesResponse(_message.Message):
    __slots__ = ("notices", "receipt")
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    notices: _containers.RepeatedCompositeFieldContainer[_sealing_pb2.SentNotice]
    receipt: _county_pb2.Receipt
    def __init__(self, notices: _Optional[_Iterable[_Union[_sealing_pb2.SentNotice, _Mapping]]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...
