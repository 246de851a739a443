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

class Duty(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DUTY_UNSPECIFIED: _ClassVar[Duty]
    DUTY_LAW_ENFORCEMENT_REPORT: _ClassVar[Duty]
    DUTY_NCMEC_REPORT: _ClassVar[Duty]
    DUTY_PARTIES_NOTICE: _ClassVar[Duty]
    DUTY_COURT_NOTICE: _ClassVar[Duty]
    DUTY_TRIBE_NOTICE: _ClassVar[Duty]
    DUTY_FOUND_REPORT: _ClassVar[Duty]
DUTY_UNSPECIFIED: Duty
DUTY_LAW_ENFORCEMENT_REPORT: Duty
DUTY_NCMEC_REPORT: Duty
DUTY_PARTIES_NOTICE: Duty
DUTY_COURT_NOTICE: Duty
DUTY_TRIBE_NOTICE: Duty
DUTY_FOUND_REPORT: Duty

class RaiseFlagRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class FlagReport(_message.Message):
    __slots__ = ("request_id", "subject_handle", "tokens", "flag_statement", "learn_time", "of_another_agency", "missing_again")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    LEARN_TIME_FIELD_NUMBER: _ClassVar[int]
    OF_ANOTHER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    MISSING_AGAIN_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    subject_handle: bytes
    tokens: _envelope_pb2.TokenSet
    flag_statement: _envelope_pb2.SignedEnvelope
    learn_time: _timestamp_pb2.Timestamp
    of_another_agency: bool
    missing_again: bool
    def __init__(self, request_id: _Optional[bytes] = ..., subject_handle: _Optional[bytes] = ..., tokens: _Optional[_Union[_envelope_pb2.TokenSet, _Mapping]] = ..., flag_statement: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., learn_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., of_another_agency: _Optional[bool] = ..., missing_again: _Optional[bool] = ...) -> None: ...

class RaiseFlagResponse(_message.Message):
    __slots__ = ("outcome", "flag_id", "late", "receipt", "standing_statement")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    STANDING_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    flag_id: bytes
    late: bool
    receipt: _log_pb2.Receipt
    standing_statement: _envelope_pb2.SignedEnvelope
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., flag_id: _Optional[bytes] = ..., late: _Optional[bool] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., standing_statement: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class UpdateFlagRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class FlagUpdate(_message.Message):
    __slots__ = ("request_id", "flag_id", "flag_statement", "duties", "still_missing")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    STILL_MISSING_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    flag_id: bytes
    flag_statement: _envelope_pb2.SignedEnvelope
    duties: _containers.RepeatedCompositeFieldContainer[DutyDone]
    still_missing: bool
    def __init__(self, request_id: _Optional[bytes] = ..., flag_id: _Optional[bytes] = ..., flag_statement: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[DutyDone, _Mapping]]] = ..., still_missing: _Optional[bool] = ...) -> None: ...

class DutyDone(_message.Message):
    __slots__ = ("duty", "done_time")
    DUTY_FIELD_NUMBER: _ClassVar[int]
    DONE_TIME_FIELD_NUMBER: _ClassVar[int]
    duty: Duty
    done_time: _timestamp_pb2.Timestamp
    def __init__(self, duty: _Optional[_Union[Duty, str]] = ..., done_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class UpdateFlagResponse(_message.Message):
    __slots__ = ("outcome", "open_duties", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OPEN_DUTIES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    open_duties: _containers.RepeatedCompositeFieldContainer[DutyDue]
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., open_duties: _Optional[_Iterable[_Union[DutyDue, _Mapping]]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class DutyDue(_message.Message):
    __slots__ = ("duty", "due_time", "overdue")
    DUTY_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    duty: Duty
    due_time: _timestamp_pb2.Timestamp
    overdue: bool
    def __init__(self, duty: _Optional[_Union[Duty, str]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overdue: _Optional[bool] = ...) -> None: ...

class ReportLocatedRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class LocatedReport(_message.Message):
    __slots__ = ("request_id", "flag_id", "located_county", "locate_time")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    LOCATED_COUNTY_FIELD_NUMBER: _ClassVar[int]
    LOCATE_TIME_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    flag_id: bytes
    located_county: str
    locate_time: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[bytes] = ..., flag_id: _Optional[bytes] = ..., located_county: _Optional[str] = ..., locate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ReportLocatedResponse(_message.Message):
    __slots__ = ("outcome", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _log_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ResolveFlagRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class FlagResolution(_message.Message):
    __slots__ = ("request_id", "flag_id", "flag_statement")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    flag_id: bytes
    flag_statement: _envelope_pb2.SignedEnvelope
    def __init__(self, request_id: _Optional[bytes] = ..., flag_id: _Optional[bytes] = ..., flag_statement: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class ResolveFlagResponse(_message.Message):
    __slots__ = ("outcome", "receipt", "flag_state", "open_duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _log_pb2.Receipt
    flag_state: _codes_pb2.FlagState
    open_duties: _containers.RepeatedCompositeFieldContainer[DutyDue]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., flag_state: _Optional[_Union[_codes_pb2.FlagState, str]] = ..., open_duties: _Optional[_Iterable[_Union[DutyDue, _Mapping]]] = ...) -> None: ...
