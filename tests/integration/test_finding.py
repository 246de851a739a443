"""The process that knows the words of a log: it keeps up with the log, says how far it reaches, and may end."""

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import asyncio, os, signal, sqlite3, sys
from pathlib import Path
from gateway.errors import Unavailable
from gateway.exchange.concordance import REQUESTER
from gateway.finding import Finding
from tests.unit.exchange.members import LA, SF, Youth, officer
from tests.unit.exchange.world import World
from audit.entry import check_openings
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1.link_pb2 import OwnEntriesQuery

place = Path(sys.argv[1])
finding = Finding.begin(World.database(place))
OWN = Youth("Own Invented")

async def asked():
    await world.register(LA, OWN)
    await world.all_current()
    await world.check_flag(LA, OWN)

async def shown():
    page = await world.read_log(officer(LA), wanted=EntryFilter(purpose="MFC_HANDOFF"))
    print(len(page.entries), page.next_after_index)

async def everything():
    async with asyncio.timeout(30):
        while True:
            found, reached = await finding.find(([[(REQUESTER, LA, True)]], []), 0, 1 << 40, limit=1000)
            if reached == world.size():
                return found
            await asyncio.sleep(0.05)

async def main():
    global world
    world, ended = World(place, finding), []
    await finding.attach(world.class_keys, lambda: ended.append(True))
    keeping = asyncio.create_task(finding.run(world.size))
    {body}
    keeping.cancel()

asyncio.run(main())
"""


UNREAD = "what an agency asked of its own entries cannot be read\n"


def run(place: Path, body: str, *, said: str = "") -> str:
    """What a program prints whose `main` goes on like this, and that `said` is all it logs."""
    text = _PROGRAM.replace("{body}", body.strip().replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, "-c", text, place], capture_output=True, text=True, timeout=90, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, said)
    return done.stdout


def test_it_keeps_up_with_the_log_and_answers_a_reader(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
await asked()
before = await everything()
await world.check_flag(LA, OWN)
print(len(await everything()) - len(before))
await shown()
""",
    )
    assert printed == "1\n2 -1\n"


def test_a_reader_is_answered_before_anything_is_read_in(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
keeping.cancel()
await asked()
print(await finding.find(([[(REQUESTER, LA, True)]], []), 0, world.size(), limit=9))
await shown()
""",
    )
    assert printed == "([], 0)\n1 -1\n"


def test_it_shows_an_agency_its_own_entries_and_nothing_of_others(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
await asked()
query = OwnEntriesQuery(tree_size=world.size())
shown = await finding.own_entries(LA, query)
for each in shown.entries:
    check_openings(each.entry.leaf, each.entry.digests, each.entry.openings)
print({o.name for each in shown.entries for o in each.entry.openings}, len(shown.entries) > 0, shown.more)
print(len((await finding.own_entries(SF, query)).entries) < len(shown.entries))
print(await finding.own_entries(LA, OwnEntriesQuery(tree_size=world.size() + 1)))
""",
    )
    names, *rest = printed.splitlines()
    assert sorted(names.split("}")[0].strip("{").split(", ")) == ["'prev'", "'seq'"]
    assert (names.endswith("True False"), rest) == (True, ["True", "None"])


def test_a_log_that_cannot_be_read_shows_nobody_anything_and_ends_nothing(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
await asked()
query = OwnEntriesQuery(tree_size=world.size())
changed = sqlite3.connect(World.database(place))
changed.execute("UPDATE log_entry SET box_req = zeroblob(40), box_hold = zeroblob(40)")
changed.commit()
try:
    await finding.own_entries(LA, query)
except Unavailable as refused:
    print(refused.reason)
print(ended)
""",
        said=UNREAD,
    )
    assert printed == "LOG_UNAVAILABLE\n[]\n"


def test_numbers_that_no_log_has_end_nothing(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
await asked()
most = (1 << 63) - 1
for start, size in ((most, world.size()), (0, most), (most, most), (-most, world.size()), (0, 0), (0, -1)):
    shown = await finding.own_entries(LA, OwnEntriesQuery(tree_size=size, start_index=start))
    print(None if shown is None else len(shown.entries) > 0, end=" ")
print(ended)
""",
    )
    assert printed == "False None None True False False []\n"


def test_whoever_asks_is_told_when_it_has_ended(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        """
os.kill(finding.pid, signal.SIGKILL)
try:
    await everything()
except Unavailable as refused:
    print(refused.reason)
print(ended)
""",
    )
    assert printed == "NOT_READY\n[True]\n"
