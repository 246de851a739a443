"""Values of the hot path: equal and hashed by what they hold, closed to other fields, and fixed once made."""

from dataclasses import field
from pathlib import Path

import pytest
from mypy import api

from audit.hot_value import hot_value

_PLANTED = """\
from audit.hot_value import hot_value

@hot_value
class Place:
    at: int

place = Place(1)
print(place.at)
place.at = 2
"""


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


def test_the_type_checker_refuses_whoever_assigns(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(_PLANTED, encoding="utf-8")
    told, _, _ = api.run(["--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", str(planted)])
    faults = [line for line in told.splitlines() if ": error:" in line]
    assert len(faults) == 1, told
    assert ":9:" in faults[0]
    assert "read-only" in faults[0]
