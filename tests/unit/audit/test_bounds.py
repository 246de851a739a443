"""Parsers of untrusted text take memory that does not grow with what they are given.

Two bounds. What is longer than a parser's own limit is refused in memory that is the same for a kilobyte more and for a
gigabyte: not even one copy of it is made. What keeps within the limit takes a constant number of times the limit, which
is what a list of its lines takes.
"""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from audit.errors import EvidenceError, EvidenceReason
from audit.note import MAX_KEY_CHARACTERS, MAX_NOTE_CHARACTERS, parse_note, parse_signature_lines, parse_verifier_key
from audit.policy import MAX_BYTES as MAX_POLICY
from audit.policy import parse_policy
from audit.receipt import MAX_TEXT_CHARACTERS, parse_receipt
from audit.submission import MAX_BYTES as MAX_REQUEST
from audit.submission import parse_submission
from audit.tiles import TILE_BYTES, WIDTH, parse_bundle, parse_tile

SIZE = 8_000_000
SMALL = 16 * 1024
"""Bytes for the refusal itself: an exception with its words and its frames."""
TIMES = 8
LINES = f"\u2014 w.example {'A' * 96}\n" * (SIZE // 110)
LONG: dict[str, tuple[Callable[..., object], str | bytes, int]] = {
    "note": (parse_note, f"a\n1\nb\n\n{LINES}", MAX_NOTE_CHARACTERS),
    "note of blank lines": (parse_note, "\n" * SIZE, MAX_NOTE_CHARACTERS),
    "signature lines": (parse_signature_lines, LINES, MAX_NOTE_CHARACTERS),
    "verifier key": (parse_verifier_key, "a+" * (SIZE // 2), MAX_KEY_CHARACTERS),
    "policy": (parse_policy, b"# x\n" * (SIZE // 4), MAX_POLICY),
    "policy of one line": (parse_policy, b"# " + b"x" * SIZE, MAX_POLICY),
    "receipt": (parse_receipt, "c2sp.org/tlog-proof@v1\n" + "A\n" * (SIZE // 2), MAX_TEXT_CHARACTERS),
    "request": (parse_submission, b"old 1\n" + b"A\n" * (SIZE // 2), MAX_REQUEST),
    "bundle": (lambda data: parse_bundle(data, WIDTH), b"\0" * SIZE, WIDTH * 2),
    "tile": (lambda data: parse_tile(data, WIDTH), b"\0" * SIZE, TILE_BYTES),
}
"""The parser, what it is given, and how much of that it may look at."""


def _taken(parse: Callable[..., object], given: str | bytes) -> tuple[int, float]:
    """The most memory that was taken, in bytes, and the seconds; it must be refused."""
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(EvidenceError) as refused:
        parse(given)
    seconds = time.monotonic() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.reason is EvidenceReason.FORMAT
    return peak, seconds


@pytest.mark.parametrize("name", LONG)
def test_what_is_too_long_is_refused_at_once_and_not_copied(name: str) -> None:
    parse, given, _ = LONG[name]
    peak, seconds = _taken(parse, given)
    assert peak < SMALL
    assert seconds < 5


@pytest.mark.parametrize("name", LONG)
def test_what_is_as_long_as_it_may_be_takes_a_fixed_number_of_times_that(name: str) -> None:
    parse, given, limit = LONG[name]
    # Of a tile and a bundle one byte less than there must be is refused; of everything else this is within the limit.
    peak, seconds = _taken(parse, given[: limit - 1])
    assert peak < SMALL + TIMES * limit
    assert seconds < 5
