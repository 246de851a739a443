"""What each agency's adapter attested of the agency's own entries, and what is wrong where it did not or cannot.

Decides the standing of an agency:

COMPLETE                   the adapter vouches for its newest number in a tree of this log, not long ago
NONE                       it has attested nothing yet; an alarm once it is linked for longer than the limit
ATTESTATION_STALE          what it attested last is older than the limit
ATTESTATION_CONTRADICTED   it says that an entry is withheld from it, or its statement is not what this log holds

The last two are alarms: a critical line in the process's log, `homeward gateway status`, and for the second an entry
`attestation.alarm`. They stop nothing: one agency could otherwise end the exchange. Envelopes are kept as they were
signed, one file an agency, for whoever audits: they are evidence of the agency and no projection of the log.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from audit.errors import EvidenceError
from gateway.errors import ErrorReason, Invalid
from gateway.protocol.names import AgencyId
from gateway.publishing.own_entries import OwnHeads
from gateway.state import PRIVATE_DIRECTORY, PRIVATE_FILE, StateBroken
from homeward.audit.v1.log_pb2 import (
    COMPLETENESS_FINDING_COMPLETE,
    COMPLETENESS_FINDING_UNSPECIFIED,
    CompletenessAttestation,
    CompletenessFinding,
)
from homeward.gateway.v1.admin_pb2 import AttestationStatus
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.replacing import replace_file

WATCH_SECONDS: Final = 30.0
SHORTEST_LIMIT: Final = timedelta(minutes=3)
"""Adapters attest once a minute: a shorter limit would call every one of them silent between two attestations."""
_HASH_BYTES: Final = 32
_LOG: Final = logging.getLogger(__name__)


class AttestationStanding(StrEnum):
    """How an agency's attestations stand."""

    COMPLETE = "COMPLETE"
    NONE = "NONE"
    STALE = "ATTESTATION_STALE"
    CONTRADICTED = "ATTESTATION_CONTRADICTED"


ALARMING: Final = (AttestationStanding.STALE, AttestationStanding.CONTRADICTED)


@dataclass(frozen=True, slots=True)
class _Kept:
    said: CompletenessAttestation = field(repr=False)
    agrees: bool
    """Whether the statement is what this log holds."""
    created: datetime
    """By the adapter's clock, and no later than it came: a clock that is ahead must not hide a later silence."""


class Attestations:
    """Keeps the newest attestation of each agency. One event loop uses it."""

    def __init__(
        self,
        directory: Path,
        heads: OwnHeads,
        *,
        origin: str,
        linked: Callable[[], Iterable[AgencyId]],
        now: Callable[[], datetime],
        limit: timedelta,
    ) -> None:
        """`linked` are agencies whose adapters are witnesses and linked now. `limit` is never below the shortest."""
        self._heads = heads
        self._directory = directory
        self._origin = origin
        self._linked = linked
        self._now = now
        self._limit = max(limit, SHORTEST_LIMIT)
        self._kept: dict[AgencyId, _Kept] = {}
        self._waiting: dict[AgencyId, datetime] = {}
        self._told: dict[AgencyId, AttestationStanding] = {}

    async def load(self) -> None:
        """What was kept before the last stop counts again, as far as it is of this log."""
        for message in kept_attestations(self._directory, self._origin):
            agrees = await asyncio.to_thread(self._agrees, message)
            created = min(message.create_time.ToDatetime(UTC), self._now())
            self._kept[AgencyId(message.agency)] = _Kept(message, agrees, created)

    async def take(self, agency: AgencyId, envelope: SignedEnvelope, message: CompletenessAttestation) -> bool:
        """The attestation, whose signature was verified, is kept; whether it is a new contradiction.

        One about another log is not: its adapter has not heard yet that this one goes on. Raises `Invalid`.
        """
        if message.log_origin != self._origin:
            return False
        created = min(_check(agency, message), self._now())
        agrees = await asyncio.to_thread(self._agrees, message)
        await asyncio.to_thread(self._write, agency, envelope)
        before = self.standing(agency)
        self._kept[agency] = _Kept(message, agrees, created)
        self._waiting.pop(agency, None)
        self._tell(agency)
        return self.standing(agency) is AttestationStanding.CONTRADICTED is not before

    def standing(self, agency: AgencyId) -> AttestationStanding:
        """How the agency's attestations stand now."""
        kept, now = self._kept.get(agency), self._now()
        if kept is None:
            since = self._waiting.get(agency, now)
            return AttestationStanding.STALE if now - since > self._limit else AttestationStanding.NONE
        if not kept.agrees or kept.said.finding != COMPLETENESS_FINDING_COMPLETE:
            return AttestationStanding.CONTRADICTED
        return AttestationStanding.STALE if now - kept.created > self._limit else AttestationStanding.COMPLETE

    def status(self) -> list[AttestationStatus]:
        """What the operator sees: every agency that is linked or has attested."""
        return [self._status(agency) for agency in sorted({*self._kept, *self._linked()})]

    async def run(self) -> None:
        """Says at once when an agency falls silent, until cancelled."""
        try:
            while True:
                now = self._now()
                for agency in self._linked():
                    self._waiting.setdefault(agency, now)
                for agency in {*self._kept, *self._waiting}:
                    self._tell(agency)
                await asyncio.sleep(WATCH_SECONDS)
        finally:
            self._heads.close()

    def _status(self, agency: AgencyId) -> AttestationStatus:
        status = AttestationStatus(agency=agency, standing=self.standing(agency))
        kept = self._kept.get(agency)
        if kept is not None:
            status.number, status.tree_size = kept.said.number, kept.said.tree_size
            status.age_seconds = max(0, int((self._now() - kept.created).total_seconds()))
            if kept.said.finding != COMPLETENESS_FINDING_COMPLETE:
                status.finding = CompletenessFinding.Name(kept.said.finding).rpartition("_")[2]
        return status

    def _tell(self, agency: AgencyId) -> None:
        standing, before = self.standing(agency), self._told.get(agency)
        if standing is before:
            return
        self._told[agency] = standing
        extra = {"agency": agency, "outcome": standing}
        if standing in ALARMING:
            _LOG.critical("an agency does not vouch for its own entries of the log", extra=extra)
        elif before in ALARMING:
            _LOG.warning("an agency vouches for its own entries again", extra=extra)

    def _agrees(self, message: CompletenessAttestation) -> bool:
        try:
            if self._heads.root(message.tree_size) != message.root:
                return False
            if message.finding != COMPLETENESS_FINDING_COMPLETE:
                return True
            head = self._heads.head(AgencyId(message.agency), message.tree_size)
        except EvidenceError:
            return False
        return head == (message.number, message.leaf_hash)

    def _write(self, agency: AgencyId, envelope: SignedEnvelope) -> None:
        self._directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        replace_file(self._directory / agency, envelope.SerializeToString(), mode=PRIVATE_FILE)


def kept_attestations(directory: Path, origin: str) -> list[CompletenessAttestation]:
    """What agencies attested of the log of this origin, as kept in the directory; it blocks.

    Raises `StateBroken` for a file that cannot be read.
    """
    found = []
    for path in sorted(directory.glob("*.*")):
        # An agency's name has one dot, and what comes behind it may be what a file ends in that was not finished.
        if path.name.count(".") == 1:
            try:
                message = CompletenessAttestation.FromString(SignedEnvelope.FromString(path.read_bytes()).payload)
            except DecodeError as exc:
                raise StateBroken(f"{path}: not what an agency attested; move it away to go on without") from exc
            found += [message] if message.log_origin == origin else []
    return found


def _check(agency: AgencyId, message: CompletenessAttestation) -> datetime:
    """The time the statement gives itself. Raises `Invalid` for one that is not well-formed."""
    rules = {
        "agency: own": message.agency == agency,
        "tree_size: range": 0 < message.tree_size < 1 << 63,
        "root: length": len(message.root) == _HASH_BYTES,
        "leaf_hash: length": len(message.leaf_hash) == (_HASH_BYTES if message.number else 0),
        "finding: defined": message.finding != COMPLETENESS_FINDING_UNSPECIFIED
        and message.finding in CompletenessFinding.values(),
    }
    broken = [f"attestation.{rule}" for rule, holds in rules.items() if not holds]
    try:
        created = message.create_time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        broken.append("attestation.create_time: timestamp")
    if broken:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=tuple(broken))
    return created
