import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AgencySide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGENCY_SIDE_UNSPECIFIED: _ClassVar[AgencySide]
    AGENCY_SIDE_REQUESTER: _ClassVar[AgencySide]
    AGENCY_SIDE_HOLDER: _ClassVar[AgencySide]

class CompletenessFinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPLETENESS_FINDING_UNSPECIFIED: _ClassVar[CompletenessFinding]
    COMPLETENESS_FINDING_COMPLETE: _ClassVar[CompletenessFinding]
    COMPLETENESS_FINDING_GAP: _ClassVar[CompletenessFinding]
    COMPLETENESS_FINDING_MISSING: _ClassVar[CompletenessFinding]
    COMPLETENESS_FINDING_UNPROVEN: _ClassVar[CompletenessFinding]

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ALLOW: _ClassVar[Decision]
    DECISION_DENY: _ClassVar[Decision]
AGENCY_SIDE_UNSPECIFIED: AgencySide
AGENCY_SIDE_REQUESTER: AgencySide
AGENCY_SIDE_HOLDER: AgencySide
COMPLETENESS_FINDING_UNSPECIFIED: CompletenessFinding
COMPLETENESS_FINDING_COMPLETE: CompletenessFinding
COMPLETENESS_FINDING_GAP: CompletenessFinding
COMPLETENESS_FINDING_MISSING: CompletenessFinding
COMPLETENESS_FINDING_UNPROVEN: CompletenessFinding
DECISION_UNSPECIFIED: Decision
DECISION_ALLOW: Decision
DECISION_DENY: Decision

class Opening(_message.Message):
    __slots__ = ("slot", "name", "value", "salt")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    slot: int
    name: str
    value: bytes
    salt: bytes
    def __init__(self, slot: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[bytes] = ..., salt: _Optional[bytes] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("index", "leaf", "digests", "openings")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    OPENINGS_FIELD_NUMBER: _ClassVar[int]
    index: int
    leaf: bytes
    digests: bytes
    openings: _containers.RepeatedCompositeFieldContainer[Opening]
    def __init__(self, index: _Optional[int] = ..., leaf: _Optional[bytes] = ..., digests: _Optional[bytes] = ..., openings: _Optional[_Iterable[_Union[Opening, _Mapping]]] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("size", "root", "note")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    size: int
    root: bytes
    note: str
    def __init__(self, size: _Optional[int] = ..., root: _Optional[bytes] = ..., note: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("index", "leaf", "digests", "openings", "inclusion_hashes", "checkpoint")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LEAF_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    OPENINGS_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_HASHES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    index: int
    leaf: bytes
    digests: bytes
    openings: _containers.RepeatedCompositeFieldContainer[Opening]
    inclusion_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: str
    def __init__(self, index: _Optional[int] = ..., leaf: _Optional[bytes] = ..., digests: _Optional[bytes] = ..., openings: _Optional[_Iterable[_Union[Opening, _Mapping]]] = ..., inclusion_hashes: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class ConsistencyProof(_message.Message):
    __slots__ = ("old_size", "new_size", "hashes")
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    old_size: int
    new_size: int
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, old_size: _Optional[int] = ..., new_size: _Optional[int] = ..., hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

class AgencyHead(_message.Message):
    __slots__ = ("agency", "sequence", "entry")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    agency: str
    sequence: int
    entry: LogEntry
    def __init__(self, agency: _Optional[str] = ..., sequence: _Optional[int] = ..., entry: _Optional[_Union[LogEntry, _Mapping]] = ...) -> None: ...

class CompletenessAttestation(_message.Message):
    __slots__ = ("log_origin", "tree_size", "root", "agency", "number", "leaf_hash", "finding", "missing_index", "create_time")
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    ROOT_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    MISSING_INDEX_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    log_origin: str
    tree_size: int
    root: bytes
    agency: str
    number: int
    leaf_hash: bytes
    finding: CompletenessFinding
    missing_index: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, log_origin: _Optional[str] = ..., tree_size: _Optional[int] = ..., root: _Optional[bytes] = ..., agency: _Optional[str] = ..., number: _Optional[int] = ..., leaf_hash: _Optional[bytes] = ..., finding: _Optional[_Union[CompletenessFinding, str]] = ..., missing_index: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class EntryFilter(_message.Message):
    __slots__ = ("agency", "side", "counterpart_agency", "kinds", "decision", "reason", "start_time", "end_time", "start_index", "tree_size", "purpose", "outcome", "basis", "role", "worker")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    COUNTERPART_AGENCY_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    START_INDEX_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    agency: str
    side: AgencySide
    counterpart_agency: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    decision: Decision
    reason: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    start_index: int
    tree_size: int
    purpose: str
    outcome: str
    basis: str
    role: str
    worker: str
    def __init__(self, agency: _Optional[str] = ..., side: _Optional[_Union[AgencySide, str]] = ..., counterpart_agency: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ..., decision: _Optional[_Union[Decision, str]] = ..., reason: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_index: _Optional[int] = ..., tree_size: _Optional[int] = ..., purpose: _Optional[str] = ..., outcome: _Optional[str] = ..., basis: _Optional[str] = ..., role: _Optional[str] = ..., worker: _Optional[str] = ...) -> None: ...
