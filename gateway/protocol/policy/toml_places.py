"""Where the settings of a TOML document stand, which the standard reader does not say.

Decides nothing about what a document means: it is given text that `tomllib` has read, and finds in it the lines of
tables and keys by the few signs that part them (strings, comments, brackets, `=`, line ends). What stands inside an
array or an inline table has the place of the key it is the value of.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.protocol.setting_names import Path

_TOKEN: Final = re.compile(
    r'''
    """ (?: \\. | [^\\] )*? """ "{0,2}     # strings of several lines: two quotes more may belong to them
    | \'\'\' .*? \'\'\' '{0,2}
    | " (?: \\. | [^"\\\n] )* "
    | ' [^'\n]* '
    | \# [^\n]*
    | [\[\]{}=\n]
    | [^\[\]{}=\n"'\#]+
    ''',
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class TomlPlace:
    """Line and column, from 1, and the line as written."""

    line: int
    column: int
    source_line: str


class TomlPlaces:
    """Places of the settings of one document, by their paths; positions in a list of tables count from 0."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: dict[Path, int] = {(): 0}
        self._sizes: dict[Path, int] = {}
        """How many tables the list at a path has so far."""
        table: Path = ()
        for start, head, is_table in _heads(text):
            if is_table:
                table = self._table(head)
                self._starts.setdefault(table, start)
            else:
                self._starts.setdefault((*table, *_names(head)), start)

    def of(self, path: Path) -> TomlPlace:
        """The place of the setting, or of the nearest thing around it."""
        start = next(self._starts[path[:size]] for size in range(len(path), -1, -1) if path[:size] in self._starts)
        before = self._text[:start]
        line = before.count("\n")
        column = start - before.rfind("\n") - 1
        lines = self._text.split("\n")
        return TomlPlace(line + 1, column + 1, lines[line].rstrip())

    def _table(self, head: str) -> Path:
        """The path of the table that the header begins; within a list of tables it is of the last one."""
        *around, last = _names(head.strip("[] \t\r"))
        path: Path = ()
        for name in around:
            path = self._newest((*path, name))
        path = (*path, last)
        if head.startswith("[["):
            self._sizes[path] = self._sizes.get(path, 0) + 1
        return self._newest(path)

    def _newest(self, path: Path) -> Path:
        return (*path, self._sizes[path] - 1) if path in self._sizes else path


def _heads(text: str) -> Iterator[tuple[int, str, bool]]:
    """Every key and table header: where it starts, its text, whether it is a header."""
    start, head, in_value, depth = 0, "", False, 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token.startswith("#"):
            continue
        if in_value:
            depth += token in ("[", "{")
            depth -= token in ("]", "}")
            in_value = token != "\n" or depth > 0
            continue
        if token not in ("\n", "="):
            if not head.strip():
                start, head = found.end() - len(token.lstrip()), ""
            head += token
            continue
        if head.strip():
            yield start, head.strip(), token == "\n"
        in_value, head = token == "=", ""
    if head.strip():
        yield start, head.strip(), True


def _names(key: str) -> tuple[str, ...]:
    """The parts of a key, which may be quoted and dotted."""
    found: list[str] = []
    value: object = tomllib.loads(f"{key} = 0")
    while isinstance(value, Mapping):
        ((name, value),) = value.items()
        found.append(name)
    return tuple(found)
