"""No message can carry text or bytes without a limit, and none between counties can carry words.

Walks over the descriptors of every message of `homeward.*`; planted ones show that each walk sees what is missing.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
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
_BETWEEN_COUNTIES: Final = ("homeward.audit.v1", "homeward.gateway.v1")
"""The protocols that leave a county. `homeward.county.v1` is spoken within one, about youths it knows by name."""
_WORDS: Final = (
    "Seen at 12 Elm Street, with an aunt",
    "seen at elm street, ran from placement",
    "RAN FROM PLACEMENT AGAIN",
    "Needs his medication",
)
"""What a worker would write into a field that let words through."""
_SIGNED_NOTES: Final = frozenset({"note", "checkpoint", "closed_checkpoint", "cosigned_checkpoint"})
_SIGNED: Final[Mapping[str, str]] = {
    "user_assertion": "a JWT with a closed list of claims, each with its grammar (`gateway/protocol/assertion.py`)",
    "witness_keys": "verifier keys, one a line, each parsed (`audit/note.py`)",
} | dict.fromkeys(_SIGNED_NOTES, "a signed note of an origin, a size and a hash, in one form (`audit/checkpoint.py`)")
"""Fields by name that no pattern bounds, because what reads them parses more strictly than a pattern could say."""


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


def _lets_words_through(field: FieldDescriptor) -> bool:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    given = (rules.repeated.items if field.is_repeated else rules).string
    if given.pattern:
        return any(re.search(given.pattern, words) for words in _WORDS)
    return not (given.const or getattr(given, "in") or given.WhichOneof("well_known"))


def wordy(file: FileDescriptor) -> list[str]:
    """Fields of text that a sentence fits into, but for those in `_SIGNED`."""
    texts = (field for field in _fields(file) if field.type == FieldDescriptor.TYPE_STRING)
    return [field.full_name for field in texts if field.name not in _SIGNED and _lets_words_through(field)]


def _wide() -> list[FileDescriptor]:
    return [file for file in _files() if file.package in _BETWEEN_COUNTIES]


@pytest.mark.parametrize("file", _wide(), ids=lambda file: file.name)
def test_no_field_between_counties_lets_words_through(file: FileDescriptor) -> None:
    assert wordy(file) == []


def test_every_exception_is_a_field_that_needs_it() -> None:
    texts = (field for file in _wide() for field in _fields(file) if field.type == FieldDescriptor.TYPE_STRING)
    loose = {field.name for field in texts if _lets_words_through(field)}
    assert {name for name in loose if name in _SIGNED} == set(_SIGNED)


@pytest.mark.parametrize("file", list(_files()), ids=lambda file: file.name)
def test_every_field_of_text_or_bytes_is_bounded(file: FileDescriptor) -> None:
    assert unbounded(file) == []


def test_the_walk_sees_messages_of_all_three_protocols() -> None:
    packages = {file.package for file in _files()}
    assert packages == {"homeward.audit.v1", "homeward.county.v1", "homeward.gateway.v1"}
    assert sum(1 for file in _files() for _ in _fields(file)) > 350


def test_where_words_fit_is_found() -> None:
    assert [name.removeprefix("planted.Outer.") for name in wordy(_planted())] == [
        "bare",
        "only_min",
        "items_bare",
        "endless",
        "length_alone",
        "any_pattern",
        "half_a_pattern",
        "whole",
        "Inner.nested",
    ]


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
    plant(message, "length_alone").string.max_len = 128
    plant(message, "any_pattern").string.pattern = "^.{0,64}$"
    plant(message, "half_a_pattern").string.pattern = "[a-z]{1,4}"
    plant(message, "note").string.max_len = 128
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
