"""Which holders of the token key make a token together, as the countersigned directory says.

Decides who counts as a holder: its public share lies on the polynomial to which every signer of the directory put its
name (Feldman), so that a holder cannot be slipped in with a share of its own making. And decides when none count: with
fewer left than the threshold, or where one operator runs as many as make a token, unless the exchange is a
demonstration. Pure.
"""

import logging
from dataclasses import dataclass, replace
from typing import Final

from adapters.node.errors import Missing, NotReady
from gateway.protocol.directory import DirectoryView, HolderView
from gateway.protocol.ristretto import InvalidElement, Ristretto
from gateway.protocol.sharing import MIN_THRESHOLD, Sharing, is_on_sharing, public_share

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Quorum:
    """Any `threshold` of these holders make a token."""

    threshold: int
    generation: int
    """Of the sharing that their shares are of."""
    holders: tuple[HolderView, ...]


def quorum(group: Ristretto, directory: DirectoryView, epoch: str = "") -> Quorum:
    """The holders that count in this epoch, by default the current one. Raises `NotReady`."""
    named = directory.epochs.get(epoch or directory.epoch)
    sharing = named.sharing if named is not None else None
    if named is None or sharing is None or sharing.epoch != named.name or sharing.threshold < MIN_THRESHOLD:
        raise NotReady(Missing.HOLDERS)
    kept: dict[int, HolderView] = {}
    for listed in directory.holders:
        holder = listed if named.name == directory.epoch else _in_sharing(group, listed, sharing)
        if is_on_sharing(group, sharing, index=holder.share_index, commitment=holder.share_commitment):
            kept.setdefault(holder.share_index, holder)
        else:
            _LOG.error("a holder's share is not of the sharing in force", extra={"operator": holder.operator})
    if len(kept) < sharing.threshold or (directory.sole_operators and not directory.message.demo):
        raise NotReady(Missing.HOLDERS)
    return Quorum(sharing.threshold, sharing.generation, tuple(kept.values()))


def _in_sharing(group: Ristretto, holder: HolderView, sharing: Sharing) -> HolderView:
    """The holder in another epoch, whose sharing every signer put its name to: its share there is what that gives."""
    try:
        return replace(holder, share_commitment=public_share(group, sharing.commitments, holder.share_index))
    except InvalidElement as exc:
        raise NotReady(Missing.HOLDERS) from exc
