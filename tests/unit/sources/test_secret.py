"""Secrets by reference: found where the reference points, never repeated."""

import sys
from pathlib import Path

import pytest

from adapters.sources.config import SecretRef
from adapters.sources.secret import MAX_SECRET_BYTES, SecretUnavailable, resolve

CANARY = "hunter2canary"


def test_each_kind_of_reference_finds_its_secret(tmp_path: Path) -> None:
    (tmp_path / "sql").write_text(CANARY + "\n", encoding="utf-8")
    environment = {"PW": CANARY, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    program = (sys.executable, "-c", f"print('{CANARY}')")
    for ref in (
        SecretRef(env="PW"),
        SecretRef(credential="sql"),
        SecretRef(file=str(tmp_path / "sql")),
        SecretRef(exec=program),
    ):
        assert resolve(ref, environment=environment) == CANARY


def test_a_program_does_not_see_our_environment() -> None:
    program = (sys.executable, "-c", "import os; print(os.environ.get('OTHER', 'absent'))")
    assert resolve(SecretRef(exec=program), environment={"OTHER": CANARY}) == "absent"


def test_an_absent_empty_or_endless_secret_is_unavailable_and_not_shown(tmp_path: Path) -> None:
    long = tmp_path / "long"
    long.write_text(CANARY * (MAX_SECRET_BYTES // 8), encoding="utf-8")
    binary = tmp_path / "binary"
    binary.write_bytes(CANARY.encode() + b"\xff")
    failing = (sys.executable, "-c", f"import sys; print('{CANARY}'); sys.exit('{CANARY}')")
    for ref in (
        SecretRef(env="NONE"),
        SecretRef(credential="x"),
        SecretRef(file=str(tmp_path / "none")),
        SecretRef(file=str(long)),
        SecretRef(file=str(binary)),
        SecretRef(exec=failing),
        SecretRef(exec=("/nonexistent/program",)),
    ):
        with pytest.raises(SecretUnavailable) as caught:
            resolve(ref, environment={})
        assert CANARY not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
