"""A log and its witnesses: one view for everybody, whatever some of them do.

The numbers in the names are those of the design's list of tamper and fault tests.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.checkpoint import Checkpoint, LogKey
from audit.contradiction import find_contradiction
from audit.cosignature import check_cosignatures
from audit.errors import EvidenceError, EvidenceReason
from audit.note import SignatureLine, parse_note
from audit.policy import Policy, Witness, k_of
from audit.published import check_witnessed
from audit.quorum import Gathered, Quorum, Standing, WitnessPeer
from audit.submission import encode_size
from gateway.protocol.parse import check
from gateway.publishing.attested import AttestationStanding
from homeward.gateway.v1 import admin_pb2
from tests.integration.log_kit import SIGNER
from tests.integration.witness_kit import NOW, HonestPeer, HostilePeer, Told, cosigner, line_of, open_witness

NAMES = ("a", "b", "c")
TOLD = Told(60)
FORKED = Told(60, differs=25)
POLICY = k_of(2, tuple(Witness(name.upper(), cosigner(name).public) for name in NAMES))


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[dict[str, HonestPeer]]:
    witnesses = {name: open_witness(tmp_path / f"{name}.db", name) for name in NAMES}
    yield {name: HonestPeer(name, witness) for name, witness in witnesses.items()}
    for witness in witnesses.values():
        witness.close()


async def _ask(told: Told, size: int, *peers: WitnessPeer, quorum: Quorum | None = None) -> Gathered:
    asking = quorum or Quorum(told.consistency, wait=1.0, grace=0.5)
    return await asking.gather(parse_note(told.note(size)), peers, POLICY)


def _note(told: Told, size: int, gathered: Gathered) -> str:
    return parse_note(told.note(size)).with_lines(tuple(each.line for each in gathered.cosigned)).whole()


async def test_the_quorum_cosigns_and_an_auditor_with_the_policy_accepts(peers: dict[str, HonestPeer]) -> None:
    quorum = Quorum(TOLD.consistency)
    for size in (20, 20, 40, 60):
        gathered = await _ask(TOLD, size, *peers.values(), quorum=quorum)
        assert gathered.met
        assert set(gathered.standings.values()) == {Standing.COSIGNED}
        _, cosigned = check_witnessed(_note(TOLD, size, gathered), key=SIGNER.public, policy=POLICY)
        assert len(cosigned) == 3
    # It knew each witness's size: nobody had to name it but at first contact.
    assert [len(peer.answers) for peer in peers.values()] == [4, 4, 4]


async def test_a_new_process_learns_the_sizes_from_the_witnesses(peers: dict[str, HonestPeer]) -> None:
    await _ask(TOLD, 20, *peers.values())
    assert (await _ask(TOLD, 40, *peers.values())).met
    assert [[answer.status for answer in peer.answers] for peer in peers.values()] == [[200, 409, 200]] * 3


async def test_a_witness_that_knew_nothing_cosigns_and_proves_no_memory(peers: dict[str, HonestPeer]) -> None:
    await _ask(TOLD, 20, peers["a"])
    quorum = Quorum(TOLD.consistency)
    for size in (20, 20, 40):
        gathered = await _ask(TOLD, size, peers["a"], peers["b"], quorum=quorum)
        assert {each.key for each in gathered.cosigned} == {*peers["a"].keys, *peers["b"].keys}
        assert gathered.knowing == {*peers["a"].keys}, "not by the second round either"


async def test_10_of_two_histories_only_one_reaches_the_quorum_and_both_notes_are_kept(
    peers: dict[str, HonestPeer],
) -> None:
    assert (await _ask(TOLD, 40, peers["a"], peers["b"])).met
    other = await _ask(FORKED, 40, peers["c"])
    assert not other.met
    crossed = await _ask(FORKED, 60, peers["a"], peers["b"], peers["c"])
    assert not crossed.met
    assert crossed.standings == {
        "a.example/w": Standing.REFUSED, "b.example/w": Standing.REFUSED, "c.example/w": Standing.COSIGNED,
    }  # fmt: skip
    for name in ("a", "b"):
        fork = peers[name].answers[-1].fork
        assert fork is not None
        assert fork.kept.startswith(TOLD.note(40))
        assert fork.shown.endswith(FORKED.note(60))
        assert find_contradiction(fork.kept, fork.shown, SIGNER.public).range == (0, 40)
    with pytest.raises(EvidenceError) as caught:
        check_witnessed(_note(FORKED, 60, crossed), key=SIGNER.public, policy=POLICY)
    assert caught.value.reason is EvidenceReason.WITNESS


async def test_7_a_store_put_back_is_told_so_and_its_regrown_tree_is_never_cosigned(
    peers: dict[str, HonestPeer],
) -> None:
    await _ask(TOLD, 40, *peers.values())
    put_back = await _ask(TOLD, 30, *peers.values())
    assert not put_back.met
    assert set(put_back.standings.values()) == {Standing.AHEAD}
    regrown = Told(60, differs=30)
    for size in (41, 60):
        refused = await _ask(regrown, size, *peers.values())
        assert (refused.met, refused.cosigned) == (False, ())
        assert set(refused.standings.values()) == {Standing.REFUSED}


async def test_11_an_old_checkpoint_is_not_cosigned_again(peers: dict[str, HonestPeer]) -> None:
    await _ask(TOLD, 40, *peers.values())
    replayed = await _ask(TOLD, 20, *peers.values())
    assert (replayed.met, replayed.cosigned) == (False, ())


def _forged(name: str) -> bytes:
    key = cosigner(name).public
    return SignatureLine(key.name, key.key_id, bytes(72)).text().encode()


HEAD = TOLD.checkpoint(40)
HOSTILE: dict[str, tuple[tuple[int, bytes] | None, Standing]] = {
    "silent": (None, Standing.SILENT),
    "junk": ((200, b"\xff\x00junk"), Standing.JUNK),
    "empty": ((200, b""), Standing.JUNK),
    "forged line under its own name": ((200, _forged("c")), Standing.JUNK),
    "line of another witness": ((200, line_of("a", HEAD).text().encode()), Standing.JUNK),
    "line of an unknown key": ((200, line_of("x", HEAD).text().encode()), Standing.JUNK),
    "cosignature of another tree": ((200, line_of("c", TOLD.checkpoint(39)).text().encode()), Standing.JUNK),
    "cosignature without a time": ((200, line_of("c", HEAD, seconds=0).text().encode()), Standing.JUNK),
    "injected note": ((200, f"evil.example\n7\n\n{line_of('c', HEAD).text()}".encode()), Standing.JUNK),
    "many lines": ((200, line_of("c", HEAD).text().encode() * 65), Standing.JUNK),
    "endless": ((200, b"\xe2\x80\x94 " + b"x" * 1_000_000), Standing.JUNK),
    "a size that is none": ((409, b"-1\n"), Standing.JUNK),
    "always another size": ((409, encode_size(7)), Standing.JUNK),
    "a size beyond everything": ((409, encode_size(10**18)), Standing.AHEAD),
    "error": ((500, b""), Standing.JUNK),
    "status that is none": ((299, b""), Standing.JUNK),
    "says no": ((422, b""), Standing.REFUSED),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_12_a_hostile_witness_costs_its_own_voice_and_nobody_elses(
    peers: dict[str, HonestPeer], case: str
) -> None:
    answer, standing = HOSTILE[case]
    hostile = HostilePeer("c", lambda _: answer)
    gathered = await _ask(TOLD, 40, peers["a"], peers["b"], hostile)
    assert gathered.met
    assert gathered.standings["c.example/w"] is standing
    assert {each.key.name for each in gathered.cosigned} == {"a.example/w", "b.example/w"}
    check_witnessed(_note(TOLD, 40, gathered), key=SIGNER.public, policy=POLICY)
    again = await _ask(TOLD, 60, peers["a"], peers["b"], hostile)
    assert again.met


async def test_12_a_witness_that_was_put_back_has_no_voice_until_it_has_another_key(
    peers: dict[str, HonestPeer], tmp_path: Path
) -> None:
    quorum = Quorum(TOLD.consistency)
    await _ask(TOLD, 20, *peers.values(), quorum=quorum)
    shutil.copy(tmp_path / "c.db", tmp_path / "backup.db")
    await _ask(TOLD, 40, *peers.values(), quorum=quorum)
    put_back, anew = open_witness(tmp_path / "backup.db", "c"), open_witness(tmp_path / "anew.db", "d")
    forgot = HonestPeer("c", put_back)
    # Also once it has caught up, and where it is needed for the quorum.
    for size in (50, 60, 60):
        gathered = await _ask(TOLD, size, peers["a"], forgot, quorum=quorum)
        assert gathered.standings == {"a.example/w": Standing.COSIGNED, "c.example/w": Standing.FORGOT}
        assert ({each.key.name for each in gathered.cosigned}, gathered.met) == ({"a.example/w"}, False)
        assert not gathered.against, "it says nothing against the log"
    assert forgot.answers[-1].status == 200, "it follows the log all the same"
    gathered = await _ask(TOLD, 60, HonestPeer("d", anew), quorum=quorum)
    assert set(gathered.standings.values()) == {Standing.COSIGNED}
    put_back.close()
    anew.close()


@pytest.mark.parametrize("standing", [*Standing, *AttestationStanding])
def test_every_standing_passes_the_rules_of_the_message_that_shows_it(
    standing: Standing | AttestationStanding,
) -> None:
    if isinstance(standing, Standing):
        check(admin_pb2.WitnessStatus(name="a.example/w", standing=standing))
    else:
        check(admin_pb2.AttestationStatus(agency="06037.cwa", standing=standing))


async def test_without_a_quorum_a_slow_witness_is_waited_for_only_so_long(peers: dict[str, HonestPeer]) -> None:
    started = time.monotonic()
    gathered = await _ask(TOLD, 40, peers["a"], HostilePeer("b", lambda _: None), HostilePeer("c", lambda _: None))
    assert not gathered.met
    assert time.monotonic() - started < 3


async def test_a_witness_that_fails_in_our_own_code_is_not_taken_for_silence(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: bytes) -> tuple[int, bytes]:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError):
        await _ask(TOLD, 40, HostilePeer("c", broken))
    await asyncio.sleep(0)


def test_11_a_checkpoint_of_one_witness_is_no_quorum() -> None:
    note = parse_note(TOLD.note(40)).with_lines((line_of("a", HEAD),)).whole()
    with pytest.raises(EvidenceError) as caught:
        check_witnessed(note, key=SIGNER.public, policy=POLICY)
    assert caught.value.reason is EvidenceReason.WITNESS


def test_11_a_frozen_view_is_noticed_by_the_age_of_its_cosignatures() -> None:
    lines = (line_of("a", HEAD, seconds=NOW), line_of("b", HEAD, seconds=NOW - 3600), line_of("c", HEAD, seconds=NOW))
    note = parse_note(TOLD.note(40)).with_lines(lines)
    check_witnessed(note.whole(), key=SIGNER.public, policy=POLICY, not_before=NOW - 900)
    frozen = parse_note(TOLD.note(40)).with_lines(lines[:2]).whole()
    check_witnessed(frozen, key=SIGNER.public, policy=POLICY, not_before=NOW - 7200)
    with pytest.raises(EvidenceError) as caught:
        check_witnessed(frozen, key=SIGNER.public, policy=POLICY, not_before=NOW - 900)
    assert caught.value.reason is EvidenceReason.STALE


def test_a_policy_for_another_log_accepts_nothing() -> None:
    other = Policy((LogKey("other.example/log", b"o" * 32),), (), (), "none")
    with pytest.raises(EvidenceError) as caught:
        check_witnessed(TOLD.note(40), key=SIGNER.public, policy=other)
    assert caught.value.reason is EvidenceReason.ORIGIN


def test_cosignatures_are_counted_once_a_key() -> None:
    note = parse_note(TOLD.note(40)).with_lines((line_of("a", HEAD), line_of("a", HEAD, seconds=5)))
    checkpoint = Checkpoint(HEAD.origin, HEAD.size, HEAD.root)
    with pytest.raises(EvidenceError):
        check_cosignatures(note, checkpoint, [cosigner("a").public])
