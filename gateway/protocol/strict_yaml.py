"""Reads a configuration document: text in, a frozen model out, or every problem with its place.

Decides what a configuration file may look like: YAML 1.2, one document of at most 256 KiB, no aliases, anchors or
tags (a small file could otherwise mean a large one, and a reader of the file would have to resolve it in the head),
no duplicate keys, no unknown keys, no guessing between numbers and text. Does not read files and does not know what
any setting means; models are `StrictModel`s of whoever owns the section.

The order: size, syntax and structure (`_read`), then the model's own validation, then what the model says of settings
together (`between`), then each problem is given the line and column of the key it is about. All of these are reported
together; a syntax error ends the reading.

A validator of a whole model does not run while any setting below it is wrong. So what concerns several settings of a
section is checked by the validator of the last of them, and what concerns several sections by `between`.

Models must not use `mode="before"` validators on a whole model: they change pydantic's strict JSON rules
(text -> enum, list -> tuple) to its strict Python rules. A validator that knows better where the fault is raises
`FieldProblems`.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from gateway.protocol.masked import SECRET_NAME, masked_address, masked_line
from gateway.protocol.setting_names import Path, hint, names_at
from gateway.protocol.written import Written

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32


class StrictModel(BaseModel):
    """A section of a configuration file: unknown keys refused, frozen, values left out of error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def between(cls, written: Written) -> Iterable[tuple[Path, str]]:
        """Faults of settings of different sections together: path and sentence of each. Asked of a whole document,
        whatever else is wrong with it.
        """
        return ()


T = TypeVar("T", bound=StrictModel)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a document, at its place. Line and column count from 1."""

    origin: str
    line: int
    column: int
    field: str
    """Dotted path of the setting; empty for the document as a whole."""
    sentence: str
    source_line: str
    """The line as written, with anything that looks like a secret masked."""

    def __str__(self) -> str:
        name = f"{self.field}: " if self.field else ""
        head = f"{self.origin}:{self.line}:{self.column}: error: {name}{self.sentence}"
        return f"{head}\n    {self.source_line.strip()}" if self.source_line.strip() else head


class DocumentErrors(Exception):
    """The document was refused; `problems` holds every fault found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.line, problem.column, problem.field))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class FieldProblems(ValueError):
    """Raised by a model's validator to point at fields below the model: (path, sentence), several at once."""

    def __init__(self, *problems: tuple[Path, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(sentence for _, sentence in problems))


_DURATION: Final = re.compile(r"([0-9]{1,6})\s*(s|m|min|h|d|days?)")
_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "day": 86400, "days": 86400}


def parse_duration(text: object) -> timedelta:
    """The text is a whole number with a unit: s, m, h or d. Raises `ValueError` otherwise."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a duration as a number with s, m, h or d, for example 26h")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A length of time in a configuration file, for example `30s`, `26h`, `7d`."""


def load(text: str | bytes, model: type[T], *, origin: str, context: object = None) -> T:
    """The document is a valid `model`. Raises `DocumentErrors` with every problem; `origin` names the file in them.

    `context` is for validators that look beyond the document (`ValidationInfo.context`).
    """
    reading = _Reading("", origin)
    reading.text = _decoded(reading, text) if isinstance(text, bytes) else text
    root = _read(reading)
    plain = _plain_mapping(root)
    value: T | None = None
    errors: Sequence[Mapping[str, Any]] = ()
    try:
        value = model.model_validate_json(json.dumps(plain), strict=True, context=context)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
    for error in errors:
        reading.problems.extend(_explain(reading, root, model, error))
    misnamed = frozenset(tuple(error["loc"][:-1]) for error in errors if error["type"] == "extra_forbidden")
    for path, sentence in model.between(Written(plain, misnamed)):
        reading.problems.append(_problem(reading, _locate(root, path, missing=False), sentence))
    if value is None or reading.problems:
        raise DocumentErrors(reading.problems)
    return value


# --- structure: events -> nodes that remember their place


@dataclass(slots=True)
class _Scalar:
    line: int
    column: int
    text: str
    plain: bool
    """Written without quotes, so that it may be a number, a truth value or nothing."""


@dataclass(slots=True)
class _Sequence:
    line: int
    column: int
    items: list["_Node"] = field(default_factory=list)


@dataclass(slots=True)
class _Mapping:
    line: int
    column: int
    entries: dict[str, tuple["_Scalar", "_Node"]] = field(default_factory=dict)


_Node = _Scalar | _Sequence | _Mapping


@dataclass(slots=True)
class _Reading:
    """The text being read and the problems found so far."""

    text: str
    origin: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, line: int, column: int, *, name: str = "", sentence: str) -> None:
        """Notes a problem; line and column from 0, as the parser counts."""
        lines = self.text.splitlines()
        source = masked_line(lines[line]) if line < len(lines) and self._holds_settings(lines) else ""
        if SECRET_NAME.search(name) or SECRET_NAME.search(sentence):
            # Also a misspelled "pasword" has a value behind it.
            source = f"{name.rpartition('.')[2]}: ***"
        self.problems.append(Problem(self.origin, line + 1, column + 1, name, sentence, source))

    def _holds_settings(self, lines: list[str]) -> bool:
        # Whoever names an extract instead of the county's file must not read its rows in an error, and in a ticket.
        first = next((line for line in lines if line.strip() and not _BESIDE.match(line)), "")
        return _SETTING.match(first) is not None

    def stop(self, line: int, column: int, sentence: str) -> DocumentErrors:
        """The error to raise when nothing behind this place can be read."""
        self.add(line, column, sentence=sentence)
        return DocumentErrors(self.problems)


def _decoded(reading: _Reading, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        before = data[: exc.start]
        column = len(before) - before.rfind(b"\n") - 1
        raise reading.stop(before.count(b"\n"), column, "not UTF-8 text: save the file as UTF-8") from None


def _read(reading: _Reading) -> _Mapping:
    """Nodes of the one document, which is a mapping."""
    reading.text = reading.text.removeprefix("\ufeff")
    if len(reading.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        reading.text = ""
        raise reading.stop(0, 0, f"larger than {MAX_BYTES // 1024} KiB")
    try:
        root = _document(reading, YAML(typ="rt", pure=True).parse(reading.text))
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        raise reading.stop(line, column, f"not YAML: {exc.problem or exc.context}") from None
    except ReaderError as exc:
        before = reading.text[: exc.position]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        raise reading.stop(line, column, "a character that text files do not hold") from None
    except YAMLError:
        raise reading.stop(0, 0, "not YAML") from None
    if not isinstance(root, _Mapping):
        reading.text = ""
        reading.problems.clear()
        place = (root.line, root.column) if root else (0, 0)
        raise reading.stop(*place, "the file must hold settings, written as `name: value`")
    return root


def _document(reading: _Reading, events: Iterator[Event]) -> _Node | None:
    root: _Node | None = None
    for event in events:
        if isinstance(event, DocumentStartEvent):
            if event.version is not None or event.tags:
                raise reading.stop(0, 0, "no % directives: the file is YAML 1.2")
            if root is not None:
                raise reading.stop(event.start_mark.line, event.start_mark.column, "a second document (`---`)")
        elif isinstance(event, NodeEvent):
            root = _node(reading, event, events, depth=1)
    return root


def _node(reading: _Reading, event: Event, events: Iterator[Event], *, depth: int) -> _Node:
    """The node that begins with the event; takes its events from the stream."""
    line, column = event.start_mark.line, event.start_mark.column
    if not isinstance(event, (ScalarEvent, SequenceStartEvent, MappingStartEvent)):
        reading.add(line, column, sentence="no aliases (*name): write the value out")
        return _Scalar(line, column, "", plain=False)
    if event.anchor is not None:
        reading.add(line, column, sentence="no anchors (&name): write the value out where it is needed")
    if event.ctag is not None:
        reading.add(line, column, sentence="no tags (!name)")
    if depth > MAX_DEPTH:
        raise reading.stop(line, column, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(event, SequenceStartEvent):
        sequence = _Sequence(line, column)
        while not isinstance(event := next(events), SequenceEndEvent):
            sequence.items.append(_node(reading, event, events, depth=depth + 1))
        return sequence
    if isinstance(event, MappingStartEvent):
        return _mapping(reading, _Mapping(line, column), events, depth=depth)
    return _Scalar(line, column, event.value, plain=event.implicit[0])


def _mapping(reading: _Reading, mapping: _Mapping, events: Iterator[Event], *, depth: int) -> _Mapping:
    while not isinstance(event := next(events), MappingEndEvent):
        key = _node(reading, event, events, depth=depth + 1)
        value = _node(reading, next(events), events, depth=depth + 1)
        if not isinstance(key, _Scalar):
            reading.add(key.line, key.column, sentence="a name must be plain text")
        elif key.text in mapping.entries:
            first = mapping.entries[key.text][0].line + 1
            reading.add(key.line, key.column, name=key.text, sentence=f"written twice; the first is in line {first}")
        else:
            mapping.entries[key.text] = (key, value)
    return mapping


_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTH: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,2})?")


def _plain_mapping(node: _Mapping) -> dict[str, object]:
    return {name: _plain(value) for name, (_, value) in node.entries.items()}


def _plain(node: _Node) -> object:
    """The node as JSON would have it, by the core schema of YAML 1.2 (§10.3.2). Names stay text as written."""
    if isinstance(node, _Mapping):
        return _plain_mapping(node)
    if isinstance(node, _Sequence):
        return [_plain(item) for item in node.items]
    if not node.plain:
        return node.text
    if node.text in _NULL:
        return None
    if node.text in _TRUTH:
        return _TRUTH[node.text]
    if _INTEGER.fullmatch(node.text):
        return int(node.text)
    return float(node.text) if _FLOAT.fullmatch(node.text) else node.text


# --- problems: pydantic's errors -> place and sentence


def _problem(reading: _Reading, place: "_Place", sentence: str) -> Problem:
    report = _Reading(reading.text, reading.origin)
    report.add(place.line, place.column, name=place.name, sentence=sentence)
    return report.problems[0]


def _explain(reading: _Reading, root: _Mapping, model: type[BaseModel], error: Mapping[str, Any]) -> Iterator[Problem]:
    loc: Path = tuple(error["loc"])
    inner = error.get("ctx", {}).get("error")
    if error["type"] == "union_tag_invalid" or error["type"] == "union_tag_not_found":
        loc = (*loc, error["ctx"]["discriminator"].strip("'"))
    found = inner.problems if isinstance(inner, FieldProblems) else (((), None),)
    for below, sentence in found:
        place = _locate(root, (*loc, *below), missing=error["type"] == "missing")
        text = sentence or _sentence(place, error, names_at(model, loc[:-1]), hint(model, loc))
        yield _problem(reading, place, text)


@dataclass(frozen=True, slots=True)
class _Place:
    line: int
    column: int
    name: str
    last: str
    node: _Node


def _locate(root: _Mapping, loc: Path, *, missing: bool) -> _Place:
    """Where the setting stands: its key, or the nearest thing around it. Steps that are not in the file are skipped:
    they are pydantic's names for the members of a union.
    """
    node: _Node = root
    line, column, shown = root.line, root.column, list[str]()
    for step in loc:
        if isinstance(node, _Mapping) and step in node.entries:
            key, node = node.entries[str(step)]
            line, column = key.line, key.column
            shown.append(str(step))
        elif isinstance(node, _Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            line, column = node.line, node.column
            shown.append(str(step))
    if missing and loc and (not shown or shown[-1] != loc[-1]):
        shown.append(str(loc[-1]))
    return _Place(line, column, ".".join(shown), shown[-1] if shown else "", node)


def _sentence(place: _Place, error: Mapping[str, Any], known: set[str], hinted: str) -> str:
    kind, raw = error["type"], place.node.text if isinstance(place.node, _Scalar) else ""
    if kind == "missing":
        return f"missing ({hinted})" if hinted else "missing"
    if kind == "extra_forbidden":
        return f'unknown key "{place.last}"{_nearest(place.last, known)}'
    if kind == "string_type" and isinstance(place.node, _Scalar) and raw:
        return _quote_it(place, raw)
    if kind == "bool_type":
        return "write true or false"
    if kind in {"model_type", "dict_type"}:
        return "must hold settings of its own, written as `name: value`"
    if kind in {"enum", "literal_error", "union_tag_invalid"}:
        expected = str(error["ctx"].get("expected", error["ctx"].get("expected_tags", "")))
        # Texts in quotes; numbers, as of a version, without.
        allowed = re.findall(r"'([^']*)'", expected) or re.findall(r"-?[0-9]+", expected)
        return f'unknown value "{_guarded(place, raw)}"{_nearest(raw, allowed)} (one of: {", ".join(allowed)})'
    if kind == "union_tag_not_found":
        return f"missing {error['ctx']['discriminator'].strip(chr(39))}"
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _quote_it(place: _Place, raw: str) -> str:
    what = "county codes" if "county" in place.name else "this text"
    key = "" if place.last.isdecimal() else f"{place.last}: "
    return f'write {what} in quotes: {key}"{_guarded(place, raw)}"'


def _guarded(place: _Place, raw: str) -> str:
    return "***" if SECRET_NAME.search(place.name) else masked_address(raw)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return f' - did you mean "{close[0]}"?' if close else ""


_BESIDE: Final = re.compile(r"\s*#|---|%")
_SETTING: Final = re.compile(r"""[?{\s]*["']?[\w.-]{1,64}["']?\s*:(\s|$)""")
