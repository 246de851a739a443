"""Seals and notices in the database: `exchange.sealing.Seals`.

Decides which rows name a sealed youth, and that none of them outlives the entry of the seal: index, flags, duties,
reports, what authorities that name the youth say, and in alerts the youth and the entry they tell of. Every change is
a row of that entry's own transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, and_, bindparam, delete, insert, literal_column, select, update

from audit.entry import Draft
from audit.sequencer import INDEX
from audit.statement import Statement, upsert
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.exchange.notices import Copy, Mine, SealState, Sent
from gateway.ports import Guard, Rows
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId, SubjectHandle
from gateway.store.lookups import Lookups
from gateway.store.tables import (
    alert,
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
    supporting_report,
)
from homeward.gateway.v1.authority_pb2 import Authority
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW

MOST_LISTED: Final = 500
_NOBODY: Final = bytes(OPAQUE_LENGTH)
_YOUTH: Final = ("owner_", "handle_")
_FLAGS: Final = select(flag.c.flag_id).where(
    and_(flag.c.owner == bindparam("owner_"), flag.c.handle == bindparam("handle_"))
)


def _gone(table: Table) -> Statement:
    mine = and_(table.c.owner == bindparam("owner_"), table.c.handle == bindparam("handle_"))
    return Statement(delete(table).where(mine), *_YOUTH)


_REVIEWS: Final = and_(review.c.owner == bindparam("owner_"), review.c.handle == bindparam("handle_"))
# Flags and reviews last: what hangs on one is found through it.
_FORGET: Final = (
    Statement(
        # Of what the asking side was told of a possible match: the tokens' digests, and the handle between the two.
        update(alert)
        .where(
            and_(
                alert.c.kind == literal_column(str(ALERT_KIND_REVIEW)),
                alert.c.leaf_index.in_(select(review.c.leaf_index).where(_REVIEWS)),
            )
        )
        .values(review=bindparam("blank_", b""), handle=bindparam("nobody_", bytes(OPAQUE_LENGTH))),
        *_YOUTH,
    ),
    Statement(
        delete(review_token).where(review_token.c.review_id.in_(select(review.c.review_id).where(_REVIEWS))), *_YOUTH
    ),
    Statement(
        delete(relied_link).where(relied_link.c.review_id.in_(select(review.c.review_id).where(_REVIEWS))), *_YOUTH
    ),
    _gone(review),
    Statement(delete(supporting_report).where(supporting_report.c.flag_id.in_(_FLAGS)), *_YOUTH),
    Statement(delete(duty).where(duty.c.flag_id.in_(_FLAGS)), *_YOUTH),
    _gone(flag),
    _gone(index_token),
    _gone(subject),
)
_BLANK_ALERTS: Final = Statement(
    update(alert)
    .where(and_(alert.c.agency == bindparam("owner_"), alert.c.handle == bindparam("handle_")))
    .values(handle=bindparam("nobody"), flag_id=bindparam("none"), leaf_index=bindparam("index")),
    "owner_", "handle_", "nobody", "none", "index",
)  # fmt: skip
_FLAG_TIMES: Final = Statement(
    select(flag.c.report_ms).where(and_(flag.c.owner == bindparam("owner_"), flag.c.handle == bindparam("handle_"))),
    *_YOUTH,
)
_SUBJECT: Final = Statement(
    select(subject.c.leaf_index).where(
        and_(subject.c.owner == bindparam("owner_"), subject.c.handle == bindparam("handle_"))
    ),
    *_YOUTH,
)
_AUTHORITIES: Final = Statement(select(authority.c.authority_id, authority.c.issuer, authority.c.envelope))
_BLANK_AUTHORITY: Final = Statement(
    # Its identifier and whether it was revoked stay: recorded again after the seal was lifted, it would stand.
    update(authority)
    .where(authority.c.authority_id == bindparam("authority_"))
    .values(envelope=bindparam("blank_", b"")),
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
_PUT_SEAL: Final = upsert(seal, "seal_id")
_PUT_CASE: Final = Statement(insert(seal_case))
_PUT_NOTICE: Final = Statement(insert(sent_notice))
_PUT_COPY: Final = Statement(insert(notice_copy))
_ACKNOWLEDGE: Final = Statement(
    update(notice_copy)
    .where(and_(notice_copy.c.notice_id == bindparam("notice_"), notice_copy.c.agency == bindparam("agency_")))
    .values(
        sealed=bindparam("none"),
        acknowledge_ms=bindparam("at"),
        finding=bindparam("found"),
        leaf_index=bindparam("index"),
    ),
    "notice_", "agency_", "none", "at", "found", "index",
)  # fmt: skip
_COPY: Final = Statement(
    select(notice_copy.c.acknowledge_ms, notice_copy.c.finding).where(
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
        notice_copy.c.acknowledge_ms,
        notice_copy.c.finding,
    )
    .select_from(sent_notice.join(notice_copy, notice_copy.c.notice_id == sent_notice.c.notice_id))
    .where(sent_notice.c.owner == bindparam("owner_"))
    .order_by(sent_notice.c.leaf_index, notice_copy.c.agency),
    "owner_",
)


@dataclass(frozen=True, slots=True)
class SqlSeals:
    """`exchange.sealing.Seals` on the database."""

    lookups: Lookups

    async def is_listed(self, owner: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""
        return await self.lookups.read(lambda tx: tx.one(_SUBJECT, (owner, handle)) is not None)

    async def flagged_since(self, owner: AgencyId, handle: SubjectHandle) -> int | None:
        """When the latest flag about the youth was reported, or None."""
        rows = await self.lookups.read(lambda tx: tx.all(_FLAG_TIMES, (owner, handle)))
        return max((int(report_ms) for (report_ms,) in rows), default=None)

    async def seal_of(self, seal_id: bytes) -> tuple[AgencyId, SealState] | None:
        """Who ordered the seal, and how it stands."""
        row = await self.lookups.read(lambda tx: tx.one(_SEAL, (seal_id,)))
        return None if row is None else (AgencyId(row[0]), SealState(row[1]))

    async def states(self) -> dict[bytes, SealState]:
        """Every seal."""
        rows = await self.lookups.read(lambda tx: tx.all(_SEALS))
        return {bytes(seal_id): SealState(state) for seal_id, state in rows}

    async def naming(self, owner: AgencyId, handle: SubjectHandle, digests: frozenset[bytes]) -> Sequence[bytes]:
        """The authorities that name the youth: by the owner's handle, or by digests of its tokens."""
        rows = await self.lookups.read(lambda tx: tx.all(_AUTHORITIES))
        return [bytes(each) for each, issuer, raw in rows if _names(issuer, raw, owner, handle, digests)]

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

    def forget(self, owner: AgencyId, handle: SubjectHandle, authorities: Sequence[bytes]) -> Rows:
        """No row names the youth."""
        rows: Rows = tuple((statement, (owner, handle)) for statement in _FORGET)
        rows += ((_BLANK_ALERTS, (owner, handle, _NOBODY, b"", INDEX)),)
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
            (_PUT_COPY, (notice_id, copy.agency, copy.sealed, copy.key_id, None, 0, INDEX)) for copy in copies
        )

    async def copy_of(self, notice_id: bytes, agency: AgencyId) -> Mine | None:
        """What became of the copy this agency was sent; None when it was sent none."""
        row = await self.lookups.read(lambda tx: tx.one(_COPY, (notice_id, agency)))
        return None if row is None else Mine(agency, row[0], row[1])

    def acknowledge(self, notice_id: bytes, agency: AgencyId, *, finding: int, at_ms: int) -> Rows:
        """The agency answered; what was sealed for it is gone."""
        return ((_ACKNOWLEDGE, (notice_id, agency, b"", at_ms, finding, INDEX)),)

    async def sent_by(self, owner: AgencyId) -> Sequence[Sent]:
        """The newest notices that this agency caused, in order."""
        rows = await self.lookups.read(lambda tx: tx.all(_SENT, (owner,)))
        found: dict[bytes, Sent] = {}
        for notice_id, kind, create_ms, agency, acknowledge_ms, finding in rows:
            sent = found.setdefault(bytes(notice_id), Sent(bytes(notice_id), kind, create_ms, []))
            sent.copies.append(Mine(AgencyId(agency), acknowledge_ms, finding))
        return list(found.values())[-MOST_LISTED:]


def _names(issuer: str, raw: bytes, owner: AgencyId, handle: SubjectHandle, digests: frozenset[bytes]) -> bool:
    named = Authority.FromString(SignedEnvelope.FromString(raw).payload).subject
    if named.WhichOneof("subject") == "handle":
        return issuer == owner and named.handle == handle
    return not digests.isdisjoint(named.token_digests.digests)
