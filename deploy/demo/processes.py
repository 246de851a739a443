"""Starting and stopping the product's processes, as a service manager would.

Decides how a command is run, where its output goes, what counts as started (the one readiness line that each process
prints on standard output) and what is said when one fails: which process, its last lines, what to do. Does not know
what the processes do.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from homeward.failure import CommandFailure

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 5.0
_TAIL_LINES: Final = 6
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Running:
    """A process of the sandbox; also written to `sandbox.json`, so that another command can stop it."""

    name: str
    pid: int
    started: str
    """What the operating system says of its start; a recycled process number has another."""
    log: Path
    """Standard error: log lines."""
    output: Path
    """Standard output: the readiness line."""
    ready: Mapping[str, Any]


class Launch(Protocol):
    """Starts a process of the product."""

    def __call__(self, name: str, *words: str, directory: Path) -> "Starting":
        """`homeward` runs with these words, in a session of its own; its log and output are in the directory."""


def command_line(*words: str) -> list[str]:
    """The words that run `homeward` from the environment this process runs in."""
    return [sys.executable, "-m", "homeward", *words]


def start(name: str, *words: str, directory: Path) -> "Starting":
    """The process runs, in a session of its own: a Ctrl-C at the terminal is for whoever started the sandbox."""
    log, output = outputs(name, directory)
    writing = os.O_WRONLY | os.O_CREAT
    # Not subprocess.Popen: the process may outlive this one, and nobody is to wait for it in an object's finalizer.
    pid = os.posix_spawn(
        sys.executable,
        command_line(*words),
        environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), writing | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(log), writing | os.O_APPEND, 0o600),
        ],
        setsid=True,
    )
    return Starting(name, pid, log, output)


def outputs(name: str, directory: Path) -> tuple[Path, Path]:
    """Where a process writes its log lines, and its readiness line."""
    return directory / f"{name}.log", directory / f"{name}.out"


@dataclass(frozen=True, slots=True)
class Starting:
    """A process that has been started and may not be ready yet."""

    name: str
    pid: int
    log: Path
    output: Path

    def wait(self, *, seconds: float = READY_SECONDS) -> Running:
        """The process once it is ready. Raises `CommandFailure`; the process has then ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ready = _readiness(self.output)
            if ready is not None:
                return Running(self.name, self.pid, start_mark(self.pid), self.log, self.output, ready)
            status = _reap(self.pid)
            if status is not None or not start_mark(self.pid):
                raise failed(self.name, tail(_text(self.log)) or f"exit {status}", self.log)
            time.sleep(_POLL_SECONDS)
        self.end()
        raise failed(self.name, f"not ready after {seconds:.0f} seconds; {tail(_text(self.log))}", self.log)

    def end(self) -> None:
        """The process has ended, whether or not it was ready."""
        while _reap(self.pid) is None and start_mark(self.pid):
            os.kill(self.pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)


def is_alive(process: Running) -> bool:
    """The very process that was started still runs."""
    return start_mark(process.pid) == process.started != ""


def signal_all(processes: Sequence[Running], number: signal.Signals) -> None:
    """Every process that still runs has been sent the signal."""
    for process in processes:
        if is_alive(process):
            try:
                os.kill(process.pid, number)
            except ProcessLookupError:
                # It ended between the look and the signal.
                continue


def stop(processes: Sequence[Running], *, seconds: float = STOP_SECONDS) -> tuple[str, ...]:
    """Every process has ended: asked first (SIGTERM), killed after `seconds`. Returns the names of the killed ones."""
    signal_all(processes, signal.SIGTERM)
    if wait_gone(processes, seconds=seconds):
        return ()
    stubborn = tuple(process.name for process in processes if is_alive(process))
    signal_all(processes, signal.SIGKILL)
    wait_gone(processes, seconds=seconds)
    return stubborn


def wait_gone(processes: Sequence[Running], *, seconds: float) -> bool:
    """Whether every process ended within the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for process in processes:
            _reap(process.pid)
        if not any(is_alive(process) for process in processes):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def environment() -> dict[str, str]:
    """This environment without proxies and telemetry: every address of the sandbox is on this machine."""
    dropped = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
    kept = {name: value for name, value in os.environ.items() if name.lower() not in dropped}
    return kept | {"PYTHONUNBUFFERED": "1", "no_proxy": "127.0.0.1,localhost"}


def _reap(pid: int) -> int | None:
    """Exit status of a child that ended; None while it runs, and for what another command started."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status) if found else None


def start_mark(pid: int) -> str:
    """Start time of the process in clock ticks since boot, empty if it is gone or a zombie.

    While threads of a zombie still end, what the process has open is open, its locks among it: it is not gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except FileNotFoundError:
        return _mark_portable(pid)
    except ProcessLookupError:
        return ""
    # Fields 3, 20 and 22 of proc(5); the name in field 2 may itself hold spaces and parentheses.
    state, threads, started = fields[0], int(fields[17]), fields[19]
    return "" if state == "Z" and threads <= 1 else started


def _mark_portable(pid: int) -> str:
    """The same where there is no /proc (macOS)."""
    if Path("/proc/self/stat").exists():
        return ""
    shown = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return "" if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip()


def _readiness(output: Path) -> Mapping[str, Any] | None:
    for line in _text(output).splitlines(keepends=True):
        if not line.endswith("\n") or not line.startswith("{"):
            continue
        event = json.loads(line)
        if event.get("event") == "ready":
            return dict(event)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def tail(text: str) -> str:
    """The last lines of a log, on one line."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_TAIL_LINES:])


def failed(name: str, why: str, log: Path) -> CommandFailure:
    """A process of the sandbox failed; its log says more."""
    return CommandFailure(
        "SBX-001",
        f"a process of the sandbox failed: {name}",
        where=str(log),
        why=why,
        fix="read the log named above; homeward sandbox down removes what still runs",
    )
