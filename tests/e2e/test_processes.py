"""Processes are started, found and stopped by what the operating system says of them, and failures are told whole."""

import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.demo.commands import Commands
from deploy.demo.ports import free_addresses
from deploy.demo.processes import Running, is_alive, start, start_mark, stop, wait_gone
from homeward.failure import CommandFailure
from tests.commands import commands

STUBBORN = "import signal,time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('x', flush=True)\ntime.sleep(60)\n"


@pytest.fixture(name="commands")
def shared() -> Commands:
    return commands()


def test_a_process_that_cannot_start_is_named_with_its_log_and_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(CommandFailure) as refused:
        start("gateway", "gateway", "serve", str(tmp_path / "nothing"), directory=tmp_path).wait()
    assert "gateway" in refused.value.what
    assert refused.value.where == str(tmp_path / "gateway.log")
    assert "fix" in refused.value.why


LINGERING = """
import ctypes, platform, sys, threading
threading.Thread(target=sys.stdin.read).start()
print("its first thread ends", flush=True)
exits = {"x86_64": 60, "aarch64": 93}
ctypes.CDLL(None).syscall(exits[platform.machine()], 0)
"""


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="the number of its system call is not known"
)
def test_a_process_is_not_gone_while_a_thread_of_it_still_ends() -> None:
    """It has its locks until then: whoever starts in its place would be refused."""
    with subprocess.Popen([sys.executable, "-c", LINGERING], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        status = Path(f"/proc/{process.pid}/stat")
        while ") Z " not in status.read_text():
            time.sleep(0.01)
        assert start_mark(process.pid)
        process.stdin.close()
        deadline = time.monotonic() + 10
        while start_mark(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not start_mark(process.pid)


def test_a_command_that_fails_is_told_in_its_own_words(tmp_path: Path, commands: Commands) -> None:
    with pytest.raises(CommandFailure) as refused:
        commands.run(
            "gateway", "trust", str(tmp_path), "--custodian-card", str(tmp_path / "none"), log=tmp_path / "log"
        )
    assert refused.value.code == "SBX-001"
    assert "none" in refused.value.why


def test_commands_run_at_once_each_with_its_own_end(tmp_path: Path, commands: Commands) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        good = pool.submit(commands.ask, "policy", "show", "--json")
        usage = pool.submit(commands.ask, "policy", "show", "--no-such-option")
        unknown = pool.submit(commands.ask, "verify", str(tmp_path / "none.db"))
        assert (good.result().exit, usage.result().exit, unknown.result().exit) == (0, 2, 2)
        assert good.result().out.startswith("{")
        assert "no-such-option" in usage.result().err


def test_what_they_started_ends_with_them(tmp_path: Path) -> None:
    with Commands() as passing:
        started = passing.start("files", "audit", "serve", str(tmp_path), "--listen", "127.0.0.1:0", directory=tmp_path)
        running = Running("files", started.pid, start_mark(started.pid), started.log, started.output, {})
        assert is_alive(running)
        with pytest.raises(TimeoutError):
            passing.ended(started.pid, 0.1)
    assert wait_gone([running], seconds=10)


def test_a_join_line_is_not_repeated_in_a_failure(tmp_path: Path, commands: Commands) -> None:
    with pytest.raises(CommandFailure) as refused:
        commands.run("join", "hw1_c2VjcmV0", "--dir", str(tmp_path), log=tmp_path / "log")
    assert "c2VjcmV0" not in refused.value.as_text()


def test_a_recycled_process_number_is_not_taken_for_the_process(tmp_path: Path) -> None:
    recycled = Running("gateway", os.getpid(), "1", tmp_path / "log", tmp_path / "out", {})
    assert not is_alive(recycled)
    assert stop([recycled], seconds=0.1) == ()


def test_who_does_not_end_when_asked_is_killed_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.demo.processes.command_line", lambda *words: [sys.executable, "-c", *words])
    starting = start("stubborn", STUBBORN, directory=tmp_path)
    while not (tmp_path / "stubborn.out").read_text():
        time.sleep(0.01)
    mark = start_mark(starting.pid)
    running = Running("stubborn", starting.pid, mark, starting.log, starting.output, {})
    assert is_alive(running)
    assert stop([running], seconds=0.3) == ("stubborn",)
    assert not is_alive(running)
    # Its number stays taken until whoever started it has looked.
    until = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(starting.pid, signal.SIGCONT)
            time.sleep(0.01)


def test_free_addresses_are_different_and_below_the_range_of_outgoing_ports() -> None:
    addresses = free_addresses(8)
    ports = [int(address.removeprefix("127.0.0.1:")) for address in addresses]
    assert len(set(ports)) == 8
    assert max(ports) < 32_000
