"""What the log says the projections must hold, compared with what they hold.

A projection is a cache of the log in the same database. Whoever edits a table edits what the exchange believes: a
revocation taken back, a name off the deny-list, a missing youth's flag closed. So at every start each of these is
derived again from entries that were verified before, and a row that differs, is missing or is one too many stops the
start (EvidenceError PROJECTION):

1. denied names and suspended members, from revocations, locks and enrollments
2. authorities with their parties, and when each was revoked, from their records; the envelope by its issuer's signature
3. flags with owner and state, from reports about youths whose audit key exists
4. the last heartbeat of each agency; every listed youth by an agency that registered youths
5. the epochs of the token key, from the steps of every rotation
6. seals and how each stands, from the orders about them
7. how many rows there must be of what entries only count (`counted`)

A seal takes rows away and its entry names nobody (AUDIT §2.7), so what it may have taken may be missing: an authority
recorded before the last seal (a permission less, never one more), or what it says, and a flag from before a seal of its
owner that was lifted again. What is there must be what the log says all the same.

Not found by this: a listed youth that is taken out whole beside others, or a question that was spent, because their
entries hold counts and digests; the adapters list again at each start, and a receipt contradicts whoever answers twice.
Statements of flags and authorities carry their own signatures and are verified at every use.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import select

from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from audit.errors import EvidenceError, EvidenceReason
from audit.reader import Selection, select_entries
from audit.statement import Statement
from audit.transaction import Tx
from gateway.exchange.notices import SealState
from gateway.missing.episode import Event, after
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, AuthorityId, FlagState, SubjectHandle
from gateway.protocol.outcomes import Reason
from gateway.store import tables
from gateway.store.counted import COUNTED, Counted
from gateway.store.epochs import EPOCH_KINDS, states_after
from gateway.store.row_seal import RowUnreadable
from gateway.store.succession import last_loss
from homeward.gateway.v1.authority_pb2 import Authority
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

T = TypeVar("T")
_KINDS: Final = tuple(
    str(kind)
    for kind in (
        Kind.MEMBER_REVOKED, Kind.IDENTITY_LOCKED, Kind.ENROLL_REDEEMED, Kind.AUTHORITY_RECORDED,
        Kind.AUTHORITY_REVOKED, Kind.AUTHORITY_PRESENTED, Kind.FLAG_PRESENTED,
        Kind.FLAG_RAISED, Kind.FLAG_UPDATED, Kind.FLAG_LOCATED, Kind.LOCATED_PRESENTED, Kind.FLAG_RESOLVED,
        Kind.INDEX_REGISTERED, Kind.INDEX_HEARTBEAT, *sorted(EPOCH_KINDS),
        Kind.SEAL_RESTRICTED, Kind.SEAL_DESTROYED, Kind.SEAL_LIFTED, *sorted(COUNTED),
    )
)  # fmt: skip
_PAGE: Final = 1000
_CLASS_KEYS: Final = {FieldClass.OP: "op", FieldClass.REQ: "req", FieldClass.HOLD: "hold"}
_A, _F = tables.authority.c, tables.flag.c
_DENIED: Final = Statement(select(tables.denied.c.name, tables.denied.c.leaf_index))
_SUSPENDED: Final = Statement(select(tables.member.c.agency, tables.member.c.suspended))
_AUTHORITIES: Final = Statement(select(_A.authority_id, _A.issuer, _A.sealed, _A.revocation, _A.leaf_index))
_PARTIES: Final = Statement(select(tables.authority_party.c.authority_id, tables.authority_party.c.agency))
_FLAGS: Final = Statement(select(_F.flag_id, _F.owner, _F.handle, _F.state))
_LISTINGS: Final = Statement(
    select(
        tables.listing.c.owner,
        tables.listing.c.revision,
        tables.listing.c.scope,
        tables.listing.c.epochs,
        tables.listing.c.data_as_of_ms,
    )
)
_LAST_LOSS: Final = Statement(select(last_loss()))
_EPOCHS: Final = Statement(select(tables.epoch.c.name, tables.epoch.c.state, tables.epoch.c.leaf_index))
_STORED_SEALS: Final = Statement(
    select(tables.seal.c.seal_id, tables.seal.c.owner, tables.seal.c.state, tables.seal.c.leaf_index)
)
_SEALS: Final = {
    Kind.SEAL_RESTRICTED: SealState.RESTRICTED,
    Kind.SEAL_DESTROYED: SealState.DESTROYED,
    Kind.SEAL_LIFTED: SealState.LIFTED,
}
_LISTING: Final = Statement(select(tables.subject.c.owner).distinct())


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


class _Authority(NamedTuple):
    issuer: str
    signature: bytes
    revoke_ms: int | None
    """0 where the row says so unreadably, and the log not at all."""
    leaf_index: int


class _Flag(NamedTuple):
    owner: str
    handle: bytes
    state: str


@dataclass(slots=True)
class _Derived:
    """What the log says."""

    denied: dict[str, int] = field(default_factory=dict)
    authorities: dict[bytes, _Authority] = field(default_factory=dict)
    flags: dict[bytes, _Flag] = field(default_factory=dict)
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

    def may_lack_authority(self, known: _Authority) -> bool:
        """Whether a seal can have taken this authority away."""
        return known.leaf_index < max(self.sealed.values(), default=-1)

    def last_taking(self, tx: Tx) -> int:
        """The last entry that can have taken a key away: a seal, or a declared loss, which may have lost one."""
        (lost,) = tx.one(_LAST_LOSS) or (None,)
        return max(*self.sealed.values(), -1, -1 if lost is None else int(lost))

    def may_lack_flag(self, flag_id: bytes) -> bool:
        """Whether a seal that was lifted again can have taken this flag away."""
        return self.flagged[flag_id] < self.lifted.get(self.flags[flag_id].owner, -1)


def check_projections(tx: Tx, opened: Opened) -> None:
    """Holds if the projections are what the log says. Raises EvidenceError(PROJECTION), `YouthKeysBroken`.

    The entries must have been verified.
    """
    derived = _Derived()
    for entry in _entries(tx):
        _apply(derived, entry, opened)
    _compare("a denied name", dict(tx.all(_DENIED)), derived.denied)
    suspended = {agency for agency, is_suspended in tx.all(_SUSPENDED) if is_suspended}
    _compare(
        "a suspended member",
        dict.fromkeys(suspended, 1),
        {name: 1 for name in derived.denied if not name.startswith("spiffe:")},
    )
    _check_authorities(tx, derived, opened)
    _check_flags(tx, derived, opened)
    _compare("a seal", {bytes(seal_id): tuple(rest) for seal_id, *rest in tx.all(_STORED_SEALS)}, derived.seals)
    _compare("a listing", {owner: tuple(rest) for owner, *rest in tx.all(_LISTINGS)}, derived.listings)
    _compare("an epoch of the token key", {name: tuple(rest) for name, *rest in tx.all(_EPOCHS)}, derived.epochs)
    if not {owner for (owner,) in tx.all(_LISTING)} <= derived.registered:
        raise _differs("a listed youth", None)
    derived.counted.check(tx, is_rotated=bool(derived.epochs))


def _entries(tx: Tx) -> Iterator[StoredEntry]:
    start = 0
    while page := select_entries(tx, Selection(kinds=_KINDS, start=start), limit=_PAGE):
        yield from page
        start = page[-1].index + 1


def _apply(derived: _Derived, entry: StoredEntry, opened: Opened) -> None:
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
        case _:
            _apply_flag(derived, entry, said)


def _apply_seal(derived: _Derived, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
    seal_id = bytes.fromhex(_text(said["notice"]))
    derived.seals[seal_id] = entry.requester, str(_SEALS[Kind(entry.kind)]), entry.index


def _apply_authority(derived: _Derived, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
    if "authority" not in said:
        # It left with the key of the youth that the authority names, or with the authority's own.
        derived.closed[entry.index] = "" if entry.kind == Kind.AUTHORITY_REVOKED else entry.requester
        return
    authority_id = bytes.fromhex(_text(said["authority"]))
    known = derived.authorities.get(authority_id)
    if entry.kind == Kind.AUTHORITY_RECORDED:
        # Recorded again, as after a restore, it stays what it was.
        if known is None:
            derived.authorities[authority_id] = _Authority(entry.requester, said["signed"], None, entry.index)
    elif entry.kind == Kind.AUTHORITY_PRESENTED:
        # After a declared loss, it is on record from here on; a revocation has the last word.
        if known is None or known.revoke_ms is None:
            derived.authorities[authority_id] = _Authority(entry.requester, said["signed"], None, entry.index)
    elif known is None:
        raise EvidenceError(EvidenceReason.PROJECTION, "an authority was revoked but never recorded", index=entry.index)
    elif known.revoke_ms is None:
        derived.authorities[authority_id] = known._replace(revoke_ms=int(said["revoke_ms"]))


def _apply_flag(derived: _Derived, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
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
    derived.flags[flag_id] = _Flag(entry.holder, said["handle"], state)
    derived.flagged[flag_id] = entry.index


def _check_authorities(tx: Tx, derived: _Derived, opened: Opened) -> None:
    stored: dict[bytes, _Authority] = {}
    parties, closed, claimed = set[tuple[bytes, str]](), set[bytes](), set[int]()
    unexplained = [index for index in derived.closed if index > derived.last_taking(tx)]
    if unexplained:
        # A key that is gone left with a seal, or else somebody has taken it out.
        raise _differs("the key of an authority", min(unexplained))
    for identifier, issuer, sealed, revocation, leaf_index in tx.all(_AUTHORITIES):
        authority_id = AuthorityId(bytes(identifier))
        known, is_closed = derived.authorities.get(authority_id), derived.closed.get(leaf_index) == issuer
        # No two are on record by one entry; and which one it was, where that left, the key that left tells.
        is_explained = known is not None or (is_closed and opened.has_left(authority_id))
        if leaf_index in claimed or not is_explained:
            raise _differs("an authority", leaf_index)
        claimed.add(leaf_index)
        try:
            envelope = opened.authority(authority_id, sealed)
            revoke_ms = None if revocation is None else opened.revoked(authority_id, revocation)
        except RowUnreadable as exc:
            raise _differs("an authority", leaf_index) from exc
        if envelope is None and is_closed:
            closed.add(authority_id)
            continue
        if revocation is not None and revoke_ms is None:
            # Its key left: the row says that it was revoked, and the log alone when.
            revoke_ms = (known.revoke_ms if known is not None else None) or 0
        if envelope is None and known is not None and (sealed or derived.may_lack_authority(known)):
            stored[authority_id] = _Authority(issuer, known.signature, revoke_ms, leaf_index)
            closed |= {authority_id} if sealed else set()
            continue
        envelope = envelope or SignedEnvelope()
        stored[authority_id] = _Authority(issuer, envelope.signature, revoke_ms, leaf_index)
        named = Authority.FromString(envelope.payload).recipient_agencies
        parties |= {(authority_id, agency) for agency in (issuer, *named)}
    lacking = {each for each, known in derived.authorities.items() if derived.may_lack_authority(known)}
    _compare("an authority", stored, _left(stored, derived.authorities, lacking))
    kept = {(bytes(authority_id), agency) for authority_id, agency in tx.all(_PARTIES)}
    # Of one whose youth was sealed, as an older copy of the database has it, nobody can say who its parties were.
    if {each for each in kept if each[0] not in closed} != parties:
        raise EvidenceError(EvidenceReason.PROJECTION, "the parties of an authority are not those that it names")


def _check_flags(tx: Tx, derived: _Derived, opened: Opened) -> None:
    def told(flags: Iterable[tuple[bytes, _Flag]]) -> dict[bytes, _Flag]:
        # Of a sealed youth, as an older copy of the database has it, nobody can say what a row must be.
        return {
            flag_id: each
            for flag_id, each in flags
            if not opened.is_sealed(AgencyId(each.owner), SubjectHandle(each.handle), derived.seals)
        }

    rows = [(bytes(flag_id), _Flag(owner, bytes(handle), state)) for flag_id, owner, handle, state in tx.all(_FLAGS)]
    stored, said = told(rows), told(derived.flags.items())
    lacking = {flag_id for flag_id in said if derived.may_lack_flag(flag_id)}
    _compare("a flag", stored, _left(stored, said, lacking), at=derived.flagged)


def _said(entry: StoredEntry, opened: Opened) -> dict[str, bytes]:
    """Every field of the entry that can be opened."""
    if entry.tag in opened.ahead:
        raise _differs("the count of a key's entries", entry.index)
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


def _left(stored: Mapping[Any, Any], derived: Mapping[Any, T], lacking: Collection[Any]) -> dict[Any, T]:
    return {name: each for name, each in derived.items() if name in stored or name not in lacking}


def _compare(
    what: str, stored: Mapping[Any, Any], derived: Mapping[Any, Any], *, at: Mapping[Any, int] | None = None
) -> None:
    for name in {*stored, *derived}:
        if stored.get(name) != derived.get(name):
            said = derived.get(name, stored.get(name))
            index = said if isinstance(said, int) else getattr(said, "leaf_index", None)
            raise _differs(what, index if at is None else at.get(name))


def _differs(what: str, index: int | None) -> EvidenceError:
    return EvidenceError(EvidenceReason.PROJECTION, f"{what} is not in the database as the log says", index=index)


def _text(value: bytes) -> str:
    return value.decode()
