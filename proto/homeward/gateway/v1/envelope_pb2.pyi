import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignedEnvelope(_message.Message):
    __slots__ = ("payload_type", "payload", "key_id", "signature")
    PAYLOAD_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    payload_type: str
    payload: bytes
    key_id: bytes
    signature: bytes
    def __init__(self, payload_type: _Optional[str] = ..., payload: _Optional[bytes] = ..., key_id: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class TokenSet(_message.Message):
    __slots__ = ("epoch", "scheme", "presence", "tokens")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    scheme: str
    presence: int
    tokens: bytes
    def __init__(self, epoch: _Optional[str] = ..., scheme: _Optional[str] = ..., presence: _Optional[int] = ..., tokens: _Optional[bytes] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("kind", "reference_commitment")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    kind: _codes_pb2.EvidenceKind
    reference_commitment: bytes
    def __init__(self, kind: _Optional[_Union[_codes_pb2.EvidenceKind, str]] = ..., reference_commitment: _Optional[bytes] = ...) -> None: ...

class LeafReference(_message.Message):
    __slots__ = ("index", "create_time")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    index: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, index: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
