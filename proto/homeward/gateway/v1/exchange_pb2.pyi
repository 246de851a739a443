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

class SourceStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_STATUS_UNSPECIFIED: _ClassVar[SourceStatus]
    SOURCE_STATUS_ANSWERED: _ClassVar[SourceStatus]
    SOURCE_STATUS_OFFLINE: _ClassVar[SourceStatus]
    SOURCE_STATUS_TIMED_OUT: _ClassVar[SourceStatus]
    SOURCE_STATUS_BUSY: _ClassVar[SourceStatus]
    SOURCE_STATUS_ERROR: _ClassVar[SourceStatus]

class ReceiptFinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECEIPT_FINDING_UNSPECIFIED: _ClassVar[ReceiptFinding]
    RECEIPT_FINDING_OPENED: _ClassVar[ReceiptFinding]
    RECEIPT_FINDING_BINDING_FAILED: _ClassVar[ReceiptFinding]
    RECEIPT_FINDING_OVER_DISCLOSED: _ClassVar[ReceiptFinding]
SOURCE_STATUS_UNSPECIFIED: SourceStatus
SOURCE_STATUS_ANSWERED: SourceStatus
SOURCE_STATUS_OFFLINE: SourceStatus
SOURCE_STATUS_TIMED_OUT: SourceStatus
SOURCE_STATUS_BUSY: SourceStatus
SOURCE_STATUS_ERROR: SourceStatus
RECEIPT_FINDING_UNSPECIFIED: ReceiptFinding
RECEIPT_FINDING_OPENED: ReceiptFinding
RECEIPT_FINDING_BINDING_FAILED: ReceiptFinding
RECEIPT_FINDING_OVER_DISCLOSED: ReceiptFinding

class CheckFlagRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class FlagQuery(_message.Message):
    __slots__ = ("request_id", "tokens", "evidence")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    tokens: _envelope_pb2.TokenSet
    evidence: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Evidence]
    def __init__(self, request_id: _Optional[bytes] = ..., tokens: _Optional[_Union[_envelope_pb2.TokenSet, _Mapping]] = ..., evidence: _Optional[_Iterable[_Union[_envelope_pb2.Evidence, _Mapping]]] = ...) -> None: ...

class CheckFlagResponse(_message.Message):
    __slots__ = ("answer", "receipt")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    answer: FlagAnswer
    receipt: _log_pb2.Receipt
    def __init__(self, answer: _Optional[_Union[FlagAnswer, _Mapping]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class StreamFlagChecksRequest(_message.Message):
    __slots__ = ("questions",)
    QUESTIONS_FIELD_NUMBER: _ClassVar[int]
    questions: _containers.RepeatedCompositeFieldContainer[NumberedFlagCheck]
    def __init__(self, questions: _Optional[_Iterable[_Union[NumberedFlagCheck, _Mapping]]] = ...) -> None: ...

class NumberedFlagCheck(_message.Message):
    __slots__ = ("number", "request")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    number: int
    request: CheckFlagRequest
    def __init__(self, number: _Optional[int] = ..., request: _Optional[_Union[CheckFlagRequest, _Mapping]] = ...) -> None: ...

class StreamFlagChecksResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[NumberedFlagResult]
    def __init__(self, results: _Optional[_Iterable[_Union[NumberedFlagResult, _Mapping]]] = ...) -> None: ...

class NumberedFlagResult(_message.Message):
    __slots__ = ("number", "answered", "refused")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    number: int
    answered: CheckFlagResponse
    refused: bytes
    def __init__(self, number: _Optional[int] = ..., answered: _Optional[_Union[CheckFlagResponse, _Mapping]] = ..., refused: _Optional[bytes] = ...) -> None: ...

class FlagAnswer(_message.Message):
    __slots__ = ("outcome", "notices", "flag_statement", "pairwise_handle", "stale_counties", "policy_version", "decide_time", "flag_state", "duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATEMENT_FIELD_NUMBER: _ClassVar[int]
    PAIRWISE_HANDLE_FIELD_NUMBER: _ClassVar[int]
    STALE_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATE_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedScalarFieldContainer[_codes_pb2.Notice]
    flag_statement: _envelope_pb2.SignedEnvelope
    pairwise_handle: bytes
    stale_counties: _containers.RepeatedScalarFieldContainer[str]
    policy_version: str
    decide_time: _timestamp_pb2.Timestamp
    flag_state: _codes_pb2.FlagState
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[_codes_pb2.Notice, str]]] = ..., flag_statement: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., pairwise_handle: _Optional[bytes] = ..., stale_counties: _Optional[_Iterable[str]] = ..., policy_version: _Optional[str] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flag_state: _Optional[_Union[_codes_pb2.FlagState, str]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class FlagStatement(_message.Message):
    __slots__ = ("flag_id", "county", "state", "handling_code", "version", "issue_time", "expire_time")
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HANDLING_CODE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ISSUE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    flag_id: bytes
    county: str
    state: _codes_pb2.FlagState
    handling_code: _codes_pb2.HandlingCode
    version: int
    issue_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, flag_id: _Optional[bytes] = ..., county: _Optional[str] = ..., state: _Optional[_Union[_codes_pb2.FlagState, str]] = ..., handling_code: _Optional[_Union[_codes_pb2.HandlingCode, str]] = ..., version: _Optional[int] = ..., issue_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckFlagsRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class FlagQueryBatch(_message.Message):
    __slots__ = ("queries",)
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    queries: _containers.RepeatedCompositeFieldContainer[FlagQuery]
    def __init__(self, queries: _Optional[_Iterable[_Union[FlagQuery, _Mapping]]] = ...) -> None: ...

class CheckFlagsResponse(_message.Message):
    __slots__ = ("responses",)
    RESPONSES_FIELD_NUMBER: _ClassVar[int]
    responses: _containers.RepeatedCompositeFieldContainer[CheckFlagResponse]
    def __init__(self, responses: _Optional[_Iterable[_Union[CheckFlagResponse, _Mapping]]] = ...) -> None: ...

class RequestRecordsRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class RecordsQuery(_message.Message):
    __slots__ = ("request_id", "tokens", "evidence", "field_sets", "page_size", "page", "recipient_key_id")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FIELD_SETS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    tokens: _envelope_pb2.TokenSet
    evidence: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Evidence]
    field_sets: _containers.RepeatedScalarFieldContainer[_codes_pb2.FieldSet]
    page_size: int
    page: int
    recipient_key_id: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., tokens: _Optional[_Union[_envelope_pb2.TokenSet, _Mapping]] = ..., evidence: _Optional[_Iterable[_Union[_envelope_pb2.Evidence, _Mapping]]] = ..., field_sets: _Optional[_Iterable[_Union[_codes_pb2.FieldSet, str]]] = ..., page_size: _Optional[int] = ..., page: _Optional[int] = ..., recipient_key_id: _Optional[bytes] = ...) -> None: ...

class RequestRecordsResponse(_message.Message):
    __slots__ = ("outcome", "notices", "sources", "stale_counties", "pairwise_handle", "policy_version", "decision_receipt", "release_receipt", "field_sets", "duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    STALE_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    PAIRWISE_HANDLE_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DECISION_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    FIELD_SETS_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedScalarFieldContainer[_codes_pb2.Notice]
    sources: _containers.RepeatedCompositeFieldContainer[SourceAnswer]
    stale_counties: _containers.RepeatedScalarFieldContainer[str]
    pairwise_handle: bytes
    policy_version: str
    decision_receipt: _log_pb2.Receipt
    release_receipt: _log_pb2.Receipt
    field_sets: _containers.RepeatedScalarFieldContainer[_codes_pb2.FieldSet]
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[_codes_pb2.Notice, str]]] = ..., sources: _Optional[_Iterable[_Union[SourceAnswer, _Mapping]]] = ..., stale_counties: _Optional[_Iterable[str]] = ..., pairwise_handle: _Optional[bytes] = ..., policy_version: _Optional[str] = ..., decision_receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., release_receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., field_sets: _Optional[_Iterable[_Union[_codes_pb2.FieldSet, str]]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class SourceAnswer(_message.Message):
    __slots__ = ("agency", "status", "sealed_record")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEALED_RECORD_FIELD_NUMBER: _ClassVar[int]
    agency: str
    status: SourceStatus
    sealed_record: SealedRecord
    def __init__(self, agency: _Optional[str] = ..., status: _Optional[_Union[SourceStatus, str]] = ..., sealed_record: _Optional[_Union[SealedRecord, _Mapping]] = ...) -> None: ...

class SealedRecord(_message.Message):
    __slots__ = ("recipient_key_id", "sealed", "source_key_id", "signature")
    RECIPIENT_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    recipient_key_id: bytes
    sealed: bytes
    source_key_id: bytes
    signature: bytes
    def __init__(self, recipient_key_id: _Optional[bytes] = ..., sealed: _Optional[bytes] = ..., source_key_id: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ConfirmReceiptRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class ReceiptConfirmation(_message.Message):
    __slots__ = ("request_id", "release_index", "finding")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RELEASE_INDEX_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    release_index: int
    finding: ReceiptFinding
    def __init__(self, request_id: _Optional[bytes] = ..., release_index: _Optional[int] = ..., finding: _Optional[_Union[ReceiptFinding, str]] = ...) -> None: ...

class ConfirmReceiptResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _log_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...
