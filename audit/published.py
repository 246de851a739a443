"""Verifying a published log: every file that its checkpoint needs, recomputed from the entries.

Decides what is checked, in which order, and stops at the first thing that is wrong, naming the file:

1. the checkpoint is signed by the log, and by enough witnesses if a policy is given;
2. every entry bundle holds leaves of this format in the order of their times, and nothing else;
3. every hash of every tile is what those leaves give;
4. the root is the signed one, and checkpoints kept elsewhere are of this history.

Partial tiles that stayed from a smaller tree are not read: a server need not list them, and a log that was healed may
have left some that no checkpoint signs. Needs nothing but `cryptography`. Memory holds one tile of each level. What a
file says is not known without keys; that nobody was shown another log is only known with a policy or with checkpoints
from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.cosignature import Cosigned, check_cosignatures
from audit.errors import EvidenceError, EvidenceReason
from audit.leaf import LEAF_BYTES, leaf_time
from audit.merkle import HASH_BYTES
from audit.note import MAX_NOTE_CHARACTERS, parse_note
from audit.policy import Policy
from audit.source import Source
from audit.tiles import CHECKPOINT, ENTRIES, TILE_BYTES, WIDTH, Edge, Tile, parse_bundle, tile_at

_BUNDLE_BYTES: Final = WIDTH * (2 + LEAF_BYTES)


@dataclass(frozen=True, slots=True)
class Published:
    """What was found to hold of a published log. `outside` are the checkpoints from elsewhere that it agrees with."""

    checkpoint: Checkpoint
    newest_ms: int
    cosigned: tuple[Cosigned, ...]
    outside: tuple[Checkpoint, ...]
    files: int


def verify_published(
    source: Source,
    *,
    key: LogKey,
    policy: Policy | None = None,
    not_before: int = 0,
    outside: Sequence[Checkpoint] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Published:
    """Returns what holds; raises EvidenceError at the first thing that does not. `outside` are verified already."""
    checkpoint, cosigned = _head(source, key, policy, not_before)
    walk = _Walk(source, checkpoint.size)
    roots = {0: merkle.EMPTY_ROOT}
    wanted = {each.size for each in outside}
    for each in outside:
        if each.size > checkpoint.size:
            text = f"entries are missing at the end: {each.size} were signed for, {checkpoint.size} are published"
            raise EvidenceError(EvidenceReason.ROLLBACK, text, index=checkpoint.size)
    while walk.edge.size < checkpoint.size:
        walk.bundle(wanted, roots)
        if progress is not None:
            progress(walk.edge.size, checkpoint.size)
    for tile, data in walk.edge.partial():
        walk.compare(tile, data)
    if walk.edge.root() != checkpoint.root:
        raise EvidenceError(EvidenceReason.ROOT, "the signed root does not follow from the published entries")
    for each in outside:
        if roots[each.size] != each.root:
            text = f"the log signed another history of its first {each.size} entries"
            raise EvidenceError(EvidenceReason.CONSISTENCY, text)
    return Published(checkpoint, walk.time_ms, cosigned, tuple(outside), walk.files)


def published_head(source: Source, *, key: LogKey) -> Checkpoint:
    """Returns the checkpoint by itself: the log signed it; whether anything leads to it is not asked."""
    return _head(source, key, None, 0)[0]


def _head(
    source: Source, key: LogKey, policy: Policy | None, not_before: int
) -> tuple[Checkpoint, tuple[Cosigned, ...]]:
    raw = source.fetch(CHECKPOINT, limit=4 * MAX_NOTE_CHARACTERS)
    if raw is None:
        raise EvidenceError(EvidenceReason.STORE, "there is no published log here: checkpoint is missing")
    return check_witnessed(_text(raw), key=key, policy=policy, not_before=not_before)


def check_witnessed(
    text: str, *, key: LogKey, policy: Policy | None, not_before: int = 0
) -> tuple[Checkpoint, tuple[Cosigned, ...]]:
    """Returns an untrusted checkpoint with its cosignatures, if the log signed it and the policy's quorum is met.

    Cosignatures older than `not_before` (seconds since 1970) do not count: who is shown an old view for ever, with
    genuine signatures, notices by their age alone.
    """
    checkpoint = parse_checkpoint(text, key)
    if policy is None:
        return checkpoint, ()
    if policy.logs and key not in policy.logs:
        raise EvidenceError(EvidenceReason.ORIGIN, "the policy does not name this log")
    cosigned = check_cosignatures(parse_note(text), checkpoint, [witness.key for witness in policy.witnesses])
    if not policy.is_met_by({each.key for each in cosigned}):
        found = f"{len(cosigned)} of {len(policy.witnesses)} witnesses"
        raise EvidenceError(EvidenceReason.WITNESS, f"too few witnesses cosigned the checkpoint: {found}")
    if not policy.is_met_by({each.key for each in cosigned if each.seconds >= not_before}):
        raise EvidenceError(EvidenceReason.STALE, "too few witnesses cosigned the checkpoint lately: the view is old")
    return checkpoint, cosigned


class _Walk:
    """The pass over the entries."""

    def __init__(self, source: Source, size: int) -> None:
        self.edge = Edge()
        self.time_ms = 0
        self.files = 1
        self._source = source
        self._size = size

    def bundle(self, wanted: set[int], roots: dict[int, bytes]) -> None:
        """The next bundle is part of the tree, and the tiles that it filled are what is published."""
        tile = tile_at(ENTRIES, self.edge.size // WIDTH, self._size)
        for leaf in self._entries(tile):
            index = self.edge.size
            time_ms = _time(leaf, index)
            if time_ms < self.time_ms:
                raise EvidenceError(EvidenceReason.TIME, "the entry is older than the one before it", index=index)
            self.time_ms = time_ms
            self.edge.add(leaf, merkle.leaf_hash(leaf))
            if self.edge.size in wanted:
                roots[self.edge.size] = self.edge.root()
        for full, data in self.edge.cut_full():
            if full.level != ENTRIES:
                self.compare(full, data)

    def compare(self, tile: Tile, data: bytes) -> None:
        """The published tile is the derived one."""
        if tile.level == ENTRIES:
            return
        shown = self._file(tile, TILE_BYTES)[: len(data)]
        if shown != data:
            raise _differing(tile, shown, data)

    def _entries(self, tile: Tile) -> list[bytes]:
        data = self._file(tile, _BUNDLE_BYTES)
        try:
            return parse_bundle(data[: tile.width * (2 + LEAF_BYTES)], tile.width)
        except EvidenceError as fault:
            raise EvidenceError(fault.reason, f"{tile.path}: {fault}") from None

    def _file(self, tile: Tile, limit: int) -> bytes:
        """The tile's bytes; a partial tile may have been replaced by the full one meanwhile (tlog-tiles)."""
        self.files += 1
        data = self._source.fetch(tile.path, limit=limit)
        if data is not None:
            size = tile.width * limit // WIDTH
            if len(data) != size:
                raise EvidenceError(EvidenceReason.FORMAT, f"{tile.path} has {len(data)} bytes and not {size}")
            return data
        data = self._source.fetch(tile.full.path, limit=limit) if tile != tile.full else None
        if data is None or len(data) != limit:
            raise EvidenceError(EvidenceReason.STORE, f"{tile.path} is missing")
        return data


def _differing(tile: Tile, shown: bytes, derived: bytes) -> EvidenceError:
    """Names the file, and the first entry where the hashes of entries differ: that entry or its hash was changed."""
    text = f"{tile.path} is not what the published entries give"
    if tile.level:
        return EvidenceError(EvidenceReason.NODE, text)
    places = range(0, len(derived), HASH_BYTES)
    changed = [at // HASH_BYTES for at in places if shown[at : at + HASH_BYTES] != derived[at : at + HASH_BYTES]]
    more = f", and so were {len(changed) - 1} more" if len(changed) > 1 else ""
    index = tile.index * WIDTH + changed[0]
    beside = Tile(ENTRIES, tile.index, tile.width)
    text += f": entry {index} was changed in {beside.path}, or its hash here{more}"
    return EvidenceError(EvidenceReason.NODE, text, index=index)


def _time(leaf: bytes, index: int) -> int:
    try:
        return leaf_time(leaf)
    except EvidenceError as fault:
        raise EvidenceError(fault.reason, str(fault), index=index) from None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise EvidenceError(EvidenceReason.FORMAT, "the note is not UTF-8") from None
