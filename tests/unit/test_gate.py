"""The gate finds a container engine where a machine brings one, names no machine, and says what it did not run."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GATE = ROOT / ".ci" / "run"


def _found(checkout: Path, **environment: str) -> str:
    """The program that the gate would ask, in a checkout there."""
    (function,) = re.findall(r"^engine_tool\(\) \{.*?^\}", GATE.read_text(), re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        ["bash", "-uc", f"{function}\nengine_tool"],
        cwd=checkout,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_engine_is_named_or_on_the_path_or_beside_the_checkout(tmp_path: Path) -> None:
    checkout, tools = tmp_path / "checkout", tmp_path / "neighbor" / "tools"
    checkout.mkdir()
    tools.mkdir(parents=True)
    assert _found(checkout) == ""
    tool = tools / "docker-test-engine"
    tool.write_text("#!/bin/sh\n")
    assert _found(checkout) == "", "it cannot be run"
    tool.chmod(0o755)
    assert _found(checkout) == "../neighbor/tools/docker-test-engine"
    assert _found(checkout, PATH=f"{tools}:{os.environ['PATH']}") == str(tool)
    assert _found(checkout, HOMEWARD_TEST_ENGINE="/opt/engine") == "/opt/engine"


def test_the_gate_names_no_directory_beside_the_repository() -> None:
    assert re.findall(r"\.\./[\w-]+", GATE.read_text()) == []


def test_what_two_processes_left_out_is_counted_above_the_last_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "tests/unit/test_gate.py",
         "tests/integration/test_erasing_postgres.py", "-k", "engine or postgres"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("HOMEWARD_", "PYTEST_"))},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    left_out, last = done.stdout.splitlines()[-2:]
    assert re.match(r"[1-9]\d* container-backed tests left out \(make test-docker runs them", left_out)
    assert re.match(r"1 passed", last)
