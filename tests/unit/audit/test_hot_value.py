"""Values of the hot path: equal and hashed by what they hold, closed to other fields, and fixed once made."""

from dataclasses import field

import pytest

from audit.hot_value import hot_value


@hot_value
class _Kept:
    at: int
    secret: bytes = field(default=b"", repr=False)


def test_two_that_hold_the_same_are_one() -> None:
    assert _Kept(1, b"x") == _Kept(1, b"x")
    assert len({_Kept(1, b"x"), _Kept(1, b"x"), _Kept(1, b"y")}) == 2


def test_what_must_not_be_printed_is_not() -> None:
    assert "secret" not in repr(_Kept(1, b"secret"))


def test_there_is_no_room_for_another_field() -> None:
    with pytest.raises(AttributeError):
        _Kept(1).other = 2  # type: ignore[attr-defined]
