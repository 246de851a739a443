"""The keys under which tokens rest, one an epoch, as files of the gateway's state.

    storage.key           until the first rotation
    storage-<epoch>.key   from then on

Decides which file is whose, and that opening an epoch first gives the key in use the name of its own epoch: then no
crash can leave it open which epoch a key belongs to. A key without a name is that of the share in force beside it, and
of no other epoch: secrets of before a rotation that come back after it must not make everybody a stranger.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.state import State, StateBroken
from homeward.replacing import settle_path

KEY_LENGTH: Final = 32
_FIRST: Final = "storage.key"


class EpochKeys:
    """The keys in one state directory."""

    def __init__(self, state: State, *, in_force: Callable[[], str]) -> None:
        """`in_force` is the epoch of the share in force."""
        self._state = state
        self._in_force = in_force

    def key_of(self, epoch: str) -> bytes | None:
        """The key of an epoch that is answered, 32 bytes, or None. Raises `StateBroken`."""
        names = (_name(epoch), _FIRST) if epoch == self._in_force() else (_name(epoch),)
        for name in names:
            if self._state.secret(name).exists():
                return self._state.read_secret(name, length=KEY_LENGTH)
        return None

    def add(self, epoch: str, key: bytes, *, current: str) -> None:
        """Beside the key of the current epoch there is one for `epoch`. A key that lies there already is kept."""
        first, named = self._state.secret(_FIRST), self._state.secret(_name(current))
        if first.exists():
            if not named.exists():
                os.link(first, named)
            first.unlink()
        if not named.exists():
            raise StateBroken(f"{named}: missing")
        if not self._state.secret(_name(epoch)).exists():
            self._state.write_secret(_name(epoch), key)
        settle_path(first.parent)

    def erase(self, epoch: str) -> None:
        """The epoch's key is gone."""
        file: Path = self._state.secret(_name(epoch))
        file.unlink(missing_ok=True)
        settle_path(file.parent)


def _name(epoch: str) -> str:
    return f"storage-{epoch}.key"
