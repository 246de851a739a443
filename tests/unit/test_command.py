"""The `homeward` command: listing without loading, failures in four lines, and a status that scripts can rely on."""

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata

import click
import pytest

from homeward import command
from homeward.command import COMMANDS, report_unexpected, run
from homeward.failure import CommandFailure, ExitCode

FAILURE = CommandFailure(
    "JOIN-003",
    "this join line was already used",
    where="gw.exchange.example",
    why="another host redeemed it",
    fix="ask for a new invitation",
    exit_code=ExitCode.DENIED,
)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Makes `homeward demo` the given function, so that what `run` does with its end can be seen."""

    def install(body: Callable[[], object]) -> None:
        loaded = click.Command("demo", callback=body, params=[])
        loaded.params.append(click.Option(["--json", "as_json"], is_flag=True, expose_value=False))
        monkeypatch.setattr(command, "_load", lambda name: loaded)

    return install


def raise_failure() -> None:
    raise FAILURE


def test_help_lists_every_command_and_loads_no_room() -> None:
    probe = (
        "import sys; from homeward.command import run; run(['--help']);"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    for name, purpose in COMMANDS.items():
        assert name in done.stdout
        assert purpose in done.stdout
    loaded = done.stderr
    assert "'click'" in loaded
    for heavy in ("gateway", "adapters", "audit", "deploy", "grpc", "google", "sqlalchemy", "cryptography", "rich"):
        assert f"'{heavy}'" not in loaded


def test_the_help_texts_fit_a_terminal_and_an_ascii_console() -> None:
    for name, purpose in COMMANDS.items():
        assert len(f"  {max(COMMANDS, key=len)}  {purpose}") <= 80, name
        assert purpose.isascii()


def test_a_failure_prints_four_lines_on_standard_error_and_ends_with_its_status(
    loads: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    loads(raise_failure)
    assert run(["demo"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "FAIL  JOIN-003  this join line was already used",
        "      where  gw.exchange.example",
        "      why    another host redeemed it",
        "      fix    ask for a new invitation",
    ]


def test_with_json_a_failure_is_one_object_on_standard_output(
    loads: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    loads(raise_failure)
    assert run(["demo", "--json"]) == 3
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == {
        "ok": False,
        "exit_code": 3,
        "error": {
            "code": "JOIN-003",
            "what": "this join line was already used",
            "where": "gw.exchange.example",
            "why": "another host redeemed it",
            "fix": "ask for a new invitation",
        },
    }


@pytest.mark.parametrize(
    ("result", "status"), [(None, 0), (0, 0), (6, 6), (ExitCode.UNREACHABLE, 5), ("text", 0), (True, 0)]
)
def test_an_int_that_a_command_returns_is_its_status(
    result: object, status: int, loads: Callable[[Callable[[], object]], None]
) -> None:
    loads(lambda: result)
    assert run(["demo"]) == status


def test_a_command_that_exits_through_click_keeps_its_status(loads: Callable[[Callable[[], object]], None]) -> None:
    def leave() -> None:
        click.get_current_context().exit(6)

    loads(leave)
    assert run(["demo"]) == 6


@pytest.mark.parametrize(
    ("words", "code", "where", "why"),
    [
        (["nonsense"], "USAGE-005", "homeward", "nonsense"),
        (["demo", "--nonsense"], "USAGE-002", "homeward demo", "--nonsense"),
        (["--nonsense"], "USAGE-002", "homeward", "--nonsense"),
        (["demo", "superfluous"], "USAGE-005", "homeward demo", "superfluous"),
        (["audit", "query", "--decision", "perhaps"], "USAGE-001", "homeward audit query", "--decision"),
        (["gateway", "status"], "USAGE-003", "homeward gateway status", "DIR"),
        (["policy", "explain", "NOPE", "--role", "LEA.patrol"], "USAGE-001", "homeward policy explain", "'PURPOSE'"),
    ],
)
def test_wrong_usage_says_what_where_why_and_what_to_do(
    words: list[str],
    code: str,
    where: str,
    why: str,
    loads: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if words[0] not in ("audit", "gateway", "policy"):
        loads(lambda: None)
    assert run(words) == ExitCode.USAGE
    said = capsys.readouterr()
    verdict, *parts = said.err.splitlines()
    assert (said.out, verdict.split()[:2]) == ("", ["FAIL", code])
    assert [part.split()[0] for part in parts] == ["where", "why", "fix"]
    assert parts[0].split(maxsplit=1)[1] == where
    assert why in parts[1]
    assert parts[1].count("PLACEMENT_PLANNING") <= 1, "a list is not said twice"
    assert f"{where} --help" in parts[2]
    assert run([*words, "--json"]) == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["where"] == where


def test_a_group_without_a_word_answers_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["custodian"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert "Usage: homeward custodian" in said.out + said.err
    assert "FAIL" not in said.out + said.err


def test_an_interrupted_command_says_so_without_a_traceback(
    loads: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    loads(interrupt)
    assert run(["demo"]) == 130
    assert capsys.readouterr().err.strip() == "stopped"


def test_an_unforeseen_error_shows_its_place_and_kind_but_never_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("Testa Invented 2010-01-02")
    except ValueError as error:
        report_unexpected(type(error), error, error.__traceback__)
    said = capsys.readouterr().err
    assert "BUG-001" in said
    assert "test_command.py:" in said
    assert "ValueError" in said
    assert "Invented" not in said


@pytest.mark.parametrize(("debug", "shown"), [("0", False), ("1", True)])
def test_a_traceback_needs_the_debug_setting(debug: str, shown: bool) -> None:
    probe = (
        "from homeward import command\n"
        "def broken(words):\n    raise ValueError('unforeseen')\n"
        "command.run = broken\ncommand.main(['demo'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env={"HOMEWARD_DEBUG": debug, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert ("Traceback" in done.stderr) is shown
    assert ("BUG-001" in done.stderr) is not shown


def test_a_narrow_console_gets_an_escape_instead_of_a_crash() -> None:
    probe = (
        "from homeward import command\ncommand.run = lambda words: print('Mu\\u00f1oz \\u2713') or 0\ncommand.main([])"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], env={"PYTHONIOENCODING": "ascii", "PATH": ""}, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.strip() == rb"Mu\xf1oz \u2713"


def test_a_command_whose_package_is_missing_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = metadata.EntryPoint(name="demo", value="no_such_room.cli:demo", group=command.GROUP)

    class Distribution:
        entry_points = metadata.EntryPoints([absent])

    monkeypatch.setattr(command.metadata, "distribution", lambda name: Distribution)
    assert run(["demo"]) == 1
    said = capsys.readouterr().err
    assert "CMD-001" in said
    assert "no_such_room" in said
