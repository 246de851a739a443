"""Which field set covers each field of a sealed answer: one table, read by both sides.

The source builds nothing that its grant does not cover, and the requester refuses an answer that holds more than was
granted (ARCHITECTURE §3 step 14). Decides coverage; not what is granted.
"""

from collections.abc import Collection, Iterator
from typing import Final

from google.protobuf.message import Message

from gateway.protocol.names import FieldSet
from homeward.gateway.v1.records_pb2 import RecordAnswer

_FS2: Final = frozenset({FieldSet.FS2_FLAG_LOCATE, FieldSet.FS3_FLAG_CASEWORK})
_FS3: Final = frozenset({FieldSet.FS3_FLAG_CASEWORK})
_FS4: Final = frozenset({FieldSet.FS4_PLACEMENT_SUMMARY, FieldSet.FS5_PLACEMENT_DETAIL})
_FS5: Final = frozenset({FieldSet.FS5_PLACEMENT_DETAIL})
_FS6: Final = frozenset({FieldSet.FS6_JURISDICTION_CONTACT})

COVERED_BY: Final[dict[str, frozenset[FieldSet]]] = {
    "flag_locate": _FS2,
    "flag_casework": _FS3,
    "placement_history": _FS4,
    "placement_history.shelter_day_count": _FS5,
    "placement_history.episodes.exit_date": _FS5,
    "placement_history.episodes.exit_group": _FS5,
    "placement_history.episodes.placements.setting_code": _FS5,
    "placement_history.episodes.placements.caregiver_relationship_group": _FS5,
    "placement_history.episodes.placements.move_reason_group": _FS5,
    "jurisdiction_contact": _FS6,
}
"""Field sets of which one suffices. A field that is not listed is covered with the message it stands in."""

ENVELOPE: Final = frozenset(
    {"request_digest", "field_sets", "withheld", "data_as_of_time", "page", "more_pages", "mode", "padding"}
)
"""Fields that say something about the answer, not about the youth."""


def uncovered(answer: RecordAnswer, granted: Collection[FieldSet]) -> tuple[str, ...]:
    """Paths of the fields that are set and that no granted field set covers; empty for a proper answer.

    A second out-of-home episode counts as `placement_history.episodes`: FS4 holds the current one alone. A field that
    is neither in the table nor part of the envelope is covered by nothing.
    """
    found = {path for path in _paths(answer, "") if not _is_covered(path, granted)}
    several = len(answer.placement_history.episodes) > 1
    if several and FieldSet.FS5_PLACEMENT_DETAIL not in granted:
        found.add("placement_history.episodes")
    return tuple(sorted(found))


def _is_covered(path: str, granted: Collection[FieldSet]) -> bool:
    if path.partition(".")[0] in ENVELOPE:
        return True
    rules = [sets for prefix, sets in COVERED_BY.items() if path == prefix or path.startswith(prefix + ".")]
    return bool(rules) and all(not sets.isdisjoint(granted) for sets in rules)


def _paths(message: Message, prefix: str) -> Iterator[str]:
    for descriptor, value in message.ListFields():
        path = prefix + descriptor.name
        yield path
        if descriptor.message_type is not None:
            for item in value if descriptor.is_repeated else (value,):
                yield from _paths(item, path + ".")
