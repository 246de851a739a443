"""What `homeward verify` does with each option for each kind of evidence: it asks what it was given, or says no."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit.__main__ import main
from audit.cli import verify
from audit.contradiction import find_contradiction
from tests.unit.audit.evidence_kit import NEWEST, OWN_POLICY_MUTANTS, SIGNER, bundle, receipt, witness_policy
from tests.unit.audit.test_contradiction import PAIRS
from tests.unit.audit.test_proved_rows import row


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


def evidence_of(kind: str, directory: Path) -> Path:
    """A place of each kind; whether anything there holds is not what these tests ask."""
    if kind == "published":
        return directory
    first, second, _ = PAIRS["two receipts of one entry"]
    content = {
        "bundle": bundle(),
        "receipt": receipt(2, NEWEST).text(),
        "table": json.dumps(row(2)) + "\n",
        "proof": find_contradiction(first, second, SIGNER.public).document(),
        "database": b"SQLite format 3\0",
    }[kind]
    return written(directory / kind, content)


STANDS_ALONE = ("receipt", "table", "proof")


def options(directory: Path, *names: str) -> list[str]:
    values = {
        "--log-key": written(directory / "log.vkey", SIGNER.public.vkey() + "\n"),
        "--policy": written(directory / "policy", witness_policy(2)),
        "--checkpoint": written(directory / "kept", "anything"),
        "--max-age": 1,
    }
    return [str(word) for name in names for word in (name, values[name])]


REFUSED = [
    ("bundle", ("--checkpoint",), "--checkpoint is not for an evidence bundle"),
    ("bundle", ("--policy", "--max-age"), "--max-age is not for an evidence bundle"),
    ("receipt", ("--policy",), "--policy is not for a receipt: a receipt carries no cosignatures; verify the pub"),
    ("receipt", ("--checkpoint",), "--checkpoint is not for a receipt"),
    ("receipt", ("--max-age",), "--max-age is not for a receipt"),
    *(
        (kind, (*more, option), f"{option} is not for {name}: ")
        for kind, name in (("table", "a table with proofs"), ("proof", "a proof of two histories"))
        for option, *more in (("--policy",), ("--checkpoint",), ("--max-age",))
    ),
    ("database", ("--policy",), "--policy is not for a log's database"),
    ("database", ("--max-age",), "--max-age is not for a log's database"),
    ("published", ("--max-age",), "--policy, which says whose they are, is not given"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "names", "said"), REFUSED)
def test_an_option_that_would_be_passed_over_is_refused(
    kind: str, names: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    place = evidence_of(kind, tmp_path)
    found = asked(place, *options(tmp_path, "--log-key", *names))
    assert (found.exit_code, said in " ".join(found.output.split())) == (2, True)
    # The control: the same without it is verified, and found to hold or not.
    assert asked(place, *options(tmp_path, "--log-key")).exit_code == (0 if kind in ("bundle", *STANDS_ALONE) else 6)


@pytest.mark.parametrize(("kind", "names", "said"), [row for row in REFUSED if row[0] in (*STANDS_ALONE, "published")])
def test_python_m_audit_refuses_the_same(
    kind: str, names: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", str(evidence_of(kind, tmp_path)), *options(tmp_path, "--log-key", *names)]
    assert main(words) == 2
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--log-key", "--policy"])
@pytest.mark.parametrize("content", [None, "garbage", "a witness's key"])
def test_a_file_of_the_readers_own_that_cannot_be_used_says_nothing_of_the_log(
    option: str, content: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = options(tmp_path, "--log-key", "--policy")
    path = Path(words[words.index(option) + 1])
    witness = next(line for line in witness_policy(2).splitlines() if line.startswith("witness")).split()[2]
    path.unlink() if content is None else path.write_text(witness if "key" in content else content)
    for as_json in ([], ["--json"]):
        assert main(["verify", str(tmp_path), *words, *as_json]) == 2
        said = capsys.readouterr().out
        assert f"{option} {path} cannot be used" in said
        assert "tell the agencies" not in said
    assert asked(tmp_path, *words).exit_code == 2


def test_a_checkpoint_that_is_not_there_says_nothing_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", str(tmp_path), *options(tmp_path, "--log-key"), "--checkpoint", str(tmp_path / "gone")]
    assert main(words) == 2
    assert f"--checkpoint {tmp_path / 'gone'} cannot be used" in capsys.readouterr().out


@pytest.mark.parametrize("seconds", ["0", "-5"])
def test_an_age_that_no_cosignature_has_is_refused(seconds: str, tmp_path: Path) -> None:
    words = [str(tmp_path), *options(tmp_path, "--log-key", "--policy"), "--max-age", seconds]
    with pytest.raises(SystemExit) as ended:
        main(["verify", *words])
    assert (ended.value.code, asked(tmp_path, *words[1:]).exit_code) == (2, 2)


def test_a_place_where_nothing_is_is_called_that_by_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    why = f"{tmp_path / 'none'} is neither a file, a directory nor a URL"
    words = options(tmp_path, "--log-key")
    found = asked(tmp_path / "none", *words)
    assert (found.exit_code, why in found.output) == (2, True)
    assert main(["verify", str(tmp_path / "none"), *words]) == 2
    assert f"why    {why}\n" in capsys.readouterr().out


def test_a_receipt_says_where_the_word_of_witnesses_is_found(tmp_path: Path) -> None:
    found = asked(evidence_of("receipt", tmp_path), *options(tmp_path, "--log-key"))
    assert "note a receipt carries no cosignatures; verify the published log with --policy" in found.output
    assert "give --policy" not in found.output


@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
def test_a_bundle_that_was_cut_short_is_not_taken_for_a_database(kept: float, tmp_path: Path) -> None:
    whole = bundle()
    found = asked(written(tmp_path / "evidence.zip", whole[: int(len(whole) * kept)]))
    assert (found.exit_code, found.output.startswith("CANNOT TELL")) == (2, True)
