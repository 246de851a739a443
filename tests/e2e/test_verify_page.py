"""The page in every bundle, in a real browser from a file of this machine: what verify.py says, it says too."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.bundle import make_bundle
from tests.e2e.chromium import Chromium, chromium
from tests.unit.audit.evidence_kit import (
    MUTANTS,
    OWN_POLICY_MUTANTS,
    SEED,
    SIGNER,
    TOO_FEW,
    bundle,
    files_of,
    sample_evidence,
    witness_policy,
)

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


def check(page: tuple[Chromium, Path], data: bytes, *, key: str = "", policy: str | None = None) -> str:
    """The page's verdict on these bytes."""
    browser, directory = page
    (directory / "bundle.zip").write_bytes(data)
    browser.open((directory / "verify.html").as_uri())
    if key:
        browser.type("#key", key)
    if policy is not None:
        (directory / "witnesses.policy").write_text(policy)
        browser.type("#policy", str(directory / "witnesses.policy"))
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
    assert verdict.startswith("NOT WITNESSED" if expected == TOO_FEW else "BROKEN")
    assert expected.replace("'", "’") in verdict


@pytest.mark.parametrize("name", OWN_POLICY_MUTANTS)
def test_a_policy_from_elsewhere_is_asked_and_not_the_one_in_the_bundle(name: str, page: tuple[Chromium, Path]) -> None:
    data, expected = OWN_POLICY_MUTANTS[name]
    verdict = check(page, data, policy=witness_policy(2))
    assert verdict.startswith("NOT WITNESSED")
    assert expected in page[0].run("return document.getElementById('checks').innerText")
    assert check(page, data).startswith("VERIFIED")
    told = page[0].run("return document.getElementById('checks').innerText")
    assert "the witness policy came with" in told or "no witness was asked" in told


def test_a_sample_is_drawn_again_and_told_as_verify_py_tells_it(page: tuple[Chromium, Path]) -> None:
    assert check(page, make_bundle(sample_evidence())).startswith("VERIFIED")
    told = page[0].run("return document.getElementById('checks').innerText")
    assert f"the seed {json.dumps(SEED)} draws these of 7 entries before entry 13" in told
    assert "nobody chose the seed, or what it draws from, is not shown" in told


def test_a_policy_that_comes_after_the_bundle_is_asked_too(page: tuple[Chromium, Path]) -> None:
    browser, directory = page
    assert check(page, bundle(cosignatures=2, threshold=1)).startswith("VERIFIED")
    (directory / "witnesses.policy").write_text(witness_policy(3))
    browser.type("#policy", str(directory / "witnesses.policy"))
    wanted = "const v = document.getElementById('verdict').textContent; return v.startsWith('NOT') ? v : ''"
    assert "no checkpoint has the cosignatures" in str(browser.wait(wanted))


def test_a_policy_that_cannot_be_read_says_nothing_of_the_bundle(page: tuple[Chromium, Path]) -> None:
    assert check(page, bundle(), policy="garbage").startswith("CANNOT TELL")


def test_cosignatures_that_nobody_checked_are_not_passed_over(page: tuple[Chromium, Path]) -> None:
    assert check(page, bundle(cosignatures=2)).startswith("VERIFIED")
    told = page[0].run("return document.getElementById('checks').innerText")
    assert "2 cosignature(s) in the bundle were not checked" in told


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
