from buf.validate import validate_pb2 as _validate_pb2
from homeward.gateway.v1 import directory_pb2 as _directory_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CountersignRequest(_message.Message):
    __slots__ = ("directory",)
    DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    directory: _directory_pb2.SignedDirectory
    def __init__(self, directory: _Optional[_Union[_directory_pb2.SignedDirectory, _Mapping]] = ...) -> None: ...

class CountersignResponse(_message.Message):
    __slots__ = ("signature", "waiting_counties")
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    signature: _directory_pb2.DirectorySignature
    waiting_counties: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, signature: _Optional[_Union[_directory_pb2.DirectorySignature, _Mapping]] = ..., waiting_counties: _Optional[_Iterable[str]] = ...) -> None: ...
