"""Which room may import which: the dependency rule, executed.

A room's row lists what of ours it may import; the longest row that fits a module decides. Two further tables: which
modules the stages must not know, and which modules alone may speak gRPC. The county API carries identities in clear, so
the gateway's rows leave `homeward.county` out on purpose.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {"gateway": ROOT, "adapters": ROOT, "audit": ROOT, "deploy": ROOT, "homeward": ROOT / "proto"}

MESSAGES = ("homeward.gateway.v1", "homeward.audit.v1")
COMMON = (
    "homeward.alone",
    "homeward.failure",
    "homeward.counting",
    "homeward.observed",
    "homeward.observing",
    "homeward.logs",
    "homeward.replacing",
)
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "audit": ("audit",),
    "gateway": ("gateway", "audit", *COMMON, *MESSAGES),
    "gateway.protocol": ("gateway.protocol", *MESSAGES),
    "adapters": ("adapters", "gateway.protocol", "audit", "homeward"),
    "deploy": ("deploy", "homeward"),
    "deploy.bootstrap": (),
    "homeward": ("homeward", "buf"),
}
# The stages are functions of values: what stores, what speaks and what assembles are not theirs to know.
MUST_NOT_IMPORT: dict[str, tuple[str, ...]] = {
    "gateway.exchange": ("gateway.rpc", "gateway.store", "gateway.wiring", "gateway.services", "gateway.cli"),
    "gateway.missing": ("gateway.rpc", "gateway.store", "gateway.wiring", "gateway.services", "gateway.cli"),
    "gateway.store": ("gateway.rpc", "gateway.wiring", "gateway.services", "gateway.cli"),
    "gateway.rpc": ("gateway.store", "gateway.wiring", "gateway.services", "gateway.cli"),
    "adapters.identity": ("adapters.node", "adapters.local", "adapters.wiring", "adapters.cli"),
    "adapters.sources": ("adapters.node", "adapters.local", "adapters.wiring", "adapters.cli"),
    "adapters.mapping": ("adapters.node", "adapters.local", "adapters.wiring", "adapters.cli"),
    "adapters.local": ("adapters.wiring", "adapters.cli"),
    "adapters.node": ("adapters.local", "adapters.wiring", "adapters.cli"),
}
MAY_SPEAK_GRPC = (
    "gateway.rpc",
    "gateway.wiring",
    "gateway.services",
    "gateway.cli",
    "gateway.epoch_cli",
    "gateway.members_act",
    "gateway.tokens.cli",
    "adapters.local",
    "adapters.node.link",
    "adapters.wiring",
    "adapters.cli",
    "deploy.demo",
)
# Telemetry is wired in one place, which those that assemble a process call.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "opentelemetry": ("homeward.otlp",),
    "homeward.otlp": ("homeward.observing",),
    "homeward.observing": ("gateway.wiring", "gateway.tokens.custodian", "adapters.service"),
}
OURS = ("gateway", "adapters", "audit", "deploy", "homeward", "buf", "tests")


def is_within(module: str, room: str) -> bool:
    return module == room or module.startswith(room + ".")


def modules(sources: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    for room, parent in sources.items():
        for path in sorted((parent / room).rglob("*.py")):
            name = ".".join(path.relative_to(parent).with_suffix("").parts).removesuffix(".__init__")
            if "_pb2" not in name:  # generated from the protos, whose imports buf checks
                yield name, path


def imports(module: str, path: Path) -> Iterator[tuple[str, int]]:
    """Every name that `path` imports, absolute, with its line; those in functions and under TYPE_CHECKING count too."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = package[: len(package) - node.level + 1] if node.level else []
            prefix = ".".join([*origin, *([node.module] if node.module else [])])
            yield from ((f"{prefix}.{alias.name}", node.lineno) for alias in node.names)


def speaks_grpc(name: str) -> bool:
    return name.split(".")[0] in {"grpc", "grpc_health", "grpc_status", "grpc_reflection"} or "_pb2_grpc" in name


def complaint(module: str, name: str) -> str | None:
    """Why `module` must not import `name`, or None where it may."""
    if speaks_grpc(name):
        allowed = any(is_within(module, room) for room in MAY_SPEAK_GRPC)
        return None if allowed else "only the edges speak gRPC"
    for wired, rooms in ONLY_IN.items():
        if is_within(name, wired) and module not in rooms:
            return f"only {', '.join(rooms)} may wire telemetry"
    if name.split(".")[0] not in OURS:
        return None
    room = max((row for row in MAY_IMPORT if is_within(module, row)), key=len)
    if not any(is_within(name, target) for target in MAY_IMPORT[room]):
        return f"{room} may import only: {', '.join(MAY_IMPORT[room]) or 'the standard library'}"
    for stage, hidden in MUST_NOT_IMPORT.items():
        if is_within(module, stage) and any(is_within(name, target) for target in hidden):
            return f"{stage} must not know it"
    return None


def violations(sources: dict[str, Path]) -> list[str]:
    return [
        f"{module}:{line} imports {name}: {reason}"
        for module, path in modules(sources)
        for name, line in imports(module, path)
        if (reason := complaint(module, name))
    ]


def test_no_room_imports_what_it_must_not_know() -> None:
    assert violations(SOURCES) == []


def test_every_room_is_walked() -> None:
    walked = {name.split(".")[0] for name, _ in modules(SOURCES)}
    assert walked == set(SOURCES)


PLANTED = [
    ("audit/entry.py", "from gateway.protocol import names"),
    ("audit/cli.py", "import homeward.failure"),
    ("gateway/protocol/decide.py", "from gateway import errors"),
    ("gateway/protocol/decide.py", "from ..errors import Error"),
    ("gateway/protocol/envelope.py", "import grpc"),
    ("gateway/protocol/envelope.py", "from homeward.gateway.v1 import exchange_pb2_grpc"),
    ("gateway/exchange/spine.py", "from gateway.store import tables"),
    ("gateway/exchange/spine.py", "from gateway.rpc.status import code_of"),
    ("gateway/exchange/locate.py", "def late():\n    from adapters.identity import keys"),
    ("gateway/rpc/servicers.py", "from homeward.county.v1 import county_pb2"),
    ("gateway/ports.py", "from grpc import aio"),
    ("adapters/node/request.py", "from gateway.errors import Error"),
    ("adapters/node/respond.py", "from grpc_status import rpc_status"),
    ("adapters/mapping/report.py", "import deploy.demo.data"),
    ("deploy/demo/cli.py", "from gateway.wiring import build"),
    ("deploy/bootstrap.py", "from homeward import failure"),
    ("homeward/command.py", "import gateway.cli"),
    ("gateway/rpc/interceptor.py", "from opentelemetry import trace"),
    ("adapters/node/node.py", "def late():\n    from homeward import otlp"),
    ("gateway/exchange/spine.py", "from homeward.observing import observed"),
]


@pytest.mark.parametrize(("path", "source"), PLANTED)
def test_a_planted_import_is_found(path: str, source: str, tmp_path: Path) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    assert len(violations(dict.fromkeys(SOURCES, tmp_path))) == 1


ALLOWED = [
    ("audit/log.py", "from audit.merkle import root\nfrom . import merkle"),
    ("gateway/protocol/envelope.py", "from homeward.gateway.v1 import envelope_pb2"),
    ("gateway/exchange/journal.py", "from audit.log import Append\nfrom gateway.protocol.names import Purpose"),
    ("gateway/rpc/server.py", "import grpc\nfrom gateway.exchange import spine"),
    ("adapters/node/link.py", "from grpc import aio\nfrom gateway.protocol import sealing"),
    ("adapters/local/server.py", "from homeward.county.v1 import county_pb2_grpc"),
    ("gateway/cli.py", "from homeward.failure import CommandFailure\nfrom gateway.wiring import build"),
    ("gateway/wiring.py", "from homeward.observing import observed"),
]


@pytest.mark.parametrize(("path", "source"), ALLOWED)
def test_what_the_architecture_draws_is_let_through(path: str, source: str, tmp_path: Path) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    assert violations(dict.fromkeys(SOURCES, tmp_path)) == []
