"""What an adapter decides by, or tells in the county's words, is said by the exchange in just these words."""

import ast
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from adapters.node.present import _MENDS
from adapters.node.translate import _FIELDS

ROOT = Path(__file__).parents[2]
BY_ITS_PROTO = {"page_token: bytes.max_len"}
"""Said by the validation of a message, whose words its rules are."""


def said_by_the_exchange() -> set[str]:
    """Every text in the gateway's modules; of one that is put together, what stands around the parts."""
    found: set[str] = set()
    for file in (ROOT / "gateway").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.add("".join(each.value if isinstance(each, ast.Constant) else "*" for each in node.values))
    return found


def unsaid(words: Iterable[str]) -> set[str]:
    """Those that nobody at the exchange says, whole or put together."""
    said = said_by_the_exchange()
    # Of what is nearly all put together nothing can be told.
    together = [each for each in said if "*" in each and len(each.replace("*", "")) >= len(": past")]
    return {
        each
        for each in words
        if each not in said | BY_ITS_PROTO and not any(fnmatchcase(each, pattern) for pattern in together)
    }


def test_what_mends_itself_and_what_is_told_otherwise_is_what_the_exchange_says() -> None:
    assert unsaid(_MENDS) == set()
    assert unsaid(_FIELDS) == set()


def test_a_word_that_the_exchange_does_not_say_is_seen() -> None:
    """Positive control."""
    assert unsaid({"subject_handle: unknowable"}) == {"subject_handle: unknowable"}
