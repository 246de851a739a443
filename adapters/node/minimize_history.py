"""FS4 and FS5: the part of a placement history that may leave, cut into pages. Pure.

Decides which episodes and placements, which of their fields, and where a page ends. FS4 is the current episode alone;
FS5 is every episode within the county's lookback. That there may be more before it is said always, so that saying it
means nothing about this youth. A placement is given whole or not: without its last day it would look open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from adapters.mapping.release import PlacementRelease
from adapters.node.record_codes import wire_code
from adapters.node.withholding import Withheld
from adapters.records import OutOfHomeEpisode, Placement, SettingGroup
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import records_pb2 as wire
from homeward.gateway.v1.records_pb2 import PlacementHistory

DEFAULT_PAGE_SIZE: Final = 50
MAX_SHELTER_DAYS: Final = 9999
_NEEDED: Final = frozenset({"start_date", "end_date", "setting_group"})


@dataclass(frozen=True, slots=True)
class History:
    """How much of a history is given."""

    detail: bool
    """FS5 rather than FS4."""
    coded: bool
    """Whether setting codes may be given at all."""
    open_only: bool
    """Whether only the open placement may be given."""
    release: PlacementRelease
    page: int
    page_size: int
    today: date


def placement_history(
    episodes: Sequence[OutOfHomeEpisode], history: History, withheld: Withheld
) -> tuple[PlacementHistory | None, bool]:
    """The page, and whether another follows; None where nothing can be given."""
    if not history.release.record_fields >= _NEEDED:
        withheld.add(wire.RECORD_FIELD_PLACEMENT_SUMMARY, wire.WITHHELD_REASON_COUNTY_RULE)
        return None, False
    chosen = _episodes(episodes, history, withheld)
    if not chosen:
        withheld.add(wire.RECORD_FIELD_PLACEMENT_SUMMARY, wire.WITHHELD_REASON_NOT_RECORDED)
        return None, False
    size = history.page_size or DEFAULT_PAGE_SIZE
    first = (history.page - 1) * size
    message, position = PlacementHistory(), 0
    for episode in chosen:
        placements = _placements(episode, history)
        page = [each for place, each in enumerate(placements, position) if first <= place < first + size]
        if page or (not placements and history.page == 1):
            message.episodes.append(_episode(episode, page, history, withheld))
        position += len(placements)
    if history.detail:
        message.shelter_day_count = _shelter_days(chosen[-1], history.today)
    return message, position > first + size


def _episodes(episodes: Sequence[OutOfHomeEpisode], history: History, withheld: Withheld) -> Sequence[OutOfHomeEpisode]:
    if not history.detail:
        return episodes[-1:] if episodes and episodes[-1].exit_date is None else ()
    withheld.add(wire.RECORD_FIELD_EARLIER_EPISODES, wire.WITHHELD_REASON_COUNTY_RULE)
    starts = history.release.history_starts(history.today)
    return [episode for episode in episodes if episode.exit_date is None or episode.exit_date >= starts]


def _placements(episode: OutOfHomeEpisode, history: History) -> Sequence[Placement]:
    if not history.open_only:
        return episode.placements
    return (episode.open_placement,) if episode.open_placement is not None else ()


def _episode(
    episode: OutOfHomeEpisode, placements: Sequence[Placement], history: History, withheld: Withheld
) -> wire.OutOfHomeEpisode:
    message = wire.OutOfHomeEpisode(
        removal_date=episode.removal_date.isoformat(),
        placement_count=len(_placements(episode, history)),
        open_placement=episode.open_placement is not None,
        placements=[_placement(each, history, withheld) for each in placements],
    )
    if history.detail and episode.exit_date is not None:
        message.exit_date = episode.exit_date.isoformat()
        if episode.exit_group is not None:
            message.exit_group = wire_code(codes.ExitGroup, episode.exit_group)
        else:
            withheld.add(wire.RECORD_FIELD_EXIT_GROUP, wire.WITHHELD_REASON_NOT_RECORDED)
    return message


def _placement(placement: Placement, history: History, withheld: Withheld) -> wire.Placement:
    message = wire.Placement(
        sequence=placement.seq,
        start_date=placement.start_date.isoformat(),
        end_date=placement.end_date.isoformat() if placement.end_date is not None else "",
        setting_group=wire_code(codes.SettingGroup, placement.setting_group),
    )
    released = history.release.record_fields
    if "placement_county" not in released:
        withheld.add(wire.RECORD_FIELD_PLACEMENT_COUNTY, wire.WITHHELD_REASON_COUNTY_RULE)
    elif placement.placement_county is None:
        withheld.add(wire.RECORD_FIELD_PLACEMENT_COUNTY, wire.WITHHELD_REASON_NOT_RECORDED)
    else:
        message.placement_county = placement.placement_county
    if history.detail:
        _add_code(message, placement, history, withheld)
        _add_caregiver(message, placement, history, withheld)
        _add_move(message, placement, history, withheld)
    return message


def _add_code(message: wire.Placement, placement: Placement, history: History, withheld: Withheld) -> None:
    field, code = wire.RECORD_FIELD_SETTING_CODE, placement.setting_code
    if not history.coded:
        withheld.add(field, wire.WITHHELD_REASON_NOT_GRANTED)
    elif "setting_code" not in history.release.record_fields:
        withheld.add(field, wire.WITHHELD_REASON_COUNTY_RULE)
    elif placement.setting_group is SettingGroup.OTHER_SETTING or code is None:
        # One reason for all: were an unknown code told from one that was too rare, the rare one would be known.
        withheld.add(field, wire.WITHHELD_REASON_MASKED)
    else:
        message.setting_code = wire_code(codes.SettingCode, code)


def _add_caregiver(message: wire.Placement, placement: Placement, history: History, withheld: Withheld) -> None:
    field, group = wire.RECORD_FIELD_CAREGIVER_RELATIONSHIP_GROUP, placement.caregiver_relationship_group
    if "caregiver_relationship_group" not in history.release.record_fields:
        withheld.add(field, wire.WITHHELD_REASON_COUNTY_RULE)
    elif placement.setting_group is SettingGroup.OTHER_SETTING or group is None:
        # A respite home has a caregiver and a hospital has none: the relationship would tell them apart.
        withheld.add(field, wire.WITHHELD_REASON_MASKED)
    else:
        message.caregiver_relationship_group = wire_code(codes.CaregiverRelationshipGroup, group)


def _add_move(message: wire.Placement, placement: Placement, history: History, withheld: Withheld) -> None:
    field, group = wire.RECORD_FIELD_MOVE_REASON_GROUP, placement.move_reason_group
    if "move_reason_group" not in history.release.record_fields:
        withheld.add(field, wire.WITHHELD_REASON_COUNTY_RULE)
    elif group is not None:
        message.move_reason_group = wire_code(codes.MoveReasonGroup, group)
    elif placement.end_date is not None:
        withheld.add(field, wire.WITHHELD_REASON_NOT_RECORDED)


def _shelter_days(episode: OutOfHomeEpisode, today: date) -> int:
    """Calendar days of the open shelter stay, its first day included; 0 when there is none."""
    stay = episode.open_placement
    if stay is None or stay.setting_group is not SettingGroup.TEMPORARY_SHELTER:
        return 0
    return min(max((today - stay.start_date).days + 1, 0), MAX_SHELTER_DAYS)
