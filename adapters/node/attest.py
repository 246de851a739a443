"""The adapter's word that none of its agency's entries is withheld from it (AUDIT §2.5).

Decides what it follows and what it says. In the tree that it cosigned last, page by page:

1. each entry that the gateway shows is in the tree, and its open fields are what its leaf commits to
2. the agency's numbers run on from the last one without a gap, and each entry names the one before (`continuity`)
3. once there are no more, every entry of which this adapter has a receipt (its own calls, and the decisions it
   answered) is among them

Then it signs how far its numbers go. A gateway that withholds an entry from an agency and shows it to an auditor is
contradicted by that signature; one that shows it to nobody is contradicted by the next entry's number, or by the
receipt. Progress is on disk: an entry is followed once. Where something is wrong that is signed instead, and asked
about again from the same place; it stops nothing here, because a missing youth is looked for meanwhile.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, and_, delete, select

from adapters.errors import EvidenceInvalid
from adapters.node.identifiers import Clock, timestamp
from adapters.node.store import Store, get_setting, put_setting
from adapters.node.tables import awaited_entry, own_entry
from audit.checkpoint import Checkpoint
from audit.continuity import Continuity, Numbered, numbered
from audit.entry import Opening, check_openings
from audit.errors import EvidenceError, EvidenceReason
from audit.leaf import LEAF_BYTES
from audit.merkle import HASH_BYTES, check_inclusion, leaf_hash
from audit.receipt import Receipt
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey
from homeward.audit.v1.log_pb2 import (
    COMPLETENESS_FINDING_COMPLETE,
    COMPLETENESS_FINDING_GAP,
    COMPLETENESS_FINDING_MISSING,
    COMPLETENESS_FINDING_UNPROVEN,
    CompletenessAttestation,
    CompletenessFinding,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ConnectRequest, OwnEntries, OwnEntriesQuery, OwnEntry

EVERY: Final = timedelta(seconds=60)
_PROGRESS: Final = "own-entries"
_NEWEST: Final = "attestation"
_NUMBER: Final = 8
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Followed:
    """How far the agency's entries of one log were followed."""

    origin: str
    last: Numbered | None

    def encoded(self) -> bytes:
        if self.last is None:
            raise AssertionError("nothing was followed")
        fixed = self.last.index.to_bytes(_NUMBER, "big") + self.last.number.to_bytes(_NUMBER, "big")
        return fixed + self.last.hashed + self.origin.encode()


@dataclass(slots=True)
class Attester:
    """Follows the agency's entries over the link. Blocking; one walk at a time, from any thread."""

    agency: AgencyId
    store: Store
    key: SigningKey = field(repr=False)
    cosigned: Callable[[], Checkpoint | None]
    """The newest checkpoint that this adapter cosigned of the directory's log."""
    now: Clock
    every: timedelta = EVERY
    _tree: Checkpoint | None = None
    _begun: datetime | None = None

    def begin(self) -> ConnectRequest | None:
        """The first question of a walk; None while none is due, or nothing was cosigned yet."""
        now, tree = self.now(), self.cosigned()
        if tree is None or not tree.size or (self._begun is not None and now < self._begun + self.every):
            return None
        self._begun, self._tree = now, tree
        return self._asked(tree)

    def restart(self) -> None:
        """The link is another one: whatever was asked over the last is not answered any more."""
        self._begun = self._tree = None

    def take(self, page: OwnEntries) -> ConnectRequest | None:
        """What follows from an untrusted page: the next question, or the signed attestation."""
        tree = self._tree
        if tree is None:
            return None
        try:
            self._follow(tree, page)
            if page.more:
                return self._asked(tree)
            missing = self._settle(tree)
        except EvidenceError as fault:
            is_gap = fault.reason is EvidenceReason.SEQUENCE
            return self._signed(tree, COMPLETENESS_FINDING_GAP if is_gap else COMPLETENESS_FINDING_UNPROVEN)
        if missing is not None:
            return self._signed(tree, COMPLETENESS_FINDING_MISSING, missing)
        return self._signed(tree, COMPLETENESS_FINDING_COMPLETE)

    def newest(self) -> CompletenessAttestation | None:
        """What was attested last, now or before a restart."""
        return newest_attestation(self.store)

    def _asked(self, tree: Checkpoint) -> ConnectRequest:
        last = self._followed(tree.origin).last
        query = OwnEntriesQuery(tree_size=tree.size, start_index=last.index + 1 if last is not None else 0)
        return ConnectRequest(own_entries_query=query)

    def _followed(self, origin: str) -> _Followed:
        with self.store.read() as connection:
            raw = get_setting(connection, _PROGRESS)
        if raw is None or raw[2 * _NUMBER + HASH_BYTES :] != origin.encode():
            return _Followed(origin, None)
        index, number = int.from_bytes(raw[:_NUMBER], "big"), int.from_bytes(raw[_NUMBER : 2 * _NUMBER], "big")
        hashed = raw[2 * _NUMBER : 2 * _NUMBER + HASH_BYTES]
        return _Followed(origin, Numbered(index, number, hashed, b""))

    def _follow(self, tree: Checkpoint, page: OwnEntries) -> None:
        if page.more and not page.entries:
            raise EvidenceError(EvidenceReason.SEQUENCE, "there are more entries, and none is shown")
        following = Continuity(self._followed(tree.origin).last)
        found = [_proved(shown, tree) for shown in page.entries]
        for each in found:
            following.follow(each)
        if not found:
            return
        with self.store.write() as connection:
            connection.execute(
                own_entry.insert(), [{"leaf_index": each.index, "leaf_hash": each.hashed} for each in found]
            )
            put_setting(connection, _PROGRESS, _Followed(tree.origin, found[-1]).encoded())

    def _settle(self, tree: Checkpoint) -> int | None:
        """The first entry of which there is a receipt and that was not shown; None for none."""
        shown = and_(
            own_entry.c.leaf_index == awaited_entry.c.leaf_index, own_entry.c.leaf_hash == awaited_entry.c.leaf_hash
        )
        with self.store.write() as connection:
            connection.execute(delete(awaited_entry).where(select(own_entry).where(shown).exists()))
            missing: int | None = connection.scalar(
                select(awaited_entry.c.leaf_index)
                .where(awaited_entry.c.leaf_index < tree.size)
                .order_by(awaited_entry.c.leaf_index)
                .limit(1)
            )
        return missing

    def _signed(self, tree: Checkpoint, finding: CompletenessFinding, missing: int = 0) -> ConnectRequest:
        self._tree = None
        last = self._followed(tree.origin).last
        message = CompletenessAttestation(
            log_origin=tree.origin,
            tree_size=tree.size,
            root=tree.root,
            agency=self.agency,
            number=last.number if last is not None else 0,
            leaf_hash=last.hashed if last is not None else b"",
            finding=finding,
            missing_index=missing,
            create_time=timestamp(self.now()),
        )
        if finding != COMPLETENESS_FINDING_COMPLETE:
            _LOG.critical(
                "entries of this agency are withheld from it", extra={"outcome": CompletenessFinding.Name(finding)}
            )
        envelope = wrap(message, self.key)
        with self.store.write() as connection:
            put_setting(connection, _NEWEST, envelope.SerializeToString())
        return ConnectRequest(attestation=envelope)


def newest_attestation(store: Store) -> CompletenessAttestation | None:
    """What this adapter attested last; None for nothing yet."""
    with store.read() as connection:
        raw = get_setting(connection, _NEWEST)
    return CompletenessAttestation.FromString(SignedEnvelope.FromString(raw).payload) if raw is not None else None


def await_entry(connection: Connection, index: int, leaf: bytes) -> None:
    """The entry, of which there is a receipt, must be among those that are shown to this agency.

    Raises `EvidenceInvalid` where there is a receipt of another one at this place.
    """
    known = connection.scalar(select(awaited_entry.c.leaf_hash).where(awaited_entry.c.leaf_index == index))
    if known is None:
        connection.execute(awaited_entry.insert().values(leaf_index=index, leaf_hash=leaf_hash(leaf)))
    elif known != leaf_hash(leaf):
        raise EvidenceInvalid("receipt_split_view")


def _proved(shown: OwnEntry, tree: Checkpoint) -> Numbered:
    entry = shown.entry
    if len(entry.leaf) != LEAF_BYTES or entry.index >= tree.size:
        raise EvidenceError(EvidenceReason.FORMAT, "the entry is malformed, or beyond the tree")
    openings = tuple(Opening(each.slot, each.name, each.value, each.salt) for each in entry.openings)
    check_openings(entry.leaf, entry.digests, openings)
    check_inclusion(
        hashed_leaf=leaf_hash(entry.leaf),
        index=entry.index,
        size=tree.size,
        proof=shown.inclusion_hashes,
        root=tree.root,
    )
    found = numbered(Receipt(entry.index, entry.leaf, entry.digests, openings, (), ""))
    if found is None:
        raise EvidenceError(EvidenceReason.SEQUENCE, "the agency's number is not open", index=entry.index)
    return found
