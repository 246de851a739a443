"""Authorities this agency issued, as signed, and revocations it made: what it can present again (`present`).

Decides what stays here and for how long: an authority until it ends, its youth is sealed, or the epoch ends whose
tokens name its youth; a revocation as long. Whether one counts is the exchange's to say.

What a person revokes while the exchange does not know it is never presented as standing: the revocation is. Nor is
what a person revoked without an answer: whether the exchange heard of it nobody can say once entries were lost.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, not_, select

from adapters.node.rpcs import REVOKE_AUTHORITY
from adapters.node.store import Store
from adapters.node.tables import alert, own_authority, receipt, request
from gateway.protocol.names import AuthorityId, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.authority_pb2 import Authority, AuthorityRevocation
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_AUTHORITY_REVOKED, Alert

STANDS: Final = 0
DUE: Final = 1
"""Entries of the log were lost since: to be presented again."""
DOUBTED: Final = 2
"""Likewise, but it may have been revoked, or the exchange refused it: a person must record it anew."""
REFUSED: Final = 3
"""Likewise, and the exchange refused its revocation: a person must revoke it anew."""
_O: Final = own_authority.c
_NAMELESS: Final = bytes(16)
"""Handle in an alert about an authority that names its youth by tokens."""


@dataclass(frozen=True, slots=True)
class OwnAuthority:
    """One of them. `envelope` is None for another agency's authority that this one revoked."""

    authority_id: AuthorityId
    envelope: SignedEnvelope | None = field(repr=False)
    revoke_ms: int | None


class OwnAuthorities:
    """The authorities on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, envelope: SignedEnvelope, *, handle: SubjectHandle | None, epochs: Collection[str]) -> None:
        """The authority is on disk before it is sent; `epochs` are those of the tokens that name its youth."""
        message = Authority.FromString(envelope.payload)
        values = {
            "authority_id": message.authority_id,
            "envelope": envelope.SerializeToString(),
            "handle": handle,
            "epochs": " ".join(sorted(epochs)),
            "expire_ms": message.expire_time.ToMilliseconds(),
            "recorded": 0,
            "state": STANDS,
        }
        with self._store.write() as connection:
            connection.execute(own_authority.delete().where(_O.authority_id == message.authority_id))
            connection.execute(own_authority.insert().values(values))

    def recorded(self, authority_id: AuthorityId) -> None:
        """The exchange has it on record."""
        with self._store.write() as connection:
            connection.execute(own_authority.update().where(_O.authority_id == authority_id).values(recorded=1))

    def revoked(self, authority_id: AuthorityId, at: datetime, *, expires: datetime) -> None:
        """The exchange has the revocation on record. `expires` says how long it is kept of another's authority."""
        at_ms = milliseconds(at)
        known = {
            "revoke_ms": func.coalesce(_O.revoke_ms, at_ms),
            "state": case((_O.state == REFUSED, STANDS), else_=_O.state),
        }
        with self._store.write() as connection:
            mine = own_authority.update().where(_O.authority_id == authority_id)
            if not connection.execute(mine.values(known)).rowcount:
                connection.execute(
                    own_authority.insert().values(
                        authority_id=authority_id, envelope=b"", handle=None, epochs="",
                        expire_ms=milliseconds(expires), recorded=1, revoke_ms=at_ms, state=STANDS,
                    )
                )  # fmt: skip

    def withdrawn(self, authority_id: AuthorityId, at: datetime) -> None:
        """A person revoked what this agency issued while the exchange did not know it: it is presented as revoked."""
        mine = and_(_O.authority_id == authority_id, _O.recorded == 1)
        state = case((_O.state == STANDS, STANDS), else_=DUE)
        values = {"revoke_ms": func.coalesce(_O.revoke_ms, milliseconds(at)), "state": state}
        with self._store.write() as connection:
            connection.execute(own_authority.update().where(mine).values(values))

    def due(self) -> Sequence[AuthorityId]:
        """What is to be presented again."""
        with self._store.read() as connection:
            return [AuthorityId(name) for name in connection.scalars(select(_O.authority_id).where(_O.state == DUE))]

    def find(self, authority_id: AuthorityId) -> OwnAuthority | None:
        """As it stands here now."""
        query = select(_O.envelope, _O.revoke_ms).where(_O.authority_id == authority_id)
        with self._store.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        envelope = SignedEnvelope.FromString(row.envelope) if row.envelope else None
        return OwnAuthority(authority_id, envelope, row.revoke_ms)

    def settle(self, each: OwnAuthority, state: int) -> bool:
        """It is no longer due, unless it was revoked since `each` was read: then it is due as revoked."""
        same = and_(_O.authority_id == each.authority_id, _O.revoke_ms.is_not_distinct_from(each.revoke_ms))
        with self._store.write() as connection:
            return bool(connection.execute(own_authority.update().where(same).values(state=state)).rowcount)

    def doubted(self, limit: int) -> tuple[int, Sequence[AuthorityId]]:
        """How many authorities a person must record anew, or revoke, and the first so many of them."""
        return self._first(and_(_O.state == DOUBTED, _O.revoke_ms.is_(None)), limit)

    def unrevoked(self, limit: int) -> tuple[int, Sequence[AuthorityId]]:
        """How many revocations the exchange refused, and the first so many of their authorities."""
        return self._first(_O.state == REFUSED, limit)

    def _first(self, asked: ColumnElement[bool], limit: int) -> tuple[int, Sequence[AuthorityId]]:
        names = select(_O.authority_id).where(asked).order_by(_O.authority_id).limit(limit)
        with self._store.read() as connection:
            count = connection.scalar(select(func.count()).where(asked))
            return int(count or 0), [AuthorityId(name) for name in connection.scalars(names)]


def begin_again(connection: Connection) -> None:
    """Entries of the log were lost: what was on record is due, and what may have been revoked is doubted."""
    connection.execute(own_authority.update().where(_O.recorded == 1).values(state=DUE))
    raw = connection.scalars(select(alert.c.message)).all()
    heard = {
        (message.acting_agency, message.subject_handle)
        for message in map(Alert.FromString, raw)
        if message.kind == ALERT_KIND_AUTHORITY_REVOKED
    }
    unanswered = _revoked_unanswered(connection)
    standing = and_(_O.state == DUE, _O.revoke_ms.is_(None), _O.envelope != b"")
    for row in connection.execute(select(_O.authority_id, _O.envelope, _O.handle).where(standing)).all():
        message = Authority.FromString(SignedEnvelope.FromString(row.envelope).payload)
        told = any((agency, row.handle or _NAMELESS) in heard for agency in message.recipient_agencies)
        if told or row.authority_id in unanswered:
            mine = own_authority.update().where(_O.authority_id == row.authority_id)
            connection.execute(mine.values(state=DOUBTED))


def _revoked_unanswered(connection: Connection) -> frozenset[bytes]:
    """Authorities that a person here revoked, and no answer came."""
    answered = select(receipt.c.request_id).where(receipt.c.request_id == request.c.request_id).exists()
    asked = and_(request.c.method == REVOKE_AUTHORITY.name, request.c.payload != b"", not_(answered))
    sent = connection.scalars(select(request.c.payload).where(asked)).all()
    return frozenset(AuthorityRevocation.FromString(payload).authority_id for payload in sent)


def give_up(connection: Connection) -> None:
    """What is still due is taken no longer: a person must record it anew."""
    connection.execute(own_authority.update().where(_O.state == DUE).values(state=DOUBTED))


def forget_authorities(connection: Connection, live: Collection[str], now_ms: int) -> int:
    """Nothing is kept of what names its youth by tokens of another epoch, nor of what has ended; how many that was."""
    rows = connection.execute(select(_O.authority_id, _O.epochs, _O.expire_ms)).all()
    gone = [row.authority_id for row in rows if row.expire_ms <= now_ms or not set(row.epochs.split()) <= set(live)]
    for authority_id in gone:
        connection.execute(own_authority.delete().where(_O.authority_id == authority_id))
    return len(gone)
