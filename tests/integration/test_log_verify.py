"""`homeward verify` on a whole log, and on every way to damage one."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit.cli import verify
from audit.log import Append
from tests.integration.log_kit import SIGNER, draft, sqlite_home, youth_draft

COUNT = 25
BLOBS = ("leaf_hash", "nonce", "digests", "box_op", "box_req", "box_hold", "box_youth", "tag")
TEXTS = ("kind", "requester", "holder")
NUMBERS = ("idx", "time_ms", "requester_seq", "holder_seq")


@dataclass(frozen=True)
class Evidence:
    """A finished log's files: the database, the high-water record, the log's public key."""

    database: Path
    checkpoint: Path
    key: Path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    directory = tmp_path_factory.mktemp("log")
    home = sqlite_home(directory)

    async def fill() -> None:
        log = home.open()
        drafts = [youth_draft(at) if at % 2 else draft(str(at)) for at in range(COUNT)]
        await asyncio.gather(*(log.append(Append(item)) for item in drafts))
        await log.close()

    asyncio.run(fill())
    key = directory / "log.key"
    key.write_text(SIGNER.public.vkey() + "\n")
    return Evidence(directory / "log.db", home.high_water, key)


@pytest.fixture
def evidence(original: Evidence, tmp_path: Path) -> Evidence:
    for path in (original.database, original.checkpoint, original.key):
        shutil.copy(path, tmp_path / path.name)
    return Evidence(tmp_path / "log.db", tmp_path / original.checkpoint.name, tmp_path / "log.key")


def _run(evidence: Evidence, *options: str, pinned: bool = True) -> Result:
    given = ["--log-key", str(evidence.key), "--checkpoint", str(evidence.checkpoint)] if pinned else []
    return CliRunner().invoke(verify, [str(evidence.database), *given, *options])


def _change(evidence: Evidence, statement: str, *values: object) -> None:
    with sqlite3.connect(evidence.database) as connection:
        assert connection.execute(statement, values).rowcount >= 1
    connection.close()


def _check_refused(result: Result, reason: str | None = None) -> None:
    assert result.exit_code == 6, result.output
    assert isinstance(result.exception, SystemExit)
    assert [line.split()[0] for line in result.output.splitlines()] == ["FAIL", "where", "why", "fix"]
    assert reason is None or result.output.startswith(f"FAIL  AUDIT-{reason} ")


def _is_placed(result: Result, index: int) -> bool:
    return f"where  entry {index}, " in result.output


def test_whole_log_verifies_and_says_what_it_checked(evidence: Evidence) -> None:
    result = _run(evidence)
    assert result.exit_code == 0
    assert f"ok   {COUNT} entries of {SIGNER.public.origin}" in result.output
    assert f"ok   signed checkpoint covers {COUNT} of {COUNT} entries" in result.output
    assert "note" not in result.output
    assert result.output.isascii()


def test_missing_trust_is_said_out_loud(evidence: Evidence) -> None:
    result = _run(evidence, pinned=False)
    assert result.exit_code == 0
    assert "--log-key" in result.output
    assert "--checkpoint" in result.output


def test_json_says_the_same(evidence: Evidence) -> None:
    found = json.loads(_run(evidence, "--json").output)
    assert (found["ok"], found["size"], found["signed_size"], found["key_pinned"]) == (True, COUNT, COUNT, True)
    _change(evidence, "UPDATE log_entry SET kind = 'x' WHERE idx = 7")
    result = _run(evidence, "--json")
    assert result.exit_code == 6
    said = json.loads(result.output)
    assert (said["ok"], said["exit_code"], said["reason"], said["index"]) == (False, 6, "BODY", 7)
    assert said["error"]["why"] == "what is stored beside the leaf was changed"


@pytest.mark.parametrize("column", BLOBS)
def test_every_flipped_byte_of_a_stored_blob_is_found_and_placed(evidence: Evidence, column: str) -> None:
    with sqlite3.connect(evidence.database) as connection:
        index, blob = connection.execute(
            f"SELECT idx, {column} FROM log_entry WHERE length({column}) > 0 AND idx > 10 LIMIT 1"  # noqa: S608
        ).fetchone()
        chance = random.Random(column)
        for at in sorted(chance.sample(range(len(blob)), min(16, len(blob)))):
            changed = blob[:at] + bytes((blob[at] ^ 1 << chance.randrange(8),)) + blob[at + 1 :]
            connection.execute(f"UPDATE log_entry SET {column} = ? WHERE idx = ?", (changed, index))  # noqa: S608
            connection.commit()
            result = _run(evidence, pinned=False)
            _check_refused(result)
            assert _is_placed(result, index)
        connection.execute(f"UPDATE log_entry SET {column} = ? WHERE idx = ?", (blob, index))  # noqa: S608
    connection.close()
    # Control: with the byte put back, the same log verifies.
    assert _run(evidence).exit_code == 0


@pytest.mark.parametrize("column", TEXTS)
@pytest.mark.parametrize("value", ["", "other", "a\nb", b"\xff\xfe", 5, "x" * 5000])
def test_every_changed_text_is_found(evidence: Evidence, column: str, value: object) -> None:
    _change(evidence, f"UPDATE log_entry SET {column} = ? WHERE idx = 12", value)  # noqa: S608
    _check_refused(_run(evidence))


@pytest.mark.parametrize("column", NUMBERS)
@pytest.mark.parametrize("value", [-1, 0, 1 << 62, (1 << 63) - 1, "twelve", b"\x00", 1.5])
def test_every_changed_number_is_found(evidence: Evidence, column: str, value: object) -> None:
    if column == "idx":
        value = value if isinstance(value, int) and value else 1 << 40
    _change(evidence, f"UPDATE log_entry SET {column} = ? WHERE idx = 12", value)  # noqa: S608
    _check_refused(_run(evidence))


@pytest.mark.parametrize("column", BLOBS)
@pytest.mark.parametrize("value", ["text", 7, b"", b"x" * 100_000])
def test_blobs_of_another_type_or_length_are_found(evidence: Evidence, column: str, value: object) -> None:
    row = 13 if column in ("box_youth", "tag") else 12
    _change(evidence, f"UPDATE log_entry SET {column} = ? WHERE idx = {row}", value)  # noqa: S608
    if column in ("box_req", "box_hold"):
        _check_refused(_run(evidence), None if not isinstance(value, bytes) else "BODY")
    else:
        _check_refused(_run(evidence))


@pytest.mark.parametrize(
    ("statement", "reason", "place"),
    [
        ("DELETE FROM log_entry WHERE idx = 5", "GAP", 5),
        ("DELETE FROM log_entry WHERE idx = 0", "GAP", 0),
        ("DELETE FROM log_entry WHERE idx = 24", "GAP", 24),
        ("UPDATE log_node SET hash = zeroblob(32) WHERE level = 2 AND position = 3", "NODE", 12),
        ("DELETE FROM log_node WHERE level = 1 AND position = 4", "NODE", 8),
        ("UPDATE log_node SET position = 900 WHERE level = 1 AND position = 4", "NODE", 8),
        ("INSERT INTO log_node VALUES (9, 9, zeroblob(32))", "NODE", None),
        ("UPDATE log_tree SET root = zeroblob(32)", "ROOT", None),
        ("UPDATE log_tree SET frontier = zeroblob(96)", "NODE", None),
        ("UPDATE log_tree SET time_ms = 1", "TIME", None),
        ("UPDATE log_tree SET size = size + 1", "GAP", COUNT),
        ("UPDATE log_tree SET size = 'many'", "STORE", None),
        ("UPDATE log_tree SET note = replace(note, '25', '24')", "SIGNATURE", None),
        ("UPDATE log_tree SET log_key = 'other'", "ORIGIN", None),
        ("DELETE FROM log_tree", "STORE", None),
        ("INSERT INTO log_tree SELECT 2, log_key, size, root, frontier, time_ms, note FROM log_tree", "STORE", None),
        ("UPDATE log_agency SET seq = seq + 1", "SEQUENCE", None),
        ("DELETE FROM log_agency", "SEQUENCE", None),
        ("INSERT INTO log_agency VALUES ('06001.cwa', 1, zeroblob(32))", "SEQUENCE", None),
        ("DROP TABLE log_node", "STORE", None),
    ],
)
def test_damage_elsewhere_is_found_and_placed(
    evidence: Evidence, statement: str, reason: str, place: int | None
) -> None:
    with sqlite3.connect(evidence.database) as connection:
        connection.execute(statement)
    connection.close()
    result = _run(evidence)
    _check_refused(result, reason)
    assert ("where  entry " in result.output) == (place is not None)
    assert place is None or _is_placed(result, place)


def _cut_last(evidence: Evidence) -> None:
    """Takes the last entry away so that the database itself no longer shows it, but for its checkpoint."""
    from audit import merkle

    with sqlite3.connect(evidence.database) as connection:
        rows = connection.execute("SELECT leaf_hash FROM log_entry ORDER BY idx").fetchall()[:-1]
        stack: list[bytes] = []
        nodes = [node for size, (hashed,) in enumerate(rows) for node in merkle.extend(size, stack, hashed)]
        connection.execute("DELETE FROM log_entry WHERE idx = ?", (len(rows),))
        connection.execute("DELETE FROM log_node")
        connection.executemany("INSERT INTO log_node VALUES (?, ?, ?)", nodes)
        state = (len(rows), merkle.fold(stack), b"".join(stack))
        connection.execute("UPDATE log_tree SET size = ?, root = ?, frontier = ?", state)
        for agency, side in (("06037.cwa", "requester"), ("06059.cwa", "holder")):
            query = f"SELECT {side}_seq, leaf_hash FROM log_entry ORDER BY idx DESC LIMIT 1"  # noqa: S608
            head = connection.execute(query).fetchone()
            connection.execute("UPDATE log_agency SET seq = ?, leaf_hash = ? WHERE agency = ?", (*head, agency))
    connection.close()


def test_last_entry_cut_off_with_care_contradicts_the_signed_checkpoint(evidence: Evidence) -> None:
    _cut_last(evidence)
    result = _run(evidence, pinned=False)
    _check_refused(result, "ROLLBACK")
    assert _is_placed(result, COUNT - 1)


def test_last_entry_cut_off_with_an_older_note_is_found_by_the_checkpoint_kept_elsewhere(evidence: Evidence) -> None:
    _cut_last(evidence)
    with sqlite3.connect(evidence.database) as connection:
        (size, root) = connection.execute("SELECT size, root FROM log_tree").fetchone()
        connection.execute("UPDATE log_tree SET note = ?", (SIGNER.sign(size, root),))
    connection.close()
    # Control: without the checkpoint from elsewhere, this forgery by the key's owner looks whole.
    assert _run(evidence, pinned=False).exit_code == 0
    _check_refused(_run(evidence), "ROLLBACK")


def _overwrite(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_anywhere_in_the_file_never_pass_silently_and_never_crash(evidence: Evidence, seed: int) -> None:
    chance = random.Random(seed)
    before = sqlite3.connect(evidence.database).execute("SELECT * FROM log_entry ORDER BY idx").fetchall()

    def flip(data: bytearray) -> None:
        for _ in range(1 + seed % 3):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)

    _overwrite(evidence.database, flip)
    result = _run(evidence)
    if result.exit_code == 0:
        # Free space, slack and statistics of the file are no evidence; every row must still be what it was.
        assert sqlite3.connect(evidence.database).execute("SELECT * FROM log_entry ORDER BY idx").fetchall() == before
    else:
        _check_refused(result)


@pytest.mark.parametrize("content", [b"", b"notes of a meeting\n", b"c2sp.org/tlog-pro"])
def test_a_file_of_another_kind_or_one_cut_short_is_not_called_missing(evidence: Evidence, content: bytes) -> None:
    evidence.database.write_bytes(content)
    result = _run(evidence)
    _check_refused(result, "STORE")
    assert "begins like nothing that is verified here" in result.output
    assert "another kind of file, or one cut short" in result.output


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + bytes(200)])
def test_file_that_is_no_log_is_refused_in_one_line(evidence: Evidence, content: bytes) -> None:
    evidence.database.write_bytes(content)
    _check_refused(_run(evidence), "STORE")


@pytest.mark.parametrize("content", [b"", b"\0" * 9000, b"junk\n", "note\n\n\u2014 x AAAA\n".encode(), b"\xff" * 100])
def test_unreadable_checkpoint_is_refused_in_one_line(evidence: Evidence, content: bytes) -> None:
    evidence.checkpoint.write_bytes(content)
    _check_refused(_run(evidence))


@pytest.mark.parametrize("content", [b"", b"\0" * 9000, b"junk\n", b"\xff" * 100])
def test_a_key_that_cannot_be_read_says_nothing_of_the_log(evidence: Evidence, content: bytes) -> None:
    evidence.key.write_bytes(content)
    result = _run(evidence)
    assert (result.exit_code, "FAIL" in result.output) == (2, False)
    assert "--log-key" in result.output


def test_usage_errors_have_their_own_exit_code(tmp_path: Path) -> None:
    assert CliRunner().invoke(verify, [str(tmp_path / "missing.db")]).exit_code == 2
    assert CliRunner().invoke(verify, []).exit_code == 2


def test_a_file_that_holds_no_key_is_named(evidence: Evidence) -> None:
    result = CliRunner().invoke(verify, [str(evidence.database), "--log-key", str(evidence.checkpoint)])
    assert result.exit_code == 2
    assert f"{evidence.checkpoint} holds no key of a log" in " ".join(result.output.split())
