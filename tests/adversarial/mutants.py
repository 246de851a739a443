"""Protobuf messages broken as an attacker breaks them: with the structure in hand. Seeded, so that a run repeats.

A mutation works on the fields of one level, or goes down one level where a field holds a message. What it makes may by
chance still be a good message; whoever uses it decides what may become of it.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_DEPTH: Final = 3


@dataclass(frozen=True)
class Field:
    """One field as it stands on the wire."""

    number: int
    kind: int
    value: bytes
    """With its length, where it has one."""

    def encode(self) -> bytes:
        return varint(self.number << 3 | self.kind) + self.value


def mutants(message: bytes, *, count: int, seed: int) -> Iterator[bytes]:
    """So many broken copies."""
    chance = random.Random(seed)
    for _ in range(count):
        yield mutate(message, chance, depth=chance.randrange(_DEPTH))


def mutate(message: bytes, chance: random.Random, *, depth: int) -> bytes:
    """One broken copy, broken `depth` levels down where there are as many."""
    fields = list(split(message))
    inner = [place for place, each in enumerate(fields) if each.kind == 2 and len(each.value) > 3]
    if depth and inner:
        place = chance.choice(inner)
        _, start = read_varint(fields[place].value, 0)
        broken = mutate(fields[place].value[start:], chance, depth=depth - 1)
        fields[place] = Field(fields[place].number, 2, varint(len(broken)) + broken)
        return b"".join(each.encode() for each in fields)
    return chance.choice(MUTATIONS)(fields, chance)


def split(message: bytes) -> Iterator[Field]:
    """The fields; of bytes that are no message, the one field of garbage they are."""
    at = 0
    try:
        while at < len(message):
            tag, at = read_varint(message, at)
            start = at
            if tag & 7 == 0:
                _, at = read_varint(message, at)
            elif tag & 7 == 2:
                length, at = read_varint(message, at)
                at += length
            elif tag & 7 in (1, 5):
                at += 8 if tag & 7 == 1 else 4
            else:
                return
            if at > len(message):
                return
            yield Field(tag >> 3, tag & 7, message[start:at])
    except IndexError:
        return


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def _join(fields: list[Field]) -> bytes:
    return b"".join(each.encode() for each in fields)


def _flip(fields: list[Field], chance: random.Random) -> bytes:
    data = bytearray(_join(fields) or b"\0")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _cut(fields: list[Field], chance: random.Random) -> bytes:
    data = _join(fields)
    return data[: chance.randrange(len(data) + 1)]


def _drop(fields: list[Field], chance: random.Random) -> bytes:
    return _join([each for each in fields if each is not chance.choice(fields)] if fields else [])


def _twice(fields: list[Field], chance: random.Random) -> bytes:
    return _join([*fields, chance.choice(fields)]) if fields else b""


def _reorder(fields: list[Field], chance: random.Random) -> bytes:
    return _join(chance.sample(fields, len(fields)))


def _unknown(fields: list[Field], chance: random.Random) -> bytes:
    return _join([*fields, Field(chance.choice([15, 99, 536_870_911]), 2, b"\x07unknown")])


def _other_kind(fields: list[Field], chance: random.Random) -> bytes:
    number = chance.choice(fields).number if fields else 1
    return _join([each for each in fields if each.number != number]) + varint(number << 3 | 5) + b"\xff\xff\xff\xff"


def _huge_length(fields: list[Field], chance: random.Random) -> bytes:
    number = chance.choice(fields).number if fields else 1
    return _join(fields) + varint(number << 3 | 2) + varint(chance.choice([2**31 - 1, 2**32, 2**63 - 1]))


def _bad_text(fields: list[Field], chance: random.Random) -> bytes:
    texts = [each for each in fields if each.kind == 2]
    number = chance.choice(texts).number if texts else 1
    return (
        _join([each for each in fields if each.number != number]) + Field(number, 2, b"\x04\xff\xfe\xc0\x80").encode()
    )


def _big_number(fields: list[Field], chance: random.Random) -> bytes:
    number = chance.choice(fields).number if fields else 1
    value = varint(chance.choice([2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1, 0]))
    return _join([each for each in fields if each.number != number]) + Field(number, 0, value).encode()


def _long_varint(fields: list[Field], chance: random.Random) -> bytes:
    # Not minimal: the same number in ten bytes, and an eleventh that no number has.
    return _join(fields) + b"\x80" * chance.choice([5, 9, 10, 20]) + b"\x01"


def _deep(fields: list[Field], chance: random.Random) -> bytes:
    number, body = chance.choice(fields).number if fields else 1, b""
    for _ in range(chance.choice([99, 101, 500])):
        body = Field(number, 2, varint(len(body)) + body).encode()
    return _join(fields) + body


def _group(fields: list[Field], chance: random.Random) -> bytes:
    return _join(fields) + varint(chance.randrange(1, 20) << 3 | chance.choice([3, 4, 6, 7]))


def _noise(fields: list[Field], chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(200))


def _long(fields: list[Field], chance: random.Random) -> bytes:
    number = chance.choice(fields).number if fields else 1
    return _join([each for each in fields if each.number != number]) + (
        Field(number, 2, varint(70_000) + b"a" * 70_000).encode()
    )


MUTATIONS: Final[tuple[Callable[[list[Field], random.Random], bytes], ...]] = (
    _flip, _cut, _drop, _twice, _reorder, _unknown, _other_kind, _huge_length, _bad_text, _big_number, _long_varint,
    _deep, _group, _noise, _long,
)  # fmt: skip
