import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.county.v1 import county_pb2 as _county_pb2
from homeward.gateway.v1 import missing_pb2 as _missing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListAccessesRequest(_message.Message):
    __slots__ = ("filter", "role", "page_size", "page_token", "local_id", "youth", "with_proofs", "consistent_size")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    YOUTH_FIELD_NUMBER: _ClassVar[int]
    WITH_PROOFS_FIELD_NUMBER: _ClassVar[int]
    CONSISTENT_SIZE_FIELD_NUMBER: _ClassVar[int]
    filter: _log_pb2.EntryFilter
    role: str
    page_size: int
    page_token: str
    local_id: str
    youth: _county_pb2.YouthIdentity
    with_proofs: bool
    consistent_size: int
    def __init__(self, filter: _Optional[_Union[_log_pb2.EntryFilter, _Mapping]] = ..., role: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., local_id: _Optional[str] = ..., youth: _Optional[_Union[_county_pb2.YouthIdentity, _Mapping]] = ..., with_proofs: _Optional[bool] = ..., consistent_size: _Optional[int] = ...) -> None: ...

class ListAccessesResponse(_message.Message):
    __slots__ = ("entries", "next_page_token", "checkpoint", "receipt", "reading", "log_key", "consistency_hashes", "attestation", "is_sealed", "is_oversight")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    CONSISTENCY_HASHES_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    IS_SEALED_FIELD_NUMBER: _ClassVar[int]
    IS_OVERSIGHT_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AccessEntry]
    next_page_token: str
    checkpoint: str
    receipt: _county_pb2.Receipt
    reading: _log_pb2.Receipt
    log_key: str
    consistency_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    attestation: _log_pb2.CompletenessAttestation
    is_sealed: bool
    is_oversight: bool
    def __init__(self, entries: _Optional[_Iterable[_Union[AccessEntry, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., checkpoint: _Optional[str] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., reading: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., log_key: _Optional[str] = ..., consistency_hashes: _Optional[_Iterable[bytes]] = ..., attestation: _Optional[_Union[_log_pb2.CompletenessAttestation, _Mapping]] = ..., is_sealed: _Optional[bool] = ..., is_oversight: _Optional[bool] = ...) -> None: ...

class AccessEntry(_message.Message):
    __slots__ = ("index", "create_time", "fields", "local_id", "sentence", "proof", "requester_agency", "holder_agency")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    HOLDER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    index: int
    create_time: _timestamp_pb2.Timestamp
    fields: _containers.RepeatedCompositeFieldContainer[AccessField]
    local_id: str
    sentence: str
    proof: _log_pb2.Receipt
    requester_agency: str
    holder_agency: str
    def __init__(self, index: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fields: _Optional[_Iterable[_Union[AccessField, _Mapping]]] = ..., local_id: _Optional[str] = ..., sentence: _Optional[str] = ..., proof: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., requester_agency: _Optional[str] = ..., holder_agency: _Optional[str] = ...) -> None: ...

class AccessField(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("agency", "spiffe_id", "certificate_expire_time", "link_up", "directory_version", "listed_count", "sources", "open_alert_count", "policy_version", "tokens_ready", "witnessed_size", "log_forked", "unproven_holders", "sole_operators", "epochs", "attestation", "presenting", "due_flags", "overdue_duties", "lost_alert", "missing_alert", "forgotten_alert", "another_log_holders", "unanswered_flag_ids", "unanswered_seal_count", "certificate_refused")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    SPIFFE_ID_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LINK_UP_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_VERSION_FIELD_NUMBER: _ClassVar[int]
    LISTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    OPEN_ALERT_COUNT_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    TOKENS_READY_FIELD_NUMBER: _ClassVar[int]
    WITNESSED_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOG_FORKED_FIELD_NUMBER: _ClassVar[int]
    UNPROVEN_HOLDERS_FIELD_NUMBER: _ClassVar[int]
    SOLE_OPERATORS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    ATTESTATION_FIELD_NUMBER: _ClassVar[int]
    PRESENTING_FIELD_NUMBER: _ClassVar[int]
    DUE_FLAGS_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_DUTIES_FIELD_NUMBER: _ClassVar[int]
    LOST_ALERT_FIELD_NUMBER: _ClassVar[int]
    MISSING_ALERT_FIELD_NUMBER: _ClassVar[int]
    FORGOTTEN_ALERT_FIELD_NUMBER: _ClassVar[int]
    ANOTHER_LOG_HOLDERS_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_FLAG_IDS_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_SEAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_REFUSED_FIELD_NUMBER: _ClassVar[int]
    agency: str
    spiffe_id: str
    certificate_expire_time: _timestamp_pb2.Timestamp
    link_up: bool
    directory_version: int
    listed_count: int
    sources: _containers.RepeatedCompositeFieldContainer[SourceState]
    open_alert_count: int
    policy_version: str
    tokens_ready: bool
    witnessed_size: int
    log_forked: bool
    unproven_holders: _containers.RepeatedScalarFieldContainer[str]
    sole_operators: _containers.RepeatedScalarFieldContainer[str]
    epochs: _containers.RepeatedCompositeFieldContainer[EpochListing]
    attestation: _log_pb2.CompletenessAttestation
    presenting: PresentingState
    due_flags: _containers.RepeatedCompositeFieldContainer[FlagDue]
    overdue_duties: _containers.RepeatedCompositeFieldContainer[OverdueDuty]
    lost_alert: int
    missing_alert: int
    forgotten_alert: int
    another_log_holders: _containers.RepeatedScalarFieldContainer[str]
    unanswered_flag_ids: _containers.RepeatedScalarFieldContainer[bytes]
    unanswered_seal_count: int
    certificate_refused: bool
    def __init__(self, agency: _Optional[str] = ..., spiffe_id: _Optional[str] = ..., certificate_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., link_up: _Optional[bool] = ..., directory_version: _Optional[int] = ..., listed_count: _Optional[int] = ..., sources: _Optional[_Iterable[_Union[SourceState, _Mapping]]] = ..., open_alert_count: _Optional[int] = ..., policy_version: _Optional[str] = ..., tokens_ready: _Optional[bool] = ..., witnessed_size: _Optional[int] = ..., log_forked: _Optional[bool] = ..., unproven_holders: _Optional[_Iterable[str]] = ..., sole_operators: _Optional[_Iterable[str]] = ..., epochs: _Optional[_Iterable[_Union[EpochListing, _Mapping]]] = ..., attestation: _Optional[_Union[_log_pb2.CompletenessAttestation, _Mapping]] = ..., presenting: _Optional[_Union[PresentingState, _Mapping]] = ..., due_flags: _Optional[_Iterable[_Union[FlagDue, _Mapping]]] = ..., overdue_duties: _Optional[_Iterable[_Union[OverdueDuty, _Mapping]]] = ..., lost_alert: _Optional[int] = ..., missing_alert: _Optional[int] = ..., forgotten_alert: _Optional[int] = ..., another_log_holders: _Optional[_Iterable[str]] = ..., unanswered_flag_ids: _Optional[_Iterable[bytes]] = ..., unanswered_seal_count: _Optional[int] = ..., certificate_refused: _Optional[bool] = ...) -> None: ...

class OverdueDuty(_message.Message):
    __slots__ = ("flag_id", "duty", "due_time")
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    DUTY_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    flag_id: bytes
    duty: _missing_pb2.Duty
    due_time: _timestamp_pb2.Timestamp
    def __init__(self, flag_id: _Optional[bytes] = ..., duty: _Optional[_Union[_missing_pb2.Duty, str]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FlagDue(_message.Message):
    __slots__ = ("flag_id", "expire_time")
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    flag_id: bytes
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, flag_id: _Optional[bytes] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PresentingState(_message.Message):
    __slots__ = ("due_authority_count", "due_flag_count", "doubted_authority_count", "doubted_authority_ids", "refused_flag_count", "refused_flag_ids", "refused_revocation_count", "refused_revocation_ids", "due_report_count", "refused_report_count", "refused_report_ids")
    DUE_AUTHORITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUE_FLAG_COUNT_FIELD_NUMBER: _ClassVar[int]
    DOUBTED_AUTHORITY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DOUBTED_AUTHORITY_IDS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FLAG_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FLAG_IDS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_REVOCATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_REVOCATION_IDS_FIELD_NUMBER: _ClassVar[int]
    DUE_REPORT_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_REPORT_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_REPORT_IDS_FIELD_NUMBER: _ClassVar[int]
    due_authority_count: int
    due_flag_count: int
    doubted_authority_count: int
    doubted_authority_ids: _containers.RepeatedScalarFieldContainer[bytes]
    refused_flag_count: int
    refused_flag_ids: _containers.RepeatedScalarFieldContainer[bytes]
    refused_revocation_count: int
    refused_revocation_ids: _containers.RepeatedScalarFieldContainer[bytes]
    due_report_count: int
    refused_report_count: int
    refused_report_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, due_authority_count: _Optional[int] = ..., due_flag_count: _Optional[int] = ..., doubted_authority_count: _Optional[int] = ..., doubted_authority_ids: _Optional[_Iterable[bytes]] = ..., refused_flag_count: _Optional[int] = ..., refused_flag_ids: _Optional[_Iterable[bytes]] = ..., refused_revocation_count: _Optional[int] = ..., refused_revocation_ids: _Optional[_Iterable[bytes]] = ..., due_report_count: _Optional[int] = ..., refused_report_count: _Optional[int] = ..., refused_report_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class EpochListing(_message.Message):
    __slots__ = ("epoch", "listed_count", "due_count")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LISTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUE_COUNT_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    listed_count: int
    due_count: int
    def __init__(self, epoch: _Optional[str] = ..., listed_count: _Optional[int] = ..., due_count: _Optional[int] = ...) -> None: ...

class SourceState(_message.Message):
    __slots__ = ("name", "data_as_of_time", "freshness", "record_count", "refused_count", "code", "row_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    RECORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    data_as_of_time: _timestamp_pb2.Timestamp
    freshness: str
    record_count: int
    refused_count: int
    code: str
    row_count: int
    def __init__(self, name: _Optional[str] = ..., data_as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., freshness: _Optional[str] = ..., record_count: _Optional[int] = ..., refused_count: _Optional[int] = ..., code: _Optional[str] = ..., row_count: _Optional[int] = ...) -> None: ...
