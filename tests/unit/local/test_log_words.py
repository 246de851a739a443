"""The words of the log: every kind is told in a sentence of its own, and no mistyped word finds nothing."""

from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner

from adapters.cli_audit import audit
from adapters.node.access_words import sentence
from gateway.errors import ErrorReason
from gateway.exchange.journal import Kind as JournalKind
from gateway.protocol.log_kinds import REFUSAL_REASONS, Kind

AT = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)


def test_every_kind_is_told_in_a_sentence_of_its_own() -> None:
    told = {kind: sentence({"kind": kind.encode()}, AT) for kind in Kind}
    assert len(set(told.values())) == len(Kind)
    assert not [kind for kind, text in told.items() if "an entry was written" in text]
    # Control: what is no kind is told in the words nobody else has.
    assert "an entry was written" in sentence({"kind": b"access.invented"}, AT)


def test_the_words_to_filter_by_are_the_words_the_exchange_writes() -> None:
    assert JournalKind is Kind
    assert frozenset(ErrorReason) == REFUSAL_REASONS


@pytest.mark.parametrize(
    ("option", "given", "allowed"),
    [
        ("--kind", "access.decison", 'did you mean "access.decision"?'),
        ("--purpose", "MFC_LOCAT", "MFC_LOCATE"),
        ("--outcome", "ANSWERD", "NO_ACTIVE_FLAG_FOUND"),
        ("--reason", "CONSENT_EXPIRD", "CONSENT_EXPIRED"),
        ("--reason", "zzz", "BUDGET_EXHAUSTED"),
        ("--counterpart", "06077", "06077.pd"),
        ("--decision", "maybe", "allow"),
        ("--basis", "CONSNT", "CONSENT"),
        ("--worker-role", "LEA.patroll", "LEA.patrol"),
        ("--since", "yesterday", "7d"),
    ],
)
def test_a_mistyped_word_is_wrong_usage_that_names_the_allowed_ones(option: str, given: str, allowed: str) -> None:
    result = CliRunner().invoke(audit, ["query", option, given, "--token-file", "x"])
    assert result.exit_code == click.UsageError.exit_code
    assert allowed in result.output
    assert option in result.output
