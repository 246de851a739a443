"""How large a file, a function and a class may be, executed: 400 lines, 50 lines, 10 methods.

What is larger stands below with its size and the reason. A row is a debt: it is never raised, it is lowered with what
it names, and it goes when that keeps the limit. So a change that makes one of them smaller changes its row, too.

A file counts by its lines; a function from `def` to its end, docstring included, decorators not; a class by the methods
in its own body, without those that Python calls (`__init__`, ...).
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "adapters", "audit", "deploy")
FILE_LINES, FUNCTION_LINES, CLASS_METHODS = 400, 50, 10

_ASSEMBLES = "puts a process together, a part a statement: every part of it would need all that was made before"

EXCEPTIONS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "adapters/mapping/rules.py": (432, "a table: every rule with its sentence, its remedy and both its examples"),
        "adapters/local/edges.py:assemble": (56, _ASSEMBLES),
        "adapters/wiring.py:build": (61, _ASSEMBLES),
        "gateway/members/assembly.py:open_members": (93, _ASSEMBLES),
        "adapters/node/register.py:Registrar": (11, "list and heartbeat: both change what is complete in which epoch"),
        "adapters/node/subjects.py:Subjects": (13, "one table, a query a method; proposed handles could be apart"),
        "audit/log.py:Log": (
            16,
            "one state machine: waiting, written, stopped; each step is a method for a test to fail",
        ),
        "audit/publish.py:Publisher": (14, "derived, written, signed, shown: one edge of one tree under all of them"),
        "audit/reader.py:Reader": (11, "the port through which everybody reads, a query a method"),
        "audit/sequencer.py:Sequencer": (12, "one transaction and its second try with a savepoint an entry"),
        "audit/store_sqlite.py:SqliteStore": (
            11,
            "the port, and where the power-loss model puts its own file system in",
        ),
        "audit/transaction.py:Tx": (13, "the cursor and what it puts off; both must see every statement"),
        "deploy/demo/sandbox.py:Sandbox": (
            12,
            "what can be done with a sandbox, and the three steps that bring one up",
        ),
        "gateway/exchange/seal_ports.py:Seals": (13, "the port of sealing: what must happen in one database together"),
        "gateway/exchange/spine.py:Exchange": (19, "the spine and its stages, read from top to bottom"),
        "gateway/members/office.py:DirectoryOffice": (16, "the one place that proposes, gathers and shows a directory"),
        "gateway/protocol/directory.py:DirectoryView": (14, "what a directory says, a question a method"),
        "gateway/rpc/link.py:LinkServicer": (13, "one stream: a method for each message that may come"),
        "gateway/state.py:State": (21, "names of files, half of them in a line each; reading secrets could be apart"),
        "gateway/store/seals.py:SqlSeals": (14, "implements the port of sealing"),
        "gateway/store/escrow.py:FileEscrow": (11, "keys that left with a seal, on their way there"),
        "gateway/store/youth_keys.py:FileYouthKeys": (20, "keys, their counters and what becomes of both under a seal"),
        "gateway/tokens/shares.py:Shares": (15, "shares of two epochs and two generations in one set of files"),
    }
)


def sizes(path: Path, name: str) -> Iterator[tuple[str, int, int]]:
    """Every file, function and class: its name, its size, its limit."""
    text = path.read_text(encoding="utf-8")
    yield name, len(text.splitlines()), FILE_LINES
    yield from _within(ast.parse(text), f"{name}:")


def _within(parent: ast.AST, name: str) -> Iterator[tuple[str, int, int]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1, FUNCTION_LINES
            yield from _within(node, f"{name}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield f"{name}{node.name}", len([*_methods(node)]), CLASS_METHODS
            yield from _within(node, f"{name}{node.name}.")
        else:
            yield from _within(node, name)


def _methods(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
            yield node.name


def complaints(root: Path, exceptions: Mapping[str, tuple[int, str]]) -> list[str]:
    """What is larger than it may be, and which rows of `exceptions` no longer say what is there."""
    found = {
        name: (size, limit)
        for room in ROOMS
        for path in sorted((root / room).rglob("*.py"))
        for name, size, limit in sizes(path, path.relative_to(root).as_posix())
    }
    said = []
    for name, (size, limit) in found.items():
        allowed = exceptions[name][0] if name in exceptions else limit
        if size > allowed:
            said.append(f"{name} is {size}, and may be {allowed}")
    for name, (allowed, _) in exceptions.items():
        size, limit = found.get(name, (0, 0))
        if size <= limit:
            said.append(f"{name} keeps the limit now: take its row away")
        elif size < allowed:
            said.append(f"{name} is {size} now: lower its row")
    return said


def test_nothing_grows_beyond_what_can_be_read_at_a_sitting() -> None:
    assert complaints(ROOT, EXCEPTIONS) == []


def test_every_exception_says_why() -> None:
    assert [name for name, (_, reason) in EXCEPTIONS.items() if len(reason) < 20] == []


LONG_FUNCTION = "def long() -> None:\n" + "    pass\n" * FUNCTION_LINES
PLANTED = {
    "a file": ("pass\n" * (FILE_LINES + 1), "gateway/planted.py"),
    "a function": (LONG_FUNCTION, "gateway/planted.py:long"),
    "a function in a class": (
        "class Planted:\n" + "".join(f"    {line}\n" for line in LONG_FUNCTION.splitlines()),
        "gateway/planted.py:Planted.long",
    ),
    "a function in a function": (
        "if True:\n    def outer() -> None:\n"
        + "".join(f"        {line}\n" for line in LONG_FUNCTION.splitlines()[:51]),
        "gateway/planted.py:outer.long",
    ),
    "a class": (
        "class Planted:\n" + "".join(f"    async def part_{n}(self): ...\n" for n in range(CLASS_METHODS + 1)),
        "gateway/planted.py:Planted",
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_planted_beyond_its_limit_is_found(tmp_path: Path, what: str) -> None:
    source, name = PLANTED[what]
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "planted.py").write_text(source)
    found = complaints(tmp_path, {})
    assert any(line.startswith(f"{name} is ") for line in found), found


def test_a_row_is_never_larger_than_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    path, name = tmp_path / "gateway" / "planted.py", "gateway/planted.py:long"
    path.write_text(LONG_FUNCTION)
    size = FUNCTION_LINES + 1
    assert complaints(tmp_path, {name: (size, "")}) == []
    assert complaints(tmp_path, {name: (size + 1, "")}) == [f"{name} is {size} now: lower its row"]
    assert complaints(tmp_path, {name: (size - 1, "")}) == [f"{name} is {size}, and may be {size - 1}"]
    path.write_text("")
    assert complaints(tmp_path, {name: (size, "")}) == [f"{name} keeps the limit now: take its row away"]


def test_what_keeps_every_limit_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    methods = "".join(f"    def part_{n}(self): ...\n" for n in range(CLASS_METHODS))
    largest = f"class Planted:\n    def __init__(self): ...\n{methods}" + LONG_FUNCTION.removesuffix("    pass\n")
    padded = largest + "pass\n" * (FILE_LINES - len(largest.splitlines()))
    (tmp_path / "gateway" / "planted.py").write_text(padded)
    assert complaints(tmp_path, {}) == []
