"""Whoever assigns to a value of the hot path is found by the type checker, which is all that keeps it as it was."""

from pathlib import Path

from mypy import api

_PLANTED = """\
from audit.hot_value import hot_value

@hot_value
class Place:
    at: int

place = Place(1)
print(place.at)
place.at = 2
"""


def test_the_type_checker_refuses_whoever_assigns(tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(_PLANTED, encoding="utf-8")
    told, _, _ = api.run(["--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", str(planted)])
    faults = [line for line in told.splitlines() if ": error:" in line]
    assert len(faults) == 1, told
    assert ":9:" in faults[0]
    assert "read-only" in faults[0]
