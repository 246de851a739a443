"""Regenerates the Python modules beside the .proto files; `--check` only says whether they are current.

Decides which generators run and where their output lands: messages and their stubs, services and their stubs, next to
the .proto, so that `from homeward.gateway.v1 import ...` needs no repaired import. `buf lint proto` lints.
Run it with the environment's Python (`make proto`); the generated modules refuse a runtime older than this generator.
"""

import argparse
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
SUFFIXES = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")
MARKER = '"""Generated messages and services; edit the .proto beside them."""\n'


class GenerationFailed(Exception):
    """protoc refused the sources; it has already said why on standard error."""


def generate(into: Path) -> None:
    """Writes every generated file under `into`, in the layout of the .proto files."""
    ours = sorted((ROOT / "homeward").rglob("*.proto"))
    vendored = sorted((ROOT / "buf").rglob("*.proto"))
    for package in {path.relative_to(ROOT).parent for path in (*ours, *vendored)}:
        _mark_packages(into, package)
    _protoc(vendored, into, ("python_out=", "pyi_out="))
    _protoc(ours, into, ("python_out=", "pyi_out="))
    with_services = [path for path in ours if _declares_service(path)]
    _protoc(with_services, into, ("grpc_python_out=", "mypy_grpc_out=quiet:"))


def _protoc(sources: list[Path], into: Path, outputs: tuple[str, ...]) -> None:
    if not sources:
        return
    # The plug-in is named by path: the environment's scripts need not be on PATH.
    plugin = Path(sys.executable).with_name("protoc-gen-mypy_grpc" + (".exe" if sys.platform == "win32" else ""))
    well_known = resources.files("grpc_tools") / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"-I{ROOT}",
            f"-I{well_known}",
            f"--plugin=protoc-gen-mypy_grpc={plugin}",
            *(f"--{output}{into}" for output in outputs),
            *(str(path) for path in sources),
        ]
    )
    if status != 0:
        raise GenerationFailed


def _declares_service(path: Path) -> bool:
    return any(line.startswith("service ") for line in path.read_text(encoding="utf-8").splitlines())


def _mark_packages(into: Path, package: Path) -> None:
    for directory in (package, *package.parents[:-1]):
        init = into / directory / "__init__.py"
        if directory != Path("homeward") and not init.exists():
            init.parent.mkdir(parents=True, exist_ok=True)
            init.write_text(MARKER, encoding="utf-8")


def stale_files(fresh: Path) -> list[str]:
    """The committed files that differ from `fresh`, are missing, or have lost their .proto, relative to proto/."""
    wanted = {path.relative_to(fresh): path.read_bytes() for path in fresh.rglob("*") if path.is_file()}
    present = {path.relative_to(ROOT) for path in ROOT.rglob("*_pb2*.py*") if path.name.endswith(SUFFIXES)}
    differing = {name for name, content in wanted.items() if _committed(name) != content}
    return sorted(str(name) for name in differing | (present - wanted.keys()))


def _committed(name: Path) -> bytes | None:
    path = ROOT / name
    return path.read_bytes() if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Exit status: 0 current or written, 1 stale or refused by protoc."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a generated file is not current")
    check = parser.parse_args(arguments).check
    try:
        if not check:
            generate(ROOT)
            return 0
        with tempfile.TemporaryDirectory() as fresh:
            generate(Path(fresh))
            stale = stale_files(Path(fresh))
    except GenerationFailed:
        return 1
    for name in stale:
        print(f"not current: proto/{name} (run `make proto` and commit)", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
