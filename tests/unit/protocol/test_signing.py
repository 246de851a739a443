"""Signatures, envelopes and the strict way in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.envelope import unwrap, wrap
from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.signing import SignatureInvalid, SigningKey, pae, verify
from homeward.gateway.v1.exchange_pb2 import FlagStatement, ReceiptConfirmation
from homeward.gateway.v1.index_pb2 import HeartbeatRequest

KEY = SigningKey.generate()
FOUND = ReceiptConfirmation(request_id=bytes(16), release_index=7, finding=1)

parts = st.lists(st.binary(max_size=20), max_size=4)


@given(parts, parts)
def test_two_different_lists_of_parts_never_sign_the_same_bytes(one: list[bytes], other: list[bytes]) -> None:
    assert (pae(b"label", *one) == pae(b"label", *other)) == (one == other)


def test_a_signature_made_under_one_label_does_not_hold_under_another() -> None:
    signature = KEY.sign(b"one", b"data")
    verify(KEY.public_bytes, signature, b"one", b"data")
    with pytest.raises(SignatureInvalid):
        verify(KEY.public_bytes, signature, b"other", b"data")


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33)])
def test_a_public_key_of_wrong_length_is_a_refusal_and_no_crash(public: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        verify(public, bytes(64), b"label")


def test_a_private_key_never_shows_in_its_text() -> None:
    assert KEY.private_bytes.hex() not in repr(KEY)
    assert "PrivateKey" not in repr(KEY)


def test_an_envelope_gives_back_what_was_wrapped() -> None:
    assert unwrap(wrap(FOUND, KEY), ReceiptConfirmation, KEY.public_bytes) == FOUND


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_changed_byte_of_an_envelope_is_accepted(position: int, flip: int) -> None:
    envelope = wrap(FOUND, KEY)
    payload = bytearray(envelope.payload)
    payload[position % len(payload)] ^= flip
    envelope.payload = bytes(payload)
    with pytest.raises(SignatureInvalid):
        unwrap(envelope, ReceiptConfirmation, KEY.public_bytes)


def test_an_envelope_of_another_type_is_refused_although_its_signature_holds() -> None:
    with pytest.raises(MalformedMessage):
        unwrap(wrap(FOUND, KEY), FlagStatement, KEY.public_bytes)


def test_the_type_is_signed_with_the_payload() -> None:
    envelope = wrap(FOUND, KEY)
    envelope.payload_type = "homeward.gateway.v1.FlagStatement"
    with pytest.raises(SignatureInvalid):
        unwrap(envelope, FlagStatement, KEY.public_bytes)


def test_unknown_fields_are_refused_at_any_depth() -> None:
    inner = FOUND.SerializeToString() + b"\xfa\x01\x03abc"
    with pytest.raises(MalformedMessage) as refused:
        parse(ReceiptConfirmation, inner)
    assert refused.value.fields == ("(message): unknown field",)
    nested = HeartbeatRequest(envelope=wrap(FOUND, KEY)).SerializeToString()
    envelope = wrap(FOUND, KEY).SerializeToString() + b"\xfa\x01\x03abc"
    spliced = b"\x0a" + _varint(len(envelope)) + envelope
    parse(HeartbeatRequest, nested)
    with pytest.raises(MalformedMessage):
        parse(HeartbeatRequest, spliced)


def test_a_refusal_names_paths_and_rules_and_no_value() -> None:
    with pytest.raises(MalformedMessage) as refused:
        parse(ReceiptConfirmation, ReceiptConfirmation(request_id=b"CANARY", finding=9).SerializeToString())  # type: ignore[arg-type]
    assert {field.partition(":")[0] for field in refused.value.fields} == {"request_id", "finding"}
    assert "CANARY" not in str(refused.value) + "".join(refused.value.fields)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_parse_or_are_refused(data: bytes) -> None:
    try:
        statement = parse(FlagStatement, data)
    except MalformedMessage:
        return
    assert parse(FlagStatement, statement.SerializeToString()) == statement


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))
