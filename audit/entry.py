"""One entry: from the fields of a draft to what is stored, and back to openings.

Decides the four classes of fields, who can open which (by key), what stands beside the leaf, and that every byte of it
is bound by the leaf. The hashed bytes themselves are in leaf.py. Sequence numbers come from the log, which hands them
in as fields; time and index come from it too.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit import leaf as fmt
from audit.body import PARTIES, SLOT, body_digest, is_name, parties_salt, parties_value
from audit.errors import DraftError, EvidenceError, EvidenceReason
from audit.hot_value import hot_value

KEY_BYTES: Final = 32
TAG_BYTES: Final = 16
# Every box key is used for exactly one box, so the nonce of AES-GCM need not vary (README.md, "Boxes").
_BOX_NONCE: Final = bytes(12)
_DECOYS_FROM: Final = fmt.NONCE_BYTES
# In the place of the first slot's number. In front, because a start reads it of every entry, and nothing behind it.
_ANNEX: Final = b"\xff"
_ANNEX_LENGTH: Final = 4


class FieldClass(IntEnum):
    """Who can open a field. The value is the position of the class's box in an entry."""

    OP = 0
    REQ = 1
    HOLD = 2
    YOUTH = 3


_LABELS: Final = (b"op", b"req", b"hold", b"youth")


class Field(NamedTuple):
    """One field of an entry. `value` is at most 1024 bytes and is hashed exactly as given; a `Draft` checks both."""

    cls: FieldClass
    name: str
    value: bytes

    def __repr__(self) -> str:
        return f"Field({self.cls!r}, {self.name!r})"


@hot_value
class YouthKey:
    """The audit key of one youth, 32 bytes, and this entry's position among that youth's entries (never reused)."""

    key: bytes = field(repr=False)
    counter: int = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES or not 0 <= self.counter < 1 << 64:
            raise DraftError("a youth key is 32 bytes with a counter of 64 bits")


@dataclass(frozen=True, slots=True)
class ClassKeys:
    """The log's own class keys, 32 bytes each; fields of class YOUTH hang on the youth's key instead."""

    op: bytes = field(repr=False)
    req: bytes = field(repr=False)
    hold: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not len(self.op) == len(self.req) == len(self.hold) == KEY_BYTES:
            raise ValueError("class keys are 32 bytes each")


@hot_value
class Draft:
    """What an entry is to say, before the log has given it a place.

    `requester` and `holder` are the agencies that take part: each gets the next of its sequence numbers in this entry.
    Fields of class YOUTH are allowed exactly if `youth` is given. Raises DraftError when the format cannot hold it.
    """

    fields: tuple[Field, ...] = field(repr=False)
    youth: YouthKey | None = None
    requester: str | None = None
    holder: str | None = None

    def __post_init__(self) -> None:
        names: set[tuple[FieldClass, str]] = set()
        about_youth = False
        for cls, name, value in self.fields:
            fmt.name_bytes(name)
            if len(value) > fmt.MAX_VALUE_BYTES:
                raise DraftError(f"field {name} is longer than {fmt.MAX_VALUE_BYTES} bytes")
            names.add((cls, name))
            about_youth = about_youth or cls is FieldClass.YOUTH
        if len(names) != len(self.fields):
            raise DraftError("a class has two fields of one name")
        if not names.isdisjoint(RESERVED):
            raise DraftError("seq, prev and parties are the log's own fields")
        if not (is_name(self.requester or "") and is_name(self.holder or "")):
            raise DraftError("the name of an agency has a blank, or is too long")
        if about_youth and self.youth is None:
            raise DraftError("fields about a youth need that youth's key")
        taken = len(self.fields) + 2 * len({self.requester, self.holder} - {None})
        if taken > fmt.FIELD_SLOTS:
            raise DraftError(f"{taken} fields do not fit the {fmt.FIELD_SLOTS} slots of an entry")

    @property
    def kind(self) -> str:
        """The value of the OP field `kind`, or the empty string."""
        for item in self.fields:
            if item.cls is FieldClass.OP and item.name == "kind":
                return item.value.decode("utf-8", "replace")
        return ""


RESERVED: Final = frozenset(
    [(cls, name) for cls in (FieldClass.REQ, FieldClass.HOLD) for name in ("seq", "prev")]
    + [(cls, PARTIES) for cls in FieldClass]
)


@hot_value
class Place:
    """Where and when the log puts an entry, and the sequence numbers it gives (0 = none)."""

    index: int
    time_ms: int
    requester_seq: int = 0
    holder_seq: int = 0


@hot_value
class StoredEntry:
    """An entry as kept: the leaf, what it commits to, and what stands beside it for those who hold a key.

    `digests` are 512 bytes, `boxes` one per class in the order of FieldClass (empty = no field of that class), `tag` 16
    bytes or empty. Everything but the index and the time is bound by the leaf's commitment, those two by the leaf and
    its position in the tree. Read from a store it is unverified until `check_entry`.
    """

    index: int
    time_ms: int
    nonce: bytes = field(repr=False)
    digests: bytes = field(repr=False)
    boxes: tuple[bytes, bytes, bytes, bytes] = field(repr=False)
    tag: bytes = field(repr=False)
    kind: str
    requester: str
    holder: str
    requester_seq: int
    holder_seq: int

    @property
    def leaf(self) -> bytes:
        """The 41 bytes that the tree hashes."""
        return fmt.encode_leaf(self.time_ms, fmt.commitment(self.digests))


class Opening(NamedTuple):
    """One field laid open. Unverified until `check_openings`."""

    slot: int
    name: str
    value: bytes
    salt: bytes

    def __repr__(self) -> str:
        return f"Opening({self.slot!r}, {self.name!r})"


@hot_value
class BuiltEntry:
    """A finished entry, and what its maker still knows of it: a field and a salt for each used slot, in order."""

    entry: StoredEntry
    leaf: bytes = field(repr=False)
    """Of the entry."""
    fields: tuple[Field, ...] = field(repr=False)
    salts: tuple[bytes, ...] = field(repr=False)

    def openings(self, classes: Container[FieldClass], names: Container[str]) -> tuple[Opening, ...]:
        """Returns the fields of these classes and names laid open, in slot order, without any key."""
        return tuple(
            [
                Opening(slot, item.name, item.value, self.salts[slot])
                for slot, item in enumerate(self.fields)
                if item.name in names and item.cls in classes
            ]
        )


def build_entry(
    draft: Draft,
    place: Place,
    *,
    keys: ClassKeys,
    own_fields: Sequence[Field] = (),
    annex: bytes = b"",
    random_bytes: Callable[[int], bytes],
) -> BuiltEntry:
    """Returns the finished entry. `own_fields` are the log's sequence fields, put after those of the draft.

    `annex` is kept in the box of class OP before its fields, of which there must be one: bound by the leaf with the
    box, and no field, so that nobody can be shown it, nor that there is one.
    """
    fields = (*draft.fields, *own_fields)
    unused = fmt.FIELD_SLOTS - len(fields)
    randomness = random_bytes(fmt.NONCE_BYTES + unused * fmt.DIGEST_BYTES)
    nonce = randomness[: fmt.NONCE_BYTES]
    class_keys = (keys.op, keys.req, keys.hold, draft.youth.key if draft.youth else b"")
    digests, salts, boxes = _seal_fields(fields, class_keys, nonce, annex)
    digests.append(randomness[_DECOYS_FROM:])
    tag = youth_tag(draft.youth) if draft.youth else b""
    kind, requester, holder = draft.kind, draft.requester or "", draft.holder or ""
    digests.append(body_digest(nonce, tag, (kind, requester, holder), (place.requester_seq, place.holder_seq), boxes))
    entry = StoredEntry(
        place.index, place.time_ms, nonce, b"".join(digests), boxes, tag,
        kind, requester, holder, place.requester_seq, place.holder_seq,
    )  # fmt: skip
    return BuiltEntry(entry, entry.leaf, fields, salts)


def _seal_fields(
    fields: Sequence[Field], class_keys: tuple[bytes, bytes, bytes, bytes], nonce: bytes, annex: bytes
) -> tuple[list[bytes], tuple[bytes, ...], tuple[bytes, bytes, bytes, bytes]]:
    streams: list[bytes | None] = [None, None, None, None]
    plain: tuple[list[bytes], ...] = ([], [], [], [])
    digests: list[bytes] = []
    salts: list[bytes] = []
    for slot, (cls, name, value) in enumerate(fields):
        stream = streams[cls]
        if stream is None:
            stream = streams[cls] = fmt.class_stream(class_keys[cls], _LABELS[cls], nonce)
        salt, named = stream[fmt.SALT_AT[slot]], fmt.name_bytes(name)
        salts.append(salt)
        digest = fmt.FIELD_BEGUN.copy()
        digest.update(salt + named + value)
        digests.append(digest.digest())
        plain[cls].extend((fmt.SLOT_OCTETS[slot], named, fmt.TWO_OCTETS(len(value)), value))
    if annex:
        if streams[FieldClass.OP] is None:
            raise DraftError("an entry without a field of class OP has no annex")
        plain[FieldClass.OP][:0] = (_ANNEX, len(annex).to_bytes(_ANNEX_LENGTH, "big"), annex)
    sealed = [
        AESGCM(fmt.box_key(stream)).encrypt(_BOX_NONCE, b"".join(parts), _LABELS[cls]) if stream is not None else b""
        for cls, (stream, parts) in enumerate(zip(streams, plain, strict=True))
    ]
    return digests, tuple(salts), (sealed[0], sealed[1], sealed[2], sealed[3])


def youth_tag(youth: YouthKey) -> bytes:
    """Returns the 16-byte mark by which a holder of the youth's key finds this entry; to others it is random."""
    return hmac.digest(youth.key, b"idx\0" + youth.counter.to_bytes(8, "big"), "sha256")[:TAG_BYTES]


_LIMIT: Final = 1 << 63
_TYPES: Final = (int, *(bytes,) * (3 + len(FieldClass)), *(str,) * 3, int, int)


def check_entry(entry: StoredEntry) -> None:
    """Holds if everything stored beside the digests is what the leaf committed to; else raises EvidenceError.

    Needs no key. Together with a leaf hash that is in the tree it covers every stored byte of the entry.
    """
    check_stored(
        entry.index,
        (entry.time_ms, entry.nonce, entry.digests, *entry.boxes, entry.tag, entry.kind, entry.requester, entry.holder,
         entry.requester_seq, entry.holder_seq),
    )  # fmt: skip


def check_stored(index: int, values: tuple[Any, ...]) -> None:
    """`check_entry` for the values of an entry as they are stored: whoever checks a million makes no object of each.

    `values` are time, nonce, digests, the boxes, tag, kind, requester, holder, and the numbers of these two.
    """
    # SQLite keeps whatever type it is given, so damage can turn a number into bytes. All types at one comparison.
    if tuple(map(type, values)) != _TYPES:
        raise EvidenceError(EvidenceReason.LEAF, "the entry holds values of the wrong type or range", index=index)
    time_ms, nonce, digests, op, req, hold, youth, tag, kind, requester, holder, asked, held = values
    if not (0 <= time_ms < _LIMIT and 0 <= asked < _LIMIT and 0 <= held < _LIMIT):
        raise EvidenceError(EvidenceReason.LEAF, "the entry holds values of the wrong type or range", index=index)
    if len(digests) != fmt.SLOTS * fmt.DIGEST_BYTES or len(nonce) != fmt.NONCE_BYTES:
        raise EvidenceError(EvidenceReason.LEAF, "digests or nonce have the wrong length", index=index)
    body = body_digest(nonce, tag, (kind, requester, holder), (asked, held), (op, req, hold, youth))
    if body != digests[SLOT * fmt.DIGEST_BYTES :]:
        raise EvidenceError(EvidenceReason.BODY, "what is stored beside the leaf was changed", index=index)


def open_class(entry: StoredEntry, cls: FieldClass, key: bytes) -> list[Opening]:
    """Returns the fields of one class, in slot order; none if the entry has no such class.

    `key` is the class key (ClassKeys), or the youth's key for YOUTH. Raises EvidenceError when the box does not open
    with it. The openings are unverified: `check_openings` ties them to the leaf.
    """
    box = entry.boxes[cls]
    if not box:
        return []
    stream = fmt.class_stream(key, _LABELS[cls], entry.nonce)
    try:
        plain = AESGCM(fmt.box_key(stream)).decrypt(_BOX_NONCE, box, _LABELS[cls])
    except InvalidTag:
        raise EvidenceError(EvidenceReason.OPENING, "a box does not open with this key", index=entry.index) from None
    return [Opening(slot, name, value, fmt.field_salt(stream, slot)) for slot, name, value in _parse_box(plain)]


def open_parties(entry: StoredEntry) -> Opening:
    """Returns who took part, laid open without any key. Unverified: `check_openings` ties it to the leaf."""
    names, numbers = (entry.kind, entry.requester, entry.holder), (entry.requester_seq, entry.holder_seq)
    salt = parties_salt(entry.nonce, entry.tag, entry.kind, entry.boxes)
    return Opening(SLOT, PARTIES, parties_value(names, numbers), salt)


def read_values(nonce: bytes, box: bytes, cls: FieldClass, key: bytes) -> dict[str, bytes]:
    """Returns what the fields of a box say, by name, without what would prove it: for searching, several times faster.

    Raises EvidenceError when the box does not open with the key.
    """
    return {name: value for _, name, value in _parse_box(_plain(nonce, box, cls, key))}


def read_annex(nonce: bytes, box: bytes, key: bytes) -> bytes:
    """Returns what a box of class OP holds besides its fields; empty for nothing.

    Raises EvidenceError when the box does not open with the key.
    """
    plain = _plain(nonce, box, FieldClass.OP, key)
    return plain[1 + _ANNEX_LENGTH : _fields_start(plain)]


def _plain(nonce: bytes, box: bytes, cls: FieldClass, key: bytes) -> bytes:
    if not box:
        return b""
    stream = fmt.class_stream(key, _LABELS[cls], nonce, size=fmt.DIGEST_BYTES)
    try:
        return AESGCM(fmt.box_key(stream)).decrypt(_BOX_NONCE, box, _LABELS[cls])
    except InvalidTag:
        raise EvidenceError(EvidenceReason.OPENING, "a box does not open with this key") from None


def _fields_start(plain: bytes) -> int:
    if plain[:1] != _ANNEX:
        return 0
    start = 1 + _ANNEX_LENGTH
    return start + int.from_bytes(plain[1:start], "big")


def _parse_box(plain: bytes) -> list[tuple[int, str, bytes]]:
    found: list[tuple[int, str, bytes]] = []
    at = _fields_start(plain)
    while at < len(plain):
        name_end = at + 2 + plain[at + 1] if at + 2 <= len(plain) else len(plain) + 1
        value_end = name_end + 2 + int.from_bytes(plain[name_end : name_end + 2], "big")
        if value_end > len(plain) or plain[at] >= fmt.FIELD_SLOTS:
            raise EvidenceError(EvidenceReason.OPENING, "a box is malformed inside")
        found.append((plain[at], plain[at + 2 : name_end].decode("ascii", "replace"), plain[name_end + 2 : value_end]))
        at = value_end
    return found


def check_openings(leaf: bytes, digests: bytes, openings: Sequence[Opening]) -> None:
    """Holds if the leaf commits to the digests and each opening is the field behind its slot's digest.

    All arguments may come from an untrusted peer. Raises EvidenceError. Slots must be strictly ascending, so that no
    field can be presented twice with different meanings.
    """
    fmt.check_digests(leaf, digests)
    before = -1
    for opening in openings:
        slot = opening.slot
        if not before < slot < fmt.SLOTS or len(opening.salt) != fmt.SALT_BYTES:
            raise EvidenceError(EvidenceReason.OPENING, "openings are out of order or malformed")
        before = slot
        try:
            digest = fmt.field_digest(opening.salt, opening.name, opening.value)
        except DraftError as exc:
            raise EvidenceError(EvidenceReason.OPENING, f"slot {slot} has an impossible name") from exc
        if digest != digests[slot * fmt.DIGEST_BYTES : (slot + 1) * fmt.DIGEST_BYTES]:
            raise EvidenceError(EvidenceReason.OPENING, f"the opening of slot {slot} is not what the leaf committed to")
        if (slot == SLOT) != (opening.name == PARTIES):
            # A log that lies could write a field of this name like any other, beside the true one.
            raise EvidenceError(EvidenceReason.OPENING, f"slot {slot} does not say who took part")
