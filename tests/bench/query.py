"""How fast a reviewer's question is answered by a log of a million entries.

Run: python -m tests.bench.query [--entries 1000000] [--rounds 15] [--out FILE] [--directory DIR]

Builds a log of full entries (15 fields, 58 agencies of very unequal size, two youths in every thousand entries), reads
their words into the gateway's own process for that, then asks each question through the gateway's own servicer:
assertion checked, the reading durable in the log first, entries selected, opened and proved, reply built. Prints median
and slowest of whole answers, up to fifty entries each, by the clock, and the processor's time of this process, which
does not depend on what else the machine does. A question meets the bar if its slowest answer does, by the clock.
`--out` keeps every round as JSON. An answer has several pages only where the words are not read in yet.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from audit.entry import Draft, YouthKey
from audit.log import Append
from gateway.exchange.journal import Kind, draft
from gateway.finding import Finding
from gateway.protocol.names import AgencyId, SubjectHandle
from homeward.audit.v1 import log_pb2
from homeward.audit.v1.log_pb2 import EntryFilter
from tests.unit.exchange.members import LA, SF, STATE, Act, officer, stamp
from tests.unit.exchange.world import World

IN_FLIGHT = 512
OTHERS = tuple(AgencyId(f"06{number:03}.cwa") for number in range(201, 257))
REASONS = ("NO_MATCH", "NO_ACTIVE_FLAG", "EVIDENCE_MISSING", "CONSENT_EXPIRED", "RECORD_SENSITIVE")
PURPOSES = ("MFC_HANDOFF", "MFC_LOCATE", "HOTLINE_SCREEN", "PLACEMENT_PLANNING")
HANDLE = SubjectHandle(b"y" * 16)
BAR_MS = 200
"""Of an answer, at a million entries."""
RARE = 100_003
"""One entry in so many is denied for a reason no other has."""


class Drafts:
    """Entries as the exchange writes them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._requester = self._holder = LA
        self._allowed = False
        self._agencies = (LA, SF, *OTHERS)
        # Los Angeles alone is a quarter of the load; the smallest county a two-hundredth of a percent.
        self._weights = [1 / (place + 1) ** 1.3 for place in range(len(self._agencies))]

    def make(self, number: int, youth: YouthKey) -> Draft:
        """The entry that is written as number so-and-so."""
        chosen, closing = self._random, number % 4 == 3
        if not closing:
            self._requester, self._holder = chosen.choices(self._agencies, self._weights, k=2)
            self._allowed = chosen.random() < 0.4
        requester, holder, allowed = self._requester, self._holder, self._allowed
        # Every fourth entry closes a call for records, which the one before it decided; the others are flag checks.
        for_records = number % 4 in (2, 3)
        denied = "NO_DISCLOSABLE_RECORD" if for_records else "NO_ACTIVE_FLAG_FOUND"
        op: dict[str, str | int] = {
            "decision": "ALLOW" if allowed else "DENY",
            "outcome": "ANSWERED" if allowed else denied,
            "purpose": chosen.choice(PURPOSES),
        }
        op |= {"decided": max(0, number - 1)} if closing else {"policy": "california-2026-11"}
        reason = "EMERGENCY_QUOTA_SPENT" if number % RARE == RARE - 1 else chosen.choice(REASONS)
        op |= {"fields": "FS4 STATUTE" if for_records else "FS0,FS1 STATUTE"} if allowed else {"reason": reason}
        digest = number.to_bytes(32, "big")
        return draft(
            Kind.OUTCOME if closing else Kind.DECISION,
            requester=requester,
            holder=holder,
            op=op,
            req={"worker": f"worker-{number % 500} CWA.case_worker", "request": digest, "input": digest},
            hold={"requester": requester},
            youth={"handle": HANDLE},
            youth_key=youth,
        )


async def fill(world: World, count: int) -> float:
    """The log has so many entries; returns how many were written a second."""
    drafts, window = Drafts(7), asyncio.Semaphore(IN_FLIGHT)
    started = time.perf_counter()

    async def append(made: Draft) -> None:
        try:
            await world.log.append(Append(made))
        finally:
            window.release()

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await window.acquire()
            if number % 500 == 0:
                youth = await world.youth_keys.next(SF, HANDLE)
            else:
                youth = YouthKey(os.urandom(32), 0)
            if number % 1000 == 0:
                world.clock.advance(hours=1)
            group.create_task(append(drafts.make(number, youth)))
    return count / (time.perf_counter() - started)


def questions(world: World) -> dict[str, tuple[Act, EntryFilter, bytes]]:
    """What reviewers ask."""
    end = world.clock()
    morning, evening = stamp(end - timedelta(days=2)), stamp(end - timedelta(days=1))
    middle = stamp(end - timedelta(days=20))
    return {
        "a large county's first page": (officer(LA), EntryFilter(), b""),
        "a large county's day": (officer(LA), EntryFilter(start_time=morning, end_time=evening), b""),
        "a county pair of one day, the state's reviewer": (
            officer(STATE),
            EntryFilter(agency=LA, counterpart_agency=OTHERS[40], start_time=morning, end_time=evening),
            b"",
        ),
        "a rare county pair, the state's reviewer": (
            officer(STATE),
            EntryFilter(agency=OTHERS[50], counterpart_agency=OTHERS[55]),
            b"",
        ),
        "one kind, from the middle of the log": (
            officer(LA),
            EntryFilter(kinds=[Kind.OUTCOME], start_time=middle),
            b"",
        ),
        "a kind the county has none of": (officer(LA), EntryFilter(kinds=[Kind.FLAG_RAISED]), b""),
        "denied, for a purpose": (
            officer(SF),
            EntryFilter(decision=log_pb2.DECISION_DENY, purpose="MFC_LOCATE", start_time=middle),
            b"",
        ),
        "one worker of a large county": (
            officer(LA),
            EntryFilter(worker="worker-17", start_time=morning, end_time=evening),
            b"",
        ),
        "one youth, in the whole log": (officer(SF), EntryFilter(), HANDLE),
        "one worker, in the whole log": (officer(LA), EntryFilter(worker="worker-17"), b""),
        "a reason one entry in 100,003 has": (officer(STATE), EntryFilter(reason="EMERGENCY_QUOTA_SPENT"), b""),
        "the same, of the county it names most": (officer(LA), EntryFilter(reason="EMERGENCY_QUOTA_SPENT"), b""),
        "a reason nobody was given": (officer(LA), EntryFilter(reason="RECORD_SEALED"), b""),
        "a county that is hardly ever asked": (officer(LA), EntryFilter(counterpart_agency=OTHERS[55]), b""),
    }


@dataclass(frozen=True, slots=True)
class Answer:
    """Milliseconds by the clock and of the processor, and what came."""

    clock: float
    processor: float
    entries: int
    pages: int


async def ask(world: World, act: Act, wanted: EntryFilter, youth: bytes) -> Answer:
    """Pages until 50 entries are there or the log ends."""
    pages, found, after = 0, 0, -1
    started, worked = time.perf_counter(), time.process_time()
    while True:
        page = await world.read_log(act, wanted=wanted, after=after, youth=youth)
        pages, found, after = pages + 1, found + len(page.entries), page.next_after_index
        if after == -1 or found >= 50:
            took, processor = time.perf_counter() - started, time.process_time() - worked
            return Answer(took * 1000, processor * 1000, found, pages)


async def read_words(world: World, finding: Finding) -> dict[str, float]:
    """The words of the whole log are read in; how long it took and what it needs."""
    before, started = children_mb(), time.perf_counter()
    await finding.attach(world.class_keys, lambda: None)
    while await finding.read_in() < world.size():
        pass
    return {"seconds": round(time.perf_counter() - started, 1), "mb": round(children_mb() - before, 1)}


def children_mb() -> float:
    """Memory that the processes hold which this one began."""
    children = Path("/proc/self/task", str(os.getpid()), "children").read_text().split()
    pages = [int(Path("/proc", each, "statm").read_text().split()[1]) for each in children]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(directory: Path, finding: Finding, count: int, rounds: int) -> dict[str, object]:
    """Every round of every question."""
    world = World(directory, finding)
    await world.youth_keys.prepare(SF, [HANDLE])
    rate = await fill(world, count)
    words = await read_words(world, finding)
    print(f"words of {count} entries read in within {words['seconds']} s, {words['mb']} MB", flush=True)
    results = {}
    for name, (act, wanted, youth) in questions(world).items():
        answers = [await ask(world, act, wanted, youth) for _ in range(rounds)]
        clock, processor = [each.clock for each in answers], [each.processor for each in answers]
        found, many = answers[-1].entries, answers[-1].pages
        met = max(clock) <= BAR_MS
        results[name] = {
            "entries": found,
            "pages": many,
            "met": met,
            "ms": [round(each, 2) for each in clock],
            "processor_ms": [round(each, 2) for each in processor],
        }
        print(f"{name:<48} {statistics.median(clock):7.1f} ms median {max(clock):7.1f} slowest "
              f"{statistics.median(processor):7.1f} of the processor  "
              f"{found:>4} entries in {many} page{'s' if many != 1 else ''}, "
              f"bar of {BAR_MS} ms {'met' if met else 'MISSED'}", flush=True)  # fmt: skip
    await world.close()
    finding.close()
    return {"entries": count, "rounds": rounds, "appends_per_second": round(rate), "words": words, "questions": results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--directory", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        finding = Finding.begin(World.database(Path(directory)))
        measured = asyncio.run(measure(Path(directory), finding, given.entries, given.rounds))
    measured |= {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    if given.out is not None:
        given.out.write_text(json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
