"""Who was told of a youth, and what a notice to each of them says. Pure.

An agency was told when something about the youth left for it: a record, or a flag's status. A refusal told it nothing,
and a notice about one would tell it now. What a notice says (which entries) is sealed to the agency, so that the
exchange's own database never says which entries are one youth's; every notice has the size of its bucket.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from audit.entry import ClassKeys, FieldClass, StoredEntry, read_values
from gateway.exchange.journal import ALLOW
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.log_kinds import Kind, parse_grant
from gateway.protocol.names import AgencyId
from gateway.protocol.notices import seal_notice
from homeward.gateway.v1.directory_pb2 import KEY_USE_SEAL

_HASH_BYTES: Final = 32
_FLAG_CHECK: Final = frozenset({"FS0", "FS1"})


class SealState(StrEnum):
    """How a seal stands."""

    RESTRICTED = "RESTRICTED"
    DESTROYED = "DESTROYED"
    LIFTED = "LIFTED"


@dataclass(frozen=True, slots=True)
class Copy:
    """A notice as one agency gets it."""

    agency: AgencyId
    sealed: bytes = field(repr=False)
    """Empty where the agency has no key to seal to: then it cannot answer, and the list says so."""
    key_id: bytes


class SentAs(NamedTuple):
    """How a copy was sent, as the alert says that it goes with (`sent_as`)."""

    kind: int
    digest: bytes
    key_id: bytes


@dataclass(frozen=True, slots=True)
class Mine:
    """What became of one agency's copy."""

    agency: AgencyId
    acknowledge_ms: int | None
    finding: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A notice that was sent, with all copies."""

    notice_id: bytes
    kind: int
    create_ms: int
    copies: list[Mine]

    @property
    def is_open(self) -> bool:
        """Whether somebody has not answered."""
        return any(copy.acknowledge_ms is None for copy in self.copies)


def told(
    entries: Iterable[StoredEntry], keys: ClassKeys, *, flags_since_ms: int | None = None
) -> dict[AgencyId, list[int]]:
    """Which agencies beside the owner were told of the youth that these entries are about, and by which entries.

    With `flags_since_ms` only those who were told of a flag since then.
    """
    found: dict[AgencyId, list[int]] = defaultdict(list)
    for entry in entries:
        if not entry.requester or entry.requester == entry.holder:
            continue
        indexes = _telling(entry, keys)
        if flags_since_ms is not None and (entry.kind != Kind.DECISION or entry.time_ms < flags_since_ms):
            continue
        if indexes:
            found[AgencyId(entry.requester)] += indexes
    return {agency: sorted(set(indexes)) for agency, indexes in found.items()}


def copies(
    notice_id: bytes, indexes: Mapping[AgencyId, list[int]], directory: DirectoryView, at: datetime
) -> list[Copy]:
    """A copy for each agency, sealed to its newest key."""
    return [_copy(notice_id, agency, indexes[agency], directory, at) for agency in sorted(indexes)]


def sent_as(kind: int, copy: Copy) -> bytes:
    """How a copy of a notice of this kind is sent: u8 kind | SHA-256 of what is sealed | the key's id.

    The alert that it goes with says so, and the entry names the alert: the copy can neither be taken out nor altered.
    """
    return bytes([kind]) + sha256(copy.sealed).digest() + copy.key_id


def read_sent_as(said: bytes) -> SentAs:
    """How a copy was sent, by what the row of its alert says, which was compared with the entry's digest."""
    return SentAs(int.from_bytes(said[:1]), said[1 : 1 + _HASH_BYTES], said[1 + _HASH_BYTES :])


def _copy(notice_id: bytes, agency: AgencyId, indexes: list[int], directory: DirectoryView, at: datetime) -> Copy:
    try:
        key = directory.current_key(agency, KEY_USE_SEAL, at)
    except KeyUnknown:
        return Copy(agency, b"", b"")
    return Copy(agency, seal_notice(notice_id, indexes, key.public_bytes), key.key_id)


def _telling(entry: StoredEntry, keys: ClassKeys) -> list[int]:
    if entry.kind in (Kind.FLAG_LOCATED, Kind.LOCATED_PRESENTED):
        return [entry.index]
    if entry.kind not in (Kind.DECISION, Kind.OUTCOME):
        return []
    said = read_values(entry.nonce, entry.boxes[FieldClass.OP], FieldClass.OP, keys.op)
    if said.get("decision") != ALLOW.encode():
        return []
    if entry.kind == Kind.OUTCOME:
        # The decision and its release: the requester has a receipt of each.
        return [int(said["decided"]), entry.index]
    # A permit for records tells nothing until something is released under it.
    return [entry.index] if is_flag_check(said) else []


def is_flag_check(said: Mapping[str, bytes]) -> bool:
    """Whether a permit that says this is the release, too: a flag's status is answered with the decision."""
    return set(parse_grant(said.get("fields", b"").decode())[0]) <= _FLAG_CHECK
