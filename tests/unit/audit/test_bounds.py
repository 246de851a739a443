"""Parsers of untrusted text refuse what is too long at once, without reading it several times over."""

import time
import tracemalloc
from collections.abc import Callable

import pytest

from audit.errors import EvidenceError, EvidenceReason
from audit.note import parse_note, parse_signature_lines, parse_verifier_key
from audit.policy import parse_policy
from audit.receipt import parse_receipt
from audit.submission import parse_submission
from audit.tiles import parse_bundle, parse_tile

SIZE = 8_000_000
LINES = f"\u2014 w.example {'A' * 96}\n" * (SIZE // 110)
LONG: dict[str, tuple[Callable[[str], object], str]] = {
    "note": (parse_note, f"a\n1\nb\n\n{LINES}"),
    "note of blank lines": (parse_note, "\n" * SIZE),
    "signature lines": (parse_signature_lines, LINES),
    "verifier key": (parse_verifier_key, "a+" * (SIZE // 2)),
    "policy": (lambda text: parse_policy(text.encode()), "# x\n" * (SIZE // 4)),
    "receipt": (parse_receipt, "c2sp.org/tlog-proof@v1\n" + "A\n" * (SIZE // 2)),
    "request": (lambda text: parse_submission(text.encode()), "old 1\n" + "A\n" * (SIZE // 2)),
    "bundle": (lambda text: parse_bundle(text.encode(), 256), "\0" * SIZE),
    "tile": (lambda text: parse_tile(text.encode(), 256), "\0" * SIZE),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_too_long_is_refused_at_once(name: str) -> None:
    parse, text = LONG[name]
    tracemalloc.start()
    started = time.monotonic()
    with pytest.raises(EvidenceError) as refused:
        parse(text)
    seconds = time.monotonic() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.reason is EvidenceReason.FORMAT
    # A copy or two of what was given, however it is cut, and never a list of its lines.
    assert peak < 4 * SIZE
    assert seconds < 5
