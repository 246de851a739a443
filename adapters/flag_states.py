"""What of this agency's flags wants somebody's attention, as the adapter's status tells it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from adapters.node.duties import OwnDuties
from adapters.node.flags import OwnFlags
from adapters.node.identifiers import timestamp
from adapters.node.present import Presenter
from adapters.node.store import Store
from homeward.county.v1.access_pb2 import FlagDue, OverdueDuty, PresentingState


def presenting(presenter: Presenter) -> PresentingState | None:
    """What is left of presenting again what a declared loss took; None where nothing is."""
    left = presenter.left()
    return None if left is None else PresentingState(**asdict(left))


def due_flags(flags: OwnFlags, now: datetime) -> Sequence[FlagDue]:
    """Open flags that this agency must re-affirm or end."""
    return [FlagDue(flag_id=flag.flag_id, expire_time=timestamp(flag.expires)) for flag in flags.due(now)]


def overdue_duties(store: Store, now: datetime) -> Sequence[OverdueDuty]:
    """Reporting duties that this agency should have done."""
    return [
        OverdueDuty(flag_id=each.flag_id, duty=each.duty, due_time=timestamp(each.due))  # type: ignore[arg-type]
        for each in OwnDuties(store).overdue(now)
    ]
