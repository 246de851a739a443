"""What the log says the projections must hold, derived from entries that were verified before.

A projection is a cache of the log in the same database. Each of these follows from entries alone:

1. denied names and suspended members, from revocations, locks and enrollments
2. authorities with who issued them, and when each was revoked, from their records
3. flags with owner and state, from reports about youths whose audit key exists
4. the last heartbeat of each agency, and which agencies registered youths
5. the epochs of the token key, from the steps of every rotation
6. seals and how each stands, from the orders about them
7. how many rows a declared loss took, from its entry (`mended`), and how many there must be of what entries only count
   (`counted`)

A seal takes rows away and its entry names nobody (AUDIT §2.7), so what it may have taken may be missing: an authority
recorded before the last seal (a permission less, never one more), or what it says, and a flag from before a seal of its
owner that was lifted again. Whether the rows are what is derived here, `compared` decides.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, literal_column, select

from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from audit.errors import EvidenceError, EvidenceReason
from audit.own_entries import CARRIED_OUT, SUCCEEDED
from audit.reader import Selection, select_entries
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.exchange.notices import SealState
from gateway.missing.episode import Event, after
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, AuthorityId, FlagState, SubjectHandle
from gateway.protocol.outcomes import Reason
from gateway.store.counted import COUNTED, Counted
from gateway.store.epochs import EPOCH_KINDS, states_after
from gateway.store.succession import last_loss, last_loss_of_entries
from gateway.store.told import Untold, unaccounted
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

_KINDS: Final = tuple(
    str(kind)
    for kind in (
        Kind.MEMBER_REVOKED, Kind.IDENTITY_LOCKED, Kind.ENROLL_REDEEMED, Kind.AUTHORITY_RECORDED,
        Kind.AUTHORITY_REVOKED, Kind.AUTHORITY_PRESENTED, Kind.FLAG_PRESENTED,
        Kind.FLAG_RAISED, Kind.FLAG_UPDATED, Kind.FLAG_LOCATED, Kind.LOCATED_PRESENTED, Kind.FLAG_RESOLVED,
        Kind.INDEX_REGISTERED, Kind.INDEX_HEARTBEAT, *sorted(EPOCH_KINDS),
        Kind.SEAL_RESTRICTED, Kind.SEAL_DESTROYED, Kind.SEAL_LIFTED, Kind.TABLES_MENDED, *sorted(COUNTED),
    )
)  # fmt: skip
_PAGE: Final = 1000
_CLASS_KEYS: Final = {FieldClass.OP: "op", FieldClass.REQ: "req", FieldClass.HOLD: "hold"}
_LAST_LOSS: Final = Statement(select(last_loss()))
_NOT_CARRYING_OUT: Final = Statement(
    # The newest entry before this one by which no declared loss is carried out; it must be the loss itself.
    select(ENTRY.c.idx, ENTRY.c.kind)
    .where(
        and_(
            ENTRY.c.idx < bindparam("index_"),
            ENTRY.c.kind.not_in([literal_column(f"'{kind}'") for kind in sorted(CARRIED_OUT)]),
        )
    )
    .order_by(ENTRY.c.idx.desc())
    .limit(1),
    "index_",
)
_SEALS: Final = {
    Kind.SEAL_RESTRICTED: SealState.RESTRICTED,
    Kind.SEAL_DESTROYED: SealState.DESTROYED,
    Kind.SEAL_LIFTED: SealState.LIFTED,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """What the log and the rows are opened with."""

    keys: ClassKeys = field(repr=False)
    marks: Mapping[bytes, bytes] = field(repr=False)
    """Every mark of a youth or authority whose audit key exists, with that key; what concerns others can no longer be
    read."""
    ahead: frozenset[bytes] = field(repr=False)
    """Marks that no entry can carry yet, unless counters were lowered since."""
    is_sealed: Callable[[AgencyId, SubjectHandle, Collection[bytes]], bool] = field(repr=False)
    """Whether a youth's key left with a seal, or is about to leave with one of these, which are in the log: a crash may
    come between the entry of a seal, which takes the rows away, and that."""
    has_left: Callable[[AuthorityId], bool] = field(repr=False)
    """Whether the key of an authority left with a seal."""
    authority: Callable[[AuthorityId, bytes], SignedEnvelope | None] = field(repr=False)
    """Opens what an authority says; None where its youth was sealed. Raises `RowUnreadable`."""
    revoked: Callable[[AuthorityId, bytes], int | None] = field(repr=False)
    """Opens when an authority was revoked, likewise."""


class DerivedAuthority(NamedTuple):
    issuer: str
    signature: bytes
    revoke_ms: int | None
    """0 where the row says so unreadably, and the log not at all."""
    leaf_index: int


class DerivedFlag(NamedTuple):
    owner: str
    handle: bytes
    state: str


@dataclass(frozen=True, slots=True)
class Mended:
    """Rows that were gone when a declared loss was carried out, and could not be written from entries (`mended`)."""

    index: int = -1
    authorities: int = 0
    flags: int = 0
    untold: bytes = b""
    """`told.untold_digest` of the alerts that were gone; empty for none."""


NONE_MENDED: Final = Mended()


@dataclass(slots=True)
class Derived:
    """What the log says."""

    keys: ClassKeys = field(repr=False)
    denied: dict[str, int] = field(default_factory=dict)
    authorities: dict[bytes, DerivedAuthority] = field(default_factory=dict)
    again: dict[bytes, list[DerivedAuthority]] = field(default_factory=dict)
    """Of authorities from before a declared loss of rows: as a county recorded them again, first after each such loss.
    It puts one on record whose row was lost, and changes nothing of one whose row was left."""
    flags: dict[bytes, DerivedFlag] = field(default_factory=dict)
    flagged: dict[bytes, int] = field(default_factory=dict)
    """The last entry about each flag."""
    registered: set[str] = field(default_factory=set)
    """Agencies that registered youths."""
    listings: dict[str, tuple[int, str, str, int]] = field(default_factory=dict)
    epochs: dict[str, tuple[str, int]] = field(default_factory=dict)
    closed: dict[int, str] = field(default_factory=dict)
    """Entries about authorities that left with a key, with the issuer whom the entry put one on record for; empty where
    it revoked one."""
    sealed: dict[str, int] = field(default_factory=dict)
    """The last seal of each agency."""
    seals: dict[bytes, tuple[str, str, int]] = field(default_factory=dict)
    """Of every seal its owner, how it stands, and by which entry."""
    counted: Counted = field(default_factory=Counted)
    lifted: dict[str, int] = field(default_factory=dict)
    """Of agencies that had a seal lifted, the last seal before that."""
    mended: Mended = NONE_MENDED
    """The last declared loss of rows."""

    def may_lack_authority(self, known: DerivedAuthority) -> bool:
        """Whether a seal can have taken this authority away."""
        return known.leaf_index < max(self.sealed.values(), default=-1)

    def last_taking(self, tx: Tx) -> int:
        """The last entry that can have taken a key away: a seal, or a declared loss of entries, a seal among them."""
        return max((*self.sealed.values(), last_loss_of_entries(tx, self.keys)))

    def is_mended(self, tx: Tx) -> bool:
        """Whether rows were mended since the last declared loss."""
        return self.mended.index > _last_loss(tx)

    def may_lack_flag(self, flag_id: bytes) -> bool:
        """Whether a seal that was lifted again can have taken this flag away."""
        return self.flagged[flag_id] < self.lifted.get(self.flags[flag_id].owner, -1)

    def is_stub(self, known: DerivedAuthority) -> bool:
        """Whether of this authority a declared loss may have left no more than that it was revoked."""
        return known.revoke_ms is not None and known.leaf_index < self.mended.index

    def unaccounted_authorities(self, missing: Collection[bytes]) -> Collection[bytes]:
        """Of missing authorities those that no declared loss accounts for. Of a revoked one a stub is left."""
        gone = {each for each in missing if self._may_be_gone(self.authorities[each])}
        return set(missing) - gone if len(gone) <= self.mended.authorities else missing

    def unaccounted_flags(self, missing: Collection[bytes]) -> Collection[bytes]:
        """Of missing flags those that no declared loss accounts for."""
        gone = {each for each in missing if self.flagged[each] < self.mended.index}
        return set(missing) - gone if len(gone) <= self.mended.flags else missing

    def unaccounted_alerts(self, missing: Sequence[Untold]) -> Sequence[Untold]:
        """Of missing alerts those that no declared loss accounts for."""
        return unaccounted(missing, mended=self.mended.index, untold=self.mended.untold)

    def _may_be_gone(self, known: DerivedAuthority) -> bool:
        return known.revoke_ms is None and known.leaf_index < self.mended.index


def derive(tx: Tx, opened: Opened) -> Derived:
    """What the entries say, which must have been verified. Raises EvidenceError(PROJECTION) where a count or a record
    that they build on is missing."""
    derived = Derived(opened.keys)
    for entry in _entries(tx):
        if entry.kind == Kind.TABLES_MENDED:
            _check_declared(tx, entry.index)
        _apply(derived, entry, opened)
    return derived


def _check_declared(tx: Tx, index: int) -> None:
    """Rows are said to be lost directly behind a declared loss. One operator alone declares none."""
    before = tx.one(_NOT_CARRYING_OUT, (index,))
    if before is None or before[1] != SUCCEEDED:
        text = "rows of tables are said to be lost where no loss was declared"
        raise EvidenceError(EvidenceReason.PROJECTION, text, index=index)


def _last_loss(tx: Tx) -> int:
    (lost,) = tx.one(_LAST_LOSS) or (None,)
    return -1 if lost is None else int(lost)


def _entries(tx: Tx) -> Iterator[StoredEntry]:
    start = 0
    while page := select_entries(tx, Selection(kinds=_KINDS, start=start), limit=_PAGE):
        yield from page
        start = page[-1].index + 1


def _apply(derived: Derived, entry: StoredEntry, opened: Opened) -> None:
    said = _said(entry, opened)
    derived.counted.apply(entry, said)
    match entry.kind:
        case kind if kind in COUNTED:
            return
        case Kind.MEMBER_REVOKED:
            derived.denied[_text(said["subject"])] = entry.index
        case Kind.IDENTITY_LOCKED:
            derived.denied[_text(said["identity"])] = entry.index
        case Kind.ENROLL_REDEEMED:
            for name in ("agency", "identity"):
                derived.denied.pop(_text(said[name]), None)
            if "removed" in said:
                derived.listings.pop(entry.requester, None)
        case Kind.AUTHORITY_RECORDED | Kind.AUTHORITY_REVOKED | Kind.AUTHORITY_PRESENTED:
            _apply_authority(derived, entry, said)
        case Kind.INDEX_HEARTBEAT:
            figures = int(said["revision"]), _text(said["scope"]), _text(said["epochs"]), int(said["data_as_of_ms"])
            derived.listings[entry.requester] = figures
        case Kind.INDEX_REGISTERED:
            derived.registered.add(entry.requester)
        case kind if kind in EPOCH_KINDS:
            changes = states_after(Kind(kind), _text(said["epoch"]), _text(said.get("before", b"")))
            derived.epochs |= {name: (str(state), entry.index) for name, state in changes.items()}
        case Kind.SEAL_RESTRICTED | Kind.SEAL_DESTROYED:
            derived.sealed[entry.requester] = entry.index
            _apply_seal(derived, entry, said)
        case Kind.SEAL_LIFTED:
            derived.lifted[entry.requester] = derived.sealed.get(entry.requester, -1)
            _apply_seal(derived, entry, said)
        case Kind.TABLES_MENDED:
            untold = bytes.fromhex(_text(said.get("untold", b"")))
            derived.mended = Mended(entry.index, int(said["authorities"]), int(said["flags"]), untold)
        case _:
            _apply_flag(derived, entry, said)


def _apply_seal(derived: Derived, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
    seal_id = bytes.fromhex(_text(said["notice"]))
    derived.seals[seal_id] = entry.requester, str(_SEALS[Kind(entry.kind)]), entry.index


def _apply_authority(derived: Derived, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
    if "authority" not in said:
        # It left with the key of the youth that the authority names, or with the authority's own.
        derived.closed[entry.index] = "" if entry.kind == Kind.AUTHORITY_REVOKED else entry.requester
        return
    authority_id = bytes.fromhex(_text(said["authority"]))
    known = derived.authorities.get(authority_id)
    if entry.kind == Kind.AUTHORITY_RECORDED:
        # Recorded again, as after a restore, it stays what it was.
        if known is None:
            derived.authorities[authority_id] = DerivedAuthority(entry.requester, said["signed"], None, entry.index)
        elif known.leaf_index < derived.mended.index:
            again = derived.again.setdefault(authority_id, [])
            if not again or again[-1].leaf_index < derived.mended.index:
                again.append(DerivedAuthority(entry.requester, said["signed"], None, entry.index))
    elif entry.kind == Kind.AUTHORITY_PRESENTED:
        # After a declared loss, it is on record from here on; a revocation has the last word.
        if known is None or known.revoke_ms is None:
            derived.again.pop(authority_id, None)
            derived.authorities[authority_id] = DerivedAuthority(entry.requester, said["signed"], None, entry.index)
    elif known is None:
        raise EvidenceError(EvidenceReason.PROJECTION, "an authority was revoked but never recorded", index=entry.index)
    elif known.revoke_ms is None:
        derived.authorities[authority_id] = known._replace(revoke_ms=int(said["revoke_ms"]))


def _apply_flag(derived: Derived, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
    if "flag" not in said:
        # Of a youth whose key was destroyed nobody can say any more what a row must be.
        return
    flag_id, state = said["flag"], _text(said.get("state", b""))
    known = derived.flags.get(flag_id)
    if entry.kind in (Kind.FLAG_LOCATED, Kind.LOCATED_PRESENTED) and known is not None:
        is_attempt = said["reason"] == Reason.NOT_FLAG_OWNER.encode()
        event = Event.RESOLVE_ATTEMPTED if is_attempt else Event.LOCATED
        state = str(after(FlagState(known.state), event))
    elif not state or (known is not None and entry.kind == Kind.FLAG_RAISED):
        # A supporting report, or the owner's repeated one: the flag stands as it is.
        return
    derived.flags[flag_id] = DerivedFlag(entry.holder, said["handle"], state)
    derived.flagged[flag_id] = entry.index


def _said(entry: StoredEntry, opened: Opened) -> dict[str, bytes]:
    """Every field of the entry that can be opened."""
    if entry.tag in opened.ahead:
        raise differs("the count of a key's entries", entry.index)
    found: dict[str, bytes] = {}
    youth_key = opened.marks.get(entry.tag)
    if youth_key is not None:
        found |= {each.name: each.value for each in open_class(entry, FieldClass.YOUTH, youth_key)}
    # The requester's own field of a name comes first: the holder's copy says the same.
    for cls in (FieldClass.HOLD, FieldClass.REQ, FieldClass.OP):
        if entry.boxes[cls]:
            key = getattr(opened.keys, _CLASS_KEYS[cls])
            found |= {each.name: each.value for each in open_class(entry, cls, key)}
    return found


def differs(what: str, index: int | None) -> EvidenceError:
    """The fault of a row, or of what rows are read with."""
    return EvidenceError(EvidenceReason.PROJECTION, f"{what} is not in the database as the log says", index=index)


def _text(value: bytes) -> str:
    return value.decode()
