"""Everything the gateway and the custodian have, as a thief of both machines would find it.

Decides what is taken: every file of both state directories, their log lines, and every message they received (kept only
in a sandbox). Private keys are listed by name and size instead: a demonstration must not teach copying keys. Writes a
summary for readers beside the raw bytes.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.demo.bringup import CUSTODIAN, GATEWAY
from deploy.demo.contents import contents
from deploy.demo.layout import Layout
from deploy.demo.scan import Finding

_SECRETS: Final = "secrets"
_SUMMARY: Final = "README.txt"


@dataclass(frozen=True, slots=True)
class View:
    """What was taken."""

    root: Path
    files: int
    octets: int
    received: Counter[str]
    """Messages by party and method."""
    withheld_keys: tuple[tuple[str, int], ...]
    """Name and size of every private key file."""


def take_view(layout: Layout, root: Path) -> View:
    """The directory `root`, emptied before, holds the raw bytes."""
    if root.exists():
        shutil.rmtree(root)
    root.mkdir(parents=True)
    keys: list[tuple[str, int]] = []
    received: Counter[str] = Counter()
    for party in (GATEWAY, CUSTODIAN):
        keys += _copy_state(layout.root / party, root / party / "files")
        (root / party / "log").mkdir(parents=True)
        for line_file in sorted(layout.logs.glob(f"{party}.*")):
            shutil.copyfile(line_file, root / party / "log" / line_file.name)
        messages = layout.received / party
        if messages.exists():
            shutil.copytree(messages, root / party / "received")
            received.update(f"{party} {_method(path)}" for path in messages.iterdir())
    taken = [path for path in root.rglob("*") if path.is_file()]
    return View(root, len(taken), sum(path.stat().st_size for path in taken), received, tuple(keys))


def write_summary(view: View, findings: Sequence[Finding], *, looked_for: int) -> None:
    """`README.txt` says what lies here, what was looked for and what was found."""
    lines = [
        "What the gateway and the custodian hold after the demonstration: their files, their log lines and every",
        "message they received, byte by byte. All people are invented.",
        "",
        f"{view.files} files, {view.octets} bytes. Private keys are not copied; they are:",
        *(f"  {name}  {size} bytes" for name, size in view.withheld_keys),
        "",
        "Messages received, by method:",
        *(f"  {count:6}  {method}" for method, count in sorted(view.received.items())),
        "",
        f"Looked for {looked_for} forms of names, birth dates, placement dates and numbers of the invented youths,",
        f"and found {len(findings)}.",
        *(f"  FOUND {finding.what}: {finding.file}, byte {finding.offset}" for finding in findings),
    ]
    (view.root / _SUMMARY).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _copy_state(state: Path, target: Path) -> list[tuple[str, int]]:
    keys: list[tuple[str, int]] = []
    for path, content in contents(state):
        name = path.relative_to(state)
        if _SECRETS in name.parts:
            keys.append((f"{state.name}/{name}", len(content)))
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(content)
    return keys


def _method(path: Path) -> str:
    return path.stem.partition("-")[2] or path.stem
