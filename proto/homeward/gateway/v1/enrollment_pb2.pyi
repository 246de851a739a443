import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from homeward.gateway.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EnrollRequest(_message.Message):
    __slots__ = ("ticket", "certificate_request", "instance", "county_root_key", "keys", "has_sources", "signature")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    COUNTY_ROOT_KEY_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    HAS_SOURCES_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    ticket: bytes
    certificate_request: bytes
    instance: str
    county_root_key: bytes
    keys: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.SignedEnvelope]
    has_sources: bool
    signature: bytes
    def __init__(self, ticket: _Optional[bytes] = ..., certificate_request: _Optional[bytes] = ..., instance: _Optional[str] = ..., county_root_key: _Optional[bytes] = ..., keys: _Optional[_Iterable[_Union[_envelope_pb2.SignedEnvelope, _Mapping]]] = ..., has_sources: _Optional[bool] = ..., signature: _Optional[bytes] = ...) -> None: ...

class EnrollResponse(_message.Message):
    __slots__ = ("certificate_chain", "ca_certificates", "spiffe_id", "generation", "receipt")
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    SPIFFE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    certificate_chain: bytes
    ca_certificates: bytes
    spiffe_id: str
    generation: int
    receipt: _log_pb2.Receipt
    def __init__(self, certificate_chain: _Optional[bytes] = ..., ca_certificates: _Optional[bytes] = ..., spiffe_id: _Optional[str] = ..., generation: _Optional[int] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class Invitation(_message.Message):
    __slots__ = ("trust_domain", "agency", "kind", "enrollment_address", "enrollment_certificate_digest", "gateway_address", "gateway_key", "holder_keys", "ticket", "expire_time", "log_key", "log_origin")
    TRUST_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ENROLLMENT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ENROLLMENT_CERTIFICATE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_KEY_FIELD_NUMBER: _ClassVar[int]
    HOLDER_KEYS_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    trust_domain: str
    agency: str
    kind: _codes_pb2.AgencyKind
    enrollment_address: str
    enrollment_certificate_digest: bytes
    gateway_address: str
    gateway_key: bytes
    holder_keys: _containers.RepeatedScalarFieldContainer[bytes]
    ticket: bytes
    expire_time: _timestamp_pb2.Timestamp
    log_key: bytes
    log_origin: str
    def __init__(self, trust_domain: _Optional[str] = ..., agency: _Optional[str] = ..., kind: _Optional[_Union[_codes_pb2.AgencyKind, str]] = ..., enrollment_address: _Optional[str] = ..., enrollment_certificate_digest: _Optional[bytes] = ..., gateway_address: _Optional[str] = ..., gateway_key: _Optional[bytes] = ..., holder_keys: _Optional[_Iterable[bytes]] = ..., ticket: _Optional[bytes] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., log_key: _Optional[bytes] = ..., log_origin: _Optional[str] = ...) -> None: ...
