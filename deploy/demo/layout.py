"""Where the sandbox keeps what, and the file by which one command finds what another started.

Decides names below the sandbox's directory and the form of `sandbox.json` (mode 0600: it holds staff tokens of invented
people). A directory without that file is not a sandbox and is never removed.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final, Self

from deploy.demo.processes import Running
from homeward.failure import CommandFailure, ExitCode

_STATE: Final = "sandbox.json"
_FORMAT: Final = "homeward/sandbox/v1"
DEFAULT_NAME: Final = "homeward-sandbox"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one sandbox."""

    root: Path

    @property
    def gateway(self) -> Path:
        """State directory of the gateway."""
        return self.root / "gateway"

    @property
    def custodian(self) -> Path:
        """State directory of the custodian."""
        return self.root / "custodian"

    @property
    def ceremony(self) -> Path:
        """What the dealer of the key shares wrote."""
        return self.root / "ceremony"

    @property
    def logs(self) -> Path:
        """Standard output and error of every process."""
        return self.root / "logs"

    @property
    def received(self) -> Path:
        """What gateway and custodian received, message by message; only a sandbox records that."""
        return self.root / "received"

    def agency(self, letter: str) -> Path:
        """Everything of one agency: file, data, token issuer, adapter state."""
        return self.root / f"agency-{letter.lower()}"

    def make(self) -> None:
        """The directories exist, readable by their owner alone. Raises `CommandFailure`."""
        for path in (self.root, self.logs, self.received):
            make_directory(path, mode=0o700)


def make_directory(path: Path, *, mode: int = 0o777) -> None:
    """The directory exists and takes files. Raises `CommandFailure`."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        TemporaryFile(dir=path).close()
    except OSError as exc:
        raise CommandFailure(
            "SBX-008",
            "the directory cannot be made, or takes no files",
            where=str(path),
            why=exc.strerror or type(exc).__name__,
            fix="name one that is yours to write",
        ) from exc


@dataclass(frozen=True, slots=True)
class Member:
    """One agency of a running sandbox."""

    letter: str
    agency: str
    local: str
    """`host:port` of its adapter's endpoint for county systems."""
    certificate: Path
    """The CA certificate by which a client knows that endpoint."""


@dataclass(frozen=True, slots=True)
class SandboxState:
    """What `sandbox.json` says."""

    processes: tuple[Running, ...] = ()
    members: tuple[Member, ...] = ()

    def with_process(self, process: Running) -> Self:
        """The same with this process in place of an earlier one of its name."""
        others = tuple(other for other in self.processes if other.name != process.name)
        return replace(self, processes=(*others, process))

    def with_member(self, member: Member) -> Self:
        """The same with this member in place of an earlier one of its letter."""
        others = tuple(other for other in self.members if other.letter != member.letter)
        return replace(self, members=tuple(sorted((*others, member), key=lambda each: each.letter)))


def write_state(layout: Layout, state: SandboxState) -> None:
    """The file says this; a reader sees the old or the new one."""
    document = {"format": _FORMAT, **asdict(state)}
    partial = layout.root / (_STATE + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, default=str)
    partial.replace(layout.root / _STATE)


def read_state(layout: Layout) -> SandboxState | None:
    """What the file says, None where there is none. Raises `CommandFailure` for a file of another form."""
    try:
        document = json.loads((layout.root / _STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        document = {}
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise CommandFailure(
            "SBX-003",
            "this directory holds a sandbox of another release",
            where=str(layout.root / _STATE),
            why="its state file cannot be read",
            fix="remove the directory by hand",
            exit_code=ExitCode.FAILED,
        )
    return SandboxState(
        processes=tuple(_running(entry) for entry in document["processes"]),
        members=tuple(_member(entry) for entry in document["members"]),
    )


def remove(layout: Layout) -> None:
    """The sandbox's directory is gone; anything that is not a sandbox is left alone."""
    if (layout.root / _STATE).exists():
        shutil.rmtree(layout.root)


def _running(entry: Mapping[str, Any]) -> Running:
    return Running(**{**entry, "log": Path(entry["log"]), "output": Path(entry["output"])})


def _member(entry: Mapping[str, Any]) -> Member:
    return Member(**{**entry, "certificate": Path(entry["certificate"])})
