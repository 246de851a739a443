"""Entries: what opens with which key, what is bound, and what a draft may say."""

import dataclasses
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.body import Parties, parse_parties
from audit.entry import (
    ClassKeys,
    Draft,
    Field,
    FieldClass,
    Opening,
    Place,
    StoredEntry,
    YouthKey,
    build_entry,
    check_entry,
    check_openings,
    open_class,
    open_parties,
    read_annex,
    read_values,
    youth_tag,
)
from audit.errors import DraftError, EvidenceError, EvidenceReason
from audit.leaf import DIGEST_BYTES, FIELD_SLOTS

KEYS = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
YOUTH = YouthKey(b"y" * 32, 7)
PLACE = Place(index=3, time_ms=1_790_000_000_000, requester_seq=4, holder_seq=9)
OP, REQ, HOLD, ABOUT = FieldClass.OP, FieldClass.REQ, FieldClass.HOLD, FieldClass.YOUTH

FIELDS = (
    Field(OP, "kind", b"access.decision"),
    Field(ABOUT, "scope", b"FS1"),
    Field(REQ, "worker", b"w" * 16),
    Field(OP, "decision", b"DENY"),
    Field(HOLD, "classes", b"placement"),
)


def _entry(fields: tuple[Field, ...] = FIELDS, youth: YouthKey | None = YOUTH, seed: int = 1) -> StoredEntry:
    draft = Draft(fields, youth, "06037.cwa", "06059.cwa")
    return build_entry(draft, PLACE, keys=KEYS, random_bytes=random.Random(seed).randbytes).entry


def _key(cls: FieldClass) -> bytes:
    return (KEYS.op, KEYS.req, KEYS.hold, YOUTH.key)[cls]


def test_each_class_opens_with_its_key_to_exactly_its_fields() -> None:
    entry = _entry()
    for cls in FieldClass:
        openings = open_class(entry, cls, _key(cls))
        assert [(item.name, item.value) for item in openings] == [
            (field.name, field.value) for field in FIELDS if field.cls is cls
        ]
        check_openings(entry.leaf, entry.digests, openings)


def test_no_class_opens_with_the_key_of_another() -> None:
    entry = _entry()
    for cls in FieldClass:
        for other in set(FieldClass) - {cls}:
            with pytest.raises(EvidenceError) as caught:
                open_class(entry, cls, _key(other))
            assert caught.value.reason is EvidenceReason.OPENING


def test_absent_class_opens_to_nothing() -> None:
    entry = _entry(tuple(field for field in FIELDS if field.cls is not ABOUT), youth=None)
    assert open_class(entry, ABOUT, YOUTH.key) == []
    assert entry.tag == b""


def test_entries_of_any_content_have_the_same_size_of_leaf_and_digests() -> None:
    small, large = _entry((), youth=None), _entry()
    assert len(small.leaf) == len(large.leaf) == 41
    assert len(small.digests) == len(large.digests) == 512


def test_the_same_fields_never_give_the_same_digests() -> None:
    assert _entry(seed=1).digests[:DIGEST_BYTES] != _entry(seed=2).digests[:DIGEST_BYTES]


def test_format_stays_what_stored_logs_were_written_in() -> None:
    # Randomness counts up, so that these bytes depend on the format alone.
    draft = Draft(FIELDS, YOUTH, "06037.cwa", "06059.cwa")
    counting_up = lambda count: bytes(at % 256 for at in range(count))  # noqa: E731
    entry = build_entry(draft, PLACE, keys=KEYS, random_bytes=counting_up).entry
    assert entry.leaf.hex() == "01000001a0c4506c00dda761399fc7cfa111c0098448f7a194b1c4d9540dfced433b0b62a80fc86be0"
    assert (
        hashlib.sha256(b"".join(entry.boxes)).hexdigest()
        == "937d6ee614050e07d761ff3aa61e1e6755930f1e1d3d449de2bc62274fb2d46b"
    )


def test_untouched_entry_is_bound() -> None:
    check_entry(_entry())


def test_who_took_part_is_proved_without_any_key_and_nothing_else_is_told() -> None:
    entry = _entry()
    opening = open_parties(entry)
    check_openings(entry.leaf, entry.digests, [opening])
    assert parse_parties(opening.value) == Parties("06037.cwa", PLACE.requester_seq, "06059.cwa", PLACE.holder_seq)
    assert not any(part and part in opening.value + opening.salt for part in (entry.nonce, entry.tag, *entry.boxes))


@pytest.mark.parametrize(
    "change",
    [
        {"value": b"06037.cwa 1 06001.cwa 2"},
        {"value": b""},
        {"salt": bytes(32)},
        {"name": "party"},
        {"slot": 3},
    ],
)
def test_who_took_part_cannot_be_opened_to_something_else(change: dict[str, object]) -> None:
    entry = _entry()
    opening = open_parties(entry)
    with pytest.raises(EvidenceError):
        check_openings(entry.leaf, entry.digests, [opening._replace(**change)])  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"requester": "06001.cwa"}, {"holder_seq": 8}, {"tag": b"t" * 16}])
def test_who_took_part_does_not_open_where_what_is_stored_was_changed(change: dict[str, object]) -> None:
    changed = dataclasses.replace(_entry(), **change)  # type: ignore[arg-type]
    with pytest.raises(EvidenceError):
        check_openings(changed.leaf, changed.digests, [open_parties(changed)])


@pytest.mark.parametrize(
    "value", [b"", b"a 1 b", b"a 1 b 2 c", b"a one b 2", b"a 1 b 9223372036854775808", b"a 1 b -2"]
)
def test_another_form_names_no_parties(value: bytes) -> None:
    with pytest.raises(EvidenceError):
        parse_parties(value)


def test_a_draft_has_no_field_that_looks_like_who_took_part_and_no_agency_with_a_blank() -> None:
    with pytest.raises(DraftError):
        Draft((Field(FieldClass.OP, "parties", b"06037.cwa 1  0"),))
    with pytest.raises(DraftError):
        Draft((), requester="06037.cwa 1")


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": b"n" * 16},
        {"nonce": b""},
        {"digests": bytes(512)},
        {"digests": b""},
        {"tag": b"t" * 16},
        {"tag": b""},
        {"kind": "access.other"},
        {"requester": "06001.cwa"},
        {"holder": ""},
        {"requester_seq": 5},
        {"holder_seq": 0},
    ],
)
def test_every_part_beside_the_leaf_is_bound_without_any_key(change: dict[str, object]) -> None:
    with pytest.raises(EvidenceError):
        check_entry(dataclasses.replace(_entry(), **change))  # type: ignore[arg-type]


@given(st.integers(0, 3), st.data())
def test_every_flipped_bit_of_a_box_is_noticed_without_any_key(at: int, data: st.DataObject) -> None:
    entry = _entry()
    box = entry.boxes[at]
    bit = data.draw(st.integers(0, len(box) * 8 - 1))
    changed = bytearray(box)
    changed[bit // 8] ^= 1 << bit % 8
    boxes = list(entry.boxes)
    boxes[at] = bytes(changed)
    with pytest.raises(EvidenceError) as caught:
        check_entry(dataclasses.replace(entry, boxes=tuple(boxes)))
    assert caught.value.reason is EvidenceReason.BODY


def test_bytes_cannot_move_from_one_box_to_the_next() -> None:
    entry = _entry()
    op, req, hold, about = entry.boxes
    with pytest.raises(EvidenceError):
        check_entry(dataclasses.replace(entry, boxes=(op[:-1], op[-1:] + req, hold, about)))


@given(st.integers(0, 3), st.sampled_from(["slot", "name", "value", "salt"]))
def test_altered_openings_are_never_accepted(at: int, part: str) -> None:
    entry = _entry()
    openings = [item for cls in FieldClass for item in open_class(entry, cls, _key(cls))]
    openings.sort(key=lambda item: item.slot)
    check_openings(entry.leaf, entry.digests, openings)
    item = openings[at]
    changed = {
        "slot": item._replace(slot=FIELD_SLOTS - 1),
        "name": item._replace(name=item.name + "x"),
        "value": item._replace(value=item.value + b"x"),
        "salt": item._replace(salt=bytes(32)),
    }[part]
    with pytest.raises(EvidenceError):
        check_openings(entry.leaf, entry.digests, [changed])


def test_an_opening_shown_twice_or_out_of_order_is_refused() -> None:
    entry = _entry()
    first, second = open_class(entry, OP, KEYS.op)
    for wrong in ([first, first], [second, first]):
        with pytest.raises(EvidenceError):
            check_openings(entry.leaf, entry.digests, wrong)


def test_the_slot_that_binds_the_body_cannot_be_opened_as_a_field() -> None:
    entry = _entry()
    with pytest.raises(EvidenceError):
        check_openings(entry.leaf, entry.digests, [Opening(FIELD_SLOTS, "kind", b"", bytes(32))])


def test_youth_marks_differ_by_counter_and_key() -> None:
    marks = {youth_tag(YouthKey(key, counter)) for key in (b"a" * 32, b"b" * 32) for counter in range(50)}
    assert len(marks) == 100
    assert _entry().tag == youth_tag(YOUTH)


def test_fields_about_a_youth_need_the_youths_key() -> None:
    with pytest.raises(DraftError):
        Draft((Field(ABOUT, "scope", b"FS1"),))


def test_two_fields_of_one_name_in_one_class_are_refused() -> None:
    with pytest.raises(DraftError):
        Draft((Field(OP, "kind", b"a"), Field(OP, "kind", b"b")))


@pytest.mark.parametrize("name", ["seq", "prev"])
def test_the_logs_own_field_names_are_reserved(name: str) -> None:
    with pytest.raises(DraftError):
        Draft((Field(REQ, name, b"1"),))


def test_a_draft_leaves_room_for_the_logs_own_fields() -> None:
    fields = tuple(Field(OP, f"f{at}", b"") for at in range(FIELD_SLOTS))
    Draft(fields)
    Draft(fields[:11], None, "06037.cwa", "06059.cwa")
    with pytest.raises(DraftError):
        Draft(fields[:12], None, "06037.cwa", "06059.cwa")


def test_neither_a_field_nor_its_draft_shows_a_value_where_it_is_printed() -> None:
    field = Field(OP, "kind", b"CANARY")
    assert "kind" in repr(field)
    assert not any("CANARY" in text for text in (repr(field), str(field), f"{field}", repr(Draft((field,)))))


def test_oversized_values_are_refused_at_once() -> None:
    Draft((Field(OP, "kind", bytes(1024)),))
    with pytest.raises(DraftError):
        Draft((Field(OP, "kind", bytes(1025)),))


def test_no_value_or_key_is_shown_by_repr() -> None:
    canary = b"CANARY-NOT-A-PERSON"
    draft = Draft((Field(ABOUT, "scope", canary),), YouthKey(canary.ljust(32, b"!"), 1))
    built = build_entry(draft, PLACE, keys=KEYS, random_bytes=random.Random(1).randbytes)
    entry = built.entry
    opening = open_class(entry, ABOUT, canary.ljust(32, b"!"))[0]
    assert opening.value == canary
    for shown in (draft, built, entry, opening, KEYS, draft.fields[0], draft.youth):
        assert "CANARY" not in repr(shown)


def _with_annex(annex: bytes, fields: tuple[Field, ...] = FIELDS) -> StoredEntry:
    draft = Draft(fields, YOUTH, "06037.cwa", "06059.cwa")
    return build_entry(draft, PLACE, keys=KEYS, annex=annex, random_bytes=random.Random(1).randbytes).entry


def test_what_an_entry_keeps_besides_its_fields_opens_to_the_log_alone_and_as_no_field() -> None:
    plain, entry = _entry(), _with_annex(b"\xff\x00kept")
    assert read_annex(entry.nonce, entry.boxes[OP], KEYS.op) == b"\xff\x00kept"
    assert read_annex(plain.nonce, plain.boxes[OP], KEYS.op) == b""
    check_entry(entry)
    for cls in FieldClass:
        openings = open_class(entry, cls, _key(cls))
        assert openings == open_class(plain, cls, _key(cls)), "shown or not, nobody sees a difference"
        check_openings(entry.leaf, entry.digests, openings)
    assert read_values(entry.nonce, entry.boxes[OP], OP, KEYS.op) == {"kind": b"access.decision", "decision": b"DENY"}
    with pytest.raises(EvidenceError):
        read_annex(entry.nonce, entry.boxes[OP], KEYS.req)


def test_what_an_entry_keeps_besides_its_fields_is_bound() -> None:
    entry, other = _with_annex(b"kept"), _with_annex(b"lost")
    assert entry.leaf != other.leaf
    with pytest.raises(EvidenceError) as found:
        check_entry(dataclasses.replace(entry, boxes=(other.boxes[OP], *entry.boxes[1:])))
    assert found.value.reason is EvidenceReason.BODY


def test_an_entry_without_a_field_of_the_log_keeps_nothing_besides_them() -> None:
    with pytest.raises(DraftError):
        _with_annex(b"kept", tuple(field for field in FIELDS if field.cls is not OP))


def test_an_opening_is_shown_without_what_it_opens() -> None:
    shown = repr(Opening(3, "purpose", b"CANARY-VALUE", b"CANARY-SALT"))
    assert shown == "Opening(3, 'purpose')"
