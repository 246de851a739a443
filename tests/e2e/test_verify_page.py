"""The page in every bundle, in a real browser from a file of this machine: what verify.py says, it says too."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.chromium import Chromium, chromium
from tests.unit.audit.evidence_kit import MUTANTS, SIGNER, bundle, files_of

pytestmark = pytest.mark.browser
VERDICT = (
    "const v = document.getElementById('verdict'); return /Checking|No bundle/.test(v.textContent) ? '' : v.textContent"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Chromium, Path]]:
    directory = tmp_path_factory.mktemp("page")
    (directory / "verify.html").write_bytes(files_of(bundle())["verify.html"])
    with chromium(directory / "profile") as browser:
        yield browser, directory


def check(page: tuple[Chromium, Path], data: bytes, *, key: str = "") -> str:
    """The page's verdict on these bytes."""
    browser, directory = page
    (directory / "bundle.zip").write_bytes(data)
    browser.open((directory / "verify.html").as_uri())
    if key:
        browser.type("#key", key)
    browser.type("#file", str(directory / "bundle.zip"))
    return str(browser.wait(VERDICT))


def test_a_whole_bundle_is_verified_with_every_check_told(page: tuple[Chromium, Path]) -> None:
    browser, directory = page
    assert check(page, bundle(cosignatures=2, threshold=2)).startswith("VERIFIED")
    told = browser.run("return document.getElementById('checks').innerText")
    assert "the agency’s numbers 1 to 7 have no gap" in told
    assert "first 7 entries are cosigned by 2 of 3 witnesses" in told
    assert "by design, not damage" in told
    rows = browser.run("return document.getElementById('entries').innerText")
    assert "decision: DENY" in rows
    assert "in words" not in rows
    picture = Path(os.environ.get("HOMEWARD_TEST_PICTURES", directory)) / "verify-page.png"
    browser.screenshot(picture)
    assert picture.stat().st_size > 10_000
    assert browser.log() == []


@pytest.mark.parametrize("name", MUTANTS)
def test_whatever_verify_py_finds_the_page_finds(name: str, page: tuple[Chromium, Path]) -> None:
    data, expected = MUTANTS[name]
    verdict = check(page, data)
    assert verdict.startswith("BROKEN")
    assert expected.replace("'", "’") in verdict


def test_what_is_no_bundle_is_not_called_broken_evidence(page: tuple[Chromium, Path]) -> None:
    assert check(page, b"not a zip, but long enough to hold what a zip file ends with").startswith("CANNOT TELL")


def test_a_key_from_elsewhere_is_compared(page: tuple[Chromium, Path]) -> None:
    assert check(page, bundle(), key=SIGNER.public.vkey()).startswith("VERIFIED")
    other = files_of(MUTANTS["another log's key"][0])["log.vkey"].decode().strip()
    assert "another log’s key" in check(page, bundle(), key=other)


def test_the_page_cannot_reach_a_network_nor_run_another_script(page: tuple[Chromium, Path]) -> None:
    browser, _ = page
    check(page, bundle())
    browser.log()
    browser.run(
        "fetch('http://127.0.0.1:9/').catch(() => {});"
        "const s = document.createElement('script'); s.textContent = 'window.planted = 1'; document.head.append(s);"
    )
    assert browser.run("return window.planted === undefined")
    complaints = "\n".join(browser.log())
    assert "connect-src" in complaints or "default-src" in complaints
    assert "script-src" in complaints
