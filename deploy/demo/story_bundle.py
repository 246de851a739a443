"""Evidence that leaves the county: handed to a stranger who has nothing of ours, and every decision made once more.

Decides the questions of somebody who trusts neither county nor exchange. The stranger's verifier is the one in the
bundle, run by a Python that sees none of our packages.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.story_witnesses import LOG, POLICY

_OFFICER: Final = "COUNTY.privacy_officer"
_SECONDS: Final = 30
_BROKEN: Final = 6
FILE: Final = "evidence.zip"


def steps(output: Path) -> tuple[Step, ...]:
    """The steps; the bundle is left in `output`."""
    return (
        Step(
            "handed_out",
            "A's officer hands out everything that concerns A; a stranger checks it offline",
            {"exit": 0, "verdict": "VERIFIED", "no_gap": True, "cosigned": True, "by_design": True, "changed": _BROKEN},
            _handed_out((output / FILE).absolute(), (output / LOG).absolute()),
        ),
        Step(
            "replayed",
            "Every decision in the log is made again from what it was made on",
            {"exit": 0, "ok": True, "all_again": True, "sealed": 0},
            replayed,
        ),
    )


def _handed_out(bundle: Path, log: Path) -> Callable[[Stage], Seen]:
    def hand_out(stage: Stage) -> Seen:
        bundle.parent.mkdir(parents=True, exist_ok=True)
        # Of an earlier run of the demo: no command writes over evidence.
        bundle.unlink(missing_ok=True)
        county = stage.county("A")
        token = stage.scratch / "handing-out.token"
        token.write_text(county.token(_OFFICER), encoding="utf-8")
        token.chmod(0o600)
        policy = log / POLICY
        done = stage.commands.ask(
            "audit", "bundle", "--complete", "--witness-policy", str(policy), "--checkpoint", str(log / "checkpoint"),
            "--dir", str(county.directory), "--token-file", str(token), "--out", str(bundle),
        )  # fmt: skip
        if done.exit != 0:
            raise Unexpected(f"homeward audit bundle failed: {done.out}{done.err}")
        # The stranger has the policy from elsewhere: a forger would have put one of their own into the bundle.
        status, lines = _stranger(stage, bundle, policy)
        changed, _ = _stranger(stage, _one_bit(bundle, stage.scratch / "changed.zip"), policy)
        return Seen(
            {
                "exit": status,
                "verdict": lines[-1],
                "no_gap": any("have no gap" in line for line in lines),
                "cosigned": any("cosigned by" in line for line in lines),
                "by_design": any("by design, not damage" in line for line in lines),
                "changed": changed,
            },
            (
                *(
                    f"stranger       {line[6:]}"
                    for line in lines
                    if line.startswith("ok") and ("entries" in line or "cosigned" in line)
                ),
                f"verdict        {lines[-1]}; with one bit changed: BROKEN",
            ),
        )

    return hand_out


def replayed(stage: Stage) -> Seen:
    """Whoever holds the log's keys makes each decision again."""
    done = stage.commands.ask("gateway", "replay", str(stage.sandbox.layout.gateway), "--json")
    counts = json.loads(done.out or "{}")
    again = counts.get("recomputed", 0)
    return Seen(
        {
            "exit": done.exit,
            "ok": bool(counts.get("ok")),
            "all_again": 0 < again == counts.get("decided", -1),
            "sealed": counts.get("sealed"),
        },
        (
            f"made again     {again} decisions, each to the same end",
            f"released       {counts.get('released')} times, each after its own decision and none after a revocation",
        ),
    )


def _stranger(stage: Stage, bundle: Path, policy: Path) -> tuple[int, list[str]]:
    """What the verifier in the bundle says of it, to somebody who has none of our packages."""
    verifier = stage.scratch / "verify.py"
    if not verifier.exists():
        with zipfile.ZipFile(bundle) as archive:
            verifier.write_bytes(archive.read("verify.py"))
    done = subprocess.run(
        [sys.executable, "-I", str(verifier), str(bundle.absolute()), "--policy", str(policy)],
        capture_output=True, text=True, timeout=_SECONDS, check=False, cwd=stage.scratch,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines() or [done.stderr]


def _one_bit(bundle: Path, copy: Path) -> Path:
    raw = bytearray(bundle.read_bytes())
    raw[raw.index(b'"leaf":"') + 20] ^= 1
    copy.write_bytes(raw)
    return copy
