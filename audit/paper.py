"""A table as a tagged PDF: one that a screen reader reads cell by cell (PDF/UA-1, ISO 14289-1).

Decides the page; paper.typ has its layout. Every word comes from the caller. The same paper gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from audit.export import FormatUnavailable


@dataclass(frozen=True, slots=True)
class Paper:
    """What is on the paper. `widths` are relative; `head` are lines above the sentences, `notes` stand below all."""

    title: str
    head: tuple[str, ...]
    sentences: tuple[str, ...]
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...]
    footer: str


def write_pdf(paper: Paper, path: Path) -> None:
    """The paper is in the file. Raises FormatUnavailable without typst."""
    try:
        import typst
    except ImportError as exc:
        raise FormatUnavailable("PDF needs typst: install homeward[reports]") from exc
    values = {name: getattr(paper, name) for name in Paper.__slots__}
    layout = (resources.files("audit") / "paper.typ").read_bytes()
    made = typst.compile(layout, format="pdf", sys_inputs={"paper": json.dumps(values)}, pdf_standards=["ua-1"])
    path.write_bytes(made)
