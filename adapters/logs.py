"""The adapter's own log lines: JSON on standard error, constant messages, values of an allow-list only.

Decides what a log line can hold. A message is a constant of the code; beside it stand the keys below, whose values are
constant words or counts. Whatever else somebody puts on a record is dropped, and of an exception only its type is
written: its text may quote what was being handled (SECURITY §0.2).
"""

import json
import logging
from datetime import UTC, datetime
from typing import Final, TextIO

KEYS: Final = (
    "why", "fault", "reason", "missing", "kind", "operator", "generation", "count", "version", "outcome",
    "method", "milliseconds", "exception_type",
)  # fmt: skip


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with the keys that are allowed."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            # `msg` and not `getMessage()`: arguments are values, and values are not logged.
            "message": str(record.msg) if record.name.split(".")[0] in _OURS else record.levelname.lower(),
        }
        line |= {key: str(getattr(record, key)) for key in KEYS if hasattr(record, key)}
        if record.exc_info is not None and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line)


_OURS: Final = frozenset({"adapters", "gateway", "audit"})


def log_to(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Log records of this process go to the stream as JSON lines, and nowhere else."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
