from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class Purpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PURPOSE_UNSPECIFIED: _ClassVar[Purpose]
    PURPOSE_MFC_LOCATE: _ClassVar[Purpose]
    PURPOSE_MFC_HANDOFF: _ClassVar[Purpose]
    PURPOSE_HOTLINE_SCREEN: _ClassVar[Purpose]
    PURPOSE_PLACEMENT_PLANNING: _ClassVar[Purpose]
    PURPOSE_PLACEMENT_SUPERVISION: _ClassVar[Purpose]
    PURPOSE_CASE_TRANSFER: _ClassVar[Purpose]
    PURPOSE_CFT_COORDINATION: _ClassVar[Purpose]
    PURPOSE_VOLUNTARY_SHELTER: _ClassVar[Purpose]
    PURPOSE_SUBJECT_AND_COUNSEL: _ClassVar[Purpose]
    PURPOSE_OVERSIGHT_AUDIT: _ClassVar[Purpose]

class AgencyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGENCY_KIND_UNSPECIFIED: _ClassVar[AgencyKind]
    AGENCY_KIND_CWA: _ClassVar[AgencyKind]
    AGENCY_KIND_PROB: _ClassVar[AgencyKind]
    AGENCY_KIND_LEA: _ClassVar[AgencyKind]
    AGENCY_KIND_SHELTER: _ClassVar[AgencyKind]
    AGENCY_KIND_HOSP: _ClassVar[AgencyKind]
    AGENCY_KIND_STRTP: _ClassVar[AgencyKind]
    AGENCY_KIND_FFA: _ClassVar[AgencyKind]
    AGENCY_KIND_TRIBE: _ClassVar[AgencyKind]
    AGENCY_KIND_COURT: _ClassVar[AgencyKind]
    AGENCY_KIND_COUNSEL: _ClassVar[AgencyKind]
    AGENCY_KIND_CASA: _ClassVar[AgencyKind]
    AGENCY_KIND_EDU: _ClassVar[AgencyKind]
    AGENCY_KIND_HEALTH: _ClassVar[AgencyKind]
    AGENCY_KIND_PUBLIC: _ClassVar[AgencyKind]
    AGENCY_KIND_NGO: _ClassVar[AgencyKind]
    AGENCY_KIND_STATE: _ClassVar[AgencyKind]
    AGENCY_KIND_OMBUDS: _ClassVar[AgencyKind]
    AGENCY_KIND_OOS: _ClassVar[AgencyKind]
    AGENCY_KIND_NCMEC: _ClassVar[AgencyKind]
    AGENCY_KIND_COUNTY: _ClassVar[AgencyKind]
    AGENCY_KIND_AUDITOR: _ClassVar[AgencyKind]
    AGENCY_KIND_SUBJECT: _ClassVar[AgencyKind]
    AGENCY_KIND_FED: _ClassVar[AgencyKind]
    AGENCY_KIND_PROVIDER: _ClassVar[AgencyKind]

class Basis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASIS_UNSPECIFIED: _ClassVar[Basis]
    BASIS_STATUTE: _ClassVar[Basis]
    BASIS_CONSENT: _ClassVar[Basis]
    BASIS_COURT_ORDER: _ClassVar[Basis]
    BASIS_AGREEMENT: _ClassVar[Basis]
    BASIS_EMERGENCY: _ClassVar[Basis]

class FieldSet(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FIELD_SET_UNSPECIFIED: _ClassVar[FieldSet]
    FIELD_SET_FS0_ACK: _ClassVar[FieldSet]
    FIELD_SET_FS1_FLAG_STATUS: _ClassVar[FieldSet]
    FIELD_SET_FS2_FLAG_LOCATE: _ClassVar[FieldSet]
    FIELD_SET_FS3_FLAG_CASEWORK: _ClassVar[FieldSet]
    FIELD_SET_FS4_PLACEMENT_SUMMARY: _ClassVar[FieldSet]
    FIELD_SET_FS5_PLACEMENT_DETAIL: _ClassVar[FieldSet]
    FIELD_SET_FS6_JURISDICTION_CONTACT: _ClassVar[FieldSet]
    FIELD_SET_FS7_ACCOUNTING: _ClassVar[FieldSet]

class FlagState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FLAG_STATE_UNSPECIFIED: _ClassVar[FlagState]
    FLAG_STATE_ACTIVE: _ClassVar[FlagState]
    FLAG_STATE_LOCATED_PENDING: _ClassVar[FlagState]
    FLAG_STATE_RESOLVED: _ClassVar[FlagState]
    FLAG_STATE_ENTERED_IN_ERROR: _ClassVar[FlagState]

class HandlingCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HANDLING_CODE_UNSPECIFIED: _ClassVar[HandlingCode]
    HANDLING_CODE_CALL_DUTY_LINE: _ClassVar[HandlingCode]
    HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE: _ClassVar[HandlingCode]
    HANDLING_CODE_WELFARE_CHECK_ADULT: _ClassVar[HandlingCode]
    HANDLING_CODE_CALL_OWN_COUNTY_HOTLINE: _ClassVar[HandlingCode]

class AbsenceCategory(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ABSENCE_CATEGORY_UNSPECIFIED: _ClassVar[AbsenceCategory]
    ABSENCE_CATEGORY_RUNAWAY: _ClassVar[AbsenceCategory]
    ABSENCE_CATEGORY_WHEREABOUTS_UNKNOWN: _ClassVar[AbsenceCategory]
    ABSENCE_CATEGORY_ABDUCTION_SUSPECTED: _ClassVar[AbsenceCategory]
    ABSENCE_CATEGORY_LOCATED_UNAPPROVED_PLACE: _ClassVar[AbsenceCategory]
    ABSENCE_CATEGORY_UNSPECIFIED_ABSENCE: _ClassVar[AbsenceCategory]

class SettingGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SETTING_GROUP_UNSPECIFIED: _ClassVar[SettingGroup]
    SETTING_GROUP_FAMILY_HOME: _ClassVar[SettingGroup]
    SETTING_GROUP_CONGREGATE_CARE: _ClassVar[SettingGroup]
    SETTING_GROUP_TEMPORARY_SHELTER: _ClassVar[SettingGroup]
    SETTING_GROUP_INDEPENDENT: _ClassVar[SettingGroup]
    SETTING_GROUP_HOME_TRIAL: _ClassVar[SettingGroup]
    SETTING_GROUP_OTHER_SETTING: _ClassVar[SettingGroup]

class SettingCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SETTING_CODE_UNSPECIFIED: _ClassVar[SettingCode]
    SETTING_CODE_RESOURCE_FAMILY_HOME: _ClassVar[SettingCode]
    SETTING_CODE_FFA_HOME: _ClassVar[SettingCode]
    SETTING_CODE_RELATIVE_NREFM: _ClassVar[SettingCode]
    SETTING_CODE_TRIBE_SPECIFIED: _ClassVar[SettingCode]
    SETTING_CODE_COURT_SPECIFIED: _ClassVar[SettingCode]
    SETTING_CODE_GUARDIAN_HOME: _ClassVar[SettingCode]
    SETTING_CODE_SMALL_FAMILY_HOME: _ClassVar[SettingCode]
    SETTING_CODE_ISFC_TREATMENT_HOME: _ClassVar[SettingCode]
    SETTING_CODE_STRTP: _ClassVar[SettingCode]
    SETTING_CODE_GROUP_HOME_LEGACY: _ClassVar[SettingCode]
    SETTING_CODE_OUT_OF_STATE_CONGREGATE: _ClassVar[SettingCode]
    SETTING_CODE_TEMP_SHELTER_CARE: _ClassVar[SettingCode]
    SETTING_CODE_TRANSITIONAL_SHELTER: _ClassVar[SettingCode]
    SETTING_CODE_YHPC_SHELTER: _ClassVar[SettingCode]
    SETTING_CODE_CRISIS_NURSERY: _ClassVar[SettingCode]
    SETTING_CODE_SILP: _ClassVar[SettingCode]
    SETTING_CODE_THPP_NMD: _ClassVar[SettingCode]
    SETTING_CODE_HOME_TRIAL: _ClassVar[SettingCode]
    SETTING_CODE_OTHER: _ClassVar[SettingCode]

class CaregiverRelationshipGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAREGIVER_RELATIONSHIP_GROUP_UNSPECIFIED: _ClassVar[CaregiverRelationshipGroup]
    CAREGIVER_RELATIONSHIP_GROUP_RELATIVE: _ClassVar[CaregiverRelationshipGroup]
    CAREGIVER_RELATIONSHIP_GROUP_NREFM: _ClassVar[CaregiverRelationshipGroup]
    CAREGIVER_RELATIONSHIP_GROUP_NON_RELATIVE: _ClassVar[CaregiverRelationshipGroup]
    CAREGIVER_RELATIONSHIP_GROUP_TRIBAL: _ClassVar[CaregiverRelationshipGroup]
    CAREGIVER_RELATIONSHIP_GROUP_NOT_APPLICABLE: _ClassVar[CaregiverRelationshipGroup]

class MoveReasonGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOVE_REASON_GROUP_UNSPECIFIED: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_PLANNED_MOVE: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_DISRUPTION: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_EMERGENCY_REMOVAL_FROM_HOME: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_PROVIDER_CLOSURE: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_RETURN_FROM_ABSENCE: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_EXIT_FROM_CARE: _ClassVar[MoveReasonGroup]
    MOVE_REASON_GROUP_UNSPECIFIED_MOVE: _ClassVar[MoveReasonGroup]

class ExitGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXIT_GROUP_UNSPECIFIED: _ClassVar[ExitGroup]
    EXIT_GROUP_PERMANENCY: _ClassVar[ExitGroup]
    EXIT_GROUP_AGED_OUT: _ClassVar[ExitGroup]
    EXIT_GROUP_TRANSFER: _ClassVar[ExitGroup]
    EXIT_GROUP_OTHER: _ClassVar[ExitGroup]

class ResolutionGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLUTION_GROUP_UNSPECIFIED: _ClassVar[ResolutionGroup]
    RESOLUTION_GROUP_RETURNED_SAME: _ClassVar[ResolutionGroup]
    RESOLUTION_GROUP_RETURNED_NEW_SETTING: _ClassVar[ResolutionGroup]
    RESOLUTION_GROUP_LOCATED_OTHER_SYSTEM: _ClassVar[ResolutionGroup]
    RESOLUTION_GROUP_JURISDICTION_ENDED: _ClassVar[ResolutionGroup]
    RESOLUTION_GROUP_OTHER: _ClassVar[ResolutionGroup]

class DisclosureMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISCLOSURE_MODE_UNSPECIFIED: _ClassVar[DisclosureMode]
    DISCLOSURE_MODE_VIEW_ONLY: _ClassVar[DisclosureMode]
    DISCLOSURE_MODE_COPY_PERMITTED: _ClassVar[DisclosureMode]

class TransferStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSFER_STATUS_UNSPECIFIED: _ClassVar[TransferStatus]
    TRANSFER_STATUS_NONE: _ClassVar[TransferStatus]
    TRANSFER_STATUS_TRANSFER_OUT_ORDERED: _ClassVar[TransferStatus]
    TRANSFER_STATUS_ACCEPTED: _ClassVar[TransferStatus]

class IcpcStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ICPC_STATUS_UNSPECIFIED: _ClassVar[IcpcStatus]
    ICPC_STATUS_NONE: _ClassVar[IcpcStatus]
    ICPC_STATUS_REQUESTED: _ClassVar[IcpcStatus]
    ICPC_STATUS_APPROVED: _ClassVar[IcpcStatus]

class EvidenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_KIND_UNSPECIFIED: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_LE_REPORT: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_REPORT_BEING_FILED: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_YOUTH_PRESENT: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_ABUSE_REPORT: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_OPEN_REFERRAL: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_OPEN_CASE: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_SUPERVISING: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_HOST_COUNTY: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_TRANSFER_ORDER: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_TRANSFER_MOTION: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_ICPC_REQUEST: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_CHILDS_TRIBE: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_TEAM_MEMBERSHIP: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_APPOINTMENT: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_IDENTITY_PROOF: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_REVIEW_MANDATE: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_IMMINENT_HARM: _ClassVar[EvidenceKind]

class Notice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_UNSPECIFIED: _ClassVar[Notice]
    NOTICE_NOT_A_CLEARANCE: _ClassVar[Notice]
    NOTICE_NO_REDISCLOSURE: _ClassVar[Notice]
    NOTICE_INSPECT_ONLY: _ClassVar[Notice]
    NOTICE_CONSENTED_DISCLOSURE: _ClassVar[Notice]
    NOTICE_MANDATED_REPORT_STILL_DUE: _ClassVar[Notice]
    NOTICE_EMERGENCY_UNDER_REVIEW: _ClassVar[Notice]

class Obligation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OBLIGATION_UNSPECIFIED: _ClassVar[Obligation]
    OBLIGATION_ACCOUNT: _ClassVar[Obligation]
    OBLIGATION_INTERNAL_USE: _ClassVar[Obligation]
    OBLIGATION_ALERT_OWNER: _ClassVar[Obligation]
    OBLIGATION_OWNER_REVIEW: _ClassVar[Obligation]
    OBLIGATION_PAGE_BOTH_DUTY_LINES: _ClassVar[Obligation]
    OBLIGATION_MISUSE_SIGNAL: _ClassVar[Obligation]
    OBLIGATION_CURRENT_PLACEMENT_ONLY: _ClassVar[Obligation]
    OBLIGATION_DUTY_CONTACT_ONLY: _ClassVar[Obligation]
    OBLIGATION_WITHHOLD_SETTING_CODE: _ClassVar[Obligation]
    OBLIGATION_WITHHOLD_AGENCY_KIND: _ClassVar[Obligation]
    OBLIGATION_TELL_YOUTH: _ClassVar[Obligation]
    OBLIGATION_COPY_CONSENT_TO_YOUTH: _ClassVar[Obligation]
    OBLIGATION_OFFER_NOTICE_TO_MINORS_COUNSEL: _ClassVar[Obligation]
    OBLIGATION_LOG_THE_REVIEW: _ClassVar[Obligation]
    OBLIGATION_MASK_SMALL_CELLS: _ClassVar[Obligation]
    OBLIGATION_ALERT_PRIVACY_OFFICER: _ClassVar[Obligation]
    OBLIGATION_SUPERVISOR_ACK_24_HOURS: _ClassVar[Obligation]
    OBLIGATION_REVIEW_5_BUSINESS_DAYS: _ClassVar[Obligation]
    OBLIGATION_NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS: _ClassVar[Obligation]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ANSWERED: _ClassVar[Outcome]
    OUTCOME_RECORDED: _ClassVar[Outcome]
    OUTCOME_NO_ACTIVE_FLAG_FOUND: _ClassVar[Outcome]
    OUTCOME_NO_DISCLOSABLE_RECORD: _ClassVar[Outcome]
    OUTCOME_UNDETERMINED: _ClassVar[Outcome]
    OUTCOME_NOT_PERMITTED: _ClassVar[Outcome]
    OUTCOME_REPORT_IN_ONLY: _ClassVar[Outcome]
    OUTCOME_EVIDENCE_NEEDED: _ClassVar[Outcome]
    OUTCOME_CONSENT_NEEDED: _ClassVar[Outcome]
    OUTCOME_AUTHORITY_NEEDED: _ClassVar[Outcome]
    OUTCOME_CONSENT_REVOKED: _ClassVar[Outcome]
    OUTCOME_SOURCE_UNAVAILABLE: _ClassVar[Outcome]
PURPOSE_UNSPECIFIED: Purpose
PURPOSE_MFC_LOCATE: Purpose
PURPOSE_MFC_HANDOFF: Purpose
PURPOSE_HOTLINE_SCREEN: Purpose
PURPOSE_PLACEMENT_PLANNING: Purpose
PURPOSE_PLACEMENT_SUPERVISION: Purpose
PURPOSE_CASE_TRANSFER: Purpose
PURPOSE_CFT_COORDINATION: Purpose
PURPOSE_VOLUNTARY_SHELTER: Purpose
PURPOSE_SUBJECT_AND_COUNSEL: Purpose
PURPOSE_OVERSIGHT_AUDIT: Purpose
AGENCY_KIND_UNSPECIFIED: AgencyKind
AGENCY_KIND_CWA: AgencyKind
AGENCY_KIND_PROB: AgencyKind
AGENCY_KIND_LEA: AgencyKind
AGENCY_KIND_SHELTER: AgencyKind
AGENCY_KIND_HOSP: AgencyKind
AGENCY_KIND_STRTP: AgencyKind
AGENCY_KIND_FFA: AgencyKind
AGENCY_KIND_TRIBE: AgencyKind
AGENCY_KIND_COURT: AgencyKind
AGENCY_KIND_COUNSEL: AgencyKind
AGENCY_KIND_CASA: AgencyKind
AGENCY_KIND_EDU: AgencyKind
AGENCY_KIND_HEALTH: AgencyKind
AGENCY_KIND_PUBLIC: AgencyKind
AGENCY_KIND_NGO: AgencyKind
AGENCY_KIND_STATE: AgencyKind
AGENCY_KIND_OMBUDS: AgencyKind
AGENCY_KIND_OOS: AgencyKind
AGENCY_KIND_NCMEC: AgencyKind
AGENCY_KIND_COUNTY: AgencyKind
AGENCY_KIND_AUDITOR: AgencyKind
AGENCY_KIND_SUBJECT: AgencyKind
AGENCY_KIND_FED: AgencyKind
AGENCY_KIND_PROVIDER: AgencyKind
BASIS_UNSPECIFIED: Basis
BASIS_STATUTE: Basis
BASIS_CONSENT: Basis
BASIS_COURT_ORDER: Basis
BASIS_AGREEMENT: Basis
BASIS_EMERGENCY: Basis
FIELD_SET_UNSPECIFIED: FieldSet
FIELD_SET_FS0_ACK: FieldSet
FIELD_SET_FS1_FLAG_STATUS: FieldSet
FIELD_SET_FS2_FLAG_LOCATE: FieldSet
FIELD_SET_FS3_FLAG_CASEWORK: FieldSet
FIELD_SET_FS4_PLACEMENT_SUMMARY: FieldSet
FIELD_SET_FS5_PLACEMENT_DETAIL: FieldSet
FIELD_SET_FS6_JURISDICTION_CONTACT: FieldSet
FIELD_SET_FS7_ACCOUNTING: FieldSet
FLAG_STATE_UNSPECIFIED: FlagState
FLAG_STATE_ACTIVE: FlagState
FLAG_STATE_LOCATED_PENDING: FlagState
FLAG_STATE_RESOLVED: FlagState
FLAG_STATE_ENTERED_IN_ERROR: FlagState
HANDLING_CODE_UNSPECIFIED: HandlingCode
HANDLING_CODE_CALL_DUTY_LINE: HandlingCode
HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE: HandlingCode
HANDLING_CODE_WELFARE_CHECK_ADULT: HandlingCode
HANDLING_CODE_CALL_OWN_COUNTY_HOTLINE: HandlingCode
ABSENCE_CATEGORY_UNSPECIFIED: AbsenceCategory
ABSENCE_CATEGORY_RUNAWAY: AbsenceCategory
ABSENCE_CATEGORY_WHEREABOUTS_UNKNOWN: AbsenceCategory
ABSENCE_CATEGORY_ABDUCTION_SUSPECTED: AbsenceCategory
ABSENCE_CATEGORY_LOCATED_UNAPPROVED_PLACE: AbsenceCategory
ABSENCE_CATEGORY_UNSPECIFIED_ABSENCE: AbsenceCategory
SETTING_GROUP_UNSPECIFIED: SettingGroup
SETTING_GROUP_FAMILY_HOME: SettingGroup
SETTING_GROUP_CONGREGATE_CARE: SettingGroup
SETTING_GROUP_TEMPORARY_SHELTER: SettingGroup
SETTING_GROUP_INDEPENDENT: SettingGroup
SETTING_GROUP_HOME_TRIAL: SettingGroup
SETTING_GROUP_OTHER_SETTING: SettingGroup
SETTING_CODE_UNSPECIFIED: SettingCode
SETTING_CODE_RESOURCE_FAMILY_HOME: SettingCode
SETTING_CODE_FFA_HOME: SettingCode
SETTING_CODE_RELATIVE_NREFM: SettingCode
SETTING_CODE_TRIBE_SPECIFIED: SettingCode
SETTING_CODE_COURT_SPECIFIED: SettingCode
SETTING_CODE_GUARDIAN_HOME: SettingCode
SETTING_CODE_SMALL_FAMILY_HOME: SettingCode
SETTING_CODE_ISFC_TREATMENT_HOME: SettingCode
SETTING_CODE_STRTP: SettingCode
SETTING_CODE_GROUP_HOME_LEGACY: SettingCode
SETTING_CODE_OUT_OF_STATE_CONGREGATE: SettingCode
SETTING_CODE_TEMP_SHELTER_CARE: SettingCode
SETTING_CODE_TRANSITIONAL_SHELTER: SettingCode
SETTING_CODE_YHPC_SHELTER: SettingCode
SETTING_CODE_CRISIS_NURSERY: SettingCode
SETTING_CODE_SILP: SettingCode
SETTING_CODE_THPP_NMD: SettingCode
SETTING_CODE_HOME_TRIAL: SettingCode
SETTING_CODE_OTHER: SettingCode
CAREGIVER_RELATIONSHIP_GROUP_UNSPECIFIED: CaregiverRelationshipGroup
CAREGIVER_RELATIONSHIP_GROUP_RELATIVE: CaregiverRelationshipGroup
CAREGIVER_RELATIONSHIP_GROUP_NREFM: CaregiverRelationshipGroup
CAREGIVER_RELATIONSHIP_GROUP_NON_RELATIVE: CaregiverRelationshipGroup
CAREGIVER_RELATIONSHIP_GROUP_TRIBAL: CaregiverRelationshipGroup
CAREGIVER_RELATIONSHIP_GROUP_NOT_APPLICABLE: CaregiverRelationshipGroup
MOVE_REASON_GROUP_UNSPECIFIED: MoveReasonGroup
MOVE_REASON_GROUP_PLANNED_MOVE: MoveReasonGroup
MOVE_REASON_GROUP_DISRUPTION: MoveReasonGroup
MOVE_REASON_GROUP_EMERGENCY_REMOVAL_FROM_HOME: MoveReasonGroup
MOVE_REASON_GROUP_PROVIDER_CLOSURE: MoveReasonGroup
MOVE_REASON_GROUP_RETURN_FROM_ABSENCE: MoveReasonGroup
MOVE_REASON_GROUP_EXIT_FROM_CARE: MoveReasonGroup
MOVE_REASON_GROUP_UNSPECIFIED_MOVE: MoveReasonGroup
EXIT_GROUP_UNSPECIFIED: ExitGroup
EXIT_GROUP_PERMANENCY: ExitGroup
EXIT_GROUP_AGED_OUT: ExitGroup
EXIT_GROUP_TRANSFER: ExitGroup
EXIT_GROUP_OTHER: ExitGroup
RESOLUTION_GROUP_UNSPECIFIED: ResolutionGroup
RESOLUTION_GROUP_RETURNED_SAME: ResolutionGroup
RESOLUTION_GROUP_RETURNED_NEW_SETTING: ResolutionGroup
RESOLUTION_GROUP_LOCATED_OTHER_SYSTEM: ResolutionGroup
RESOLUTION_GROUP_JURISDICTION_ENDED: ResolutionGroup
RESOLUTION_GROUP_OTHER: ResolutionGroup
DISCLOSURE_MODE_UNSPECIFIED: DisclosureMode
DISCLOSURE_MODE_VIEW_ONLY: DisclosureMode
DISCLOSURE_MODE_COPY_PERMITTED: DisclosureMode
TRANSFER_STATUS_UNSPECIFIED: TransferStatus
TRANSFER_STATUS_NONE: TransferStatus
TRANSFER_STATUS_TRANSFER_OUT_ORDERED: TransferStatus
TRANSFER_STATUS_ACCEPTED: TransferStatus
ICPC_STATUS_UNSPECIFIED: IcpcStatus
ICPC_STATUS_NONE: IcpcStatus
ICPC_STATUS_REQUESTED: IcpcStatus
ICPC_STATUS_APPROVED: IcpcStatus
EVIDENCE_KIND_UNSPECIFIED: EvidenceKind
EVIDENCE_KIND_LE_REPORT: EvidenceKind
EVIDENCE_KIND_REPORT_BEING_FILED: EvidenceKind
EVIDENCE_KIND_YOUTH_PRESENT: EvidenceKind
EVIDENCE_KIND_ABUSE_REPORT: EvidenceKind
EVIDENCE_KIND_OPEN_REFERRAL: EvidenceKind
EVIDENCE_KIND_OPEN_CASE: EvidenceKind
EVIDENCE_KIND_SUPERVISING: EvidenceKind
EVIDENCE_KIND_HOST_COUNTY: EvidenceKind
EVIDENCE_KIND_TRANSFER_ORDER: EvidenceKind
EVIDENCE_KIND_TRANSFER_MOTION: EvidenceKind
EVIDENCE_KIND_ICPC_REQUEST: EvidenceKind
EVIDENCE_KIND_CHILDS_TRIBE: EvidenceKind
EVIDENCE_KIND_TEAM_MEMBERSHIP: EvidenceKind
EVIDENCE_KIND_APPOINTMENT: EvidenceKind
EVIDENCE_KIND_IDENTITY_PROOF: EvidenceKind
EVIDENCE_KIND_REVIEW_MANDATE: EvidenceKind
EVIDENCE_KIND_IMMINENT_HARM: EvidenceKind
NOTICE_UNSPECIFIED: Notice
NOTICE_NOT_A_CLEARANCE: Notice
NOTICE_NO_REDISCLOSURE: Notice
NOTICE_INSPECT_ONLY: Notice
NOTICE_CONSENTED_DISCLOSURE: Notice
NOTICE_MANDATED_REPORT_STILL_DUE: Notice
NOTICE_EMERGENCY_UNDER_REVIEW: Notice
OBLIGATION_UNSPECIFIED: Obligation
OBLIGATION_ACCOUNT: Obligation
OBLIGATION_INTERNAL_USE: Obligation
OBLIGATION_ALERT_OWNER: Obligation
OBLIGATION_OWNER_REVIEW: Obligation
OBLIGATION_PAGE_BOTH_DUTY_LINES: Obligation
OBLIGATION_MISUSE_SIGNAL: Obligation
OBLIGATION_CURRENT_PLACEMENT_ONLY: Obligation
OBLIGATION_DUTY_CONTACT_ONLY: Obligation
OBLIGATION_WITHHOLD_SETTING_CODE: Obligation
OBLIGATION_WITHHOLD_AGENCY_KIND: Obligation
OBLIGATION_TELL_YOUTH: Obligation
OBLIGATION_COPY_CONSENT_TO_YOUTH: Obligation
OBLIGATION_OFFER_NOTICE_TO_MINORS_COUNSEL: Obligation
OBLIGATION_LOG_THE_REVIEW: Obligation
OBLIGATION_MASK_SMALL_CELLS: Obligation
OBLIGATION_ALERT_PRIVACY_OFFICER: Obligation
OBLIGATION_SUPERVISOR_ACK_24_HOURS: Obligation
OBLIGATION_REVIEW_5_BUSINESS_DAYS: Obligation
OBLIGATION_NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS: Obligation
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ANSWERED: Outcome
OUTCOME_RECORDED: Outcome
OUTCOME_NO_ACTIVE_FLAG_FOUND: Outcome
OUTCOME_NO_DISCLOSABLE_RECORD: Outcome
OUTCOME_UNDETERMINED: Outcome
OUTCOME_NOT_PERMITTED: Outcome
OUTCOME_REPORT_IN_ONLY: Outcome
OUTCOME_EVIDENCE_NEEDED: Outcome
OUTCOME_CONSENT_NEEDED: Outcome
OUTCOME_AUTHORITY_NEEDED: Outcome
OUTCOME_CONSENT_REVOKED: Outcome
OUTCOME_SOURCE_UNAVAILABLE: Outcome
