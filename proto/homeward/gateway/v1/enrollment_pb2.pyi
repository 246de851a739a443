from buf.validate import validate_pb2 as _validate_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrollRequest(_message.Message):
    __slots__ = ("ticket", "certificate_request", "instance", "county_root_key", "keys", "has_sources")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    COUNTY_ROOT_KEY_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    HAS_SOURCES_FIELD_NUMBER: _ClassVar[int]
    ticket: bytes
    certificate_request: bytes
    instance: str
    county_root_key: bytes
    keys: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.SignedEnvelope]
    has_sources: bool
    def __init__(self, ticket: _Optional[bytes] = ..., certificate_request: _Optional[bytes] = ..., instance: _Optional[str] = ..., county_root_key: _Optional[bytes] = ..., keys: _Optional[_Iterable[_Union[_envelope_pb2.SignedEnvelope, _Mapping]]] = ..., has_sources: _Optional[bool] = ...) -> None: ...

class EnrollResponse(_message.Message):
    __slots__ = ("certificate_chain", "ca_certificates", "spiffe_id", "generation")
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    SPIFFE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    certificate_chain: bytes
    ca_certificates: bytes
    spiffe_id: str
    generation: int
    def __init__(self, certificate_chain: _Optional[bytes] = ..., ca_certificates: _Optional[bytes] = ..., spiffe_id: _Optional[str] = ..., generation: _Optional[int] = ...) -> None: ...
