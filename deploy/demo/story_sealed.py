"""A court seals one youth: nothing at the exchange opens or links the youth's entries, and every proof still holds.

Decides the questions of the court: whether the youth is answered for like one nobody knows, who held copies and has
deleted what laid them open, what a replay still finds, and whether the log is the same log.
"""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from deploy.demo.contents import contents
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.story_bundle import replayed
from deploy.demo.story_records import PLACEMENT_WORKER, ask_history, open_referral
from deploy.demo.words import name

_OFFICER: Final = "COUNTY.privacy_officer"
_ORDER: Final = "TEST-JV-0786"
_SECONDS: Final = 10.0


def sealed(stage: Stage) -> Seen:
    """A's privacy officer carries the court's order to the exchange."""
    caseload = stage.sandbox.caseload
    handles = [_handle(stage, number) for number in (caseload.cast.moved, caseload.cast.runaway)]
    before = [_files_holding(stage, handle) for handle in handles]
    files = [stage.scratch / "sealed-number.txt", stage.scratch / "sealed-order.txt"]
    for file, text in zip(files, (caseload.cast.moved, _ORDER), strict=True):
        file.write_text(text, encoding="utf-8")
    done = _seal(stage, "restrict", "--case", str(files[0]), "--order", str(files[1]))
    answered = _answered(stage)
    asked = ask_history(stage, "B", PLACEMENT_WORKER, open_referral(caseload.referral.person))
    again = replayed(stage)
    after = [_files_holding(stage, handle) for handle in handles]
    complete = _county(stage, "audit", "complete")
    verified = stage.commands.ask(
        "verify", str(stage.sandbox.layout.gateway / "gateway.db"),
        "--log-key", str(stage.sandbox.layout.gateway / "log.vkey"), "--json",
    )  # fmt: skip
    return Seen(
        {
            "outcome": done["outcome"],
            "told": sorted(answered),
            "all_deleted": set(answered.values()) == {"NOTICE_FINDING_DONE"},
            "B_asks": name(asked, "outcome"),
            "verifies": verified.exit,
            "no_gap": complete["ok"],
            "replay": again.actual["exit"],
            "sealed_decisions": bool(again.actual["sealed"]),
            "named_before": all(before),
            "named_after": after[0],
            "another_named_after": bool(after[1]),
        },
        (
            f"told of it     {', '.join(sorted(answered))}: each deleted what lays its entries open, and said so",
            f"B asks again   {name(asked, 'outcome')}, as for a youth nobody knows",
            f"searched       every byte of {len(_files(stage))} files of the gateway: the youth's handle, which stood",
            "               in some, stands in none; another youth's stands where it stood",
            f"the log        verifies; A's {complete['count']} entries have no gap",
            f"a replay       follows it to the end; {again.actual['sealed']} decisions are sealed and stay closed",
        ),
    )


def _handle(stage: Stage, number: str) -> bytes:
    """The name that the exchange has for A's youth with this number, which A's adapter alone can tell."""
    database = stage.county("A").directory / "state" / "adapter.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        (handle,) = connection.execute("SELECT handle FROM subject WHERE local_id = ?", (number,)).fetchone()
    return bytes(handle)


def _files_holding(stage: Stage, handle: bytes) -> list[str]:
    """Files of the gateway in which the handle stands, as it is or in hexadecimal."""
    forms = (handle, handle.hex().encode())
    found = contents(stage.sandbox.layout.gateway)
    return [path.name for path, content in found if any(form in content for form in forms)]


def _files(stage: Stage) -> list[Path]:
    return sorted(path for path in stage.sandbox.layout.gateway.rglob("*") if path.is_file())


def _answered(stage: Stage) -> dict[str, str]:
    """What each agency that was sent a notice answered, once all have."""
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        (notice,) = _seal(stage, "list")["notices"]
        if all(copy["finding"] for copy in notice["copies"]):
            return {copy["agency"]: copy["finding"] for copy in notice["copies"]}
        time.sleep(0.1)
    raise Unexpected("somebody has not answered the notice of the seal")


def _seal(stage: Stage, *words: str) -> dict[str, Any]:
    return _county(stage, "adapter", "seal", *words)


def _county(stage: Stage, *words: str) -> dict[str, Any]:
    county = stage.county("A")
    token = stage.scratch / "sealing.token"
    if not token.exists():
        token.write_text(county.token(_OFFICER), encoding="utf-8")
        token.chmod(0o600)
    done = stage.commands.ask(*words, "--dir", str(county.directory), "--token-file", str(token), "--json")
    if done.exit != 0:
        raise Unexpected(f"homeward {' '.join(words[:3])} failed: {done.out}{done.err}")
    said: dict[str, Any] = json.loads(done.out)
    return said


STEPS: Final = (
    Step(
        "sealed",
        "A court seals one youth's records: nothing links the youth, and every proof holds",
        {
            "outcome": "RECORDED",
            "told": ["06019.cwa", "06037.cwa"],
            "all_deleted": True,
            "B_asks": "NO_DISCLOSABLE_RECORD",
            "verifies": 0,
            "no_gap": True,
            "replay": 0,
            "sealed_decisions": True,
            "named_before": True,
            "named_after": [],
            "another_named_after": True,
        },
        sealed,
    ),
)
