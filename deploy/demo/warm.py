"""An interpreter that has loaded the product's commands and runs each in a child of its own.

Decides nothing but how a command is started. A child is a process like any other, with its own arguments, output and
exit status; it only need not load again what this one has loaded, nor take it apart. One line of JSON on standard input
asks for a command; one on standard output tells its process number, and one its end. Ends when standard input does, and
its children with it: whoever is killed leaves nothing running.
"""

import atexit
import json
import os
import selectors
import signal
import sys
from typing import Final, NoReturn

import click

from homeward.command import COMMANDS, homeward, main
from homeward.failure import CommandFailure

_CHUNK: Final = 65536


def serve() -> list[str]:
    """Returns in each child, with its command's words. The server itself exits when nobody asks any more."""
    children: dict[int, int] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    # Ctrl-C is for whoever asks; the server ends with its standard input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(wake)
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    waiting.register(woken, selectors.EVENT_READ)
    pending = b""
    while True:
        ready = {key.fd for key, _ in waiting.select()}
        if woken in ready:
            os.read(woken, _CHUNK)
            _tell_ends(children)
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), _CHUNK)
            if not data:
                for child in children:
                    os.kill(child, signal.SIGTERM)
                sys.exit(0)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    return _become(request)
                children[pid] = request["id"]
                print(json.dumps({"id": request["id"], "pid": pid}), flush=True)


def _tell_ends(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        print(json.dumps({"id": children.pop(pid), "exit": os.waitstatus_to_exitcode(status)}), flush=True)


def _become(request: dict[str, object]) -> list[str]:
    """This process has the files of the request, and nothing of the server's own input and output."""
    if request["serves"]:
        # A Ctrl-C at the terminal is for whoever started the sandbox.
        os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The log of a process that serves goes on where the one before it ended.
    kept = os.O_APPEND if request["serves"] else os.O_TRUNC
    writing = os.O_WRONLY | os.O_CREAT
    for number, name, mode in ((0, "in", os.O_RDONLY), (1, "out", writing | os.O_TRUNC), (2, "err", writing | kept)):
        descriptor = os.open(str(request[name]), mode, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    words = [str(word) for word in request["words"]]  # type: ignore[attr-defined]
    sys.argv = ["homeward", *words]
    return words


def load() -> None:
    """Every command is loaded, the sandbox's own left out. One that cannot be will say so in its own child."""
    context = click.Context(homeward)
    for name in COMMANDS:
        if name in {"demo", "sandbox"}:
            continue
        try:
            homeward.get_command(context, name)
        except (CommandFailure, ImportError):
            continue


def end(ended: SystemExit) -> NoReturn:
    """The process ends with this status, once what was registered for its end is done. Threads are not waited for, and
    nothing is taken apart: object by object, as an interpreter does, all that the server had loaded took three
    quarters of the time of a command.
    """
    if isinstance(ended.code, str):
        print(ended.code, file=sys.stderr)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


if __name__ == "__main__":
    load()
    words = serve()
    try:
        main(words)
    except SystemExit as ended:
        end(ended)
