"""Names that both ends of the wire share: typed identifiers and closed lists.

Decides the vocabulary and the grammar of identifiers. Does not decide who may do
what (`policy/`), nor what a refusal means to a caller (`outcomes`). Enum values equal
their names; the protocol buffer enum of the same list prefixes them with the list's name.
No list has a value for an offense, a health condition, exploitation or a place.
"""

import re
from enum import StrEnum
from typing import Final, NewType

AgencyId = NewType("AgencyId", str)
"""Member agency: five-digit county FIPS, a dot, `[a-z0-9-]{1,32}`; for example `06037.cwa`."""
Role = NewType("Role", str)
"""Agency kind, a dot, the staff role; for example `CWA.placement_worker`. See `ROLES_BY_KIND`."""
SubjectHandle = NewType("SubjectHandle", bytes)
"""16 random bytes by which the owner agency names one youth; stable across token epochs."""
Token = NewType("Token", bytes)
"""16 bytes, output of the two-holder pseudorandom function under one epoch."""
RequestId = NewType("RequestId", bytes)
"""16 bytes chosen by the caller; a retry repeats it (AIP-155)."""
AuthorityId = NewType("AuthorityId", bytes)
"""16 random bytes chosen by the issuer of an authority."""
FlagId = NewType("FlagId", bytes)
"""16 random bytes chosen by the owner of a flag."""

OPAQUE_LENGTH: Final = 16
"""Length in bytes of every opaque identifier."""
COMMITMENT_LENGTH: Final = 32
"""Length in bytes of a commitment to a reference that stays in the county."""
_AGENCY_ID: Final = re.compile(r"[0-9]{5}\.[a-z0-9-]{1,32}")


class NameSyntaxError(ValueError):
    """An identifier breaks its grammar. The text names the grammar, never the value."""


class Purpose(StrEnum):
    """Purpose of use. What is not listed does not exist (DOMAIN §3.2)."""

    MFC_LOCATE = "MFC_LOCATE"
    MFC_HANDOFF = "MFC_HANDOFF"
    HOTLINE_SCREEN = "HOTLINE_SCREEN"
    PLACEMENT_PLANNING = "PLACEMENT_PLANNING"
    PLACEMENT_SUPERVISION = "PLACEMENT_SUPERVISION"
    CASE_TRANSFER = "CASE_TRANSFER"
    CFT_COORDINATION = "CFT_COORDINATION"
    VOLUNTARY_SHELTER = "VOLUNTARY_SHELTER"
    SUBJECT_AND_COUNSEL = "SUBJECT_AND_COUNSEL"
    OVERSIGHT_AUDIT = "OVERSIGHT_AUDIT"


class AgencyKind(StrEnum):
    """Kind of a member, asserted at enrollment and never by the member itself (DOMAIN §3.3)."""

    CWA = "CWA"
    PROB = "PROB"
    LEA = "LEA"
    SHELTER = "SHELTER"
    HOSP = "HOSP"
    STRTP = "STRTP"
    FFA = "FFA"
    TRIBE = "TRIBE"
    COURT = "COURT"
    COUNSEL = "COUNSEL"
    CASA = "CASA"
    EDU = "EDU"
    HEALTH = "HEALTH"
    PUBLIC = "PUBLIC"
    NGO = "NGO"
    STATE = "STATE"
    OMBUDS = "OMBUDS"
    OOS = "OOS"
    NCMEC = "NCMEC"
    COUNTY = "COUNTY"
    AUDITOR = "AUDITOR"
    SUBJECT = "SUBJECT"
    FED = "FED"
    PROVIDER = "PROVIDER"


class Basis(StrEnum):
    """What makes a disclosure lawful. Consent is one kind among five (ARCHITECTURE §5 row 6)."""

    STATUTE = "STATUTE"
    CONSENT = "CONSENT"
    COURT_ORDER = "COURT_ORDER"
    AGREEMENT = "AGREEMENT"
    EMERGENCY = "EMERGENCY"


class FieldSet(StrEnum):
    """The only shapes that can be answered, in ascending order (DOMAIN §2.5)."""

    FS0_ACK = "FS0_ACK"
    FS1_FLAG_STATUS = "FS1_FLAG_STATUS"
    FS2_FLAG_LOCATE = "FS2_FLAG_LOCATE"
    FS3_FLAG_CASEWORK = "FS3_FLAG_CASEWORK"
    FS4_PLACEMENT_SUMMARY = "FS4_PLACEMENT_SUMMARY"
    FS5_PLACEMENT_DETAIL = "FS5_PLACEMENT_DETAIL"
    FS6_JURISDICTION_CONTACT = "FS6_JURISDICTION_CONTACT"
    FS7_ACCOUNTING = "FS7_ACCOUNTING"


class Call(StrEnum):
    """The two families of disclosing calls; each has one uniform negative (`outcomes`)."""

    FLAG_CHECK = "FLAG_CHECK"
    """Asks for FS1 and nothing deeper; answered from the owner's signed flag statement."""
    RECORD = "RECORD"
    """Asks for anything deeper; answered, sealed, by the owner's source."""


class EvidenceKind(StrEnum):
    """What the caller itself can show. Each travels with a 32-byte commitment to its reference."""

    LE_REPORT = "LE_REPORT"
    REPORT_BEING_FILED = "REPORT_BEING_FILED"
    YOUTH_PRESENT = "YOUTH_PRESENT"
    ABUSE_REPORT = "ABUSE_REPORT"
    OPEN_REFERRAL = "OPEN_REFERRAL"
    OPEN_CASE = "OPEN_CASE"
    SUPERVISING = "SUPERVISING"
    HOST_COUNTY = "HOST_COUNTY"
    TRANSFER_ORDER = "TRANSFER_ORDER"
    TRANSFER_MOTION = "TRANSFER_MOTION"
    ICPC_REQUEST = "ICPC_REQUEST"
    CHILDS_TRIBE = "CHILDS_TRIBE"
    TEAM_MEMBERSHIP = "TEAM_MEMBERSHIP"
    APPOINTMENT = "APPOINTMENT"
    IDENTITY_PROOF = "IDENTITY_PROOF"
    REVIEW_MANDATE = "REVIEW_MANDATE"
    IMMINENT_HARM = "IMMINENT_HARM"


class YouthPrecondition(StrEnum):
    """What must hold of the youth; knowable only after locating, so its failure is the uniform negative."""

    ACTIVE_FLAG = "ACTIVE_FLAG"
    PLACED_IN_CALLERS_COUNTY = "PLACED_IN_CALLERS_COUNTY"
    AGREEMENT_WITH_OWNER = "AGREEMENT_WITH_OWNER"


class Grantor(StrEnum):
    """In which capacity somebody signed an authority (DOMAIN §3.4)."""

    MINOR_SELF = "MINOR_SELF"
    NMD_SELF = "NMD_SELF"
    PARENT_GUARDIAN = "PARENT_GUARDIAN"
    MINOR_COUNSEL = "MINOR_COUNSEL"
    EDUCATION_RIGHTS_HOLDER = "EDUCATION_RIGHTS_HOLDER"
    COURT = "COURT"
    AGENCY_STATUTORY = "AGENCY_STATUTORY"
    AGENCY_SIGNATORY = "AGENCY_SIGNATORY"
    EMERGENCY_CLAIMANT = "EMERGENCY_CLAIMANT"


class Restriction(StrEnum):
    """Limited access set by the owner, in CWS/CMS order N < S < R (DOMAIN §2.2)."""

    NONE = "NONE"
    SENSITIVE = "SENSITIVE"
    SEALED = "SEALED"


class FlagState(StrEnum):
    """State of a missing-from-care flag."""

    ACTIVE = "ACTIVE"
    LOCATED_PENDING = "LOCATED_PENDING"
    RESOLVED = "RESOLVED"
    ENTERED_IN_ERROR = "ENTERED_IN_ERROR"


class FlagAct(StrEnum):
    """What staff may say of a missing youth; nothing is learned by saying it (`policy/`, flag acts)."""

    KEEP_OWN_FLAG = "KEEP_OWN_FLAG"
    """Raises, changes and ends the flag of a youth of the own agency."""
    REPORT_MISSING = "REPORT_MISSING"
    """Reports missing a youth whose flag, if there is one, is another agency's."""
    REPORT_LOCATED = "REPORT_LOCATED"
    """Reports a flagged youth located, or the episode over; nobody's flag is ended by that."""


OPEN_FLAG_STATES: Final = frozenset({FlagState.ACTIVE, FlagState.LOCATED_PENDING})
"""States in which somebody is still looking: only the owner can end an episode (DOMAIN §4d)."""


class HandlingCode(StrEnum):
    """What a finder is asked to do. No value asks for custody (DOMAIN §1 row 4)."""

    CALL_DUTY_LINE = "CALL_DUTY_LINE"
    CALL_DUTY_LINE_AND_KEEP_SAFE = "CALL_DUTY_LINE_AND_KEEP_SAFE"
    WELFARE_CHECK_ADULT = "WELFARE_CHECK_ADULT"
    CALL_OWN_COUNTY_HOTLINE = "CALL_OWN_COUNTY_HOTLINE"


class DisclosureMode(StrEnum):
    """Inspecting is not copying (WIC 827; AG Opinion 02-103)."""

    VIEW_ONLY = "VIEW_ONLY"
    COPY_PERMITTED = "COPY_PERMITTED"


class Retention(StrEnum):
    """How long a recipient may keep what it received."""

    NONE = "NONE"
    INCIDENT_RECORD_ONLY = "INCIDENT_RECORD_ONLY"
    PURGE_90_DAYS_AFTER_RESOLUTION = "PURGE_90_DAYS_AFTER_RESOLUTION"
    REFERRAL_FILE = "REFERRAL_FILE"
    CASE_FILE = "CASE_FILE"
    UNTIL_PLACEMENT_ENDS = "UNTIL_PLACEMENT_ENDS"
    UNTIL_TEAM_ENDS = "UNTIL_TEAM_ENDS"
    OWN_RECORD = "OWN_RECORD"
    SEVEN_YEARS = "SEVEN_YEARS"


class Notice(StrEnum):
    """Fixed notices that travel with an answer; each has one English sentence in `policy/english`."""

    NOT_A_CLEARANCE = "NOT_A_CLEARANCE"
    NO_REDISCLOSURE = "NO_REDISCLOSURE"
    INSPECT_ONLY = "INSPECT_ONLY"
    CONSENTED_DISCLOSURE = "CONSENTED_DISCLOSURE"
    MANDATED_REPORT_STILL_DUE = "MANDATED_REPORT_STILL_DUE"
    EMERGENCY_UNDER_REVIEW = "EMERGENCY_UNDER_REVIEW"


class Obligation(StrEnum):
    """What must be done, or left out, because of a decision."""

    ACCOUNT = "ACCOUNT"
    """Appears in the youth's accounting of disclosures (FS7)."""
    INTERNAL_USE = "INTERNAL_USE"
    """The owner reads its own youth: logged, not a disclosure, never with ACCOUNT."""
    ALERT_OWNER = "ALERT_OWNER"
    OWNER_REVIEW = "OWNER_REVIEW"
    """A person at the owner must look; nothing is released meanwhile."""
    PAGE_BOTH_DUTY_LINES = "PAGE_BOTH_DUTY_LINES"
    MISUSE_SIGNAL = "MISUSE_SIGNAL"
    """Counts toward the alert on misuse of the caller's account."""
    CURRENT_PLACEMENT_ONLY = "CURRENT_PLACEMENT_ONLY"
    """FS4 holds the open placement row alone."""
    DUTY_CONTACT_ONLY = "DUTY_CONTACT_ONLY"
    """FS6 holds the responsible county and its duty contact alone."""
    WITHHOLD_SETTING_CODE = "WITHHOLD_SETTING_CODE"
    WITHHOLD_AGENCY_KIND = "WITHHOLD_AGENCY_KIND"
    TELL_YOUTH = "TELL_YOUTH"
    COPY_CONSENT_TO_YOUTH = "COPY_CONSENT_TO_YOUTH"
    OFFER_NOTICE_TO_MINORS_COUNSEL = "OFFER_NOTICE_TO_MINORS_COUNSEL"
    LOG_THE_REVIEW = "LOG_THE_REVIEW"
    MASK_SMALL_CELLS = "MASK_SMALL_CELLS"
    """Counts from 1 to 10 are masked, as CDSS does."""
    ALERT_PRIVACY_OFFICER = "ALERT_PRIVACY_OFFICER"
    SUPERVISOR_ACK_24_HOURS = "SUPERVISOR_ACK_24_HOURS"
    REVIEW_5_BUSINESS_DAYS = "REVIEW_5_BUSINESS_DAYS"
    NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS = "NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS"


def _roles(kind: AgencyKind, *names: str) -> tuple[Role, ...]:
    return tuple(Role(f"{kind}.{name}") for name in names)


_STAFF: Final[dict[AgencyKind, tuple[str, ...]]] = {
    AgencyKind.CWA: (
        "hotline_screener",
        "er_worker",
        "case_worker",
        "placement_worker",
        "supervisor",
        "duty_officer",
    ),
    AgencyKind.PROB: ("placement_officer", "duty_officer"),
    AgencyKind.LEA: ("patrol", "dispatch", "missing_persons"),
    AgencyKind.SHELTER: ("county_tscf", "yhpc_intake"),
    AgencyKind.HOSP: ("social_work",),
    AgencyKind.STRTP: ("administrator", "clinician"),
    AgencyKind.FFA: ("social_worker",),
    AgencyKind.TRIBE: ("icwa_rep", "title_ive_agency"),
    AgencyKind.COURT: ("officer",),
    AgencyKind.COUNSEL: ("minor", "parent", "county_counsel"),
    AgencyKind.CASA: ("advocate",),
    AgencyKind.EDU: ("report_in", "liaison"),
    AgencyKind.HEALTH: ("report_in",),
    AgencyKind.PUBLIC: ("report_in",),
    AgencyKind.NGO: ("hotline",),
    AgencyKind.STATE: ("cdss_oversight", "icpc_office", "licensing"),
    AgencyKind.OMBUDS: ("reviewer",),
    AgencyKind.OOS: ("cwa",),
    # NCMEC receives references through the counties' own reports and asks nothing here.
    AgencyKind.NCMEC: (),
    AgencyKind.COUNTY: ("privacy_officer",),
    AgencyKind.AUDITOR: ("internal",),
    AgencyKind.SUBJECT: ("youth",),
    # WIC 831: nothing goes to federal officials without an order of the juvenile court.
    AgencyKind.FED: (),
    AgencyKind.PROVIDER: ("team_member",),
}

ROLES_BY_KIND: Final[dict[AgencyKind, frozenset[Role]]] = {
    kind: frozenset(_roles(kind, *names)) for kind, names in _STAFF.items()
}
"""Roles that belong to a kind of agency; `CWA.*` in a policy stands for these."""
_ALSO_HELD: Final = {
    AgencyKind.CWA: Role("COUNTY.privacy_officer"),
    AgencyKind.PROB: Role("COUNTY.privacy_officer"),
    AgencyKind.AUDITOR: Role("STATE.cdss_oversight"),
}
ROLES_HELD_BY_KIND: Final[dict[AgencyKind, frozenset[Role]]] = ROLES_BY_KIND | {
    kind: ROLES_BY_KIND[kind] | {role} for kind, role in _ALSO_HELD.items()
}
"""Roles that staff of a kind of agency can hold; any other is refused. A county's agencies have a privacy officer
among their own staff, who gains no right of casework by it: `CWA.*` does not mean this role. A state reviews the whole
exchange as a member of kind AUDITOR, apart from the one under which it asks."""
OVERSEERS: Final = frozenset({AgencyKind.AUDITOR})
"""Kinds that see of every entry who took part in it, and count every agency's entries. Whoever does learns from a
number of a holder that is missing among the others what an answer to a question of its own hid: so they may review,
and neither ask nor report anything about a youth."""
ROLES: Final[tuple[Role, ...]] = tuple(role for kind, names in _STAFF.items() for role in _roles(kind, *names))
"""Every role, in the order of the table."""
REPORT_IN_ROLES: Final[frozenset[Role]] = frozenset(role for role in ROLES if role.endswith(".report_in"))
"""Roles that give reports and never receive an answer about a youth (DOMAIN §1 row 6)."""


def parse_agency_id(text: str) -> AgencyId:
    """The text is an agency id. Raises `NameSyntaxError` otherwise."""
    if _AGENCY_ID.fullmatch(text) is None:
        raise NameSyntaxError("agency id: five digits, a dot, then 1 to 32 of a-z 0-9 -")
    return AgencyId(text)


def county_of(agency: AgencyId) -> str:
    """Five-digit FIPS code of the agency's county."""
    return agency[:5]


def parse_role(text: str) -> Role:
    """The text is one of `ROLES`. Raises `NameSyntaxError` otherwise."""
    role = Role(text)
    if role not in _KNOWN_ROLES:
        raise NameSyntaxError("role: not one of the roles in ROLES_BY_KIND")
    return role


_KNOWN_ROLES: Final = frozenset(ROLES)
