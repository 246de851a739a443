"""The gateway's database restored from yesterday: nothing is disclosed until it is what the log had signed.

Decides the order: yesterday's database, in which the consent still stands, is put in the place of today's; the gateway
is asked; it is healed from its mirror; it is asked again.
"""

import json
import shutil
import time
from typing import Any, Final

import grpc

from deploy.demo.bringup import GATEWAY
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.story_consent import BACKUP, ask_with_consent
from deploy.demo.words import name

_EVIDENCE_EXIT: Final = 6
_SECONDS: Final = 15.0


def restored(stage: Stage) -> Seen:
    """The operator restores yesterday's database, in which the withdrawn consent still stands."""
    sandbox, gateway, mirror = stage.sandbox, stage.sandbox.layout.gateway, stage.scratch / "mirror"
    sandbox.end(GATEWAY)
    kept = _said(stage, "mirror", str(gateway), str(mirror))
    for left in gateway.glob("gateway.db*"):
        left.unlink()
    shutil.copy(stage.scratch / BACKUP, gateway / "gateway.db")
    found = stage.commands.ask("audit", "fsck", str(gateway), "--json")
    sandbox.restart(GATEWAY)
    serving = str(sandbox.process(GATEWAY).ready["log"])
    meanwhile = _asked(stage)
    sandbox.end(GATEWAY)
    healed = _said(stage, "recover", str(gateway), "--mirror", str(mirror))
    sandbox.restart(GATEWAY)
    ended = time.monotonic() + _SECONDS
    while (afterwards := _asked(stage)) == "UNAVAILABLE" and time.monotonic() < ended:
        time.sleep(0.1)
    return Seen(
        {
            "fsck": found.exit,
            "log": serving,
            "asked_meanwhile": meanwhile,
            "all_came_back": healed["healed_to"] == kept["size"],
            "asked_afterwards": afterwards,
        },
        (
            f"found          {json.loads(found.out)['error']['why']}",
            "meanwhile      it answers nobody and takes revocations: UNAVAILABLE, reason RECOVERING",
            f"healed         from {healed['had']} entries to {healed['healed_to']}, from a mirror that is sealed",
            f"asked again    {afterwards}: the consent that was withdrawn is still withdrawn",
        ),
    )


def _asked(stage: Stage) -> str:
    try:
        return name(ask_with_consent(stage, authority_id=stage.authority_id), "outcome")
    except grpc.RpcError as failed:
        return str(failed.code().name)


def _said(stage: Stage, *words: str) -> dict[str, Any]:
    done = stage.commands.ask("audit", *words, "--json")
    if done.exit != 0:
        raise Unexpected(f"homeward audit {words[0]} failed: {done.out}{done.err}")
    said: dict[str, Any] = json.loads(done.out)
    return said


STEPS: Final = (
    Step(
        "restored",
        "The gateway's database is restored from before the consent was withdrawn",
        {
            "fsck": _EVIDENCE_EXIT,
            "log": "recovering",
            "asked_meanwhile": "UNAVAILABLE",
            "all_came_back": True,
            "asked_afterwards": "CONSENT_NEEDED",
        },
        restored,
    ),
)
