"""What is installed is what is declared: generated code, floors, entry points, third-party imports, wheel contents."""

import ast
import functools
import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import click
import pytest

from homeward.command import COMMANDS, GROUP

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED: dict[str, str] = PROJECT["project"]["entry-points"][GROUP]
GENERATED = sorted(PROTO.rglob("*_pb2*.py"))
ROOMS = {"gateway", "adapters", "audit", "deploy", "homeward", "buf"}

# Modules that only an extra brings. Importing one where a module is loaded would break an installation without it.
FROM_EXTRAS = {
    "opentelemetry.sdk": "otel",
    "opentelemetry.exporter": "otel",
    "grpc_reflection": "sandbox",
    "psycopg": "postgres",
    "xlsxwriter": "reports",
    "typst": "reports",
}

# The modules behind an extra, loaded only by whoever chose it.
OF_AN_EXTRA = frozenset({"audit/store_postgres.py", "gateway/store/erase_postgres.py", "proto/homeward/otlp.py"})


def floor(package: str) -> tuple[int, ...]:
    """The lower bound of a core dependency in pyproject.toml."""
    (requirement,) = [text for text in PROJECT["project"]["dependencies"] if re.match(rf"{package}[><=]", text)]
    found = re.search(r">=([\d.]+)", requirement)
    assert found is not None, requirement
    return tuple(int(part) for part in found[1].split("."))


def core_distributions() -> set[str]:
    names = (re.match(r"[A-Za-z0-9._-]+", text) for text in PROJECT["project"]["dependencies"])
    return {normalized(match[0]) for match in names if match}


def extra_distributions() -> set[str]:
    extras = PROJECT["project"]["optional-dependencies"]
    names = (re.match(r"[A-Za-z0-9._-]+", text) for texts in extras.values() for text in texts)
    return {normalized(match[0]) for match in names if match}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PROTO).with_suffix("").parts)


@pytest.mark.parametrize("path", GENERATED, ids=module_name)
def test_generated_code_imports_and_asks_for_no_newer_runtime_than_declared(path: Path) -> None:
    module = importlib.import_module(module_name(path))
    if path.name.endswith("_pb2_grpc.py"):
        assert tuple(int(part) for part in module.GRPC_GENERATED_VERSION.split(".")) == floor("grpcio")
    else:
        source = path.read_text(encoding="utf-8")
        stamped = re.search(r"# Protobuf Python Version: ([\d.]+)", source)
        assert stamped is not None
        assert tuple(int(part) for part in stamped[1].split(".")) == floor("protobuf")


def test_every_proto_has_its_generated_module() -> None:
    protos = sorted(PROTO.rglob("*.proto"))
    assert protos
    assert [path for path in protos if not path.with_name(f"{path.stem}_pb2.py").exists()] == []


def test_the_table_of_commands_is_the_list_of_entry_points() -> None:
    assert set(COMMANDS) == set(DECLARED)


def test_the_installed_package_lists_the_declared_entry_points() -> None:
    installed = metadata.distribution("homeward").entry_points.select(group=GROUP)
    assert {point.name: point.value for point in installed} == DECLARED


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_every_entry_point_is_a_command_with_a_help_text(name: str) -> None:
    module, _, attribute = DECLARED[name].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.help


def python_files() -> Iterator[tuple[str, Path]]:
    for room in sorted(ROOMS - {"buf"}):
        parent = PROTO if room == "homeward" else ROOT
        for path in sorted((parent / room).rglob("*.py")):
            if "_pb2" not in path.name:
                yield str(path.relative_to(ROOT)), path


def third_party(tree: ast.AST) -> Iterator[str]:
    """Top-level-qualified names of imported modules that are neither ours nor the standard library's."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] not in ROOMS | set(sys.stdlib_module_names):
                yield name


def at_import_time(tree: ast.Module) -> Iterator[str]:
    """What `third_party` finds in the statements that run when the module is loaded."""
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
            yield from third_party(statement)


def needs_extra(name: str) -> bool:
    return any(name == module or name.startswith(module + ".") for module in FROM_EXTRAS)


@functools.cache
def owners_by_module() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def undeclared(name: str) -> bool:
    if name.startswith("_typeshed"):
        # The type checker's own; it exists at no run time.
        return False
    owners = owners_by_module().get(name.split(".")[0], [])
    return not {normalized(owner) for owner in owners} & (core_distributions() | extra_distributions())


def test_every_third_party_import_is_declared() -> None:
    found = [
        f"{where} imports {name}"
        for where, path in python_files()
        if where != "deploy/bootstrap.py"
        for name in third_party(ast.parse(path.read_text(encoding="utf-8")))
        if undeclared(name)
    ]
    assert found == []


def test_what_only_an_extra_brings_is_never_imported_with_its_module() -> None:
    found = [
        f"{where} imports {name}"
        for where, path in python_files()
        for name in at_import_time(ast.parse(path.read_text(encoding="utf-8")))
        if needs_extra(name) and where not in OF_AN_EXTRA
    ]
    assert found == []


def test_a_planted_import_is_found() -> None:
    source = "import hypothesis\nfrom opentelemetry.sdk import trace\ndef late():\n    import psycopg\n"
    tree = ast.parse(source)
    assert [name for name in third_party(tree) if undeclared(name)] == ["hypothesis"]
    assert [name for name in at_import_time(tree) if needs_extra(name)] == ["opentelemetry.sdk.trace"]


def test_the_wheel_carries_every_file_of_the_rooms_and_no_test(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    shipped = [name.removeprefix("proto/") for name in tracked if (ROOT / name).exists()]
    expected = {name for name in shipped if "/" in name and name.split("/")[0] in ROOMS}
    assert expected - packed == set()
    assert {name.split("/")[0] for name in packed} == ROOMS
