"""A holder's share of the token key, as the file that its operator carries from the ceremony.

Decides the bytes. The share comes with its dealer's commitments, so that a holder can tell at once that it got the
share it was promised (Feldman, FOCS 1987):

    "HWSHARE2" | index, 1 | threshold, 1 | generation, 2 | length of epoch, 1 | epoch
    | scalar, 32 | commitments, 32 each

A refresh is carried in the same form under "HWRENEW2": the scalar is what is added to the share of the generation
before, and the commitments are those of the new sharing.
"""

from dataclasses import dataclass, field
from typing import Final

from gateway.protocol.oprf import KeyShare
from gateway.protocol.ristretto import ELEMENT_LENGTH, SCALAR_LENGTH, Ristretto
from gateway.protocol.sharing import Sharing
from gateway.tokens.ceremony import check_share

SHARE_MAGIC: Final = b"HWSHARE2"
REFRESH_MAGIC: Final = b"HWRENEW2"
_FIXED: Final = len(SHARE_MAGIC) + 5


class ShareFileBroken(ValueError):
    """The bytes are not a share file, or not the one that fits."""


class OperatorRefused(ValueError):
    """This operator must not hold this share. The text says why."""


@dataclass(frozen=True, slots=True)
class DealtShare:
    """One share of one epoch's key. `commitments` are public, as many as holders must evaluate."""

    epoch: str
    share: KeyShare = field(repr=False)
    commitments: tuple[bytes, ...]
    generation: int = 1

    @property
    def sharing(self) -> Sharing:
        """What is public of it."""
        return Sharing(self.epoch, self.generation, self.commitments)

    def public(self, group: Ristretto) -> bytes:
        """Public commitment of the share, 32 bytes: what its evaluations are proven against."""
        return group.multiply_base(self.share.secret)

    def to_bytes(self) -> bytes:
        """The share file."""
        return _write(SHARE_MAGIC, self)


@dataclass(frozen=True, slots=True)
class ShareRefresh:
    """What one holder adds to its share. `after` is as a share file would be, with the increment as its scalar."""

    after: DealtShare

    def to_bytes(self) -> bytes:
        """The refresh file."""
        return _write(REFRESH_MAGIC, self.after)

    def apply(self, before: DealtShare, group: Ristretto) -> DealtShare:
        """The share of the next generation, on the new polynomial and for the same key.

        Raises `ShareFileBroken` for another holder's, epoch's or generation's refresh, `ceremony.ShareRefused`.
        """
        after = self.after
        if (after.epoch, after.share.index, after.generation) != (
            before.epoch,
            before.share.index,
            before.generation + 1,
        ):
            raise ShareFileBroken("a refresh for another share than this one")
        if after.commitments[0] != before.commitments[0] or len(after.commitments) != len(before.commitments):
            # Another key, or another threshold: tokens would change, or fewer holders would do.
            raise ShareFileBroken("a refresh of another key than this one")
        secret = group.scalars.parse(group.scalars.add(before.share.secret, after.share.secret))
        share = DealtShare(after.epoch, KeyShare(after.share.index, secret), after.commitments, after.generation)
        check_share(group, share.share, share.commitments)
        return share


def read_share(data: bytes, group: Ristretto) -> DealtShare:
    """The share in these bytes, on the polynomial its dealer committed to.

    Raises `ShareFileBroken` for other bytes, `ceremony.ShareRefused` or `InvalidElement` for another polynomial.
    """
    dealt = _read(SHARE_MAGIC, data)
    check_share(group, dealt.share, dealt.commitments)
    return dealt


def read_refresh(data: bytes) -> ShareRefresh:
    """The refresh in these bytes; whether it fits is known with the share (`ShareRefresh.apply`).

    Raises `ShareFileBroken` for other bytes.
    """
    return ShareRefresh(_read(REFRESH_MAGIC, data))


def _write(magic: bytes, dealt: DealtShare) -> bytes:
    epoch = dealt.epoch.encode("ascii")
    head = bytes([dealt.share.index, len(dealt.commitments), *dealt.generation.to_bytes(2, "big"), len(epoch)])
    return b"".join((magic, head, epoch, dealt.share.secret, *dealt.commitments))


def _read(magic: bytes, data: bytes) -> DealtShare:
    if len(data) < _FIXED or not data.startswith(magic):
        raise ShareFileBroken("not a file of this kind from the ceremony")
    index, threshold, high, low, length = data[len(magic) : _FIXED]
    generation = high << 8 | low
    secret_at = _FIXED + length
    commitments_at = secret_at + SCALAR_LENGTH
    if threshold < 2 or index < 1 or not generation or len(data) != commitments_at + threshold * ELEMENT_LENGTH:
        raise ShareFileBroken("a share file of another length than it says")
    try:
        epoch = data[_FIXED:secret_at].decode("ascii")
    except UnicodeDecodeError as exc:
        raise ShareFileBroken("a share file with an unreadable epoch") from exc
    commitments = tuple(data[at : at + ELEMENT_LENGTH] for at in range(commitments_at, len(data), ELEMENT_LENGTH))
    return DealtShare(epoch, KeyShare(index, data[secret_at:commitments_at]), commitments, generation)
