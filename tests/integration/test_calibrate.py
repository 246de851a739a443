"""`homeward gateway calibrate` on a gateway's own database: what it shows, what it writes, and what it leaves alone."""

import json
import os
import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.calibrate_cli import ENOUGH
from gateway.protocol.matching.key_scheme import SCHEME, load_key_scheme
from gateway.protocol.matching.weights import load_weights, parse_weights
from gateway.state import State
from gateway.store import tables
from homeward import command
from tests.unit.protocol.test_refit import judged_by


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "gateway", "gateway")
    made.database.parent.mkdir(parents=True, exist_ok=True)
    signer = LogSigner("exchange.example/log", Ed25519PrivateKey.generate())
    create_log(SqliteStore(made.database), signer=signer, high_water=tmp_path / "high-water", also=[tables.metadata])
    return made


def decided(state: State, count: int, *, open_ones: int = 0) -> None:
    """So many pairs on record that both agencies decided, and some they have not."""
    scheme = load_key_scheme()
    rows = []
    for place, (comparison, same) in enumerate(judged_by(load_weights(), count + open_ones)):
        said = ("SAME", "SAME") if same else ("DIFFERENT", "NOTHING")
        said = said if place < count else ("SAME", "NOTHING")
        rows.append(
            (os.urandom(16), "06029.cwa", "06037.cwa", os.urandom(16), SCHEME,
             scheme.presence(comparison.agreeing), scheme.presence(comparison.differing), *said, 2, b"sealed")
        )  # fmt: skip
    with sqlite3.connect(state.database) as database:
        database.executemany(f"INSERT INTO review VALUES ({', '.join('?' * 11)})", rows)  # noqa: S608


def content(state: State) -> list[str]:
    with sqlite3.connect(state.database) as database:
        return list(database.iterdump())


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = command.run(["gateway", "calibrate", *words])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_it_shows_a_table_and_writes_a_plot_and_a_proposal_that_nothing_uses(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided(state, 400, open_ones=50)
    before = content(state)
    status, text, _ = run(capsys, str(state.directory), "--out", str(tmp_path / "out"))
    assert status == 0
    assert "in use" in text
    assert "Nothing was put into use" in text
    proposed = parse_weights((tmp_path / "out" / f"weights-{SCHEME}-proposed.toml").read_text())
    assert (proposed.auto, proposed.guard) == (load_weights().auto, load_weights().guard)
    assert (tmp_path / "out" / "calibration.svg").read_text().startswith("<svg")
    assert content(state) == before
    load_weights.cache_clear()
    assert load_weights() != proposed
    status, text, _ = run(capsys, str(state.directory), "--out", str(tmp_path / "again"), "--json")
    assert (status, json.loads(text)["pairs"]) == (0, 400)


def test_a_proposal_that_is_there_is_not_written_over(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided(state, 400, open_ones=50)
    (tmp_path / "calibration.svg").write_text("somebody's")
    status, _, text = run(capsys, str(state.directory), "--out", str(tmp_path))
    assert (status, "is there already" in text) == (2, True)
    assert [path.name for path in tmp_path.glob("weights-*")] == []
    assert (tmp_path / "calibration.svg").read_text() == "somebody's"


def test_too_few_verdicts_are_no_ground_to_learn_from(
    state: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decided(state, ENOUGH - 1, open_ones=ENOUGH)
    status, _, text = run(capsys, str(state.directory), "--out", str(tmp_path / "out"))
    assert status != 0
    assert "CALIBRATE-001" in text
    assert not (tmp_path / "out").exists()
