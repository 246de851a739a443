"""Two processes of one witness on one directory: one key, and of two histories shown at once one is cosigned."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner
from audit.submission import Status
from audit.witness import make_key
from audit.witness_http import HttpWitness
from tests.integration.witness_kit import Told

LOGS = 40
"""One race each: a log that was forked once is no more good for another."""
SEEN, HONEST, FORKED = 20, 33, 40


def _signer(number: int) -> LogSigner:
    return LogSigner(f"log.example/{number}", Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")))


def _processes(directory: Path, signers: Sequence[LogSigner]) -> list[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "audit", "witness", str(directory / "w"), "--name", "w.example/1"]
    for number, signer in enumerate(signers):
        key = directory / f"{number}.vkey"
        key.write_text(signer.public.vkey())
        words += ["--log-key", str(key)]
    words += ["--listen", "127.0.0.1:0"]
    return [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]


@contextmanager
def _two(directory: Path, signers: Sequence[LogSigner]) -> Iterator[tuple[list[str], list[HttpWitness]]]:
    """The keys of two witnesses that were started on one directory at once, and how to ask each."""
    processes = _processes(directory, signers)
    with ExitStack() as stack:
        for process in processes:
            stack.callback(process.wait, 10)
            stack.callback(process.send_signal, signal.SIGINT)
            assert process.stdout is not None
            stack.callback(process.stdout.close)
        said = [process.stdout.readline().split() for process in processes if process.stdout is not None]
        asked = [HttpWitness(f"http://127.0.0.1:{words[-1]}/", seconds=20) for words in said]
        for each in asked:
            stack.callback(each.close)
        yield [words[1] for words in said], asked


def _at_once(*calls: Callable[[], int]) -> list[int]:
    ready = threading.Barrier(len(calls))

    def together(call: Callable[[], int]) -> int:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(together, calls))


def test_of_two_histories_shown_to_two_processes_at_once_one_is_cosigned(tmp_path: Path) -> None:
    signers = [_signer(number) for number in range(1, LOGS + 1)]
    with _two(tmp_path, signers) as (keys, (one, other)):
        assert keys[0] == keys[1]
        for signer in signers:
            honest, forked = Told(FORKED, signer=signer), Told(FORKED, differs=SEEN + 1, signer=signer)
            assert one.add_checkpoint(honest.submission(0, SEEN)).status == Status.COSIGNED
            shown, again = honest.submission(SEEN, HONEST), forked.submission(SEEN, FORKED)
            answers = _at_once(
                lambda shown=shown: one.add_checkpoint(shown).status,  # type: ignore[misc]
                lambda again=again: other.add_checkpoint(again).status,  # type: ignore[misc]
            )
            assert sorted(answers) == [Status.COSIGNED, Status.OTHER_SIZE]
            # Whoever came late tries again from the size that it was told: nothing of that history is cosigned.
            late, size = (other, HONEST) if answers[0] == Status.COSIGNED else (one, FORKED)
            told = forked if late is other else honest
            assert late.add_checkpoint(told.submission(size, FORKED)).status == Status.INCONSISTENT


@pytest.mark.parametrize("round_", range(5))
def test_whoever_makes_a_key_at_once_with_another_finds_one_whole_key(tmp_path: Path, round_: int) -> None:
    path = tmp_path / f"witness-{round_}.key"

    def made() -> bytes:
        make_key(path)
        return path.read_bytes()

    ready = threading.Barrier(8)

    def together(_: int) -> bytes:
        ready.wait()
        return made()

    with ThreadPoolExecutor(8) as pool:
        (key,) = set(pool.map(together, range(8)))
    assert (len(key), path.stat().st_mode & 0o777) == (32, 0o600)
    assert list(tmp_path.iterdir()) == [path]
