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
from deploy.demo.counties import FOSTER_AGENCY
from deploy.demo.county import CALL_SECONDS
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.story_consent import BACKUP, TEAM_ROLE, ask_with_consent
from deploy.demo.words import name
from homeward.county.v1.authority_pb2 import RevokeAuthorityRequest

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
    meanwhile, withdrawn = _asked(stage), _withdrawn_again(stage)
    sandbox.end(GATEWAY)
    kept_for_later = (gateway / "revocations.held").exists()
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
            "withdrawn_meanwhile": withdrawn,
            "kept_for_later": kept_for_later,
            "all_came_back": healed["healed_to"] == kept["size"],
            "asked_afterwards": afterwards,
        },
        (
            f"found          {json.loads(found.out)['error']['why']}",
            f"meanwhile      {meanwhile} to whoever asks; a revocation is kept, to be carried out before anything else",
            f"healed         from {healed['had']} entries to {healed['healed_to']}, from a mirror that is sealed",
            f"asked again    {afterwards}: the consent that was withdrawn is still withdrawn",
        ),
    )


def _asked(stage: Stage) -> str:
    try:
        return name(ask_with_consent(stage, authority_id=stage.authority_id), "outcome")
    except grpc.RpcError as failed:
        return str(failed.code().name)


def _withdrawn_again(stage: Stage) -> str:
    """What the agency hears that had the consent, and gives it back at this moment."""
    try:
        stage.at(FOSTER_AGENCY.letter).authority.RevokeAuthority(
            RevokeAuthorityRequest(authority_id=stage.authority_id),
            metadata=stage.county(FOSTER_AGENCY.letter).metadata(TEAM_ROLE),
            timeout=CALL_SECONDS,
        )
    except grpc.RpcError as failed:
        return str(failed.code().name)
    return "RECORDED"


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
            "withdrawn_meanwhile": "UNAVAILABLE",
            "kept_for_later": True,
            "all_came_back": True,
            "asked_afterwards": "CONSENT_NEEDED",
        },
        restored,
    ),
)
