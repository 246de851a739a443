"""The byte form of a decision's argument: one form, strictly read."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.decide import DecisionInput, DecisionInputError, Located, RequestFacts, YouthFacts
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, FieldSet, Purpose, Role
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.facts import MAX_BYTES
from tests.unit.policy.facts import requests, youths

POLICY = load_california()
SAMPLE = DecisionInput(
    POLICY.digest,
    RequestFacts(
        agency=AgencyId("06077.example-pd"),
        agency_kind=AgencyKind.LEA,
        role=Role("LEA.patrol"),
        purpose=Purpose.MFC_HANDOFF,
        field_sets=(FieldSet.FS1_FLAG_STATUS,),
        evidence=frozenset({EvidenceKind.YOUTH_PRESENT}),
        authority=None,
        received_at=datetime(2026, 3, 14, 10, 10, 0, 123_000, tzinfo=UTC),
    ),
    YouthFacts(located=Located.ONE, coverage_complete=True, owner=AgencyId("06075.cwa")),
)


@settings(max_examples=200)
@given(requests(POLICY), st.one_of(st.none(), youths()))
def test_the_byte_form_gives_back_the_same_facts(request: RequestFacts, youth: YouthFacts | None) -> None:
    data = DecisionInput(POLICY.digest, request, youth).to_bytes()
    back = DecisionInput.from_bytes(data)
    assert back.to_bytes() == data
    assert set(back.request.field_sets) == set(request.field_sets)
    assert (back.request.evidence, back.request.authority is None) == (request.evidence, request.authority is None)
    assert (back.request.received_at, back.youth) == (request.received_at, youth)


def test_the_byte_form_does_not_depend_on_order() -> None:
    sets = (FieldSet.FS6_JURISDICTION_CONTACT, FieldSet.FS1_FLAG_STATUS)
    forms = {
        DecisionInput(POLICY.digest, RequestFacts(**{**_fields(), "field_sets": order}), None).to_bytes()  # type: ignore[arg-type]
        for order in (sets, sets[::-1])
    }
    assert len(forms) == 1


def _fields() -> dict[str, object]:
    return {name: getattr(SAMPLE.request, name) for name in RequestFacts.__slots__}


def edited(**changes: object) -> bytes:
    document = json.loads(SAMPLE.to_bytes())
    document["request"].update({key: value for key, value in changes.items() if key in document["request"]})
    document["youth"].update({key: value for key, value in changes.items() if key in document["youth"]})
    document.update({key: value for key, value in changes.items() if key in ("format", "policy_digest", "more")})
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def test_the_editor_of_this_test_keeps_an_unedited_form_valid() -> None:
    assert DecisionInput.from_bytes(edited()) == SAMPLE


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "homeward/decision-input/v2"},
        {"policy_digest": "AB" * 32},
        {"policy_digest": "ab" * 31},
        {"more": 1},
        {"agency": "6077.example-pd"},
        {"agency": 6077},
        {"role": "LEA.sheriff"},
        {"purpose": "BACKGROUND_CHECK"},
        {"purpose": ["MFC_HANDOFF"]},
        {"field_sets": ["FS1_FLAG_STATUS", "FS1_FLAG_STATUS"]},
        {"field_sets": "FS1_FLAG_STATUS"},
        {"evidence": ["YOUTH_PRESENT", "LE_REPORT"]},
        {"emergency_uses": -1},
        {"emergency_uses": 1.0},
        {"emergency_uses": True},
        {"emergency_uses": 2**60},
        {"login_age_seconds": "0"},
        {"received_at_ms": 10**15},
        {"authority": {}},
        {"authority": []},
        {"coverage_complete": 1},
        {"located": "NONE"},
        {"owner": None},
    ],
)
def test_any_other_document_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DecisionInputError):
        DecisionInput.from_bytes(edited(**changes))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        SAMPLE.to_bytes() + b"\n",
        b" " + SAMPLE.to_bytes(),
        SAMPLE.to_bytes().replace(b"{", b'{"format":"x",', 1),
        SAMPLE.to_bytes().replace(b"LEA.patrol", b"LEA.p\\u0061trol"),
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b'{"x":' + b"9" * 5000 + b"}",
        b"0" * (MAX_BYTES + 1),
    ],
)
def test_any_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DecisionInputError):
        DecisionInput.from_bytes(data)


@settings(max_examples=200)
@given(st.integers(0, len(SAMPLE.to_bytes()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_is_another_value(place: int, change: int) -> None:
    data = bytearray(SAMPLE.to_bytes())
    data[place] ^= change
    try:
        other = DecisionInput.from_bytes(bytes(data))
    except DecisionInputError:
        return
    assert other != SAMPLE


def test_errors_quote_no_value() -> None:
    with pytest.raises(DecisionInputError) as refused:
        DecisionInput.from_bytes(edited(agency="canary-value"))
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(("located", "owner"), [(Located.ONE, None), (Located.NONE, AgencyId("06075.cwa"))])
def test_an_owner_comes_with_a_candidate_and_only_with_one(located: Located, owner: AgencyId | None) -> None:
    with pytest.raises(DecisionInputError):
        YouthFacts(located=located, coverage_complete=True, owner=owner)
