"""A token set as one packed value: what is written is what is read, and another shape is refused before it is read."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.authority import token_digest
from gateway.protocol.match_keys import naming_digests, naming_tokens
from gateway.protocol.matching.key_scheme import (
    EXTENDED_SCHEME,
    SCHEME,
    KeyRule,
    KeyScheme,
    ShapeError,
    ShapeFault,
    load_key_scheme,
    present_keys,
    split_tokens,
)
from gateway.protocol.matching.score import carried_tokens
from gateway.protocol.names import Token
from gateway.protocol.oprf import MAX_BATCH
from gateway.protocol.parse import MalformedMessage, check
from homeward.gateway.v1.envelope_pb2 import TokenSet

VERSIONS = (SCHEME, EXTENDED_SCHEME)
SMALL = KeyScheme("s", (KeyRule("a", 2, core=True), KeyRule("b", 1, core=True, exact=True), KeyRule("c", 3)))
LAID_OUT = TokenSet(
    epoch="e1", scheme="s", presence=0b101, tokens=b"".join(name.encode() * 16 for name in "uvwxyz")
)  # fmt: skip
"""By hand: a and c are carried, b is a dummy alone."""


def fault(scheme: KeyScheme, tokens: TokenSet) -> ShapeFault:
    """Why the set is refused."""
    with pytest.raises(ShapeError) as refused:
        scheme.check_core(tokens)
    return refused.value.fault


def changed(**changes: object) -> TokenSet:
    """A sound set with these fields instead of its own."""
    made = TokenSet()
    made.CopyFrom(LAID_OUT)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_every_key_lies_where_the_order_and_the_counts_put_it() -> None:
    SMALL.check_core(LAID_OUT)
    assert SMALL.elements == 6
    assert SMALL.carried(LAID_OUT.presence) == {"a", "c"}
    assert SMALL.tokens_of(LAID_OUT, "a") == b"u" * 16 + b"v" * 16
    assert SMALL.tokens_of(LAID_OUT, "b") == b"", "a dummy says nothing"
    assert SMALL.tokens_of(LAID_OUT, "c") == b"x" * 16 + b"y" * 16 + b"z" * 16
    assert SMALL.present(LAID_OUT) == SMALL.tokens_of(LAID_OUT, "a") + SMALL.tokens_of(LAID_OUT, "c")
    assert SMALL.place_of_each(LAID_OUT.presence) == (0, 0, 2, 2, 2)
    made = SMALL.token_set("e1", split_tokens(LAID_OUT.tokens), carried={"c", "a"})
    assert made == LAID_OUT


@pytest.mark.parametrize("version", VERSIONS)
@given(data=st.data())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_what_is_written_is_what_is_read(version: str, data: st.DataObject) -> None:
    scheme = load_key_scheme(version)
    names = [rule.name for rule in scheme.keys]
    carried = data.draw(st.sets(st.sampled_from(names)))
    tokens = {rule.name: [os.urandom(16) for _ in range(rule.pad)] for rule in scheme.keys}
    made = scheme.token_set("e1", [token for each in tokens.values() for token in each], carried=carried)
    read = TokenSet.FromString(made.SerializeToString())
    check(read)
    scheme.check(read)
    assert (read.epoch, read.scheme) == ("e1", version)
    assert present_keys(read) == scheme.carried(read.presence) == carried
    assert scheme.presence(carried) == read.presence
    assert carried_tokens(read) == {key: frozenset(tokens[key]) for key in carried}
    present = [(place, token) for place, key in enumerate(names) if key in carried for token in tokens[key]]
    assert list(zip(scheme.place_of_each(read.presence), split_tokens(scheme.present(read)), strict=True)) == present
    named = tokens["name_dob"] if "name_dob" in carried else []
    assert naming_tokens(read) == b"".join(named)
    assert naming_digests(read) == {token_digest(Token(token)) for token in named}


@given(length=st.just(6 * 16) | st.integers(0, 20 * 16), presence=st.integers(0, 7) | st.integers(0, 2**64 - 1))
@settings(deadline=None, derandomize=True)
def test_a_set_of_any_other_length_or_with_keys_beyond_the_scheme_is_refused(length: int, presence: int) -> None:
    tokens = TokenSet(epoch="e1", scheme="s", presence=presence, tokens=os.urandom(length))
    if length != 6 * 16:
        assert fault(SMALL, tokens) is ShapeFault.COUNT
    elif presence >= 8:
        assert fault(SMALL, tokens) is ShapeFault.PRESENCE
    elif presence & 0b001:
        SMALL.check_core(tokens)
    else:
        assert fault(SMALL, tokens) is ShapeFault.CORE


@pytest.mark.parametrize(("at", "to"), [(0, 1), (0, 2), (1, 5), (2, 3), (4, 5)], ids=str)
def test_a_token_that_occurs_twice_is_refused_in_one_key_and_in_two(at: int, to: int) -> None:
    tokens = list(split_tokens(LAID_OUT.tokens))
    tokens[to] = tokens[at]
    assert fault(SMALL, changed(tokens=b"".join(tokens))) is ShapeFault.REPEATED
    with pytest.raises(ShapeError):
        SMALL.token_set("e1", tokens, carried={"a"})


def test_a_set_of_another_scheme_is_refused_although_it_is_as_long() -> None:
    assert fault(SMALL, changed(scheme="t")) is ShapeFault.SCHEME


def test_a_refusal_names_the_fault_and_no_token() -> None:
    tokens = changed(presence=0)
    with pytest.raises(ShapeError) as refused:
        SMALL.check_core(tokens)
    assert str(refused.value) == "token set refused: CORE"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_set_of_every_scheme_fits_the_wire(version: str) -> None:
    scheme = load_key_scheme(version)
    assert len(scheme.keys) <= 64
    assert scheme.elements <= MAX_BATCH
    check(TokenSet(epoch="e1", scheme=version, presence=(1 << len(scheme.keys)) - 1, tokens=bytes(MAX_BATCH * 16)))


@pytest.mark.parametrize("length", [0, 15, MAX_BATCH * 16 + 1])
def test_a_length_no_scheme_can_have_is_malformed(length: int) -> None:
    with pytest.raises(MalformedMessage) as refused:
        check(TokenSet(epoch="e1", scheme=SCHEME, presence=1, tokens=bytes(length)))
    assert all(field.startswith("tokens: ") for field in refused.value.fields)
