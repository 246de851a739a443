"""Rows of all sources to youths: the one way from a county's data to canonical records.

    1  every row of every source goes to each mapping that reads it           (clients, readers)
    2  rows of youths nobody knows, or whom a rule leaves out, fall away
    3  each placement is checked alone and with its youth                      (drafts)
    4  the rows of one youth become a history without contradictions           (sequence)
    5  absences lie over the history, never in it (DOMAIN §0.4)

Rows are taken once, in the order given. A bad row is refused or poorer by a value, under its rule, and counted; the
rest is served. Nothing in a cell makes this raise; a source that refuses as a whole (`SourceRefused`) ends the run, and
the caller keeps what it had. The clock is not read: `today` is the county's day.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from adapters.mapping.config import IdentityMapping, RecordMappings
from adapters.mapping.drafts import (
    PLACEMENT_CHECKS,
    AbsenceDraft,
    Client,
    Home,
    PlacementDraft,
)
from adapters.mapping.intake import Drafts, Intakes
from adapters.mapping.intake import intakes as takers_of
from adapters.mapping.ledger import Ledger
from adapters.mapping.release import SEALED_MARK, SENSITIVE_MARK, ReleaseRules
from adapters.mapping.sequence import assemble, derived_episodes
from adapters.records import (
    RARE_CODE_MINIMUM,
    RARE_CODES,
    AbsenceCategory,
    AgencyId,
    CountyFips,
    JurisdictionContact,
    LocalSubjectId,
    MissingEpisode,
    OutOfHomeEpisode,
    OutOfState,
    Restriction,
    SettingCode,
    SettingGroup,
    Youth,
)
from adapters.sources.port import Row, UnreadableRow

_MARK_OF: Final = {Restriction.SEALED: SEALED_MARK, Restriction.SENSITIVE: SENSITIVE_MARK}


@dataclass(frozen=True, slots=True)
class Mapped:
    """Youths in the order of the identity rows, and what was found on the way."""

    youths: tuple[Youth, ...]
    ledger: Ledger


def map_rows(
    readings: Mapping[str, Iterable[Row | UnreadableRow]],
    *,
    identity: IdentityMapping,
    records: RecordMappings | None,
    release: ReleaseRules,
    today: date,
) -> Mapped:
    """Every youth of the readings, by source name. Raises only what a reading raises (`SourceRefused`)."""
    ledger = Ledger()
    intakes = takers_of(identity, records, ledger, today)
    for source, items in readings.items():
        takers = intakes.takers(source)
        for item in items:
            if isinstance(item, UnreadableRow):
                ledger.find(item.code, source, item, column=item.column)
                continue
            for take in takers:
                take(item)
    return Mapped(_Assembly(intakes, records, release, ledger, today).youths(), ledger)


class _Assembly:
    """Drafts to youths, once all rows are taken."""

    def __init__(
        self, intakes: Intakes, records: RecordMappings | None, release: ReleaseRules, ledger: Ledger, today: date
    ) -> None:
        self._intakes = intakes
        self._records = records
        self._release = release
        self._ledger = ledger
        self._today = today
        self._clients = intakes.clients.clients()
        left_out = intakes.clients.left_out
        for intake, code in (
            (intakes.placements, "PLC-002"),
            (intakes.episodes, "EPS-002"),
            (intakes.absences, "MIS-002"),
            (intakes.contacts, "CON-001"),
        ):
            if intake is not None:
                intake.keep_known(self._clients, left_out, code)
        self._rare = _rare_codes(intakes.placements)

    def youths(self) -> tuple[Youth, ...]:
        """Every known youth."""
        made = []
        for subject, client in self._clients.items():
            self._ledger.made(self._intakes.client_source)
            made.append(self._youth(subject, client))
        return tuple(made)

    def _youth(self, subject: LocalSubjectId, client: Client) -> Youth:
        placements, from_rows, unusable = self._placements(subject, client)
        episodes, lost = self._episodes(subject, placements)
        absences = self._absences(subject, from_rows, episodes)
        return Youth(
            local_id=subject,
            identity=client.identity,
            episodes=episodes,
            missing_episodes=absences,
            jurisdiction=self._contact(subject, episodes),
            restriction=client.restriction,
            is_nmd=client.is_nmd,
            unusable_rows=unusable + lost,
            held_for_human=self._is_held(client),
        )

    def _placements(
        self, subject: LocalSubjectId, client: Client
    ) -> tuple[list[PlacementDraft], list[PlacementDraft], int]:
        """Placements in order, absences told as placements, and the number of rows lost."""
        intake = self._intakes.placements
        if intake is None:
            return [], [], 0
        lost, stays, absences = intake.refused[subject], [], []
        for draft in intake.of(subject):
            fault = next((code for code, check in PLACEMENT_CHECKS if check(draft, client, self._today)), None)
            if fault is not None:
                self._ledger.find(fault, intake.source, draft.place)
                lost += 1
            elif draft.setting.absence is not None:
                self._ledger.find("PLC-024", intake.source, draft.place)
                absences.append(draft)
            else:
                stays.append(_located(draft))
        sequencer = intake.sequencer()
        ordered = sequencer.in_order(stays)
        return ordered, absences, lost + sequencer.refused

    def _episodes(
        self, subject: LocalSubjectId, placements: list[PlacementDraft]
    ) -> tuple[tuple[OutOfHomeEpisode, ...], int]:
        if self._records is None:
            return (), 0
        intake = self._intakes.episodes
        if intake is not None:
            sequencer = intake.sequencer()
            drafts = sequencer.in_order(intake.of(subject))
            lost = intake.refused[subject] + sequencer.refused
            for _ in drafts:
                self._ledger.made(intake.source)
        else:
            drafts, lost = derived_episodes(placements, gap=self._records.new_episode_after, today=self._today), 0
        source = self._intakes.placements.source if self._intakes.placements else ""
        episodes, homeless = assemble(
            drafts, placements, home=_home(self._records), rare=self._rare, ledger=self._ledger, source=source
        )
        return episodes, lost + homeless

    def _absences(
        self, subject: LocalSubjectId, from_rows: list[PlacementDraft], episodes: tuple[OutOfHomeEpisode, ...]
    ) -> tuple[MissingEpisode, ...]:
        kept: dict[tuple[str, ...], MissingEpisode] = {}
        for draft in from_rows:
            kept["placement", *draft.local_id] = _absence_of_placement(draft)
        intake = self._intakes.absences
        if intake is not None:
            for told in intake.of(subject):
                if told.local_id in kept:
                    self._ledger.find("MIS-021", intake.source, told.place)
                else:
                    self._ledger.made(intake.source)
                kept[told.local_id] = _absence(told)
        return tuple(
            _with_setting(absence, episodes)
            for absence in sorted(kept.values(), key=lambda item: (item.missing_since, item.is_open, item.local_id))
        )

    def _contact(self, subject: LocalSubjectId, episodes: tuple[OutOfHomeEpisode, ...]) -> JurisdictionContact | None:
        if self._records is None:
            return None
        home = _home(self._records)
        intake = self._intakes.contacts
        drafts = intake.of(subject) if intake is not None else ()
        court = episodes[-1].court_county if episodes and episodes[-1].court_county else home.court_county
        if not drafts or intake is None:
            return JurisdictionContact(court, home.agency)
        last = drafts[-1]
        self._ledger.made(intake.source)
        return JurisdictionContact(court, home.agency, last.phone, last.transfer_status, last.icpc_status)

    def _is_held(self, client: Client) -> bool:
        hold = self._release.hold_for_human
        if hold is None:
            return False
        return bool(set(hold.when) & (client.marks | {_MARK_OF.get(client.restriction, "")}))


def _home(records: RecordMappings) -> Home:
    return Home(CountyFips(records.jurisdiction.court_county), AgencyId(records.jurisdiction.responsible_agency))


def _rare_codes(placements: Drafts[PlacementDraft] | None) -> frozenset[SettingCode]:
    """Rare codes that fewer youths of the county carry than a count may show (DOMAIN §2.5)."""
    carriers: Counter[SettingCode] = Counter()
    for drafts in placements.drafts.values() if placements else ():
        carriers.update({draft.setting.code for draft in drafts if draft.setting.code is not None})
    return frozenset(code for code in RARE_CODES if carriers[code] < RARE_CODE_MINIMUM)


def _located(draft: PlacementDraft) -> PlacementDraft:
    """A setting in another state says where the placement is, whatever the county column holds."""
    return replace(draft, county=OutOfState.OUT_OF_STATE) if draft.setting.out_of_state else draft


def _absence_of_placement(draft: PlacementDraft) -> MissingEpisode:
    category = draft.setting.absence or AbsenceCategory.UNSPECIFIED_ABSENCE
    return MissingEpisode(
        local_id="/".join(draft.local_id),
        missing_since=draft.start,
        is_open=draft.end is None,
        returned_on=draft.end,
        absence_category=category,
    )


def _absence(draft: AbsenceDraft) -> MissingEpisode:
    return MissingEpisode(
        local_id="/".join(draft.local_id),
        missing_since=draft.missing_since,
        is_open=draft.is_open,
        reported_at=draft.reported_at,
        returned_at=draft.returned_at,
        returned_on=draft.returned_on,
        located_not_returned=draft.located_not_returned,
        absence_category=draft.category,
        missing_from_setting_group=draft.missing_from,
        last_seen_county=draft.last_seen_county,
        resolution_group=draft.resolution,
    )


def _with_setting(absence: MissingEpisode, episodes: tuple[OutOfHomeEpisode, ...]) -> MissingEpisode:
    """Where no column says from where the youth went, the placement of that day does."""
    if absence.missing_from_setting_group is not None:
        return absence
    group: SettingGroup | None = None
    for placement in (placement for episode in episodes for placement in episode.placements):
        if placement.start_date <= absence.missing_since and (
            placement.end_date is None or absence.missing_since <= placement.end_date
        ):
            group = placement.setting_group
    return replace(absence, missing_from_setting_group=group)
