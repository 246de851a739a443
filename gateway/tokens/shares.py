"""The shares one holder has, as files of its state: the one in force, and during a refresh one more.

    share.bin            the share in force
    share-next.bin       of the next generation, added by its operator, not in force yet
    share-previous.bin   of the generation before, until the switch is finished
    epoch-<epoch>.bin    of another key: of the epoch that follows, until it takes the place of the one in force

Decides which file a share is in and when it is erased. A batch names the generation it wants, and a holder answers
under that one while it has it: so no question fails while holders change over one after another. The files are read
again when they change; the process that serves need not be restarted. Does not decide which generation is in force for
the exchange: the directory does, which every holder signs.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.protocol.ristretto import Ristretto
from gateway.state import PRIVATE_FILE, State, write_new
from gateway.tokens.share_file import DealtShare, ShareFileBroken, read_refresh, read_share
from homeward.replacing import settle_path

IN_FORCE: Final = "share.bin"
NEXT: Final = "share-next.bin"
PREVIOUS: Final = "share-previous.bin"
_Stamp = tuple[tuple[int, int] | None, ...]


class RefreshRefused(ValueError):
    """The step of a refresh cannot be taken now. The text says why."""


class EpochRefused(ValueError):
    """The share of another epoch cannot be taken, or left, now. The text is a constant word."""


@dataclass(frozen=True, slots=True)
class _Held:
    stamp: _Stamp
    in_force: DealtShare
    others: tuple[DealtShare, ...]
    epochs: tuple[DealtShare, ...]


class Shares:
    """The shares in one state directory."""

    def __init__(self, state: State, group: Ristretto) -> None:
        """Raises `StateBroken`, `ShareFileBroken`, `ShareRefused`, `InvalidElement`."""
        self._state = state
        self._group = group
        self._held = self._read()

    def in_force(self) -> DealtShare:
        """The share in force here."""
        return self._current().in_force

    def find(self, epoch: str, generation: int) -> DealtShare | None:
        """The share of this generation, or None where this holder has none."""
        held = self._current()
        every = (held.in_force, *held.others, *held.epochs)
        return next((each for each in every if (each.epoch, each.generation) == (epoch, generation)), None)

    def generations(self) -> tuple[int, ...]:
        """Generations of every share held, ascending."""
        held = self._current()
        return tuple(sorted(each.generation for each in (held.in_force, *held.others)))

    def of_epoch(self, epoch: str) -> DealtShare | None:
        """The share in force in this epoch, or None where this holder has none."""
        held = self._current()
        return next((each for each in (held.in_force, *held.epochs) if each.epoch == epoch), None)

    def epochs(self) -> tuple[str, ...]:
        """Epochs of every share held, the one whose share was in force first before the others."""
        held = self._current()
        return tuple(each.epoch for each in (held.in_force, *held.epochs))

    def add_epoch(self, share: bytes) -> DealtShare:
        """The share of another key is on disk, too; the same share again changes nothing.

        Raises `ShareFileBroken`, `ShareRefused`, `InvalidElement`, `EpochRefused`.
        """
        dealt = self.check_epoch(share)
        if not self._current().epochs:
            self._state.write_secret(_epoch_file(dealt.epoch), dealt.to_bytes())
            settle_path(self._state.secret(IN_FORCE).parent)
        return dealt

    def check_epoch(self, share: bytes) -> DealtShare:
        """The share in these bytes, which `add_epoch` would take. Raises as `add_epoch`."""
        held, dealt = self._current(), read_share(share, self._group)
        if held.epochs == (dealt,):
            return dealt
        if held.others:
            raise EpochRefused("refresh")
        if held.epochs:
            raise EpochRefused("open")
        if dealt.share.index != held.in_force.share.index:
            raise EpochRefused("share_index")
        if dealt.epoch == held.in_force.epoch or dealt.commitments[0] == held.in_force.commitments[0]:
            # The same key under another name would make a rotation that rotates nothing.
            raise EpochRefused("same_key")
        return dealt

    def leave_epoch(self, epoch: str) -> None:
        """No share of this epoch is left; if it was in force, the other epoch's is. Raises `EpochRefused`."""
        held = self._current()
        if epoch == held.in_force.epoch:
            if len(held.epochs) != 1:
                raise EpochRefused("no_other")
            # One step, which also erases what it replaces.
            os.replace(self._state.secret(_epoch_file(held.epochs[0].epoch)), self._state.secret(IN_FORCE))
        else:
            self._state.secret(_epoch_file(epoch)).unlink(missing_ok=True)
        settle_path(self._state.secret(IN_FORCE).parent)

    def add(self, refresh: bytes) -> DealtShare:
        """The refreshed share is on disk beside the one in force.

        Raises `ShareFileBroken`, `ShareRefused`, `InvalidElement`, `StateExists`, `RefreshRefused`.
        """
        if self._current().epochs:
            raise RefreshRefused("another epoch is open: its shares are new anyway")
        share = read_refresh(refresh).apply(self.in_force(), self._group)
        self._state.write_secret(NEXT, share.to_bytes())
        return share

    def switch(self) -> DealtShare:
        """The added share is in force, and the one before stays until `finish`. Raises `RefreshRefused`."""
        following = self._state.secret(NEXT)
        if not following.exists():
            raise RefreshRefused("no refreshed share was added here")
        previous = self._state.secret(PREVIOUS)
        if not previous.exists():
            write_new(previous, self._state.read_secret(IN_FORCE), mode=PRIVATE_FILE)
        os.replace(following, self._state.secret(IN_FORCE))
        settle_path(self._state.secret(IN_FORCE).parent)
        return self.in_force()

    def finish(self, generation: int) -> None:
        """Only the share of this generation, which the signed directory names, is left. Raises `RefreshRefused`."""
        following = self._state.secret(NEXT)
        if following.exists() and generation == self.in_force().generation + 1:
            os.replace(following, self._state.secret(IN_FORCE))
        elif following.exists() or generation != self.in_force().generation:
            raise RefreshRefused("the directory in force does not name the refreshed sharing yet")
        self._state.secret(PREVIOUS).unlink(missing_ok=True)
        settle_path(self._state.secret(IN_FORCE).parent)

    def _current(self) -> _Held:
        if self._held.stamp != self._stamp():
            self._held = self._read()
        return self._held

    def _read(self) -> _Held:
        stamp = self._stamp()
        in_force = read_share(self._state.read_secret(IN_FORCE), self._group)
        names = [name for name in (NEXT, PREVIOUS) if self._state.secret(name).exists()]
        others = tuple(read_share(self._state.read_secret(name), self._group) for name in names)
        if any((each.epoch, each.share.index) != (in_force.epoch, in_force.share.index) for each in others):
            raise ShareFileBroken("shares of different keys or holders in one state")
        epochs = tuple(read_share(self._state.read_secret(file.name), self._group) for file in self._epoch_files())
        if any(each.share.index != in_force.share.index for each in epochs):
            raise ShareFileBroken("shares of different holders in one state")
        return _Held(stamp, in_force, others, epochs)

    def _epoch_files(self) -> list[Path]:
        return sorted(self._state.secret(IN_FORCE).parent.glob(_epoch_file("*")))

    def _stamp(self) -> _Stamp:
        files = [*(self._state.secret(name) for name in (IN_FORCE, NEXT, PREVIOUS)), *self._epoch_files()]
        return tuple(_stamp_of(file) for file in files)


def _epoch_file(epoch: str) -> str:
    return f"epoch-{epoch}.bin"


def _stamp_of(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns
