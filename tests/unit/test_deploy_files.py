"""The deployment files name commands and options that exist, and keep every process as small as it can be."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import pytest
from ruamel.yaml import YAML

from homeward.command import homeward

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

# systemd.exec(5): what a process that needs no privilege can be denied.
HARDENED = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "MemoryDenyWriteExecute=yes",
    "CapabilityBoundingSet=",
    "SystemCallFilter=@system-service",
    "LimitCORE=0",
    "UMask=0077",
)


def compose_commands() -> Iterator[list[str]]:
    for service in COMPOSE["services"].values():
        yield service["command"]
        probe = service["healthcheck"]["test"]
        if probe[:2] == ["CMD", "homeward"]:
            yield probe[2:]
    head = (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8").partition("\nname: ")[0]
    for line in "\n".join(line.removeprefix("#") for line in head.splitlines()).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True) if line.startswith("   docker ") else []
        if words[1:3] == ["compose", "exec"] and "homeward" in words:
            yield _until_redirected(words[words.index("homeward") + 1 :])
        elif "run" in words and "--entrypoint" not in words:
            service = next(number for number, word in enumerate(words) if word in {*COMPOSE["services"], "homeward"})
            yield _until_redirected(words[service + 1 :])


def _until_redirected(words: list[str]) -> list[str]:
    return list(takewhile(lambda word: word not in {"<", ">"}, words))


def unit_commands() -> Iterator[list[str]]:
    for unit in UNITS:
        (start,) = re.findall(r"^ExecStart=\S+/homeward (.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
        yield start.split()


def readme_blocks() -> Iterator[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(sh|bash|console|shell|)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            # A console block shows output too; what was typed stands behind a prompt.
            if language != "console" or line.startswith("$ "):
                yield line.strip().removeprefix("$ ")


def readme_commands() -> Iterator[list[str]]:
    for line in readme_blocks():
        words = shlex.split(line, comments=True) if line.count('"') % 2 == 0 and line.count("'") % 2 == 0 else []
        if words and words[0].rpartition("/")[2] == "homeward":
            yield words[1:]


def unknown_word(words: list[str]) -> str | None:
    """The first word that is neither a sub-command nor an option of the command reached, or None."""
    command: click.Command = homeward
    options = {"--help", "-h"}
    for word in words:
        context = click.Context(command)
        if word.startswith("-"):
            options |= {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
            if word.partition("=")[0] not in options:
                return word
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                return word
            command = found
    return None


@pytest.mark.parametrize("words", [*unit_commands(), *compose_commands(), *readme_commands()], ids=" ".join)
def test_a_named_command_exists_with_its_options(words: list[str]) -> None:
    assert unknown_word(words) is None


def test_a_misspelt_command_or_option_is_found() -> None:
    assert unknown_word(["nonsense"]) == "nonsense"
    assert unknown_word(["--nonsense"]) == "--nonsense"


def test_every_make_target_in_the_readme_exists() -> None:
    named = {words[1] for line in readme_blocks() if (words := line.split())[:1] == ["make"] and len(words) > 1}
    assert named <= MAKE_TARGETS
    assert {"demo", "test"} <= MAKE_TARGETS


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_every_unit_is_hardened_and_not_root(unit: Path) -> None:
    lines = unit.read_text(encoding="utf-8").splitlines()
    assert [setting for setting in HARDENED if setting not in lines] == []
    assert "User=homeward" in lines


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_every_service_is_unprivileged_on_a_read_only_root(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert [volume for volume in service["volumes"] if not is_read_only(volume)] == [f"{name}:/var/lib/homeward"]


def is_read_only(volume: str | dict[str, Any]) -> bool:
    return volume.endswith(":ro") if isinstance(volume, str) else volume["read_only"] is True


def test_a_county_publishes_no_port() -> None:
    adapters = [service for name, service in COMPOSE["services"].items() if name.startswith("adapter-")]
    assert len(adapters) == 2
    assert [service for service in adapters if "ports" in service] == []


@pytest.mark.parametrize("letter", ["a", "b"])
def test_what_a_county_calls_has_a_name_on_its_own_network_alone(letter: str) -> None:
    networks = COMPOSE["services"][f"adapter-{letter}"]["networks"]
    assert networks == {"exchange": {}, f"county-{letter}": {"aliases": [f"homeward.county-{letter}"]}}
    assert COMPOSE["networks"][f"county-{letter}"] == {"internal": True}


def test_what_counties_bring_is_in_no_image_and_in_no_commit() -> None:
    sources = {
        word.partition("}")[0].partition(":-")[2]
        for word in re.findall(r"\$\{HOMEWARD_ETC.*?\}", (ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    }
    assert sources == {"./etc"}
    assert "/deploy/etc/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    context = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in context
    assert {line for line in context if line.startswith("!deploy")} == {
        "!deploy/*.py",
        "!deploy/*.lock",
        "!deploy/county.example.yaml",
        "!deploy/demo",
    }


def test_the_image_ends_unprivileged_and_takes_nothing_unhashed() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    from_index = [line for line in text.splitlines() if "pip install" in line and "--no-index" not in line]
    assert len(from_index) == 2
    assert all("--require-hashes" in line for line in from_index)
