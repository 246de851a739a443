"""Counties, members and their keys, as tables hold them.

Decides what enrolling changes: the county's root and its telephone numbers are fixed by its first agency, the numbers
until an invitation is meant to change them; an agency has the keys that its adapter brought with the newest invitation,
and no others. Which of it enters a directory is `composition`'s matter.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, delete, func, select, update

from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.members.kinds import check_kind
from gateway.members.statements import StatedKey
from gateway.members.tickets import Lines, Ticket
from gateway.protocol.names import AgencyId, AgencyKind, county_of
from gateway.protocol.signing import key_id
from gateway.protocol.wire_names import from_wire
from gateway.store import tables
from homeward.gateway.v1.directory_pb2 import KEY_USE_SEAL, Directory, KeyStatement
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

_M, _K = tables.member.c, tables.key_statement.c
_PUT_COUNTY: Final = upsert(tables.county, "fips")
_PUT_MEMBER: Final = upsert(tables.member, "agency")
_PUT_KEY: Final = upsert(tables.key_statement, "key_id")
_ROOT: Final = Statement(select(tables.county.c.root_key).where(tables.county.c.fips == bindparam("fips_")))
_LINES_SINCE: Final = Statement(
    select(tables.county.c.invitation_index).where(tables.county.c.fips == bindparam("fips_"))
)
_SUSPENDED: Final = Statement(select(_M.suspended).where(_M.agency == bindparam("agency_")))
_SUSPEND: Final = Statement(
    update(tables.member).where(_M.agency == bindparam("agency_")).values(suspended=1, leaf_index=bindparam("index_")),
    "index_", "agency_",
)  # fmt: skip
_NEIGHBORS: Final = Statement(
    select(func.count())
    .select_from(tables.member)
    .where(and_(_M.agency.startswith(bindparam("fips_"), autoescape=False), _M.agency != bindparam("agency_"))),
    "fips_", "agency_",
)  # fmt: skip
_DROP_KEYS: Final = Statement(
    delete(tables.key_statement).where(and_(_K.county == bindparam("fips_"), _K.agency == bindparam("agency_"))),
    "fips_", "agency_",
)  # fmt: skip
_KEY: Final = Statement(select(_K.county, _K.agency, _K.envelope).where(_K.key_id == bindparam("key_id_")))
_ALL_COUNTIES: Final = Statement(select(tables.county).order_by(tables.county.c.fips))
_ALL_MEMBERS: Final = Statement(select(tables.member).order_by(_M.agency))
_KEY_IDS: Final = Statement(select(_K.key_id, _K.agency))
_ALL_KEYS: Final = Statement(select(_K.county, _K.agency, _K.envelope).order_by(_K.key_id))


@dataclass(frozen=True, slots=True)
class CountyRow:
    """A county. `root_key` is raw Ed25519, 32 bytes."""

    fips: str
    root_key: bytes
    duty_line: str
    hotline: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member agency."""

    agency: AgencyId
    kind: AgencyKind
    suspended: bool
    has_sources: bool


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key statement as signed; `agency` is empty for a key of the county as a whole."""

    county: str
    agency: str
    envelope: bytes


def root_of(tx: Tx, fips: str) -> bytes | None:
    """The county's root key, or None for a county without members."""
    row = tx.one(_ROOT, (fips,))
    return bytes(row[0]) if row else None


def is_member(tx: Tx, agency: AgencyId) -> bool:
    """Whether the agency ever enrolled."""
    return tx.one(_SUSPENDED, (agency,)) is not None


def find_key(tx: Tx, identifier: bytes) -> KeyRow | None:
    """The statement of the key with this identifier, or None."""
    row = tx.one(_KEY, (identifier,))
    return KeyRow(*row) if row else None


def enter(
    tx: Tx,
    index: int,
    *,
    ticket: Ticket,
    root_key: bytes,
    keys: tuple[StatedKey, ...],
    has_sources: bool,
) -> None:
    """The agency is a member with these keys.

    Raises `Conflict` when the county has another root, `Invalid` when a key is already somebody else's, and as
    `kinds.check_kind`.
    """
    check_kind(tx, ticket.agency, ticket.kind)
    fips = county_of(ticket.agency)
    known_root = root_of(tx, fips)
    if known_root is not None and known_root != root_key:
        raise Conflict(ErrorReason.COUNTY_ROOT_DIFFERS)
    for position, key in enumerate(keys):
        row = find_key(tx, key.key_id)
        if row is not None and (row.county, row.agency) != (key.county, key.agency):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"keys[{position}]: unique",))
    _forget_keys(tx, ticket.agency)
    lines = _lines_of(tx, fips, ticket)
    if lines is not None:
        tx.run(_PUT_COUNTY, (fips, root_key, lines.duty_line, lines.hotline, index, ticket.leaf_index))
    tx.run(_PUT_MEMBER, (ticket.agency, ticket.kind, 0, int(has_sources), index))
    tx.many(_PUT_KEY, [(key.key_id, key.county, key.agency, key.envelope, index) for key in keys])


def _lines_of(tx: Tx, fips: str, ticket: Ticket) -> Lines | None:
    """The lines that the county has from this redemption on; None where it keeps those of an invitation before."""
    since = tx.one(_LINES_SINCE, (fips,))
    if since is None and ticket.lines is None:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("duty_line: first_of_county",))
    # Two agencies of a county may be invited before either joins, each with lines: those of the first to join stand.
    # Of changes the last that the operator wrote stands, in whichever order they are redeemed.
    counts = since is None or (ticket.changes_lines and ticket.leaf_index > since[0])
    return ticket.lines if counts else None


def _forget_keys(tx: Tx, agency: AgencyId) -> None:
    # An agency has the keys of one state directory: what its adapter does not bring counts no more, whether the agency
    # was revoked or had joined in another directory before it listed anybody. The same directory brings the same keys:
    # who copied it has them, too, and has no channel to use them over, for its certificates count no more
    # (`certificates.outdated`). Flag keys speak for the county: they go when nobody else of the county can vouch for
    # them.
    tx.run(_DROP_KEYS, (county_of(agency), agency))
    alone = tx.one(_NEIGHBORS, (county_of(agency), agency))
    if alone is not None and alone[0] == 0:
        tx.run(_DROP_KEYS, (county_of(agency), ""))


def suspend(tx: Tx, index: int, agency: AgencyId) -> None:
    """The member is suspended; no key of it counts from the next directory on."""
    tx.run(_SUSPEND, (index, agency))


def lacks(tx: Tx, directory: Directory) -> bool:
    """Whether the signed directory lists a member that the tables do not have."""
    return not {member.agency for member in directory.members} <= {row.agency for row in all_members(tx)}


def restore(tx: Tx, index: int, directory: Directory) -> list[AgencyId]:
    """Counties, members and keys that the signed directory lists and the tables lack are there; who is new.

    What the tables have stays: a revocation that was lifted in lost entries is in force again.
    """
    known = {row.agency for row in all_members(tx)}
    for county in directory.counties:
        if root_of(tx, county.fips) is None:
            tx.run(_PUT_COUNTY, (county.fips, county.root_key, county.duty_line, county.hotline, index, index))
        _restore_keys(tx, index, county.fips, "", county.flag_keys)
    missing = [member for member in directory.members if member.agency not in known]
    for member in missing:
        kind = from_wire(AgencyKind, member.kind)
        tx.run(_PUT_MEMBER, (member.agency, kind, 0, int(member.has_sources), index))
    for member in directory.members:
        _restore_keys(tx, index, county_of(AgencyId(member.agency)), member.agency, member.keys)
    return [AgencyId(member.agency) for member in missing]


def _restore_keys(tx: Tx, index: int, fips: str, agency: str, envelopes: Iterable[SignedEnvelope]) -> None:
    for envelope in envelopes:
        identifier = key_id(KeyStatement.FromString(envelope.payload).public_key)
        if find_key(tx, identifier) is None:
            tx.run(_PUT_KEY, (identifier, fips, agency, envelope.SerializeToString(), index))


def all_counties(tx: Tx) -> list[CountyRow]:
    """Every county, by FIPS."""
    return [CountyRow(*row[:4]) for row in tx.all(_ALL_COUNTIES)]


def all_members(tx: Tx) -> list[MemberRow]:
    """Every member, by agency."""
    return [
        MemberRow(AgencyId(agency), AgencyKind(kind), bool(suspended), bool(has_sources))
        for agency, kind, suspended, has_sources, _ in tx.all(_ALL_MEMBERS)
    ]


def all_keys(tx: Tx) -> list[KeyRow]:
    """Every key statement, by key identifier."""
    return [KeyRow(*row) for row in tx.all(_ALL_KEYS)]


def seal_keys(tx: Tx) -> dict[AgencyId, bytes]:
    """For every agency the identifier of the seal key that began last: the one others seal to."""
    found: dict[AgencyId, tuple[int, bytes]] = {}
    for row in all_keys(tx):
        # Verified when it was stored; here it is only read.
        statement = KeyStatement.FromString(SignedEnvelope.FromString(row.envelope).payload)
        if statement.use == KEY_USE_SEAL:
            began = statement.effective_time.ToMilliseconds()
            agency = AgencyId(row.agency)
            found[agency] = max(found.get(agency, (began, b"")), (began, key_id(statement.public_key)))
    return {agency: identifier for agency, (_, identifier) in found.items()}


def live_key_ids(tx: Tx) -> frozenset[bytes]:
    """Identifiers of the keys of members that are not suspended."""
    suspended = {member.agency for member in all_members(tx) if member.suspended}
    return frozenset(identifier for identifier, agency in tx.all(_KEY_IDS) if agency not in suspended)
