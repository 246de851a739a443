"""Questions whose answers hide something, and what was decided of them."""

from gateway.exchange.journal import Kind
from gateway.protocol.names import Restriction
from homeward.gateway.v1.codes_pb2 import OUTCOME_NO_DISCLOSABLE_RECORD, OUTCOME_UNDETERMINED
from homeward.gateway.v1.link_pb2 import WORK_STATUS_REFUSED, WorkOrder, WorkResult
from tests.unit.exchange.members import LA, SF, Youth
from tests.unit.exchange.surroundings import Leaf
from tests.unit.exchange.world import World

ANA = Youth("Ana Invented")
SEALED, SENSITIVE, UNKNOWN = (Youth(f"{name} Invented") for name in ("Sealed", "Sensitive", "Unknown"))


async def negatives(world: World, *, current: bool = True) -> None:
    """Los Angeles asks San Francisco for three youths it may not know of, and for one nobody knows."""
    await world.register(SF, SEALED, restriction=Restriction.SEALED)
    await world.register(SF, SENSITIVE, restriction=Restriction.SENSITIVE)
    await world.register(SF, ANA)
    if current:
        await world.all_current()
    world.sources.answer = refuse
    for youth in (SEALED, SENSITIVE, ANA, UNKNOWN):
        answer = await world.ask_records(LA, youth)
        assert answer.outcome == (OUTCOME_NO_DISCLOSABLE_RECORD if current else OUTCOME_UNDETERMINED)
    for youth in (SEALED, SENSITIVE, UNKNOWN):
        await world.check_flag(LA, youth)


def refuse(_: object, order: WorkOrder) -> WorkResult:
    return WorkResult(work_id=order.work_id, status=WORK_STATUS_REFUSED)


async def record_calls(world: World) -> list[Leaf]:
    """Decisions of calls of Los Angeles for a record."""
    decided = [leaf for leaf in await world.leaves() if leaf.kind == Kind.DECISION and leaf.entry.requester == LA]
    return [leaf for leaf in decided if leaf.op["outcome"] != "NO_ACTIVE_FLAG_FOUND"]
