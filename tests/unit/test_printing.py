"""Nothing of ours is written past the log, which withholds what it was not made for (`homeward.logs`).

Decides what counts as writing past it: any mention of `print`, of the process's two streams or of their descriptors,
`click`'s own printing, a terminal of `rich`, `traceback`, and a handler of the log that is not ours. Command-line front
ends print by trade, through `click`; who else may is in a table, function by function, with the reason.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "adapters", "audit")
STREAMS = {"stdout", "stderr", "__stdout__", "__stderr__"}
DEVICES = ("/dev/std", "/dev/tty", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1", "/proc/self/fd/2")
LOG_SET_UP = {"StreamHandler", "FileHandler", "basicConfig", "lastResort"}
STRANGERS_COMMAND = "audit/bundled/verify.py"
"""Runs outside of everything of ours, beside the evidence it reads, and prints its verdict."""
MAY_PRINT = MappingProxyType(
    {
        "gateway/wiring.py:_listen": "the readiness line",
        "gateway/recovery/mirror_round.py:main": "its answer to the process that started it",
        "adapters/service.py:run": "where the log goes, and whether somebody watches",
        "adapters/service.py:register": "where the log goes",
        "adapters/service.py:_announce": "the readiness line",
        "adapters/telling.py:Telling": "how far a registration is: counts",
        "adapters/telling.py:": "the same as a bar",
        "audit/__main__.py:_say": "the verdict of a command",
    }
)


def is_front_end(path: str) -> bool:
    """Whether the file is the front of a command, by its name."""
    stem = Path(path).stem
    return stem == "cli" or stem.startswith("cli_") or stem.endswith("_cli")


def prints(source: str) -> Iterator[tuple[str, str]]:
    """(innermost function or class, what it does) for each way past the log."""
    yield from _within(ast.parse(source), "")


def _within(node: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        what = _way_out(child)
        if what:
            yield place, what
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        yield from _within(child, child.name if named else place)


def _way_out(node: ast.AST) -> str:
    if isinstance(node, ast.Name) and node.id == "print":
        return "print"
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return _attribute(node.value.id, node.attr)
    if isinstance(node, ast.ImportFrom):
        return next((what for each in node.names if (what := _attribute(node.module or "", each.name))), "")
    if isinstance(node, ast.Import):
        return next((what for each in node.names if (what := _module(each))), "")
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return "a device" if node.value.startswith(DEVICES) else ""
    return "a descriptor" if isinstance(node, ast.Call) and _opens_a_descriptor(node) else ""


def _attribute(module: str, name: str) -> str:
    if module == "sys" and name in STREAMS:
        return f"sys.{name}"
    if module == "os" and name in {"write", "writev", "system"}:
        return f"os.{name}"
    if module == "click" and name in {"echo", "secho"}:
        return f"click.{name}"
    if module == "logging" and name in LOG_SET_UP:
        return f"logging.{name}"
    return "Console" if module.startswith("rich") and name == "Console" else ""


def _module(imported: ast.alias) -> str:
    if imported.name in {"traceback", "faulthandler"}:
        return imported.name
    # Under another name, what is looked for above would not be found.
    return f"{imported.name} as" if imported.name in {"sys", "os", "click", "logging"} and imported.asname else ""


def _opens_a_descriptor(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    return name in {"open", "fdopen", "FileIO"} and isinstance(first, ast.Constant) and first.value in (1, 2)


def faults(path: str, source: str) -> list[str]:
    """What this file writes past the log without being one that may."""
    found = set(prints(source))
    if is_front_end(path):
        # Of a process that serves, the front end is what sets up the log and starts it.
        found = {(place, what) for place, what in found if not what.startswith(("click.", "sys.", "Console"))}
    return sorted(f"{place}: {what}" for place, what in found if f"{path}:{place}" not in MAY_PRINT)


def ours() -> Iterator[tuple[str, str]]:
    """Every file and its text."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name != STRANGERS_COMMAND:
                yield name, path.read_text(encoding="utf-8")


def test_nothing_of_ours_prints_past_the_log() -> None:
    assert {path: found for path, source in ours() if (found := faults(path, source))} == {}


def test_whoever_may_print_does() -> None:
    found = {f"{path}:{place}" for path, source in ours() for place, _ in prints(source)}
    assert set(MAY_PRINT) - found == set()
    assert sum(is_front_end(path) for path, _ in ours()) > 10


PLANTED = (
    "print(token)",
    "told = print",
    "import sys\nsys.stderr.write(token)",
    "import sys\nsys.stdout.write(token)",
    "import sys\nsys.__stderr__.write(token)",
    "import sys\nsys.stderr.buffer.write(token)",
    "import sys\nstream = sys.stderr",
    "from sys import stderr",
    "import sys as system",
    "import os\nos.write(2, token)",
    "from os import write",
    "import os\nos.fdopen(2, 'wb').write(token)",
    "open(1, 'wb').write(token)",
    "open('/dev/stderr', 'wb').write(token)",
    "import click\nclick.echo(token)",
    "from click import echo",
    "from rich.console import Console",
    "import traceback",
    "import logging\nlogging.getLogger().addHandler(logging.StreamHandler())",
)


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_line_that_prints_is_found(planted: str) -> None:
    inside = "async def CheckFlag(self, request):\n" + "".join(f"    {line}\n" for line in planted.splitlines())
    assert faults("gateway/rpc/exchange.py", inside)
    assert faults("gateway/wiring.py", inside)


@pytest.mark.parametrize(
    "honest",
    [
        "import logging\nlogging.getLogger(__name__).info('call')",
        "import os\nos.open('file', os.O_RDONLY)",
        "file.write(data)",
        "import sys\nsys.exit(1)",
        "printed = fingerprint(key)",
    ],
)
def test_what_prints_nothing_is_let_through(honest: str) -> None:
    assert faults("gateway/rpc/exchange.py", honest) == []
