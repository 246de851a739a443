"""Tickets: the right of one agency to enroll once.

Decides what an invitation binds (agency, kind, the telephone numbers of a county that has none or is to have others, an
end within 24 hours) and how a ticket is spent: by one UPDATE that finds it unspent, in the transaction of the leaf, so
that of fifty redemptions at once exactly one can succeed. The database holds the ticket's SHA-256 alone: who reads it
cannot enroll (SECURITY §3.2).
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
_WRITTEN: Final = (
    "ticket_digest", "agency", "kind", "duty_line", "hotline", "changes_lines", "expire_ms", "leaf_index",
)  # fmt: skip
_INSERT: Final = Statement(
    insert(tables.ticket).values({name: bindparam(name) for name in _WRITTEN}), *_WRITTEN
)  # fmt: skip
_FIND: Final = Statement(
    select(
        _T.agency,
        _T.kind,
        _T.duty_line,
        _T.hotline,
        _T.changes_lines,
        _T.leaf_index,
        _T.expire_ms,
        _T.redeemed_by,
        _T.serial,
    ).where(_T.ticket_digest == bindparam("digest"))
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
class Lines:
    """Telephone numbers of a county, E.164. Whoever asks about any of its youths is given them."""

    duty_line: str
    hotline: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a ticket. `redeemed_by` is the digest of the key that spent it, `serial` what it got."""

    agency: AgencyId
    kind: AgencyKind
    lines: Lines | None
    """For a county that has none, or that is to have these; None for those on record."""
    changes_lines: bool
    """Whether they replace those of a county that has others."""
    leaf_index: int
    """Of the entry by which it was issued."""
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
    lines: Lines,
    change_lines: bool,
    expires: datetime,
    random_bytes: Callable[[int], bytes],
) -> bytes:
    """A fresh ticket whose invitation is in the log. Empty telephone numbers mean those on record.

    Raises `Invalid` when a number is neither given nor on record, or another one is on record and no change is meant,
    and as `kinds.check_kind`; `Unavailable`.
    """
    await ledger.read(lambda tx: check_kind(tx, agency, kind))
    known = await ledger.read(lambda tx: tx.one(_COUNTY_LINES, (county_of(agency),))) or ("", "")
    settled = _settled(lines, Lines(*known), change=change_lines)
    # Those that the county has already stay what they are, whatever becomes of them before this is redeemed; but where
    # a change is meant, they are to be these again, whatever another invitation has made of them until then.
    changes = change_lines and lines != Lines("", "")
    kept = settled if changes or settled != Lines(*known) else Lines("", "")
    ticket = random_bytes(TICKET_BYTES)
    digest, expire_ms = ticket_digest(ticket), milliseconds(expires)
    entry = draft(
        Kind.ENROLL_INVITED,
        requester=agency,
        op={
            "agency": agency,
            "agency_kind": kind,
            "duty_line": settled.duty_line,
            "hotline": settled.hotline,
            "expire_ms": expire_ms,
        },
    )
    row = (digest, agency, kind, kept.duty_line, kept.hotline, int(changes), expire_ms, INDEX)
    await ledger.append(Append(entry, rows=((_INSERT, row),)))
    return ticket


def _settled(given: Lines, known: Lines, *, change: bool) -> Lines:
    pairs = {"duty_line": (given.duty_line, known.duty_line), "hotline": (given.hotline, known.hotline)}
    missing = [name for name, (new, old) in pairs.items() if not (new or old)]
    if missing:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=tuple(f"{name}: first_of_county" for name in missing))
    others = [name for name, (new, old) in pairs.items() if new and old and new != old]
    if others and not change:
        # A county has one duty line, which callers about the youths of all its agencies are given.
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=tuple(f"{name}: on_record" for name in others))
    return Lines(given.duty_line or known.duty_line, given.hotline or known.hotline)


def find_ticket(tx: Tx, digest: bytes) -> Ticket | None:
    """The ticket with this digest, or None."""
    row = tx.one(_FIND, (digest,))
    if row is None:
        return None
    agency, kind, duty_line, hotline, changes_lines, *rest = row
    lines = Lines(duty_line, hotline) if duty_line else None
    return Ticket(AgencyId(agency), AgencyKind(kind), lines, bool(changes_lines), *rest)


def spend_ticket(tx: Tx, digest: bytes, *, key_digest: bytes, serial: str, now_ms: int) -> bool:
    """Whether this call spent the ticket; False when it was spent before, has ended, or never was."""
    return tx.run(_SPEND, (key_digest, serial, digest, now_ms)) == 1


def count_open(tx: Tx, now_ms: int) -> int:
    """How many invitations are neither redeemed nor ended."""
    row = tx.one(_COUNT_OPEN, (now_ms,))
    return int(row[0]) if row else 0
