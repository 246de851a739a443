"""The log: what the owner's privacy officer reads in it, that it verifies, and that changing it is found.

Decides the questions of an auditor. The reasons of refusals are shown here and only here: to the agency whose youth was
asked for and to the agency that asked, never to the worker who was refused.
"""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.demo.processes import command_line, environment
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.tamper import copy_database, flip_byte

_OFFICER: Final = "COUNTY.privacy_officer"
_CHANGED: Final = 17
_EVIDENCE_EXIT: Final = 6
_COMMAND_SECONDS: Final = 30


def owners_view(stage: Stage) -> Seen:
    """A's privacy officer asks the log who asked about A's youths and was refused; B's, what B's staff were refused."""
    owner = _denials(stage, "A")
    asker = _denials(stage, "B")
    # Kept for `put_back`: what a backup of this moment would hold.
    copy_database(stage.sandbox.layout.gateway / "gateway.db", stage.scratch / "old.db")
    return Seen(
        {
            "owner_reads": sorted({entry["reason"] for entry in owner if entry["holder"].startswith("06037.")}),
            "asker_reads": sorted({entry["reason"] for entry in asker if entry["holder"] == ""}),
        },
        tuple(f"A reads        {entry['sentence']}" for entry in owner[:6]),
    )


def verified(stage: Stage) -> Seen:
    """The whole log is recomputed, against a signed head that a county received with its last answer."""
    head = _head_file(stage)
    done = _verify(stage.sandbox.layout.gateway / "gateway.db", head)
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
    done = _verify(copy, _head_file(stage))
    return Seen(
        {"exit": done.exit, "ok": bool(done.said.get("ok")), "entry": int(done.said.get("index") or -1)},
        (f"changed        one bit of byte {place} of the file", f"found          {done.said.get('text')}"),
    )


def put_back(stage: Stage) -> Seen:
    """An old copy of the whole log is put in its place: complete, signed, and shorter than what a county has seen."""
    old = stage.scratch / "old.db"
    done = _verify(old, _head_file(stage))
    alone = _verify(old, None)
    return Seen(
        {"looks_whole_alone": alone.exit == 0, "exit": done.exit, "ok": bool(done.said.get("ok"))},
        (
            f"alone          the old copy verifies: {alone.said.get('size')} entries",
            f"found          {done.said.get('text')}",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Verdict:
    exit: int
    said: dict[str, Any]


def _verify(database: Path, head: Path | None) -> _Verdict:
    words = ["verify", str(database), "--json", *(("--checkpoint", str(head)) if head else ())]
    done = _run(*words)
    return _Verdict(done.returncode, json.loads(done.stdout or "{}"))


def _head_file(stage: Stage) -> Path:
    if not stage.checkpoint:
        raise Unexpected("no county received a signed head")
    head = stage.scratch / "head.txt"
    head.write_text(stage.checkpoint, encoding="utf-8")
    return head


def _denials(stage: Stage, letter: str) -> list[dict[str, str]]:
    """What the agency's privacy officer reads of refusals, with `holder` and `reason` empty where not open to it."""
    token = stage.scratch / f"officer-{letter}.token"
    token.write_text(stage.county(letter).token(_OFFICER), encoding="utf-8")
    token.chmod(0o600)
    county = stage.county(letter)
    done = _run(
        "audit", "query", "--dir", str(county.directory), "--address", county.member.local,
        "--token-file", str(token), "--decision", "deny", "--json",
    )  # fmt: skip
    if done.returncode != 0:
        raise Unexpected(f"homeward audit query failed: {done.stdout}{done.stderr}")
    entries = json.loads(done.stdout)["entries"]
    return [_flat(entry) for entry in entries]


def _flat(entry: dict[str, Any]) -> dict[str, str]:
    fields = {field["name"]: field["value"] for field in entry["fields"]}
    return {"holder": "", "reason": "", **fields, "sentence": entry["sentence"]}


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*words), capture_output=True, text=True, timeout=_COMMAND_SECONDS, env=environment(), check=False
    )


STEPS: Final = (
    Step(
        "owners_view",
        "A's privacy officer reads in the log who was refused, and why",
        {
            "owner_reads": ["PURPOSE_PRECONDITION_FAILED", "RECORD_SEALED", "RECORD_SENSITIVE"],
            "asker_reads": ["EVIDENCE_MISSING", "NO_MATCH"],
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
    Step(
        "put_back",
        "We put an old copy of the log in its place",
        {"looks_whole_alone": True, "exit": _EVIDENCE_EXIT, "ok": False},
        put_back,
    ),
)
