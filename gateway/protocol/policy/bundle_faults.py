"""What is wrong with a policy bundle, as a person is told it: line, column, the rule by its id, and one sentence.

Decides the words for what a bundle's form lacks; what a rule must be is decided in `bundle`.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from gateway.protocol.policy.toml_places import TomlPlaces
from gateway.protocol.setting_names import Path
from gateway.protocol.strict_yaml import Problem

_AT: Final = re.compile(r" \(at line ([0-9]+), column ([0-9]+)\)$")

Fault = tuple[Path, str]
"""What is wrong, where."""


class BundleError(ValueError):
    """The bytes are not a policy bundle. `problems` holds every fault found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line, problem.column, problem.field)))
        super().__init__("\n".join(map(str, self.problems)))


def unread(origin: str, error: ValueError) -> Problem:
    """What `tomllib` says, which names line and column in words."""
    found = _AT.search(str(error))
    line, column = (int(found[1]), int(found[2])) if found else (1, 1)
    return Problem(origin, line, column, "", f"not TOML in UTF-8: {_AT.sub('', str(error))}", "")


def placed(origin: str, places: TomlPlaces, document: Mapping[str, Any], fault: Fault) -> Problem:
    """The fault as a problem of the file; a rule is named by its id, where it has one."""
    path, sentence = fault
    place = places.of(path)
    shown = [str(step) for step in path]
    if path[:1] in (("rules",), ("flag_acts",)) and len(path) > 1 and isinstance(path[1], int):
        row = document[str(path[0])][path[1]]
        name = row.get("id") if isinstance(row, dict) else None
        shown[:2] = [name] if isinstance(name, str) else shown[:2]
    return Problem(origin, place.line, place.column, ".".join(shown), sentence, place.source_line)


def shape_faults(error: ValidationError) -> Iterator[Fault]:
    """What the form lacks, each once."""
    errors = error.errors(include_url=False)
    for each in errors:
        is_after_effect = each["type"] == "too_short" and any(
            other is not each and other["loc"][: len(each["loc"])] == each["loc"] for other in errors
        )
        # A list of which no member is known is not told as an empty one, too.
        if not is_after_effect:
            yield tuple(step for step in each["loc"] if step != "[key]"), _sentence(each)


def _sentence(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "missing"
    if kind == "extra_forbidden":
        return f'unknown key "{error["loc"][-1]}"'
    if kind in {"enum", "literal_error"}:
        allowed = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        close = difflib.get_close_matches(str(error["input"]).upper(), allowed, n=1, cutoff=0.6)
        nearest = f' - did you mean "{close[0]}"?' if close else ""
        return f'unknown value "{error["input"]}"{nearest} (one of: {", ".join(allowed)})'
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]
