"""One row to one draft, field by field.

Decides what an unreadable cell costs: the whole record where the answer would become untrue without it (a start, an
end, a status), the value where it only becomes poorer (a county, a reason). A code outside its map costs what the
map's `unknown` says. Rows are untrusted; every fault goes to the ledger under its rule and nothing else is raised.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Protocol, TypeVar

from adapters.mapping import fields
from adapters.mapping.config import (
    ContactMapping,
    CountyColumn,
    DateColumn,
    DropRule,
    EpisodeMapping,
    FacilityColumn,
    MissingMapping,
    MissingStatus,
    PlacementMapping,
    Unknown,
)
from adapters.mapping.drafts import AbsenceDraft, ContactDraft, EpisodeDraft, PlacementDraft
from adapters.mapping.fields import NotReadable
from adapters.mapping.ledger import Ledger, Place
from adapters.mapping.settings import SETTINGS, UNKNOWN_SETTING, Setting
from adapters.records import (
    AbsenceCategory,
    CountyFips,
    IcpcStatus,
    LocalSubjectId,
    OutOfState,
    PlacementCounty,
    TransferStatus,
)
from adapters.sources.port import Row

V = TypeVar("V", covariant=True)
D = TypeVar("D")


class CodeColumn(Protocol[V]):
    """What all columns with a code map have in common."""

    @property
    def column(self) -> str: ...

    @property
    def map(self) -> Mapping[str, V]: ...

    @property
    def unknown(self) -> Unknown: ...


class Refused(Exception):
    """The row makes no record; the finding is in the ledger."""


class RowReader:
    """One row on its way to a draft of the family `PLC`, `EPS`, `MIS` or `CON`."""

    def __init__(self, row: Row, *, source: str, family: str, ledger: Ledger) -> None:
        self.row = row
        self.place = Place.of(row)
        self.left_out_by_rule = False
        self._source = source
        self._family = family
        self._ledger = ledger

    def refuse(
        self, number: str, column: str | None = None, *, value: str | None = None, because: str | None = None
    ) -> Refused:
        """The error to raise, after the finding is in the ledger."""
        self.drop(number, column, value=value, because=because)
        return Refused()

    def drop(self, number: str, column: str | None, *, value: str | None = None, because: str | None = None) -> None:
        """A value is lost; the finding is in the ledger."""
        self._ledger.find(
            f"{self._family}-{number}", self._source, self.place, column=column, value=value, because=because
        )

    def subject(self, column: str) -> LocalSubjectId:
        """The client number. Raises `Refused` if empty."""
        text = fields.text_of(self.row.cells[column])
        if not text:
            raise self.refuse("001", column)
        return LocalSubjectId(text)

    def obey(self, rules: tuple[DropRule, ...]) -> None:
        """No rule of the county leaves the row out. Raises `Refused`."""
        for rule in rules:
            if fields.is_true(self.row, rule):
                self.left_out_by_rule = True
                raise self.refuse("020", rule.column, because=rule.because)

    def start(self, column: DateColumn) -> date:
        """The first day. Raises `Refused` if empty or unreadable."""
        try:
            found = fields.day(self.row.cells[column.column], column)
        except NotReadable:
            found = None
        if found is None:
            raise self.refuse("003", column.column)
        return found

    def end(self, column: DateColumn) -> date | None:
        """The last day, None where empty means open. Raises `Refused`: an end that cannot be read is not "open"."""
        try:
            found = fields.day(self.row.cells[column.column], column)
        except NotReadable:
            raise self.refuse("005", column.column) from None
        if found is None and column.empty_means != "open":
            raise self.refuse("005", column.column)
        return found

    def coded(self, column: CodeColumn[D] | None, number: str) -> D | None:
        """The mapped code. Unknown: the value is dropped under the rule number, or the record refused under 012."""
        if column is None:
            return None
        cell = self.row.cells[column.column]
        try:
            return fields.coded(cell, column.map)
        except NotReadable:
            code = fields.text_of(cell)
        if column.unknown is Unknown.REFUSE_RECORD:
            raise self.refuse("012", column.column, value=code)
        self.drop(number, column.column, value=code)
        return None

    def setting(self, column: FacilityColumn) -> Setting:
        """The setting; one of unknown kind where the map has none, since the youth was somewhere."""
        name = self.coded(column, "011")
        return SETTINGS[name] if name is not None else UNKNOWN_SETTING

    def county(self, column: CountyColumn | None, number: str) -> PlacementCounty | None:
        """The county; an unknown code is dropped."""
        if column is None:
            return None
        cell = self.row.cells[column.column]
        try:
            return fields.county(cell, column)
        except NotReadable:
            self.drop(number, column.column, value=fields.text_of(cell))
            return None

    def own_county(self, column: CountyColumn | None, number: str) -> CountyFips | None:
        """A county of this state; another state is dropped like an unknown code."""
        found = self.county(column, number)
        if isinstance(found, OutOfState):
            self.drop(number, column.column if column else None)
            return None
        return found


def _local_id(row: Row, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The record's own key in the county's system."""
    return tuple(fields.text_of(row.cells[column]) for column in columns)


def read_placement(reader: RowReader, mapping: PlacementMapping) -> PlacementDraft:
    """The row as a placement. Raises `Refused`."""
    subject = reader.subject(mapping.subject)
    reader.obey(mapping.drop_if)
    columns = mapping.fields
    start, end = reader.start(columns.start_date), reader.end(columns.end_date)
    return PlacementDraft(
        subject=subject,
        local_id=_local_id(reader.row, mapping.id),
        place=reader.place,
        start=start,
        end=end,
        setting=reader.setting(columns.facility_type),
        county=reader.county(columns.county, "013"),
        caregiver=reader.coded(columns.caregiver_relationship, "014"),
        reason=reader.coded(columns.move_reason, "014"),
    )


def read_episode(reader: RowReader, mapping: EpisodeMapping, *, today: date) -> EpisodeDraft:
    """The row as an out-of-home episode. Raises `Refused`."""
    subject = reader.subject(mapping.subject)
    reader.obey(mapping.drop_if)
    columns = mapping.fields
    removal, left = reader.start(columns.removal_date), reader.end(columns.exit_date)
    if left is not None and left < removal:
        raise reader.refuse("004", columns.exit_date.column)
    if removal > today:
        raise reader.refuse("006", columns.removal_date.column)
    reason = reader.coded(columns.exit_reason, "011") if left is not None else None
    return EpisodeDraft(
        subject=subject,
        local_id=_local_id(reader.row, mapping.id),
        place=reader.place,
        start=removal,
        end=left,
        exit_group=reason,
        court_county=reader.own_county(columns.court_county, "013"),
    )


def read_absence(reader: RowReader, mapping: MissingMapping) -> AbsenceDraft:
    """The row as an absence. Raises `Refused`."""
    subject = reader.subject(mapping.subject)
    reader.obey(mapping.drop_if)
    columns = mapping.fields
    status = _status(reader, mapping)
    try:
        reported = fields.instant(reader.row.cells[columns.reported_at.column], columns.reported_at)
    except NotReadable:
        reported = None
    if reported is None:
        raise reader.refuse("003", columns.reported_at.column)
    returned = _returned(reader, mapping, reported, status)
    local_zone = columns.reported_at.tzinfo
    setting = reader.coded(columns.missing_from, "011")
    return AbsenceDraft(
        subject=subject,
        local_id=_local_id(reader.row, mapping.id),
        place=reader.place,
        missing_since=_first_day(reader, columns.missing_since) or reported.astimezone(local_zone).date(),
        is_open=status is not MissingStatus.RETURNED,
        reported_at=reported,
        returned_at=returned,
        returned_on=returned.astimezone(local_zone).date() if returned else None,
        located_not_returned=status is MissingStatus.LOCATED_NOT_RETURNED,
        category=reader.coded(columns.category, "011") or AbsenceCategory.UNSPECIFIED_ABSENCE,
        missing_from=SETTINGS[setting].group if setting is not None else None,
        last_seen_county=reader.own_county(columns.last_seen_county, "011"),
        resolution=reader.coded(columns.resolution, "011"),
    )


def read_contact(reader: RowReader, mapping: ContactMapping) -> ContactDraft:
    """The row as a contact. Raises `Refused`."""
    columns = mapping.fields
    phone = None
    if columns.phone is not None:
        try:
            phone = fields.phone(reader.row.cells[columns.phone])
        except NotReadable:
            reader.drop("002", columns.phone)
    return ContactDraft(
        subject=reader.subject(mapping.subject),
        place=reader.place,
        phone=phone,
        transfer_status=reader.coded(columns.transfer_status, "011") or TransferStatus.NONE,
        icpc_status=reader.coded(columns.icpc_status, "011") or IcpcStatus.NONE,
    )


def _status(reader: RowReader, mapping: MissingMapping) -> MissingStatus:
    column = mapping.fields.status
    cell = reader.row.cells[column.column]
    try:
        found = fields.coded(cell, column.map)
    except NotReadable:
        found = None
    if found is None:
        raise reader.refuse("010", column.column, value=fields.text_of(cell))
    return found


def _returned(reader: RowReader, mapping: MissingMapping, reported: datetime, status: MissingStatus) -> datetime | None:
    column = mapping.fields.returned_at
    if column is None:
        return None
    try:
        returned = fields.instant(reader.row.cells[column.column], column)
    except NotReadable:
        reader.drop("005", column.column)
        return None
    if returned is None:
        return None
    if returned < reported:
        raise reader.refuse("004", column.column)
    if status is MissingStatus.MISSING:
        # Two statements that exclude each other: to keep looking is the safe reading.
        reader.drop("006", column.column)
        return None
    return returned


def _first_day(reader: RowReader, column: DateColumn | None) -> date | None:
    if column is None:
        return None
    try:
        return fields.day(reader.row.cells[column.column], column)
    except NotReadable:
        reader.drop("005", column.column)
        return None
