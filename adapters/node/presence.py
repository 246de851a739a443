"""Which field sets an answer actually shows, read from its fields and from nothing it says about itself. Pure.

Decides the lowest set that may carry each field (DOMAIN §2.5), so that a requester can refuse an answer that shows
more than was granted.
"""

from typing import Final

from gateway.protocol.names import FieldSet
from homeward.gateway.v1.records_pb2 import OutOfHomeEpisode, Placement, PlacementHistory, RecordAnswer

_DETAIL_OF_PLACEMENT: Final = ("setting_code", "caregiver_relationship_group", "move_reason_group")
_DETAIL_OF_EPISODE: Final = ("exit_date", "exit_group")


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
    if len(history.episodes) > 1 or history.shelter_day_count:
        return True
    return any(_episode_has_detail(episode) for episode in history.episodes)


def _episode_has_detail(episode: OutOfHomeEpisode) -> bool:
    return any(getattr(episode, name) for name in _DETAIL_OF_EPISODE) or any(
        _placement_has_detail(placement) for placement in episode.placements
    )


def _placement_has_detail(placement: Placement) -> bool:
    return any(getattr(placement, name) for name in _DETAIL_OF_PLACEMENT)
