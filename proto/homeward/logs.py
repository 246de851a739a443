"""Log lines of every process: one JSON object a line on standard error, constant messages, values of a closed list.

Decides what can stand in a log line. A message of ours is a constant of the code; beside it stand the keys below, whose
values must have the shape of a constant word or a number. Of an exception only the type is written, and of another
library's record only its level and logger: what either says may quote what was being handled (SECURITY §0.2). Nothing
goes around it: the interpreter's own ways to standard error (threads, finalizers, warnings, a record that cannot be
written) end here too.
"""

import json
import logging
import os
import re
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,63}")
_SENTENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .,;:-]{0,119}")
KEYS: Final[Mapping[str, re.Pattern[str]]] = {
    "method": re.compile(r"/[a-z][A-Za-z0-9_.]{1,120}/[A-Za-z]{1,40}"),
    "reason": _WORD,
    "fault": _WORD,
    "outcome": _WORD,
    "missing": _WORD,
    "kind": _WORD,
    "exception_type": _WORD,
    "why": _SENTENCE,
    "operator": re.compile(r"[a-z0-9][a-z0-9-]{0,31}"),
    "agency": re.compile(r"[0-9]{5}\.[a-z0-9-]{1,32}"),
    "witness": re.compile(r"[a-z0-9][a-z0-9./-]{0,127}"),
    "source": re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}"),
    "rule": re.compile(r"[A-Z]{3}-[0-9]{3}"),
    "generation": re.compile(r"[0-9]{1,18}"),
    "version": re.compile(r"[0-9]{1,18}"),
    "count": re.compile(r"[0-9]{1,18}"),
    "milliseconds": re.compile(r"[0-9]{1,18}"),
}
"""Every key beside time, level, logger and message, with the shape of its values."""
OURS: Final = ("adapters", "gateway", "audit", "deploy", "homeward")
WITHHELD: Final = "withheld"
"""Stands for a value that has not the shape of its key."""
_FOREIGN: Final = "a library's message, withheld"


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, as far as this module lets it out."""
        ours = record.name.split(".")[0] in OURS and type(record.msg) is str
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            # `msg` and not `getMessage()`: arguments are values, and values are not logged.
            "message": record.msg if ours else _FOREIGN,
        }
        present = vars(record)
        line |= {key: _value(present[key], shape) for key, shape in KEYS.items() if key in present}
        # Some libraries leave a bare False here.
        if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
            line["exception_type"] = _value(record.exc_info[0].__name__, _WORD)
        return json.dumps(line)


def _value(value: object, shape: re.Pattern[str]) -> object:
    if type(value) in (int, bool):
        return value
    # An object's own `__str__` is not called: it is code of whoever made the object. `StrEnum` is a str already.
    if not isinstance(value, str):
        return WITHHELD
    text = str.__str__(value)
    return text if shape.fullmatch(text) is not None else WITHHELD


class _Lines(logging.StreamHandler[TextIO]):
    """A handler that does not explain a record it could not write."""

    def handleError(self, record: logging.LogRecord) -> None:
        """A constant line. The library would print the record with its arguments, and a traceback."""
        # Where standard error is gone there is nobody to tell, and a log line must not end a call.
        with suppress(OSError, ValueError):
            self.stream.write('{"level": "error", "message": "a log line could not be written"}\n')


def log_to(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Log records of this process go to the stream as JSON lines, and nowhere else; those of libraries from WARNING on.

    So do exceptions that nothing catches in threads and finalizers, by their type, and warnings.
    """
    handler = _Lines(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.unraisablehook = _unraisable
    threading.excepthook = _in_thread


def quiet_grpc() -> None:
    """The C core of grpcio says nothing by itself. Call it before grpc is imported.

    It writes to standard error past Python, and a peer can make it write; what matters of a connection that failed
    reaches our own code as a status.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


_LOG: Final = logging.getLogger(__name__)


def _unraisable(event: "sys.UnraisableHookArgs") -> None:
    _LOG.error("an exception in a finalizer", extra={"exception_type": event.exc_type.__name__})


def _in_thread(event: threading.ExceptHookArgs) -> None:
    _LOG.error("an exception ended a thread", extra={"exception_type": event.exc_type.__name__})
