"""What an adapter attests of its agency's own entries, in words for people. Pure."""

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from homeward.audit.v1.log_pb2 import (
    COMPLETENESS_FINDING_COMPLETE,
    COMPLETENESS_FINDING_GAP,
    COMPLETENESS_FINDING_MISSING,
    COMPLETENESS_FINDING_UNPROVEN,
    CompletenessAttestation,
)

_WRONG: Final[Mapping[int, str]] = {
    COMPLETENESS_FINDING_GAP: "the next is withheld, or does not follow",
    COMPLETENESS_FINDING_MISSING: "an entry of which the adapter has a receipt is not among them",
    COMPLETENESS_FINDING_UNPROVEN: "what was shown next is not in the log's tree",
}


def attested_text(message: CompletenessAttestation) -> str:
    """One sentence: how far the agency's entries were followed, in which tree, when, and what is wrong."""
    at = message.create_time.ToDatetime(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{message.number} own entries followed in the log's first {message.tree_size}, attested at {at}"
    if message.finding == COMPLETENESS_FINDING_COMPLETE:
        return f"{text}: none is withheld"
    return f"{text}: ATTESTATION_CONTRADICTED, {_WRONG.get(message.finding, 'of unknown finding')}"


def is_complete(message: CompletenessAttestation) -> bool:
    """Nothing was withheld."""
    return message.finding == COMPLETENESS_FINDING_COMPLETE
