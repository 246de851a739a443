"""Asking witnesses: one new checkpoint goes to all of them at once, and valid cosignatures come back.

Decides what is sent to whom (each witness has its own last size), what counts of the answers, and how long is waited:
until the policy is met, and then a moment for the rest. A witness may send junk, a forged line, somebody else's, or
nothing: that costs its own voice and nobody else's. A witness that knows more than we have means that our store was put
back; one that refuses the proof means that its history and ours differ. Both are reported by name. One that knows less
than it cosigned was put back itself and would cosign a fork: its key has no voice any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from audit.checkpoint import Checkpoint
from audit.cosignature import Cosigned, check_cosignature
from audit.errors import EvidenceError
from audit.fork import read_checkpoint
from audit.note import Note, VerifierKey, parse_signature_lines
from audit.policy import Policy
from audit.submission import Status, Submission, parse_size

WAIT_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 0.2
MOST_KEYS: Final = 8
"""Keys remembered under one name: whoever links as a witness may make one after another."""
_logger = logging.getLogger(__name__)
Consistency = Callable[[int, int], Awaitable[tuple[bytes, ...]]]


class WitnessSilent(Exception):
    """The witness gave no answer."""


class WitnessPeer(Protocol):
    """A witness that can be asked."""

    @property
    def name(self) -> str:
        """For people; the same after a reconnection."""

    @property
    def keys(self) -> Sequence[VerifierKey]:
        """Its keys."""

    async def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of its untrusted answer. Raises `WitnessSilent`."""


class Standing(StrEnum):
    """How a witness answered last."""

    COSIGNED = "COSIGNED"
    SILENT = "SILENT"
    JUNK = "JUNK"
    """It answered, but not with a cosignature of its own that holds, or with an error of its own."""
    NEWER = "NEWER"
    """Somebody else showed it a newer checkpoint of this log: it is asked again with one of the next."""
    AHEAD = "AHEAD"
    """It has seen more than this log has: the store is older than what was witnessed."""
    REFUSED = "REFUSED"
    """It says that this log is not the continuation of what it cosigned, or does not know this log."""
    FORGOT = "FORGOT"
    """It once named a smaller size than it had cosigned: its state was put back. Under this key it counts no more."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a witness's key for as long as the log has this origin."""

    size: int
    """The largest that it cosigned."""
    has_forgotten: bool = False
    """Whether its witness named a smaller one afterwards."""


ALARMING: Final = (Standing.AHEAD, Standing.REFUSED)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came back for one checkpoint."""

    cosigned: tuple[Cosigned, ...]
    standings: dict[str, Standing]
    against: frozenset[VerifierKey]
    """Keys of witnesses that know more than this checkpoint, or another history."""
    knowing: frozenset[VerifierKey]
    """Keys that cosigned and whose witness had seen some of the log before this process first asked it."""
    met: bool


class Quorum:
    """Remembers each witness's last size between checkpoints. One event loop uses it."""

    def __init__(
        self,
        consistency: Consistency,
        *,
        size: Callable[[], int] = lambda: 0,
        wait: float = WAIT_SECONDS,
        grace: float = GRACE_SECONDS,
    ) -> None:
        """`consistency` gives the proof from an older size to a newer, `size` how many entries the log has by now.

        What is remembered of a process before: `remember`, before anybody is asked.
        """
        self._size = size
        self._consistency = consistency
        self._wait = wait
        self._grace = grace
        self._sizes: dict[str, int] = {}
        self._new: set[str] = set()
        """Witnesses that knew nothing of the log when they were first asked: what they cosign proves no memory."""
        self._remembered: dict[str, Remembered] = {}

    @property
    def remembered(self) -> Mapping[str, Remembered]:
        """What is known of each key, by `witness_key`, as it is now."""
        return dict(self._remembered)

    def remember(self, remembered: Mapping[str, Remembered]) -> None:
        """What a process before this one knew of the witnesses counts here, too."""
        self._remembered |= remembered

    async def gather(self, note: Note, peers: Iterable[WitnessPeer], policy: Policy) -> Gathered:
        """Returns the cosignatures of this checkpoint, which the log signed, that hold; `met` if the policy is."""
        # What the proof is for comes from the note that it goes out with: a proof of another size, sent to a witness
        # that nobody but the log can reach, is taken for a second history, and it never cosigns again.
        checkpoint = read_checkpoint(note.whole())
        tasks = {asyncio.create_task(self._ask(peer, checkpoint, note)): peer for peer in peers}
        standings = {peer.name: Standing.SILENT for peer in tasks.values()}
        against: set[VerifierKey] = set()
        knowing: set[VerifierKey] = set()
        found: list[Cosigned] = []
        deadline = asyncio.get_running_loop().time() + self._wait
        pending = set(tasks)
        met = policy.is_met_by(())
        while pending:
            left = deadline - asyncio.get_running_loop().time()
            seconds = min(left, self._grace) if met else left
            done, pending = await asyncio.wait(pending, timeout=max(0, seconds), return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for task in done:
                peer = tasks[task]
                standings[peer.name], lines = task.result()
                found += lines
                if standings[peer.name] in ALARMING:
                    against.update(peer.keys)
                if witness_key(peer) not in self._new:
                    knowing.update(each.key for each in lines)
            met = policy.is_met_by({each.key for each in found})
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        return Gathered(tuple(found), standings, frozenset(against), frozenset(knowing), met)

    async def _ask(
        self, peer: WitnessPeer, checkpoint: Checkpoint, note: Note
    ) -> tuple[Standing, tuple[Cosigned, ...]]:
        key = witness_key(peer)
        # The second time with the size it named itself.
        for old in (min(self._sizes.get(key, 0), checkpoint.size), None):
            known = self._sizes.get(key, 0) if old is None else old
            if known > checkpoint.size:
                return (Standing.AHEAD if known > self._size() else Standing.NEWER), ()
            try:
                proof = await self._consistency(known, checkpoint.size)
                status, body = await peer.add_checkpoint(Submission(known, proof, note.whole()).encode())
                if status == Status.OTHER_SIZE:
                    self._sizes[key] = parse_size(body)
                    self._hear(key, self._sizes[key])
                    continue
                if status != Status.COSIGNED:
                    refused = status in (Status.INCONSISTENT, Status.NOT_SIGNED, Status.UNKNOWN_LOG)
                    return Standing.REFUSED if refused else Standing.JUNK, ()
                lines = _counting(body, peer.keys, checkpoint)
            except WitnessSilent:
                return Standing.SILENT, ()
            except EvidenceError as fault:
                _logger.warning("a witness's answer was not understood", extra={"reason": fault.reason.value})
                return Standing.JUNK, ()
            if not known:
                self._new.add(key)
            self._sizes[key] = checkpoint.size
            self._hear(key, known)
            before = self._remembered.get(key)
            if before is not None and before.has_forgotten:
                # It is shown the log as ever, by which its agency follows it; only its voice is gone.
                return Standing.FORGOT, ()
            if lines:
                self._keep(key, checkpoint.size)
            return (Standing.COSIGNED if lines else Standing.JUNK), lines
        return Standing.JUNK, ()

    def _hear(self, key: str, size: int) -> None:
        """The witness has seen no more than this, whatever it cosigned."""
        before = self._remembered.get(key)
        if before is not None and size < before.size:
            self._remembered[key] = replace(before, has_forgotten=True)

    def _keep(self, key: str, size: int) -> None:
        # Behind those that it has: which of a name's keys was heard last can be told.
        self._remembered.pop(key, None)
        name = key.rpartition("+")[0]
        own = [each for each in self._remembered if each.rpartition("+")[0] == name]
        for oldest in own[: max(0, len(own) - MOST_KEYS + 1)]:
            del self._remembered[oldest]
        self._remembered[key] = Remembered(size)


def witness_key(peer: WitnessPeer) -> str:
    """Name and id of the witness's first key, as a verifier key begins."""
    return f"{peer.keys[0].name}+{peer.keys[0].key_id.hex()}"


def _counting(body: bytes, keys: Sequence[VerifierKey], checkpoint: Checkpoint) -> tuple[Cosigned, ...]:
    lines = parse_signature_lines(body.decode("utf-8", "replace"))
    counted = []
    for key in keys:
        own = [line for line in lines if line.is_by(key)]
        if own:
            cosigned = check_cosignature(own[0], key, checkpoint)
            if cosigned.seconds:
                counted.append(cosigned)
    return tuple(counted)
