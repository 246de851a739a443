"""No message can carry text or bytes without a limit: nothing is smuggled, or grows, in a field that nobody bounded.

A walk over the descriptors of every message of `homeward.*`; a planted one shows that the walk sees what is missing.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message

import homeward
from buf.validate import validate_pb2

_CONTENT: Final = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_BOUNDING: Final = frozenset({"pattern", "const", "in", "len", "max_len", "len_bytes", "max_bytes"})


def _files() -> Iterator[FileDescriptor]:
    root = Path(homeward.__file__).parent
    for path in sorted(root.rglob("*_pb2.py")):
        name = ".".join(("homeward", *path.relative_to(root).with_suffix("").parts))
        yield importlib.import_module(name).DESCRIPTOR


def _with_nested(message: Descriptor) -> Iterator[Descriptor]:
    yield message
    for nested in message.nested_types:
        yield from _with_nested(nested)


def _fields(file: FileDescriptor) -> Iterator[FieldDescriptor]:
    for top in file.message_types_by_name.values():
        for message in _with_nested(top):
            yield from (field for field in message.fields if field.type in _CONTENT)


def _is_bounded(rules: Message) -> bool:
    kind = rules.WhichOneof("type")
    if kind not in ("string", "bytes"):
        return False
    given = getattr(rules, kind)
    return bool({rule.name for rule, _ in given.ListFields()} & _BOUNDING) or given.WhichOneof("well_known") is not None


def unbounded(file: FileDescriptor) -> list[str]:
    """Fields of text or bytes without pattern, closed list, length or well-known format, or repeated without end."""
    found = []
    for field in _fields(file):
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.is_repeated:
            bounded = rules.repeated.HasField("max_items") and _is_bounded(rules.repeated.items)
        else:
            bounded = _is_bounded(rules)
        if not bounded:
            found.append(field.full_name)
    return found


@pytest.mark.parametrize("file", list(_files()), ids=lambda file: file.name)
def test_every_field_of_text_or_bytes_is_bounded(file: FileDescriptor) -> None:
    assert unbounded(file) == []


def test_the_walk_sees_messages_of_all_three_protocols() -> None:
    packages = {file.package for file in _files()}
    assert packages == {"homeward.audit.v1", "homeward.county.v1", "homeward.gateway.v1"}
    assert sum(1 for file in _files() for _ in _fields(file)) > 350


def _planted() -> FileDescriptor:
    planted = descriptor_pb2.FileDescriptorProto(name="planted.proto", package="planted", syntax="proto3")
    message = planted.message_type.add(name="Outer")
    inner = message.nested_type.add(name="Inner")

    def plant(into: descriptor_pb2.DescriptorProto, name: str, *, bytes_: bool = False, many: bool = False) -> Message:
        field = into.field.add(name=name, number=len(into.field) + 1)
        field.type = field.TYPE_BYTES if bytes_ else field.TYPE_STRING
        field.label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
        return field.options.Extensions[validate_pb2.field]

    plant(message, "bare")
    plant(message, "bare_bytes", bytes_=True)
    plant(message, "only_min").string.min_len = 1
    plant(message, "only_prefix", bytes_=True).bytes.prefix = b"x"
    plant(message, "items_bare", many=True).repeated.max_items = 4
    plant(message, "endless", many=True).repeated.items.string.max_len = 4
    plant(inner, "nested")
    plant(message, "patterned").string.pattern = "^[a-z]{1,4}$"
    plant(message, "formatted").string.uuid = True
    plant(message, "measured", bytes_=True).bytes.max_len = 4
    whole = plant(message, "whole", many=True).repeated
    whole.max_items, whole.items.string.max_len = 4, 4
    pool = descriptor_pool.DescriptorPool()
    pool.Add(planted)
    return pool.FindFileByName("planted.proto")


def test_what_nobody_bounded_is_found() -> None:
    assert [name.removeprefix("planted.Outer.") for name in unbounded(_planted())] == [
        "bare",
        "bare_bytes",
        "only_min",
        "only_prefix",
        "items_bare",
        "endless",
        "Inner.nested",
    ]
