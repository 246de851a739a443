"""Each tamper test is worth something: there is a mistake in the code that it, and not just any test, finds.

A mutant is a copy of the packages with one change that somebody could make without noticing. Its test must fail on it;
the test named with it passes on the code as it is, in its own module. What is compiled is copied, too: a module is told
by the time and size of its source, and the changed one is new.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.integration.evidence_mutants import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
# For each line on its input, a process runs one test of the packages in one directory; its exit status is told. It has
# nothing of ours loaded, and of others' what nearly every test imports.
WARM = """
import json, os, sys
import click, grpc.aio, grpc_status.rpc_status, jwt, protovalidate, pydantic, pytest
import cryptography.x509, cryptography.hazmat.primitives.serialization, ruamel.yaml
import sqlalchemy, sqlalchemy.dialects.sqlite

for line in sys.stdin:
    directory, test = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(directory)
        os.environ["PYTHONPATH"] = directory
        said = os.open("said", os.O_WRONLY | os.O_CREAT, 0o600)
        for number in (1, 2):
            os.dup2(said, number)
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", test])
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


@cache
def _warm() -> subprocess.Popen[str]:
    """Ends with this process."""
    return subprocess.Popen([sys.executable, "-c", WARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _tried(directory: Path, test: str) -> tuple[int, str]:
    """How the test ended, and what it said."""
    asking, telling = _warm().stdin, _warm().stdout
    assert asking is not None
    assert telling is not None
    print(json.dumps([str(directory), test]), file=asking, flush=True)
    code = int(telling.readline())
    return code, (directory / "said").read_text(encoding="utf-8")


def _place(file: str, target: str) -> None:
    """The same file under another name, which costs a tenth of a copy, where the volume allows that."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copy2(file, target)


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_the_mutant_is_found(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    for needed in ("audit", "gateway", "adapters", "deploy", "pyproject.toml", "tests/integration", "tests/unit"):
        target = tmp_path / needed
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / needed).is_dir():
            shutil.copytree(ROOT / needed, target, copy_function=_place)
        else:
            shutil.copy(ROOT / needed, target)
    file = tmp_path / mutant.file if "/" in mutant.file else tmp_path / "audit" / mutant.file
    source = file.read_text()
    assert source.count(mutant.before) == 1, "the mutant's place moved"
    # The link, not what it names.
    file.unlink()
    file.write_text(source.replace(mutant.before, mutant.after))
    code, said = _tried(tmp_path, mutant.test)
    assert code == pytest.ExitCode.TESTS_FAILED, said[-3000:]
    assert " failed" in said
