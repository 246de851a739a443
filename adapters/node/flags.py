"""This agency's own flags on disk: the newest version of each, and what becomes of it once the exchange answers.

Decides what stands of a flag after its report was recorded or refused, in the transaction in which the answer is kept
(`recording`): there is no moment at which one of the two is known here without the other. What was stated before, while
nobody knows which version the exchange has, `stated_flags` remembers.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from sqlalchemy import Connection, Row, case, select

from adapters.errors import ErrorReason, EvidenceInvalid, NotFound
from adapters.node.duties import forget_duties, is_found_before
from adapters.node.errors import Missing, NotReady
from adapters.node.own_flag import HEARD, REFUSED, STATEMENT_LIFE, UNHEARD, OwnFlag
from adapters.node.stated_flags import (
    forget_version,
    forget_versions,
    has_rows,
    is_awaited,
    is_stated,
    note_recorded,
    note_stated,
    say_the_same,
    standing,
    stated_end,
)
from adapters.node.store import Store
from adapters.node.tables import own_flag, sealed_subject
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    FlagId,
    FlagState,
    HandlingCode,
    SubjectHandle,
)
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate

REAFFIRM_BEFORE: Final = timedelta(days=10)
"""How long before its end a statement is due to be re-affirmed."""
DUE_SHOWN: Final = 100
"""At most so many flags are named as due."""
ANSWERED_WITHIN: Final = timedelta(minutes=2)
"""After this long no answer to a report comes any more."""


class Unrecorded(Enum):
    """What the exchange said of a statement that it did not record."""

    NOT_TAKEN = auto()
    """It does not take this one."""
    ANOTHERS = auto()
    """The youth's flag is another agency's: it never recorded any of this one."""
    OVER = auto()
    """The episode is over. Only its owner ends one: it is so where this agency stated that, and heard no answer. On the
    exchange's word alone nobody stops looking for a youth."""
    SUPERSEDED = auto()
    """The episode is over, and the youth is reported missing again: another flag takes this one's place."""


Again = Callable[[OwnFlag], OwnFlag]
"""Makes the next version of a flag, which says the same."""


class OwnFlags:
    """The flags on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, flag: OwnFlag, *, anew: bool = False) -> None:
        """What a report states is on disk. `anew`: the youth is missing again, and all duties are owed again.

        Raises ValueError for a version that is not newer than the one there; `NotReady` (SUBJECT) for the first of a
        youth and `NotFound` for the next of a flag that a seal took meanwhile.
        """
        with self._store.write() as connection:
            known = _row(connection, flag.flag_id)
            if known is None:
                _check_is_first(connection, flag)
                connection.execute(own_flag.insert().values(_values(flag)))
                return
            if known.version >= flag.version:
                raise ValueError("a flag's version only grows")
            if not has_rows(connection, flag.flag_id):
                note_stated(connection, flag.flag_id)
            if anew:
                forget_duties(connection, [flag.flag_id])
            _put(connection, flag)
            note_stated(connection, flag.flag_id)

    def recorded(self, flag_id: FlagId, version: int, again: Again | None = None) -> None:
        """As `note_recorded_flag`."""
        with self._store.write() as connection:
            note_recorded_flag(connection, flag_id, version, again)

    def refused(self, flag_id: FlagId, version: int) -> None:
        """The gateway does not take this version again."""
        with self._store.write() as connection:
            refuse_flag(connection, flag_id, version)

    def by_id(self, flag_id: FlagId) -> OwnFlag | None:
        """The newest version of a flag, or None."""
        with self._store.read() as connection:
            row = _row(connection, flag_id)
        return None if row is None else _flag(row)

    def of(self, handle: SubjectHandle) -> Sequence[OwnFlag]:
        """Every flag of one youth, oldest first."""
        query = select(own_flag).where(own_flag.c.handle == handle).order_by(own_flag.c.learn_ms)
        with self._store.read() as connection:
            return [_flag(row) for row in connection.execute(query)]

    def unanswered(self, now: datetime) -> Sequence[FlagId]:
        """Flags of which nobody knows whether the exchange has what was stated last, for as long as an answer takes.

        Not those of which it says again what is on record, nor those that are presented again (`unheard`).
        """
        stated_before = milliseconds(now + STATEMENT_LIFE - ANSWERED_WITHIN)
        doubtful = (own_flag.c.recorded == 0, own_flag.c.unheard == HEARD)
        query = select(own_flag).where(*doubtful, own_flag.c.statement_expire_ms <= stated_before)
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(own_flag.c.statement_expire_ms)).all()
            return [row.flag_id for row in rows if not _is_on_record(connection, row)][:DUE_SHOWN]

    def was_found_before(self, flag_id: FlagId, at: datetime) -> bool:
        """Whether somebody said of the flag's youth, before this time, that the youth was found."""
        with self._store.read() as connection:
            return is_found_before(connection, flag_id, milliseconds(at))

    def open_handles(self) -> frozenset[SubjectHandle]:
        """Youths with an open flag."""
        states = [str(state) for state in OPEN_FLAG_STATES]
        query = select(own_flag.c.handle).where(own_flag.c.state.in_(states))
        with self._store.read() as connection:
            return frozenset(SubjectHandle(handle) for handle in connection.scalars(query))

    def unheard(self) -> Sequence[OwnFlag]:
        """Flags of which the exchange may have forgotten something, with entries of its log that were declared lost."""
        query = select(own_flag).where(own_flag.c.unheard != HEARD)
        with self._store.read() as connection:
            return [_flag(row) for row in connection.execute(query)]

    def due(self, now: datetime) -> Sequence[OwnFlag]:
        """Open flags whose statement ends soon or has ended, soonest first: somebody must say that they still stand."""
        limit = milliseconds(now + REAFFIRM_BEFORE)
        states = [str(state) for state in OPEN_FLAG_STATES]
        query = select(own_flag).where(own_flag.c.state.in_(states), own_flag.c.statement_expire_ms <= limit)
        query = query.order_by(own_flag.c.statement_expire_ms).limit(DUE_SHOWN)
        with self._store.read() as connection:
            return [_flag(row) for row in connection.execute(query)]


def note_recorded_flag(connection: Connection, flag_id: FlagId, version: int, again: Again | None = None) -> None:
    """The gateway has recorded this version.

    Where what it says was taken back meanwhile, it is said `again`; with none, `present` states it.
    """
    known = _row(connection, flag_id)
    if known is None:
        return
    if known.version == version:
        mine = own_flag.c.flag_id == flag_id
        connection.execute(own_flag.update().where(mine).values(recorded=1, unheard=HEARD))
        forget_versions(connection, flag_id)
    elif is_stated(connection, flag_id, version):
        note_recorded(connection, flag_id, version)
        stands, is_taken_back = standing(connection, flag_id), not is_stated(connection, flag_id, known.version)
        if again is not None and stands is not None and is_taken_back and not say_the_same(stands, known):
            _say(connection, known, stands, again)


def take_over_flag(
    connection: Connection, *, instead_of: SignedEnvelope, standing: SignedEnvelope, again: Again
) -> None:
    """What stands of the youth's open flag is the agency's own statement `standing`, and not what its report stated.

    of a flag that is not here         it is the flag, with what the report says of the youth
    of a higher version than is here   the report's words are said again above it, and wait for an answer
    of one whose end nobody heard      it is open again, with what the report says of the youth
    of one that ended                  the exchange gave the receipt of the end: raises `EvidenceInvalid`
    """
    stated, stands = (FlagStatement.FromString(each.payload) for each in (instead_of, standing))
    row, other = _row(connection, FlagId(stated.flag_id)), _row(connection, FlagId(stands.flag_id))
    if row is None:
        raise EvidenceInvalid("flag_id")
    report = _flag(row)
    if other is not None and stands.flag_id == stated.flag_id:
        if report.version >= stands.version:
            note_recorded_flag(connection, report.flag_id, stated.version, again)
            return
        forget_versions(connection, report.flag_id)
        _put(connection, again(replace(report, version=stands.version)))
        return
    if other is not None and not _flag(other).ended_unheard:
        raise EvidenceInvalid("flag_id")
    take_back_flag(connection, instead_of, again)
    taken = replace(
        report,
        flag_id=FlagId(stands.flag_id),
        state=from_wire(FlagState, stands.state),
        handling_code=from_wire(HandlingCode, stands.handling_code),
        version=stands.version,
        statement=standing,
        expires=stands.expire_time.ToDatetime(UTC),
        recorded=True,
    )
    if other is None:
        connection.execute(own_flag.insert().values(_values(taken)))
    else:
        forget_versions(connection, taken.flag_id)
        _put(connection, again(replace(taken, version=max(other.version, stands.version))))


def note_casework(connection: Connection, flag_id: FlagId, casework: FlagCasework) -> None:
    """What was done about a flag is kept here, without another statement of it."""
    mine = own_flag.c.flag_id == flag_id
    connection.execute(own_flag.update().where(mine).values(casework=casework.SerializeToString()))


def take_back_flag(
    connection: Connection, statement: SignedEnvelope, again: Again, why: Unrecorded = Unrecorded.NOT_TAKEN
) -> None:
    """The gateway has refused to record what this states: the flag says again what stands without it.

    Under a higher version: what was refused is signed, and a machine must never present it (`present`). A flag of
    which the gateway has recorded no version, and no report is without an answer, is gone. Where another report
    states the very same, its answer is waited for; the refused one's bytes are gone by now.
    """
    stated = FlagStatement.FromString(statement.payload)
    flag_id, version = FlagId(stated.flag_id), stated.version
    known = _row(connection, flag_id)
    if known is None or (known.version == version and known.recorded):
        return
    end = stated_end(connection, flag_id) if why in (Unrecorded.OVER, Unrecorded.SUPERSEDED) else None
    if end is not None or why is Unrecorded.SUPERSEDED:
        _end(connection, known, end, again)
        return
    if why is not Unrecorded.ANOTHERS and is_awaited(connection, statement.payload):
        return
    forget_version(connection, flag_id, version)
    if known.version != version and is_stated(connection, flag_id, known.version):
        # Another report has stated more since; it has an answer of its own.
        return
    before = standing(connection, flag_id)
    if before is not None:
        if known.version == version or not say_the_same(before, known):
            _say(connection, known, before, again)
        return
    if not known.recorded and known.unheard == HEARD:
        connection.execute(own_flag.delete().where(own_flag.c.flag_id == flag_id))


def _check_is_first(connection: Connection, flag: OwnFlag) -> None:
    if flag.version != 1:
        raise NotFound(ErrorReason.FLAG_NOT_FOUND)
    sealed = select(sealed_subject.c.handle).where(sealed_subject.c.handle == flag.handle, sealed_subject.c.lifted == 0)
    if connection.scalar(sealed) is not None:
        raise NotReady(Missing.SUBJECT)


def _is_on_record(connection: Connection, known: Row[Any]) -> bool:
    """Whether the newest version says what the exchange recorded last, under a number that was never sent."""
    before = standing(connection, known.flag_id)
    return before is not None and bool(before.recorded) and say_the_same(before, known)


def _row(connection: Connection, flag_id: FlagId) -> Row[Any] | None:
    return connection.execute(select(own_flag).where(own_flag.c.flag_id == flag_id)).one_or_none()


def _put(connection: Connection, flag: OwnFlag) -> None:
    """This is the newest version."""
    values = _values(flag)
    # Stated anew, it may be taken.
    values["unheard"] = case((own_flag.c.unheard == REFUSED, UNHEARD), else_=own_flag.c.unheard)
    connection.execute(own_flag.update().where(own_flag.c.flag_id == flag.flag_id).values(values))


def _say(connection: Connection, known: Row[Any], stands: Row[Any], again: Again) -> None:
    """The newest version says what another did."""
    _put(connection, again(replace(_flag(known), **_said(stands))))


def _end(connection: Connection, known: Row[Any], stated: Row[Any] | None, again: Again) -> None:
    """The flag has ended, as it was `stated`; where no end was stated here, as RESOLVED."""
    said = _said(stated) if stated is not None else {"state": FlagState.RESOLVED}
    _put(connection, again(replace(_flag(known), **said)))
    connection.execute(own_flag.update().where(own_flag.c.flag_id == known.flag_id).values(recorded=1, unheard=HEARD))
    forget_versions(connection, known.flag_id)


def refuse_flag(connection: Connection, flag_id: FlagId, version: int) -> None:
    """The exchange does not take this version again."""
    same = (own_flag.c.flag_id == flag_id, own_flag.c.version == version, own_flag.c.unheard == UNHEARD)
    connection.execute(own_flag.update().where(*same).values(unheard=REFUSED))


def _values(flag: OwnFlag) -> dict[str, Any]:
    return {
        "flag_id": flag.flag_id,
        "handle": flag.handle,
        "state": str(flag.state),
        "handling_code": str(flag.handling_code),
        "version": flag.version,
        "locate": flag.locate.SerializeToString(),
        "casework": flag.casework.SerializeToString(),
        "learn_ms": milliseconds(flag.learned),
        "statement": flag.statement.SerializeToString(),
        "statement_expire_ms": milliseconds(flag.expires),
        "recorded": int(flag.recorded),
    }


def _said(row: Row[Any]) -> dict[str, Any]:
    """What a version says, of whichever table."""
    return {
        "state": FlagState(row.state),
        "handling_code": HandlingCode(row.handling_code),
        "locate": FlagLocate.FromString(row.locate),
        "casework": FlagCasework.FromString(row.casework),
        "learned": moment_of(row.learn_ms).astimezone(UTC),
    }


def _flag(row: Row[Any]) -> OwnFlag:
    return OwnFlag(
        flag_id=FlagId(row.flag_id),
        handle=SubjectHandle(row.handle),
        version=row.version,
        expires=moment_of(row.statement_expire_ms),
        statement=SignedEnvelope.FromString(row.statement),
        **_said(row),
        recorded=bool(row.recorded),
        unheard=row.unheard,
    )
