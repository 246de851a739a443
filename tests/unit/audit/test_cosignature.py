"""Cosignatures of both kinds: the specification's own example, and everything that must not count as one."""

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from audit.checkpoint import Checkpoint, LogSigner
from audit.cosignature import Cosigner, check_cosignature, check_cosignatures
from audit.errors import EvidenceError, EvidenceReason
from audit.note import KeyKind, SignatureLine, VerifierKey, parse_note, parse_signature_lines, parse_verifier_key
from tests.unit.audit.refusals import parsed

SIGNER = LogSigner("log.example/homeward", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
CLASSIC = Cosigner("w.example/1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
QUANTUM = Cosigner("w.example/2", MLDSA44PrivateKey.from_seed_bytes(b"q" * 32))
CHECKPOINT = Checkpoint("log.example/homeward", 17, bytes(range(32)))
NOTE = parse_note(SIGNER.sign(17, bytes(range(32))))
BOTH = pytest.mark.parametrize("cosigner", [CLASSIC, QUANTUM], ids=["ed25519", "mldsa44"])


def _reason(line: SignatureLine, key: VerifierKey, checkpoint: Checkpoint = CHECKPOINT) -> EvidenceReason | None:
    try:
        check_cosignature(line, key, checkpoint)
    except EvidenceError as fault:
        return fault.reason
    return None


@BOTH
def test_a_cosignature_holds_over_its_checkpoint_and_tells_its_time(cosigner: Cosigner) -> None:
    (line,) = parse_signature_lines(cosigner.sign(CHECKPOINT, 1_790_000_000).text())
    assert check_cosignature(line, cosigner.public, CHECKPOINT).seconds == 1_790_000_000
    assert parse_verifier_key(cosigner.public.vkey()) == cosigner.public


@BOTH
def test_it_holds_over_nothing_else(cosigner: Cosigner) -> None:
    line = cosigner.sign(CHECKPOINT, 1_790_000_000)
    for other in (
        dataclasses.replace(CHECKPOINT, size=18),
        dataclasses.replace(CHECKPOINT, root=bytes(32)),
        dataclasses.replace(CHECKPOINT, origin="log.example/other"),
    ):
        assert _reason(line, cosigner.public, other) is EvidenceReason.SIGNATURE


@BOTH
def test_its_time_is_signed(cosigner: Cosigner) -> None:
    line = cosigner.sign(CHECKPOINT, 1_790_000_000)
    for seconds in (1_790_000_001, 0, (1 << 63), (1 << 64) - 1):
        changed = dataclasses.replace(line, signature=seconds.to_bytes(8, "big") + line.signature[8:])
        assert _reason(changed, cosigner.public) is EvidenceReason.SIGNATURE


def test_only_mldsa_binds_the_name_so_only_ed25519_keys_must_not_be_shared() -> None:
    renamed = VerifierKey("w.example/3", KeyKind.COSIGNATURE_MLDSA44, QUANTUM.public.raw)
    line = dataclasses.replace(QUANTUM.sign(CHECKPOINT, 1), name="w.example/3", key_id=renamed.key_id)
    assert _reason(line, renamed) is EvidenceReason.SIGNATURE


def test_a_plain_signature_by_a_witness_key_is_no_cosignature() -> None:
    # tlog-cosignature's prefix keeps a log's own signature from counting as a witness's.
    plain = Ed25519PrivateKey.from_private_bytes(b"w" * 32).sign(NOTE.text.encode())
    line = SignatureLine(CLASSIC.public.name, CLASSIC.public.key_id, bytes(8) + plain)
    assert _reason(line, CLASSIC.public) is EvidenceReason.SIGNATURE


def test_unknown_lines_are_ignored_and_known_ones_counted_once() -> None:
    lines = (CLASSIC.sign(CHECKPOINT, 5), QUANTUM.sign(CHECKPOINT, 6))
    note = NOTE.with_lines(lines)
    found = check_cosignatures(parse_note(note.whole()), CHECKPOINT, [QUANTUM.public])
    assert [(each.key, each.seconds) for each in found] == [(QUANTUM.public, 6)]
    with pytest.raises(EvidenceError):
        check_cosignatures(NOTE.with_lines((lines[0], lines[0])), CHECKPOINT, [CLASSIC.public])


def test_a_forged_line_under_a_known_key_spoils_the_note() -> None:
    forged = SignatureLine(CLASSIC.public.name, CLASSIC.public.key_id, bytes(72))
    with pytest.raises(EvidenceError) as caught:
        check_cosignatures(NOTE.with_lines((forged,)), CHECKPOINT, [CLASSIC.public])
    assert caught.value.reason is EvidenceReason.SIGNATURE


PIECES = ["\u2014 ", "w.example/1", " ", "\n", "A" * 100 + "==", "====", "+", "\r", "\0", "log 1"]
TEXTS = st.text(max_size=120) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


@given(TEXTS)
def test_any_text_is_a_note_or_refused(text: str) -> None:
    note = parsed(lambda: parse_note(text))
    assert note is None or note.whole() == text
    for parse in (parse_signature_lines, parse_verifier_key):
        parsed(lambda parse=parse: parse(text))


@given(st.integers(0, len(NOTE.whole()) - 1), st.characters())
def test_a_note_that_parses_has_one_spelling(at: int, character: str) -> None:
    whole = NOTE.whole()
    changed = whole[:at] + character + whole[at + 1 :]
    note = parsed(lambda: parse_note(changed))
    assert note is None or note.whole() == changed
