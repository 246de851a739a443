"""The witnesses: what they vouch for is published for everybody, and what they refuse cannot be undone by the operator.

Decides what is left for a reader's own tools (`log/`: the published log, every verification key, a policy) and that the
last step turns the gateway's operator into the attacker: with every key, on the gateway's own machine.
"""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import grpc

from deploy.demo.bringup import GATEWAY
from deploy.demo.forge import forge_history
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.story_missing import check_flag
from deploy.demo.story_records import PLACEMENT_WORKER, ask_history, open_referral
from deploy.demo.tamper import log_size

LOG: Final = "log"
POLICY: Final = "witnesses.policy"
_PROOF: Final = "fork-proof.json"
_COUNTIES: Final = ("A", "B", "C")
_EVIDENCE_EXIT: Final = 6
_SECONDS: Final = 15.0


def steps(output: Path, *, before_forging: Callable[[Stage], None]) -> tuple[Step, Step]:
    """The published log is verified; then its operator rewrites it, after `before_forging`."""

    def forged(stage: Stage) -> Seen:
        before_forging(stage)
        return rewritten(stage, output / LOG)

    return (
        Step(
            "published",
            "The log is published; two of three counties must have seen it grow",
            {"exit": 0, "ok": True, "witnesses": 3, "continues_the_head_of_a_county": True},
            lambda stage: published(stage, output / LOG),
        ),
        Step(
            "rewritten",
            "The operator erases an entry, recomputes every hash and signs it all anew",
            {
                "alone": 0,
                "B": _EVIDENCE_EXIT,
                "C": _EVIDENCE_EXIT,
                "proof": _EVIDENCE_EXIT,
                "B_asks": "UNAVAILABLE",
                "C_asks": "UNAVAILABLE",
            },
            forged,
        ),
    )


def published(stage: Stage, target: Path) -> Seen:
    """What the gateway publishes is copied and verified with the policy that the counties' keys make."""
    source = stage.sandbox.layout.gateway / "published"
    head = stage.scratch / "head.txt"
    head.write_text(stage.checkpoint, encoding="utf-8")
    _until(lambda: _size(source / "checkpoint") >= _size(head) and _witnesses(source) >= len(_COUNTIES))
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".lock", "*.tmp"))
    policy = _policy(stage, target)
    done = stage.commands.ask(
        "verify", str(target), "--log-key", str(stage.sandbox.layout.gateway / "log.vkey"),
        "--policy", str(policy), "--checkpoint", str(head), "--json",
    )  # fmt: skip
    said: dict[str, Any] = json.loads(done.out or "{}")
    return Seen(
        {
            "exit": done.exit,
            "ok": bool(said.get("ok")),
            "witnesses": len(said.get("witnesses", ())),
            "continues_the_head_of_a_county": bool(said.get("checkpoint_given")),
        },
        (
            f"published      {said.get('size')} entries in {said.get('files')} files: C2SP tlog-tiles",
            "cosigned by    the adapters of A, B and C, each over the stream it keeps open anyway",
            f"left for you   {target} with log.vkey, the counties' keys and witnesses.policy",
        ),
    )


def rewritten(stage: Stage, target: Path) -> Seen:
    """The gateway comes back with another history; B and C refuse it, and keep what proves it."""
    sandbox, gateway = stage.sandbox, stage.sandbox.layout.gateway
    _settle(stage)
    sandbox.end(GATEWAY)
    forged = forge_history(gateway)
    copy = stage.scratch / "forged.db"
    shutil.copy(gateway / "gateway.db", copy)
    sandbox.restart(GATEWAY)
    alone = stage.commands.ask("verify", str(copy), "--log-key", str(gateway / "log.vkey"))
    shown = {letter: stage.scratch / f"fork-{letter}" for letter in ("B", "C")}
    exits = {letter: _await_fork(stage, letter, where) for letter, where in shown.items()}
    proof = stage.commands.ask(
        "audit", "contradict", str(shown["B"] / "fork-1-kept.txt"), str(shown["B"] / "fork-1-shown.txt"),
        "--log-key", str(gateway / "log.vkey"), "--out", str(target / _PROOF),
    )  # fmt: skip
    return Seen(
        {"alone": alone.exit, **exits, "proof": proof.exit, "B_asks": _asked_by_b(stage), "C_asks": _asks(stage)},
        (
            f"erased         entry {forged.erased}, {forged.kind}; a copy of its neighbor stands in its place",
            f"alone          the forged log verifies: {forged.size} entries, one signed head, no number missing",
            "B and C        refused to cosign it, keep both histories, and ask this gateway nothing more: UNAVAILABLE",
            f"proof          {proof.out.strip().removeprefix('PROOF ')}",
            f"               both statements, with the gateway's own signatures: {target / _PROOF}",
        ),
    )


def _settle(stage: Stage) -> None:
    """Everything is witnessed, under a size from which a proof names its own past (no power of two)."""
    source, database = stage.sandbox.layout.gateway / "published", stage.sandbox.layout.gateway / "gateway.db"
    for _ in range(3):
        _until(lambda: _size(source / "checkpoint") == log_size(database))
        size = _size(source / "checkpoint")
        if size & (size - 1):
            return
        _asks(stage)
    raise Unexpected("the log did not come to rest")


def _await_fork(stage: Stage, letter: str, where: Path) -> int:
    place = str(stage.sandbox.layout.agency(letter))
    ended = time.monotonic() + _SECONDS
    while True:
        done = stage.commands.ask("adapter", "fork", "--dir", place, "--out", str(where), "--json")
        if done.exit != 0 or time.monotonic() > ended:
            return done.exit
        time.sleep(0.05)


def _asks(stage: Stage) -> str:
    try:
        check_flag(stage, stage.sandbox.caseload.cast.runaway)
    except grpc.RpcError as failed:
        return str(failed.code().name)
    return "ANSWERED"


def _asked_by_b(stage: Stage) -> str:
    try:
        ask_history(stage, "B", PLACEMENT_WORKER, open_referral(stage.sandbox.caseload.referral.person))
    except grpc.RpcError as failed:
        return str(failed.code().name)
    return "ANSWERED"


def _policy(stage: Stage, target: Path) -> Path:
    lines = [f"log {(stage.sandbox.layout.gateway / 'log.vkey').read_text(encoding='utf-8').strip()}"]
    for letter in _COUNTIES:
        key = (stage.sandbox.layout.agency(letter) / "state" / "witness.vkey").read_text(encoding="utf-8")
        (target / f"witness-{letter.lower()}.vkey").write_text(key, encoding="utf-8")
        lines.append(f"witness {letter} {key.strip()}")
    lines += [f"group counties 2 {' '.join(_COUNTIES)}", "quorum counties"]
    policy = target / POLICY
    policy.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return policy


def _size(note: Path) -> int:
    return int(note.read_text(encoding="utf-8").split("\n")[1]) if note.exists() else -1


def _witnesses(source: Path) -> int:
    note = (source / "checkpoint").read_text(encoding="utf-8")
    return sum(1 for line in note.split("\n") if "/witness/" in line)


def _until(condition: Callable[[], bool]) -> None:
    ended = time.monotonic() + _SECONDS
    while not condition():
        if time.monotonic() > ended:
            raise Unexpected("the published log did not get as far")
        time.sleep(0.05)
