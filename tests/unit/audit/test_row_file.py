"""The file of a table with proofs: what another reader of it would be shown otherwise is not verified."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from audit.export import write_sqlite
from tests.unit.audit.test_proved_rows import SHOWN, row, table, verified


def proved_sqlite(path: Path) -> Path:
    write_sqlite(table([row(index) for index in SHOWN]), path)
    return path


def written(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def seen_by_others(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {decision for (decision,) in connection.execute("SELECT decision FROM rows")}


def refused(path: Path, capsys: pytest.CaptureFixture[str], why: str) -> None:
    status, said = verified(path, capsys)
    assert (status, "AUDIT-FORMAT" in said, why in said) == (6, True, True), said


def _with_wal(path: Path) -> None:
    """The file stays true; a write-ahead log beside it holds the lie."""
    written(path, "PRAGMA journal_mode=WAL")
    other = Path(f"{path}.other")
    other.write_bytes(path.read_bytes())
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("UPDATE rows SET decision='ALLOW'")
        connection.commit()
        Path(f"{path}-wal").write_bytes(Path(f"{other}-wal").read_bytes())


_DIES = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA cache_size=1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE rows SET decision='DENY'")
connection.execute("CREATE TABLE more (cell)")
connection.executemany("INSERT INTO more VALUES (?)", [("z" * 3000,)] * 200)
os._exit(0)
"""
"""Leaves a journal by which the next who opens the file makes all decisions again what they were before."""


def _with_journal(path: Path) -> None:
    """The file stays true; the journal of a transaction that seems to have broken off beside it brings the lie back."""
    other = Path(f"{path}.other")
    other.write_bytes(path.read_bytes())
    written(other, "UPDATE rows SET decision='ALLOW'")
    subprocess.run([sys.executable, "-c", _DIES, str(other)], check=True, timeout=60)
    Path(f"{path}-journal").write_bytes(Path(f"{other}-journal").read_bytes())


@pytest.mark.parametrize(("beside", "ending"), [(_with_wal, "-wal"), (_with_journal, "-journal")])
def test_a_file_beside_the_table_that_every_other_reader_takes_in_is_not_passed_over(
    beside: Callable[[Path], None], ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = proved_sqlite(tmp_path / "rows.sqlite")
    beside(path)
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    for each in (path, link):
        refused(each, capsys, f"rows.sqlite{ending} lies beside the table")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "rows.sqlite").write_bytes(path.read_bytes())
    assert verified(alone / "rows.sqlite", capsys)[0] == 0, "the control: by itself the file is true"
    assert seen_by_others(path) == {"ALLOW"}


_TRUE = ", ".join(f'"{name}"' for name in row(2))
_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
_ANOTHER = _TRUE.replace('"decision"', "iif(date() < '2100', decision, 'ALLOW') AS decision")
_LARGE = _TRUE.replace('"youth"', "zeroblob(900000000) AS youth")
DISGUISES: dict[str, tuple[str, ...]] = {
    "a view of another day": (f"CREATE VIEW rows AS SELECT {_ANOTHER} FROM kept",),  # noqa: S608
    "a view without an end": (f"CREATE VIEW rows AS {_ENDLESS} SELECT {_TRUE} FROM kept, n WHERE i < 0",),  # noqa: S608
    "a view of a cell of 900 MB": (f"CREATE VIEW rows AS SELECT {_LARGE} FROM kept",),  # noqa: S608
    "a table beside it": (f"CREATE TABLE rows ({_TRUE})", "INSERT INTO rows SELECT * FROM kept"),
    "a table that searches": (f"CREATE VIRTUAL TABLE rows USING fts5({_TRUE})",),
}
"""What can stand in the place of table `rows` and have its columns; the true rows are in `kept`."""


@pytest.mark.parametrize("name", DISGUISES)
def test_what_stands_for_the_table_and_is_none_is_refused_unread(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = proved_sqlite(tmp_path / "rows.sqlite")
    written(path, "ALTER TABLE rows RENAME TO kept", *DISGUISES[name])
    refused(path, capsys, "something else than one table rows")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE rows ADD COLUMN verdict TEXT GENERATED ALWAYS AS ('guilty') VIRTUAL",
        "ALTER TABLE rows ADD COLUMN verdict",
        'ALTER TABLE rows RENAME COLUMN "decision" TO "Decision"',
        "CREATE INDEX more ON rows (decision)",
    ],
)
def test_a_table_that_is_not_as_it_was_written_is_refused(
    statement: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = proved_sqlite(tmp_path / "rows.sqlite")
    written(path, statement)
    refused(path, capsys, "something else than one table rows")


def test_a_cell_that_is_longer_than_any_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = proved_sqlite(tmp_path / "rows.sqlite")
    written(path, "UPDATE rows SET youth = hex(zeroblob(1000000))")
    refused(path, capsys, "longer than any")


def test_a_logs_database_is_no_table_whatever_was_put_into_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = proved_sqlite(tmp_path / "gateway.db")
    written(path, "CREATE TABLE Log_Tree (size)")
    status, said = verified(path, capsys)
    assert (status, "reads a log's database" in said) == (2, True), said
