"""What ends an auditor's command: evidence that does not hold, and a file that cannot be written.

Decides the four parts that are said, and that nothing half-written is left under the name that was asked for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.cli_options import Place
from audit.errors import EvidenceError
from audit.export import FormatUnavailable
from homeward.failure import CommandFailure, ExitCode


@contextmanager
def evidence_failures(place: Place) -> Iterator[None]:
    """Inside, evidence that does not hold ends the command with exit status 6."""
    try:
        yield
    except EvidenceError as fault:
        at = f"entry {fault.index}" if fault.index is not None else "the adapter's answer"
        raise CommandFailure(
            f"AUDIT-{fault.reason}",
            "the log's evidence does not hold",
            where=f"{at}, {place.file.parent}",
            why=str(fault),
            fix="use nothing of it; keep the output and tell the exchange's operator and your privacy officer",
            exit_code=ExitCode.EVIDENCE,
        ) from fault


@contextmanager
def fresh_file(path: Path) -> Iterator[Path]:
    """Inside, a file is written under the name that is given; it has the asked name only once it is whole."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except (OSError, FormatUnavailable) as exc:
        # Of an error of the system its class alone: its text may quote more than the path.
        why = str(exc) if isinstance(exc, FormatUnavailable) else type(exc).__name__
        raise CommandFailure(
            "AUDIT-FILE",
            "the file cannot be written",
            where=str(path),
            why=why,
            fix="check the directory and its permissions, or choose another --format",
        ) from exc
    finally:
        partial.unlink(missing_ok=True)
