"""The page for engineers of county systems names every reason and fault of an error, and none that does not exist."""

import ast
import re
from functools import cache
from pathlib import Path

import adapters
from adapters import errors
from adapters.errors import ErrorReason
from adapters.local.server import MAX_CALLS
from adapters.local.status import CODES
from adapters.node.errors import Missing
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.translate import of_call
from adapters.staff import StaffFault
from gateway.errors import ErrorReason as GatewayReason
from gateway.protocol.channel import MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, server_options

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "proto" / "README.md").read_text(encoding="utf-8")
REASONS = "| reason | gRPC code | again |"
FAULTS = "| fault | reason |"


def rows(page: str, head: str) -> list[tuple[str, str]]:
    """The first two cells of each row of the table that begins so."""
    (table,) = re.findall(rf"^{re.escape(head)}.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [(first, second) for first, second in re.findall(r"^\| `(\w+)` \| `(\w+)` \|", table, re.MULTILINE)]


@cache
def trees() -> tuple[ast.Module, ...]:
    sources = Path(adapters.__file__).parent.rglob("*.py")
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in sources)


def reason_of(node: ast.expr) -> str | None:
    named = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorReason"
    return node.attr if named and isinstance(node, ast.Attribute) else None


def codes_of_reasons() -> set[tuple[str, str]]:
    """Each reason with the code of the class it is raised in: a call, a pair of a table, or a class of its own."""
    classes = {kind.__name__: kind for kind in CODES}
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            kind, reason = "", None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                kind, reason = node.func.id, reason_of(node.args[0])
            elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[0], ast.Name):
                kind, reason = node.elts[0].id, reason_of(node.elts[1])
            elif isinstance(node, ast.ClassDef) and node.name in classes:
                inner = [reason_of(call.args[0]) for call in ast.walk(node) if isinstance(call, ast.Call) and call.args]
                kind, reason = node.name, next((each for each in inner if each), None)
            if reason is not None and kind in classes:
                found.add((reason, CODES[classes[kind]][0].name))
    return found


def faults_of_calls() -> set[tuple[str, str]]:
    """What becomes of a call at the exchange, for every reason and way to fail, where it says more than the reason."""
    failures = [CallFailed(fault) for fault in CallFault]
    failures += [CallFailed(CallFault.REFUSED, reason) for reason in GatewayReason]
    made = [of_call(failed) for failed in failures]
    return {(str(error.fault), str(error.reason)) for error in made if error.fault not in ("", error.reason)}


def literal_faults() -> set[str]:
    """Every fault that the adapter's source states as a word."""
    return {
        word.value.value
        for tree in trees()
        for word in ast.walk(tree)
        if isinstance(word, ast.keyword) and word.arg == "fault" and isinstance(word.value, ast.Constant)
        if isinstance(word.value.value, str) and word.value.value
    }


def wrong_reasons(page: str) -> set[tuple[str, str]]:
    """What the table lacks, and what it has that does not exist."""
    return set(rows(page, REASONS)) ^ codes_of_reasons()


def wrong_faults(page: str) -> set[tuple[str, str]]:
    """As `wrong_reasons`, of the faults."""
    tokens = {(str(fault), "UNAUTHENTICATED") for fault in StaffFault}
    # A youth that is missing is the request's matter: another reason, and no fault.
    missing = {(str(each), "NOT_READY") for each in Missing if each is not Missing.SUBJECT}
    told = {"TOKEN_HOLDERS": "GATEWAY_UNAVAILABLE", "KEY": "NOT_READY"}
    assert literal_faults() == set(told)
    return set(rows(page, FAULTS)) ^ (tokens | missing | faults_of_calls() | set(told.items()))


def test_the_page_names_every_reason_with_its_code_once() -> None:
    assert wrong_reasons(PAGE) == set()
    named = [reason for reason, _ in rows(PAGE, REASONS)]
    assert sorted(named) == sorted(ErrorReason)


def test_the_page_names_every_fault_with_its_reason_once() -> None:
    assert wrong_faults(PAGE) == set()
    assert len(rows(PAGE, FAULTS)) == len(set(rows(PAGE, FAULTS)))


def test_what_the_page_lacks_or_invents_is_found() -> None:
    lost = re.sub(r"^\| `LOOKUPS_HELD` \| `RESOURCE_EXHAUSTED` .*\n", "", PAGE, flags=re.MULTILINE)
    assert wrong_reasons(lost) == {("LOOKUPS_HELD", "RESOURCE_EXHAUSTED")}
    invented = PAGE.replace("| `YOUTH_SEALED` | `NOT_FOUND` |", "| `YOUTH_SEALED` | `ABORTED` |")
    assert wrong_reasons(invented) == {("YOUTH_SEALED", "NOT_FOUND"), ("YOUTH_SEALED", "ABORTED")}
    unknown = PAGE.replace("| `TOKEN_KEY` |", "| `TOKEN_KEYS` |")
    assert wrong_faults(unknown) == {("TOKEN_KEY", "UNAUTHENTICATED"), ("TOKEN_KEYS", "UNAUTHENTICATED")}


def test_the_page_states_the_limits_that_hold() -> None:
    options = dict(server_options())
    for line in (
        f"open `WatchAlerts` among them | {MAX_CALLS}; then `RESOURCE_EXHAUSTED` |",
        f"| streams on one connection | {options['grpc.max_concurrent_streams']};",
        f"| {MAX_MESSAGE_BYTES // 1024} KiB; {MAX_METADATA_BYTES // 1024} KiB |",
    ):
        assert line in PAGE
    assert options["grpc.max_connection_age_ms"] == 30 * 60_000
    assert options["grpc.max_connection_age_grace_ms"] == 30_000


def test_every_error_class_has_reasons_on_the_page() -> None:
    assert {code.name for kind, (code, _) in CODES.items() if kind is not errors.Error} == {
        code for _, code in rows(PAGE, REASONS)
    }
