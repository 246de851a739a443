import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.county.v1 import county_pb2 as _county_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from homeward.gateway.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetPlacementHistoryRequest(_message.Message):
    __slots__ = ("inquiry", "detail", "page_size", "page_token")
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    inquiry: _county_pb2.Inquiry
    detail: bool
    page_size: int
    page_token: str
    def __init__(self, inquiry: _Optional[_Union[_county_pb2.Inquiry, _Mapping]] = ..., detail: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetPlacementHistoryResponse(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: HistoryPage
    def __init__(self, page: _Optional[_Union[HistoryPage, _Mapping]] = ...) -> None: ...

class HistoryPage(_message.Message):
    __slots__ = ("outcome", "notices", "placement_history", "source_agency", "mode", "withheld", "data_as_of_time", "next_page_token", "stale_counties", "receipt", "release_receipt", "duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_HISTORY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_AGENCY_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    DATA_AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STALE_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    RELEASE_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedScalarFieldContainer[_codes_pb2.Notice]
    placement_history: _records_pb2.PlacementHistory
    source_agency: str
    mode: _codes_pb2.DisclosureMode
    withheld: _containers.RepeatedCompositeFieldContainer[_records_pb2.WithheldField]
    data_as_of_time: _timestamp_pb2.Timestamp
    next_page_token: str
    stale_counties: _containers.RepeatedScalarFieldContainer[str]
    receipt: _county_pb2.Receipt
    release_receipt: _county_pb2.Receipt
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[_codes_pb2.Notice, str]]] = ..., placement_history: _Optional[_Union[_records_pb2.PlacementHistory, _Mapping]] = ..., source_agency: _Optional[str] = ..., mode: _Optional[_Union[_codes_pb2.DisclosureMode, str]] = ..., withheld: _Optional[_Iterable[_Union[_records_pb2.WithheldField, _Mapping]]] = ..., data_as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_page_token: _Optional[str] = ..., stale_counties: _Optional[_Iterable[str]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., release_receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...

class StreamPlacementHistoryRequest(_message.Message):
    __slots__ = ("inquiry", "detail", "page_size")
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    inquiry: _county_pb2.Inquiry
    detail: bool
    page_size: int
    def __init__(self, inquiry: _Optional[_Union[_county_pb2.Inquiry, _Mapping]] = ..., detail: _Optional[bool] = ..., page_size: _Optional[int] = ...) -> None: ...

class StreamPlacementHistoryResponse(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: HistoryPage
    def __init__(self, page: _Optional[_Union[HistoryPage, _Mapping]] = ...) -> None: ...

class GetJurisdictionContactRequest(_message.Message):
    __slots__ = ("inquiry",)
    INQUIRY_FIELD_NUMBER: _ClassVar[int]
    inquiry: _county_pb2.Inquiry
    def __init__(self, inquiry: _Optional[_Union[_county_pb2.Inquiry, _Mapping]] = ...) -> None: ...

class GetJurisdictionContactResponse(_message.Message):
    __slots__ = ("outcome", "notices", "jurisdiction_contact", "withheld", "data_as_of_time", "stale_counties", "receipt", "duties")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    JURISDICTION_CONTACT_FIELD_NUMBER: _ClassVar[int]
    WITHHELD_FIELD_NUMBER: _ClassVar[int]
    DATA_AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    STALE_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DUTIES_FIELD_NUMBER: _ClassVar[int]
    outcome: _codes_pb2.Outcome
    notices: _containers.RepeatedScalarFieldContainer[_codes_pb2.Notice]
    jurisdiction_contact: _records_pb2.JurisdictionContact
    withheld: _containers.RepeatedCompositeFieldContainer[_records_pb2.WithheldField]
    data_as_of_time: _timestamp_pb2.Timestamp
    stale_counties: _containers.RepeatedScalarFieldContainer[str]
    receipt: _county_pb2.Receipt
    duties: _containers.RepeatedScalarFieldContainer[_codes_pb2.Obligation]
    def __init__(self, outcome: _Optional[_Union[_codes_pb2.Outcome, str]] = ..., notices: _Optional[_Iterable[_Union[_codes_pb2.Notice, str]]] = ..., jurisdiction_contact: _Optional[_Union[_records_pb2.JurisdictionContact, _Mapping]] = ..., withheld: _Optional[_Iterable[_Union[_records_pb2.WithheldField, _Mapping]]] = ..., data_as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stale_counties: _Optional[_Iterable[str]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ..., duties: _Optional[_Iterable[_Union[_codes_pb2.Obligation, str]]] = ...) -> None: ...
