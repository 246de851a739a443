"""What whoever runs an outside witness is told of a log that showed two histories, or what may be two.

Decides the words, and that both statements lie in files, for `python -m audit contradict` and for other people.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from audit.fork import Fork, read_checkpoint
from audit.witness import Witness

_FORKED: Final = "FORK"
_SUSPECTED: Final = "SUSPECTED"
_MEANS: Final = {
    _FORKED: "showed two histories, and is not cosigned any more",
    _SUSPECTED: "sent a checkpoint, did not show that it continues what was cosigned, and is not cosigned until it has",
}
_HASH_CHARACTERS: Final = 8


class Alarm:
    """Tells of each once, and when a suspicion is gone. Usable from any thread."""

    def __init__(self, witness: Witness, directory: Path, tell: Callable[[str], None]) -> None:
        self._witness = witness
        self._directory = directory
        self._tell = tell
        self._told = set[tuple[str, Fork]]()
        self._turn = threading.Lock()

    def look(self) -> None:
        """Whatever has changed since the last look is told."""
        with self._turn:
            forks, doubts = self._witness.forks(), self._witness.suspicions()
            standing = {*((_FORKED, each) for each in forks), *((_SUSPECTED, each) for each in doubts)}
            for word, fork in standing - self._told:
                files = self._written(word, fork)
                self._tell(f"{word} the log {_origin(fork)} {_MEANS[word]}; both statements: {files}")
            for _, fork in self._told - standing:
                if _origin(fork) not in map(_origin, forks):
                    self._tell(f"SETTLED the log {_origin(fork)} showed that it has one history")
            self._told = standing

    def _written(self, word: str, fork: Fork) -> str:
        name = f"{word.lower()}-{sha256(_origin(fork).encode()).hexdigest()[:_HASH_CHARACTERS]}"
        paths = []
        for which, statement in (("kept", fork.kept), ("shown", fork.shown)):
            paths.append(self._directory / f"{name}-{which}.txt")
            paths[-1].write_text(statement, encoding="utf-8")
        return ", ".join(map(str, paths))


def _origin(fork: Fork) -> str:
    return read_checkpoint(fork.kept).origin
