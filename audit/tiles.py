"""The published form of the tree: C2SP tlog-tiles, as names and bytes.

Decides which files a tree of a given size has, their names, what stands in them, and how any hash of the tree is found
in them. Neither reads nor writes a file: publish.py writes them, published.py reads and checks them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from audit import merkle
from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import HASH_BYTES

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
TILE_BYTES: Final = WIDTH * HASH_BYTES
ENTRIES: Final = -1
"""The level of entry bundles, as golang.org/x/mod/sumdb/tlog counts them."""
MAX_LEVEL: Final = 63
CHECKPOINT: Final = "checkpoint"
PATH: Final = re.compile(
    r"tile/(entries|0|[1-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """A tile or bundle: its level (ENTRIES for bundles), its place on that level, how many of 256 it holds."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Its name below the log's prefix."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = f"{self.index % 1000:03}"
        rest = self.index // 1000
        while rest:
            digits = f"x{rest % 1000:03}/{digits}"
            rest //= 1000
        return f"tile/{level}/{digits}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def full(self) -> Tile:
        """The tile this one becomes when it is full."""
        return Tile(self.level, self.index)


def tile_at(level: int, index: int, size: int) -> Tile:
    """Returns the tile as it stands in a tree of `size` leaves, which must have it."""
    width = min(WIDTH, _count(level, size) - index * WIDTH)
    if width < 1:
        raise ValueError("the tree has no such tile")
    return Tile(level, index, width)


def new_tiles(old_size: int, size: int) -> Iterator[Tile]:
    """Gives every tile and bundle that a tree of `size` leaves has and one of `old_size` had not."""
    for level in range(ENTRIES, MAX_LEVEL + 1):
        count = _count(level, size)
        if not count:
            return
        before = _count(level, old_size)
        if count == before:
            continue
        for index in range(before // WIDTH, (count + WIDTH - 1) // WIDTH):
            yield tile_at(level, index, size)


def _count(level: int, size: int) -> int:
    return size >> HEIGHT * max(level, 0)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Returns the bytes of an entry bundle."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Returns the `width` entries of an untrusted bundle. Raises EvidenceError(FORMAT)."""
    found: list[bytes] = []
    at = 0
    while at < len(data) and len(found) < width:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            break
        found.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(found) != width:
        raise EvidenceError(EvidenceReason.FORMAT, f"an entry bundle does not hold exactly {width} entries")
    return found


def parse_tile(data: bytes, width: int) -> list[bytes]:
    """Returns the `width` hashes of an untrusted tile. Raises EvidenceError(FORMAT)."""
    if len(data) != width * HASH_BYTES:
        raise EvidenceError(EvidenceReason.FORMAT, f"a tile does not hold exactly {width} hashes")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class TileNodes:
    """Hashes of a tree of `size` leaves, looked up in its tiles. `read` gives a tile's hashes, checked or not."""

    def __init__(self, size: int, read: Callable[[Tile], Sequence[bytes]]) -> None:
        self._size = size
        self._read = read
        self._seen: dict[Tile, Sequence[bytes]] = {}

    def node(self, coordinate: merkle.Coordinate) -> bytes:
        """Returns the hash of a complete subtree of the tree."""
        level, position = coordinate
        tile_level, height = divmod(level, HEIGHT)
        first = position << height
        tile = tile_at(tile_level, first // WIDTH, self._size)
        hashes = self._seen.get(tile)
        if hashes is None:
            hashes = self._seen[tile] = self._read(tile)
        start = first % WIDTH
        return _fold_complete(hashes[start : start + (1 << height)])

    def proof(self, plan: merkle.Plan) -> tuple[bytes, ...]:
        """Returns the proof of this plan."""
        return merkle.assemble(plan, {coordinate: self.node(coordinate) for coordinate in merkle.needed(plan)})


def _fold_complete(hashes: Sequence[bytes]) -> bytes:
    row = list(hashes)
    while len(row) > 1:
        row = [merkle.node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


class Edge:
    """The right edge of a growing tree, from which its tiles are cut: every upper hash is derived here from leaves."""

    def __init__(self) -> None:
        self.size = 0
        self.stack: list[bytes] = []
        self._rows: dict[int, list[bytes]] = {ENTRIES: []}

    def copy(self) -> Edge:
        """Returns an edge that grows on its own from here."""
        other = Edge()
        other.size, other.stack = self.size, list(self.stack)
        other._rows = {level: list(row) for level, row in self._rows.items()}
        return other

    def add(self, leaf: bytes, hashed: bytes) -> list[tuple[int, int, bytes]]:
        """Appends a leaf; returns the inner nodes it completed (merkle.extend). Full rows must have been cut before."""
        completed = merkle.extend(self.size, self.stack, hashed)
        self._rows[ENTRIES].append(leaf)
        self._row(0).append(hashed)
        for level, _, node in completed:
            if level % HEIGHT == 0:
                self._row(level // HEIGHT).append(node)
        self.size += 1
        return completed

    def cut_full(self) -> Iterator[tuple[Tile, bytes]]:
        """Gives the tiles that the last leaf filled, with their bytes, and starts new rows in their place."""
        for level in sorted(self._rows):
            if len(self._rows[level]) == WIDTH:
                yield Tile(level, (_count(level, self.size) - 1) // WIDTH), self._bytes(level)
                self._rows[level] = []

    def partial(self) -> Iterator[tuple[Tile, bytes]]:
        """Gives the tiles that are begun and not full, with their bytes."""
        for level in sorted(self._rows):
            if self._rows[level]:
                yield tile_at(level, _count(level, self.size) // WIDTH, self.size), self._bytes(level)

    def root(self) -> bytes:
        """Returns the root of the tree."""
        return merkle.fold(self.stack)

    def _row(self, level: int) -> list[bytes]:
        return self._rows.setdefault(level, [])

    def _bytes(self, level: int) -> bytes:
        return encode_bundle(self._rows[level]) if level == ENTRIES else b"".join(self._rows[level])
