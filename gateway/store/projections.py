"""What changes in the tables together with a leaf, and what is checked in the same transaction."""

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

from sqlalchemy import LargeBinary, and_, bindparam, insert, or_, select

from audit.entry import ClassKeys, Draft, YouthKey
from audit.sequencer import INDEX
from audit.statement import Statement, pieces
from audit.tables import ENTRY
from audit.transaction import Seek, Tx
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.call import Caller
from gateway.exchange.deed import Moved
from gateway.exchange.journal import Kind
from gateway.ports import Guard, NewAlert, Once, OneTime, Rows, Says
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.facts import milliseconds
from gateway.store.alert_keys import AlertKeys
from gateway.store.alerts import sealed_alert
from gateway.store.authorities import EMERGENCY_USES
from gateway.store.inputs import nobodys_key, seal_input
from gateway.store.listed import is_listed
from gateway.store.tables import authority, decision_input, denied, emergency_use, spent
from gateway.store.told import telling

_DIGEST_BYTES: Final = 16
_TIME_BYTES: Final = 6
_IDENTIFIER_BYTES: Final = 1 + _TIME_BYTES + _DIGEST_BYTES
"""A letter, the time that the name begins with, and half of a SHA-256: all of one length, because they are looked for
as one value (`pieces`). What is named in the order of time stands side by side: by the digest alone each new row would
change a page of its own, and with two hundred thousand questions in the log each cost a quarter more."""
_NO_TIME: Final = bytes(_TIME_BYTES)
_UUID7: Final = re.compile(r"[0-9a-f]{12}7[0-9a-f]{19}")


def _spent() -> Statement:
    place, identifier = pieces(bindparam("identifiers", type_=LargeBinary), _IDENTIFIER_BYTES)
    known = place.join(spent, spent.c.identifier == identifier)
    return Statement(select(spent.c.identifier, spent.c.digest).select_from(known), "identifiers")


_SPENT: Final = _spent()
SPEND: Final = Statement(insert(spent))
"""Identifier, digest, index of the entry, time in milliseconds since 1970."""
_COMMITTED: Final = Statement(insert(decision_input))
_RELEASED: Final = Statement(select(ENTRY.c.kind, ENTRY.c.requester).where(ENTRY.c.idx == bindparam("release")))
_EMERGENCY: Final = Statement(insert(emergency_use))
_REVOKED: Final = Statement(
    # Blank where its youth was sealed.
    select(authority.c.revocation).where(
        and_(authority.c.authority_id == bindparam("authority_"), authority.c.sealed != bindparam("blank_", b""))
    ),
    "authority_",
)
_DENIED: Final = Statement(
    select(denied.c.name).where(or_(denied.c.name == bindparam("agency_"), denied.c.name == bindparam("actor_"))),
    "agency_",
    "actor_",
)


def request_identifier(agency: str, request_id: bytes) -> bytes:
    """Identifier under which a request is spent: its own id, a UUIDv7, within its agency."""
    return _identifier(b"r", request_id[:_TIME_BYTES].ljust(_TIME_BYTES, b"\0"), agency, request_id)


def assertion_identifier(agency: str, assertion_id: str) -> bytes:
    """Identifier under which a user assertion is spent. Of its `jti` nothing is kept but the time of a UUIDv7."""
    time = bytes.fromhex(assertion_id[: 2 * _TIME_BYTES]) if _UUID7.fullmatch(assertion_id) else _NO_TIME
    return _identifier(b"a", time, agency, assertion_id.encode())


def confirmation_identifier(agency: str, release_index: int) -> bytes:
    """Identifier under which the confirmation of a release is spent."""
    return _identifier(b"c", _NO_TIME, agency, release_index.to_bytes(8, "big"))


def _identifier(letter: bytes, time: bytes, agency: str, said: bytes) -> bytes:
    return letter + time + sha256(agency.encode() + b"\0" + said).digest()[:_DIGEST_BYTES]


class SqlProjections:
    """`ports.Projections` on the database. `keys` seal what is kept of decisions about nobody."""

    def __init__(self, keys: ClassKeys, alert_keys: AlertKeys) -> None:
        self._nobody = nobodys_key(keys)
        self._alert_keys = alert_keys

    def committed(self, argument: bytes, youth: YouthKey | None) -> Rows:
        """The exact argument of the decision is kept for replay."""
        key = youth.key if youth is not None else self._nobody
        return ((_COMMITTED, (INDEX, seal_input(argument, key))),)

    def once(self, caller: Caller, query: OneTime) -> Once:
        """`ports.Projections`."""
        request, assertion = _identifiers(caller, query)
        rows = _spend(caller, query, request, assertion)

        def guard(tx: Tx) -> Draft | None:
            used = dict(tx.by_key(_SPENT, (request, assertion), written_by=SPEND, as_one=True))
            if request in used:
                same = used[request] == query.digest
                raise Conflict(ErrorReason.EXPIRED_REFETCH if same else ErrorReason.ID_REUSED)
            if assertion in used and query.spends_assertion:
                raise Conflict(ErrorReason.ASSERTION_REPLAYED)
            return None

        return Once(guard, rows, (Seek(_SPENT, (request, assertion)),))

    def spend(self, caller: Caller, query: OneTime) -> Rows:
        """The request's identifier, and the assertion's with the first question under it, are used."""
        return _spend(caller, query, *_identifiers(caller, query))

    def tell(self, alerts: Sequence[tuple[NewAlert, YouthKey | None]]) -> Says:
        """Each alert is next in its agency's sequence, and the entry says that it is; see `ports.Projections`."""
        sealed = [sealed_alert(alert, key) for alert, key in alerts]
        for (alert, _), each in zip(alerts, sealed, strict=True):
            if alert.youth is not None:
                self._alert_keys.remember(each.mark, *alert.youth)
        return telling(sealed)

    def confirmable(self, agency: AgencyId, release_index: int) -> Guard:
        """Refuses a confirmation of what was not released to this agency, or was confirmed before."""

        def guard(tx: Tx) -> Draft | None:
            released = tx.one(_RELEASED, (release_index,))
            if released != (Kind.OUTCOME, agency):
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("release_index: yours",))
            if tx.all(_SPENT, (confirmation_identifier(agency, release_index),)):
                raise Conflict(ErrorReason.ID_REUSED)
            return None

        return guard

    def confirm(self, agency: AgencyId, release_index: int, at_ms: int) -> Rows:
        """The release is confirmed."""
        return ((SPEND, (confirmation_identifier(agency, release_index), b"", INDEX, at_ms)),)

    def emergency(self, caller: Caller) -> Rows:
        """The user's use of an emergency is counted."""
        at = milliseconds(caller.call.received_at)
        return ((_EMERGENCY, (INDEX, caller.agency, caller.claims.subject, at)),)

    def emergencies_stand(self, caller: Caller, *, since_ms: int, seen: int) -> Guard:
        """Raises `Moved` where the user invoked another emergency since their uses were counted."""

        def guard(tx: Tx) -> Draft | None:
            if tx.one(EMERGENCY_USES, (caller.agency, caller.claims.subject, since_ms)) != (seen,):
                raise Moved
            return None

        return guard

    def listed(self, owner: AgencyId, handle: SubjectHandle, refused: Callable[[Reason], Draft]) -> Guard:
        """Puts a refusal in the place of what is told of a youth who left the index meanwhile: removed, or sealed."""

        def guard(tx: Tx) -> Draft | None:
            return None if is_listed(tx, owner, handle) else refused(Reason.NO_MATCH)

        return guard

    def releasable(self, caller: Caller, refused: Callable[[Reason], Draft], *, relies_on_authority: bool) -> Guard:
        """Puts a refusal in the place of a RELEASE whose authority was revoked or whose caller was denied meanwhile."""
        authority_id = caller.claims.authority_id if relies_on_authority else None

        def guard(tx: Tx) -> Draft | None:
            if authority_id is not None:
                row = tx.one(_REVOKED, (authority_id,))
                if row is None or row[0] is not None:
                    return refused(Reason.AUTHORITY_ENDED_BEFORE_RELEASE)
            if tx.all(_DENIED, (caller.agency, caller.call.actor)):
                return refused(Reason.MEMBER_DENIED_BEFORE_RELEASE)
            return None

        return guard


def _identifiers(caller: Caller, query: OneTime) -> tuple[bytes, bytes]:
    agency = caller.agency
    return request_identifier(agency, query.request_id), assertion_identifier(agency, caller.claims.assertion_id)


def _spend(caller: Caller, query: OneTime, request: bytes, assertion: bytes) -> Rows:
    at = milliseconds(caller.call.received_at)
    rows = [(SPEND, (request, query.digest, INDEX, at))]
    if query.spends_assertion:
        rows.append((SPEND, (assertion, b"", INDEX, at)))
    return tuple(rows)
