"""Running the product's commands and processes, many in a short time.

Decides that each runs in a process of its own (`warm`), how long it may take, and how its failure is told: in its own
words. Usable from several threads.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from deploy.demo.processes import Starting, environment, failed, outputs, tail

_SECONDS: Final = 60.0


class _ServerEnded(Exception):
    """The server is gone before the command's end was known."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    exit: int
    out: str
    err: str


class Commands:
    """Runs commands until it is closed; a context manager."""

    def __init__(self) -> None:
        self._files = tempfile.TemporaryDirectory(prefix="homeward-commands-")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "deploy.demo.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            text=True,
        )
        self._asking, self._telling = _pipes(self._server)
        self._numbers = itertools.count(1)
        self._begun: dict[int, Future[int]] = {}
        self._ends: dict[int, Future[int]] = {}
        self._serving: dict[int, Future[int]] = {}
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="commands", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing of it runs, and no process that it started."""
        self._asking.close()
        self._reader.join()
        self._telling.close()
        self._server.wait()
        self._files.cleanup()

    def ask(self, *words: str, typed: str = "") -> Done:
        """The command has run to its end, whatever that was; `typed` was its standard input.

        Raises `CommandFailure` if it does not end.
        """
        number = next(self._numbers)
        typing, out, err = (Path(self._files.name) / f"{number}.{kind}" for kind in ("in", "out", "err"))
        typing.write_text(typed, encoding="utf-8")
        _, end = self._send(number, words, typed=typing, out=out, err=err, serves=False)
        return Done(_awaited(end, words, err), out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def start(self, name: str, *words: str, directory: Path) -> Starting:
        """`processes.Launch`: the process ends with this, or with whoever has this, at the latest."""
        log, output = outputs(name, directory)
        # At once: the readiness of the process that wrote there before must not pass for this one's.
        output.write_bytes(b"")
        begun, end = self._send(next(self._numbers), words, typed=Path(os.devnull), out=output, err=log, serves=True)
        pid = _awaited(begun, words, log)
        self._serving[pid] = end
        return Starting(name, pid, log, output)

    def ended(self, pid: int, seconds: float) -> int:
        """Exit status of a process that this started, once it has ended. Raises TimeoutError."""
        return self._serving[pid].result(timeout=seconds)

    def run(self, *words: str, log: Path) -> str:
        """Standard output of a command that succeeded. Raises `CommandFailure` with its own words otherwise."""
        done = self.ask(*words)
        with log.open("a", encoding="utf-8") as file:
            file.write(done.err)
        if done.exit != 0:
            raise failed(_label(words), tail(done.err or done.out) or f"exit {done.exit}", log)
        return done.out

    def _send(
        self, number: int, words: tuple[str, ...], *, typed: Path, out: Path, err: Path, serves: bool
    ) -> tuple[Future[int], Future[int]]:
        begun, end = self._begun[number], self._ends[number] = Future[int](), Future[int]()
        files = {"in": str(typed), "out": str(out), "err": str(err)}
        request = {"id": number, "words": words, **files, "serves": serves}
        try:
            with self._lock:
                self._asking.write(json.dumps(request) + "\n")
                self._asking.flush()
        except BrokenPipeError:
            for each in (begun, end):
                each.set_exception(_ServerEnded())
        return begun, end

    def _read(self) -> None:
        for line in self._telling:
            said = json.loads(line)
            if "pid" in said:
                self._begun.pop(said["id"]).set_result(said["pid"])
            else:
                self._ends.pop(said["id"]).set_result(said["exit"])
        for left in (*self._begun.values(), *self._ends.values()):
            left.set_exception(_ServerEnded())


def _awaited(future: Future[int], words: tuple[str, ...], log: Path) -> int:
    try:
        return future.result(timeout=_SECONDS)
    except FutureTimeoutError:
        raise failed(_label(words), f"it took longer than {_SECONDS:.0f} seconds", log) from None
    except _ServerEnded:
        raise failed(_label(words), "the interpreter that runs the commands ended; see above", log) from None


def _label(words: tuple[str, ...]) -> str:
    """What the command is called. A join line, a secret until it is spent, is no part of a name."""
    return " ".join(word for word in words[:2] if word.isalpha())


def _pipes(server: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    if server.stdin is None or server.stdout is None:
        raise RuntimeError("opened with pipes")
    return server.stdin, server.stdout
