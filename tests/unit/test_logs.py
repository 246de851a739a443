"""What a log line can hold, whatever is logged and by whom; and that our own code logs constants."""

import ast
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from homeward.logs import KEYS, OURS, WITHHELD, JsonLines, log_to

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "adapters", "audit", "deploy", "proto/homeward")
CANARY = "Zzyzx"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}


class Unspeakable:
    """Whatever asks for its text fails."""

    def __str__(self) -> str:
        raise RuntimeError(CANARY)

    __repr__ = __str__


def line(name: str, message: object, *arguments: object, **extra: object) -> dict[str, object]:
    """The line of one record."""
    record = logging.LogRecord(name, logging.ERROR, "f", 1, message, arguments, None)
    for key, value in extra.items():
        setattr(record, key, value)
    text = JsonLines().format(record)
    assert CANARY not in text
    assert "\n" not in text
    written: dict[str, object] = json.loads(text)
    return written


# --- a line -------------------------------------------------------------------------------


def test_a_line_of_ours_holds_its_constant_and_the_allowed_keys() -> None:
    written = line("adapters.node.respond", "work order refused %s", CANARY, reason="RECEIPT_OLD", youth=CANARY)
    assert (written["message"], written["reason"]) == ("work order refused %s", "RECEIPT_OLD")
    assert set(written) == {"time", "level", "logger", "message", "reason"}


def test_what_a_library_says_is_withheld() -> None:
    for name in ("sqlalchemy.engine", "asyncio", "grpc._cython.cygrpc", "opentelemetry.exporter"):
        written = line(name, f"statement with {CANARY}", CANARY)
        assert written["message"] == "a library's message, withheld"
        assert written["logger"] == name


@pytest.mark.parametrize(
    "value",
    [
        f"{CANARY} 2011-07-19", f"/homeward/{CANARY}", CANARY.encode(), (CANARY,), Unspeakable(), 2.5, None,
        ValueError(CANARY), "2011-07-19", "a\nb",
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_without_the_shape_of_its_key_is_withheld(value: object) -> None:
    assert line("gateway.rpc.interceptor", "call refused", reason=value)["reason"] == WITHHELD


def test_numbers_pass_as_numbers() -> None:
    assert line("adapters.x", "call", milliseconds=12)["milliseconds"] == 12


def test_every_key_has_a_shape_that_refuses_two_words_and_a_date_or_allows_a_sentence() -> None:
    sentences = {key for key, shape in KEYS.items() if shape.fullmatch(f"{CANARY} Quetzalovich")}
    # `why` says in a few words which constant of ours ended something; the scan below reads where it is set.
    assert sentences == {"why"}


def test_of_an_exception_only_its_type_is_written() -> None:
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        record = logging.LogRecord("gateway.x", logging.ERROR, "f", 1, "failed", (), (ValueError, error, None))
    text = JsonLines().format(record)
    assert json.loads(text)["exception_type"] == "ValueError"
    assert CANARY not in text


def test_a_record_without_an_exception_is_written_however_that_is_said() -> None:
    for nothing in (None, False, (None, None, None)):
        record = logging.LogRecord("opentelemetry.exporter", logging.ERROR, "f", 1, "failed", (), None)
        record.exc_info = nothing  # type: ignore[assignment]
        assert "exception_type" not in json.loads(JsonLines().format(record))


def test_an_exception_whose_text_fails_is_written_by_its_type() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError(CANARY)

    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    error = Broken()
    handler.handle(logging.LogRecord("audit.log", logging.ERROR, "f", 1, "failed", (), (Broken, error, None)))
    assert json.loads(stream.getvalue())["exception_type"] == "Broken"


def test_a_line_that_cannot_be_written_is_not_explained(capfd: pytest.CaptureFixture[str]) -> None:
    class Gone(StringIO):
        def write(self, text: str) -> int:
            raise OSError(CANARY)

    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    hooks = sys.unraisablehook, threading.excepthook
    try:
        log_to(Gone())
        logging.getLogger("gateway.rpc").error("call refused", extra={"reason": CANARY})
    finally:
        root.handlers[:] = before
        logging.captureWarnings(False)
        sys.unraisablehook, threading.excepthook = hooks
        for name in ("", *OURS):
            logging.getLogger(name).setLevel(logging.NOTSET if name else logging.WARNING)
    assert capfd.readouterr() == ("", "")


# --- a whole process ----------------------------------------------------------------------

_PROCESS = """
import asyncio, gc, logging, sys, threading, warnings
from homeward.logs import log_to
log_to(sys.stderr)
CANARY = "Zzyz" + "x"

class Text:
    def __str__(self): raise RuntimeError(CANARY)
    __repr__ = __str__

class Finalized:
    def __del__(self): raise ValueError(CANARY)

async def forgotten():
    async def fails(): raise ValueError(CANARY)
    task = asyncio.create_task(fails(), name=CANARY)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    asyncio.get_running_loop().call_soon(lambda: 1 / len(()))
    asyncio.get_running_loop().call_exception_handler({"message": CANARY, "exception": ValueError(CANARY)})
    await asyncio.sleep(0)

def in_thread(): raise ValueError(CANARY)

asyncio.run(forgotten())
thread = threading.Thread(target=in_thread, name=CANARY); thread.start(); thread.join()
del thread
finalized = Finalized(); del finalized; gc.collect()
warnings.warn(CANARY)
logging.getLogger("gateway.rpc").error("call refused %s %s", Text(), CANARY, extra={"reason": Text(), "youth": CANARY})
logging.getLogger("gateway.rpc").info("call %d", CANARY)
logging.getLogger("sqlalchemy").error("%s", Text())
logging.getLogger("sqlalchemy").info(CANARY)
logging.getLogger("gateway.rpc").error(Text())
try:
    raise ValueError(CANARY)
except ValueError:
    logging.getLogger("gateway.rpc").exception("failed")
sys.stderr.flush()
"""


def test_whatever_goes_wrong_in_a_process_standard_error_holds_json_lines_and_no_value() -> None:
    done = subprocess.run([sys.executable, "-c", _PROCESS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(each) for each in done.stderr.splitlines()]
    assert CANARY not in done.stderr + done.stdout
    # The control: each of the ways out was taken, and says so by type.
    told = [each.get("exception_type") for each in lines]
    assert told.count("ValueError") == 5, lines
    assert "ZeroDivisionError" in told
    assert {"asyncio", "py.warnings", "homeward.logs", "gateway.rpc", "sqlalchemy"} == {
        each["logger"] for each in lines
    }
    # An INFO of a library is not written at all.
    assert [each["level"] for each in lines if each["logger"] == "sqlalchemy"] == ["error"]


def test_without_the_set_up_the_same_process_would_have_told() -> None:
    bare = _PROCESS.replace("log_to(sys.stderr)\n", "")
    done = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.count(CANARY) > 5


# --- our own code -------------------------------------------------------------------------


def logging_calls(source: str) -> Iterator[ast.Call]:
    """Calls of a logger: `log.info(...)`, `_LOG.error(...)` and the like."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            receiver = ast.unparse(node.func.value)
            if receiver.lower().strip("_") in {"log", "logger", "logging"} or "getLogger" in receiver:
                yield node


def faults(source: str) -> list[str]:
    """What is wrong with how this source logs."""
    found = []
    for call in logging_calls(source):
        if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
            found.append("the message is not one constant")
        for keyword in call.keywords:
            if keyword.arg != "extra":
                found.append(f"passes {keyword.arg}")
            elif not _keys(keyword.value) <= set(KEYS):
                found.append("a key that is not on the list")
    return found


def _keys(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(key) if isinstance(key, ast.Constant) else "**" for key in node.keys}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _keys(node.left) | _keys(node.right)
    # A name: its dictionary stands a few lines above, and `JsonLines` drops other keys anyway.
    return set() if isinstance(node, ast.Name) else {"?"}


def test_our_own_code_logs_constant_messages_and_listed_keys_only() -> None:
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "_pb2" not in path.name]
    sources = {path: path.read_text(encoding="utf-8") for path in paths}
    assert sum(len(list(logging_calls(source))) for source in sources.values()) > 15
    assert {str(path.relative_to(ROOT)): faults(source) for path, source in sources.items() if faults(source)} == {}


@pytest.mark.parametrize(
    "planted",
    [
        'log.info(f"checked {name}")',
        'log.info("checked %s", name)',
        '_LOG.error("failed", exc_info=True)',
        'log.warning("failed", extra={"youth": name})',
        'log.warning("failed", extra=told | {"youth": name})',
        "logging.getLogger(__name__).error(str(failure))",
        '_logger.exception("failed", stack_info=True)',
    ],
)
def test_a_planted_careless_line_is_found(planted: str) -> None:
    assert faults(planted)
