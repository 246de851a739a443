"""Files that a command of an auditor writes: whole or not at all, and over nothing that somebody else put there."""

from pathlib import Path

import pytest

from adapters.audit_failures import fresh_file
from audit.export import WRITERS, Table
from homeward.failure import CommandFailure

TABLE = Table("rows of a test", ("index",), (("1",), ("2",)))


@pytest.mark.parametrize("form", WRITERS)
def test_a_link_planted_under_a_name_that_can_be_guessed_is_not_followed(form: str, tmp_path: Path) -> None:
    elsewhere, out = tmp_path / "elsewhere", tmp_path / f"found.{form}"
    elsewhere.write_text("somebody's")
    for planted in (tmp_path / f".{out.name}.partial", out):
        planted.symlink_to(elsewhere)
    with fresh_file(out) as partial:
        WRITERS[form](TABLE, partial)
        assert partial.parent.stat().st_mode & 0o077 == 0, "nobody else can write beside it"
    assert elsewhere.read_text() == "somebody's"
    assert (out.is_symlink(), out.stat().st_size > 0) == (False, True)
    assert len([*tmp_path.iterdir()]) == 3, "nothing is left of the way there"


def test_what_could_not_be_written_leaves_what_was_there_before(tmp_path: Path) -> None:
    out = tmp_path / "found.csv"
    out.write_text("an earlier one")
    with pytest.raises(CommandFailure), fresh_file(out) as partial:
        partial.write_text("half of")
        raise OSError(28, "no space")
    assert [each.name for each in tmp_path.iterdir()] == ["found.csv"]
    assert out.read_text() == "an earlier one"


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailure) as failure, fresh_file(tmp_path / "none" / "found.csv"):
        pytest.fail("nothing can be written there")
    assert failure.value.code == "AUDIT-FILE"
