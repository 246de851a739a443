"""The report: tables in Markdown, figures in JSON."""

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from adapters.identity.scheme import load_scheme
from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME, SCHEME
from tests.bench.linkage.bars import Bar
from tests.bench.linkage.run import Outcome
from tests.bench.linkage.uniqueness import CONTROLS, Frequency

_PACKAGES = (
    "recordlinkage",
    "splink",
    "duckdb",
    "clkhash",
    "anonlink",
    "names",
    "faker",
    "nicknames",
    "numpy",
    "scipy",
)
_METHOD = Path(__file__).with_name("method.md")
_RULE = """\
A key may enter if at least 90 % of its tokens are borne by one youth and none by more than six (TOKENS §4.3). The
controls must break the rule.
"""


_TWINS = """\
Pairs of one twin in either list, like José Luis and José Miguel, and how many of them each rule takes for one youth.
Each copy has the further name nine times of ten; where one has none, nothing tells the two apart but a number that both
have.
"""


def markdown(
    outcome: Outcome, demands: Sequence[Bar], frequencies: Mapping[str, Frequency], *, youths: int, seconds: float
) -> str:
    """The report."""
    parts = [
        "# Linkage: how well match keys recognize one youth\n",
        f"Made by `make bench-linkage` in {seconds / 60:.0f} minutes; {_machine()}.\n",
        _METHOD.read_text(encoding="utf-8"),
        "## Bars\n",
        _table(("demand", "measured", "at least", ""), [
            (bar.what, f"{bar.measured:.4f}", f"{bar.least:g}", "met" if bar.is_met else "**missed**")
            for bar in demands
        ]),
        _cost(),
        "## Methods\n",
        *_methods(outcome),
        "## Calibration\n",
        "Share of true links among pairs by score in bits, beside what the score promises.\n",
        *_calibrations(outcome),
        "## Recall by what differs, and what people must look at\n",
        *_recalls(outcome),
        "## Twins of one first name\n",
        _TWINS,
        _twins(outcome),
        f"## Uniqueness at {youths:,} youths\n",
        _RULE,
        _uniqueness(frequencies),
    ]  # fmt: skip
    return "\n".join(parts)


def as_json(outcome: Outcome, demands: Sequence[Bar], frequencies: Mapping[str, Frequency]) -> str:
    """Every figure."""
    document = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "packages": {name: version(name) for name in _PACKAGES},
        "rows": [
            {"dataset": row.dataset, "fields": row.fields, "standing": row.standing, "method": row.method,
             "rule": row.rule, "seconds": row.seconds} | row.quality.as_json()
            for row in outcome.rows
        ],
        "calibration": outcome.calibration,
        "review": outcome.review,
        "recall": outcome.recall,
        "twins": outcome.twins,
        "bars": [asdict(bar) | {"met": bar.is_met} for bar in demands],
        "uniqueness": {name: asdict(found) for name, found in frequencies.items()},
    }  # fmt: skip
    return json.dumps(document, indent=1, default=str) + "\n"


def _machine() -> str:
    return f"Python {platform.python_version()}, {platform.machine()}"


def _cost() -> str:
    plain, extended = load_scheme(SCHEME).elements, load_scheme(EXTENDED_SCHEME).elements
    return (
        f"The default scheme costs {plain} tokens a youth, the extended one {extended}: {extended / plain:.1f} times"
        " the evaluations at every holder, the bytes of a question and the size of the index.\n"
    )


def _methods(outcome: Outcome) -> Iterable[str]:
    groups: dict[tuple[str, str, str], list[Sequence[object]]] = {}
    for row in outcome.rows:
        found = row.quality
        cells = (row.method, row.rule, f"{found.precision:.4f}", f"{found.recall:.4f}", f"{found.f1:.4f}", row.seconds)
        groups.setdefault((row.dataset, row.fields, row.standing), []).append(cells)
    for (dataset, fields, standing), rows in groups.items():
        yield f"### {dataset}, {fields} ({standing})\n"
        yield _table(("method", "rule", "precision", "recall", "F1", "seconds"), rows)


def _calibrations(outcome: Outcome) -> Iterable[str]:
    for name, rows in outcome.calibration.items():
        yield f"### {name}\n"
        yield _table(("from", "to", "pairs", "true", "promised"), [
            (f"{row['from']:g}", f"{row['to']:g}", int(row["pairs"]), f"{row['true']:.3f}", f"{row['expected']:.3f}")
            for row in rows
        ])  # fmt: skip


def _recalls(outcome: Outcome) -> Iterable[str]:
    for name, faults in outcome.recall.items():
        review = outcome.review[name]
        yield f"### {name}\n"
        yield f"For a person to look at: {review['pairs']} pairs, of which {review['true']} are true.\n"
        yield _table(("error in either copy", "links", "match", "50 %", "match or review"), [
            (fault, int(row["links"]), row["auto"], row["50 %"], row["auto or review"]) for fault, row in faults.items()
        ])  # fmt: skip


def _twins(outcome: Outcome) -> str:
    return _table(("lists", "pairs", "match", "auto", "50 %", "possible"), [
        (name, *(found[rule] for rule in ("pairs", "match", "auto", "50 %", "possible")))
        for name, found in outcome.twins.items()
    ])  # fmt: skip


def _uniqueness(frequencies: Mapping[str, Frequency]) -> str:
    return _table(("key", "carried by", "tokens a youth", "most bearers", "borne by one", "rule"), [
        (name, found.records, f"{found.values / found.records:.1f}", found.largest, f"{found.share:.4f}",
         ("kept" if found.is_kept else "broken") + (", as it must" if name in CONTROLS and not found.is_kept else ""))
        for name, found in frequencies.items()
    ])  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [" | ".join(head), "|".join("---" for _ in head), *(" | ".join(map(str, row)) for row in rows)]
    return "\n".join(f"| {line} |" if "---" not in line else f"|{line}|" for line in lines) + "\n"
