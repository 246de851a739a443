"""One run of the demonstration, by its command, for every test that looks at what it leaves behind."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class DemoRun:
    """What the command did."""

    exit_code: int
    printed: str
    errors: str
    output: Path


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> DemoRun:
    output = tmp_path_factory.mktemp("demo") / "elsewhere"
    done = subprocess.run(
        [sys.executable, "-m", "homeward", "demo", "--out", str(output)],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    return DemoRun(done.returncode, done.stdout, done.stderr, output)
