import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.county.v1 import county_pb2 as _county_pb2
from homeward.gateway.v1 import review_pb2 as _review_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListReviewsRequest(_message.Message):
    __slots__ = ("open_only",)
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    open_only: bool
    def __init__(self, open_only: _Optional[bool] = ...) -> None: ...

class ListReviewsResponse(_message.Message):
    __slots__ = ("reviews",)
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    reviews: _containers.RepeatedCompositeFieldContainer[Review]
    def __init__(self, reviews: _Optional[_Iterable[_Union[Review, _Mapping]]] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("review_id", "side", "state", "evidence", "sentence", "other_agency", "other_duty_line", "local_id", "request_id", "verdict", "act_time")
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    OTHER_AGENCY_FIELD_NUMBER: _ClassVar[int]
    OTHER_DUTY_LINE_FIELD_NUMBER: _ClassVar[int]
    LOCAL_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ACT_TIME_FIELD_NUMBER: _ClassVar[int]
    review_id: str
    side: _review_pb2.ReviewSide
    state: _review_pb2.ReviewState
    evidence: _containers.RepeatedCompositeFieldContainer[_review_pb2.ReviewEvidence]
    sentence: str
    other_agency: str
    other_duty_line: str
    local_id: str
    request_id: str
    verdict: _review_pb2.Verdict
    act_time: _timestamp_pb2.Timestamp
    def __init__(self, review_id: _Optional[str] = ..., side: _Optional[_Union[_review_pb2.ReviewSide, str]] = ..., state: _Optional[_Union[_review_pb2.ReviewState, str]] = ..., evidence: _Optional[_Iterable[_Union[_review_pb2.ReviewEvidence, _Mapping]]] = ..., sentence: _Optional[str] = ..., other_agency: _Optional[str] = ..., other_duty_line: _Optional[str] = ..., local_id: _Optional[str] = ..., request_id: _Optional[str] = ..., verdict: _Optional[_Union[_review_pb2.Verdict, str]] = ..., act_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GiveVerdictRequest(_message.Message):
    __slots__ = ("review_id", "verdict", "role")
    REVIEW_ID_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    review_id: str
    verdict: _review_pb2.Verdict
    role: str
    def __init__(self, review_id: _Optional[str] = ..., verdict: _Optional[_Union[_review_pb2.Verdict, str]] = ..., role: _Optional[str] = ...) -> None: ...

class GiveVerdictResponse(_message.Message):
    __slots__ = ("state", "receipt")
    STATE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    state: _review_pb2.ReviewState
    receipt: _county_pb2.Receipt
    def __init__(self, state: _Optional[_Union[_review_pb2.ReviewState, str]] = ..., receipt: _Optional[_Union[_county_pb2.Receipt, _Mapping]] = ...) -> None: ...
