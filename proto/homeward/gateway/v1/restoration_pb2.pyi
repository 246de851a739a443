import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PresentEventRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class PresentedEvent(_message.Message):
    __slots__ = ("log_origin", "authority", "revocation", "flag", "report")
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    log_origin: str
    authority: _envelope_pb2.SignedEnvelope
    revocation: PresentedRevocation
    flag: PresentedFlag
    report: PresentedReport
    def __init__(self, log_origin: _Optional[str] = ..., authority: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., revocation: _Optional[_Union[PresentedRevocation, _Mapping]] = ..., flag: _Optional[_Union[PresentedFlag, _Mapping]] = ..., report: _Optional[_Union[PresentedReport, _Mapping]] = ...) -> None: ...

class PresentedRevocation(_message.Message):
    __slots__ = ("authority_id", "revoke_time")
    AUTHORITY_ID_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    authority_id: bytes
    revoke_time: _timestamp_pb2.Timestamp
    def __init__(self, authority_id: _Optional[bytes] = ..., revoke_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PresentedFlag(_message.Message):
    __slots__ = ("subject_handle", "statement", "learn_time")
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    LEARN_TIME_FIELD_NUMBER: _ClassVar[int]
    subject_handle: bytes
    statement: _envelope_pb2.SignedEnvelope
    learn_time: _timestamp_pb2.Timestamp
    def __init__(self, subject_handle: _Optional[bytes] = ..., statement: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., learn_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PresentedReport(_message.Message):
    __slots__ = ("flag_report", "located_report", "flag_resolution", "user_assertion")
    FLAG_REPORT_FIELD_NUMBER: _ClassVar[int]
    LOCATED_REPORT_FIELD_NUMBER: _ClassVar[int]
    FLAG_RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    flag_report: bytes
    located_report: bytes
    flag_resolution: bytes
    user_assertion: str
    def __init__(self, flag_report: _Optional[bytes] = ..., located_report: _Optional[bytes] = ..., flag_resolution: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class PresentEventResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _log_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...
