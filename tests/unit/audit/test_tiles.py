"""The published form of the tree: names, contents, and hashes found again in tiles, against the definition."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.tiles import ENTRIES, Edge, Tile, TileNodes, encode_bundle, new_tiles, parse_bundle, parse_tile, tile_at
from tests.unit.audit.refusals import parsed

# From the text of tlog-tiles: "a tree of size 70,000 will be represented by ...".
SIZE = 70_000


def _leaf(index: int) -> bytes:
    return index.to_bytes(4, "big")


def _grown(size: int) -> tuple[Edge, dict[Tile, bytes]]:
    edge = Edge()
    files: dict[Tile, bytes] = {}
    for index in range(size):
        edge.add(_leaf(index), merkle.leaf_hash(_leaf(index)))
        files |= dict(edge.cut_full())
    return edge, files | dict(edge.partial())


@pytest.fixture(scope="module")
def grown() -> tuple[Edge, dict[Tile, bytes]]:
    return _grown(SIZE)


def _level(rows: list[bytes]) -> list[bytes]:
    """MTH of each full run of 256, written down naively."""
    found = []
    for at in range(0, len(rows) - 255, 256):
        row = rows[at : at + 256]
        while len(row) > 1:
            pairs = zip(row[::2], row[1::2], strict=True)
            row = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        found += row
    return found


def test_a_tree_of_70000_has_the_tiles_that_the_specification_counts(grown: tuple[Edge, dict[Tile, bytes]]) -> None:
    _, files = grown
    counted = {
        (level, width): sum(1 for tile in files if (tile.level, tile.width) == (level, width))
        for level, width in {(tile.level, tile.width) for tile in files}
    }
    assert counted == {
        (0, 256): 273, (0, 112): 1, (1, 256): 1, (1, 17): 1, (2, 1): 1, (ENTRIES, 256): 273, (ENTRIES, 112): 1,
    }  # fmt: skip


def test_every_tile_holds_the_hashes_of_the_definition(grown: tuple[Edge, dict[Tile, bytes]]) -> None:
    _, files = grown
    rows = [hashlib.sha256(b"\0" + _leaf(index)).digest() for index in range(SIZE)]
    for level in range(3):
        for tile in (each for each in files if each.level == level):
            start = tile.index * 256
            assert files[tile] == b"".join(rows[start : start + tile.width])
        rows = _level(rows)


def test_bundles_hold_the_entries(grown: tuple[Edge, dict[Tile, bytes]]) -> None:
    _, files = grown
    assert parse_bundle(files[Tile(ENTRIES, 273, 112)], 112) == [_leaf(index) for index in range(273 * 256, SIZE)]


def test_hashes_of_the_tree_are_found_in_its_tiles(grown: tuple[Edge, dict[Tile, bytes]]) -> None:
    edge, files = grown
    nodes = TileNodes(SIZE, lambda tile: parse_tile(files[tile], tile.width))
    assert merkle.fold([nodes.node(each) for each in merkle.frontier_plan(SIZE)]) == edge.root()
    for index in (0, 255, 256, 65_535, 65_536, SIZE - 1):
        proof = nodes.proof(merkle.inclusion_plan(index, SIZE))
        merkle.check_inclusion(
            hashed_leaf=merkle.leaf_hash(_leaf(index)), index=index, size=SIZE, proof=proof, root=edge.root()
        )
    for old in (1, 255, 256, 257, 65_536, 69_999):
        proof = nodes.proof(merkle.consistency_plan(old, SIZE))
        old_root = merkle.fold([nodes.node(each) for each in merkle.frontier_plan(old)])
        merkle.check_consistency(old_size=old, old_root=old_root, size=SIZE, root=edge.root(), proof=proof)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(3, 1_234_067), "tile/3/x001/x234/067"),
        (Tile(0, 1000, 7), "tile/0/x001/000.p/7"),
        (Tile(ENTRIES, 5, 255), "tile/entries/005.p/255"),
    ],
)
def test_names_are_those_of_the_specification(tile: Tile, path: str) -> None:
    assert tile.path == path


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_new_tiles_are_exactly_what_the_larger_tree_has_and_the_smaller_has_not(first: int, second: int) -> None:
    old, size = sorted((first, second))
    everything = set(new_tiles(0, size))
    assert set(new_tiles(old, size)) == everything - set(new_tiles(0, old))
    assert all(tile_at(tile.level, tile.index, size) == tile for tile in everything)


@given(st.binary(max_size=600), st.integers(1, 256))
def test_any_bytes_are_a_bundle_of_that_width_or_refused(data: bytes, width: int) -> None:
    entries = parsed(lambda: parse_bundle(data, width))
    assert entries is None or (len(entries) == width and encode_bundle(entries) == data)


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=256))
def test_bundles_go_around(entries: list[bytes]) -> None:
    assert parse_bundle(encode_bundle(entries), len(entries)) == entries
