"""Identity rows to clients: one per number, whatever the rows repeat.

Decides: the first row's name is the name on record and other names become aliases; the first readable birth date
counts; the strictest limited-access code counts (N < S < R, DOMAIN §2.2) and an unknown one seals; a youth left out by
a rule in any row is left out. Nothing here leaves the machine.
"""

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from adapters.mapping import fields
from adapters.mapping.config import ClientMapping
from adapters.mapping.drafts import Client
from adapters.mapping.fields import NotReadable
from adapters.mapping.ledger import Ledger, Place
from adapters.records import LocalSubjectId, PersonName, Restriction, YouthIdentity
from adapters.sources.port import Row

OLDEST_YEARS: Final = 30
"""Nobody in care is older; extended care ends at 21, and records of adults may ask for their own."""
_STRICTNESS: Final = (Restriction.NONE, Restriction.SENSITIVE, Restriction.SEALED)


@dataclass(slots=True)
class _Gathered:
    name: PersonName | None = field(default=None, repr=False)
    aliases: dict[PersonName, None] = field(default_factory=dict, repr=False)
    birth_date: date | None = field(default=None, repr=False)
    estimated: bool = False
    ssn4: str | None = field(default=None, repr=False)
    postcode: str | None = field(default=None, repr=False)
    house_number: str | None = field(default=None, repr=False)
    restriction: Restriction = Restriction.NONE
    is_nmd: bool = False
    marks: set[str] = field(default_factory=set)


class ClientReader:
    """Gathers the identity rows of one run."""

    def __init__(self, mapping: ClientMapping, ledger: Ledger, *, today: date) -> None:
        self._mapping = mapping
        self._ledger = ledger
        self._today = today
        self._gathered: dict[LocalSubjectId, _Gathered] = {}
        self.left_out: set[LocalSubjectId] = set()
        """Youths that a rule of the county leaves out; their other rows go the same way."""

    def take(self, row: Row) -> None:
        """The row is taken into account."""
        mapping = self._mapping
        subject = LocalSubjectId(fields.text_of(row.cells[mapping.key]))
        if not subject:
            self._find("001", row, mapping.key)
            return
        if self._is_left_out(subject, row):
            return
        known = self._gathered.setdefault(subject, _Gathered())
        # Before anything can refuse the row: a limit counts even where the name beside it is missing.
        self._limits(known, row)
        name = PersonName(fields.text_of(row.cells[mapping.first_name]), fields.text_of(row.cells[mapping.last_name]))
        if not name.given_name or not name.surname:
            self._find("002", row, mapping.last_name if name.given_name else mapping.first_name)
            return
        known.name = known.name or name
        if name != known.name and name not in known.aliases:
            self._find("005", row, mapping.last_name)
            known.aliases[name] = None
        self._names(known, known.name, row)
        self._birth(known, row)
        self._details(known, row)

    def clients(self) -> dict[LocalSubjectId, Client]:
        """Every youth, in the order of the rows."""
        return {
            subject: _client(known, known.name)
            for subject, known in self._gathered.items()
            if subject not in self.left_out and known.name is not None
        }

    def _is_left_out(self, subject: LocalSubjectId, row: Row) -> bool:
        for rule in self._mapping.drop_if:
            if fields.is_true(row, rule):
                self._find("020", row, rule.column, because=rule.because)
                self.left_out.add(subject)
        return subject in self.left_out

    def _names(self, known: _Gathered, name: PersonName, row: Row) -> None:
        for column in self._mapping.alias_columns:
            surname = fields.text_of(row.cells[column])
            if surname:
                known.aliases.setdefault(PersonName(name.given_name, surname))
        for pair in self._mapping.aliases:
            first = fields.text_of(row.cells[pair.first_name]) if pair.first_name else ""
            last = fields.text_of(row.cells[pair.last_name]) if pair.last_name else ""
            if first or last:
                known.aliases.setdefault(PersonName(first or name.given_name, last or name.surname))

    def _birth(self, known: _Gathered, row: Row) -> None:
        column = self._mapping.birth_date
        try:
            born = fields.day(row.cells[column.column], column)
        except NotReadable:
            born = None
        if born is None:
            self._find("003", row, column.column)
        elif born > self._today or born.year < self._today.year - OLDEST_YEARS:
            self._find("004", row, column.column)
        elif known.birth_date is None:
            known.birth_date = born
            estimated = self._mapping.birth_date_estimated
            known.estimated = estimated is not None and fields.is_true(row, estimated)
        elif known.birth_date != born:
            self._find("006", row, column.column)

    def _details(self, known: _Gathered, row: Row) -> None:
        mapping = self._mapping
        for column, read, name in (
            (mapping.ssn4, fields.last_four, "ssn4"),
            (mapping.postcode, fields.postcode, "postcode"),
            (mapping.house_number, fields.house_number, "house_number"),
        ):
            if column is None or getattr(known, name) is not None:
                continue
            try:
                setattr(known, name, read(row.cells[column]))
            except NotReadable:
                self._find("008", row, column)

    def _limits(self, known: _Gathered, row: Row) -> None:
        mapping = self._mapping
        known.is_nmd = known.is_nmd or (mapping.nmd is not None and fields.is_true(row, mapping.nmd))
        known.marks.update(name for name, condition in mapping.marks.items() if fields.is_true(row, condition))
        if mapping.restriction is None:
            return
        cell = row.cells[mapping.restriction.column]
        try:
            found = fields.coded(cell, mapping.restriction.map)
        except NotReadable:
            found = None
        if found is None:
            self._find("007", row, mapping.restriction.column, value=fields.text_of(cell))
            found = Restriction.SEALED
        known.restriction = max(known.restriction, found, key=_STRICTNESS.index)

    def _find(
        self, number: str, row: Row, column: str, *, value: str | None = None, because: str | None = None
    ) -> None:
        self._ledger.find(
            f"IDN-{number}",
            self._mapping.from_,
            Place.of(row),
            column=column,
            value=value,
            because=because,
        )


def _client(known: _Gathered, name: PersonName) -> Client:
    aliases = tuple(alias for alias in known.aliases if alias != name)
    return Client(
        YouthIdentity(
            given_name=name.given_name,
            surname=name.surname,
            birth_date=known.birth_date,
            aliases=aliases,
            ssn4=known.ssn4,
            postcode=known.postcode,
            house_number=known.house_number,
            birth_date_estimated=known.estimated,
        ),
        known.restriction,
        known.is_nmd,
        frozenset(known.marks),
    )
