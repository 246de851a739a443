from buf.validate import validate_pb2 as _validate_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EvaluationUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_USE_UNSPECIFIED: _ClassVar[EvaluationUse]
    EVALUATION_USE_REGISTRATION: _ClassVar[EvaluationUse]
    EVALUATION_USE_LOOKUP: _ClassVar[EvaluationUse]
EVALUATION_USE_UNSPECIFIED: EvaluationUse
EVALUATION_USE_REGISTRATION: EvaluationUse
EVALUATION_USE_LOOKUP: EvaluationUse

class EvaluateRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class BlindedBatch(_message.Message):
    __slots__ = ("request_id", "epoch", "record_count", "elements", "use", "generation", "worker")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    epoch: str
    record_count: int
    elements: _containers.RepeatedScalarFieldContainer[bytes]
    use: EvaluationUse
    generation: int
    worker: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., epoch: _Optional[str] = ..., record_count: _Optional[int] = ..., elements: _Optional[_Iterable[bytes]] = ..., use: _Optional[_Union[EvaluationUse, str]] = ..., generation: _Optional[int] = ..., worker: _Optional[bytes] = ...) -> None: ...

class EvaluateResponse(_message.Message):
    __slots__ = ("share_index", "elements", "proof", "receipt")
    SHARE_INDEX_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    share_index: int
    elements: _containers.RepeatedScalarFieldContainer[bytes]
    proof: bytes
    receipt: _log_pb2.Receipt
    def __init__(self, share_index: _Optional[int] = ..., elements: _Optional[_Iterable[bytes]] = ..., proof: _Optional[bytes] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...
