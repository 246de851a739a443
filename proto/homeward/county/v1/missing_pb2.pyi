import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.county.v1 import county_pb2 as _county_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from homeward.gateway.v1 import missing_pb2 as _missing_pb2
from homeward.gateway.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlertKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_KIND_UNSPECIFIED: _ClassVar[AlertKind]
    ALERT_KIND_CHECKED: _ClassVar[AlertKind]
    ALERT_KIND_LOCATED: _ClassVar[AlertKind]
    ALERT_KIND_RESOLVE_ATTEMPTED: _ClassVar[AlertKind]
    ALERT_KIND_SUPPORTING_REPORT: _ClassVar[AlertKind]
    ALERT_KIND_RECORDS_RELEASED: _ClassVar[AlertKind]
    ALERT_KIND_AUTHORITY_REVOKED: _ClassVar[AlertKind]
    ALERT_KIND_NOTICE: _ClassVar[AlertKind]
    ALERT_KIND_REVIEW: _ClassVar[AlertKind]
    ALERT_KIND_EMERGENCY_USED: _ClassVar[AlertKind]
    ALERT_KIND_DECIDE_BY_HAND: _ClassVar[AlertKind]
ALERT_KIND_UNSPECIFIED: AlertKind
ALERT_KIND_CHECKED: AlertKind
ALERT_KIND_LOCATED: AlertKind
ALERT_KIND_RESOLVE_ATTEMPTED: AlertKind
ALERT_KIND_SUPPORTING_REPORT: AlertKind
ALERT_KIND_RECORDS_RELEASED: AlertKind
ALERT_KIND_AUTHORITY_REVOKED: AlertKind
ALERT_KIND_NOTICE: AlertKind
ALERT_KIND_REVIEW: AlertKind
ALERT_KIND_EMERGENCY_USED: AlertKind
ALERT_KIND_DECIDE_BY_HAND: AlertKind

class CheckFlagRequest(_message.Message):
    __slots__ = ("inquiry",)
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    inquiry: _county_pb2.Inquiry
    def __init__(self, inquiry: _Optional[_Union[_county_pb2.Inquiry, _Mapping]] = ...) -> None: ...

class CheckFlagResponse(_message.Message):
    __slots__ = ("outcome", "notices", "handling_code", "duty_line", "county", "flag_id", "flag_state", "stale_counties", "withheld", "receipt", "duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    HANDLING_CODE_FIELD_NUMBER: _ClassVar[int]
    DUTY_LINE_FIELD_NUMBER: _ClassVar[int]
    COUNTY_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATE_FIELD_NUMBER: _ClassVar[int]
    STALE_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedScalarFieldContainer[_codes_pb2.Notice]
    handling_code: _codes_pb2.HandlingCode
    duty_line: str
    county: str
    flag_id: str
    flag_state: _codes_pb2.FlagState
    stale_counties: _containers.RepeatedScalarFieldContainer[str]
    withheld: _containers.RepeatedCompositeFieldContainer[_records_pb2.WithheldField]
    receipt: _county_pb2.Receipt
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[_codes_pb2.Notice, str]]] = ..., handling_code: _Optional[_Union[_codes_pb2.HandlingCode, str]] = ..., duty_line: _Optional[str] = ..., county: _Optional[str] = ..., flag_id: _Optional[str] = ..., flag_state: _Optional[_Union[_codes_pb2.FlagState, str]] = ..., stale_counties: _Optional[_Iterable[str]] = ..., withheld: _Optional[_Iterable[_Union[_records_pb2.WithheldField, _Mapping]]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class GetFlagDetailsRequest(_message.Message):
    __slots__ = ("inquiry",)
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    inquiry: _county_pb2.Inquiry
    def __init__(self, inquiry: _Optional[_Union[_county_pb2.Inquiry, _Mapping]] = ...) -> None: ...

class GetFlagDetailsResponse(_message.Message):
    __slots__ = ("outcome", "notices", "flag_locate", "flag_casework", "withheld", "data_as_of_time", "receipt", "duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    FLAG_LOCATE_FIELD_NUMBER: _ClassVar[int]
    FLAG_CASEWORK_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    DATA_AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedScalarFieldContainer[_codes_pb2.Notice]
    flag_locate: _records_pb2.FlagLocate
    flag_casework: _records_pb2.FlagCasework
    withheld: _containers.RepeatedCompositeFieldContainer[_records_pb2.WithheldField]
    data_as_of_time: _timestamp_pb2.Timestamp
    receipt: _county_pb2.Receipt
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[_codes_pb2.Notice, str]]] = ..., flag_locate: _Optional[_Union[_records_pb2.FlagLocate, _Mapping]] = ..., flag_casework: _Optional[_Union[_records_pb2.FlagCasework, _Mapping]] = ..., withheld: _Optional[_Iterable[_Union[_records_pb2.WithheldField, _Mapping]]] = ..., data_as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class RaiseFlagRequest(_message.Message):
    __slots__ = ("inquiry", "local_id", "learn_time", "handling_code", "flag_locate", "of_another_agency")
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    LEARN_TIME_FIELD_NUMBER: _ClassVar[int]
    HANDLING_CODE_FIELD_NUMBER: _ClassVar[int]
    FLAG_LOCATE_FIELD_NUMBER: _ClassVar[int]
    OF_ANOTHER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    inquiry: _county_pb2.Inquiry
    local_id: str
    learn_time: _timestamp_pb2.Timestamp
    handling_code: _codes_pb2.HandlingCode
    flag_locate: _records_pb2.FlagLocate
    of_another_agency: bool
    def __init__(self, inquiry: _Optional[_Union[_county_pb2.Inquiry, _Mapping]] = ..., local_id: _Optional[str] = ..., learn_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., handling_code: _Optional[_Union[_codes_pb2.HandlingCode, str]] = ..., flag_locate: _Optional[_Union[_records_pb2.FlagLocate, _Mapping]] = ..., of_another_agency: _Optional[bool] = ...) -> None: ...

class RaiseFlagResponse(_message.Message):
    __slots__ = ("outcome", "flag_id", "late", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    flag_id: str
    late: bool
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., flag_id: _Optional[str] = ..., late: _Optional[bool] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class UpdateFlagRequest(_message.Message):
    __slots__ = ("flag_id", "role", "duties", "handling_code", "flag_locate", "return_conversation_done", "still_missing", "request_id")
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    HANDLING_CODE_FIELD_NUMBER: _ClassVar[int]
    FLAG_LOCATE_FIELD_NUMBER: _ClassVar[int]
    RETURN_CONVERSATION_DONE_FIELD_NUMBER: _ClassVar[int]
    STILL_MISSING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    flag_id: str
    role: str
    duties: _containers.RepeatedCompositeFieldContainer[_missing_pb2.DutyDone]
    handling_code: _codes_pb2.HandlingCode
    flag_locate: _records_pb2.FlagLocate
    return_conversation_done: bool
    still_missing: bool
    request_id: str
    def __init__(self, flag_id: _Optional[str] = ..., role: _Optional[str] = ..., duties: _Optional[_Iterable[_Union[_missing_pb2.DutyDone, _Mapping]]] = ..., handling_code: _Optional[_Union[_codes_pb2.HandlingCode, str]] = ..., flag_locate: _Optional[_Union[_records_pb2.FlagLocate, _Mapping]] = ..., return_conversation_done: _Optional[bool] = ..., still_missing: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateFlagResponse(_message.Message):
    __slots__ = ("outcome", "open_duties", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    OPEN_DUTIES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    open_duties: _containers.RepeatedCompositeFieldContainer[_missing_pb2.DutyDue]
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., open_duties: _Optional[_Iterable[_Union[_missing_pb2.DutyDue, _Mapping]]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ReportLocatedRequest(_message.Message):
    __slots__ = ("flag_id", "purpose", "role", "locate_time", "located_county", "request_id")
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LOCATE_TIME_FIELD_NUMBER: _ClassVar[int]
    LOCATED_COUNTY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    flag_id: str
    purpose: _codes_pb2.Purpose
    role: str
    locate_time: _timestamp_pb2.Timestamp
    located_county: str
    request_id: str
    def __init__(self, flag_id: _Optional[str] = ..., purpose: _Optional[_Union[_codes_pb2.Purpose, str]] = ..., role: _Optional[str] = ..., locate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., located_county: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReportLocatedResponse(_message.Message):
    __slots__ = ("outcome", "receipt")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _county_pb2.Receipt
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ResolveFlagRequest(_message.Message):
    __slots__ = ("flag_id", "role", "resolution_group", "entered_in_error", "request_id", "purpose")
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    RESOLUTION_GROUP_FIELD_NUMBER: _ClassVar[int]
    ENTERED_IN_ERROR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    flag_id: str
    role: str
    resolution_group: _codes_pb2.ResolutionGroup
    entered_in_error: bool
    request_id: str
    purpose: _codes_pb2.Purpose
    def __init__(self, flag_id: _Optional[str] = ..., role: _Optional[str] = ..., resolution_group: _Optional[_Union[_codes_pb2.ResolutionGroup, str]] = ..., entered_in_error: _Optional[bool] = ..., request_id: _Optional[str] = ..., purpose: _Optional[_Union[_codes_pb2.Purpose, str]] = ...) -> None: ...

class ResolveFlagResponse(_message.Message):
    __slots__ = ("outcome", "receipt", "flag_state", "open_duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    FLAG_STATE_FIELD_NUMBER: _ClassVar[int]
    OPEN_DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    receipt: _county_pb2.Receipt
    flag_state: _codes_pb2.FlagState
    open_duties: _containers.RepeatedCompositeFieldContainer[_missing_pb2.DutyDue]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., flag_state: _Optional[_Union[_codes_pb2.FlagState, str]] = ..., open_duties: _Optional[_Iterable[_Union[_missing_pb2.DutyDue, _Mapping]]] = ...) -> None: ...

class WatchAlertsRequest(_message.Message):
    __slots__ = ("cursor", "follow")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    follow: bool
    def __init__(self, cursor: _Optional[int] = ..., follow: _Optional[bool] = ...) -> None: ...

class WatchAlertsResponse(_message.Message):
    __slots__ = ("sequence", "kind", "local_id", "flag_id", "acting_agency", "acting_duty_line", "located_county", "purpose", "act_time", "leaf_index", "act_count", "first_act_time", "last_act_time", "report_time", "duties")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    FLAG_ID_FIELD_NUMBER: _ClassVar[int]
    ACTING_AGENCY_FIELD_NUMBER: _ClassVar[int]
    ACTING_DUTY_LINE_FIELD_NUMBER: _ClassVar[int]
    LOCATED_COUNTY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ACT_TIME_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    ACT_COUNT_FIELD_NUMBER: _ClassVar[int]
    FIRST_ACT_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_ACT_TIME_FIELD_NUMBER: _ClassVar[int]
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: AlertKind
    local_id: str
    flag_id: str
    acting_agency: str
    acting_duty_line: str
    located_county: str
    purpose: _codes_pb2.Purpose
    act_time: _timestamp_pb2.Timestamp
    leaf_index: int
    act_count: int
    first_act_time: _timestamp_pb2.Timestamp
    last_act_time: _timestamp_pb2.Timestamp
    report_time: _timestamp_pb2.Timestamp
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[_Union[AlertKind, str]] = ..., local_id: _Optional[str] = ..., flag_id: _Optional[str] = ..., acting_agency: _Optional[str] = ..., acting_duty_line: _Optional[str] = ..., located_county: _Optional[str] = ..., purpose: _Optional[_Union[_codes_pb2.Purpose, str]] = ..., act_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., leaf_index: _Optional[int] = ..., act_count: _Optional[int] = ..., first_act_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_act_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class AcknowledgeAlertsRequest(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class AcknowledgeAlertsResponse(_message.Message):
    __slots__ = ("open_count",)
    OPEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    open_count: int
    def __init__(self, open_count: _Optional[int] = ...) -> None: ...
