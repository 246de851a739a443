"""Plays the story and says, step by step, whether it went as it must.

Decides the order of the story, what is printed, and what is left behind: `transcript.json` (each step's name, expected,
actual, ok) and `gateway-view/`. Words only, plain ASCII, no color: a screen reader and a 1990s console show the same.
"""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from deploy.demo import (
    story_bundle,
    story_consent,
    story_evidence,
    story_missing,
    story_records,
    story_recovery,
    story_review,
    story_sealed,
    story_setup,
    story_witnesses,
)
from deploy.demo.commands import Commands
from deploy.demo.counties import COUNTY_B, FOSTER_AGENCY
from deploy.demo.gateway_view import View, take_view, write_summary
from deploy.demo.sandbox import Sandbox
from deploy.demo.scan import Finding, make_scanner, scan_tree
from deploy.demo.stage import Played, Seen, Stage, Step, play
from deploy.demo.story_witnesses import LOG
from deploy.demo.youths import Caseload

Say = Callable[[str], None]
TRANSCRIPT: Final = "transcript.json"
VIEW: Final = "gateway-view"
_WIDTH: Final = 84


@dataclass(frozen=True, slots=True)
class Result:
    """A story that was played."""

    played: Sequence[Played]
    seconds: float

    @property
    def ok(self) -> bool:
        """Every step went as expected."""
        return all(step.ok for step in self.played)


def story(output: Path, pool: Executor) -> tuple[Step, ...]:
    """The steps, in order: the main job, and what becomes of its evidence."""
    looking = _Looking(output / VIEW, pool)
    view = Step(
        "gateway_view", "What a thief of both machines would hold", {"found": 0, "has_messages": True}, looking.shown
    )
    published, rewritten = story_witnesses.steps(output, before_forging=looking.begin)
    told = (*story_setup.STEPS, *story_missing.STEPS, *story_records.STEPS, *story_review.STEPS, *story_consent.STEPS)
    return (
        *told,
        *story_evidence.STEPS,
        *story_evidence.PROOFS,
        published,
        *story_bundle.steps(output),
        *story_recovery.STEPS,
        *story_sealed.STEPS,
        rewritten,
        view,
    )


def run_demo(work: Path, output: Path, say: Say) -> Result:
    """The story, played in a sandbox under `work`; `output` holds transcript and view. Raises `CommandFailure`."""
    started = time.monotonic()
    say("Homeward demo: 3 counties, 60 invented youths, seed 7. No real person is in this data.")
    with Commands() as commands, Sandbox.up(work / "sandbox", commands=commands) as sandbox:
        say(f"    Gateway, custodian and three adapters run ({time.monotonic() - started:.1f} s).\n")
        scratch = work / "scratch"
        scratch.mkdir(mode=0o700, exist_ok=True)
        # The foster family agency joins while the counties already work; the story waits for it where it appears.
        with ThreadPoolExecutor(max_workers=1) as pool:
            newcomer = pool.submit(sandbox.enlist, FOSTER_AGENCY, commands, beside=COUNTY_B)
            stage = Stage(sandbox, commands, scratch, newcomer)
            steps = story(output, pool)
            try:
                played = [_show(number, play(step, stage), say) for number, step in enumerate(steps, start=1)]
            finally:
                stage.close()
    result = Result(played, time.monotonic() - started)
    write_transcript(result, output)
    say(_verdict(result, output))
    return result


def write_transcript(result: Result, output: Path) -> None:
    """`transcript.json` says of each step what was expected and what happened."""
    output.mkdir(parents=True, exist_ok=True)
    steps = [
        {
            "name": played.step.name,
            "title": played.step.title,
            "expected": played.step.expected,
            "actual": played.seen.actual,
            "ok": played.ok,
            "seconds": round(played.seconds, 3),
        }
        for played in result.played
    ]
    document = {"ok": result.ok, "seconds": round(result.seconds, 3), "steps": steps}
    (output / TRANSCRIPT).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _show(number: int, played: Played, say: Say) -> Played:
    verdict = "ok" if played.ok else "FAIL"
    say(f"{number:2}  {played.step.title:<{_WIDTH}} {played.seconds:5.1f} s  {verdict}")
    for line in played.seen.lines:
        say(f"      {line}")
    if not played.ok:
        say(f"      expected  {json.dumps(played.step.expected)}")
        say(f"      actual    {json.dumps(played.seen.actual)}")
    return played


class _Looking:
    """Files, log lines and messages of both holders: copied at one moment, and searched while the story goes on."""

    def __init__(self, target: Path, pool: Executor) -> None:
        self._target = target
        self._pool = pool
        self._search: Future[tuple[View, list[Finding], int]] | None = None

    def begin(self, stage: Stage) -> None:
        """The copy is taken; every youth is looked for in it from now on."""
        view = take_view(stage.sandbox.layout, self._target)
        self._search = self._pool.submit(_searched, view, stage.sandbox.caseload)

    def shown(self, stage: Stage) -> Seen:
        """Files, log lines and messages of both holders were copied and searched for every youth."""
        if self._search is None:
            self.begin(stage)
        if self._search is None:
            raise RuntimeError("it was begun above")
        view, findings, size = self._search.result()
        return Seen(
            {"found": len(findings), "has_messages": view.received.total() > 0},
            (
                f"they hold      {view.files} files, {view.received.total()} received messages, {view.octets} bytes",
                f"looked for     {size} forms of names, birth dates, placement dates and numbers",
                f"found          {len(findings)}",
                *(f"FOUND          {finding.what} in {finding.file}" for finding in findings[:5]),
                f"they saw       {_saw(view)}",
                "               tokens, opaque handles, purposes, roles, counties, times, sizes and sealed bytes",
            ),
        )


def _searched(view: View, caseload: Caseload) -> tuple[View, list[Finding], int]:
    scanner = make_scanner(caseload, today=datetime.now().astimezone().date())
    findings = scan_tree(scanner, view.root)
    write_summary(view, findings, looked_for=scanner.size)
    return view, findings, scanner.size


def _saw(view: View) -> str:
    kinds = {
        "Evaluate": "batches of blinded names",
        "StreamFlagChecks": "flag checks",
        "RequestRecords": "record requests",
        "RaiseFlag": "flags",
    }
    counts = {
        method: sum(count for name, count in view.received.items() if name.endswith(f".{method}")) for method in kinds
    }
    return ", ".join(f"{counts[method]} {kind}" for method, kind in kinds.items())


def _verdict(result: Result, output: Path) -> str:
    wrong = [played.step.name for played in result.played if not played.ok]
    count = len(result.played)
    ending = f"All {count} steps as expected" if not wrong else f"FAIL  {len(wrong)} of {count}: {', '.join(wrong)}"
    return (
        f"\n{ending}, {result.seconds:.1f} s in all. Evidence: {output / TRANSCRIPT}, {output / VIEW}, {output / LOG}"
    )
