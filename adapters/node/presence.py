"""Which field sets an answer actually shows, read from its fields and from nothing it says about itself. Pure.

Decides the lowest set that may carry each field (DOMAIN §2.5), so that a requester can refuse an answer that shows
more than was granted. What of a placement history is not named here as summary is detail, so that a field somebody adds
is refused where only the summary was granted.
"""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from gateway.protocol.names import FieldSet
from homeward.gateway.v1.records_pb2 import OutOfHomeEpisode, Placement, PlacementHistory, RecordAnswer

_SUMMARY: Final[dict[type[Message], frozenset[str]]] = {
    PlacementHistory: frozenset({"episodes"}),
    OutOfHomeEpisode: frozenset({"removal_date", "placements", "placement_count", "open_placement"}),
    Placement: frozenset({"sequence", "start_date", "end_date", "setting_group", "placement_county"}),
}


def field_sets_present(answer: RecordAnswer) -> frozenset[FieldSet]:
    """Field sets of which the answer shows at least one field."""
    present = set()
    if answer.HasField("flag_locate"):
        present.add(FieldSet.FS2_FLAG_LOCATE)
    if answer.HasField("flag_casework"):
        present.add(FieldSet.FS3_FLAG_CASEWORK)
    if answer.HasField("jurisdiction_contact"):
        present.add(FieldSet.FS6_JURISDICTION_CONTACT)
    if answer.HasField("placement_history"):
        present.add(FieldSet.FS4_PLACEMENT_SUMMARY)
        if _has_detail(answer.placement_history):
            present.add(FieldSet.FS5_PLACEMENT_DETAIL)
    return frozenset(present)


def _has_detail(history: PlacementHistory) -> bool:
    # FS4 is the current episode and no other.
    return len(history.episodes) > 1 or any(_shows_detail(part) for part in _parts(history))


def _parts(history: PlacementHistory) -> Iterator[Message]:
    yield history
    for episode in history.episodes:
        yield episode
        yield from episode.placements


def _shows_detail(part: Message) -> bool:
    return any(field.name not in _SUMMARY[type(part)] for field, _ in part.ListFields())
