"""This agency's own missing-from-care flags: what it states of them, and what stays here until a grant asks.

Decides the statement: signed with the county's flag key, so that nobody else can invent a flag; valid for 30 days, so
that one forgotten here ends; its version grows, so that an old one cannot replace a new one. Details (FS2) and duties
(FS3) are kept beside it and leave only inside a sealed answer.

Does not decide to raise or resolve: a person of the county does, through a call with a user assertion.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from sqlalchemy import Connection, Row, case, select

from adapters.node.identifiers import timestamp
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
from adapters.node.tables import own_flag
from gateway.protocol.envelope import wrap
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    FlagId,
    FlagState,
    HandlingCode,
    SubjectHandle,
)
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate

STATEMENT_LIFE: Final = timedelta(days=30)
"""An owner that has not re-affirmed a flag for 30 days is no longer looking (DOMAIN §4a row 5)."""
REAFFIRM_BEFORE: Final = timedelta(days=10)
"""How long before its end a statement is due to be re-affirmed."""
DUE_SHOWN: Final = 100
"""At most so many flags are named as due."""
BACKDATING: Final = timedelta(minutes=5)
PRIOR_WINDOW: Final = timedelta(days=365)
HEARD: Final = 0
UNHEARD: Final = 1
"""Entries of the log were lost since: to be presented again (`present`)."""
REFUSED: Final = 2
"""Likewise, and the exchange does not take it as it is."""


@dataclass(frozen=True, slots=True)
class OwnFlag:
    """One flag as its owner knows it. Immutable; a change is another value with a higher version."""

    flag_id: FlagId
    handle: SubjectHandle = field(repr=False)
    state: FlagState
    handling_code: HandlingCode
    version: int
    learned: datetime
    """When the agency learned of the absence, UTC."""
    expires: datetime
    """End of the newest statement."""
    statement: SignedEnvelope = field(repr=False)
    locate: FlagLocate = field(repr=False)
    casework: FlagCasework = field(repr=False)
    recorded: bool = False
    """Whether the gateway has recorded this version."""
    unheard: int = HEARD

    def waits_for_person(self, now: datetime) -> bool:
        """Nobody finds this youth at the exchange before a person of the owner states the flag again, or ends it."""
        return self.is_open and (self.unheard == REFUSED or (self.unheard == UNHEARD and self.expires <= now))

    @property
    def is_open(self) -> bool:
        """Somebody is still looking."""
        return self.state in OPEN_FLAG_STATES


@dataclass(frozen=True, slots=True)
class FlagIssuer:
    """Makes and signs what the county states."""

    county: str
    key: SigningKey = field(repr=False)

    def raised(
        self,
        flag_id: FlagId,
        handle: SubjectHandle,
        *,
        handling_code: HandlingCode,
        learned: datetime,
        locate: FlagLocate,
        now: datetime,
    ) -> OwnFlag:
        """A new flag, active, version 1, not yet recorded at the gateway."""
        draft = OwnFlag(
            flag_id=flag_id,
            handle=handle,
            state=FlagState.ACTIVE,
            handling_code=handling_code,
            version=1,
            learned=learned,
            expires=now,
            statement=SignedEnvelope(),
            locate=locate,
            casework=FlagCasework(),
        )
        return self._signed(draft, now)

    def changed(
        self,
        flag: OwnFlag,
        *,
        now: datetime,
        state: FlagState | None = None,
        handling_code: HandlingCode | None = None,
        locate: FlagLocate | None = None,
        casework: FlagCasework | None = None,
    ) -> OwnFlag:
        """The next version, with what is given changed; with nothing given the flag is re-affirmed."""
        following = replace(
            flag,
            state=state or flag.state,
            handling_code=handling_code or flag.handling_code,
            locate=locate or flag.locate,
            casework=casework or flag.casework,
            version=flag.version + 1,
            recorded=False,
        )
        return self._signed(following, now)

    def _signed(self, flag: OwnFlag, now: datetime) -> OwnFlag:
        expires = now + STATEMENT_LIFE
        statement = FlagStatement(
            flag_id=flag.flag_id,
            county=self.county,
            state=to_wire(flag.state),  # type: ignore[arg-type]
            handling_code=to_wire(flag.handling_code),  # type: ignore[arg-type]
            version=flag.version,
            issue_time=timestamp(now - BACKDATING),
            expire_time=timestamp(expires),
        )
        return replace(flag, statement=wrap(statement, self.key), expires=expires)


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

    def keep(self, flag: OwnFlag) -> None:
        """What a report states is on disk. Raises ValueError for a version that is not newer than the one there."""
        with self._store.write() as connection:
            known = _row(connection, flag.flag_id)
            if known is None:
                connection.execute(own_flag.insert().values(_values(flag)))
                return
            if known.version >= flag.version:
                raise ValueError("a flag's version only grows")
            if not has_rows(connection, flag.flag_id):
                note_stated(connection, flag.flag_id)
            _put(connection, flag)
            note_stated(connection, flag.flag_id)

    def recorded(self, flag_id: FlagId, version: int, again: Again | None = None) -> None:
        """The gateway has recorded this version.

        Where what it says was taken back meanwhile, it is said `again`; with none, `present` states it.
        """
        with self._store.write() as connection:
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

    def take_back(self, statement: SignedEnvelope, again: Again, why: Unrecorded = Unrecorded.NOT_TAKEN) -> None:
        """The gateway has refused to record what this states: the flag says again what stands without it.

        Under a higher version: what was refused is signed, and a machine must never present it (`present`). A flag of
        which the gateway has recorded no version, and no report is without an answer, is gone. Where another report
        states the very same, its answer is waited for.
        """
        stated = FlagStatement.FromString(statement.payload)
        flag_id, version = FlagId(stated.flag_id), stated.version
        with self._store.write() as connection:
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

    def open_flag(self, handle: SubjectHandle) -> OwnFlag | None:
        """The flag under which a youth is being looked for, or None."""
        return next((flag for flag in reversed(self.of(handle)) if flag.is_open), None)

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


def casework_of(flag: OwnFlag, earlier: Sequence[OwnFlag]) -> FlagCasework:
    """FS3 of a flag: its duties, and how often the youth was missing in the twelve months before."""
    since = flag.learned - PRIOR_WINDOW
    counted = [
        each
        for each in earlier
        if each.flag_id != flag.flag_id
        and each.state is not FlagState.ENTERED_IN_ERROR
        and since <= each.learned < flag.learned
    ]
    casework = FlagCasework()
    casework.CopyFrom(flag.casework)
    casework.prior_flag_count = min(len(counted), 99)
    return casework


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
    }


def _flag(row: Row[Any]) -> OwnFlag:
    return OwnFlag(
        flag_id=FlagId(row.flag_id),
        handle=SubjectHandle(row.handle),
        version=row.version,
        learned=moment_of(row.learn_ms).astimezone(UTC),
        expires=moment_of(row.statement_expire_ms),
        statement=SignedEnvelope.FromString(row.statement),
        **_said(row),
        recorded=bool(row.recorded),
        unheard=row.unheard,
    )
