import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from homeward.gateway.v1 import exchange_pb2 as _exchange_pb2
from homeward.gateway.v1 import review_pb2 as _review_pb2
from homeward.gateway.v1 import sealing_pb2 as _sealing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlertKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_KIND_UNSPECIFIED: _ClassVar[AlertKind]
    ALERT_KIND_CHECKED: _ClassVar[AlertKind]
    ALERT_KIND_LOCATED: _ClassVar[AlertKind]
    ALERT_KIND_RESOLVE_ATTEMPTED: _ClassVar[AlertKind]
    ALERT_KIND_SUPPORTING_REPORT: _ClassVar[AlertKind]
    ALERT_KIND_RECORDS_RELEASED: _ClassVar[AlertKind]
    ALERT_KIND_AUTHORITY_REVOKED: _ClassVar[AlertKind]
    ALERT_KIND_NOTICE: _ClassVar[AlertKind]
    ALERT_KIND_REVIEW: _ClassVar[AlertKind]
    ALERT_KIND_EMERGENCY_USED: _ClassVar[AlertKind]
    ALERT_KIND_DECIDE_BY_HAND: _ClassVar[AlertKind]

class WorkStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORK_STATUS_UNSPECIFIED: _ClassVar[WorkStatus]
    WORK_STATUS_ANSWERED: _ClassVar[WorkStatus]
    WORK_STATUS_REFUSED: _ClassVar[WorkStatus]
    WORK_STATUS_BUSY: _ClassVar[WorkStatus]
    WORK_STATUS_ERROR: _ClassVar[WorkStatus]
ALERT_KIND_UNSPECIFIED: AlertKind
ALERT_KIND_CHECKED: AlertKind
ALERT_KIND_LOCATED: AlertKind
ALERT_KIND_RESOLVE_ATTEMPTED: AlertKind
ALERT_KIND_SUPPORTING_REPORT: AlertKind
ALERT_KIND_RECORDS_RELEASED: AlertKind
ALERT_KIND_AUTHORITY_REVOKED: AlertKind
ALERT_KIND_NOTICE: AlertKind
ALERT_KIND_REVIEW: AlertKind
ALERT_KIND_EMERGENCY_USED: AlertKind
ALERT_KIND_DECIDE_BY_HAND: AlertKind
WORK_STATUS_UNSPECIFIED: WorkStatus
WORK_STATUS_ANSWERED: WorkStatus
WORK_STATUS_REFUSED: WorkStatus
WORK_STATUS_BUSY: WorkStatus
WORK_STATUS_ERROR: WorkStatus

class ConnectRequest(_message.Message):
    __slots__ = ("hello", "work_result", "alert_acknowledgement", "ping", "checkpoint_answer", "own_entries_query", "attestation")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    WORK_RESULT_FIELD_NUMBER: _ClassVar[int]
    ALERT_ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_ANSWER_FIELD_NUMBER: _ClassVar[int]
    OWN_ENTRIES_QUERY_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    hello: _envelope_pb2.SignedEnvelope
    work_result: WorkResult
    alert_acknowledgement: AlertAcknowledgement
    ping: Ping
    checkpoint_answer: CheckpointAnswer
    own_entries_query: OwnEntriesQuery
    attestation: _envelope_pb2.SignedEnvelope
    def __init__(self, hello: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., work_result: _Optional[_Union[WorkResult, _Mapping]] = ..., alert_acknowledgement: _Optional[_Union[AlertAcknowledgement, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., checkpoint_answer: _Optional[_Union[CheckpointAnswer, _Mapping]] = ..., own_entries_query: _Optional[_Union[OwnEntriesQuery, _Mapping]] = ..., attestation: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class ConnectResponse(_message.Message):
    __slots__ = ("welcome", "work_order", "alert", "directory_changed", "going_away", "pong", "add_checkpoint", "own_entries")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    WORK_ORDER_FIELD_NUMBER: _ClassVar[int]
    ALERT_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_CHANGED_FIELD_NUMBER: _ClassVar[int]
    GOING_AWAY_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    ADD_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    OWN_ENTRIES_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    work_order: WorkOrder
    alert: Alert
    directory_changed: DirectoryChanged
    going_away: GoingAway
    pong: Pong
    add_checkpoint: AddCheckpoint
    own_entries: OwnEntries
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., work_order: _Optional[_Union[WorkOrder, _Mapping]] = ..., alert: _Optional[_Union[Alert, _Mapping]] = ..., directory_changed: _Optional[_Union[DirectoryChanged, _Mapping]] = ..., going_away: _Optional[_Union[GoingAway, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., add_checkpoint: _Optional[_Union[AddCheckpoint, _Mapping]] = ..., own_entries: _Optional[_Union[OwnEntries, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("create_time", "alert_cursor", "work_credit", "session_nonce", "witness_keys", "cosigned_checkpoint")
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ALERT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    WORK_CREDIT_FIELD_NUMBER: _ClassVar[int]
    SESSION_NONCE_FIELD_NUMBER: _ClassVar[int]
    WITNESS_KEYS_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    create_time: _timestamp_pb2.Timestamp
    alert_cursor: int
    work_credit: int
    session_nonce: bytes
    witness_keys: _containers.RepeatedScalarFieldContainer[str]
    cosigned_checkpoint: str
    def __init__(self, create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alert_cursor: _Optional[int] = ..., work_credit: _Optional[int] = ..., session_nonce: _Optional[bytes] = ..., witness_keys: _Optional[_Iterable[str]] = ..., cosigned_checkpoint: _Optional[str] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("create_time", "directory_version", "resync_required", "alert_sequence")
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESYNC_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    ALERT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    create_time: _timestamp_pb2.Timestamp
    directory_version: int
    resync_required: bool
    alert_sequence: int
    def __init__(self, create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., directory_version: _Optional[int] = ..., resync_required: _Optional[bool] = ..., alert_sequence: _Optional[int] = ...) -> None: ...

class WorkOrder(_message.Message):
    __slots__ = ("work_id", "request_payload", "user_assertion", "authority", "grant", "decision_receipt", "decision_input")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    DECISION_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DECISION_INPUT_FIELD_NUMBER: _ClassVar[int]
    work_id: bytes
    request_payload: bytes
    user_assertion: str
    authority: _envelope_pb2.SignedEnvelope
    grant: Grant
    decision_receipt: _log_pb2.Receipt
    decision_input: bytes
    def __init__(self, work_id: _Optional[bytes] = ..., request_payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ..., authority: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., decision_receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., decision_input: _Optional[bytes] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("subject_handle", "pairwise_handle", "requester_agency", "source_agency", "field_sets", "policy_version", "recipient_key_id", "expire_time", "flag_id")
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    PAIRWISE_HANDLE_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_AGENCY_FIELD_NUMBER: _ClassVar[int]
    FIELD_SETS_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    subject_handle: bytes
    pairwise_handle: bytes
    requester_agency: str
    source_agency: str
    field_sets: _containers.RepeatedScalarFieldContainer[_codes_pb2.FieldSet]
    policy_version: str
    recipient_key_id: bytes
    expire_time: _timestamp_pb2.Timestamp
    flag_id: bytes
    def __init__(self, subject_handle: _Optional[bytes] = ..., pairwise_handle: _Optional[bytes] = ..., requester_agency: _Optional[str] = ..., source_agency: _Optional[str] = ..., field_sets: _Optional[_Iterable[_Union[_codes_pb2.FieldSet, str]]] = ..., policy_version: _Optional[str] = ..., recipient_key_id: _Optional[bytes] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flag_id: _Optional[bytes] = ...) -> None: ...

class WorkResult(_message.Message):
    __slots__ = ("work_id", "status", "sealed_record")
    WORK_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SEALED_RECORD_FIELD_NUMBER: _ClassVar[int]
    work_id: bytes
    status: WorkStatus
    sealed_record: _exchange_pb2.SealedRecord
    def __init__(self, work_id: _Optional[bytes] = ..., status: _Optional[_Union[WorkStatus, str]] = ..., sealed_record: _Optional[_Union[_exchange_pb2.SealedRecord, _Mapping]] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("sequence", "kind", "subject_handle", "flag_id", "acting_agency", "located_county", "purpose", "leaf", "acting_duty_line", "notice", "review", "report_time", "duties")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_HANDLE_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    ACTING_AGENCY_FIELD_NUMBER: _ClassVar[int]
    LOCATED_COUNTY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    ACTING_DUTY_LINE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: AlertKind
    subject_handle: bytes
    flag_id: bytes
    acting_agency: str
    located_county: str
    purpose: _codes_pb2.Purpose
    leaf: _envelope_pb2.LeafReference
    acting_duty_line: str
    notice: _sealing_pb2.SealedNotice
    review: _review_pb2.ReviewTask
    report_time: _timestamp_pb2.Timestamp
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[_Union[AlertKind, str]] = ..., subject_handle: _Optional[bytes] = ..., flag_id: _Optional[bytes] = ..., acting_agency: _Optional[str] = ..., located_county: _Optional[str] = ..., purpose: _Optional[_Union[_codes_pb2.Purpose, str]] = ..., leaf: _Optional[_Union[_envelope_pb2.LeafReference, _Mapping]] = ..., acting_duty_line: _Optional[str] = ..., notice: _Optional[_Union[_sealing_pb2.SealedNotice, _Mapping]] = ..., review: _Optional[_Union[_review_pb2.ReviewTask, _Mapping]] = ..., report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class AlertAcknowledgement(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class DirectoryChanged(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GoingAway(_message.Message):
    __slots__ = ("seconds",)
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seconds: int
    def __init__(self, seconds: _Optional[int] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ("create_time",)
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Pong(_message.Message):
    __slots__ = ("alert_sequence",)
    ALERT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    alert_sequence: int
    def __init__(self, alert_sequence: _Optional[int] = ...) -> None: ...

class AddCheckpoint(_message.Message):
    __slots__ = ("submission_id", "body")
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    submission_id: bytes
    body: bytes
    def __init__(self, submission_id: _Optional[bytes] = ..., body: _Optional[bytes] = ...) -> None: ...

class CheckpointAnswer(_message.Message):
    __slots__ = ("submission_id", "status", "body")
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    submission_id: bytes
    status: int
    body: bytes
    def __init__(self, submission_id: _Optional[bytes] = ..., status: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class OwnEntriesQuery(_message.Message):
    __slots__ = ("tree_size", "start_index")
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    tree_size: int
    start_index: int
    def __init__(self, tree_size: _Optional[int] = ..., start_index: _Optional[int] = ...) -> None: ...

class OwnEntries(_message.Message):
    __slots__ = ("entries", "more")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[OwnEntry]
    more: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[OwnEntry, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class OwnEntry(_message.Message):
    __slots__ = ("entry", "inclusion_hashes")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_HASHES_FIELD_NUMBER: _ClassVar[int]
    entry: _log_pb2.LogEntry
    inclusion_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, entry: _Optional[_Union[_log_pb2.LogEntry, _Mapping]] = ..., inclusion_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...
