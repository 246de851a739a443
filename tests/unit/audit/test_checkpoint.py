"""Checkpoints: what the log signs, and every note that must not pass for one."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import Checkpoint, LogKey, LogSigner, parse_checkpoint, parse_vkey
from audit.errors import EvidenceError, EvidenceReason
from audit.note import decode_base64

ORIGIN = "log.example/homeward"
SIGNER = LogSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"s" * 32))
KEY = SIGNER.public
ROOT = bytes(range(32))
NOTE = SIGNER.sign(17, ROOT)

# The example key and note of the documentation of golang.org/x/mod/sumdb/note.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def _signed(text: str, signer: LogSigner = SIGNER, name: str | None = None) -> str:
    raw = signer.public.key_id + signer._key.sign(text.encode())
    return f"{text}\n\u2014 {name or signer.public.origin} {base64.b64encode(raw).decode()}\n"


def _reason(note: str, key: LogKey = KEY) -> EvidenceReason:
    with pytest.raises(EvidenceError) as caught:
        parse_checkpoint(note, key)
    return caught.value.reason


def test_signed_checkpoint_parses_back() -> None:
    assert parse_checkpoint(NOTE, KEY) == Checkpoint(ORIGIN, 17, ROOT)


def test_the_same_state_gives_the_same_note_again() -> None:
    assert SIGNER.sign(17, ROOT) == NOTE


def test_key_text_goes_around() -> None:
    assert parse_vkey(KEY.vkey() + "\n") == KEY


def test_another_implementations_key_and_signature_are_understood() -> None:
    key = parse_vkey(GO_VKEY)
    assert key.vkey() == GO_VKEY
    # The signature holds, so what is refused is only that this note is no checkpoint.
    assert _reason(GO_NOTE, key) is EvidenceReason.FORMAT
    assert _reason(GO_NOTE.replace("don't", "do not"), key) is EvidenceReason.SIGNATURE


@pytest.mark.parametrize("text", ["", "a+b", GO_VKEY[:-4], GO_VKEY.replace("c74f20a3", "c74f20a4"), GO_VKEY[:-1] + "X"])
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        parse_vkey(text)


def test_every_changed_byte_of_the_note_is_refused() -> None:
    raw = NOTE.encode()
    for at in range(len(raw)):
        changed = raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :]
        assert _reason(changed.decode("utf-8", "replace")) in EvidenceReason


def test_a_note_by_another_key_of_the_same_name_is_refused() -> None:
    other = LogSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    assert _reason(other.sign(17, ROOT)) is EvidenceReason.SIGNATURE


def test_a_key_of_one_log_cannot_speak_for_another() -> None:
    text = Checkpoint("other.example/log", 17, ROOT).text()
    assert _reason(_signed(text)) is EvidenceReason.ORIGIN


@pytest.mark.parametrize("size", ["017", "+17", "-1", " 17", "17 ", "1_7", "0x11", "", "١٧", "9" * 20])
def test_sizes_in_any_other_spelling_are_refused(size: str) -> None:
    text = f"{ORIGIN}\n{size}\n{base64.b64encode(ROOT).decode()}\n"
    assert _reason(_signed(text)) is EvidenceReason.FORMAT


@pytest.mark.parametrize("lines", ["extension\n", "\n"])
def test_signed_extension_lines_are_refused(lines: str) -> None:
    assert _reason(_signed(Checkpoint(ORIGIN, 17, ROOT).text() + lines)) is EvidenceReason.FORMAT


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        "\n\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.rstrip("\n"),
        NOTE.replace("\n", "\r\n"),
        NOTE + "\n",
        NOTE.replace("\u2014", "-"),
        NOTE.replace("17", "17\x00"),
        NOTE + "\u2014 a b c\n",
        NOTE + "\u2014 name !!!!\n",
        NOTE + "\u2014 name AAAA\n",
        "x" * (128 * 1024) + NOTE,
        NOTE + "\u2014 name AAAAAAAA\n" * 64,
    ],
)
def test_malformed_notes_are_refused(note: str) -> None:
    assert _reason(note) in (EvidenceReason.FORMAT, EvidenceReason.SIGNATURE)


def test_the_logs_signature_standing_twice_is_refused() -> None:
    line = NOTE.rpartition("\n\n")[2]
    assert _reason(NOTE + line) is EvidenceReason.SIGNATURE


def test_signatures_of_unknown_keys_are_ignored() -> None:
    other = LogSigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))
    text = Checkpoint(ORIGIN, 17, ROOT).text()
    cosigned = NOTE + _signed(text, other).rpartition("\n\n")[2]
    assert parse_checkpoint(cosigned, KEY).size == 17


def test_an_unknown_key_that_borrows_the_logs_name_or_id_does_not_count() -> None:
    text = Checkpoint(ORIGIN, 17, ROOT).text()
    assert _reason(_signed(text, name="other.example")) is EvidenceReason.SIGNATURE


@pytest.mark.parametrize("text", ["AB==", "AA=", "AA", "A A=", "AA==\n", "_-8="])
def test_base64_has_one_spelling(text: str) -> None:
    with pytest.raises(EvidenceError):
        decode_base64(text)
