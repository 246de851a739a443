"""The log: what the owner's privacy officer reads in it, that it verifies, and that changing it is found.

Decides the questions of an auditor. The reasons of refusals are shown here and only here: to the agency whose youth was
asked for and to the agency that asked, never to the worker who was refused.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.tamper import copy_database, flip_byte

_OFFICER: Final = "COUNTY.privacy_officer"
_CHANGED: Final = 17
_EVIDENCE_EXIT: Final = 6


def owners_view(stage: Stage) -> Seen:
    """A's privacy officer reads who asked about A's youths and why they were refused; B's reads less of it."""
    owner = _denials(stage, "A")
    asker = _denials(stage, "B")
    return Seen(
        {
            "owner_reads": sorted({entry["reason"] for entry in owner}),
            "asker_reads": sorted({entry["reason"] for entry in asker if entry["reason"]}),
            "closed_to_asker": any(not entry["reason"] for entry in asker),
        },
        (
            *(f"A reads        {line}" for line in dict.fromkeys(_short(entry) for entry in owner)),
            "B reads        its own refusals; why A's youths were refused stays closed to B",
        ),
    )


def verified(stage: Stage) -> Seen:
    """The whole log is recomputed, against a signed head that a county received with its last answer."""
    head = _head_file(stage)
    done = _verify(stage, stage.sandbox.layout.gateway / "gateway.db", head)
    return Seen(
        {
            "exit": done.exit,
            "ok": bool(done.said.get("ok")),
            "head_of_a_county": bool(done.said.get("checkpoint_given")),
        },
        (f"verified       {done.said.get('size')} entries under one signed head",),
    )


def changed(stage: Stage) -> Seen:
    """One byte of one entry is changed in a copy of the stored log."""
    copy = stage.scratch / "changed.db"
    copy_database(stage.sandbox.layout.gateway / "gateway.db", copy)
    place = flip_byte(copy, _CHANGED)
    done = _verify(stage, copy, _head_file(stage))
    entry = int(done.said.get("index") or -1)
    return Seen(
        {"exit": done.exit, "ok": bool(done.said.get("ok")), "entry": entry},
        (
            f"changed        one bit of byte {place} of the file",
            f"found          entry {entry}: {done.said['error']['why']}",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Verdict:
    exit: int
    said: dict[str, Any]


def _verify(stage: Stage, database: Path, head: Path | None) -> _Verdict:
    pinned = ("--log-key", str(stage.sandbox.layout.gateway / "log.vkey"))
    words = ["verify", str(database), "--json", *pinned, *(("--checkpoint", str(head)) if head else ())]
    done = stage.commands.ask(*words)
    return _Verdict(done.exit, json.loads(done.out or "{}"))


def _head_file(stage: Stage) -> Path:
    if not stage.checkpoint:
        raise Unexpected("no county received a signed head")
    head = stage.scratch / "head.txt"
    head.write_text(stage.checkpoint, encoding="utf-8")
    return head


def _denials(stage: Stage, letter: str) -> list[dict[str, str]]:
    """What the agency's privacy officer reads of refused questions; `reason` is empty where it is not open to it.

    Two adapters that join at the same moment may both offer the first pepper; that one of them was told no is on
    record too, and is no question.
    """
    token = stage.scratch / f"officer-{letter}.token"
    token.write_text(stage.county(letter).token(_OFFICER), encoding="utf-8")
    token.chmod(0o600)
    county = stage.county(letter)
    done = stage.commands.ask(
        "audit", "query", "--dir", str(county.directory), "--token-file", str(token), "--decision", "deny", "--json",
        "--kind", "access.decision", "--kind", "access.outcome",
    )  # fmt: skip
    if done.exit != 0:
        raise Unexpected(f"homeward audit query failed: {done.out}{done.err}")
    entries = json.loads(done.out)["entries"]
    return [_flat(entry) for entry in entries]


def _short(entry: dict[str, str]) -> str:
    """Who was told what, and why, without time and numbers."""
    return f"{entry['requester']}, {entry['purpose']}: told {entry['outcome']}, because {entry['reason']}"


def _flat(entry: dict[str, Any]) -> dict[str, str]:
    fields = {field["name"]: field.get("value", "") for field in entry["fields"]}
    return {"requester": "?", "purpose": "?", "outcome": "?", "reason": "", **fields}


STEPS: Final = (
    Step(
        "owners_view",
        "A's privacy officer reads in the log who was refused, and why",
        {
            "owner_reads": [
                "MATCH_TOO_WEAK",
                "NO_ACTIVE_FLAG",
                "POSSIBLE_FLAG_MATCH",
                "PURPOSE_PRECONDITION_FAILED",
                "RECORD_SEALED",
                "RECORD_SENSITIVE",
            ],
            "asker_reads": ["EVIDENCE_MISSING"],
            "closed_to_asker": True,
        },
        owners_view,
    ),
)
PROOFS: Final = (
    Step("verified", "Anybody can verify the log", {"exit": 0, "ok": True, "head_of_a_county": True}, verified),
    Step(
        "changed",
        f"We change one byte in entry {_CHANGED} of a copy of the stored log",
        {"exit": _EVIDENCE_EXIT, "ok": False, "entry": _CHANGED},
        changed,
    ),
)
