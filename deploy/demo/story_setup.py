"""The beginning: who takes part, and what the adapters found in their counties' own files.

Decides what must be true before anybody asks anything.
"""

import json
from typing import Final

from deploy.demo.county import CALL_SECONDS
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.write_csv import FAULTS
from deploy.demo.youths import COUNT_A, COUNT_B
from homeward.county.v1.access_pb2 import GetStatusRequest


def joined(stage: Stage) -> Seen:
    """Every county's adapter has an identity, a stream to the gateway, and lists its youths."""
    listed = {
        letter: stage.at(letter).status.GetStatus(GetStatusRequest(), timeout=CALL_SECONDS)
        for letter in ("A", "B", "C")
    }
    return Seen(
        {
            "members": [status.agency for status in listed.values()],
            "links_up": all(status.link_up for status in listed.values()),
            "listed": {letter: status.listed_count for letter, status in listed.items()},
        },
        (
            "               gateway, custodian and one adapter per county: separate processes, TLS 1.3 between them",
            *(
                f"county {letter}       {status.listed_count} youths listed as tokens"
                for letter, status in listed.items()
            ),
        ),
    )


def checked(stage: Stage) -> Seen:
    """A's file holds one bad row for each of a list of faults; each is named and the rest is served."""
    done = stage.commands.ask("adapter", "check", "--dir", str(stage.county("A").directory), "--json")
    report = json.loads(done.out or "{}")
    if "sources" not in report:
        raise Unexpected(f"homeward adapter check: exit {done.exit}: {done.out}{done.err}")
    codes = sorted(entry["code"] for source in report["sources"] for entry in source["entries"])
    rows = {source["name"]: source["rows"] for source in report["sources"]}
    return Seen(
        {"codes": codes, "exit": done.exit},
        (
            f"A's files      {', '.join(f'{count} {name}' for name, count in rows.items())}; {report['youths']} youths",
            f"bad rows       {len(codes)}, each named with file, line and rule; the rest is served",
        ),
    )


STEPS: Final = (
    Step(
        "joined",
        "Counties A (CSV files), B (SQL database) and C (no records) have joined",
        {
            "members": ["06037.cwa", "06019.cwa", "06029.cwa"],
            "links_up": True,
            "listed": {"A": COUNT_A, "B": COUNT_B, "C": 0},
        },
        joined,
    ),
    Step(
        "checked",
        "A's adapter checks its sources",
        {"codes": sorted(code for _, code in FAULTS), "exit": 1},
        checked,
    ),
)
