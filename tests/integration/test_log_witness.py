"""The adapter as a witness of its exchange's log, at both ends of the link."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters.cli import adapter
from adapters.node.errors import Missing, NotReady
from adapters.node.store import StoreUnsafe
from adapters.node.witness import KEY_FILE, STATE_FILE, VKEY_FILE, LogWitness, read_forks
from audit.contradiction import find_contradiction
from audit.cosignature import check_cosignature
from audit.note import parse_signature_lines, parse_verifier_key
from audit.quorum import WitnessSilent
from gateway.protocol.names import AgencyId
from gateway.rpc.links import QUEUE_LIMIT, Link, Links
from homeward.gateway.v1.link_pb2 import WORK_STATUS_ERROR, AddCheckpoint, CheckpointAnswer
from tests.integration.source_kit import Gateway, Side, make_side
from tests.integration.witness_kit import Told, cosigner
from tests.unit.node import world

SIZE = 40
TOLD = Told(SIZE, signer=world.keys().log)
FORKED = Told(SIZE, differs=12, signer=world.keys().log)
AGENCY = AgencyId("06037.cwa")


def _request(told: Told, old_size: int, size: int) -> AddCheckpoint:
    return AddCheckpoint(submission_id=bytes(16), body=told.submission(old_size, size))


def _witness(side: Side, state: Path) -> LogWitness:
    return LogWitness(state, side.node.membership, directory=side.node.keeper.current, now=side.node.now)


@pytest.fixture
async def side(tmp_path: Path) -> AsyncIterator[Side]:
    made = await make_side(tmp_path, Gateway())
    yield made
    made.node.store.close()


@pytest.fixture
def witness(side: Side, tmp_path: Path) -> Iterator[LogWitness]:
    opened = _witness(side, tmp_path)
    yield opened
    opened.close()


def test_it_cosigns_the_log_of_its_directory_under_its_own_name(
    witness: LogWitness, side: Side, tmp_path: Path
) -> None:
    answer = witness.answer(_request(TOLD, 0, 20))
    key = parse_verifier_key((tmp_path / VKEY_FILE).read_text())
    assert key.name == f"{world.DOMAIN}/witness/{side.node.agency}"
    assert witness.keys == (key.vkey(),)
    (line,) = parse_signature_lines(answer.body.decode())
    assert check_cosignature(line, key, TOLD.checkpoint(20)).seconds == int(side.node.now().timestamp())
    assert (answer.status, answer.submission_id, witness.size()) == (200, bytes(16), 20)


def test_no_other_log_is_cosigned(witness: LogWitness) -> None:
    assert witness.answer(_request(Told(SIZE), 0, 20)).status == 404


def test_its_key_is_made_once_and_private(witness: LogWitness, side: Side, tmp_path: Path) -> None:
    assert (tmp_path / "keys" / KEY_FILE).stat().st_mode & 0o077 == 0
    again = _witness(side, tmp_path)
    assert again.keys == witness.keys
    again.close()


async def test_a_fork_ends_asking_and_answering_for_good_and_says_so(
    witness: LogWitness, side: Side, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    node = replace(side.node, check_log=witness.check)
    responder = replace(side.responder, node=node)
    witness.answer(_request(TOLD, 0, 20))
    node.directory()
    with caplog.at_level(logging.CRITICAL):
        assert witness.answer(_request(FORKED, 20, 33)).status == 422
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]
    with pytest.raises(NotReady) as stopped:
        node.directory()
    assert stopped.value.missing is Missing.SOUND_LOG
    # An adapter's own refusal would read as an unknown youth: it is an error, and never a negative.
    assert responder.answer(world.Order().build()).status == WORK_STATUS_ERROR
    again = _witness(side, tmp_path)
    with pytest.raises(NotReady):
        again.check()
    again.close()


def test_what_one_process_saw_stops_the_other_on_the_same_state_too(
    witness: LogWitness, side: Side, tmp_path: Path
) -> None:
    other = _witness(side, tmp_path)
    assert other.keys == witness.keys
    witness.answer(_request(TOLD, 0, 20))
    assert other.answer(_request(TOLD, 20, 20)).status == 200
    assert witness.answer(_request(FORKED, 20, 33)).status == 422
    assert other.answer(_request(TOLD, 20, 33)).status == 422
    assert other.fork == witness.fork
    with pytest.raises(NotReady):
        other.check()
    other.close()


def test_a_person_gets_both_statements_and_they_prove_it(witness: LogWitness, tmp_path: Path) -> None:
    witness.answer(_request(TOLD, 0, 20))
    assert read_forks(tmp_path) == ()
    witness.answer(_request(FORKED, 20, 33))
    (fork,) = read_forks(tmp_path)
    assert fork == witness.fork
    assert find_contradiction(fork.kept, fork.shown, world.keys().log.public).range == (0, 20)


def _county_file(directory: Path) -> Path:
    config = directory / "adapter.yaml"
    config.write_text(
        "version: 1\nname: Invented County\nstate: .\nstaff:\n  issuer: https://idp.example\n  audience: homeward\n"
        "  jwks: { file: jwks.json }\n  roles: { workers: [CWA.case_worker] }\n"
    )
    return config


def test_the_command_shows_a_fork_and_its_absence(tmp_path: Path, witness: LogWitness) -> None:
    words = ["fork", "--config", str(_county_file(tmp_path)), "--out", str(tmp_path / "fork"), "--json"]
    witness.answer(_request(TOLD, 0, 20))
    fine = CliRunner().invoke(adapter, words, standalone_mode=False)
    assert (fine.return_value, json.loads(fine.output)["ok"]) == (0, True)
    witness.answer(_request(FORKED, 20, 33))
    shown = CliRunner().invoke(adapter, words, standalone_mode=False)
    (fork,) = json.loads(shown.output)["forks"]
    assert (shown.return_value, fork["proof"]) == (6, True)
    assert (tmp_path / "fork" / "fork-1-kept.txt").read_text().startswith(TOLD.note(20))
    again = CliRunner().invoke(adapter, words)
    assert (again.exit_code, "is not written over" in again.output) == (2, True)
    assert "NOTE" not in CliRunner().invoke(adapter, words[:3], standalone_mode=False).output


def test_the_command_says_where_a_fork_is_no_proof_yet_and_what_completes_it(
    tmp_path: Path, witness: LogWitness
) -> None:
    witness.answer(_request(TOLD, 0, 16))
    witness.answer(_request(FORKED, 16, 33))
    shown = CliRunner().invoke(adapter, ["fork", "--config", str(_county_file(tmp_path))], standalone_mode=False)
    assert shown.return_value == 6
    assert "no proof for others" in shown.output
    assert "a checkpoint of 16 entries, or a receipt of an entry below 32" in shown.output


def test_a_damaged_state_is_not_taken_for_a_new_one(side: Side, tmp_path: Path) -> None:
    (tmp_path / STATE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(StoreUnsafe):
        _witness(side, tmp_path)


# --- the gateway's end ----------------------------------------------------------------------


def _link(*, keys: bool = True) -> Link:
    return Link(AGENCY, credit=4, alert_cursor=0, witness_keys=(cosigner("a").public,) if keys else ())


async def _sent(link: Link) -> AddCheckpoint:
    message = await asyncio.wait_for(link.outgoing.get(), 5)
    return message.add_checkpoint


async def test_the_link_carries_the_bytes_and_brings_the_answer() -> None:
    link = _link()
    asked = asyncio.create_task(link.add_checkpoint(b"body"))
    sent = await _sent(link)
    assert (sent.body, link.name) == (b"body", "a.example/w")
    assert not link.witnessed(CheckpointAnswer(submission_id=b"x" * 16, status=200))
    assert link.witnessed(CheckpointAnswer(submission_id=sent.submission_id, status=409, body=b"7\n"))
    assert await asked == (409, b"7\n")
    assert not link.witnessed(CheckpointAnswer(submission_id=sent.submission_id, status=200))


async def test_a_link_that_ends_is_silent_at_once_and_one_submission_waits_at_a_time() -> None:
    link = _link()
    asked = asyncio.create_task(link.add_checkpoint(b"body"))
    await _sent(link)
    with pytest.raises(WitnessSilent):
        await link.add_checkpoint(b"another")
    link.close()
    with pytest.raises(WitnessSilent):
        await asked
    with pytest.raises(WitnessSilent):
        await link.add_checkpoint(b"later")


async def test_a_link_whose_queue_is_full_is_silent() -> None:
    link = _link()
    for _ in range(QUEUE_LIMIT):
        link.outgoing.put_nowait(CheckpointAnswer())  # type: ignore[arg-type]
    with pytest.raises(WitnessSilent):
        await link.add_checkpoint(b"body")


def test_only_links_with_keys_are_asked_and_each_new_one_at_once() -> None:
    links, linked = Links(), list[str]()
    links.witness_linked = lambda: linked.append("linked")
    links.open(_link(keys=False))
    assert (links.witnesses(), linked) == ((), [])
    witness = _link()
    links.open(witness)
    assert (links.witnesses(), linked) == ((witness,), ["linked"])


def test_a_link_that_opens_while_the_gateway_stops_is_told_like_the_others() -> None:
    links = Links()
    early, late = (Link(AgencyId(name), credit=4, alert_cursor=0) for name in ("06037.cwa", "06019.cwa"))
    links.open(early)
    links.going_away(5)
    # It was greeting when the others were told; one that hears nothing keeps a stop waiting for the whole grace.
    links.open(late)
    assert [link.outgoing.get_nowait().going_away.seconds for link in (early, late)] == [5, 5]
