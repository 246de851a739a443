"""Tickets: the right of one agency to enroll once.

Decides what an invitation binds (agency, kind, the county's telephone numbers, an end within 24 hours) and how a ticket
is spent: by one UPDATE that finds it unspent, in the transaction of the leaf, so that of fifty redemptions at once
exactly one can succeed. The database holds the ticket's SHA-256 alone: who reads it cannot enroll (SECURITY §3.2).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, func, insert, select, update

from audit.log import INDEX, Append
from audit.statement import Statement
from audit.transaction import Tx
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members.kinds import check_kind
from gateway.members.ledger import Ledger
from gateway.protocol.names import AgencyId, AgencyKind, county_of
from gateway.protocol.policy.facts import milliseconds
from gateway.store import tables

TICKET_BYTES: Final = 32

_T = tables.ticket.c
_INSERT: Final = Statement(
    insert(tables.ticket).values({
        name: bindparam(name)
        for name in ("ticket_digest", "agency", "kind", "duty_line", "hotline", "expire_ms", "leaf_index")
    }),
    "ticket_digest", "agency", "kind", "duty_line", "hotline", "expire_ms", "leaf_index",
)  # fmt: skip
_FIND: Final = Statement(
    select(_T.agency, _T.kind, _T.duty_line, _T.hotline, _T.expire_ms, _T.redeemed_by, _T.serial).where(
        _T.ticket_digest == bindparam("digest")
    )
)
_SPEND: Final = Statement(
    update(tables.ticket)
    .where(and_(_T.ticket_digest == bindparam("digest"), _T.redeemed_by.is_(None), _T.expire_ms > bindparam("now_ms")))
    .values(redeemed_by=bindparam("new_redeemed_by"), serial=bindparam("new_serial")),
    "new_redeemed_by", "new_serial", "digest", "now_ms",
)  # fmt: skip
_COUNTY_LINES: Final = Statement(
    select(tables.county.c.duty_line, tables.county.c.hotline).where(tables.county.c.fips == bindparam("fips_"))
)
_COUNT_OPEN: Final = Statement(
    select(func.count())
    .select_from(tables.ticket)
    .where(and_(_T.redeemed_by.is_(None), _T.expire_ms > bindparam("now")))
)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a ticket. `redeemed_by` is the digest of the key that spent it, `serial` what it got."""

    agency: AgencyId
    kind: AgencyKind
    duty_line: str
    hotline: str
    expire_ms: int
    redeemed_by: bytes | None
    serial: str | None


def ticket_digest(ticket: bytes) -> bytes:
    """SHA-256, by which a ticket is known to the database."""
    return hashlib.sha256(ticket).digest()


async def issue_ticket(
    ledger: Ledger,
    *,
    agency: AgencyId,
    kind: AgencyKind,
    duty_line: str,
    hotline: str,
    expires: datetime,
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """A fresh ticket whose invitation is in the log. Empty telephone numbers mean those on record.

    Raises `Invalid` when a number is neither given nor on record, and as `kinds.check_kind`; `Unavailable`.
    """
    await ledger.read(lambda tx: check_kind(tx, agency, kind))
    known = await ledger.read(lambda tx: tx.one(_COUNTY_LINES, (county_of(agency),))) or ("", "")
    duty_line, hotline = duty_line or known[0], hotline or known[1]
    if not (duty_line and hotline):
        missing = [name for name, value in (("duty_line", duty_line), ("hotline", hotline)) if not value]
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=tuple(f"{name}: first_of_county" for name in missing))
    ticket = random_bytes(TICKET_BYTES)
    digest, expire_ms = ticket_digest(ticket), milliseconds(expires)
    entry = draft(
        Kind.ENROLL_INVITED,
        requester=agency,
        op={"agency": agency, "agency_kind": kind, "duty_line": duty_line, "hotline": hotline, "expire_ms": expire_ms},
    )
    row = (digest, agency, kind, duty_line, hotline, expire_ms, INDEX)
    await ledger.append(Append(entry, rows=((_INSERT, row),)))
    return ticket


def find_ticket(tx: Tx, digest: bytes) -> Ticket | None:
    """The ticket with this digest, or None."""
    row = tx.one(_FIND, (digest,))
    if row is None:
        return None
    agency, kind, *rest = row
    return Ticket(AgencyId(agency), AgencyKind(kind), *rest)


def spend_ticket(tx: Tx, digest: bytes, *, key_digest: bytes, serial: str, now_ms: int) -> bool:
    """Whether this call spent the ticket; False when it was spent before, has ended, or never was."""
    return tx.run(_SPEND, (key_digest, serial, digest, now_ms)) == 1


def count_open(tx: Tx, now_ms: int) -> int:
    """How many invitations are neither redeemed nor ended."""
    row = tx.one(_COUNT_OPEN, (now_ms,))
    return int(row[0]) if row else 0
