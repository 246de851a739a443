"""What the projections hold, compared with what the log says they must hold (`derived`).

Whoever edits a table edits what the exchange believes: a revocation taken back, a name off the deny-list, a missing
youth's flag closed. So at every start each row is compared with what entries say that were verified before, and one
that differs, is missing or is one too many stops the start (EvidenceError PROJECTION). What is there must be what the
log says even where a seal or a declared loss may have taken rows away.

Not found by this: a listed youth that is taken out whole beside others or a question that was spent, because their
entries hold counts and digests (`counted`); the adapters list again at each start, and a receipt contradicts whoever
answers twice. After a declared loss of rows, one more that is taken out in the place of one that came back. Statements
of flags and authorities carry their own signatures and are verified at every use.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store import tables
from gateway.store.derived import Derived, DerivedAuthority, DerivedFlag, Opened, derive, differs
from gateway.store.row_seal import RowUnreadable
from gateway.store.told import compare_alerts
from homeward.gateway.v1.authority_pb2 import Authority
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

T = TypeVar("T")
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
_EPOCHS: Final = Statement(select(tables.epoch.c.name, tables.epoch.c.state, tables.epoch.c.leaf_index))
_STORED_SEALS: Final = Statement(
    select(tables.seal.c.seal_id, tables.seal.c.owner, tables.seal.c.state, tables.seal.c.leaf_index)
)
_LISTING: Final = Statement(select(tables.subject.c.owner).distinct())


class Compared(NamedTuple):
    """Rows of one projection by their keys: as they are stored, and as the log says."""

    what: str
    stored: Mapping[Any, Any]
    said: Mapping[Any, Any]

    def wrong(self) -> Iterator[Any]:
        """Keys whose row differs, is missing or is one too many."""
        return (key for key in {*self.stored, *self.said} if self.stored.get(key) != self.said.get(key))

    def index_of(self, key: Any) -> int | None:
        """The entry by which a row is what it is, where it names one."""
        said = self.said.get(key, self.stored.get(key))
        return said if isinstance(said, int) else getattr(said, "leaf_index", None)


DENIED: Final = "a denied name"
SUSPENDED: Final = "a suspended member"
SEAL: Final = "a seal"
LISTING: Final = "a listing"
EPOCH: Final = "an epoch of the token key"


def check_projections(tx: Tx, opened: Opened) -> None:
    """Holds if the projections are what the log says. Raises EvidenceError(PROJECTION), `YouthKeysBroken`.

    The entries must have been verified.
    """
    derived = derive(tx, opened)
    for compared in compare_whole(tx, derived):
        for key in compared.wrong():
            raise differs(compared.what, compared.index_of(key))
    _check_authorities(read_authorities(tx, derived, opened), derived)
    _check_flags(compare_flags(tx, derived, opened), derived)
    _check_alerts(tx, derived)
    for _ in listed_by_nobody(tx, derived):
        raise differs("a listed youth", None)
    derived.counted.check(tx, is_rotated=bool(derived.epochs))


def compare_whole(tx: Tx, derived: Derived) -> Iterator[Compared]:
    """The projections of which entries say all that is compared."""
    agencies = {name: 1 for name in derived.denied if not name.startswith("spiffe:")}
    suspended = {agency: 1 for agency, is_suspended in tx.all(_SUSPENDED) if is_suspended}
    yield Compared(DENIED, dict(tx.all(_DENIED)), derived.denied)
    yield Compared(SUSPENDED, suspended, agencies)
    yield Compared(SEAL, {bytes(seal_id): tuple(rest) for seal_id, *rest in tx.all(_STORED_SEALS)}, derived.seals)
    yield Compared(LISTING, {owner: tuple(rest) for owner, *rest in tx.all(_LISTINGS)}, derived.listings)
    yield Compared(EPOCH, {name: tuple(rest) for name, *rest in tx.all(_EPOCHS)}, derived.epochs)


def listed_by_nobody(tx: Tx, derived: Derived) -> Iterator[str]:
    """Owners of listed youths that never registered one."""
    return (owner for (owner,) in tx.all(_LISTING) if owner not in derived.registered)


@dataclass(slots=True)
class StoredAuthorities:
    """The rows of authorities and their parties, judged."""

    right: set[bytes] = field(default_factory=set)
    wrong: dict[bytes, int] = field(default_factory=dict)
    """With the entry that the row, or the log, says."""
    missing: set[bytes] = field(default_factory=set)
    """Of which there is no row, and no seal can have taken it."""
    absent: set[bytes] = field(default_factory=set)
    """Of which there is no row, for whatever reason."""
    parties: set[tuple[bytes, str]] = field(default_factory=set)
    """As the right rows name them."""
    kept: set[tuple[bytes, str]] = field(default_factory=set)
    """As they are stored, of those that tell whom they name."""


def read_authorities(tx: Tx, derived: Derived, opened: Opened) -> StoredAuthorities:
    """Which rows are what the log says. Raises EvidenceError(PROJECTION) where a key is gone without a seal."""
    last_taking = derived.last_taking(tx)
    unexplained = [index for index in derived.closed if index > last_taking]
    if unexplained:
        # A key that is gone left with a seal, or else somebody has taken it out.
        raise differs("the key of an authority", min(unexplained))
    judged, silent, claimed = StoredAuthorities(), set[bytes](), set[int]()
    for identifier, *row in tx.all(_AUTHORITIES):
        authority_id = AuthorityId(bytes(identifier))
        known, leaf_index = derived.authorities.get(authority_id), row[-1]
        told = _Told(derived, opened, authority_id, known, *row)
        # No two are on record by one entry; and which one it was, where that left, the key that left tells.
        if leaf_index in claimed or not told.is_right():
            judged.wrong[authority_id] = leaf_index if known is None else known.leaf_index
            continue
        claimed.add(leaf_index)
        judged.right.add(authority_id)
        if told.envelope is None:
            silent |= {authority_id} if told.sealed or told.is_closed else set()
            continue
        named = Authority.FromString(told.envelope.payload).recipient_agencies
        judged.parties |= {(authority_id, agency) for agency in (told.issuer, *named)}
    judged.absent = derived.authorities.keys() - judged.right - judged.wrong.keys()
    judged.missing = {each for each in judged.absent if not derived.may_lack_authority(derived.authorities[each])}
    # Of one whose youth was sealed, as an older copy of the database has it, nobody can say who its parties were.
    kept = ((bytes(authority_id), agency) for authority_id, agency in tx.all(_PARTIES))
    judged.kept = {each for each in kept if each[0] not in silent}
    return judged


@dataclass(slots=True)
class _Told:
    """What the row of one authority says, against what the log says of it."""

    derived: Derived
    opened: Opened = field(repr=False)
    authority_id: AuthorityId
    known: DerivedAuthority | None
    issuer: str
    sealed: bytes
    revocation: bytes | None
    leaf_index: int
    envelope: SignedEnvelope | None = None
    """What the row says, once it was judged; None where it says no more."""

    @property
    def is_closed(self) -> bool:
        """Whether the entry that it is on record by left with a key."""
        return self.derived.closed.get(self.leaf_index) == self.issuer

    def is_right(self) -> bool:
        """Whether the row is what the log says."""
        known = self.known
        if known is None and not (self.is_closed and self.opened.has_left(self.authority_id)):
            return False
        try:
            self.envelope = self.opened.authority(self.authority_id, self.sealed)
            revoke_ms = self._revoke_ms()
        except RowUnreadable:
            return False
        if self.envelope is None and self.is_closed:
            return known is None or self.derived.may_lack_authority(known)
        if known is None:
            return False
        signature = known.signature if self._may_be_silent(known) else (self.envelope or SignedEnvelope()).signature
        row = DerivedAuthority(self.issuer, signature, revoke_ms, self.leaf_index)
        again = self.derived.again.get(self.authority_id, ())
        return row == known or row in [each._replace(revoke_ms=known.revoke_ms) for each in again]

    def _revoke_ms(self) -> int | None:
        if self.revocation is None:
            return None
        revoke_ms = self.opened.revoked(self.authority_id, self.revocation)
        if revoke_ms is None:
            # Its key left: the row says that it was revoked, and the log alone when.
            return (self.known.revoke_ms if self.known is not None else None) or 0
        return revoke_ms

    def _may_be_silent(self, known: DerivedAuthority) -> bool:
        if self.envelope is not None:
            return False
        return bool(self.sealed) or self.derived.may_lack_authority(known) or self.derived.is_stub(known)


def _check_authorities(judged: StoredAuthorities, derived: Derived) -> None:
    for index in judged.wrong.values():
        raise differs("an authority", index)
    for authority_id in derived.unaccounted_authorities(judged.missing):
        raise differs("an authority", derived.authorities[authority_id].leaf_index)
    if judged.kept != judged.parties:
        raise differs("a party of an authority", None)


def _check_alerts(tx: Tx, derived: Derived) -> None:
    compared = compare_alerts(tx, derived.keys.op, derived.epochs)
    unaccounted = derived.unaccounted_alerts(compared.missing)
    for index in (*compared.wrong.values(), *(each.index for each in unaccounted)):
        raise differs("an alert", index)
    if compared.copies or compared.notices:
        raise differs("a notice", None)


@dataclass(frozen=True, slots=True)
class ComparedFlags:
    """The rows of flags, judged."""

    wrong: set[bytes]
    missing: set[bytes]
    """Of which there is no row, and no seal can have taken it."""


def compare_flags(tx: Tx, derived: Derived, opened: Opened) -> ComparedFlags:
    """Which rows are what the log says."""

    def told(flags: Iterable[tuple[bytes, DerivedFlag]]) -> dict[bytes, DerivedFlag]:
        # Of a sealed youth, as an older copy of the database has it, nobody can say what a row must be.
        return {
            flag_id: each
            for flag_id, each in flags
            if not opened.is_sealed(AgencyId(each.owner), SubjectHandle(each.handle), derived.seals)
        }

    rows = [
        (bytes(flag_id), DerivedFlag(owner, bytes(handle), state)) for flag_id, owner, handle, state in tx.all(_FLAGS)
    ]
    stored, said = told(rows), told(derived.flags.items())
    wrong = {flag_id for flag_id, each in stored.items() if said.get(flag_id) != each}
    missing = {flag_id for flag_id in said.keys() - stored.keys() if not derived.may_lack_flag(flag_id)}
    return ComparedFlags(wrong, missing)


def _check_flags(compared: ComparedFlags, derived: Derived) -> None:
    for flag_id in (*compared.wrong, *derived.unaccounted_flags(compared.missing)):
        raise differs("a flag", derived.flagged.get(flag_id))
