"""A witness: every answer of C2SP tlog-witness, what is on disk before one, and what a fork does to it."""

from __future__ import annotations

import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.bounded_http import BoundedHttp
from audit.checkpoint import LogSigner
from audit.contradiction import find_contradiction
from audit.cosignature import check_cosignature, check_cosignatures
from audit.errors import EvidenceError, EvidenceReason
from audit.note import parse_note, parse_signature_lines, parse_verifier_key
from audit.submission import Status, Submission, parse_size, parse_submission
from audit.witness import Witness
from audit.witness_http import HttpWitness
from audit.witness_serve import serving_witness
from tests.integration.log_kit import SIGNER
from tests.integration.published_kit import answering
from tests.integration.witness_kit import NOW, Told, cosigner, known_log, log_line, open_witness

ORIGIN = SIGNER.public.origin
SIZE = 40
TOLD = Told(SIZE)
FORKED = Told(SIZE, differs=12)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    opened = open_witness(tmp_path / "witness.db")
    yield opened
    opened.close()


@pytest.fixture
def at_20(witness: Witness) -> Witness:
    assert witness.add_checkpoint(TOLD.submission(0, 20)).status is Status.COSIGNED
    return witness


def _size(witness: Witness) -> int:
    kept = witness.kept(ORIGIN)
    return kept.checkpoint.size if kept is not None else 0


def test_a_continuation_is_cosigned_and_kept(at_20: Witness) -> None:
    answer = at_20.add_checkpoint(TOLD.submission(20, 33))
    (line,) = parse_signature_lines(answer.body.decode())
    assert check_cosignature(line, cosigner("a").public, TOLD.checkpoint(33)).seconds == NOW
    kept = at_20.kept(ORIGIN)
    assert kept is not None
    assert check_cosignatures(parse_note(kept.note), TOLD.checkpoint(33), [cosigner("a").public])


def test_the_same_checkpoint_is_cosigned_again(at_20: Witness) -> None:
    assert at_20.add_checkpoint(TOLD.submission(20, 20)).status is Status.COSIGNED


def _with(body: bytes, **changed: object) -> bytes:
    return Submission(**{**_fields(body), **changed}).encode()  # type: ignore[arg-type]


def _fields(body: bytes) -> dict[str, object]:
    parsed = parse_submission(body)
    return {"old_size": parsed.old_size, "proof": parsed.proof, "note": parsed.note}


def _foreign(origin: str, key: bytes) -> str:
    return LogSigner(origin, Ed25519PrivateKey.from_private_bytes(key * 32)).sign(33, bytes(32))


HONEST = TOLD.submission(20, 33)
FORGED = TOLD.note(33).replace(log_line(TOLD.note(33)), log_line(TOLD.note(34)))
REFUSED: dict[str, tuple[bytes, Status]] = {
    "unknown log": (_with(HONEST, note=_foreign("other.example/log", b"x")), Status.UNKNOWN_LOG),
    "signed by another key": (_with(HONEST, note=_foreign(ORIGIN, b"x")), Status.NOT_SIGNED),
    "signature of another checkpoint": (_with(HONEST, note=FORGED), Status.NOT_SIGNED),
    "old larger than the checkpoint": (_with(HONEST, old_size=34), Status.MALFORMED),
    "no checkpoint": (b"old 20\n\n", Status.MALFORMED),
    "not a request": (b"hello", Status.MALFORMED),
    "not UTF-8": (b"old 20\n\n\xff", Status.MALFORMED),
    "leading zero": (HONEST.replace(b"old 20", b"old 020"), Status.MALFORMED),
    "64 proof lines": (_with(HONEST, proof=(bytes(32),) * 64), Status.MALFORMED),
    "hash too short": (_with(HONEST, proof=(bytes(31),)), Status.MALFORMED),
    "size with a leading zero": (_with(HONEST, note=TOLD.note(33).replace("\n33\n", "\n033\n")), Status.NOT_SIGNED),
    "extension line": (_with(HONEST, note=SIGNER.sign(33, bytes(32)).replace("\n\n", "\nmore\n\n")), Status.NOT_SIGNED),
    "stale size": (TOLD.submission(10, 33), Status.OTHER_SIZE),
    "older checkpoint": (TOLD.submission(10, 12), Status.OTHER_SIZE),
    "first contact again": (TOLD.submission(0, 33), Status.OTHER_SIZE),
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_is_refused_as_specified_and_changes_nothing(at_20: Witness, case: str) -> None:
    body, status = REFUSED[case]
    answer = at_20.add_checkpoint(body)
    assert answer.status is status
    if status is Status.OTHER_SIZE:
        assert parse_size(answer.body) == 20
    assert _size(at_20) == 20
    assert at_20.forks() == ()
    assert at_20.add_checkpoint(HONEST).status is Status.COSIGNED


def test_a_proof_on_first_contact_and_a_false_empty_tree_are_refused(witness: Witness) -> None:
    assert witness.add_checkpoint(_with(TOLD.submission(0, 33), proof=(bytes(32),))).status is Status.INCONSISTENT
    empty = Submission(0, (), SIGNER.sign(0, bytes(32)))
    assert witness.add_checkpoint(empty.encode()).status is Status.INCONSISTENT
    assert witness.add_checkpoint(TOLD.submission(0, 0)).status is Status.COSIGNED
    assert witness.add_checkpoint(TOLD.submission(0, 33)).status is Status.COSIGNED


@pytest.mark.parametrize("size", [20, 33])
def test_a_fork_is_kept_with_both_notes_and_ends_the_cosigning_for_good(
    at_20: Witness, size: int, tmp_path: Path
) -> None:
    answer = at_20.add_checkpoint(FORKED.submission(20, size))
    assert (answer.status, answer.body) == (Status.INCONSISTENT, b"")
    assert answer.fork is not None
    assert answer.fork.kept.startswith(TOLD.note(20))
    assert answer.fork.shown.endswith(FORKED.note(size))
    proof = find_contradiction(answer.fork.kept, answer.fork.shown, SIGNER.public)
    assert proof.range == (0, 20)
    assert answer.fork.is_proof()
    assert at_20.add_checkpoint(HONEST).status is Status.INCONSISTENT
    again = open_witness(tmp_path / "witness.db")
    assert again.forks() == (answer.fork,)
    assert again.add_checkpoint(HONEST).status is Status.INCONSISTENT
    again.close()


@pytest.mark.parametrize("old", [1, 2, 16, 32])
def test_a_fork_from_a_power_of_two_stops_a_linked_witness_and_is_not_called_a_proof(tmp_path: Path, old: int) -> None:
    """Such a proof begins with the reader's own root, and so does not say which past the log claims."""
    forked = Told(40, differs=0)
    witness = open_witness(tmp_path / "linked.db", from_log_alone=True)
    witness.add_checkpoint(TOLD.submission(0, old))
    answer = witness.add_checkpoint(forked.submission(old, 40))
    assert (answer.status, answer.body) == (Status.INCONSISTENT, b"")
    (fork,) = witness.forks()
    assert (fork.size, fork.is_proof()) == (old, False)
    with pytest.raises(EvidenceError) as caught:
        find_contradiction(fork.kept, fork.shown, SIGNER.public)
    assert caught.value.reason is EvidenceReason.CONSISTENT
    assert witness.add_checkpoint(TOLD.submission(old, 40)).status is Status.INCONSISTENT
    # What completes it: the other history's own checkpoint of that size.
    assert find_contradiction(fork.kept, forked.note(old), SIGNER.public).range == (0, old)
    witness.close()


def test_of_two_requests_at_once_one_wins_and_the_state_never_goes_back(at_20: Witness) -> None:
    bodies = [TOLD.submission(20, size) for size in range(21, 41)] * 5
    with ThreadPoolExecutor(max_workers=16) as pool:
        answers = list(pool.map(at_20.add_checkpoint, bodies))
    cosigned = [parse_submission(body) for body, answer in zip(bodies, answers, strict=True) if answer.status == 200]
    assert cosigned
    assert {answer.status for answer in answers} <= {Status.COSIGNED, Status.OTHER_SIZE}
    # Whoever won is the only one whose old size was still 20.
    assert len({parse_note(each.note).text for each in cosigned}) == 1
    assert at_20.add_checkpoint(TOLD.submission(20, 40)).status is not Status.INCONSISTENT


def test_its_clock_may_go_back_its_cosignatures_do_not(tmp_path: Path) -> None:
    times = [NOW, NOW - 3600]
    witness = Witness(
        tmp_path / "w.db", [cosigner("a")], log_key=known_log, now=lambda: times.pop(0), from_log_alone=True
    )
    first = witness.add_checkpoint(TOLD.submission(0, 20))
    second = witness.add_checkpoint(HONEST)
    witness.close()
    seconds = []
    for answer, size in ((first, 20), (second, 33)):
        (line,) = parse_signature_lines(answer.body.decode())
        seconds.append(check_cosignature(line, cosigner("a").public, TOLD.checkpoint(size)).seconds)
    assert seconds == [NOW, NOW]


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from tests.integration.witness_kit import Told, open_witness
told = Told(400)
witness = open_witness(Path(sys.argv[1]))
size = 0
while True:
    for size, old in ((at + 1, at) for at in range(399)):
        if witness.add_checkpoint(told.submission(old, size)).status != 200:
            continue
        os.write(1, f"{size}\\n".encode())
    break
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_has_on_disk_whatever_it_answered(tmp_path: Path) -> None:
    for run in range(8):
        path = tmp_path / f"{run}.db"
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(1 + run * 20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        answered = [int(line) for line in process.stdout.read().split()]
        process.wait()
        process.stdout.close()
        witness = open_witness(path)
        assert _size(witness) >= max(answered, default=1 + run * 20)
        assert witness.forks() == ()
        witness.close()


def test_12_restored_from_a_backup_it_cosigns_a_fork_which_is_why_it_must_get_a_new_key(
    at_20: Witness, tmp_path: Path
) -> None:
    at_20.close()
    shutil.copy(tmp_path / "witness.db", tmp_path / "backup.db")
    live, restored = open_witness(tmp_path / "witness.db"), open_witness(tmp_path / "backup.db")
    late = Told(SIZE, differs=30)
    assert live.add_checkpoint(TOLD.submission(20, 40)).status is Status.COSIGNED
    assert restored.add_checkpoint(late.submission(20, 40)).status is Status.COSIGNED
    live.close()
    restored.close()


def test_a_database_that_promises_less_is_refused(tmp_path: Path) -> None:
    (tmp_path / "witness.db").write_bytes(b"not a database" * 100)
    with pytest.raises((EvidenceError, sqlite3.DatabaseError)):
        open_witness(tmp_path / "witness.db")


def test_over_http_it_answers_the_same(at_20: Witness) -> None:
    with answering(serving_witness(at_20, lambda: (ORIGIN,), "127.0.0.1", 0)) as url:
        client = HttpWitness(url, seconds=10)
        stale = client.add_checkpoint(TOLD.submission(10, 33))
        assert (stale.status, stale.body) == (409, b"20\n")
        assert client.add_checkpoint(HONEST).status == 200
        assert client.add_checkpoint(FORKED.submission(33, 40)).status == 422
        client.close()


def test_over_http_monitors_see_what_it_cosigned_last(at_20: Witness) -> None:
    with answering(serving_witness(at_20, lambda: (ORIGIN,), "127.0.0.1", 0)) as url:
        peer = BoundedHttp(url)
        name = hashlib.sha256(ORIGIN.encode()).hexdigest()
        kept = at_20.kept(ORIGIN)
        assert kept is not None
        assert peer.request("GET", f"{name}/checkpoint", limit=10_000).body == kept.note.encode()
        for path in ("checkpoint", "witness.db", f"{'0' * 64}/checkpoint"):
            assert peer.request("GET", path, limit=10_000).status == 404
        peer.close()


def test_an_outsider_runs_one_from_a_checkout_and_it_keeps_its_key(tmp_path: Path) -> None:
    (tmp_path / "log.vkey").write_text(SIGNER.public.vkey())
    keys = set()
    for old, size in ((0, 20), (20, 33)):
        words = ["witness", str(tmp_path / "w"), "--name", "w.example/1", "--log-key", str(tmp_path / "log.vkey")]
        process = subprocess.Popen(
            [sys.executable, "-m", "audit", *words, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        said = process.stdout.readline().split()
        key = parse_verifier_key(said[1])
        client = HttpWitness(f"http://127.0.0.1:{said[-1]}/", seconds=10)
        answer = client.add_checkpoint(TOLD.submission(old, size))
        client.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        process.stdout.close()
        (line,) = parse_signature_lines(answer.body.decode())
        check_cosignature(line, key, TOLD.checkpoint(size))
        keys.add(key)
    assert len(keys) == 1


@given(st.binary(max_size=300) | st.integers(0, len(HONEST) - 1).flatmap(
    lambda at: st.integers(0, 255).map(lambda octet: HONEST[:at] + bytes((octet,)) + HONEST[at + 1 :])
))  # fmt: skip
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_make_it_cosign_anything_but_the_continuation(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "fuzz.db").unlink(missing_ok=True)
    witness = open_witness(tmp_path / "fuzz.db", from_log_alone=False)
    witness.add_checkpoint(TOLD.submission(0, 20))
    answer = witness.add_checkpoint(body)
    assert answer.status is not Status.COSIGNED or parse_submission(body).note.startswith(TOLD.note(33)[:60])
    assert _size(witness) in (20, 33)
    witness.close()
