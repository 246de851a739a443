"""Which epochs a directory may name after which."""

import pytest

from gateway.protocol.epochs import EpochState, EpochView, may_follow

CURRENT, FOLLOWING, PRECEDING = EpochState.CURRENT, EpochState.FOLLOWING, EpochState.PRECEDING


def epochs(current: str, other: str = "", state: EpochState = FOLLOWING) -> dict[str, EpochView]:
    """What a directory with these epochs says."""
    made = {current: EpochView(current, CURRENT, None, b"")}
    return made | ({other: EpochView(other, state, None, b"")} if other else {})


ALLOWED = {
    "nothing": (epochs("e1"), epochs("e1")),
    "announced": (epochs("e1"), epochs("e1", "e2")),
    "given up": (epochs("e1", "e2"), epochs("e1")),
    "given up for another": (epochs("e1", "e2"), epochs("e1", "e3")),
    "cut over": (epochs("e1", "e2"), epochs("e2", "e1", PRECEDING)),
    "cut over and ended": (epochs("e1", "e2"), epochs("e2")),
    "ended": (epochs("e2", "e1", PRECEDING), epochs("e2")),
    "ended and announced": (epochs("e2", "e1", PRECEDING), epochs("e2", "e3")),
}
REFUSED = {
    "unannounced": (epochs("e1"), epochs("e2")),
    "another than announced": (epochs("e1", "e2"), epochs("e3")),
    "another one left": (epochs("e1", "e2"), epochs("e2", "e0", PRECEDING)),
    "another one comes at once": (epochs("e1", "e2"), epochs("e2", "e3")),
    "back": (epochs("e2", "e1", PRECEDING), epochs("e1")),
    "back in name": (epochs("e2", "e1", PRECEDING), epochs("e1", "e2", PRECEDING)),
    "another one was left": (epochs("e2", "e1", PRECEDING), epochs("e2", "e0", PRECEDING)),
}


@pytest.mark.parametrize(("before", "after"), ALLOWED.values(), ids=ALLOWED)
def test_each_step_of_a_rotation_may_follow_the_one_before(
    before: dict[str, EpochView], after: dict[str, EpochView]
) -> None:
    assert may_follow(before, after)


@pytest.mark.parametrize(("before", "after"), REFUSED.values(), ids=REFUSED)
def test_no_directory_takes_members_where_none_announced(
    before: dict[str, EpochView], after: dict[str, EpochView]
) -> None:
    assert not may_follow(before, after)
