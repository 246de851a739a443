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

class EpochRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EPOCH_ROLE_UNSPECIFIED: _ClassVar[EpochRole]
    EPOCH_ROLE_FOLLOWING: _ClassVar[EpochRole]
    EPOCH_ROLE_PRECEDING: _ClassVar[EpochRole]

class KeyUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_USE_UNSPECIFIED: _ClassVar[KeyUse]
    KEY_USE_ENVELOPE: _ClassVar[KeyUse]
    KEY_USE_ASSERTION: _ClassVar[KeyUse]
    KEY_USE_AUTHORITY: _ClassVar[KeyUse]
    KEY_USE_RECORD: _ClassVar[KeyUse]
    KEY_USE_FLAG: _ClassVar[KeyUse]
    KEY_USE_SEAL: _ClassVar[KeyUse]

class PepperState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PEPPER_STATE_UNSPECIFIED: _ClassVar[PepperState]
    PEPPER_STATE_ABSENT: _ClassVar[PepperState]
    PEPPER_STATE_WAITING: _ClassVar[PepperState]
    PEPPER_STATE_AVAILABLE: _ClassVar[PepperState]
EPOCH_ROLE_UNSPECIFIED: EpochRole
EPOCH_ROLE_FOLLOWING: EpochRole
EPOCH_ROLE_PRECEDING: EpochRole
KEY_USE_UNSPECIFIED: KeyUse
KEY_USE_ENVELOPE: KeyUse
KEY_USE_ASSERTION: KeyUse
KEY_USE_AUTHORITY: KeyUse
KEY_USE_RECORD: KeyUse
KEY_USE_FLAG: KeyUse
KEY_USE_SEAL: KeyUse
PEPPER_STATE_UNSPECIFIED: PepperState
PEPPER_STATE_ABSENT: PepperState
PEPPER_STATE_WAITING: PepperState
PEPPER_STATE_AVAILABLE: PepperState

class Directory(_message.Message):
    __slots__ = ("trust_domain", "version", "create_time", "counties", "members", "holders", "log_key", "log_origin", "policy_version", "policy_digest", "epoch", "counties_without_agreement", "pepper_commitment", "sharing", "demo", "other_epoch", "successions")
    TRUST_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    COUNTIES_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_DIGEST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COUNTIES_WITHOUT_AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    PEPPER_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SHARING_FIELD_NUMBER: _ClassVar[int]
    DEMO_FIELD_NUMBER: _ClassVar[int]
    OTHER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SUCCESSIONS_FIELD_NUMBER: _ClassVar[int]
    trust_domain: str
    version: int
    create_time: _timestamp_pb2.Timestamp
    counties: _containers.RepeatedCompositeFieldContainer[County]
    members: _containers.RepeatedCompositeFieldContainer[Member]
    holders: _containers.RepeatedCompositeFieldContainer[KeyHolder]
    log_key: bytes
    log_origin: str
    policy_version: str
    policy_digest: bytes
    epoch: str
    counties_without_agreement: _containers.RepeatedScalarFieldContainer[str]
    pepper_commitment: bytes
    sharing: KeySharing
    demo: bool
    other_epoch: OtherEpoch
    successions: _containers.RepeatedCompositeFieldContainer[SignedSuccession]
    def __init__(self, trust_domain: _Optional[str] = ..., version: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counties: _Optional[_Iterable[_Union[County, _Mapping]]] = ..., members: _Optional[_Iterable[_Union[Member, _Mapping]]] = ..., holders: _Optional[_Iterable[_Union[KeyHolder, _Mapping]]] = ..., log_key: _Optional[bytes] = ..., log_origin: _Optional[str] = ..., policy_version: _Optional[str] = ..., policy_digest: _Optional[bytes] = ..., epoch: _Optional[str] = ..., counties_without_agreement: _Optional[_Iterable[str]] = ..., pepper_commitment: _Optional[bytes] = ..., sharing: _Optional[_Union[KeySharing, _Mapping]] = ..., demo: _Optional[bool] = ..., other_epoch: _Optional[_Union[OtherEpoch, _Mapping]] = ..., successions: _Optional[_Iterable[_Union[SignedSuccession, _Mapping]]] = ...) -> None: ...

class LogSuccession(_message.Message):
    __slots__ = ("trust_domain", "closed_origin", "closed_key", "closed_checkpoint", "kept_count", "closed_size", "log_origin", "log_key", "create_time")
    TRUST_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    CLOSED_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    CLOSED_KEY_FIELD_NUMBER: _ClassVar[int]
    CLOSED_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    KEPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    trust_domain: str
    closed_origin: str
    closed_key: bytes
    closed_checkpoint: str
    kept_count: int
    closed_size: int
    log_origin: str
    log_key: bytes
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, trust_domain: _Optional[str] = ..., closed_origin: _Optional[str] = ..., closed_key: _Optional[bytes] = ..., closed_checkpoint: _Optional[str] = ..., kept_count: _Optional[int] = ..., closed_size: _Optional[int] = ..., log_origin: _Optional[str] = ..., log_key: _Optional[bytes] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignedSuccession(_message.Message):
    __slots__ = ("succession", "signatures")
    SUCCESSION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    succession: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[DirectorySignature]
    def __init__(self, succession: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[DirectorySignature, _Mapping]]] = ...) -> None: ...

class LossDeclaration(_message.Message):
    __slots__ = ("signed", "directories", "newest")
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    DIRECTORIES_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    signed: SignedSuccession
    directories: _containers.RepeatedCompositeFieldContainer[SignedDirectory]
    newest: _containers.RepeatedCompositeFieldContainer[DirectorySignature]
    def __init__(self, signed: _Optional[_Union[SignedSuccession, _Mapping]] = ..., directories: _Optional[_Iterable[_Union[SignedDirectory, _Mapping]]] = ..., newest: _Optional[_Iterable[_Union[DirectorySignature, _Mapping]]] = ...) -> None: ...

class OtherEpoch(_message.Message):
    __slots__ = ("role", "sharing", "pepper_commitment")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    SHARING_FIELD_NUMBER: _ClassVar[int]
    PEPPER_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    role: EpochRole
    sharing: KeySharing
    pepper_commitment: bytes
    def __init__(self, role: _Optional[_Union[EpochRole, str]] = ..., sharing: _Optional[_Union[KeySharing, _Mapping]] = ..., pepper_commitment: _Optional[bytes] = ...) -> None: ...

class KeySharing(_message.Message):
    __slots__ = ("epoch", "generation", "commitments")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    generation: int
    commitments: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, epoch: _Optional[str] = ..., generation: _Optional[int] = ..., commitments: _Optional[_Iterable[bytes]] = ...) -> None: ...

class County(_message.Message):
    __slots__ = ("fips", "root_key", "duty_line", "hotline", "flag_keys")
    FIPS_FIELD_NUMBER: _ClassVar[int]
    ROOT_KEY_FIELD_NUMBER: _ClassVar[int]
    DUTY_LINE_FIELD_NUMBER: _ClassVar[int]
    HOTLINE_FIELD_NUMBER: _ClassVar[int]
    FLAG_KEYS_FIELD_NUMBER: _ClassVar[int]
    fips: str
    root_key: bytes
    duty_line: str
    hotline: str
    flag_keys: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.SignedEnvelope]
    def __init__(self, fips: _Optional[str] = ..., root_key: _Optional[bytes] = ..., duty_line: _Optional[str] = ..., hotline: _Optional[str] = ..., flag_keys: _Optional[_Iterable[_Union[_envelope_pb2.SignedEnvelope, _Mapping]]] = ...) -> None: ...

class Member(_message.Message):
    __slots__ = ("agency", "kind", "keys", "suspended", "has_sources")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    HAS_SOURCES_FIELD_NUMBER: _ClassVar[int]
    agency: str
    kind: _codes_pb2.AgencyKind
    keys: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.SignedEnvelope]
    suspended: bool
    has_sources: bool
    def __init__(self, agency: _Optional[str] = ..., kind: _Optional[_Union[_codes_pb2.AgencyKind, str]] = ..., keys: _Optional[_Iterable[_Union[_envelope_pb2.SignedEnvelope, _Mapping]]] = ..., suspended: _Optional[bool] = ..., has_sources: _Optional[bool] = ...) -> None: ...

class KeyHolder(_message.Message):
    __slots__ = ("share_index", "operator", "address", "ca_fingerprint", "ca_certificate", "directory_key", "share_commitment", "log_key", "log_origin")
    SHARE_INDEX_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CA_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_KEY_FIELD_NUMBER: _ClassVar[int]
    SHARE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    share_index: int
    operator: str
    address: str
    ca_fingerprint: bytes
    ca_certificate: bytes
    directory_key: bytes
    share_commitment: bytes
    log_key: bytes
    log_origin: str
    def __init__(self, share_index: _Optional[int] = ..., operator: _Optional[str] = ..., address: _Optional[str] = ..., ca_fingerprint: _Optional[bytes] = ..., ca_certificate: _Optional[bytes] = ..., directory_key: _Optional[bytes] = ..., share_commitment: _Optional[bytes] = ..., log_key: _Optional[bytes] = ..., log_origin: _Optional[str] = ...) -> None: ...

class KeyStatement(_message.Message):
    __slots__ = ("use", "agency", "county", "public_key", "effective_time", "expire_time")
    USE_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    COUNTY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    use: KeyUse
    agency: str
    county: str
    public_key: bytes
    effective_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, use: _Optional[_Union[KeyUse, str]] = ..., agency: _Optional[str] = ..., county: _Optional[str] = ..., public_key: _Optional[bytes] = ..., effective_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignedDirectory(_message.Message):
    __slots__ = ("directory", "signatures")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    directory: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[DirectorySignature]
    def __init__(self, directory: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[DirectorySignature, _Mapping]]] = ...) -> None: ...

class DirectorySignature(_message.Message):
    __slots__ = ("key_id", "signature")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    key_id: bytes
    signature: bytes
    def __init__(self, key_id: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class GetDirectoryRequest(_message.Message):
    __slots__ = ("known_version",)
    KNOWN_VERSION_FIELD_NUMBER: _ClassVar[int]
    known_version: int
    def __init__(self, known_version: _Optional[int] = ...) -> None: ...

class GetDirectoryResponse(_message.Message):
    __slots__ = ("directory", "pending_count")
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    PENDING_COUNT_FIELD_NUMBER: _ClassVar[int]
    directory: SignedDirectory
    pending_count: int
    def __init__(self, directory: _Optional[_Union[SignedDirectory, _Mapping]] = ..., pending_count: _Optional[int] = ...) -> None: ...

class RenewCertificateRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class CertificateRenewal(_message.Message):
    __slots__ = ("certificate_request", "generation", "create_time")
    CERTIFICATE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    certificate_request: bytes
    generation: int
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, certificate_request: _Optional[bytes] = ..., generation: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RenewCertificateResponse(_message.Message):
    __slots__ = ("certificate_chain", "generation", "receipt")
    CERTIFICATE_CHAIN_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    certificate_chain: bytes
    generation: int
    receipt: _log_pb2.Receipt
    def __init__(self, certificate_chain: _Optional[bytes] = ..., generation: _Optional[int] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class OfferPepperRequest(_message.Message):
    __slots__ = ("envelope",)
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    envelope: _envelope_pb2.SignedEnvelope
    def __init__(self, envelope: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ...) -> None: ...

class PepperOffer(_message.Message):
    __slots__ = ("epoch", "commitment", "sealed_peppers")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SEALED_PEPPERS_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    commitment: bytes
    sealed_peppers: _containers.RepeatedCompositeFieldContainer[SealedPepper]
    def __init__(self, epoch: _Optional[str] = ..., commitment: _Optional[bytes] = ..., sealed_peppers: _Optional[_Iterable[_Union[SealedPepper, _Mapping]]] = ...) -> None: ...

class SealedPepper(_message.Message):
    __slots__ = ("agency", "recipient_key_id", "sealed")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    agency: str
    recipient_key_id: bytes
    sealed: bytes
    def __init__(self, agency: _Optional[str] = ..., recipient_key_id: _Optional[bytes] = ..., sealed: _Optional[bytes] = ...) -> None: ...

class OfferPepperResponse(_message.Message):
    __slots__ = ("receipt",)
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _log_pb2.Receipt
    def __init__(self, receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ...) -> None: ...

class FetchPepperRequest(_message.Message):
    __slots__ = ("epoch",)
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    def __init__(self, epoch: _Optional[str] = ...) -> None: ...

class FetchPepperResponse(_message.Message):
    __slots__ = ("state", "sealed_pepper", "commitment", "offer", "waiting_agencies")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEALED_PEPPER_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    OFFER_FIELD_NUMBER: _ClassVar[int]
    WAITING_AGENCIES_FIELD_NUMBER: _ClassVar[int]
    state: PepperState
    sealed_pepper: SealedPepper
    commitment: bytes
    offer: _envelope_pb2.SignedEnvelope
    waiting_agencies: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, state: _Optional[_Union[PepperState, str]] = ..., sealed_pepper: _Optional[_Union[SealedPepper, _Mapping]] = ..., commitment: _Optional[bytes] = ..., offer: _Optional[_Union[_envelope_pb2.SignedEnvelope, _Mapping]] = ..., waiting_agencies: _Optional[_Iterable[str]] = ...) -> None: ...
