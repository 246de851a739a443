import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordField(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_FIELD_UNSPECIFIED: _ClassVar[RecordField]
    RECORD_FIELD_FLAG_LOCATE: _ClassVar[RecordField]
    RECORD_FIELD_FLAG_CASEWORK: _ClassVar[RecordField]
    RECORD_FIELD_PLACEMENT_SUMMARY: _ClassVar[RecordField]
    RECORD_FIELD_PLACEMENT_DETAIL: _ClassVar[RecordField]
    RECORD_FIELD_JURISDICTION_CONTACT: _ClassVar[RecordField]
    RECORD_FIELD_SETTING_CODE: _ClassVar[RecordField]
    RECORD_FIELD_CAREGIVER_RELATIONSHIP_GROUP: _ClassVar[RecordField]
    RECORD_FIELD_MOVE_REASON_GROUP: _ClassVar[RecordField]
    RECORD_FIELD_PLACEMENT_COUNTY: _ClassVar[RecordField]
    RECORD_FIELD_EXIT_DATE: _ClassVar[RecordField]
    RECORD_FIELD_EXIT_GROUP: _ClassVar[RecordField]
    RECORD_FIELD_EARLIER_EPISODES: _ClassVar[RecordField]
    RECORD_FIELD_RESPONSIBLE_AGENCY_KIND: _ClassVar[RecordField]
    RECORD_FIELD_UNUSABLE_ROWS: _ClassVar[RecordField]

class WithheldReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WITHHELD_REASON_UNSPECIFIED: _ClassVar[WithheldReason]
    WITHHELD_REASON_NOT_GRANTED: _ClassVar[WithheldReason]
    WITHHELD_REASON_COUNTY_RULE: _ClassVar[WithheldReason]
    WITHHELD_REASON_MASKED: _ClassVar[WithheldReason]
    WITHHELD_REASON_NOT_RECORDED: _ClassVar[WithheldReason]
    WITHHELD_REASON_NOT_USABLE: _ClassVar[WithheldReason]
RECORD_FIELD_UNSPECIFIED: RecordField
RECORD_FIELD_FLAG_LOCATE: RecordField
RECORD_FIELD_FLAG_CASEWORK: RecordField
RECORD_FIELD_PLACEMENT_SUMMARY: RecordField
RECORD_FIELD_PLACEMENT_DETAIL: RecordField
RECORD_FIELD_JURISDICTION_CONTACT: RecordField
RECORD_FIELD_SETTING_CODE: RecordField
RECORD_FIELD_CAREGIVER_RELATIONSHIP_GROUP: RecordField
RECORD_FIELD_MOVE_REASON_GROUP: RecordField
RECORD_FIELD_PLACEMENT_COUNTY: RecordField
RECORD_FIELD_EXIT_DATE: RecordField
RECORD_FIELD_EXIT_GROUP: RecordField
RECORD_FIELD_EARLIER_EPISODES: RecordField
RECORD_FIELD_RESPONSIBLE_AGENCY_KIND: RecordField
RECORD_FIELD_UNUSABLE_ROWS: RecordField
WITHHELD_REASON_UNSPECIFIED: WithheldReason
WITHHELD_REASON_NOT_GRANTED: WithheldReason
WITHHELD_REASON_COUNTY_RULE: WithheldReason
WITHHELD_REASON_MASKED: WithheldReason
WITHHELD_REASON_NOT_RECORDED: WithheldReason
WITHHELD_REASON_NOT_USABLE: WithheldReason

class LawEnforcementReport(_message.Message):
    __slots__ = ("ori", "report_number")
    ORI_FIELD_NUMBER: _ClassVar[int]
    REPORT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ori: str
    report_number: str
    def __init__(self, ori: _Optional[str] = ..., report_number: _Optional[str] = ...) -> None: ...

class FlagLocate(_message.Message):
    __slots__ = ("missing_since_date", "absence_category", "last_seen_county", "missing_from_setting_group", "law_enforcement_report", "ncmec_case_number")
    MISSING_SINCE_DATE_FIELD_NUMBER: _ClassVar[int]
    ABSENCE_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_COUNTY_FIELD_NUMBER: _ClassVar[int]
    MISSING_FROM_SETTING_GROUP_FIELD_NUMBER: _ClassVar[int]
    LAW_ENFORCEMENT_REPORT_FIELD_NUMBER: _ClassVar[int]
    NCMEC_CASE_NUMBER_FIELD_NUMBER: _ClassVar[int]
    missing_since_date: str
    absence_category: _codes_pb2.AbsenceCategory
    last_seen_county: str
    missing_from_setting_group: _codes_pb2.SettingGroup
    law_enforcement_report: LawEnforcementReport
    ncmec_case_number: str
    def __init__(self, missing_since_date: _Optional[str] = ..., absence_category: _Optional[_Union[_codes_pb2.AbsenceCategory, str]] = ..., last_seen_county: _Optional[str] = ..., missing_from_setting_group: _Optional[_Union[_codes_pb2.SettingGroup, str]] = ..., law_enforcement_report: _Optional[_Union[LawEnforcementReport, _Mapping]] = ..., ncmec_case_number: _Optional[str] = ...) -> None: ...

class FlagCasework(_message.Message):
    __slots__ = ("law_enforcement_report_time", "ncmec_report_time", "parties_notice_time", "court_notice_time", "tribe_notice_time", "prior_flag_count", "resolved_date", "resolution_group", "return_conversation_done")
    LAW_ENFORCEMENT_REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    NCMEC_REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    PARTIES_NOTICE_TIME_FIELD_NUMBER: _ClassVar[int]
    COURT_NOTICE_TIME_FIELD_NUMBER: _ClassVar[int]
    TRIBE_NOTICE_TIME_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FLAG_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_DATE_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_GROUP_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONVERSATION_DONE_FIELD_NUMBER: _ClassVar[int]
    law_enforcement_report_time: _timestamp_pb2.Timestamp
    ncmec_report_time: _timestamp_pb2.Timestamp
    parties_notice_time: _timestamp_pb2.Timestamp
    court_notice_time: _timestamp_pb2.Timestamp
    tribe_notice_time: _timestamp_pb2.Timestamp
    prior_flag_count: int
    resolved_date: str
    resolution_group: _codes_pb2.ResolutionGroup
    return_conversation_done: bool
    def __init__(self, law_enforcement_report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ncmec_report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., parties_notice_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., court_notice_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tribe_notice_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., prior_flag_count: _Optional[int] = ..., resolved_date: _Optional[str] = ..., resolution_group: _Optional[_Union[_codes_pb2.ResolutionGroup, str]] = ..., return_conversation_done: _Optional[bool] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("sequence", "start_date", "end_date", "setting_group", "placement_county", "setting_code", "caregiver_relationship_group", "move_reason_group")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    SETTING_GROUP_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_COUNTY_FIELD_NUMBER: _ClassVar[int]
    SETTING_CODE_FIELD_NUMBER: _ClassVar[int]
    CAREGIVER_RELATIONSHIP_GROUP_FIELD_NUMBER: _ClassVar[int]
    MOVE_REASON_GROUP_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    start_date: str
    end_date: str
    setting_group: _codes_pb2.SettingGroup
    placement_county: str
    setting_code: _codes_pb2.SettingCode
    caregiver_relationship_group: _codes_pb2.CaregiverRelationshipGroup
    move_reason_group: _codes_pb2.MoveReasonGroup
    def __init__(self, sequence: _Optional[int] = ..., start_date: _Optional[str] = ..., end_date: _Optional[str] = ..., setting_group: _Optional[_Union[_codes_pb2.SettingGroup, str]] = ..., placement_county: _Optional[str] = ..., setting_code: _Optional[_Union[_codes_pb2.SettingCode, str]] = ..., caregiver_relationship_group: _Optional[_Union[_codes_pb2.CaregiverRelationshipGroup, str]] = ..., move_reason_group: _Optional[_Union[_codes_pb2.MoveReasonGroup, str]] = ...) -> None: ...

class OutOfHomeEpisode(_message.Message):
    __slots__ = ("removal_date", "exit_date", "exit_group", "placements", "placement_count", "open_placement")
    REMOVAL_DATE_FIELD_NUMBER: _ClassVar[int]
    EXIT_DATE_FIELD_NUMBER: _ClassVar[int]
    EXIT_GROUP_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    OPEN_PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    removal_date: str
    exit_date: str
    exit_group: _codes_pb2.ExitGroup
    placements: _containers.RepeatedCompositeFieldContainer[Placement]
    placement_count: int
    open_placement: bool
    def __init__(self, removal_date: _Optional[str] = ..., exit_date: _Optional[str] = ..., exit_group: _Optional[_Union[_codes_pb2.ExitGroup, str]] = ..., placements: _Optional[_Iterable[_Union[Placement, _Mapping]]] = ..., placement_count: _Optional[int] = ..., open_placement: _Optional[bool] = ...) -> None: ...

class PlacementHistory(_message.Message):
    __slots__ = ("episodes", "shelter_day_count")
    EPISODES_FIELD_NUMBER: _ClassVar[int]
    SHELTER_DAY_COUNT_FIELD_NUMBER: _ClassVar[int]
    episodes: _containers.RepeatedCompositeFieldContainer[OutOfHomeEpisode]
    shelter_day_count: int
    def __init__(self, episodes: _Optional[_Iterable[_Union[OutOfHomeEpisode, _Mapping]]] = ..., shelter_day_count: _Optional[int] = ...) -> None: ...

class JurisdictionContact(_message.Message):
    __slots__ = ("court_county", "responsible_county", "responsible_agency_kind", "placement_county", "contact_phone", "transfer_status", "icpc_status")
    COURT_COUNTY_FIELD_NUMBER: _ClassVar[int]
    RESPONSIBLE_COUNTY_FIELD_NUMBER: _ClassVar[int]
    RESPONSIBLE_AGENCY_KIND_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_COUNTY_FIELD_NUMBER: _ClassVar[int]
    CONTACT_PHONE_FIELD_NUMBER: _ClassVar[int]
    TRANSFER_STATUS_FIELD_NUMBER: _ClassVar[int]
    ICPC_STATUS_FIELD_NUMBER: _ClassVar[int]
    court_county: str
    responsible_county: str
    responsible_agency_kind: _codes_pb2.AgencyKind
    placement_county: str
    contact_phone: str
    transfer_status: _codes_pb2.TransferStatus
    icpc_status: _codes_pb2.IcpcStatus
    def __init__(self, court_county: _Optional[str] = ..., responsible_county: _Optional[str] = ..., responsible_agency_kind: _Optional[_Union[_codes_pb2.AgencyKind, str]] = ..., placement_county: _Optional[str] = ..., contact_phone: _Optional[str] = ..., transfer_status: _Optional[_Union[_codes_pb2.TransferStatus, str]] = ..., icpc_status: _Optional[_Union[_codes_pb2.IcpcStatus, str]] = ...) -> None: ...

class RecordAnswer(_message.Message):
    __slots__ = ("request_digest", "field_sets", "flag_locate", "flag_casework", "placement_history", "jurisdiction_contact", "withheld", "data_as_of_time", "page", "more_pages", "mode", "padding")
    REQUEST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIELD_SETS_FIELD_NUMBER: _ClassVar[int]
    FLAG_LOCATE_FIELD_NUMBER: _ClassVar[int]
    FLAG_CASEWORK_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_HISTORY_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_CONTACT_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    DATA_AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    MORE_PAGES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    request_digest: bytes
    field_sets: _containers.RepeatedScalarFieldContainer[_codes_pb2.FieldSet]
    flag_locate: FlagLocate
    flag_casework: FlagCasework
    placement_history: PlacementHistory
    jurisdiction_contact: JurisdictionContact
    withheld: _containers.RepeatedCompositeFieldContainer[WithheldField]
    data_as_of_time: _timestamp_pb2.Timestamp
    page: int
    more_pages: bool
    mode: _codes_pb2.DisclosureMode
    padding: bytes
    def __init__(self, request_digest: _Optional[bytes] = ..., field_sets: _Optional[_Iterable[_Union[_codes_pb2.FieldSet, str]]] = ..., flag_locate: _Optional[_Union[FlagLocate, _Mapping]] = ..., flag_casework: _Optional[_Union[FlagCasework, _Mapping]] = ..., placement_history: _Optional[_Union[PlacementHistory, _Mapping]] = ..., jurisdiction_contact: _Optional[_Union[JurisdictionContact, _Mapping]] = ..., withheld: _Optional[_Iterable[_Union[WithheldField, _Mapping]]] = ..., data_as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page: _Optional[int] = ..., more_pages: _Optional[bool] = ..., mode: _Optional[_Union[_codes_pb2.DisclosureMode, str]] = ..., padding: _Optional[bytes] = ...) -> None: ...

class WithheldField(_message.Message):
    __slots__ = ("field", "reason")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    field: RecordField
    reason: WithheldReason
    def __init__(self, field: _Optional[_Union[RecordField, str]] = ..., reason: _Optional[_Union[WithheldReason, str]] = ...) -> None: ...
