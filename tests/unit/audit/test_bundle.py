"""Evidence bundles: the same evidence gives the same bytes; a verifier that knows nothing of us finds every change."""

import base64
import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from audit.bundle import make_bundle
from audit.entry import Opening
from audit.errors import EvidenceError, EvidenceReason
from audit.sample import Sample
from tests.unit.audit.evidence_kit import (
    MUTANTS,
    NEWEST,
    OWN_POLICY_MUTANTS,
    SEED,
    SIGNER,
    TOO_FEW,
    bundle,
    changed,
    edited,
    evidence,
    files_of,
    packed,
    sample_evidence,
    witness_policy,
)


def verify(data: bytes, tmp_path: Path, *words: str) -> tuple[int, str]:
    """What the verifier in the bundle says of it, run as a stranger would: beside the zip, without our packages."""
    (tmp_path / "bundle.zip").write_bytes(data)
    (tmp_path / "verify.py").write_bytes(files_of(bundle())["verify.py"])
    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "verify.py"), str(tmp_path / "bundle.zip"), *words],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_same_evidence_gives_the_same_bytes() -> None:
    assert bundle() == bundle()
    assert hashlib.sha256(bundle()).digest() != hashlib.sha256(bundle(complete=False)).digest()


def test_a_whole_bundle_is_verified_and_says_what_is_by_design(tmp_path: Path) -> None:
    status, said = verify(bundle(), tmp_path)
    assert (status, said.splitlines()[-1]) == (0, "VERIFIED")
    assert "the agency's numbers 1 to 7 have no gap" in said
    assert "7 of 7 entries keep fields closed that are not this reader's: by design, not damage" in said
    assert "note  the log's key came with the bundle" in said


def test_a_selection_says_that_it_is_one(tmp_path: Path) -> None:
    status, said = verify(bundle(complete=False), tmp_path)
    assert status == 0
    assert "a selection" in said


def test_cosignatures_count_where_a_policy_names_them(tmp_path: Path) -> None:
    status, said = verify(bundle(cosignatures=2, threshold=2), tmp_path)
    assert status == 0
    assert "the log's first 7 entries are cosigned by 2 of 3 witnesses" in said


def test_whose_choice_the_witnesses_are_is_said(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(witness_policy(2))
    data = bundle(cosignatures=2, threshold=1)
    came = "note  the witness policy came with the bundle"
    assert came in verify(data, tmp_path)[1]
    status, said = verify(data, tmp_path, "--policy", str(tmp_path / "policy"))
    assert (status, came in said) == (0, False)
    assert "cosigned by 2 of 3 witnesses, as the given policy asks" in said


def test_cosignatures_that_nobody_checked_are_not_passed_over(tmp_path: Path) -> None:
    said = verify(bundle(cosignatures=2), tmp_path)[1]
    assert "note  no witness was asked" in said
    assert "2 cosignature(s) in the bundle were not checked" in said
    assert "not checked" not in verify(bundle(), tmp_path)[1]


@pytest.mark.parametrize("name", OWN_POLICY_MUTANTS)
def test_a_policy_from_elsewhere_is_asked_and_not_the_one_in_the_bundle(name: str, tmp_path: Path) -> None:
    data, expected = OWN_POLICY_MUTANTS[name]
    (tmp_path / "policy").write_text(witness_policy(2))
    status, said = verify(data, tmp_path, "--policy", str(tmp_path / "policy"))
    assert status == 6
    assert expected in said
    assert said.splitlines()[-1] == "NOT WITNESSED as the policy asks; all else holds"
    assert "BROKEN" not in said
    alone = verify(data, tmp_path)  # the control: by the bundle's own word nothing is wrong, and that is said
    assert alone[0] == 0
    assert "note  the witness policy came with" in alone[1] or "note  no witness was asked" in alone[1]


@pytest.mark.parametrize(("option", "text"), [("--log-key", "garbage"), ("--policy", "garbage"), ("--policy", "")])
def test_what_the_reader_gave_and_cannot_be_read_is_not_laid_at_the_bundles_door(
    option: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "given").write_text(text)
    status, said = verify(bundle(), tmp_path, option, str(tmp_path / "given"))
    assert (status, said.startswith("CANNOT TELL")) == (2, True)


def test_what_is_broken_is_not_called_only_unwitnessed(tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(witness_policy(2))
    data = changed(edited("entries.jsonl", 2, lambda row: row.update(leaf=row["leaf"][::-1])))
    status, said = verify(data, tmp_path, "--policy", str(tmp_path / "policy"))
    assert (status, said.splitlines()[-1].split(":")[0], "NOT WITNESSED" in said) == (6, "BROKEN", False)


def test_a_key_from_elsewhere_is_compared(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SIGNER.public.vkey() + "\n")
    status, said = verify(bundle(), tmp_path, "--log-key", str(tmp_path / "key"))
    assert status == 0
    assert "came with the bundle" not in said
    forged = MUTANTS["another log's key"][0]
    (tmp_path / "key").write_bytes(files_of(forged)["log.vkey"])
    assert verify(bundle(), tmp_path, "--log-key", str(tmp_path / "key"))[0] == 6


def test_the_fields_that_are_shown_are_those_that_were_proved(tmp_path: Path) -> None:
    said = verify(bundle(), tmp_path, "--show")[1]
    assert "entry 2  2026-09-21" in said
    assert "decision=DENY" in said
    assert "in words" not in said


@pytest.mark.parametrize("name", MUTANTS)
def test_whatever_is_changed_is_found_and_named(name: str, tmp_path: Path) -> None:
    data, expected = MUTANTS[name]
    status, said = verify(data, tmp_path)
    assert status == 6
    assert expected in said
    assert said.splitlines()[-1].startswith("NOT WITNESSED" if expected == TOO_FEW else "BROKEN")


def test_the_control_a_bundle_that_is_packed_again_unchanged_holds(tmp_path: Path) -> None:
    assert verify(packed(files_of(bundle())), tmp_path)[0] == 0


def test_a_flipped_bit_in_the_archive_is_found(tmp_path: Path) -> None:
    raw = bundle()
    at = raw.index(b'"leaf":"') + 20
    status, said = verify(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], tmp_path)
    assert status == 6
    assert "FAIL  the file entries.jsonl was changed after the bundle was made: entry 0: " in said


def test_what_a_changed_file_breaks_is_said_beside_its_name(tmp_path: Path) -> None:
    proof = changed(edited("proofs.jsonl", 2, lambda row: row.update(hashes=row["hashes"][::-1])), sums=False)
    assert "the file proofs.jsonl was changed after the bundle was made: entry 4: " in verify(proof, tmp_path)[1]
    report = changed(lambda files: files.update({"report.txt": b"another"}), sums=False)
    status, said = verify(report, tmp_path)
    assert (status, said.splitlines()[-1].split(":")[0]) == (6, "BROKEN")
    assert "report.txt was changed after the bundle was made: what was changed is not what proves an entry" in said
    other = changed(lambda files: files.update({"manifest.json": b'{"format": "of another time"}'}), sums=False)
    assert verify(other, tmp_path)[0] == 6


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", packed({"a": b"b"}, sums=False)])
def test_what_is_no_bundle_is_not_called_broken_evidence(data: bytes, tmp_path: Path) -> None:
    status, said = verify(data, tmp_path)
    assert status == 2
    assert said.startswith("CANNOT TELL")


def test_an_unpacked_bundle_checks_itself(tmp_path: Path) -> None:
    for name, content in files_of(bundle()).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-I", "verify.py"], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "VERIFIED")


def test_a_sample_is_drawn_again_from_what_it_carries(tmp_path: Path) -> None:
    made = sample_evidence()
    data = make_bundle(made)
    population = list(range(0, NEWEST, 2))
    said = json.loads(files_of(data)["sample.json"])
    assert said == {"rule": "homeward/sample/v1", "seed": SEED, "before": NEWEST, "population": population}
    status, told = verify(data, tmp_path)
    assert status == 0
    assert f"ok    the seed {json.dumps(SEED)} draws these of 7 entries before entry 13" in told
    assert "nobody chose the seed, or what it draws from, is not shown" in told
    steered = (Sample("t", tuple(population[:3]), NEWEST), Sample(SEED, tuple(population), 9))
    for sample in steered:
        with pytest.raises(EvidenceError):
            make_bundle(dataclasses.replace(made, sample=sample))


def test_what_is_no_sample_says_that_somebody_may_have_chosen_it(tmp_path: Path) -> None:
    """Somebody who takes the draw out of a bundle leaves words for people alone."""
    chosen = changed(lambda files: files.pop("sample.json"), data=make_bundle(sample_evidence()))
    status, told = verify(chosen, tmp_path)
    assert (status, "nobody chose it, is not shown" in told, "the seed" in told) == (0, True, False)


def test_nobody_is_handed_a_bundle_that_does_not_hold() -> None:
    whole = evidence()
    (first, *rest) = whole.entries
    altered = dataclasses.replace(
        first.receipt,
        openings=tuple(Opening(o.slot, o.name, o.value + b"x", o.salt) for o in first.receipt.openings),
    )
    with pytest.raises(EvidenceError):
        make_bundle(dataclasses.replace(whole, entries=(dataclasses.replace(first, receipt=altered), *rest)))
    with pytest.raises(EvidenceError) as gap:
        make_bundle(dataclasses.replace(whole, entries=tuple(rest)))
    assert gap.value.reason is EvidenceReason.SEQUENCE
    with pytest.raises(EvidenceError) as unsigned:
        make_bundle(dataclasses.replace(whole, states=whole.states[1:]))
    assert unsigned.value.reason is EvidenceReason.INCLUSION


@pytest.mark.parametrize("tag", ["script", "style"])
def test_the_page_runs_exactly_its_own_script_and_loads_nothing(tag: str) -> None:
    page = (resources.files("audit.bundled") / "verify.html").read_text("utf-8")
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href|url|import|fetch|XMLHttpRequest|WebSocket)\s*[=(]", page)
