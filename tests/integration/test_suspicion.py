"""A witness open to anybody, and a proof that does not hold: a fork stops it, a stranger's noise does not."""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.contradiction import find_contradiction
from audit.fork_alarm import Alarm
from audit.merkle import check_consistency
from audit.note import parse_note
from audit.policy import Policy
from audit.policy import Witness as PolicyWitness
from audit.quorum import Gathered, Quorum, Standing
from audit.submission import Status, Submission, parse_size, parse_submission
from audit.witness import Answer, Witness
from audit.witness_http import HttpWitness
from audit.witness_serve import serving_witness
from gateway.publishing.outside import OutsideWitness
from tests.integration.log_kit import SIGNER
from tests.integration.published_kit import answering
from tests.integration.witness_kit import HonestPeer, Told, cosigner, open_witness

ENTRIES = 70
TOLD = Told(ENTRIES)
POWERS = (1, 2, 4, 16, 32)
NOISE = (bytes(32),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "witness.db"


@pytest.fixture
def witness(path: Path) -> Iterator[Witness]:
    witness = open_witness(path, from_log_alone=False)
    yield witness
    witness.close()


def noise(old: int, size: int, *, told: Told = TOLD) -> bytes:
    """A genuine checkpoint with a proof of nothing."""
    return Submission(old, NOISE, told.note(size)).encode()


def asked_for(answer: Answer) -> int:
    """The size from which the log is asked to prove."""
    assert answer.status is Status.OTHER_SIZE
    return parse_size(answer.body)


@pytest.mark.parametrize("old", POWERS)
def test_a_fork_from_a_power_of_two_stops_it_and_both_notes_are_kept(witness: Witness, path: Path, old: int) -> None:
    forked = Told(ENTRIES, differs=0)
    witness.add_checkpoint(TOLD.submission(0, old))
    answer = witness.add_checkpoint(forked.submission(old, 40))
    assert (answer.status, answer.body) == (Status.INCONSISTENT, b"")
    (doubt,) = witness.suspicions()
    assert answer.fork == doubt
    assert doubt.kept.startswith(TOLD.note(old))
    assert doubt.shown.endswith(forked.note(40))
    assert not doubt.is_proof()
    again = open_witness(path, from_log_alone=False)
    assert again.suspicions() == (doubt,)
    # Neither history is cosigned any more, however each is continued.
    for told, size in ((forked, 41), (TOLD, 41), (forked, ENTRIES), (TOLD, ENTRIES)):
        assert again.add_checkpoint(told.submission(old, size)).status is not Status.COSIGNED
        assert again.add_checkpoint(told.submission(40, size)).status is not Status.COSIGNED
    again.close()


@pytest.mark.parametrize("old", POWERS)
@pytest.mark.parametrize("first", ["told", "forked"])
def test_what_the_log_sends_next_proves_the_fork(witness: Witness, old: int, first: str) -> None:
    """From the size in doubt, which is no power of two, a proof says which past the log claims."""
    forked = Told(ENTRIES, differs=0)
    witness.add_checkpoint(TOLD.submission(0, old))
    witness.add_checkpoint(forked.submission(old, 40))
    assert asked_for(witness.add_checkpoint(TOLD.submission(old, 50))) == 40
    answer = witness.add_checkpoint(TOLD.submission(40, 50))
    assert answer.status is Status.INCONSISTENT
    (fork,) = witness.forks()
    assert answer.fork == fork
    assert fork.is_proof()
    assert find_contradiction(fork.kept, fork.shown, SIGNER.public).range == (0, 40)
    assert witness.add_checkpoint((TOLD if first == "told" else forked).submission(old, 60)).status is (
        Status.INCONSISTENT
    )


def test_of_two_powers_nothing_is_proven_and_nothing_cosigned(witness: Witness) -> None:
    forked = Told(ENTRIES, differs=0)
    witness.add_checkpoint(TOLD.submission(0, 16))
    witness.add_checkpoint(forked.submission(16, 32))
    for told in (TOLD, forked):
        for old in (16, 32):
            for size in range(33, ENTRIES + 1):
                assert witness.add_checkpoint(told.submission(old, size)).status is not Status.COSIGNED
                if witness.forks():
                    return
    pytest.fail("two roots of one size were told and not seen")


@pytest.mark.parametrize("old", [16, 20, 32])
def test_a_stranger_with_a_genuine_checkpoint_costs_one_request(witness: Witness, old: int) -> None:
    witness.add_checkpoint(TOLD.submission(0, old))
    assert witness.add_checkpoint(noise(old, 40)).status is Status.INCONSISTENT
    assert asked_for(witness.add_checkpoint(TOLD.submission(old, 50))) == 40
    assert witness.add_checkpoint(TOLD.submission(40, 50)).status is Status.COSIGNED
    assert (witness.suspicions(), witness.forks()) == ((), ())


def test_the_very_checkpoint_in_doubt_settles_it_with_its_proof(witness: Witness) -> None:
    witness.add_checkpoint(TOLD.submission(0, 16))
    witness.add_checkpoint(noise(16, 40))
    assert witness.add_checkpoint(TOLD.submission(16, 40)).status is Status.COSIGNED


def test_proofs_of_different_checkpoints_settle_nothing(witness: Witness) -> None:
    """Each could be of another history."""
    witness.add_checkpoint(TOLD.submission(0, 16))
    witness.add_checkpoint(noise(16, 40))
    assert asked_for(witness.add_checkpoint(TOLD.submission(16, 50))) == 40
    assert asked_for(witness.add_checkpoint(TOLD.submission(40, 60))) == 16
    assert witness.add_checkpoint(TOLD.submission(16, 60)).status is Status.COSIGNED


def test_what_was_cosigned_cannot_be_put_in_doubt_and_older_checkpoints_show_nothing(witness: Witness) -> None:
    witness.add_checkpoint(TOLD.submission(0, 16))
    assert witness.add_checkpoint(noise(16, 16)).status is Status.INCONSISTENT
    assert witness.suspicions() == ()
    witness.add_checkpoint(noise(16, 40))
    assert asked_for(witness.add_checkpoint(TOLD.submission(16, 30))) == 40
    assert asked_for(witness.add_checkpoint(TOLD.submission(12, 50))) == 16


@given(st.randoms(use_true_random=False), st.sampled_from([None, *range(0, 60, 7)]))
@settings(deadline=None, max_examples=60)
def test_whatever_is_sent_one_history_is_cosigned_and_an_honest_log_always_again(
    tmp_path_factory: pytest.TempPathFactory, source: random.Random, differs: int | None
) -> None:
    histories = [TOLD] if differs is None else [TOLD, Told(ENTRIES, differs=differs)]
    witness = open_witness(tmp_path_factory.mktemp("w") / "w.db", from_log_alone=False)
    cosigned, grown = list[tuple[Told, int]](), 1
    for _ in range(40):
        grown = min(ENTRIES, grown + source.randrange(4))
        told, size = source.choice(histories), source.randint(0, grown)
        old = source.choice([0, *range(1, size + 1)][-8:])
        body = told.submission(old, size) if source.random() < 0.7 else noise(old, size, told=told)
        if witness.add_checkpoint(body).status is Status.COSIGNED and size:
            cosigned.append((told, size))
    for (one, old), (other, size) in pairwise(cosigned):
        check_consistency(
            old_size=old, old_root=one.checkpoint(old).root, size=size, root=other.checkpoint(size).root,
            proof=other.proof(old, size),
        )  # fmt: skip
    if differs is None:
        assert witness.forks() == ()
        known, answer = 0, None
        for _ in range(3):
            answer = witness.add_checkpoint(TOLD.submission(known, grown))
            if answer.status is Status.COSIGNED:
                break
            known = asked_for(answer)
        assert answer is not None
        assert answer.status is Status.COSIGNED
    witness.close()


async def test_the_gateways_own_client_gets_through_a_stranger_who_does_not_stop(witness: Witness) -> None:
    """Over HTTP, the stranger with each checkpoint before the log comes with it."""
    quorum = Quorum(TOLD.consistency, wait=5)
    with answering(serving_witness(witness, tuple, "127.0.0.1", 0)) as url:
        stranger = HttpWitness(url, seconds=5)
        member = PolicyWitness("open", cosigner("a").public, url)
        policy, peer = Policy((), (member,), (), "open"), OutsideWitness(member)

        async def round_of(size: int) -> Gathered:
            return await quorum.gather(parse_note(TOLD.note(size)), [peer], policy)

        assert (await round_of(1)).met
        late, known = 0, 1
        for size in range(2, ENTRIES + 1):
            assert stranger.add_checkpoint(noise(known, size)).status in (Status.INCONSISTENT, Status.OTHER_SIZE)
            found = await round_of(size)
            assert found.standings[peer.name] in (Standing.COSIGNED, Standing.JUNK), "no alarm at the gateway"
            late = 0 if found.met else late + 1
            known = size if found.met else known
            assert late < 2
        assert known >= ENTRIES - 1
        stranger.close()
        peer.close()
    assert witness.forks() == ()


def test_whoever_runs_it_is_told_once_and_finds_both_statements_in_files(witness: Witness, tmp_path: Path) -> None:
    lines = list[str]()
    alarm, forked = Alarm(witness, tmp_path, lines.append), Told(ENTRIES, differs=0)
    witness.add_checkpoint(TOLD.submission(0, 16))
    alarm.look()
    assert lines == []
    witness.add_checkpoint(noise(16, 40))
    alarm.look()
    alarm.look()
    witness.add_checkpoint(TOLD.submission(16, 40))
    alarm.look()
    witness.add_checkpoint(forked.submission(40, 50))
    alarm.look()
    assert [line.partition(" ")[0] for line in lines] == ["SUSPECTED", "SETTLED", "FORK"]
    kept, shown = sorted(tmp_path.glob("fork-*.txt"))
    assert all(str(each) in lines[-1] for each in (kept, shown))
    proof = find_contradiction(kept.read_text(), shown.read_text(), SIGNER.public)
    assert proof.range == (0, 40)
    assert parse_submission(shown.read_bytes()).note == forked.note(50)
    # After a restart it is told again.
    Alarm(witness, tmp_path, lines.append).look()
    assert lines[-1] == lines[-2]


@pytest.mark.parametrize("how", ["proof", "noise"])
async def test_who_shows_an_open_witness_a_newer_checkpoint_than_the_log_asks_about_stops_nothing(
    witness: Witness, how: str
) -> None:
    """Between the moment at which a round takes its checkpoint and the one at which it asks."""
    grown = 40
    quorum = Quorum(TOLD.consistency, size=lambda: grown, wait=5)
    peer = HonestPeer("a", witness)
    policy = Policy((), (PolicyWitness("open", cosigner("a").public, ""),), (), "open")

    async def round_of(size: int) -> Gathered:
        return await quorum.gather(parse_note(TOLD.note(size)), [peer], policy)

    assert (await round_of(20)).met
    witness.add_checkpoint(TOLD.submission(20, 40) if how == "proof" else noise(20, 40))
    found = await round_of(30)
    assert (found.met, found.against) == (False, frozenset())
    assert found.standings[peer.name] is Standing.NEWER
    assert (await round_of(40)).met
    # What the log itself does not have yet is another matter: its store was put back.
    grown = 30
    assert (await round_of(30)).standings[peer.name] is Standing.AHEAD
