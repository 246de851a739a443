"""The adapter's process: what it needs to start, what it says when it cannot, and how it stops."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters import service
from adapters.as_joined import check_sources
from adapters.channel_identity import new_tls_key, write_identity
from adapters.cli import _status_text, check, join
from adapters.config import read_config
from adapters.keyring import KeyFile, generate_keyring, write_keyring
from adapters.membership import write_membership
from adapters.node.holder_alarm import HolderAlarm, HolderFinding
from adapters.node.renew import IdentityLocked
from adapters.wiring import Adapter, build
from deploy.demo.issuer import make_issuer
from gateway.protocol.strict_yaml import DocumentErrors
from homeward.alone import alone
from homeward.failure import CommandFailure
from homeward.gateway.v1.link_pb2 import Alert
from tests.integration.channel_kit import Authority, public
from tests.integration.source_kit import membership
from tests.integration.test_presenting import lose
from tests.unit.node.world import SOURCE

COUNTY_FILE = """\
version: 1
name: "Invented County"
listen: 127.0.0.1:0
staff:
  issuer: https://idp.example
  audience: homeward
  jwks: { file: jwks.json }
  roles: { workers: [CWA.case_worker] }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The county file of an adapter that joined an exchange which is not there."""
    authority, state, key = Authority(), tmp_path / "state", new_tls_key()
    write_keyring(state / "keys", generate_keyring())
    chain = authority.certify(SOURCE, public(key)).chain
    write_identity(state / "keys", key=key, chain=chain, ca=authority.root_pem)
    write_membership(state, replace(membership(SOURCE), has_sources=False))
    path = tmp_path / "adapter.yaml"
    path.write_text(COUNTY_FILE, encoding="utf-8")
    make_issuer(tmp_path)
    return path


def failure_of(file: Path) -> CommandFailure:
    with pytest.raises(CommandFailure) as caught:
        service._build(file, service._read(file))
    return caught.value


def test_an_adapter_that_never_joined_says_so(tmp_path: Path) -> None:
    path = tmp_path / "adapter.yaml"
    path.write_text(COUNTY_FILE, encoding="utf-8")
    failure = failure_of(path)
    assert (failure.code, "homeward join" in failure.fix) == ("ADAPTER-002", True)


def test_a_county_file_with_problems_is_refused_with_all_of_them(file: Path) -> None:
    file.write_text(COUNTY_FILE.replace("version: 1", "version: 2") + "refrsh: 5m\n", encoding="utf-8")
    with pytest.raises(DocumentErrors) as caught:
        read_config(file)
    assert len(caught.value.problems) == 2
    assert failure_of(file).code == "ADAPTER-001"


def test_a_county_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert failure_of(tmp_path / "adapter.yaml").code == "ADAPTER-001"


def test_a_key_that_is_gone_is_named(file: Path) -> None:
    (file.parent / "state" / "keys" / KeyFile.SEAL).unlink()
    failure = failure_of(file)
    assert (failure.code, failure.why) == ("ADAPTER-003", "seal.key: cannot be read")


def test_who_joined_with_records_and_names_no_sources_does_not_start(file: Path) -> None:
    """It would never call its list complete, and of no youth could anybody be told that nobody looks."""
    write_membership(file.parent / "state", membership(SOURCE))
    failure = failure_of(file)
    assert (failure.code, failure.where) == ("ADAPTER-009", str(file))
    assert "--no-sources" in failure.fix
    checked = CliRunner().invoke(check, ["--config", str(file)])
    assert isinstance(checked.exception, CommandFailure)
    assert checked.exception.code == "ADAPTER-009"


def test_who_joined_without_records_and_names_sources_is_told_to_join_again_in_this_directory(file: Path) -> None:
    with pytest.raises(CommandFailure) as caught:
        check_sources(replace(membership(SOURCE), has_sources=False), file, has_sources=True)
    assert caught.value.code == "ADAPTER-009"
    assert "join again in this directory" in caught.value.fix


def test_a_line_is_not_spent_for_an_adapter_that_could_not_start(tmp_path: Path) -> None:
    file = tmp_path / "adapter.yaml"
    file.write_text(COUNTY_FILE, encoding="utf-8")
    refused = CliRunner().invoke(join, ["hw1_AAAA", "--config", str(file), "--sources"])
    assert refused.exit_code == 2
    assert "names no sources: leave the option out" in refused.output
    assert not (tmp_path / "state").exists()


@pytest.fixture
async def adapter(file: Path) -> Adapter:
    return build(
        read_config(file), file, environment={}, now=lambda: datetime.now(UTC), random_bytes=secrets.token_bytes,
        monotonic=time.monotonic,
    )  # fmt: skip


async def test_a_new_adapter_is_not_ready_and_says_what_it_has(adapter: Adapter) -> None:
    status = adapter.status()
    assert (adapter.is_ready(), status.agency, status.link_up, status.tokens_ready) == (False, SOURCE, False, False)
    assert status.policy_version == adapter.node.bundle.version
    assert (list(status.unproven_holders), list(status.sole_operators)) == ([], [])
    await adapter.channels.close()
    adapter.node.store.close()


async def test_the_status_names_alerts_that_the_exchange_withholds_or_forgot(adapter: Adapter) -> None:
    status = adapter.status()
    assert (status.missing_alert, status.forgotten_alert) == (0, 0)
    assert "look through the open flags" not in _status_text(status, False)
    for sequence in (1, 2):
        adapter.alerts.accept(Alert(sequence=sequence), adapter.node.now())
    adapter.alerts.compare(1)
    adapter.link.status.awaited_alert = 3
    text = _status_text(adapter.status(), False)
    assert "FAIL  alert 3 was not handed over" in text
    assert "FAIL  the exchange forgot alerts that are here, from number 2 on" in text
    await adapter.channels.close()
    adapter.node.store.close()


async def test_the_status_names_holders_with_the_findings_of_the_last_days(adapter: Adapter) -> None:
    now, store = adapter.node.now(), adapter.node.store
    for finding, operator, days in (
        (HolderFinding.UNPROVEN, "auditor", 0),
        (HolderFinding.UNPROVEN, "auditor", 1),
        (HolderFinding.ANOTHER_LOG, "university", 6),
        (HolderFinding.ANOTHER_LOG, "long-ago", 30),
    ):
        HolderAlarm(store, lambda days=days: now - timedelta(days=days))(finding, operator)  # type: ignore[misc]
    status = adapter.status()
    assert (list(status.unproven_holders), list(status.another_log_holders)) == (["auditor"], ["university"])
    text = _status_text(status, False)
    assert "FAIL  holder auditor answered without a proof that holds" in text
    assert "FAIL  holder university has begun another log" in text
    await adapter.channels.close()
    adapter.node.store.close()


async def test_the_status_says_that_alerts_are_lost_for_good(adapter: Adapter) -> None:
    assert "lost for good" not in _status_text(adapter.status(), False)
    lose(adapter.node)
    assert adapter.alerts.resync(40)
    status = adapter.status()
    assert status.lost_alert == 39
    assert "warn  alerts up to number 39 did not all arrive, and are lost" in _status_text(status, False)
    await adapter.channels.close()
    adapter.node.store.close()


@pytest.mark.parametrize(
    ("fault", "becomes"), [(ZeroDivisionError, ZeroDivisionError), (IdentityLocked, CommandFailure)]
)
async def test_a_part_that_ends_for_good_ends_the_process(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch, fault: type[Exception], becomes: type[Exception]
) -> None:
    ended: list[str] = []

    async def broken() -> None:
        await asyncio.sleep(0)
        raise fault

    async def lasting() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("lasting")

    def parts(*_: object) -> dict[str, service.Part]:
        return {"lasting": lasting, "broken": broken}

    monkeypatch.setattr(service, "_parts", parts)
    server: Any = None
    with pytest.raises(becomes):
        await service._supervise(adapter, server)
    assert ended == ["lasting"]
    await adapter.channels.close()
    adapter.node.store.close()


@pytest.fixture
def process(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "homeward", "adapter", "run", "--config", str(file)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    yield running
    if running.poll() is None:
        running.kill()
    running.communicate()


def test_the_process_waits_for_an_exchange_that_is_down_and_stops_when_told(
    file: Path, process: subprocess.Popen[bytes]
) -> None:
    certificate = file.parent / "state" / "local-tls" / "ca.pem"
    deadline = time.monotonic() + 20
    while not certificate.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    output, log = process.communicate(timeout=20)
    # Not ready, so no readiness line; and nothing but JSON lines on standard error.
    assert (process.returncode, output) == (0, b"")
    assert b"Traceback" not in log
    assert b'"message": "stopping"' in log


async def test_a_second_adapter_of_one_state_directory_is_refused(file: Path) -> None:
    with alone(file.parent / "state" / "adapter.lock"), pytest.raises(CommandFailure) as caught:
        await service.run(file)
    assert caught.value.code == "ADAPTER-006"


async def test_without_a_state_directory_nobody_has_joined(tmp_path: Path) -> None:
    path = tmp_path / "adapter.yaml"
    path.write_text(COUNTY_FILE, encoding="utf-8")
    make_issuer(tmp_path)
    with pytest.raises(CommandFailure) as caught:
        await service.run(path)
    assert caught.value.code == "ADAPTER-002"
    assert not (tmp_path / "state").exists()
