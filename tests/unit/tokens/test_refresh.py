"""Shares of the next generation: the same key and tokens, and worth nothing beside shares of before."""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.protocol import oprf
from gateway.protocol.oprf import KeyShare
from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.sharing import is_on_sharing
from gateway.state import State, StateExists
from gateway.tokens.ceremony import Dealing, ShareRefused, deal, deal_refresh
from gateway.tokens.share_file import DealtShare, ShareFileBroken, ShareRefresh, read_refresh, read_share
from gateway.tokens.shares import IN_FORCE, NEXT, PREVIOUS, RefreshRefused, Shares

SUITE = oprf.Suite(load_ristretto())
GROUP = SUITE.group
INPUTS = [b"one", b"two", b"three"]
HOLDERS = 4


def dealt(dealing: Dealing, generation: int = 1) -> list[DealtShare]:
    return [DealtShare("e1", share, dealing.commitments, generation) for share in dealing.shares]


def refreshes(dealing: Dealing, generation: int = 2) -> list[ShareRefresh]:
    after = deal_refresh(GROUP, dealing.commitments, holders=len(dealing.shares), random_bytes=os.urandom)
    return [ShareRefresh(each) for each in dealt(after, generation)]


def tokens(shares: list[DealtShare], threshold: int) -> list[bytes]:
    blinds = oprf.random_scalars(SUITE, len(INPUTS), random_bytes=os.urandom)
    blinded = oprf.blind(SUITE, INPUTS, blinds)
    answers = {each.share.index: oprf.evaluate_share(GROUP, each.share, blinded) for each in shares}
    return oprf.finalize(GROUP, INPUTS, blinds=blinds, evaluations=answers, threshold=threshold)


@pytest.mark.parametrize("threshold", [2, 3])
def test_tokens_stay_and_old_shares_are_useless_beside_new_ones(threshold: int) -> None:
    dealing = deal(GROUP, threshold=threshold, holders=HOLDERS, random_bytes=os.urandom)
    before = dealt(dealing)
    after = [refresh.apply(share, GROUP) for refresh, share in zip(refreshes(dealing), before, strict=True)]
    expected = tokens(before[:threshold], threshold)
    for chosen in itertools.combinations(range(HOLDERS), threshold):
        assert tokens([after[at] for at in chosen], threshold) == expected
        for old in itertools.product([True, False], repeat=threshold):
            if any(old) and not all(old):
                mixed = [(before if is_old else after)[at] for is_old, at in zip(old, chosen, strict=True)]
                assert not set(tokens(mixed, threshold)) & set(expected)


def test_a_second_refresh_follows_the_first() -> None:
    dealing = deal(GROUP, threshold=2, holders=2, random_bytes=os.urandom)
    second = [refresh.apply(share, GROUP) for refresh, share in zip(refreshes(dealing), dealt(dealing), strict=True)]
    public = Dealing(tuple(each.share for each in second), second[0].commitments)
    third = [refresh.apply(share, GROUP) for refresh, share in zip(refreshes(public, 3), second, strict=True)]
    assert tokens(third, 2) == tokens(dealt(dealing), 2)
    assert third[0].commitments[0] == dealing.public_key
    assert third[0].commitments[1] != second[0].commitments[1] != dealing.commitments[1]


def test_a_refresh_in_a_file_is_the_same_and_its_share_is_on_the_new_polynomial() -> None:
    dealing = deal(GROUP, threshold=2, holders=3, random_bytes=os.urandom)
    before, refresh = dealt(dealing)[2], refreshes(dealing)[2]
    after = read_refresh(refresh.to_bytes()).apply(before, GROUP)
    assert read_share(after.to_bytes(), GROUP) == after
    assert is_on_sharing(GROUP, after.sharing, index=3, commitment=after.public(GROUP))
    assert not is_on_sharing(GROUP, before.sharing, index=3, commitment=after.public(GROUP))


def test_a_refresh_of_anything_else_is_refused() -> None:
    dealing = deal(GROUP, threshold=2, holders=3, random_bytes=os.urandom)
    share, refresh = dealt(dealing)[1], refreshes(dealing)
    other_key = refreshes(deal(GROUP, threshold=2, holders=3, random_bytes=os.urandom))[1]
    wider = refreshes(deal(GROUP, threshold=3, holders=3, random_bytes=os.urandom))[1]
    again = refresh[1].apply(share, GROUP)
    for wrong, before in [
        (refresh[0], share),
        (other_key, share),
        (wider, share),
        (refresh[1], again),
        (refresh[1], replace(share, epoch="e2")),
    ]:
        with pytest.raises(ShareFileBroken):
            wrong.apply(before, GROUP)
    spoiled = replace(refresh[1].after, share=KeyShare(2, b"\x07" + bytes(31)))
    with pytest.raises(ShareRefused):
        ShareRefresh(spoiled).apply(share, GROUP)


def test_a_share_is_no_refresh_and_a_refresh_no_share() -> None:
    dealing = deal(GROUP, threshold=2, holders=2, random_bytes=os.urandom)
    with pytest.raises(ShareFileBroken):
        read_refresh(dealt(dealing)[0].to_bytes())
    with pytest.raises(ShareFileBroken):
        read_share(refreshes(dealing)[0].to_bytes(), GROUP)


# --- in the state of a holder


def holder(directory: Path) -> tuple[State, bytes]:
    """A state with share 1, and the refresh for it."""
    dealing = deal(GROUP, threshold=2, holders=2, random_bytes=os.urandom)
    state = State(directory / "gw", "gateway")
    state.make()
    state.write_secret(IN_FORCE, dealt(dealing)[0].to_bytes())
    return state, refreshes(dealing)[0].to_bytes()


def files(state: State) -> list[str]:
    return sorted(path.name for path in state.secret(IN_FORCE).parent.iterdir())


def test_a_serving_process_answers_under_both_generations_from_add_to_finish(tmp_path: Path) -> None:
    state, refresh = holder(tmp_path)
    serving, command = Shares(state, GROUP), Shares(state, GROUP)
    assert serving.find("e1", 2) is None
    command.add(refresh)
    assert serving.generations() == (1, 2)
    assert serving.in_force().generation == 1
    command.switch()
    assert serving.in_force().generation == 2
    assert serving.find("e1", 1) is not None
    assert files(state) == [PREVIOUS, IN_FORCE]
    command.finish(2)
    assert (serving.generations(), files(state)) == ((2,), [IN_FORCE])
    assert serving.find("e1", 1) is None


def test_a_custodian_finishes_without_a_switch_of_its_own(tmp_path: Path) -> None:
    state, refresh = holder(tmp_path)
    shares = Shares(state, GROUP)
    shares.add(refresh)
    with pytest.raises(RefreshRefused):
        shares.finish(1)
    assert files(state) == [NEXT, IN_FORCE]
    shares.finish(2)
    assert (shares.generations(), files(state)) == ((2,), [IN_FORCE])


def test_a_share_is_not_erased_before_the_directory_names_the_next(tmp_path: Path) -> None:
    state, refresh = holder(tmp_path)
    shares = Shares(state, GROUP)
    shares.add(refresh)
    shares.switch()
    for named in (0, 1, 3):
        with pytest.raises(RefreshRefused):
            shares.finish(named)
    assert shares.generations() == (1, 2)


def test_steps_out_of_order_are_refused(tmp_path: Path) -> None:
    state, refresh = holder(tmp_path)
    shares = Shares(state, GROUP)
    with pytest.raises(RefreshRefused):
        shares.switch()
    shares.add(refresh)
    with pytest.raises(StateExists):
        shares.add(refresh)


def test_a_switch_that_a_crash_interrupted_can_be_repeated(tmp_path: Path) -> None:
    state, refresh = holder(tmp_path)
    shares = Shares(state, GROUP)
    shares.add(refresh)
    # What a crash leaves between the copy and the exchange of names.
    state.write_secret(PREVIOUS, state.read_secret(IN_FORCE))
    assert Shares(state, GROUP).switch().generation == 2
