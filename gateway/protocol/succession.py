"""A declared loss: whose signatures make it count.

Decides that two operators must have signed the very bytes, with the keys with which they sign directories: the
gateway's, and at least one other holder's of the token key. The gateway's operator alone can thereby not lose what it
would rather not have written. Nor can it choose what the lost entries said of members: the holder signs for this very
loss which directory is the newest that it signed.
"""

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Final

from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.signing import SignatureInvalid, SigningKey, key_id, verify
from homeward.gateway.v1.directory_pb2 import DirectorySignature, LogSuccession, LossDeclaration, SignedSuccession

_LABEL: Final = b"homeward/succession/v1"
_NEWEST: Final = b"homeward/newest-directory/v1"
ALERTS_OF_A_LOG: Final = 1 << 40
"""Alerts of the n-th log of an exchange are numbered from n times this and one, the first log being number 0: what the
lost entries alerted of may be on an adapter's disk, and a number that was given is not given again."""

PRESENTING_WINDOW: Final = timedelta(days=30)
"""How long after a loss what it took is presented again: a county may be off the network for weeks, and a machine's
word is not to stand for a person's for ever."""
REPORT_LIFE: Final = 2 * PRESENTING_WINDOW
"""How long a report can be presented again: it may be as old as that when the loss is declared, and wait as long."""

Log = tuple[str, bytes]
"""A log by its origin and raw key."""


class SuccessionInvalid(Exception):
    """A declaration does not count. `why` is a constant word: signature, malformed, exchange."""

    def __init__(self, why: str) -> None:
        super().__init__(f"declared loss refused: {why}")
        self.why = why


def is_first_of_a_log(sequence: int) -> bool:
    """Whether an alert of this number is the first of a log that goes on where another one was closed."""
    return sequence > ALERTS_OF_A_LOG and sequence % ALERTS_OF_A_LOG == 1


def sign_succession(succession: bytes, key: SigningKey) -> DirectorySignature:
    """Signature of one operator over these exact bytes."""
    return DirectorySignature(key_id=key.key_id, signature=key.sign(_LABEL, succession))


def open_succession(signed: SignedSuccession, *, gateway_key: bytes, holder_keys: Iterable[bytes]) -> LogSuccession:
    """The declaration, signed by the gateway and at least one of the holders. Raises `SuccessionInvalid`."""
    others = [key for key in holder_keys if key != gateway_key]
    if not is_signed(signed, gateway_key) or not any(is_signed(signed, key) for key in others):
        raise SuccessionInvalid("signature")
    return read_succession(signed.succession)


def sign_newest(succession: bytes, directory: bytes, key: SigningKey) -> DirectorySignature:
    """A holder's signature that, when this loss was declared, this was the newest directory that it had signed."""
    return DirectorySignature(key_id=key.key_id, signature=key.sign(_NEWEST, _pair(succession, directory)))


def is_newest(declaration: LossDeclaration, directory: bytes, holder_key: bytes) -> bool:
    """Whether this holder signed that the directory is its newest at this very loss."""
    said = _pair(declaration.signed.succession, directory)
    return any(_holds(each, holder_key, _NEWEST, said) for each in declaration.newest)


def follow(
    signed: Iterable[SignedSuccession],
    start: Log,
    *,
    trust_domain: str,
    gateway_key: bytes,
    holder_keys: Iterable[bytes],
) -> tuple[Log, list[LogSuccession]]:
    """Where the declarations lead from this log, and those that lead there. Raises `SuccessionInvalid`."""
    reached, path, keys = start, list[LogSuccession](), tuple(holder_keys)
    for each in signed:
        message = read_succession(each.succession)
        if (message.closed_origin, message.closed_key) == reached:
            path.append(open_succession(each, gateway_key=gateway_key, holder_keys=keys))
            if message.trust_domain != trust_domain:
                raise SuccessionInvalid("exchange")
            reached = message.log_origin, message.log_key
    return reached, path


def read_succession(succession: bytes) -> LogSuccession:
    """The declaration in these bytes, its signatures unchecked. Raises `SuccessionInvalid`."""
    try:
        message = parse(LogSuccession, succession)
    except MalformedMessage as exc:
        raise SuccessionInvalid("malformed") from exc
    # Of a log whose tables alone were lost every entry is left.
    if message.kept_count > message.closed_size:
        raise SuccessionInvalid("malformed")
    if message.log_origin == message.closed_origin or message.log_key == message.closed_key:
        # A closed log's name and key never sign again.
        raise SuccessionInvalid("malformed")
    return message


def is_signed(signed: SignedSuccession, public_key: bytes) -> bool:
    """Whether this key signed the declaration."""
    return any(_holds(each, public_key, _LABEL, signed.succession) for each in signed.signatures)


def _holds(signature: DirectorySignature, public_key: bytes, label: bytes, signed: bytes) -> bool:
    if signature.key_id != key_id(public_key):
        return False
    try:
        verify(public_key, signature.signature, label, signed)
    except SignatureInvalid:
        return False
    return True


def _pair(succession: bytes, directory: bytes) -> bytes:
    return sha256(succession).digest() + sha256(directory).digest()
