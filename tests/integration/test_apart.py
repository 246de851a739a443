"""The process beside a gateway: it answers in order, holds nothing up when it ends, and never outlives the first."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import Process, answered
from tests.integration.exchange_kit import free_port

_PROGRAM = """
import asyncio, os, signal, sys, time
import uvloop
from gateway.apart import Apart, ApartEnded

def work(question):
    if question == "end":
        os._exit(3)
    if question == "hang":
        time.sleep(60)
    return [question, os.getpid()]

apart = Apart.begin(work)

async def main():
    ended = []
    await apart.attach(lambda: ended.append(True))
    {body}

uvloop.run(main())
"""


def run(body: str) -> str:
    """What a program prints whose `main` goes on like this."""
    text = _PROGRAM.replace("{body}", body.replace("\n", "\n    "))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_question_gets_its_own_answer_from_another_process() -> None:
    printed = run("""
questions = [b"x" * (size % 7 * 50_000) + str(size).encode() for size in range(200)]
answers = await asyncio.gather(*map(apart.ask, questions))
print([each[0] for each in answers] == questions, {each[1] for each in answers} == {apart.pid} != {os.getpid()})
""")
    assert printed == "True True\n"


def test_whoever_asks_is_told_when_it_ends_and_so_is_the_process() -> None:
    printed = run("""
print((await apart.ask(1))[0])
answers = await asyncio.gather(apart.ask("end"), apart.ask(2), return_exceptions=True)
print(*(type(each).__name__ for each in answers), ended)
try:
    await apart.ask(3)
except ApartEnded:
    print("ended")
""")
    assert printed == "1\nApartEnded ApartEnded [True]\nended\n"


def test_one_that_hangs_can_be_ended_and_whoever_asked_is_told() -> None:
    printed = run("""
asked = apart.ask("hang")
await asyncio.sleep(0.1)
apart.kill()
try:
    await asked
except ApartEnded:
    print("told", ended)
""")
    assert printed == "told [True]\n"


def test_whoever_gave_up_takes_nobody_elses_answer() -> None:
    printed = run("""
first, second = apart.ask("first"), apart.ask("second")
first.cancel()
print((await second)[0])
""")
    assert printed == "second\n"


def test_it_goes_on_when_the_group_is_told_to_stop() -> None:
    printed = run("""
for number in (signal.SIGTERM, signal.SIGINT):
    await apart.ask("begun")
    os.kill(apart.pid, number)
print((await apart.ask("after"))[0])
apart.close()
print((await asyncio.to_thread(os.waitpid, apart.pid, 0))[1], ended)
""")
    assert printed == "after\n0 []\n"


def test_it_ends_when_the_first_process_is_killed() -> None:
    body = 'await apart.ask("begun")\nprint("begun", flush=True)\nawait asyncio.sleep(60)'
    text = _PROGRAM.replace("{body}", body.replace("\n", "\n    "))
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "begun\n"
        process.kill()
        # The end of the pipe comes when nobody is left who could write to it.
        assert process.stdout.read() == ""
    assert process.wait(10) == -signal.SIGKILL


def test_one_that_is_closed_ends_while_others_go_on() -> None:
    printed = run("""
other = Apart.begin(work)
await other.attach(lambda: ended.append(False))
await apart.ask("begun"), await other.ask("begun")
apart.close()
print((await asyncio.to_thread(os.waitpid, apart.pid, 0))[1], (await other.ask("on"))[0], ended)
""")
    assert printed == "0 on []\n"


@pytest.mark.parametrize("which", range(2))
def test_a_gateway_without_one_of_them_stops_and_says_why(tmp_path: Path, which: int) -> None:
    ports = [free_port() for _ in range(2)]
    answered("custodian", "deal", "--out", tmp_path / "shares")
    answered(
        "gateway", "init", tmp_path / "gw", "--trust-domain", "exchange.example",
        "--share", tmp_path / "shares" / "share-1.bin",
        "--listen", f"127.0.0.1:{ports[0]}", "--enroll-listen", f"127.0.0.1:{ports[1]}",
    )  # fmt: skip
    process = Process.start("gateway", "gateway", "serve", tmp_path / "gw", directory=tmp_path)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 2
    os.kill(int(children[which]), signal.SIGKILL)
    assert process.wait(30) == 1
    assert "a process beside this one ended" in (tmp_path / "gateway.log").read_text()


def test_a_question_that_cannot_be_asked_takes_nobody_elses_answer() -> None:
    printed = run("""
try:
    apart.ask(object())
except ValueError:
    print((await apart.ask("next"))[0])
""")
    assert printed == "next\n"
