"""What `homeward verify` does with each option for each kind of evidence: it asks what it was given, or says no."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit.cli import verify
from tests.unit.audit.evidence_kit import OWN_POLICY_MUTANTS, bundle, witness_policy


def asked(place: Path, *words: object) -> Result:
    return CliRunner().invoke(verify, [str(place), *map(str, words)])


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("name", OWN_POLICY_MUTANTS)
def test_a_bundle_is_asked_by_the_policy_that_was_given(name: str, tmp_path: Path) -> None:
    data, expected = OWN_POLICY_MUTANTS[name]
    policy = written(tmp_path / "policy", witness_policy(2))
    found = asked(written(tmp_path / "forged.zip", data), "--policy", policy)
    assert (found.exit_code, expected in found.output) == (6, True)
    whole = asked(written(tmp_path / "true.zip", bundle(cosignatures=2, threshold=1)), "--policy", policy)
    assert (whole.exit_code, "as the given policy asks" in whole.output) == (0, True)
