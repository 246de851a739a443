"""`python -m audit witness` and `serve`: what is wrong with how they were called is said, and nothing was made."""

import socket
from pathlib import Path

import pytest

from audit.__main__ import main
from tests.integration.log_kit import SIGNER


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "log.vkey"
    path.write_text(f"{SIGNER.public.vkey()}\n")
    return path


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (("--name", "bad name"), "--name 'bad name' cannot be one"),
        (("--name", "a+b"), "--name 'a+b' cannot be one"),
        (("--log-key", "/nonexistent"), "--log-key /nonexistent cannot be used"),
    ],
)
def test_a_witness_that_cannot_be_named_or_know_its_log_leaves_nothing_behind(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str], changed: tuple[str, str], why: str
) -> None:
    words = {"--name": "w.example/a", "--log-key": str(key), "--listen": "127.0.0.1:0"} | dict([changed])
    told = main(["witness", str(tmp_path / "w"), *(word for pair in words.items() for word in pair)])
    out = capsys.readouterr().out
    assert told == 2
    assert out.startswith("FAIL  USAGE-005  ")
    assert why in out
    assert "python -m audit witness --help" in out
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("command", ["witness", "serve"])
@pytest.mark.parametrize("place", ["nonsense", "127.0.0.1:99999999", "taken"])
def test_an_address_that_cannot_be_listened_at_is_said_in_four_lines(
    tmp_path: Path, key: Path, capsys: pytest.CaptureFixture[str], command: str, place: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}" if place == "taken" else place
        more = ["--name", "w.example/a", "--log-key", str(key)] if command == "witness" else []
        assert main([command, str(tmp_path / "d"), *more, "--listen", address]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["FAIL", "where", "why", "fix"]
    assert f"--listen {address} " in lines[2]
