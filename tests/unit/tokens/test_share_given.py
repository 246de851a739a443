"""A file that is given as a share and is none: the operator is told which file, before anything is asked of anybody."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import gateway
from gateway.tokens.cli import custodian
from homeward.failure import CommandFailure


@pytest.mark.parametrize("content", [b"", b"a letter, and no share", bytes(5000)], ids=["empty", "text", "long"])
@pytest.mark.parametrize(("group", "step"), [(gateway, "open"), (custodian, "add")], ids=["gateway", "custodian"])
def test_the_file_is_named_and_no_rule_of_a_message(tmp_path: Path, group: object, step: str, content: bytes) -> None:
    file = tmp_path / "share-1.bin"
    file.write_bytes(content)
    words = ["epoch", step, str(tmp_path / "state"), "--share", str(file)]
    done = CliRunner().invoke(group, words)  # type: ignore[arg-type]
    assert isinstance(done.exception, CommandFailure)
    assert (done.exception.code, done.exception.where) == ("SHARE-001", str(file))
    assert "max_len" not in done.exception.why


def test_a_declaration_that_is_none_is_named_by_its_file(tmp_path: Path) -> None:
    file = tmp_path / "loss.pb"
    file.write_bytes(b"a letter, and no declaration")
    done = CliRunner().invoke(custodian, ["sign-loss", str(tmp_path / "state"), str(file)])
    assert isinstance(done.exception, CommandFailure)
    assert (done.exception.code, done.exception.where) == ("USAGE-001", str(file))
