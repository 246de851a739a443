"""The paper for the youth is one that a screen reader can read, and holds what it was given and nothing that runs."""

from pathlib import Path
from typing import Any

import pytest

from audit.paper import Paper, write_pdf

pypdf = pytest.importorskip("pypdf")
PAPER = Paper(
    title="Accounting of disclosures",
    head=("Prepared by: 06001.cwa",),
    sentences=("2 disclosures to 1 agency.",),
    columns=("First date", "Who received it"),
    widths=(1, 3),
    rows=[("2026-11-01", "06029.cwa (Kern County)"), ("2026-11-02", '#panic("x") = heading *bold* <label> @ref $x$')],
    notes=("A note.",),
    footer="Accounting, 2026-11-27",
)


def tags(node: Any) -> list[str]:
    """Structure types in reading order."""
    node = node.get_object()
    if isinstance(node, list):
        return [tag for each in node for tag in tags(each)]
    if not isinstance(node, dict) or "/S" not in node:
        return []
    return [node["/S"], *(tags(node["/K"]) if "/K" in node else [])]


def test_the_paper_is_tagged_with_title_language_headings_and_header_cells(tmp_path: Path) -> None:
    write_pdf(PAPER, tmp_path / "a.pdf")
    catalog = pypdf.PdfReader(tmp_path / "a.pdf").trailer["/Root"]
    assert catalog["/MarkInfo"]["/Marked"]
    assert catalog["/Lang"].startswith("en")
    assert catalog["/ViewerPreferences"]["/DisplayDocTitle"]
    found = tags(catalog["/StructTreeRoot"]["/K"])
    assert found.count("/H1") == 1
    assert found.count("/H2") == 1
    assert (found.count("/TH"), found.count("/TD"), found.count("/TR")) == (2, 4, 3)
    assert "/THead" in found


def test_what_looks_like_markup_is_only_text(tmp_path: Path) -> None:
    write_pdf(PAPER, tmp_path / "a.pdf")
    text = "".join(pypdf.PdfReader(tmp_path / "a.pdf").pages[0].extract_text().split())
    # The layout sets straight quotes as typographic ones; every other character stands as it was given.
    assert PAPER.rows[1][1].replace(" ", "") in text.replace("\u201c", '"').replace("\u201d", '"')
    assert "KernCounty" in text


def test_the_same_paper_gives_the_same_bytes_and_an_empty_one_is_a_paper_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_pdf(PAPER, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    empty = Paper("T", (), ("Nothing.",), ("A",), (1,), [], (), "F")
    write_pdf(empty, tmp_path / "c")
    assert "Nothing." in pypdf.PdfReader(tmp_path / "c").pages[0].extract_text()
