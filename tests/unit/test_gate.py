"""The gate finds a container engine where a machine brings one, and names no machine."""

import os
import re
import subprocess
from pathlib import Path

GATE = Path(__file__).resolve().parents[2] / ".ci" / "run"


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
