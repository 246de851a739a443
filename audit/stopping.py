"""Why a log stopped, so that the next start knows it: one mark beside the high-water record.

Decides the form of the mark: a symbolic link whose target is the reason. Making one writes no file data, so that it
succeeds on a full disk, at once or not at all (Emacs and Firefox lock their files the same way). While the mark is
there the log is not opened: a log that stopped because of what it found must not go on because somebody restarted it.
Only `homeward audit recover --explain` takes it away, and the explanation leaves an entry.

Deliberately not marked: a process that was killed or lost its power. It found nothing; the start checks decide.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from audit.errors import EvidenceError, EvidenceReason, LogStops, StopReason

_logger = logging.getLogger(__name__)


class StopMark:
    """The mark of one log. `high_water` is the log's high-water record."""

    def __init__(self, high_water: Path) -> None:
        self.path = high_water.with_name(f"{high_water.name}.stopped")

    def read(self) -> StopReason | None:
        """Returns why the log stopped, None if it did not. An unreadable mark counts as ROOT: it must be looked at."""
        try:
            return StopReason(os.readlink(self.path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return StopReason.ROOT

    def make(self, reason: StopReason) -> None:
        """The log counts as stopped; the first reason stays. A disk that refuses even this is reported."""
        try:
            os.symlink(reason.value, self.path)
        except FileExistsError:
            return
        except OSError as exc:
            _logger.critical("audit log could not be marked as stopped", extra={"exception_type": type(exc).__name__})

    def clear(self) -> None:
        """The log may be opened again."""
        self.path.unlink(missing_ok=True)

    def check(self) -> None:
        """Holds if the log did not stop. Raises EvidenceError(STOPPED)."""
        reason = self.read()
        if reason is not None:
            text = f"the log stopped for good ({reason}) and nobody has explained why"
            raise EvidenceError(EvidenceReason.STOPPED, text)


def stop_reason(exc: Exception) -> StopReason:
    """Returns why a log stops on this error."""
    if isinstance(exc, LogStops):
        return exc.stop
    return StopReason.ROOT if isinstance(exc, EvidenceError) else StopReason.IO
