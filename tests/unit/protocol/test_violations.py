"""What is wrong with a request, on the wire: paths an engineer can follow, and no value."""

import pytest
from google.rpc.error_details_pb2 import BadRequest

from gateway.protocol.parse import MalformedMessage, check
from gateway.protocol.violations import bad_request, fields_in
from homeward.county.v1.county_pb2 import EvidenceReference, Inquiry, YouthIdentity
from homeward.county.v1.missing_pb2 import CheckFlagRequest
from homeward.gateway.v1.codes_pb2 import EVIDENCE_KIND_YOUTH_PRESENT, PURPOSE_MFC_HANDOFF
from homeward.gateway.v1.records_pb2 import RecordAnswer
from homeward.gateway.v1.sealing_pb2 import NoticeContent


def test_a_field_is_the_path_and_its_rule_the_description() -> None:
    made = bad_request(("inquiry.youth: required", "(message)"))
    assert [(each.field, each.description) for each in made.field_violations] == [
        ("inquiry.youth", "required"),
        ("(message)", ""),
    ]
    assert fields_in(made) == ("inquiry.youth: required", "(message)")


def test_of_a_stranger_no_more_is_taken_than_is_asked_for() -> None:
    said = BadRequest(field_violations=[BadRequest.FieldViolation(field="a" * 50, description="b" * 50)] * 9)
    assert fields_in(said, most=2, longest=60) == (f"{'a' * 50}: {'b' * 8}",) * 2


@pytest.mark.parametrize("padding", [b"SEEN AT 12 INVENTED STREET", bytes(9) + b"a", b"\0\n", b"\xff\xfe", b"\0\xc3"])
@pytest.mark.parametrize("kind", [RecordAnswer, NoticeContent])
def test_no_padding_carries_anything_from_one_county_to_another(
    kind: type[RecordAnswer] | type[NoticeContent], padding: bytes
) -> None:
    made = NoticeContent() if kind is NoticeContent else RecordAnswer(request_digest=bytes(32), page=1)
    made.padding = bytes(1000)
    check(made)
    made.padding = padding
    with pytest.raises(MalformedMessage):
        check(made)


def test_a_fault_in_a_list_is_told_with_its_place() -> None:
    youth = YouthIdentity(given_name="Testa", surname="Invented", birth_date="2011-07-19")
    good = EvidenceReference(kind=EVIDENCE_KIND_YOUTH_PRESENT, reference="TEST-1")
    shown = [good, EvidenceReference(reference="TEST-2")]
    inquiry = Inquiry(youth=youth, purpose=PURPOSE_MFC_HANDOFF, evidence=shown)
    with pytest.raises(MalformedMessage) as caught:
        check(CheckFlagRequest(inquiry=inquiry))
    assert caught.value.fields == ("inquiry.evidence[1].kind: enum.not_in",)
