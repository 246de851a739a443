"""A county's adapter is put back to yesterday while the gateway is down: its word as a witness counts no more."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.quorum import Standing
from deploy.demo.counties import COUNTY_B
from deploy.demo.sandbox import Sandbox
from homeward.failure import CommandFailure
from tests.commands import commands
from tests.e2e.test_epochs import Rotation, raise_flag
from tests.e2e.test_epochs_restored import asked
from tests.e2e.test_put_back import log

ADAPTER, AGENCY = "adapter-b", COUNTY_B.agency_id


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Rotation]:
    with Sandbox.up(tmp_path / "box", commands=commands()) as sandbox:
        yield Rotation(sandbox, commands())


def standing(exchange: Rotation) -> str:
    """How B's adapter answered last as a witness, by the gateway; empty where it was not asked yet.

    A question is asked first: of a log that does not grow nobody is shown more.
    """
    asked(exchange)
    told = json.loads(exchange.commands.ask("gateway", "status", str(exchange.sandbox.layout.gateway), "--json").out)
    named = {each["name"]: each["standing"] for each in told["published"].get("witnesses", ())}
    return next((found for name, found in named.items() if name.endswith(f"/{AGENCY}")), "")


def witnessed(exchange: Rotation) -> int:
    told = exchange.run("adapter", "status", "--dir", str(exchange.sandbox.layout.agency("B")))
    return int(str(told["witnessed_size"]))


def test_a_gateway_that_is_started_anew_knows_a_witness_that_was_put_back(exchange: Rotation) -> None:
    sandbox, gateway = exchange.sandbox, exchange.sandbox.layout.gateway
    state, yesterday = sandbox.layout.agency("B") / "state", sandbox.layout.root / "yesterday"
    exchange.until(lambda: standing(exchange) == Standing.COSIGNED)
    sandbox.end(ADAPTER)
    yesterday.mkdir()
    for left in state.glob("witness.db*"):
        shutil.copy(left, yesterday)
    sandbox.restart(ADAPTER)
    raise_flag(sandbox)
    exchange.until(lambda: witnessed(exchange) >= log(exchange)[1])
    for name in (ADAPTER, "gateway"):
        sandbox.end(name)
    for left in state.glob("witness.db*"):
        left.unlink()
    shutil.copytree(yesterday, state, dirs_exist_ok=True)
    for name in ("gateway", ADAPTER):
        sandbox.restart(name)
    exchange.until(lambda: standing(exchange) == Standing.FORGOT)
    # By now it was shown all of the log.
    exchange.until(lambda: witnessed(exchange) >= log(exchange)[1])
    sandbox.end("gateway")
    sandbox.restart("gateway")
    exchange.until(lambda: standing(exchange) == Standing.FORGOT)

    sandbox.end(ADAPTER)
    for left in (*state.glob("witness.db*"), state / "keys" / "witness.key"):
        left.unlink()
    sandbox.restart(ADAPTER)
    exchange.until(lambda: standing(exchange) == Standing.COSIGNED)

    sandbox.end("gateway")
    kept = gateway / "cosigned.sizes"
    kept.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(CommandFailure) as refused:
        sandbox.restart("gateway")
    assert "STATE-002" in str(refused.value.why), refused.value
    assert f"{kept}: not what this gateway kept of its witnesses; move it away" in str(refused.value.why)
    kept.unlink()
    sandbox.restart("gateway")
    exchange.until(lambda: standing(exchange) == Standing.COSIGNED)
