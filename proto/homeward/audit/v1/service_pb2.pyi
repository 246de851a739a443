from buf.validate import validate_pb2 as _validate_pb2
from homeward.audit.v1 import log_pb2 as _log_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListEntriesRequest(_message.Message):
    __slots__ = ("payload", "user_assertion")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    USER_ASSERTION_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    user_assertion: str
    def __init__(self, payload: _Optional[bytes] = ..., user_assertion: _Optional[str] = ...) -> None: ...

class EntryQuery(_message.Message):
    __slots__ = ("request_id", "filter", "page_size", "after_index", "youth_handle")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    AFTER_INDEX_FIELD_NUMBER: _ClassVar[int]
    YOUTH_HANDLE_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    filter: _log_pb2.EntryFilter
    page_size: int
    after_index: int
    youth_handle: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., filter: _Optional[_Union[_log_pb2.EntryFilter, _Mapping]] = ..., page_size: _Optional[int] = ..., after_index: _Optional[int] = ..., youth_handle: _Optional[bytes] = ...) -> None: ...

class ListEntriesResponse(_message.Message):
    __slots__ = ("permitted", "entries", "next_after_index", "receipt", "parties")
    PERMITTED_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_AFTER_INDEX_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    permitted: bool
    entries: _containers.RepeatedCompositeFieldContainer[_log_pb2.Receipt]
    next_after_index: int
    receipt: _log_pb2.Receipt
    parties: _containers.RepeatedCompositeFieldContainer[EntryParties]
    def __init__(self, permitted: _Optional[bool] = ..., entries: _Optional[_Iterable[_Union[_log_pb2.Receipt, _Mapping]]] = ..., next_after_index: _Optional[int] = ..., receipt: _Optional[_Union[_log_pb2.Receipt, _Mapping]] = ..., parties: _Optional[_Iterable[_Union[EntryParties, _Mapping]]] = ...) -> None: ...

class EntryParties(_message.Message):
    __slots__ = ("requester_agency", "holder_agency")
    REQUESTER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    HOLDER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    requester_agency: str
    holder_agency: str
    def __init__(self, requester_agency: _Optional[str] = ..., holder_agency: _Optional[str] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint",)
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: str
    def __init__(self, checkpoint: _Optional[str] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("old_size", "new_size")
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEW_SIZE_FIELD_NUMBER: _ClassVar[int]
    old_size: int
    new_size: int
    def __init__(self, old_size: _Optional[int] = ..., new_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("hashes",)
    HASHES_FIELD_NUMBER: _ClassVar[int]
    hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...
