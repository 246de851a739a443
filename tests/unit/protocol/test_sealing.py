"""Sealed records open for one reader in one exchange, and nowhere else (SECURITY CR-03, PL-08)."""

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.names import AgencyId, FieldSet
from gateway.protocol.sealing import (
    BUCKETS,
    AnswerTooLarge,
    SealBroken,
    SealContext,
    SealKey,
    open_record,
    seal_record,
)
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.exchange_pb2 import SealedRecord
from homeward.gateway.v1.records_pb2 import OutOfHomeEpisode, Placement, PlacementHistory, RecordAnswer

READER, SOURCE = SealKey.generate(), SigningKey.generate()
CONTEXT = SealContext(
    request_digest=bytes(32),
    pairwise_handle=bytes(16),
    requester=AgencyId("06019.cwa"),
    source=AgencyId("06037.cwa"),
    field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
    recipient_key_id=READER.key_id,
    page=1,
    decision_index=41,
)
OVERHEAD = 1136


def answer(placements: int = 1) -> RecordAnswer:
    rows = [Placement(sequence=n + 1, start_date="2025-01-01", setting_group=1) for n in range(placements)]
    history = PlacementHistory(episodes=[OutOfHomeEpisode(removal_date="2025-01-01", placements=rows)])
    return RecordAnswer(request_digest=bytes(32), page=1, placement_history=history)


def seal(placements: int = 1) -> SealedRecord:
    return seal_record(answer(placements), context=CONTEXT, recipient_key=READER.public_bytes, source_key=SOURCE)


def opened(sealed: SealedRecord, context: SealContext = CONTEXT, reader: SealKey = READER) -> RecordAnswer:
    return open_record(sealed, context=context, seal_key=reader, source_key=SOURCE.public_bytes)


def test_the_reader_gets_what_the_source_sealed() -> None:
    result = opened(seal())
    result.ClearField("padding")
    assert result == answer()


@settings(max_examples=40)
@given(st.integers(0, 200))
def test_the_length_tells_only_the_bucket(placements: int) -> None:
    assert len(seal(placements).sealed) - OVERHEAD in BUCKETS


@pytest.mark.parametrize("name", [field.name for field in fields(SealContext)])
def test_each_part_of_the_context_binds(name: str) -> None:
    other: dict[str, object] = {
        "request_digest": bytes(31) + b"\1",
        "pairwise_handle": bytes(15) + b"\1",
        "requester": AgencyId("06019.cwb"),
        "source": AgencyId("06037.cwb"),
        "field_sets": (FieldSet.FS5_PLACEMENT_DETAIL,),
        "recipient_key_id": bytes(16),
        "page": 2,
        "decision_index": 42,
    }
    with pytest.raises(SealBroken):
        opened(seal(), replace(CONTEXT, **{name: other[name]}))  # type: ignore[arg-type]


def test_every_flipped_byte_and_every_other_key_is_refused() -> None:
    sealed = seal()
    for position in range(0, len(sealed.sealed), 37):
        changed = SealedRecord()
        changed.CopyFrom(sealed)
        data = bytearray(sealed.sealed)
        data[position] ^= 1
        changed.sealed = bytes(data)
        with pytest.raises(SealBroken):
            opened(changed)
    with pytest.raises(SealBroken):
        opened(sealed, reader=SealKey.generate())
    with pytest.raises(SealBroken):
        open_record(sealed, context=CONTEXT, seal_key=READER, source_key=SigningKey.generate().public_bytes)


def test_a_record_that_another_sealed_in_the_sources_name_is_refused() -> None:
    forged = seal_record(answer(), context=CONTEXT, recipient_key=READER.public_bytes, source_key=SigningKey.generate())
    with pytest.raises(SealBroken):
        opened(forged)


def test_an_answer_that_names_another_request_or_page_is_refused() -> None:
    other = answer()
    other.page = 2
    sealed = seal_record(other, context=CONTEXT, recipient_key=READER.public_bytes, source_key=SOURCE)
    with pytest.raises(SealBroken):
        opened(sealed)


def test_encapsulations_never_repeat() -> None:
    assert len({seal().sealed[:1120] for _ in range(200)}) == 200


def test_an_answer_beyond_the_largest_bucket_is_refused_whole() -> None:
    with pytest.raises(AnswerTooLarge):
        seal(7000)


def test_a_private_key_shows_in_no_text() -> None:
    assert READER.private_bytes.hex() not in repr(READER)
