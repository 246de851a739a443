"""Seals and notices in the database: `exchange.seal_ports.Seals`.

Decides which rows name a sealed youth, and that none of them outlives the entry of the seal: index, flags, duties,
reviews, and what authorities that name the youth say. Every change is a row of that entry's own transaction. Alerts
stay: which of them are about the youth nobody can tell once its key has left (`alerts`).
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Table, and_, bindparam, delete, func, insert, literal_column, select, union, update

from audit.entry import ClassKeys, Draft, FieldClass, read_values
from audit.reader import Selection, select_entries
from audit.sequencer import INDEX
from audit.statement import Statement, upsert
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.exchange.notices import Copy, Mine, SealState, Sent
from gateway.ports import Guard, Rows, YouthKeys
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store.authorities import newest_authority
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.flags import open_flag
from gateway.store.listed import is_listed
from gateway.store.lookups import Lookups
from gateway.store.tables import (
    authority,
    authority_party,
    duty,
    flag,
    index_token,
    notice_copy,
    relied_link,
    review,
    review_token,
    seal,
    seal_case,
    sent_notice,
    subject,
)
from homeward.gateway.v1.authority_pb2 import Authority
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

MOST_LISTED: Final = 500
_YOUTH: Final = ("owner_", "handle_")
_FLAGS: Final = select(flag.c.flag_id).where(
    and_(flag.c.owner == bindparam("owner_"), flag.c.handle == bindparam("handle_"))
)


def _gone(table: Table) -> Statement:
    mine = and_(table.c.owner == bindparam("owner_"), table.c.handle == bindparam("handle_"))
    return Statement(delete(table).where(mine), *_YOUTH)


_REVIEWS: Final = select(review.c.review_id).where(
    and_(review.c.owner == bindparam("owner_"), review.c.handle == bindparam("handle_"))
)
_REFS: Final = select(subject.c.ref).where(
    and_(subject.c.owner == bindparam("owner_"), subject.c.handle == bindparam("handle_"))
)
# Flags, reviews and the youth's own row last: what hangs on one is found through it.
_FORGET: Final = (
    Statement(delete(review_token).where(review_token.c.review_id.in_(_REVIEWS)), *_YOUTH),
    Statement(delete(relied_link).where(relied_link.c.review_id.in_(_REVIEWS)), *_YOUTH),
    _gone(review),
    Statement(delete(duty).where(duty.c.flag_id.in_(_FLAGS)), *_YOUTH),
    _gone(flag),
    Statement(delete(index_token).where(index_token.c.ref.in_(_REFS)), *_YOUTH),
    _gone(subject),
)
_SEALED_FLAGS: Final = Statement(
    select(flag.c.flag_id, flag.c.sealed).where(
        and_(flag.c.owner == bindparam("owner_"), flag.c.handle == bindparam("handle_"))
    ),
    *_YOUTH,
)
_NAMED: Final = Statement(union(*(select(table.c.owner, table.c.handle) for table in (subject, flag, review))))
_SAID: Final = select(authority.c.authority_id, authority.c.issuer, authority.c.sealed)
_AUTHORITIES: Final = Statement(_SAID)
_AUTHORITIES_SINCE: Final = Statement(_SAID.where(authority.c.leaf_index > bindparam("index_")), "index_")
_BLANK_AUTHORITY: Final = Statement(
    # Its identifier and whether it was revoked stay: recorded again after the seal was lifted, it would stand.
    update(authority)
    .where(authority.c.authority_id == bindparam("authority_"))
    .values(sealed=bindparam("blank_", b"")),
    "authority_",
)
_DROP_PARTIES: Final = Statement(
    delete(authority_party).where(authority_party.c.authority_id == bindparam("authority_")), "authority_"
)
_MARKED: Final = Statement(
    # Said for the partial index of marks, as the reader's own search does.
    select(ENTRY.c.idx).where(and_(ENTRY.c.tag == bindparam("mark"), literal_column("tag != x''"))),
    "mark",
)
_SEAL: Final = Statement(select(seal.c.owner, seal.c.state).where(seal.c.seal_id == bindparam("seal_")), "seal_")
_SEALS: Final = Statement(select(seal.c.seal_id, seal.c.state))
_LAST_ORDER: Final = Statement(select(func.max(seal.c.leaf_index)))
_PUT_SEAL: Final = upsert(seal, "seal_id")
_PUT_CASE: Final = Statement(insert(seal_case))
_PUT_NOTICE: Final = Statement(insert(sent_notice))
_PUT_COPY: Final = Statement(insert(notice_copy))
_ACKNOWLEDGE: Final = Statement(
    update(notice_copy)
    .where(and_(notice_copy.c.notice_id == bindparam("notice_"), notice_copy.c.agency == bindparam("agency_")))
    .values(
        sealed=bindparam("none"),
        finding=bindparam("found"),
        leaf_index=bindparam("index"),
    ),
    "notice_", "agency_", "none", "found", "index",
)  # fmt: skip
_COPY: Final = Statement(
    select(notice_copy.c.leaf_index).where(
        and_(notice_copy.c.notice_id == bindparam("notice_"), notice_copy.c.agency == bindparam("agency_"))
    ),
    "notice_", "agency_",
)  # fmt: skip
_SENT: Final = Statement(
    select(
        sent_notice.c.notice_id,
        sent_notice.c.kind,
        sent_notice.c.create_ms,
        notice_copy.c.agency,
        ENTRY.c.time_ms,
        notice_copy.c.finding,
    )
    .select_from(
        sent_notice.join(notice_copy, notice_copy.c.notice_id == sent_notice.c.notice_id).outerjoin(
            # Whoever has answered did so by an entry of its own.
            ENTRY,
            and_(ENTRY.c.idx == notice_copy.c.leaf_index, notice_copy.c.leaf_index != sent_notice.c.leaf_index),
        )
    )
    .where(sent_notice.c.owner == bindparam("owner_"))
    .order_by(sent_notice.c.leaf_index, notice_copy.c.agency),
    "owner_",
)


@dataclass(frozen=True, slots=True)
class SqlSeals:
    """`exchange.seal_ports.Seals` on the database."""

    lookups: Lookups
    youth_keys: YouthKeys = field(repr=False)
    authority_keys: FileAuthorityKeys = field(repr=False)

    async def is_listed(self, owner: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""
        return await self.lookups.read(lambda tx: is_listed(tx, owner, handle))

    async def flagged_since(self, owner: AgencyId, handle: SubjectHandle) -> int | None:
        """When the latest flag about the youth was reported, or None."""
        rows = await self.lookups.all(_SEALED_FLAGS, (owner, handle))
        key = await self.youth_keys.find(owner, handle) if rows else None
        if key is None:
            return None
        return max(open_flag(sealed, key, flag_id=flag_id)[1][1] for flag_id, sealed in rows)

    async def seal_of(self, seal_id: bytes) -> tuple[AgencyId, SealState] | None:
        """Who ordered the seal, and how it stands."""
        row = await self.lookups.read(lambda tx: tx.one(_SEAL, (seal_id,)))
        return None if row is None else (AgencyId(row[0]), SealState(row[1]))

    async def states(self) -> dict[bytes, SealState]:
        """Every seal."""
        rows = await self.lookups.read(lambda tx: tx.all(_SEALS))
        return {bytes(seal_id): SealState(state) for seal_id, state in rows}

    async def naming(
        self, owner: AgencyId, handle: SubjectHandle, digests: frozenset[bytes]
    ) -> tuple[Sequence[AuthorityId], Guard]:
        """The authorities that name the youth, by the owner's handle or by digests of its tokens.

        The guard raises `Moved` when another that does came on record since; one about anybody else holds up no seal.
        Nobody waits while all of them are opened, which takes a second where there are tens of thousands.
        """
        rows, last = await self.lookups.survey(lambda tx: (tx.all(_AUTHORITIES), newest_authority(tx)))

        def guard(tx: Tx) -> Draft | None:
            if naming_among(tx.all(_AUTHORITIES_SINCE, (last,))):
                raise Moved
            return None

        def naming_among(rows: Iterable[Sequence[Any]]) -> list[AuthorityId]:
            found = []
            for identifier, issuer, sealed in rows:
                authority_id = AuthorityId(bytes(identifier))
                envelope = self.authority_keys.open(authority_id, sealed)
                if envelope is not None and _names(issuer, envelope, owner, handle, digests):
                    found.append(authority_id)
            return found

        # Not within the read: one that lasts keeps other seals from cutting the write-ahead log.
        return await asyncio.to_thread(naming_among, rows), guard

    def unchanged(self, marks: Sequence[bytes], indexes: frozenset[int]) -> Guard:
        """Raises `Moved` when another entry about the youth was written meanwhile."""

        def guard(tx: Tx) -> Draft | None:
            if {int(row[0]) for mark in marks for row in tx.all(_MARKED, (mark,))} != indexes:
                raise Moved
            return None

        return guard

    def stands(self, seal_id: bytes, state: SealState) -> Guard:
        """Raises `Moved` when the seal does not stand so any more."""

        def guard(tx: Tx) -> Draft | None:
            row = tx.one(_SEAL, (seal_id,))
            if row is None or row[1] != state:
                raise Moved
            return None

        return guard

    def forget(self, owner: AgencyId, handle: SubjectHandle, authorities: Sequence[AuthorityId]) -> Rows:
        """No row names the youth."""
        rows: Rows = tuple((statement, (owner, handle)) for statement in _FORGET)
        for each in authorities:
            rows += ((_DROP_PARTIES, (each,)), (_BLANK_AUTHORITY, (each,)))
        return rows

    def put(self, seal_id: bytes, owner: AgencyId, state: SealState) -> Rows:
        """The seal stands so."""
        return ((_PUT_SEAL, (seal_id, owner, str(state), INDEX)),)

    def put_case(self, seal_id: bytes, sealed: bytes) -> Rows:
        """The court custodian can open this entry's court-only field."""
        return ((_PUT_CASE, (INDEX, seal_id, sealed)),)

    def send(self, notice_id: bytes, owner: AgencyId, *, kind: int, copies: Sequence[Copy], at_ms: int) -> Rows:
        """The notice and its copies are kept until each was acknowledged."""
        rows: Rows = ((_PUT_NOTICE, (notice_id, owner, kind, at_ms, INDEX)),)
        return rows + tuple(
            (_PUT_COPY, (notice_id, copy.agency, copy.sealed, copy.key_id, 0, INDEX)) for copy in copies
        )

    async def was_sent(self, notice_id: bytes, agency: AgencyId) -> bool:
        """Whether this agency was sent a copy."""
        return await self.lookups.read(lambda tx: tx.one(_COPY, (notice_id, agency))) is not None

    def acknowledge(self, notice_id: bytes, agency: AgencyId, *, finding: int) -> Rows:
        """The agency answered; what was sealed for it is gone."""
        return ((_ACKNOWLEDGE, (notice_id, agency, b"", finding, INDEX)),)

    async def sent_by(self, owner: AgencyId) -> Sequence[Sent]:
        """The newest notices that this agency caused, in order."""
        rows = await self.lookups.read(lambda tx: tx.all(_SENT, (owner,)))
        found: dict[bytes, Sent] = {}
        for notice_id, kind, create_ms, agency, acknowledge_ms, finding in rows:
            sent = found.setdefault(bytes(notice_id), Sent(bytes(notice_id), kind, create_ms, []))
            sent.copies.append(Mine(AgencyId(agency), acknowledge_ms, finding))
        return list(found.values())[-MOST_LISTED:]


def last_commitment(tx: Tx, keys: ClassKeys) -> tuple[int, bytes]:
    """Index of the last order, -1 for none; and what it commits to of how much seals have closed, or nothing."""
    row = tx.one(_LAST_ORDER)
    if row is None or row[0] is None:
        return -1, b""
    (entry,) = select_entries(tx, Selection(start=row[0], end=row[0] + 1), limit=1)
    said = read_values(entry.nonce, entry.boxes[FieldClass.OP], FieldClass.OP, keys.op)
    return entry.index, bytes.fromhex(said.get("closed", b"").decode())


def lifted_seals(tx: Tx) -> frozenset[bytes]:
    """Every seal that the log says is lifted."""
    return frozenset(bytes(seal_id) for seal_id, state in tx.all(_SEALS) if state == SealState.LIFTED)


def takes_away(tx: Tx, seal_id: bytes) -> bool:
    """Whether a seal of this identifier is in the log, and was not lifted."""
    row = tx.one(_SEAL, (seal_id,))
    return row is not None and row[1] != SealState.LIFTED


def named_youths(tx: Tx) -> list[tuple[AgencyId, SubjectHandle]]:
    """Every youth that a row names: listed, or once flagged or possibly meant."""
    return [(AgencyId(owner), SubjectHandle(bytes(handle))) for owner, handle in tx.all(_NAMED)]


def _names(
    issuer: str, envelope: SignedEnvelope, owner: AgencyId, handle: SubjectHandle, digests: frozenset[bytes]
) -> bool:
    named = Authority.FromString(envelope.payload).subject
    if named.WhichOneof("subject") == "handle":
        return issuer == owner and named.handle == handle
    return not digests.isdisjoint(named.token_digests.digests)
