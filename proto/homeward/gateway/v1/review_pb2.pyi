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

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_SAME: _ClassVar[Verdict]
    VERDICT_DIFFERENT: _ClassVar[Verdict]
    VERDICT_WITHDRAWN: _ClassVar[Verdict]

class ReviewState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_STATE_UNSPECIFIED: _ClassVar[ReviewState]
    REVIEW_STATE_OPEN: _ClassVar[ReviewState]
    REVIEW_STATE_LINKED: _ClassVar[ReviewState]
    REVIEW_STATE_NOT_LINKED: _ClassVar[ReviewState]

class ReviewSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_SIDE_UNSPECIFIED: _ClassVar[ReviewSide]
    REVIEW_SIDE_ASKING: _ClassVar[ReviewSide]
    REVIEW_SIDE_LISTING: _ClassVar[ReviewSide]

class EvidenceTrait(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_TRAIT_UNSPECIFIED: _ClassVar[EvidenceTrait]
    EVIDENCE_TRAIT_GIVEN_NAME: _ClassVar[EvidenceTrait]
    EVIDENCE_TRAIT_SURNAME: _ClassVar[EvidenceTrait]
    EVIDENCE_TRAIT_BIRTH_DATE: _ClassVar[EvidenceTrait]
    EVIDENCE_TRAIT_NUMBER: _ClassVar[EvidenceTrait]
    EVIDENCE_TRAIT_ADDRESS: _ClassVar[EvidenceTrait]

class Agreement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGREEMENT_UNSPECIFIED: _ClassVar[Agreement]
    AGREEMENT_AGREES: _ClassVar[Agreement]
    AGREEMENT_CLOSE: _ClassVar[Agreement]
    AGREEMENT_DIFFERS: _ClassVar[Agreement]
    AGREEMENT_UNKNOWN: _ClassVar[Agreement]
VERDICT_UNSPECIFIED: Verdict
VERDICT_SAME: Verdict
VERDICT_DIFFERENT: Verdict
VERDICT_WITHDRAWN: Verdict
REVIEW_STATE_UNSPECIFIED: ReviewState
REVIEW_STATE_OPEN: ReviewState
REVIEW_STATE_LINKED: ReviewState
REVIEW_STATE_NOT_LINKED: ReviewState
REVIEW_SIDE_UNSPECIFIED: ReviewSide
REVIEW_SIDE_ASKING: ReviewSide
REVIEW_SIDE_LISTING: ReviewSide
EVIDENCE_TRAIT_UNSPECIFIED: EvidenceTrait
EVIDENCE_TRAIT_GIVEN_NAME: EvidenceTrait
EVIDENCE_TRAIT_SURNAME: EvidenceTrait
EVIDENCE_TRAIT_BIRTH_DATE: EvidenceTrait
EVIDENCE_TRAIT_NUMBER: EvidenceTrait
EVIDENCE_TRAIT_ADDRESS: EvidenceTrait
AGREEMENT_UNSPECIFIED: Agreement
AGREEMENT_AGREES: Agreement
AGREEMENT_CLOSE: Agreement
AGREEMENT_DIFFERS: Agreement
AGREEMENT_UNKNOWN: Agreement

class GiveVerdictRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class ReviewVerdict(_message.Message):
    __slots__ = ("review_id", "verdict", "create_time", "worker")
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    review_id: bytes
    verdict: Verdict
    create_time: _timestamp_pb2.Timestamp
    worker: str
    def __init__(self, review_id: _Optional[bytes] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., worker: _Optional[str] = ...) -> None: ...

class GiveVerdictResponse(_message.Message):
    __slots__ = ("state", "receipt")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    state: ReviewState
    receipt: _log_pb2.Receipt
    def __init__(self, state: _Optional[_Union[ReviewState, str]] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ReviewTask(_message.Message):
    __slots__ = ("review_id", "side", "state", "evidence", "request_id", "naming_digests", "epoch")
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAMING_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    review_id: bytes
    side: ReviewSide
    state: ReviewState
    evidence: _containers.RepeatedCompositeFieldContainer[ReviewEvidence]
    request_id: bytes
    naming_digests: _containers.RepeatedScalarFieldContainer[bytes]
    epoch: str
    def __init__(self, review_id: _Optional[bytes] = ..., side: _Optional[_Union[ReviewSide, str]] = ..., state: _Optional[_Union[ReviewState, str]] = ..., evidence: _Optional[_Iterable[_Union[ReviewEvidence, _Mapping]]] = ..., request_id: _Optional[bytes] = ..., naming_digests: _Optional[_Iterable[bytes]] = ..., epoch: _Optional[str] = ...) -> None: ...

class ReviewEvidence(_message.Message):
    __slots__ = ("trait", "agreement")
    TRAIT_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    trait: EvidenceTrait
    agreement: Agreement
    def __init__(self, trait: _Optional[_Union[EvidenceTrait, str]] = ..., agreement: _Optional[_Union[Agreement, str]] = ...) -> None: ...
