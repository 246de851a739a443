"""The join line: everything a county needs to enter an exchange, in one line that survives being pasted.

Decides how an `Invitation` is written as text and what is said when the text did not survive:

    hw1_ base64url( length of the line, 2 bytes | Invitation | first 6 bytes of SHA-256 over what precedes )

The length stands at the front, so that a line cut off at its end still says how much of it is missing. The checksum
finds altered characters and protects from nothing else: whoever hands the line over vouches for it. Does not decide
whether the ticket is live; only the gateway knows.
"""

import base64
import binascii
import hashlib
from typing import Final

from gateway.protocol.parse import MalformedMessage, check, parse
from homeward.gateway.v1.enrollment_pb2 import Invitation

PREFIX: Final = "hw1_"
_LENGTH_BYTES: Final = 2
_CHECK_BYTES: Final = 6
# Four characters of base64 hold the length and one byte more: that of the invitation's first field, its trust domain.
_HEAD_CHARACTERS: Final = 4
_FIRST_BYTE: Final = 0x0A
_MAX_CHARACTERS: Final = 4096
"""More than any invitation takes; a length beyond it was read out of something else."""


class InvitationBroken(ValueError):
    """The text is not a whole join line. The message is for a person and holds nothing of the line."""


def encode(invitation: Invitation) -> str:
    """The join line. Raises `MalformedMessage` when the invitation breaks the rules of its .proto."""
    check(invitation)
    body = invitation.SerializeToString()
    # Unpadded base64: 4 characters for 3 bytes, and 2 or 3 for a rest of 1 or 2.
    length = len(PREFIX) + -(-4 * (_LENGTH_BYTES + len(body) + _CHECK_BYTES) // 3)
    content = length.to_bytes(_LENGTH_BYTES, "big") + body
    return PREFIX + base64.urlsafe_b64encode(content + _checksum(content)).decode().rstrip("=")


def decode(line: str) -> Invitation:
    """The invitation of a join line, spaces around it ignored. Raises `InvitationBroken` with one sentence."""
    text = line.strip().strip("'\"")
    if not text.startswith(PREFIX):
        raise InvitationBroken(f"a join line starts with {PREFIX}")
    encoded = text.removeprefix(PREFIX)
    _check_length(text, encoded)
    raw = _bytes(encoded)
    content, checksum = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    # Not a secret comparison: the checksum is computed from what stands beside it.
    if _checksum(content) != checksum:
        raise InvitationBroken("this join line was altered: its checksum does not fit; copy it again")
    try:
        return parse(Invitation, content[_LENGTH_BYTES:])
    except MalformedMessage as exc:
        raise InvitationBroken("this join line was made by another version of Homeward") from exc


def _check_length(text: str, encoded: str) -> None:
    if len(encoded) < _HEAD_CHARACTERS:
        raise InvitationBroken("this join line breaks off right after its beginning")
    head = _bytes(encoded[:_HEAD_CHARACTERS])
    declared = int.from_bytes(head[:_LENGTH_BYTES], "big")
    if declared > _MAX_CHARACTERS or head[_LENGTH_BYTES] != _FIRST_BYTE:
        raise InvitationBroken("this is no join line: it does not go on as one does")
    missing = declared - len(text)
    if missing > 0:
        raise InvitationBroken(f"this join line is {missing} {_characters(missing)} short")
    if missing < 0:
        raise InvitationBroken(f"this join line is {-missing} {_characters(-missing)} too long")


def _characters(count: int) -> str:
    return "character" if count == 1 else "characters"


def _bytes(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvitationBroken("this join line holds a character that no join line has") from exc


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECK_BYTES]
