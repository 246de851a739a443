"""The gateway's whole directory is put back to yesterday, its own record of the log with it. Real processes.

Nothing on its machine tells. Its adapters do as they link, before it has written an entry; or its record does, where
that lies on other storage.
"""

import json
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.errors import StopReason
from deploy.demo.processes import signal_all
from deploy.demo.sandbox import Sandbox
from gateway.recovery.due import keep_due
from gateway.recovery.repair import place_of
from tests.commands import commands
from tests.e2e.test_epochs import Rotation, raise_flag
from tests.e2e.test_epochs_restored import asked, found
from tests.e2e.test_sealing import ORDER, Town

COUNTIES = ("a", "b", "c")
ADAPTERS = tuple(f"adapter-{letter}" for letter in COUNTIES)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Rotation]:
    """Three counties, none of whose adapters has to witness anything; yesterday's directory; a mirror of today."""
    with Sandbox.up(tmp_path / "box", commands=commands()) as sandbox:
        made = Rotation(sandbox, commands())
        sandbox.end("gateway")
        settings = sandbox.layout.gateway / "gateway.yaml"
        settings.write_text(re.sub("(?m)^witnesses:.*\n", "", settings.read_text()))
        keep_mirror(made)
        sandbox.restart("gateway")
        made.until(lambda: has_attested(made))
        sandbox.end("gateway")
        shutil.copytree(sandbox.layout.gateway, yesterday(made))
        sandbox.restart("gateway")
        made.until(lambda: asked(made) != "UNAVAILABLE")
        raise_flag(sandbox)
        made.until(lambda: found(made))
        made.until(lambda: witnessed(made) >= log(made)[1])
        yield made


def yesterday(exchange: Rotation) -> Path:
    return exchange.sandbox.layout.root / "yesterday"


def mirror(exchange: Rotation) -> str:
    return str(exchange.sandbox.layout.root / "mirror")


def keep_mirror(exchange: Rotation) -> None:
    exchange.run("audit", "mirror", str(exchange.sandbox.layout.gateway), mirror(exchange))


def put_back(exchange: Rotation) -> None:
    """Everything in the stopped gateway's directory is as it was yesterday; keys.db has a younger backup."""
    gateway = exchange.sandbox.layout.gateway
    keys = {kept.name: kept.read_bytes() for kept in gateway.glob("keys.db*")}
    shutil.rmtree(gateway)
    shutil.copytree(yesterday(exchange), gateway)
    for kept in gateway.glob("keys.db*"):
        kept.unlink()
    for name, content in keys.items():
        (gateway / name).write_bytes(content)


def log(exchange: Rotation) -> tuple[str, int]:
    """What the log does with an entry, and how many it has."""
    told = exchange.run("gateway", "status", str(exchange.sandbox.layout.gateway))
    return str(told["log_state"]), int(str(told["log_size"]))


def stored(exchange: Rotation) -> int:
    """How many entries are in the database, whatever the process says."""
    with closing(sqlite3.connect(exchange.sandbox.layout.gateway / "gateway.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM log_entry").fetchone()[0])


def explained(exchange: Rotation) -> int:
    """How often somebody explained a stop, by the log."""
    with closing(sqlite3.connect(exchange.sandbox.layout.gateway / "gateway.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM log_entry WHERE kind = 'log.explained'").fetchone()[0])


def waits_for(exchange: Rotation) -> list[str]:
    """Agencies that a late start has not heard."""
    told = json.loads(exchange.commands.ask("gateway", "status", str(exchange.sandbox.layout.gateway), "--json").out)
    return list(told["published"]["start_waits_for"])


def revoked(exchange: Rotation) -> list[str]:
    told = json.loads(exchange.commands.ask("gateway", "status", str(exchange.sandbox.layout.gateway), "--json").out)
    return [member["agency"] for member in told["members"] if member["suspended"]]


def witnessed(exchange: Rotation) -> int:
    """What A's adapter has cosigned last."""
    told = exchange.run("adapter", "status", "--dir", str(exchange.sandbox.layout.agency("A")))
    return int(str(told["witnessed_size"]))


def has_attested(exchange: Rotation) -> bool:
    return len(list((exchange.sandbox.layout.gateway / "attestations").glob("*.cwa"))) == len(COUNTIES)


def heal(exchange: Rotation) -> None:
    """The stopped gateway is healed from the mirror, and finds the youth again."""
    told = exchange.run("audit", "recover", str(exchange.sandbox.layout.gateway), "--mirror", mirror(exchange))
    assert told["ok"] is True
    exchange.sandbox.restart("gateway")
    exchange.until(lambda: found(exchange))


def test_adapters_show_what_a_directory_that_was_put_back_does_not_know(exchange: Rotation) -> None:
    sandbox, gateway = exchange.sandbox, str(exchange.sandbox.layout.gateway)
    sandbox.end("gateway")
    keep_mirror(exchange)
    put_back(exchange)
    sandbox.restart("gateway")
    assert sandbox.process("gateway").ready["log"] == "open", "nothing in the directory tells"
    # Waits for the adapters: this would have been its first entry, and the first of a second history.
    refused = exchange.commands.ask("gateway", "revoke", gateway, "06019.cwa", "--json")
    assert (refused.exit != 0, "leaf_index" in refused.out) == (True, False), refused.out + refused.err
    state, size = log(exchange)
    assert state == "recovering"
    assert [asked(exchange) for _ in range(3)] == ["UNAVAILABLE"] * 3
    held = exchange.commands.ask("gateway", "revoke", gateway, "06019.cwa", "--json")
    assert "REVOCATION_HELD" in held.out + held.err
    assert log(exchange) == ("recovering", size), "nothing was written"
    sandbox.end("gateway")
    sandbox.restart("gateway")
    assert sandbox.process("gateway").ready["log"] == "recovering", "what an adapter showed is kept"
    sandbox.end("gateway")
    heal(exchange)
    assert (log(exchange)[0], revoked(exchange)) == ("open", ["06019.cwa"])


def test_a_start_writes_nothing_of_a_seal_that_only_the_file_of_keys_knows(exchange: Rotation, tmp_path: Path) -> None:
    sandbox, gateway = exchange.sandbox, str(exchange.sandbox.layout.gateway)
    town = Town(sandbox, tmp_path)
    number, order = town.file("number", sandbox.caseload.cast.moved), town.file("order", ORDER)
    status, _, printed = town.run("adapter", "seal", "restrict", "--case", number, "--order", order)
    assert status == 0, printed
    exchange.until(lambda: witnessed(exchange) >= log(exchange)[1])
    sandbox.end("gateway")
    keep_mirror(exchange)
    put_back(exchange)
    size = stored(exchange)
    sandbox.restart("gateway")
    assert sandbox.process("gateway").ready["log"] == "open", "nothing in the directory tells"
    exchange.until(lambda: log(exchange)[0] == "recovering")
    assert [asked(exchange) for _ in range(3)] == ["UNAVAILABLE"] * 3
    assert stored(exchange) == size, "an entry is the first of a second history"
    sandbox.end("gateway")
    heal(exchange)
    told = exchange.commands.ask("audit", "fsck", gateway)
    assert told.exit == 0, told.out + told.err


def test_whoever_explains_a_lost_record_starts_no_second_history(exchange: Rotation) -> None:
    sandbox, gateway = exchange.sandbox, exchange.sandbox.layout.gateway
    sandbox.end("gateway")
    keep_mirror(exchange)
    put_back(exchange)
    (gateway / "log.checkpoint").unlink()
    size = stored(exchange)
    exchange.run("audit", "recover", str(gateway), "--explain", "the record was lost with its disk")
    assert stored(exchange) == size
    sandbox.restart("gateway")
    exchange.until(lambda: log(exchange)[0] == "recovering")
    assert stored(exchange) == size, "an entry is the first of a second history"
    sandbox.end("gateway")
    heal(exchange)
    assert (explained(exchange), list(gateway.glob("entries.due"))) == (1, [])


def test_a_network_that_is_shut_begins_no_second_history(exchange: Rotation) -> None:
    sandbox, gateway = exchange.sandbox, exchange.sandbox.layout.gateway
    signal_all([sandbox.process(name) for name in ADAPTERS], signal.SIGSTOP)
    # It would wait for those who do not hear it.
    sandbox.end("gateway", signal.SIGKILL)
    keep_mirror(exchange)
    put_back(exchange)
    # Which agencies know the log stands in the log: taking away what they attested hides nobody.
    shutil.rmtree(gateway / "attestations")
    size = stored(exchange)
    # Nor does an order that is given while nothing serves.
    refused = exchange.commands.ask("gateway", "invite", str(gateway), "06001.cwa", "--kind", "CWA", "--json")
    assert "NOT_READY" in refused.out + refused.err
    held = exchange.commands.ask("gateway", "revoke", str(gateway), "06019.cwa", "--json")
    assert "REVOCATION_HELD" in held.out + held.err
    sandbox.restart("gateway")
    exchange.until(lambda: waits_for(exchange))
    assert set(waits_for(exchange)) <= {"06019.cwa", "06029.cwa", "06037.cwa"}
    refused = exchange.commands.ask("gateway", "invite", str(gateway), "06001.cwa", "--kind", "CWA", "--json")
    assert "NOT_READY" in refused.out + refused.err
    assert (log(exchange)[0], stored(exchange)) == ("open", size), "an entry is the first of a second history"
    signal_all([sandbox.process(ADAPTERS[0])], signal.SIGCONT)
    exchange.until(lambda: log(exchange)[0] == "recovering")
    assert (waits_for(exchange), stored(exchange)) == ([], size)
    sandbox.end("gateway")
    signal_all([sandbox.process(name) for name in ADAPTERS], signal.SIGCONT)
    heal(exchange)
    assert revoked(exchange) == ["06019.cwa"]


def test_where_nobody_can_come_the_operator_goes_on_and_the_log_says_so(exchange: Rotation) -> None:
    sandbox, gateway = exchange.sandbox, exchange.sandbox.layout.gateway
    for process in (*ADAPTERS, "gateway"):
        sandbox.end(process)
    sandbox.restart("gateway")
    exchange.until(lambda: waits_for(exchange))
    sandbox.end("gateway")
    assert explained(exchange) == 0
    exchange.run("audit", "recover", str(gateway), "--unheard", "--explain", "every county moved house at once")
    sandbox.restart("gateway")
    exchange.until(lambda: explained(exchange) == 1)
    assert (waits_for(exchange), list(gateway.glob("entries.due"))) == ([], [])
    assert exchange.commands.ask("gateway", "revoke", str(gateway), "06019.cwa", "--json").exit == 0


def test_a_record_on_other_storage_tells_before_any_adapter_links(exchange: Rotation) -> None:
    sandbox, gateway = exchange.sandbox, exchange.sandbox.layout.gateway
    elsewhere = sandbox.layout.root / "elsewhere"
    sandbox.end("gateway")
    elsewhere.mkdir()
    for directory in (gateway, yesterday(exchange)):
        with (directory / "gateway.yaml").open("a") as settings:
            settings.write(f'high_water: "{elsewhere}"\n')
    sandbox.restart("gateway")
    assert list(gateway.glob("log.checkpoint*")) == [], "it was taken over"
    exchange.until(lambda: found(exchange))
    sandbox.end("gateway")
    keep_mirror(exchange)
    # With its record of then: yesterday the setting was not there.
    put_back(exchange)
    assert (gateway / "log.checkpoint").exists()
    keep_due(place_of(gateway).state, reasons=[StopReason.UNHEARD], digest=bytes(32), healed=None)
    sandbox.restart("gateway")
    assert sandbox.process("gateway").ready["log"] == "recovering"
    assert [asked(exchange) for _ in range(3)] == ["UNAVAILABLE"] * 3
    held = exchange.commands.ask("gateway", "revoke", str(gateway), "06019.cwa", "--json")
    assert "REVOCATION_HELD" in held.out + held.err
    sandbox.end("gateway")
    aside = elsewhere.rename(elsewhere.with_name("unmounted"))
    refused = exchange.commands.ask("gateway", "serve", str(gateway))
    assert (refused.exit, "RECORD-001" in refused.err, str(elsewhere) in refused.err) == (6, True, True), refused.err
    assert not elsewhere.exists(), "it is never made"
    aside.rename(elsewhere)
    heal(exchange)
    assert (log(exchange)[0], revoked(exchange)) == ("open", ["06019.cwa"])
    assert explained(exchange) == 0, "that nobody can be heard was said of the start that heard more"
    told = exchange.commands.ask("audit", "fsck", str(gateway))
    assert (told.exit, "[SAME_FILE_SYSTEM]" in told.out) == (0, True), told.out + told.err
