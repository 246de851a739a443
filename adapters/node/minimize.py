"""Step 11: from a youth's record to the least that the grant covers. Pure.

Decides, field by field, what a sealed answer holds and what it says was withheld. Four hands take away, in this order:
the grant (field sets and obligations), the purpose (detailed setting codes), the county's release rules, and masking:

    OTHER_SETTING   has no setting code and no caregiver relationship: hospital, custody and respite stay one thing
    setting code    an absent one never says why: mapping rolls rare codes up to their group below 11 youths
    agency kind     only for casework roles: `PROB` would say that there is an offense

Nothing here adds: what the record does not hold is withheld as not recorded, never guessed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from adapters.mapping.release import MissingField, ReleaseRules
from adapters.node.identifiers import timestamp
from adapters.node.minimize_history import History, placement_history
from adapters.node.own_flag import OwnFlag, casework_of
from adapters.node.record_codes import wire_code
from adapters.node.withholding import Withheld
from adapters.records import MissingEpisode, Youth
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    DisclosureMode,
    FieldSet,
    Obligation,
    Purpose,
    Role,
    county_of,
)
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import records_pb2 as wire
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate, JurisdictionContact, RecordAnswer

CASEWORK_ROLES: Final = frozenset(
    Role(name)
    for name in (
        "CWA.er_worker",
        "CWA.case_worker",
        "CWA.placement_worker",
        "CWA.supervisor",
        "PROB.placement_officer",
    )
)
"""Roles that may learn the kind of the responsible agency (DOMAIN §0.7)."""
CODED_PURPOSES: Final = frozenset({Purpose.PLACEMENT_PLANNING, Purpose.CASE_TRANSFER})
"""Purposes for which the detailed setting code has a use (DOMAIN §2.5)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What was decided, and whatever else limits this answer."""

    request_digest: bytes
    granted: frozenset[FieldSet]
    asked: frozenset[FieldSet]
    purpose: Purpose
    role: Role
    mode: DisclosureMode
    obligations: frozenset[Obligation]
    release: ReleaseRules
    page: int
    page_size: int
    today: date


@dataclass(frozen=True, slots=True)
class Subject:
    """What the county knows of one youth, and of its surroundings."""

    youth: Youth = field(repr=False)
    flag: OwnFlag | None = field(repr=False)
    """The flag the answer is about; None: none."""
    earlier_flags: tuple[OwnFlag, ...] = field(repr=False)
    data_as_of: datetime
    duty_line: str
    """Of this county, E.164, from the directory."""
    kind_of: Callable[[AgencyId], AgencyKind | None] = field(repr=False)


def minimize(subject: Subject, bounds: Bounds) -> RecordAnswer:
    """The answer: nothing outside `bounds.granted`, everything missing named in `withheld`."""
    withheld = Withheld()
    answer = RecordAnswer(
        request_digest=bounds.request_digest,
        field_sets=[to_wire(each) for each in sorted(bounds.granted)],  # type: ignore[misc]
        data_as_of_time=timestamp(subject.data_as_of),
        page=bounds.page,
        mode=to_wire(bounds.mode),  # type: ignore[arg-type]
    )
    for field_set, (name, add) in _PARTS.items():
        if field_set in bounds.granted:
            add(answer, subject, bounds, withheld)
        elif field_set in bounds.asked:
            withheld.add(name, wire.WITHHELD_REASON_NOT_GRANTED)
    if subject.youth.unusable_rows:
        withheld.add(wire.RECORD_FIELD_UNUSABLE_ROWS, wire.WITHHELD_REASON_NOT_USABLE)
    answer.withheld.extend(withheld.messages())
    return answer


def _add_locate(answer: RecordAnswer, subject: Subject, bounds: Bounds, withheld: Withheld) -> None:
    locate = _locate(subject, bounds.release, withheld)
    if locate is not None:
        answer.flag_locate.CopyFrom(locate)


def _locate(subject: Subject, release: ReleaseRules, withheld: Withheld) -> FlagLocate | None:
    """FS2: what staff entered with the flag, completed by what the county's system says of the same absence."""
    fields, name = frozenset(release.missing_episode.fields), wire.RECORD_FIELD_FLAG_LOCATE
    if subject.flag is None:
        withheld.add(name, wire.WITHHELD_REASON_NOT_RECORDED)
        return None
    if not fields >= {MissingField.STATUS, MissingField.MISSING_SINCE}:
        withheld.add(name, wire.WITHHELD_REASON_COUNTY_RULE)
        return None
    locate = FlagLocate()
    locate.CopyFrom(subject.flag.locate)
    _complete(locate, subject.youth.open_absence)
    if not locate.missing_since_date:
        withheld.add(name, wire.WITHHELD_REASON_NOT_RECORDED)
        return None
    for released, names in _LOCATE_FIELDS.items():
        if released not in fields:
            locate.ClearField(names)
            withheld.add(name, wire.WITHHELD_REASON_COUNTY_RULE)
    return locate


def _complete(locate: FlagLocate, absence: MissingEpisode | None) -> None:
    if absence is None:
        return
    if not locate.missing_since_date:
        locate.missing_since_date = absence.missing_since.isoformat()
    if not locate.absence_category:
        locate.absence_category = wire_code(codes.AbsenceCategory, absence.absence_category)
    if not locate.last_seen_county and absence.last_seen_county is not None:
        locate.last_seen_county = absence.last_seen_county
    if not locate.missing_from_setting_group and absence.missing_from_setting_group is not None:
        group = absence.missing_from_setting_group
        locate.missing_from_setting_group = wire_code(codes.SettingGroup, group)


def _add_casework(answer: RecordAnswer, subject: Subject, bounds: Bounds, withheld: Withheld) -> None:
    name = wire.RECORD_FIELD_FLAG_CASEWORK
    if subject.flag is None:
        withheld.add(name, wire.WITHHELD_REASON_NOT_RECORDED)
        return
    fields = frozenset(bounds.release.missing_episode.fields)
    casework: FlagCasework = casework_of(subject.flag, subject.earlier_flags)
    for released, path in _CASEWORK_FIELDS.items():
        if released not in fields:
            casework.ClearField(path)
            withheld.add(name, wire.WITHHELD_REASON_COUNTY_RULE)
    answer.flag_casework.CopyFrom(casework)


def _add_summary(answer: RecordAnswer, subject: Subject, bounds: Bounds, withheld: Withheld) -> None:
    # FS5 includes FS4 and says more of the same episodes: one history, not two.
    detail = FieldSet.FS5_PLACEMENT_DETAIL in bounds.granted
    coded = bounds.purpose in CODED_PURPOSES and Obligation.WITHHOLD_SETTING_CODE not in bounds.obligations
    history = History(
        detail=detail,
        coded=detail and coded,
        open_only=Obligation.CURRENT_PLACEMENT_ONLY in bounds.obligations,
        release=bounds.release.placement,
        page=bounds.page,
        page_size=bounds.page_size,
        today=bounds.today,
    )
    message, answer.more_pages = placement_history(subject.youth.episodes, history, withheld)
    if message is not None:
        answer.placement_history.CopyFrom(message)


def _add_detail(_answer: RecordAnswer, _subject: Subject, _bounds: Bounds, _withheld: Withheld) -> None:
    """FS5 is FS4 with more fields; `_add_summary` wrote both."""


def _add_contact(answer: RecordAnswer, subject: Subject, bounds: Bounds, withheld: Withheld) -> None:
    jurisdiction = subject.youth.jurisdiction
    if jurisdiction is None:
        withheld.add(wire.RECORD_FIELD_JURISDICTION_CONTACT, wire.WITHHELD_REASON_NOT_RECORDED)
        return
    contact = JurisdictionContact(responsible_county=county_of(jurisdiction.responsible_agency))
    if Obligation.DUTY_CONTACT_ONLY in bounds.obligations:
        contact.contact_phone = subject.duty_line
        withheld.add(wire.RECORD_FIELD_JURISDICTION_CONTACT, wire.WITHHELD_REASON_NOT_GRANTED)
        answer.jurisdiction_contact.CopyFrom(contact)
        return
    contact.court_county = jurisdiction.court_county
    contact.contact_phone = jurisdiction.contact_phone or subject.duty_line
    contact.transfer_status = wire_code(codes.TransferStatus, jurisdiction.transfer_status)
    contact.icpc_status = wire_code(codes.IcpcStatus, jurisdiction.icpc_status)
    contact.placement_county = _placement_county(subject.youth, bounds, withheld)
    _add_kind(contact, jurisdiction.responsible_agency, subject, bounds, withheld)
    answer.jurisdiction_contact.CopyFrom(contact)


def _placement_county(youth: Youth, bounds: Bounds, withheld: Withheld) -> str:
    if "placement_county" not in bounds.release.placement.record_fields:
        withheld.add(wire.RECORD_FIELD_PLACEMENT_COUNTY, wire.WITHHELD_REASON_COUNTY_RULE)
        return ""
    current = youth.current_episode
    placement = current.open_placement if current is not None else None
    if placement is None or placement.placement_county is None:
        withheld.add(wire.RECORD_FIELD_PLACEMENT_COUNTY, wire.WITHHELD_REASON_NOT_RECORDED)
        return ""
    return str(placement.placement_county)


def _add_kind(
    contact: JurisdictionContact, agency: AgencyId, subject: Subject, bounds: Bounds, withheld: Withheld
) -> None:
    hidden = Obligation.WITHHOLD_AGENCY_KIND in bounds.obligations or bounds.role not in CASEWORK_ROLES
    kind = subject.kind_of(agency)
    # Masked whether known or not: otherwise the reason would tell which agencies are members.
    if hidden:
        withheld.add(wire.RECORD_FIELD_RESPONSIBLE_AGENCY_KIND, wire.WITHHELD_REASON_MASKED)
    elif kind is None:
        withheld.add(wire.RECORD_FIELD_RESPONSIBLE_AGENCY_KIND, wire.WITHHELD_REASON_NOT_RECORDED)
    else:
        contact.responsible_agency_kind = to_wire(kind)  # type: ignore[assignment]


_Adder = Callable[[RecordAnswer, Subject, Bounds, Withheld], None]
_PARTS: Final[dict[FieldSet, tuple[wire.RecordField, _Adder]]] = {
    FieldSet.FS2_FLAG_LOCATE: (wire.RECORD_FIELD_FLAG_LOCATE, _add_locate),
    FieldSet.FS3_FLAG_CASEWORK: (wire.RECORD_FIELD_FLAG_CASEWORK, _add_casework),
    FieldSet.FS4_PLACEMENT_SUMMARY: (wire.RECORD_FIELD_PLACEMENT_SUMMARY, _add_summary),
    FieldSet.FS5_PLACEMENT_DETAIL: (wire.RECORD_FIELD_PLACEMENT_DETAIL, _add_detail),
    FieldSet.FS6_JURISDICTION_CONTACT: (wire.RECORD_FIELD_JURISDICTION_CONTACT, _add_contact),
}
_LOCATE_FIELDS: Final = {
    MissingField.CATEGORY: "absence_category",
    MissingField.LAST_SEEN_COUNTY: "last_seen_county",
    MissingField.MISSING_FROM: "missing_from_setting_group",
}
_CASEWORK_FIELDS: Final = {
    MissingField.RETURNED_AT: "resolved_date",
    MissingField.RESOLUTION: "resolution_group",
}
