"""Proof of two histories: found in any two statements that differ about one range, and never in honest ones."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.__main__ import main
from audit.checkpoint import LogSigner
from audit.cli_evidence import contradict
from audit.contradiction import contradiction, find_contradiction, read_proof, read_statement
from audit.entry import ClassKeys, Draft, Field, FieldClass, Place, StoredEntry, build_entry
from audit.errors import EvidenceError, EvidenceReason
from audit.receipt import Receipt
from audit.verdict import shown_fault, shown_no_statement

SIGNER = LogSigner("log.example/homeward", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
KEYS = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
SIZE = 24


def _entry(index: int, told: bytes) -> StoredEntry:
    fields = (Field(FieldClass.OP, "kind", told),)
    randomness = lambda count: bytes((index + 1,)) * count  # noqa: E731 - a source of randomness is a function
    return build_entry(Draft(fields), Place(index, 1_790_000_000_000 + index), keys=KEYS, random_bytes=randomness).entry


class _History:
    """A log of 24 entries; from `differs` on they are others."""

    def __init__(self, differs: int = SIZE) -> None:
        self.entries = [_entry(index, b"access.decision" if index < differs else b"other") for index in range(SIZE)]

    def checkpoint(self, size: int) -> str:
        return SIGNER.sign(size, self._root(size))

    def receipt(self, index: int, size: int) -> str:
        nodes = self._nodes(size)
        path = merkle.assemble(merkle.inclusion_plan(index, size), nodes)
        entry = self.entries[index]
        return Receipt(index, entry.leaf, entry.digests, (), path, self.checkpoint(size)).text()

    def _nodes(self, size: int) -> dict[merkle.Coordinate, bytes]:
        nodes: dict[merkle.Coordinate, bytes] = {}
        stack: list[bytes] = []
        for index, entry in enumerate(self.entries[:size]):
            nodes[0, index] = merkle.leaf_hash(entry.leaf)
            nodes |= {(level, at): node for level, at, node in merkle.extend(index, stack, nodes[0, index])}
        return nodes

    def _root(self, size: int) -> bytes:
        nodes = self._nodes(size)
        return merkle.fold([nodes[each] for each in merkle.frontier_plan(size)])


HONEST = _History()
SIZES = st.integers(1, SIZE)
STATEMENTS = st.one_of(
    SIZES.map(HONEST.checkpoint),
    SIZES.flatmap(lambda size: st.integers(0, size - 1).map(lambda index: HONEST.receipt(index, size))),
)


@given(STATEMENTS, STATEMENTS)
def test_statements_of_one_history_never_contradict(first: str, second: str) -> None:
    key = SIGNER.public
    assert contradiction(read_statement(first, key), read_statement(second, key), key) is None


OTHER = _History(differs=9)
PAIRS = {
    "two checkpoints of one size": (HONEST.checkpoint(20), OTHER.checkpoint(20), (0, 20)),
    "two receipts of one entry": (HONEST.receipt(9, 12), OTHER.receipt(9, 20), (9, 10)),
    "two receipts of neighbors": (HONEST.receipt(9, 12), OTHER.receipt(8, 20), (9, 10)),
    "receipts that share a subtree only": (HONEST.receipt(10, 16), OTHER.receipt(12, 20), (8, 12)),
    "a receipt and a checkpoint": (HONEST.receipt(0, 20), OTHER.checkpoint(16), (0, 16)),
    "receipts on both sides of the fork": (HONEST.receipt(0, 16), OTHER.receipt(15, 20), (8, 16)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_histories_are_proven_where_the_statements_meet(pair: str) -> None:
    first, second, where = PAIRS[pair]
    for texts in ((first, second), (second, first)):
        found = find_contradiction(*texts, SIGNER.public)
        assert found.range == where
        proof = json.loads(found.document())
        again = find_contradiction(*(each["text"] for each in proof["statements"]), SIGNER.public)
        assert again.range == where
        assert proof["statements"][0]["says"] != proof["statements"][1]["says"]


@pytest.mark.parametrize("index", range(16))
@pytest.mark.parametrize("size", [16, 20, 24])
def test_a_receipt_below_twice_a_power_of_two_completes_what_a_witness_saw_there(index: int, size: int) -> None:
    """As audit/README.md promises where a consistency proof does not name its own past."""
    other = _History(differs=3)
    assert find_contradiction(HONEST.checkpoint(8), other.receipt(index, size), SIGNER.public).range == (0, 8)


def test_what_does_not_meet_proves_nothing_and_says_so() -> None:
    with pytest.raises(EvidenceError) as caught:
        find_contradiction(HONEST.checkpoint(20), OTHER.checkpoint(21), SIGNER.public)
    assert caught.value.reason is EvidenceReason.CONSISTENT


def test_a_statement_that_the_log_did_not_sign_proves_nothing_against_it() -> None:
    stranger = LogSigner(SIGNER.public.origin, Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    with pytest.raises(EvidenceError) as caught:
        find_contradiction(HONEST.checkpoint(20), stranger.sign(20, bytes(32)), SIGNER.public)
    assert caught.value.reason is EvidenceReason.SIGNATURE


def test_the_command_writes_the_proof_and_exits_with_6(tmp_path: Path) -> None:
    first, second, _ = PAIRS["two receipts of one entry"]
    (tmp_path / "a").write_text(first)
    (tmp_path / "b").write_text(second)
    (tmp_path / "log.vkey").write_text(SIGNER.public.vkey())
    words = [str(tmp_path / "a"), str(tmp_path / "b"), "--log-key", str(tmp_path / "log.vkey")]
    result = CliRunner().invoke(contradict, [*words, "--out", str(tmp_path / "proof.json")])
    assert (result.exit_code, result.output) == (6, "PROOF log.example/homeward signed two contents for entry 9\n")
    assert json.loads((tmp_path / "proof.json").read_text())["first_entry"] == 9
    kept = (tmp_path / "proof.json").read_bytes()
    again = CliRunner().invoke(contradict, [*words, "--out", str(tmp_path / "proof.json")])
    assert (again.exit_code, "is not written over" in again.output) == (2, True)
    assert main(["contradict", *words, "--out", str(tmp_path / "proof.json")]) == 2
    assert (tmp_path / "proof.json").read_bytes() == kept
    (tmp_path / "b").write_text(HONEST.checkpoint(20))
    fine = CliRunner().invoke(contradict, words)
    assert (fine.exit_code, fine.output[:5]) == (0, "ok   ")


def read_again(text: str, directory: Path, capsys: pytest.CaptureFixture[str], key: str = "") -> tuple[int, str]:
    """What a stranger finds of a proof, with nothing but this room and the log's key."""
    (directory / "proof.json").write_text(text)
    (directory / "log.vkey").write_text(key or SIGNER.public.vkey())
    status = main(["verify", str(directory / "proof.json"), "--log-key", str(directory / "log.vkey")])
    return status, capsys.readouterr().out


@pytest.mark.parametrize("pair", PAIRS)
def test_a_proof_is_read_again_by_a_stranger(pair: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, (start, end) = PAIRS[pair]
    document = find_contradiction(first, second, SIGNER.public).document()
    what = f"entry {start}" if end == start + 1 else f"the entries {start} to {end - 1}"
    for text in (document, json.dumps(json.loads(document), sort_keys=True)):
        status, said = read_again(text, tmp_path, capsys)
        assert (status, f"ok   PROOF {SIGNER.public.origin} signed two contents for {what}\n" in said) == (0, True), (
            said
        )


def _proof() -> dict[str, Any]:
    first, second, _ = PAIRS["two receipts of one entry"]
    return dict(json.loads(find_contradiction(first, second, SIGNER.public).document()))


def _statement(at: int, **change: str) -> Callable[[dict[str, Any]], Any]:
    return lambda proof: proof["statements"][at].update(change)


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another entry": (lambda proof: proof.update(first_entry=8), "AUDIT-UNPROVEN"),
    "more entries": (lambda proof: proof.update(last_entry=11), "AUDIT-UNPROVEN"),
    "more is said": (lambda proof: proof.update(note="guilty"), "AUDIT-UNPROVEN"),
    "a number with a point": (lambda proof: proof.update(last_entry=float(proof["last_entry"])), "AUDIT-UNPROVEN"),
    "another hash": (_statement(0, says="AAAA"), "AUDIT-UNPROVEN"),
    "another kind": (_statement(0, kind="checkpoint"), "AUDIT-UNPROVEN"),
    "one history twice": (_statement(1, text=PAIRS["two receipts of one entry"][0]), "AUDIT-UNPROVEN"),
    "a statement that agrees": (_statement(1, text=HONEST.receipt(9, 20)), "AUDIT-UNPROVEN"),
    "a statement nobody signed": (
        _statement(1, text=PAIRS["two receipts of one entry"][1].replace("index 9", "index 8")),
        "AUDIT-INCLUSION",
    ),
    "a root nobody signed": (
        lambda proof: proof["statements"][1].update(text=proof["statements"][1]["text"].replace("\n20\n", "\n21\n")),
        "AUDIT-SIGNATURE",
    ),
    "half a character": (
        lambda proof: proof["statements"][1].update(text="old 1\n\ud800\n\n" + HONEST.checkpoint(20)),
        "AUDIT-FORMAT",
    ),
    "half a character in a note": (
        _statement(1, text=HONEST.checkpoint(20).replace("\n", "\ud800\n", 1)),
        "AUDIT-FORMAT",
    ),
    "one statement": (lambda proof: proof["statements"].pop(), "AUDIT-FORMAT"),
    "no text": (_statement(1, text=7), "AUDIT-FORMAT"),  # type: ignore[arg-type]  # what a forger may write
    "no statements": (lambda proof: proof.update(statements={}), "AUDIT-FORMAT"),
    "another origin": (lambda proof: proof.update(origin="log.example/other"), "AUDIT-ORIGIN"),
    "another key": (lambda proof: proof.update(log_key="log.example/homeward+00000000+AAAA"), "AUDIT-ORIGIN"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_proof_that_says_what_does_not_follow_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit, code = TAMPERED[name]
    proof = _proof()
    edit(proof)
    status, said = read_again(json.dumps(proof), tmp_path, capsys)
    assert (status, said.startswith(f"FAIL  {code} ")) == (6, True), said


def test_a_proof_that_says_false_where_a_number_is_meant_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, _ = PAIRS["two checkpoints of one size"]
    true = find_contradiction(first, second, SIGNER.public).document()
    lying = true.replace('"first_entry": 0,', '"first_entry": false,')
    assert lying != true
    assert read_again(true, tmp_path, capsys)[0] == 0
    status, said = read_again(lying, tmp_path, capsys)
    assert (status, said.startswith("FAIL  AUDIT-UNPROVEN ")) == (6, True), said


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("first_entry", "900"),
        ("log_key", '"the key of another"'),
        ("statements", '[{"kind": "receipt", "says": "", "text": "the operator confessed"}]'),
        ("kind", '"checkpoint"'),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_proof_in_which_a_name_stands_twice_is_refused(
    name: str, other: str, before: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the two people read one and programs the other."""
    true, said = json.dumps(_proof()), f'"{name}": '
    start = true.index(said)
    _, end = json.JSONDecoder().raw_decode(true, start + len(said))
    at, more = (start, f"{said}{other}, ") if before else (end, f", {said}{other}")
    status, found = read_again(true[:at] + more + true[at:], tmp_path, capsys)
    assert (status, found.startswith("FAIL  AUDIT-FORMAT ")) == (6, True), found


def test_a_proof_is_against_the_log_whose_key_is_given_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = LogSigner(SIGNER.public.origin, Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    status, said = read_again(json.dumps(_proof()), tmp_path, capsys, stranger.public.vkey())
    assert (status, "AUDIT-ORIGIN" in said) == (6, True)


def test_a_file_that_is_no_statement_of_this_log_does_not_end_as_a_proof_does(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(HONEST.checkpoint(20))
    (tmp_path / "b").write_text("no note\n")
    (tmp_path / "log.vkey").write_text(SIGNER.public.vkey())
    words = [str(tmp_path / "a"), str(tmp_path / "b"), "--log-key", str(tmp_path / "log.vkey")]
    result = CliRunner().invoke(contradict, words)
    assert result.exit_code == 1
    first, where, why, fix = result.output.splitlines()
    assert first.startswith("FAIL  AUDIT-FORMAT ")
    assert where.endswith(f"{words[0]}, {words[1]}")
    assert words[1] in why
    assert fix.strip().startswith("fix ")
    assert main(["contradict", *words]) == 1
    (tmp_path / "b").write_text(OTHER.checkpoint(20))
    unwritable = CliRunner().invoke(contradict, [*words, "--out", str(tmp_path / "none" / "proof.json")])
    assert (unwritable.exit_code, unwritable.output[:17]) == (1, "FAIL  AUDIT-STORE")


@pytest.mark.parametrize("reason", EvidenceReason)
@pytest.mark.parametrize("shown", [shown_fault, shown_no_statement])
def test_every_way_of_not_verifying_is_said_in_four_parts(reason: EvidenceReason, shown: Callable[..., str]) -> None:
    fault = EvidenceError(reason, "why it is")
    first, where, why, fix = shown(fault, where="there", as_json=False).splitlines()
    assert first.startswith(f"FAIL  AUDIT-{reason}  ")
    assert (where, why) == ("      where  there", "      why    why it is")
    assert len(fix.removeprefix("      fix    ")) > 10
    said = json.loads(shown(fault, where="there", as_json=True))
    assert (said["ok"], said["reason"], said["index"]) == (False, reason, None)
    assert set(said["error"]) == {"code", "what", "where", "why", "fix"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["statements", "text", "a"]), inner),
    max_leaves=8,
)


@given(JSON, st.text(st.characters(codec=None)))
def test_whatever_is_given_for_a_proof_is_refused_and_nothing_else(value: Any, text: str) -> None:
    forged = _proof()
    forged["statements"][1]["text"] = text
    for each in (text, json.dumps(value), json.dumps({"statements": value}), json.dumps(forged)):
        with pytest.raises(EvidenceError):
            read_proof(each, SIGNER.public)
