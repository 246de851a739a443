"""Copies of before a rotation that come back after it: a database, and the secrets beside one. Real processes.

Whatever was put back, nobody is told that a youth somebody looks for is not looked for; and what the ended epoch left
is not brought back with it.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from deploy.demo.processes import is_alive
from deploy.demo.sandbox import Sandbox
from homeward.gateway.v1 import codes_pb2 as codes
from tests.commands import commands
from tests.e2e.test_epochs import Rotation, raise_flag


@pytest.fixture(scope="module")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotation]:
    """From e1 to e2, with copies of the gateway on the way, and a mirror of after."""
    with Sandbox.up(tmp_path_factory.mktemp("restored") / "box", commands=commands()) as sandbox:
        made = Rotation(sandbox, commands())
        raise_flag(sandbox)
        gateway = str(sandbox.layout.gateway)
        copy(made, "before")
        made.open("e2")
        made.until(lambda: made.epochs().get("e2", {}).get("incomplete_counties") == [])
        copy(made, "both")
        made.run("gateway", "epoch", "cut-over", gateway)
        made.until(lambda: bool(made.epochs()["e2"]["state"] == "CURRENT" and made.epochs()["e1"]["announced"]))
        copy(made, "cut over")
        made.run("gateway", "epoch", "finish", gateway)
        made.until(lambda: set(made.epochs()) == {"e2"})
        made.run("custodian", "epoch", "finish", str(sandbox.layout.custodian))
        made.until(lambda: found(made))
        copy(made, "after")
        yield made


def copy(rotation: Rotation, name: str) -> None:
    """The gateway's directory as it is now, stopped."""
    rotation.sandbox.end("gateway")
    shutil.copytree(rotation.sandbox.layout.gateway, place(rotation, name))
    rotation.sandbox.restart("gateway")


def place(rotation: Rotation, name: str) -> Path:
    return rotation.sandbox.layout.root / "copies" / name


def put_back(rotation: Rotation, name: str) -> None:
    """The database of this copy, beside everything else as it is."""
    gateway = rotation.sandbox.layout.gateway
    for left in gateway.glob("gateway.db*"):
        left.unlink()
    for kept in place(rotation, name).glob("gateway.db*"):
        shutil.copy(kept, gateway / kept.name)


def asked(rotation: Rotation) -> str:
    """What C's intake desk is told of the missing youth; the status of a call that has no answer."""
    try:
        answer = rotation.ask(rotation.missing())
    except grpc.RpcError as failed:
        return str(failed.code().name)
    return codes.FlagState.Name(answer.flag_state) if answer.flag_state else codes.Outcome.Name(answer.outcome)


def found(rotation: Rotation) -> bool:
    told = asked(rotation)
    assert told in {"FLAG_STATE_ACTIVE", "UNAVAILABLE", "OUTCOME_UNDETERMINED"}
    return told == "FLAG_STATE_ACTIVE"


def tokens(rotation: Rotation, name: str) -> set[bytes]:
    """Tokens of e1 as they rest in the database of a copy."""
    with closing(sqlite3.connect(f"file:{place(rotation, name) / 'gateway.db'}?mode=ro", uri=True)) as reader:
        return {row[0] for row in reader.execute("SELECT token FROM index_token WHERE epoch = 'e1'")}


def left(rotation: Rotation, wanted: set[bytes]) -> int:
    """How many of these stand anywhere in the files of the gateway's database."""
    raw = b"".join(path.read_bytes() for path in rotation.sandbox.layout.gateway.glob("gateway.db*"))
    return sum(token in raw for token in wanted)


@pytest.mark.parametrize("name", ["before", "both", "cut over"])
def test_a_database_of_before_is_healed_into_the_epoch_of_after_and_brings_no_token_back(
    rotated: Rotation, name: str
) -> None:
    sandbox, old = rotated.sandbox, tokens(rotated, name)
    gateway, mirror = str(sandbox.layout.gateway), str(sandbox.layout.root / "mirror")
    assert len(old) > 1000
    sandbox.end("gateway")
    assert left(rotated, old) == 0, "the rotation erased them"
    rotated.run("audit", "mirror", gateway, mirror)
    put_back(rotated, name)
    assert left(rotated, old) == len(old), "the search finds what is there"
    sandbox.restart("gateway")
    assert sandbox.process("gateway").ready["log"] == "recovering"
    assert [asked(rotated) for _ in range(3)] == ["UNAVAILABLE"] * 3
    sandbox.end("gateway")
    healed = rotated.run("audit", "recover", gateway, "--mirror", mirror)
    assert healed["ok"] is True
    sandbox.restart("gateway")
    rotated.until(lambda: found(rotated))
    assert set(rotated.epochs()) == {"e2"}
    sandbox.end("gateway")
    assert left(rotated, old) == 0
    sandbox.restart("gateway")
    rotated.until(lambda: found(rotated))


@pytest.fixture
def secrets(rotated: Rotation) -> Iterator[Path]:
    """Where the stopped gateway keeps its shares and keys; they are as they were, and it serves, at the end."""
    sandbox = rotated.sandbox
    sandbox.end("gateway")
    made = sandbox.layout.gateway / "secrets"
    yield made
    if is_alive(sandbox.process("gateway")):
        sandbox.end("gateway")
    shutil.rmtree(made)
    shutil.copytree(place(rotated, "after") / "secrets", made)
    sandbox.restart("gateway")
    rotated.until(lambda: found(rotated))


def test_with_secrets_of_before_the_gateway_does_not_start(rotated: Rotation, secrets: Path) -> None:
    shutil.rmtree(secrets)
    shutil.copytree(place(rotated, "before") / "secrets", secrets)
    refused = rotated.commands.ask("gateway", "serve", str(rotated.sandbox.layout.gateway))
    assert refused.exit != 0
    assert "STATE-002" in refused.err
    assert "are of before epoch e2" in refused.err


@pytest.mark.parametrize("name", ["both", "cut over"])
def test_secrets_of_the_way_are_taken_and_what_they_brought_back_of_the_ended_epoch_is_erased(
    rotated: Rotation, secrets: Path, name: str
) -> None:
    after = {path.name: path.read_bytes() for path in (place(rotated, "after") / "secrets").iterdir()}
    shutil.rmtree(secrets)
    shutil.copytree(place(rotated, name) / "secrets", secrets)
    assert (secrets / "storage-e1.key").exists()
    rotated.sandbox.restart("gateway")
    rotated.until(lambda: found(rotated))
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == after
