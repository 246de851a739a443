"""The sandbox: a whole exchange on this machine, for county engineers, tests and the demonstration.

    with Sandbox.up(directory) as sandbox:
        with sandbox.county("A").channel() as channel:
            Calls(channel).missing.CheckFlag(...)

Decides what is brought up, when it is ready for questions, and how it is found, stopped and restarted. Everything is
bound to loopback, everybody in it is invented, and it says so wherever it speaks.
"""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from deploy.demo import bringup
from deploy.demo.commands import Commands
from deploy.demo.counties import Agency, counties
from deploy.demo.county import County
from deploy.demo.layout import Layout, Member, SandboxState, read_state, remove, write_state
from deploy.demo.processes import Launch, Running, is_alive, signal_all, start, stop, wait_gone
from deploy.demo.readiness import wait_ready
from deploy.demo.youths import Caseload, make_caseload
from homeward.failure import CommandFailure

_QUORUM: Final = 2
"""Witnesses of the log, where there are as many counties."""


class Sandbox:
    """A running sandbox."""

    def __init__(self, layout: Layout, state: SandboxState, launch: Launch = start) -> None:
        self.layout = layout
        self._launch = launch
        self.state = state
        self._lock = threading.Lock()
        self.caseload: Caseload = make_caseload(_today())

    @classmethod
    def up(cls, directory: Path, *, count: int = 3, commands: Commands | None = None) -> Self:
        """A new sandbox with this many counties is ready for questions. Raises `CommandFailure`; nothing runs then.

        Its processes are started by `commands`, which load what they run once for all; without, each by itself.
        """
        layout = Layout(directory.absolute())
        _make_room(layout)
        layout.make()
        sandbox = cls(layout, SandboxState(), start if commands is None else commands.start)
        write_state(layout, sandbox.state)
        try:
            with Commands() if commands is None else nullcontext(commands) as running:
                sandbox._bring_up(counties(count), running)
        except BaseException:
            stop(sandbox.state.processes)
            raise
        return sandbox

    @classmethod
    def attach(cls, directory: Path) -> Self:
        """The sandbox that another command brought up. Raises `CommandFailure` where there is none."""
        layout = Layout(directory.absolute())
        state = read_state(layout)
        if state is None:
            raise CommandFailure(
                "SBX-004",
                "there is no sandbox here",
                where=str(layout.root),
                why="it holds no sandbox.json",
                fix="homeward sandbox up, or name another --dir",
            )
        return cls(layout, state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def county(self, letter: str) -> County:
        """The agency with this letter. Raises `KeyError` for one that has not joined."""
        found = {member.letter: member for member in self.state.members}[letter]
        return County(found, self.layout.agency(letter))

    def process(self, name: str) -> Running:
        """A process by name: `gateway`, `custodian`, `adapter-a`. Raises `KeyError`."""
        return {process.name: process for process in self.state.processes}[name]

    def enlist(self, agency: Agency, commands: Commands, *, beside: Agency | None = None) -> None:
        """One more agency has joined and is ready; `beside` is one of its county that joined before it."""
        bringup.make_agency(self.layout, agency, self.caseload, today=_today())
        root = self.layout.agency(beside.letter) / "state" / "keys" / "county-root.key" if beside else None
        self._enlist(agency, commands, county_root=root)

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """The process has received the signal and ended. Raises `CommandFailure` if it has not."""
        process = self.process(name)
        signal_all([process], number)
        if not wait_gone([process], seconds=5.0):
            raise CommandFailure(
                "SBX-005",
                f"{name} did not end on {number.name}",
                where=str(process.log),
                why="it still runs after 5 seconds",
                fix="homeward sandbox down kills it",
            )

    def restart(self, name: str) -> None:
        """The process, which had ended, runs again and is ready."""
        letter = name.removeprefix("adapter-").upper()
        is_adapter = name == bringup.adapter_name(letter)
        again = (
            bringup.serve_adapter(self.layout, letter, self._launch)
            if is_adapter
            else bringup.serve_holder(self.layout, name, self._launch)
        )
        process = again.wait()
        member = next((member for member in self.state.members if is_adapter and member.letter == letter), None)
        # An adapter that listens on port 0 has another port now.
        self.keep(process, None if member is None else replace(member, local=str(process.ready["local"])))

    def down(self, *, keep: bool = True) -> tuple[str, ...]:
        """Nothing of it runs; the directory is left (`keep`) or gone. Returns the names of killed processes."""
        # Those who depend go first, so that their last words are not about a missing gateway.
        adapters = [process for process in self.state.processes if process.name.startswith("adapter-")]
        holders = [process for process in self.state.processes if process not in adapters]
        killed = stop(adapters) + stop(holders)
        if not keep:
            remove(self.layout)
        return killed

    def keep(self, process: Running, member: Member | None = None) -> None:
        """The process, and the member it serves, are of the sandbox, here and in its file. Usable from any thread."""
        with self._lock:
            self.state = self.state.with_process(process)
            if member is not None:
                self.state = self.state.with_member(member)
            write_state(self.layout, self.state)

    def _bring_up(self, agencies: tuple[Agency, ...], commands: Commands) -> None:
        """Whatever was started is known to the sandbox, also when this fails."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            holders = pool.submit(self._serve_holders, commands, quorum=min(_QUORUM, len(agencies)))
            for agency in agencies:
                bringup.make_agency(self.layout, agency, self.caseload, today=_today())
        holders.result()
        with ThreadPoolExecutor(max_workers=len(agencies)) as pool:
            enlisted = [pool.submit(self._enlist, agency, commands) for agency in agencies]
        for done in enlisted:
            done.result()

    def _serve_holders(self, commands: Commands, *, quorum: int) -> None:
        for process in bringup.bring_up_holders(self.layout, commands, self._launch, quorum=quorum):
            self.keep(process)

    def _enlist(self, agency: Agency, commands: Commands, *, county_root: Path | None = None) -> None:
        adapter = bringup.enlist(self.layout, agency, commands, self._launch, county_root=county_root)
        self.keep(adapter, bringup.member_of(self.layout, agency, adapter))
        wait_ready(self.county(agency.letter), agency, adapter)


def _today() -> date:
    return datetime.now().astimezone().date()


def _make_room(layout: Layout) -> None:
    """Nothing of an earlier sandbox is in the way. Raises `CommandFailure` for what must not be removed."""
    state = read_state(layout)
    if state is None:
        if layout.root.exists() and any(layout.root.iterdir()):
            raise CommandFailure(
                "SBX-002",
                "the directory is not empty and not a sandbox",
                where=str(layout.root),
                why="it holds files and no sandbox.json",
                fix="name another --dir, or empty this one",
            )
        return
    running = [process.name for process in state.processes if is_alive(process)]
    if running:
        raise CommandFailure(
            "SBX-007",
            "a sandbox is running here",
            where=str(layout.root),
            why=f"still running: {', '.join(running)}",
            fix="homeward sandbox down, or name another --dir",
        )
    remove(layout)
