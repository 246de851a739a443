"""How far a registration is, told on standard error: a bar on a terminal, a line each ten seconds elsewhere.

Decides presentation only. With `--json` a change is a JSON line, at most one a second, and the last one always.
"""

import json
import sys
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from adapters.node.batches import Progress as Registered

LINE_SECONDS: Final = 10.0
JSON_SECONDS: Final = 1.0


@dataclass(slots=True)
class Telling:
    """A context manager whose `told` shows each change."""

    as_json: bool
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _bar: Progress | None = field(default=None, init=False)
    _tasks: dict[str, TaskID] = field(default_factory=dict, init=False)
    _last: dict[str, float] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        if not self.as_json and self.stream.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(file=self.stream))
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def told(self, registered: Registered) -> None:
        """The change is shown, or will be with the next one."""
        for epoch, due in registered.due.items():
            done = registered.done[epoch]
            if due + done:
                self._show(epoch, done, done + due)

    def _show(self, epoch: str, done: int, total: int) -> None:
        if self._bar is not None:
            task = self._tasks.get(epoch)
            if task is None:
                task = self._tasks[epoch] = self._bar.add_task(f"epoch {epoch}", total=total)
            self._bar.update(task, completed=done, total=total)
            return
        now, pause = time.monotonic(), JSON_SECONDS if self.as_json else LINE_SECONDS
        last = self._last.get(epoch)
        if last is not None and done < total and now - last < pause:
            return
        if last == float("inf"):
            return
        self._last[epoch] = float("inf") if done == total else now
        line = {"event": "progress", "epoch": epoch, "done": done, "total": total}
        text = json.dumps(line) if self.as_json else f"epoch {epoch}: {done} of {total} youths listed"
        self.stream.write(text + "\n")
        self.stream.flush()
