"""The benchmarks run, in miniature: they reach into the product, and nobody else would notice that it has moved on.

What they measure is judged by nobody here; the exchange's own are run by hand (`make bench`).
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import pieces

SMALL = {
    "log": ("--rounds", "1", "--seconds", "0.02", "--arrival-seconds", "0.1", "--entries", "300"),
    "query": ("--rounds", "1", "--entries", "2000"),
    "index": ("--sizes", "1000", "2000", "--lookups", "5"),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs_and_writes_what_it_found(name: str, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    words = [sys.executable, "-m", f"tests.bench.{name}", *SMALL[name], "--out", str(out)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    # So small a run may miss its bars.
    assert done.returncode in (0, 1), done.stderr[-2000:]
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    assert json.loads(out.read_text())


def test_the_stages_of_a_flag_check_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in (("_LOOPS", 1), ("_CALLS", 2), ("_ENTRIES", 64)):
        monkeypatch.setattr(pieces, name, few)
    assert min(pieces.measure().values()) > 0
