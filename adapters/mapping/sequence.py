"""Rows of one youth to a history without contradictions.

Decides, for placements and for episodes alike: one record per id, the later row of the extract counting; sorted by
first day; where two overlap, the earlier ends on the day the later starts; where both start on one day, the later row
counts. So at most the last can be open. A day shared by end and start is no overlap: a move happens on one day.

The rule is the same for an end that was never entered (the usual fault) and for a stay inside another (respite during
a placement): guessing which one it is would invent a placement. Every change is a finding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar

from adapters.mapping.drafts import EpisodeDraft, Home, PlacementDraft, Span
from adapters.mapping.ledger import Ledger
from adapters.records import (
    CountyFips,
    ExitGroup,
    OutOfHomeEpisode,
    Placement,
    SettingCode,
    masked_code,
)

S = TypeVar("S", bound=Span)


class Sequencer:
    """Puts the rows of one source in order; `refused` counts the rows of the youth that were lost."""

    def __init__(self, ledger: Ledger, source: str, family: str) -> None:
        self._ledger = ledger
        self._source = source
        self._family = family
        self.refused = 0

    def in_order(self, drafts: Iterable[S]) -> list[S]:
        """The drafts sorted, not overlapping, only the last one open."""
        spans = self._one_per_id(drafts)
        spans.sort(key=lambda span: (span.start, span.end or date.max, span.place.number))
        done: list[S] = []
        for span in spans:
            if done and _overlap(done[-1], span):
                earlier = done.pop()
                if earlier.start == span.start:
                    span = self._later_row(earlier, span)
                else:
                    self._ledger.find(f"{self._family}-022", self._source, earlier.place)
                    done.append(replace(earlier, end=span.start))
            done.append(span)
        return done

    def _one_per_id(self, drafts: Iterable[S]) -> list[S]:
        kept: dict[tuple[str, ...], S] = {}
        for draft in drafts:
            earlier = kept.get(draft.local_id)
            if earlier is not None and replace(earlier, place=draft.place) != draft:
                kept[draft.local_id] = self._later_row(earlier, draft)
            elif earlier is not None:
                self._ledger.find(f"{self._family}-021", self._source, draft.place)
            else:
                kept[draft.local_id] = draft
        return list(kept.values())

    def _later_row(self, one: S, other: S) -> S:
        lost, kept = sorted((one, other), key=lambda span: span.place.number)
        self._ledger.find(f"{self._family}-023", self._source, lost.place)
        self.refused += 1
        return kept


def _overlap(earlier: Span, later: Span) -> bool:
    return earlier.end is None or earlier.end > later.start


def derived_episodes(placements: Sequence[PlacementDraft], *, gap: timedelta, today: date) -> list[EpisodeDraft]:
    """Episodes where the county names none: placements in order, parted by gaps longer than `gap`.

    A removal is the first placement's first day. The last episode has an exit only when its last placement ended longer
    than `gap` ago: a youth between placements, or missing from one, is still in care.
    """
    chains: list[list[PlacementDraft]] = []
    for placement in placements:
        end = chains[-1][-1].end if chains else None
        if end is not None and placement.start - end <= gap:
            chains[-1].append(placement)
        else:
            chains.append([placement])
    return [_derived(chain, exited=chain is not chains[-1] or _long_ago(chain[-1].end, gap, today)) for chain in chains]


def _long_ago(end: date | None, gap: timedelta, today: date) -> bool:
    return end is not None and today - end > gap


def _derived(chain: list[PlacementDraft], *, exited: bool) -> EpisodeDraft:
    first, last = chain[0], chain[-1]
    return EpisodeDraft(
        subject=first.subject,
        local_id=first.local_id,
        place=first.place,
        start=first.start,
        end=last.end if exited else None,
        exit_group=None,
        court_county=None,
    )


def assemble(
    episodes: Sequence[EpisodeDraft],
    placements: Sequence[PlacementDraft],
    *,
    home: Home,
    rare: frozenset[SettingCode],
    ledger: Ledger,
    source: str,
) -> tuple[tuple[OutOfHomeEpisode, ...], int]:
    """Episodes with their placements, and the number of placement rows that fit none. Both inputs are in order."""
    held: dict[int, list[PlacementDraft]] = {number: [] for number in range(len(episodes))}
    lost = 0
    for placement in placements:
        number = _episode_of(placement, episodes)
        if number is None:
            ledger.find("PLC-008", source, placement.place)
            lost += 1
        else:
            held[number].append(_within(placement, episodes[number], ledger, source))
            ledger.made(source)
    made = tuple(
        _episode(draft, held[number], home=home, rare=rare, ledger=ledger, source=source)
        for number, draft in enumerate(episodes)
    )
    return made, lost


def _episode_of(placement: PlacementDraft, episodes: Sequence[EpisodeDraft]) -> int | None:
    """The last episode that had begun; on the day of an exit and a new removal, the new one."""
    for number in range(len(episodes) - 1, -1, -1):
        episode = episodes[number]
        if episode.start <= placement.start:
            return number if episode.end is None or placement.start <= episode.end else None
    return None


def _within(placement: PlacementDraft, episode: EpisodeDraft, ledger: Ledger, source: str) -> PlacementDraft:
    if episode.end is None or (placement.end is not None and placement.end <= episode.end):
        return placement
    ledger.find("PLC-009", source, placement.place)
    return replace(placement, end=episode.end)


def _episode(
    draft: EpisodeDraft,
    placements: Sequence[PlacementDraft],
    *,
    home: Home,
    rare: frozenset[SettingCode],
    ledger: Ledger,
    source: str,
) -> OutOfHomeEpisode:
    made = []
    for number, placement in enumerate(placements, start=1):
        code = masked_code(placement.setting.group, placement.setting.code)
        if code in rare:
            ledger.find("PLC-025", source, placement.place)
            code = None
        made.append(
            Placement(
                seq=number,
                start_date=placement.start,
                end_date=placement.end,
                setting_group=placement.setting.group,
                setting_code=code,
                placement_county=placement.county,
                caregiver_relationship_group=placement.caregiver,
                move_reason_group=placement.reason,
            )
        )
    court: CountyFips = draft.court_county or home.court_county
    exit_group = draft.exit_group or ExitGroup.OTHER if draft.end is not None else None
    return OutOfHomeEpisode(
        removal_date=draft.start,
        exit_date=draft.end,
        exit_group=exit_group,
        court_county=court,
        responsible_agency=home.agency,
        placements=tuple(made),
    )
