"""Whether a county's file is of an adapter as it joined.

Decides that the two agree about sources: the exchange waits for the list of whoever joined as one with records, and
takes none from anybody else.
"""

from pathlib import Path

from adapters.membership import Membership
from homeward.failure import CommandFailure


def check_sources(membership: Membership, file: Path, *, has_sources: bool) -> None:
    """The county's file has sources exactly if this adapter joined as one that has. Raises ADAPTER-009."""
    if has_sources == membership.has_sources:
        return
    what = "the county's file does not fit how this adapter joined"
    why = "this adapter joined as one without records, and the exchange takes no list from it"
    fix = "ask for another invitation and join again in this directory, with the file in its place and --again"
    if membership.has_sources:
        # It would send no heartbeat: the exchange could tell nobody any more that a youth is unknown.
        why = "it names no sources, and every search waits for an adapter that joined as one with records"
        fix = (
            "name the county's sources; to go on without, have the agency revoked and join again: --no-sources --again"
        )
    raise CommandFailure("ADAPTER-009", what, where=str(file), why=why, fix=fix)
