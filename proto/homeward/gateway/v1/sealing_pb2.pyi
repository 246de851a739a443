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

class SealOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEAL_OPERATION_UNSPECIFIED: _ClassVar[SealOperation]
    SEAL_OPERATION_RESTRICT: _ClassVar[SealOperation]
    SEAL_OPERATION_DESTROY: _ClassVar[SealOperation]
    SEAL_OPERATION_LIFT: _ClassVar[SealOperation]

class NoticeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_KIND_UNSPECIFIED: _ClassVar[NoticeKind]
    NOTICE_KIND_SEALED: _ClassVar[NoticeKind]
    NOTICE_KIND_WRONG_YOUTH: _ClassVar[NoticeKind]
    NOTICE_KIND_FLAG_RETRACTED: _ClassVar[NoticeKind]

class NoticeFinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_FINDING_UNSPECIFIED: _ClassVar[NoticeFinding]
    NOTICE_FINDING_DONE: _ClassVar[NoticeFinding]
    NOTICE_FINDING_NOTHING_KEPT: _ClassVar[NoticeFinding]
    NOTICE_FINDING_UNREADABLE: _ClassVar[NoticeFinding]
SEAL_OPERATION_UNSPECIFIED: SealOperation
SEAL_OPERATION_RESTRICT: SealOperation
SEAL_OPERATION_DESTROY: SealOperation
SEAL_OPERATION_LIFT: SealOperation
NOTICE_KIND_UNSPECIFIED: NoticeKind
NOTICE_KIND_SEALED: NoticeKind
NOTICE_KIND_WRONG_YOUTH: NoticeKind
NOTICE_KIND_FLAG_RETRACTED: NoticeKind
NOTICE_FINDING_UNSPECIFIED: NoticeFinding
NOTICE_FINDING_DONE: NoticeFinding
NOTICE_FINDING_NOTHING_KEPT: NoticeFinding
NOTICE_FINDING_UNREADABLE: NoticeFinding

class SealRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class SealOrder(_message.Message):
    __slots__ = ("request_id", "operation", "subject_handle", "seal_id", "case_commitment", "token_digests", "released_key")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    SEAL_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_KEY_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    operation: SealOperation
    subject_handle: bytes
    seal_id: bytes
    case_commitment: bytes
    token_digests: _containers.RepeatedScalarFieldContainer[bytes]
    released_key: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., operation: _Optional[_Union[SealOperation, str]] = ..., subject_handle: _Optional[bytes] = ..., seal_id: _Optional[bytes] = ..., case_commitment: _Optional[bytes] = ..., token_digests: _Optional[_Iterable[bytes]] = ..., released_key: _Optional[bytes] = ...) -> None: ...

class SealResponse(_message.Message):
    __slots__ = ("outcome", "seal_id", "notice_count", "receipt", "subject_handle")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    SEAL_ID_FIELD_NUMBER: _ClassVar[int]
    NOTICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    seal_id: bytes
    notice_count: int
    receipt: _log_pb2.Receipt
    subject_handle: bytes
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., seal_id: _Optional[bytes] = ..., notice_count: _Optional[int] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., subject_handle: _Optional[bytes] = ...) -> None: ...

class RecallRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class RecallOrder(_message.Message):
    __slots__ = ("request_id", "kind", "subject_handle")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    kind: NoticeKind
    subject_handle: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., kind: _Optional[_Union[NoticeKind, str]] = ..., subject_handle: _Optional[bytes] = ...) -> None: ...

class RecallResponse(_message.Message):
    __slots__ = ("outcome", "notice_id", "notice_count", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    NOTICE_COUNT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notice_id: bytes
    notice_count: int
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notice_id: _Optional[bytes] = ..., notice_count: _Optional[int] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ListNoticesRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class NoticeFilter(_message.Message):
    __slots__ = ("request_id", "open_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    open_only: bool
    def __init__(self, request_id: _Optional[bytes] = ..., open_only: _Optional[bool] = ...) -> None: ...

class ListNoticesResponse(_message.Message):
    __slots__ = ("outcome", "notices", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedCompositeFieldContainer[SentNotice]
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[SentNotice, _Mapping]]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class SentNotice(_message.Message):
    __slots__ = ("notice_id", "kind", "create_time", "copies")
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COPIES_FIELD_NUMBER: _ClassVar[int]
    notice_id: bytes
    kind: NoticeKind
    create_time: _timestamp_pb2.Timestamp
    copies: _containers.RepeatedCompositeFieldContainer[NoticeCopy]
    def __init__(self, notice_id: _Optional[bytes] = ..., kind: _Optional[_Union[NoticeKind, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., copies: _Optional[_Iterable[_Union[NoticeCopy, _Mapping]]] = ...) -> None: ...

class NoticeCopy(_message.Message):
    __slots__ = ("agency", "acknowledge_time", "finding")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    agency: str
    acknowledge_time: _timestamp_pb2.Timestamp
    finding: NoticeFinding
    def __init__(self, agency: _Optional[str] = ..., acknowledge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finding: _Optional[_Union[NoticeFinding, str]] = ...) -> None: ...

class SealedNotice(_message.Message):
    __slots__ = ("notice_id", "kind", "sealed", "recipient_key_id")
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    notice_id: bytes
    kind: NoticeKind
    sealed: bytes
    recipient_key_id: bytes
    def __init__(self, notice_id: _Optional[bytes] = ..., kind: _Optional[_Union[NoticeKind, str]] = ..., sealed: _Optional[bytes] = ..., recipient_key_id: _Optional[bytes] = ...) -> None: ...

class NoticeContent(_message.Message):
    __slots__ = ("leaf_indexes", "padding")
    LEAF_INDEXES_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    leaf_indexes: _containers.RepeatedScalarFieldContainer[int]
    padding: bytes
    def __init__(self, leaf_indexes: _Optional[_Iterable[int]] = ..., padding: _Optional[bytes] = ...) -> None: ...

class AcknowledgeNoticeRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class NoticeAcknowledgement(_message.Message):
    __slots__ = ("notice_id", "finding")
    NOTICE_ID_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    notice_id: bytes
    finding: NoticeFinding
    def __init__(self, notice_id: _Optional[bytes] = ..., finding: _Optional[_Union[NoticeFinding, str]] = ...) -> None: ...

class AcknowledgeNoticeResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _log_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...
