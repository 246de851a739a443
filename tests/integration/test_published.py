"""The published log: written only from what was derived anew, verified file by file, and whole again after any crash.

The numbers in the names are those of the design's list of tamper and fault tests.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from audit.checkpoint import LogSigner
from audit.cli import verify
from audit.cosignature import Cosigner
from audit.errors import EvidenceError, EvidenceReason
from audit.log import Append
from audit.note import parse_verifier_key
from audit.policy import Witness, k_of
from audit.publish import Publisher
from audit.published import Published, check_witnessed, verify_published
from audit.reader import Reader
from audit.sequencer import Sequencer
from audit.serve import serving
from audit.source import DirectorySource, HttpSource, open_source
from audit.store_sqlite import SqliteStore
from tests.integration.log_kit import KEYS, SIGNER, LogHome, draft
from tests.integration.published_kit import Publishing, answering, fill, filled_home, publish

COUNT = 600
NEEDED = (
    "checkpoint", "tile/entries/000", "tile/entries/001", "tile/entries/002.p/88", "tile/0/000", "tile/0/001",
    "tile/0/002.p/88", "tile/1/000.p/2",
)  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("original")
    publish(filled_home(directory / "log", COUNT), directory / "published")
    return directory


@pytest.fixture
def home(original: Path, tmp_path: Path) -> LogHome:
    shutil.copytree(original / "log", tmp_path / "log")
    shutil.copytree(original / "published", tmp_path / "published")
    return LogHome(tmp_path / "log", SqliteStore(tmp_path / "log" / "log.db"))


@pytest.fixture
def published(home: LogHome) -> Path:
    return home.directory.parent / "published"


def _verify(directory: Path) -> Published:
    return verify_published(DirectorySource(directory), key=SIGNER.public)


def _fault(directory: Path) -> EvidenceReason:
    with pytest.raises(EvidenceError) as caught:
        _verify(directory)
    return caught.value.reason


def test_what_is_published_verifies_and_is_exactly_what_the_tree_needs(published: Path) -> None:
    found = _verify(published)
    assert (found.checkpoint.size, found.files) == (COUNT, len(NEEDED))
    there = {str(path.relative_to(published)) for path in published.rglob("*") if path.is_file()}
    assert there == {*NEEDED, "log.vkey", ".lock"}


def test_nothing_new_publishes_nothing(home: LogHome, published: Path) -> None:
    assert publish(home, published) is None


def test_a_growing_log_keeps_every_file_a_reader_of_the_last_checkpoint_needs(home: LogHome, published: Path) -> None:
    for step in (1, 100, 70):
        before = (published / "checkpoint").read_text()
        with Publishing(home, published) as publisher:
            fill(home, step, start=1000)
            prepared = publisher.prepare()
            assert prepared is not None
            # The tiles of the next tree stand beside those of the last, whose checkpoint is still the published one.
            assert (published / "checkpoint").read_text() == before
            _verify(published)
            publisher.publish(prepared, prepared.note)
        assert _verify(published).checkpoint == prepared.checkpoint


def test_a_reader_of_an_older_checkpoint_finds_the_full_tile_instead(home: LogHome, published: Path) -> None:
    old = (published / "checkpoint").read_bytes()
    fill(home, 200)
    publish(home, published)
    assert not (published / "tile/0/002.p").exists()
    (published / "checkpoint").write_bytes(old)
    assert _verify(published).checkpoint.size == COUNT


def test_4_a_torn_lost_or_lengthened_file_is_found_and_written_again(home: LogHome, published: Path) -> None:
    for name in NEEDED:
        whole = (published / name).read_bytes()
        for damaged in (whole[:-1], whole[: len(whole) // 2], b"", whole + b"\0"):
            (published / name).write_bytes(damaged)
            assert _fault(published) in EvidenceReason
        (published / name).unlink()
        assert _fault(published) is EvidenceReason.STORE
        (published / "tile/0/777.tmp").write_bytes(whole[:10])
        publish(home, published)
        assert (published / name).read_bytes() == whole
        assert not list(published.rglob("*.tmp"))


def test_5_a_flipped_bit_anywhere_is_found(published: Path) -> None:
    source = random.Random(5)
    for name in NEEDED:
        whole = (published / name).read_bytes()
        places = source.sample(range(len(whole)), min(len(whole), 40))
        for place in places:
            changed = bytearray(whole)
            changed[place] ^= 1 << source.randrange(8)
            (published / name).write_bytes(changed)
            assert _fault(published) in EvidenceReason
        (published / name).write_bytes(whole)
    _verify(published)


@pytest.mark.parametrize(
    ("name", "place", "entry"),
    [
        # Below the leaf's time, which says by itself that it goes back.
        ("tile/entries/001", 43 * 7 + 20, 256 + 7),
        ("tile/entries/002.p/88", 43 * 87 + 42, 512 + 87),
        ("tile/0/000", 32 * 255 + 31, 255),
        ("tile/0/002.p/88", 0, 512),
        ("tile/1/000.p/2", 0, None),
    ],
)
def test_5_the_entry_that_was_changed_is_named(published: Path, name: str, place: int, entry: int | None) -> None:
    changed = bytearray((published / name).read_bytes())
    changed[place] ^= 1
    (published / name).write_bytes(changed)
    with pytest.raises(EvidenceError) as caught:
        _verify(published)
    assert (caught.value.reason, caught.value.index) == (EvidenceReason.NODE, entry)
    if entry is not None:
        assert f"entry {entry} was changed in tile/entries/" in str(caught.value)
        assert name in str(caught.value)
        assert "more" not in str(caught.value)


def test_5_that_more_than_one_entry_was_changed_is_said(published: Path) -> None:
    path = published / "tile/entries/000"
    changed = bytearray(path.read_bytes())
    for entry in (3, 30, 200):
        changed[43 * entry + 20] ^= 1
    path.write_bytes(changed)
    with pytest.raises(EvidenceError) as caught:
        _verify(published)
    assert (caught.value.index, "and so were 2 more" in str(caught.value)) == (3, True)


def test_5_a_partial_tile_of_a_smaller_tree_is_checked_with_the_checkpoint_of_that_tree(
    home: LogHome, published: Path
) -> None:
    old = (published / "checkpoint").read_bytes()
    fill(home, 50)
    publish(home, published)
    for name in ("tile/entries/002.p/88", "tile/0/002.p/88"):
        whole = (published / name).read_bytes()
        (published / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert _verify(published).checkpoint.size == COUNT + 50
        newest = (published / "checkpoint").read_bytes()
        (published / "checkpoint").write_bytes(old)
        assert _fault(published) in (EvidenceReason.NODE, EvidenceReason.ROOT)
        (published / "checkpoint").write_bytes(newest)
        (published / name).write_bytes(whole)


CHANGES = {
    "leaf hash": ("UPDATE log_entry SET leaf_hash = ? WHERE idx = 610", EvidenceReason.LEAF),
    "digests after hashing": (
        "UPDATE log_entry SET digests = zeroblob(512), tag = ? WHERE idx = 610",
        EvidenceReason.BODY,
    ),
    "box": ("UPDATE log_entry SET box_op = ? WHERE idx = 610", EvidenceReason.BODY),
    "inner node": ("UPDATE log_node SET hash = ? WHERE level = 1 AND position = 305", EvidenceReason.NODE),
    "upper node": ("UPDATE log_node SET hash = ? WHERE level = 8 AND position = 2", EvidenceReason.NODE),
    "frontier": ("UPDATE log_tree SET frontier = ?", EvidenceReason.NODE),
    "root": ("UPDATE log_tree SET root = ?", EvidenceReason.ROOT),
}


@pytest.mark.parametrize("change", CHANGES)
def test_6_rows_that_do_not_hold_together_are_neither_signed_nor_published(
    home: LogHome, published: Path, change: str
) -> None:
    statement, reason = CHANGES[change]
    fill(home, 200)
    with sqlite3.connect(home.directory / "log.db") as connection:
        assert connection.execute(statement, (bytes(32),)).rowcount == 1
    connection.close()
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    with Publishing(home, published) as publisher, pytest.raises(EvidenceError) as caught:
        publisher.prepare()
    assert caught.value.reason is reason
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before


def test_6_an_entry_that_is_older_than_what_is_published_is_not_published(home: LogHome, published: Path) -> None:
    connection = home.store.connect()
    connection.execute("UPDATE log_tree SET time_ms = 0")
    reader = Reader(home.store)
    tree = reader.tree()
    reader.close()
    sequencer = Sequencer(home.store, connection, keys=KEYS, random_bytes=os.urandom, known=(tree.size, tree.root))
    sequencer.commit(sequencer.prepare([Append(draft())], time_ms=1, note=tree.note))
    connection.close()
    with Publishing(home, published) as publisher, pytest.raises(EvidenceError) as caught:
        publisher.prepare()
    assert (caught.value.reason, caught.value.index) == (EvidenceReason.TIME, COUNT)


def test_6_published_evidence_is_not_overwritten_with_another_history(home: LogHome, published: Path) -> None:
    (published / "tile/0/000").unlink()
    other = filled_home(home.directory.parent / "other", COUNT + 10)
    before = (published / "tile/0/001").read_bytes()
    with pytest.raises(EvidenceError) as caught:
        publish(other, published)
    assert caught.value.reason is EvidenceReason.CONSISTENCY
    assert (published / "tile/0/001").read_bytes() == before
    assert not (published / "tile/0/000").exists()


def test_7_an_older_store_is_refused(home: LogHome, published: Path, original: Path) -> None:
    fill(home, 10)
    publish(home, published)
    shutil.copy(original / "log" / "log.db", home.directory / "log.db")
    with pytest.raises(EvidenceError) as caught:
        publish(home, published)
    assert caught.value.reason is EvidenceReason.ROLLBACK


# For each number on its input, a process publishes once and is killed after that many calls of those by which something
# reaches the disk; its exit status is told. What it imports is loaded once for all.
KILLED = """
import os, signal, sys
from pathlib import Path
from tests.integration.log_kit import LogHome
from tests.integration.published_kit import publish
from audit.store_sqlite import SqliteStore

directory = Path(sys.argv[1])

def counted(call):
    def wrapped(*args, **kwargs):
        global left
        left -= 1
        result = call(*args, **kwargs)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return wrapped

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        left = int(line)
        os.fsync, os.replace, os.open = counted(os.fsync), counted(os.replace), counted(os.open)
        publish(LogHome(directory, SqliteStore(directory / "log.db")), Path(sys.argv[2]))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@contextmanager
def _publishing_killed(home: LogHome, published: Path) -> Iterator[Callable[[int], bool]]:
    """Whether publishing was killed at this step, or had come to its end."""
    words = [sys.executable, "-c", KILLED, str(home.directory), str(published)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        asking, telling = process.stdin, process.stdout
        assert asking is not None
        assert telling is not None

        def killed(step: int) -> bool:
            print(step, file=asking, flush=True)
            code = int(telling.readline())
            assert code in (0, -signal.SIGKILL)
            return code != 0

        yield killed


@pytest.mark.slow
def test_1_killed_at_every_step_the_last_checkpoint_holds_and_publishing_completes(
    home: LogHome, published: Path
) -> None:
    fill(home, 180)
    untouched = published.with_name("untouched")
    shutil.copytree(published, untouched)
    kills = 0
    with _publishing_killed(home, published) as killed:
        while True:
            shutil.rmtree(published)
            shutil.copytree(untouched, published)
            if not killed(kills + 1):
                break
            kills += 1
            assert _verify(published).checkpoint.size in (COUNT, COUNT + 180)
            publish(home, published)
            assert _verify(published).checkpoint.size == COUNT + 180
            assert not list(published.rglob("*.tmp"))
    assert kills > 25


def test_3_a_full_disk_leaves_the_last_checkpoint_and_recovers(
    home: LogHome, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(home, 200)
    sync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with Publishing(home, published) as publisher:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError):
            publisher.prepare()
        assert _verify(published).checkpoint.size == COUNT
        monkeypatch.setattr(os, "fsync", sync)
        prepared = publisher.prepare()
        assert prepared is not None
        publisher.publish(prepared, prepared.note)
    assert _verify(published).checkpoint.size == COUNT + 200


def test_the_log_signs_with_mldsa_beside_ed25519_where_that_is_asked_for(home: LogHome, tmp_path: Path) -> None:
    own = Cosigner(SIGNER.public.origin, MLDSA44PrivateKey.from_seed_bytes(b"q" * 32))
    reader = Reader(home.store)
    publisher = Publisher(reader, tmp_path / "both", signer=SIGNER, cosigners=[own])
    publisher.open()
    prepared = publisher.prepare()
    assert prepared is not None
    publisher.publish(prepared, prepared.note)
    publisher.close()
    reader.close()
    key = parse_verifier_key((tmp_path / "both" / "log-mldsa44.vkey").read_text())
    note = (tmp_path / "both" / "checkpoint").read_text()
    # An auditor who wants the second signature names its key in the policy, as a witness.
    policy = k_of(1, (Witness("log-mldsa44", key),))
    _, (signed,) = check_witnessed(note, key=SIGNER.public, policy=policy)
    assert (signed.key, signed.seconds) == (own.public, 0)
    assert _verify(tmp_path / "both").checkpoint.size == COUNT


def test_two_publishers_do_not_share_a_directory(home: LogHome, published: Path) -> None:
    with Publishing(home, published), pytest.raises(EvidenceError) as caught:
        publish(home, published)
    assert caught.value.reason is EvidenceReason.STORE


def test_a_directory_in_which_another_log_is_published_is_left_as_it_is(home: LogHome, published: Path) -> None:
    before = {path: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    reader = Reader(home.store)
    signer = LogSigner("another.example/log", Ed25519PrivateKey.generate())
    publisher = Publisher(reader, published, signer=signer)
    with pytest.raises(EvidenceError) as refused:
        publisher.open()
    publisher.close()
    reader.close()
    assert refused.value.reason is EvidenceReason.ORIGIN
    assert {path: path.read_bytes() for path in published.rglob("*") if path.is_file()} == before


def test_it_publishes_while_the_log_is_written(tmp_path: Path) -> None:
    home = filled_home(tmp_path / "log", 1)
    reader = Reader(home.store)
    publisher = Publisher(reader, tmp_path / "published", signer=SIGNER)
    publisher.open()

    async def write() -> None:
        log = home.open()
        for batch in range(20):
            await asyncio.gather(*(log.append(Append(draft(str(at)))) for at in range(40)))
            prepared = await asyncio.to_thread(publisher.prepare)
            assert prepared is not None
            assert prepared.note.whole() == log.checkpoint, batch
            await asyncio.to_thread(publisher.publish, prepared, prepared.note)
        reader.close()
        await log.close()

    asyncio.run(write())
    publisher.close()
    assert _verify(tmp_path / "published").checkpoint.size == 801


def test_it_is_the_same_over_http(published: Path) -> None:
    with answering(serving(published, "127.0.0.1", 0)) as url:
        source = open_source(url)
        assert verify_published(source, key=SIGNER.public) == _verify(published)
        source.close()


@pytest.mark.parametrize(
    "name", ["", ".lock", "../log/log.db", "tile/0/../../../log/log.db", "tile/0/", "tile/0/000/", "%2e%2e/log/log.db"]
)
def test_only_what_is_published_is_served(published: Path, name: str) -> None:
    with answering(serving(published, "127.0.0.1", 0)) as url:
        source = HttpSource(url)
        assert source.fetch(name, limit=100_000) is None
        source.close()


def test_the_command_says_what_holds(published: Path) -> None:
    words = [str(published), "--log-key", str(published / "log.vkey"), "--checkpoint", str(published / "checkpoint")]
    result = CliRunner().invoke(verify, words)
    assert (result.exit_code, result.output.count("ok ")) == (0, 3)


def test_an_auditor_needs_a_checkout_and_cryptography_only(published: Path) -> None:
    refused = "import sys\nfor name in ('sqlalchemy', 'click', 'rich', 'grpc', 'google'): sys.modules[name] = None\n"
    run = "import runpy; sys.argv = ['audit', *sys.argv[1:]]; runpy.run_module('audit', run_name='__main__')"
    words = [sys.executable, "-c", refused + run, "verify", str(published), "--log-key", str(published / "log.vkey")]
    whole = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (whole.returncode, whole.stdout[:18]) == (0, "ok   600 entries o"), whole.stderr
    (published / "tile/1/000.p/2").write_bytes(bytes(64))
    broken = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    assert (broken.returncode, broken.stderr) == (6, "")
    assert broken.stdout.startswith("FAIL  AUDIT-NODE ")
    assert "why    tile/1/000.p/2 is not what the published entries give\n      fix    " in broken.stdout


@contextmanager
def _stalling(answer: bytes, *, drip: float) -> Iterator[str]:
    """A server that sends the answer and then one byte at a time."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def run() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)
            while not stop.wait(drip):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000,
        b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
    ids=["silent", "slow head", "slow body", "endless", "redirect", "no http"],
)
def test_no_server_keeps_a_verifier_waiting(answer: bytes) -> None:
    started = time.monotonic()
    with _stalling(answer, drip=0.05) as url, pytest.raises(EvidenceError) as caught:
        source = HttpSource(url, seconds=0.4)
        try:
            source.fetch("checkpoint", limit=100_000)
        finally:
            source.close()
    assert caught.value.reason is EvidenceReason.STORE
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("how", ["homeward", "python -m audit"])
def test_where_nobody_answers_nothing_is_said_of_the_evidence(published: Path, how: str) -> None:
    """An auditor's job must not take a network that is down for a log that was forged."""
    words = ["http://127.0.0.1:9/", "--log-key", str(published / "log.vkey")]
    if how == "homeward":
        result = CliRunner().invoke(verify, words)
        status, said = result.exit_code, result.output
    else:
        done = subprocess.run(
            [sys.executable, "-m", "audit", "verify", *words], check=False, capture_output=True, text=True, timeout=60
        )
        status, said = done.returncode, done.stdout
    assert (status, said.startswith("FAIL  AUDIT-UNREACHABLE ")) == (5, True), said
    assert "nothing was verified" in said


def test_whoever_answers_otherwise_than_the_address_says_is_not_taken_for_nobody() -> None:
    with _stalling(b"HTTP/1.0 200 OK\r\n\r\n", drip=0.01) as url, pytest.raises(EvidenceError) as caught:
        HttpSource(url.replace("http://", "https://"), seconds=5).fetch("checkpoint", limit=1000)
    assert caught.value.reason is EvidenceReason.STORE


@pytest.mark.parametrize("place", ["http://", "http://host:port/", "https:///x", "http://h/?q=1"])
def test_an_impossible_address_is_refused_in_one_line(place: str) -> None:
    with pytest.raises(EvidenceError):
        open_source(place)
