"""Who takes the rows of which source, and what they have gathered when the rows are over.

Decides that a row goes to every mapping that reads its source, that a row whose draft is refused is counted against its
youth, and that rows of unknown youths fall away. Does not read cells (`readers`) or put drafts together (`map_rows`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import Generic, Protocol, TypeVar

from adapters.mapping.clients import ClientReader
from adapters.mapping.config import IdentityMapping, RecordMappings
from adapters.mapping.drafts import AbsenceDraft, Client, ContactDraft, EpisodeDraft, PlacementDraft
from adapters.mapping.fields import text_of
from adapters.mapping.ledger import Ledger, Place
from adapters.mapping.readers import Refused, RowReader, read_absence, read_contact, read_episode, read_placement
from adapters.mapping.sequence import Sequencer
from adapters.records import LocalSubjectId
from adapters.sources.port import Row


class Draft(Protocol):
    """What all drafts have in common."""

    @property
    def subject(self) -> LocalSubjectId: ...

    @property
    def place(self) -> Place: ...


D = TypeVar("D", bound=Draft)


class Drafts(Generic[D]):
    """The rows of one mapping as drafts, by youth."""

    def __init__(self, source: str, family: str, ledger: Ledger, read: Callable[[RowReader], D], subject: str) -> None:
        self.source = source
        self.family = family
        self.ledger = ledger
        self.refused: Counter[LocalSubjectId] = Counter()
        """Rows of a youth that made no record."""
        self._read = read
        self._subject = subject
        self.drafts: dict[LocalSubjectId, list[D]] = {}

    def take(self, row: Row) -> None:
        """The row becomes a draft or a finding."""
        reader = RowReader(row, source=self.source, family=self.family, ledger=self.ledger)
        try:
            draft = self._read(reader)
        except Refused:
            if not reader.left_out_by_rule:
                self.refused[LocalSubjectId(text_of(row.cells[self._subject]))] += 1
            return
        self.drafts.setdefault(draft.subject, []).append(draft)

    def of(self, subject: LocalSubjectId) -> Sequence[D]:
        """The youth's drafts, in the order of the rows."""
        return self.drafts.get(subject, ())

    def sequencer(self) -> Sequencer:
        """Puts the drafts of one youth in order."""
        return Sequencer(self.ledger, self.source, self.family)

    def keep_known(self, clients: Mapping[LocalSubjectId, Client], left_out: Set[LocalSubjectId], code: str) -> None:
        """Only drafts of known youths remain. Those of youths left out by a rule go without a finding of their own."""
        for subject in [subject for subject in self.drafts if subject not in clients]:
            for draft in self.drafts.pop(subject):
                if subject not in left_out:
                    self.ledger.find(code, self.source, draft.place)


@dataclass(frozen=True, slots=True)
class Intakes:
    """Everybody who takes rows in one run."""

    clients: ClientReader
    client_source: str
    placements: Drafts[PlacementDraft] | None
    episodes: Drafts[EpisodeDraft] | None
    absences: Drafts[AbsenceDraft] | None
    contacts: Drafts[ContactDraft] | None

    def takers(self, source: str) -> list[Callable[[Row], None]]:
        """Who reads the source's rows; identity first."""
        found: list[Callable[[Row], None]] = [self.clients.take] if source == self.client_source else []
        others = (self.placements, self.episodes, self.absences, self.contacts)
        found.extend(intake.take for intake in others if intake is not None and intake.source == source)
        return found


def intakes(identity: IdentityMapping, records: RecordMappings | None, ledger: Ledger, today: date) -> Intakes:
    """Takers for the mappings of a county's file."""
    client = identity.client
    placement = records.placement if records else None
    episode = records.episode if records else None
    missing = records.missing_episode if records else None
    contact = records.contact if records else None
    return Intakes(
        ClientReader(client, ledger, today=today),
        client.from_,
        Drafts(placement.from_, "PLC", ledger, lambda reader: read_placement(reader, placement), placement.subject)
        if placement
        else None,
        Drafts(episode.from_, "EPS", ledger, lambda reader: read_episode(reader, episode, today=today), episode.subject)
        if episode
        else None,
        Drafts(missing.from_, "MIS", ledger, lambda reader: read_absence(reader, missing), missing.subject)
        if missing
        else None,
        Drafts(contact.from_, "CON", ledger, lambda reader: read_contact(reader, contact), contact.subject)
        if contact
        else None,
    )
