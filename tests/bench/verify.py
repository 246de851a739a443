"""Whether what was measured was the product: every answer is judged, and the log must hold each of them once.

Decides what counts as an answer. Of all replies: the outcome, a leaf of its own. Of some, drawn evenly: everything that
the requester's own adapter checks (receipt, inclusion, the owner's statement, seal, fields within the grant). At the
end: the log verifies from its first leaf to its last, and has exactly one DECISION for every question.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from adapters.node.answers import Asked, check_flag, check_records, open_sealed
from audit.checkpoint import LogKey
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from gateway.exchange.journal import Kind
from gateway.protocol.decide import decide_request
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import FieldSet
from gateway.protocol.outcomes import Outcome
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.facts import RequestFacts, milliseconds, moment_of
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse, CheckFlagsResponse, RequestRecordsResponse
from tests.bench.asker import Asker, Item, Prepared

Answer = TypeVar("Answer")
FULLY_CHECKED: int = 20
"""Replies of a run that are checked as the requester's adapter checks them."""


class AnswerWrong(Exception):
    """The product did not do what is being measured."""


@dataclass(slots=True)
class Judge:
    """Judges answers of one exchange."""

    directory: DirectoryView
    leaves: set[int] = field(default_factory=set)
    """Index of every DECISION that an answer named."""
    released: int = 0

    def flag_checks(self, asker: Asker, asked: Sequence[Prepared], replies: Sequence[bytes]) -> None:
        """Replies to CheckFlag. Raises `AnswerWrong`."""
        answers = [CheckFlagResponse.FromString(reply) for reply in replies]
        self._flags(asker, [prepared.items[0] for prepared in asked], answers)

    def batches(self, asker: Asker, asked: Sequence[Prepared], replies: Sequence[bytes]) -> None:
        """Replies to CheckFlags. Raises `AnswerWrong`."""
        items = [item for prepared in asked for item in prepared.items]
        answers = [answer for reply in replies for answer in CheckFlagsResponse.FromString(reply).responses]
        self._flags(asker, items, answers)

    def records(self, asker: Asker, asked: Sequence[Prepared], replies: Sequence[bytes]) -> None:
        """Replies to RequestRecords. Raises `AnswerWrong`."""
        answers = [RequestRecordsResponse.FromString(reply) for reply in replies]
        items = [prepared.items[0] for prepared in asked]
        for item, answer in zip(items, answers, strict=True):
            self._one(item, answer.outcome, answer.decision_receipt.index)
            self.released += answer.HasField("release_receipt")
        for item, answer in _some(items, answers):
            expected = _asked(asker, item, (FieldSet.FS4_PLACEMENT_SUMMARY,))
            key = asker.keyring.seal
            _, sealed = check_records(answer, expected, self.directory, recipient_key_id=key.key_id, page=1)
            if sealed is None or not open_sealed(sealed, key).placement_history.episodes:
                raise AnswerWrong("an answer without a placement")

    def _flags(self, asker: Asker, items: Sequence[Item], answers: Sequence[CheckFlagResponse]) -> None:
        for item, answer in zip(items, answers, strict=True):
            self._one(item, answer.answer.outcome, answer.receipt.index)
        for item, answer in _some(items, answers):
            result = check_flag(answer, _asked(asker, item, (FieldSet.FS1_FLAG_STATUS,)), self.directory)
            if result.outcome is not item.expected:
                raise AnswerWrong(f"{result.outcome} instead of {item.expected}")

    def _one(self, item: Item, outcome: int, leaf: int) -> None:
        said = from_wire(Outcome, outcome)
        if said is not item.expected:
            raise AnswerWrong(f"{said} instead of {item.expected}")
        if leaf in self.leaves:
            raise AnswerWrong("two answers name one leaf")
        self.leaves.add(leaf)


@dataclass(frozen=True, slots=True)
class LogFound:
    """What the log holds in the end, verified from its first leaf to its last."""

    size: int
    decisions: int
    outcomes: int


def check_log(gateway: Path, directory: DirectoryView, judge: Judge) -> LogFound:
    """The stopped gateway's log verifies and holds every question once. Raises `AnswerWrong`, `EvidenceError`."""
    database = gateway / "gateway.db"
    reader = Reader(SqliteStore(database))
    try:
        verified = verify_log(reader, key=LogKey(directory.message.log_origin, directory.message.log_key))
    finally:
        reader.close()
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        kinds = Counter(dict(connection.execute("SELECT kind, count(*) FROM log_entry GROUP BY kind").fetchall()))
    finally:
        connection.close()
    found = LogFound(verified.size, kinds[Kind.DECISION], kinds[Kind.OUTCOME])
    if (found.decisions, found.outcomes) != (len(judge.leaves), judge.released):
        raise AnswerWrong(
            f"{len(judge.leaves)} questions and {judge.released} releases were answered; the log has "
            f"{found.decisions} and {found.outcomes}"
        )
    return found


def _some(items: Sequence[Item], answers: Sequence[Answer]) -> Iterable[tuple[Item, Answer]]:
    step = max(1, len(items) // FULLY_CHECKED)
    return list(zip(items, answers, strict=True))[::step]


def _asked(asker: Asker, item: Item, field_sets: tuple[FieldSet, ...]) -> Asked:
    now = moment_of(milliseconds(datetime.now(UTC)))
    facts = RequestFacts(
        agency=asker.membership.agency,
        agency_kind=asker.membership.kind,
        role=asker.role,
        purpose=asker.purpose,
        field_sets=field_sets,
        evidence=frozenset((asker.evidence,)),
        authority=None,
        received_at=now,
        login_age_seconds=0,
    )
    here = decide_request(load_california(), facts)
    return Asked(asker.membership.agency, item.digest, field_sets, here, binding=True, now=now)
