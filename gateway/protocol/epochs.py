"""Epochs of the token key, as a directory names them, and which directory may follow which. Pure.

Decides what a member makes of each epoch:

    CURRENT     questions are asked in it, and everybody is listed in it
    FOLLOWING   everybody is listed in it, too; questions in it are answered
    PRECEDING   it was the current one; questions in it are still answered, and nothing new is listed in it

and that the current epoch changes only to the one that was announced before, so that no directory takes members to a
key of which they heard nothing, or back to one that was left. When each step is taken is the operator's to decide
(`tokens/rotation`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.protocol.sharing import Sharing, read_sharing
from homeward.gateway.v1.directory_pb2 import EPOCH_ROLE_FOLLOWING, EPOCH_ROLE_PRECEDING, Directory


class EpochState(StrEnum):
    """Where an epoch stands."""

    CURRENT = "CURRENT"
    FOLLOWING = "FOLLOWING"
    PRECEDING = "PRECEDING"
    ENDING = "ENDING"
    """Answered no more; what is left of it is being erased."""
    ENDED = "ENDED"
    """Nothing is left of it but its name, which no other epoch takes."""


ROLES: Final = {EpochState.FOLLOWING: EPOCH_ROLE_FOLLOWING, EpochState.PRECEDING: EPOCH_ROLE_PRECEDING}
_STATES: Final = {role: state for state, role in ROLES.items()}
LISTED_IN: Final = frozenset({EpochState.CURRENT, EpochState.FOLLOWING})
"""States of an epoch in which members list their youths."""


@dataclass(frozen=True, slots=True)
class EpochView:
    """One epoch that a directory names."""

    name: str
    state: EpochState
    sharing: Sharing | None
    """None where the directory has none: then nobody makes tokens."""
    pepper_commitment: bytes
    """SHA-256 of the pepper of counties, or empty until it is minted."""

    @property
    def is_listed_in(self) -> bool:
        """Whether members list their youths in it."""
        return self.state in LISTED_IN


def read_epochs(directory: Directory) -> Mapping[str, EpochView]:
    """The epochs of a directory by name, the current one first."""
    sharing = read_sharing(directory.sharing) if directory.HasField("sharing") else None
    current = EpochView(directory.epoch, EpochState.CURRENT, sharing, directory.pepper_commitment)
    epochs = {current.name: current}
    if directory.HasField("other_epoch"):
        other = directory.other_epoch
        named = read_sharing(other.sharing)
        view = EpochView(named.epoch, _STATES[other.role], named, other.pepper_commitment)
        epochs.setdefault(view.name, view)
    return epochs


def may_follow(before: Mapping[str, EpochView], after: Mapping[str, EpochView]) -> bool:
    """Whether a directory with the epochs `after` may take the place of one with the epochs `before`."""
    (was, now), old, new = (_current(epochs) for epochs in (before, after)), _other(before), _other(after)
    if was == now:
        # Announced, given up, or ended.
        return new is None or old is None or new.state is EpochState.FOLLOWING or new.name == old.name
    return (
        old is not None
        and (old.name, old.state) == (now, EpochState.FOLLOWING)
        and (new is None or (new.name, new.state) == (was, EpochState.PRECEDING))
    )


def other_facts(directory: Directory) -> dict[str, str | bytes | int]:
    """The epoch beside the current one as the log states it; all of it is public. Empty where there is none."""
    if not directory.HasField("other_epoch"):
        return {}
    other = directory.other_epoch
    return {
        "other_epoch": other.sharing.epoch,
        "other_role": str(_STATES[other.role]),
        "other_commitments": b"".join(other.sharing.commitments),
    }


def _current(epochs: Mapping[str, EpochView]) -> str:
    return next(name for name, each in epochs.items() if each.state is EpochState.CURRENT)


def _other(epochs: Mapping[str, EpochView]) -> EpochView | None:
    return next((each for each in epochs.values() if each.state is not EpochState.CURRENT), None)
