"""A holder's share of the token key, as the file that its operator carries from the ceremony.

Decides the bytes. The share comes with its dealer's commitments, so that a holder can tell at once that it got the
share it was promised (Feldman, FOCS 1987):

    "HWSHARE1" | index, 1 | threshold, 1 | length of epoch, 1 | epoch | scalar, 32 | commitments, 32 each
"""

from dataclasses import dataclass, field
from typing import Final

from gateway.protocol.oprf import KeyShare
from gateway.protocol.ristretto import ELEMENT_LENGTH, SCALAR_LENGTH, Ristretto
from gateway.tokens.ceremony import check_share

_MAGIC: Final = b"HWSHARE1"
_FIXED: Final = len(_MAGIC) + 3


class ShareFileBroken(ValueError):
    """The bytes are not a share file."""


class OperatorRefused(ValueError):
    """This operator must not hold this share. The text says why."""


@dataclass(frozen=True, slots=True)
class DealtShare:
    """One share of one epoch's key. `commitments` are public, as many as holders must evaluate."""

    epoch: str
    share: KeyShare = field(repr=False)
    commitments: tuple[bytes, ...]

    def public(self, group: Ristretto) -> bytes:
        """Public commitment of the share, 32 bytes: what its evaluations are proven against."""
        return group.multiply_base(self.share.secret)

    def to_bytes(self) -> bytes:
        """The share file."""
        epoch = self.epoch.encode("ascii")
        head = bytes([self.share.index, len(self.commitments), len(epoch)])
        return b"".join((_MAGIC, head, epoch, self.share.secret, *self.commitments))


def read_share(data: bytes, group: Ristretto) -> DealtShare:
    """The share in these bytes, on the polynomial its dealer committed to.

    Raises `ShareFileBroken` for other bytes, `ceremony.ShareRefused` or `InvalidElement` for another polynomial.
    """
    if len(data) < _FIXED or not data.startswith(_MAGIC):
        raise ShareFileBroken("not a share file")
    index, threshold, length = data[len(_MAGIC) : _FIXED]
    secret_at = _FIXED + length
    commitments_at = secret_at + SCALAR_LENGTH
    if threshold < 2 or index < 1 or len(data) != commitments_at + threshold * ELEMENT_LENGTH:
        raise ShareFileBroken("a share file of another length than it says")
    try:
        epoch = data[_FIXED:secret_at].decode("ascii")
    except UnicodeDecodeError as exc:
        raise ShareFileBroken("a share file with an unreadable epoch") from exc
    commitments = tuple(data[at : at + ELEMENT_LENGTH] for at in range(commitments_at, len(data), ELEMENT_LENGTH))
    dealt = DealtShare(epoch, KeyShare(index, data[secret_at:commitments_at]), commitments)
    check_share(group, dealt.share, dealt.commitments)
    return dealt
