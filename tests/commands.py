"""The product's commands and processes, for all tests of one process of pytest: what they import is loaded once.

Each runs in a process of its own, with the environment and from the directory that the first of them found. A test of
how an interpreter starts, of its environment or of what stands around it starts one itself.
"""

import json
import signal
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.demo.commands import Commands, Done
from deploy.demo.processes import Running, signal_all


@cache
def commands() -> Commands:
    """Never closed: what it runs ends with this process."""
    return Commands()


def homeward(*words: object, code: int = 0) -> Done:
    """A command an operator types, which ends with this status."""
    done = commands().ask(*map(str, words))
    assert done.exit == code, done.out + done.err
    return done


def answered(*words: object, code: int = 0) -> dict[str, object]:
    """What the command answers with `--json`."""
    done = homeward(*words, "--json", code=code)
    reply: dict[str, object] = json.loads((done.out or done.err).splitlines()[-1])
    return reply


@dataclass(frozen=True, slots=True)
class Process:
    """A process that serves; told and waited for as one of `subprocess` is."""

    running: Running

    @classmethod
    def start(cls, name: str, *words: object, directory: Path) -> "Process":
        """It is ready. Its log, `NAME.log`, is in the directory. Raises `CommandFailure`."""
        return cls(commands().start(name, *map(str, words), directory=directory).wait())

    @property
    def pid(self) -> int:
        """Its number."""
        return self.running.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Nobody else gets it, where the process is gone and its number another's."""
        signal_all([self.running], number)

    def terminate(self) -> None:
        """It is asked to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """It ends without a last word."""
        self.send_signal(signal.SIGKILL)

    def wait(self, seconds: float) -> int:
        """Its exit status, once it has ended. Raises TimeoutError."""
        return commands().ended(self.pid, seconds)

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        try:
            return self.wait(0)
        except TimeoutError:
            return None
