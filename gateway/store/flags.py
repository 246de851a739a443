"""Flags in the database: `missing.ports.Flags`.

Decides what of a flag stands in the clear: whose it is, how it stands and how often it changed. The owner's statement
and the times rest under the youth's key (`row_seal`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

from sqlalchemy import and_, bindparam, delete, literal_column, select

from audit.entry import Draft, YouthKey
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.missing.ports import Flag
from gateway.ports import Guard, Rows, YouthKeys
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, FlagId, FlagState, SubjectHandle
from gateway.store.listed import is_listed, stays_listed
from gateway.store.lookups import Lookups
from gateway.store.row_seal import open_row, seal_row
from gateway.store.tables import duty, flag

_F: Final = flag.c
_IS_OPEN: Final = _F.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)])
_GET: Final = Statement(select(flag).where(_F.flag_id == bindparam("flag_")))
_OPEN_OF: Final = Statement(
    select(flag).where(and_(_F.owner == bindparam("owner_"), _F.handle == bindparam("handle_"), _IS_OPEN)),
    "owner_",
    "handle_",
)
_SETTLED: Final = Statement(select(duty.c.duty).where(duty.c.flag_id == bindparam("flag_")))
_PUT: Final = upsert(flag, "flag_id")
_SETTLE: Final = upsert(duty, "flag_id", "duty")
_REOPEN: Final = Statement(
    delete(duty).where(and_(duty.c.flag_id == bindparam("flag_"), duty.c.duty == bindparam("duty_"))), "flag_", "duty_"
)
_TIMES: Final = Struct(">QQQ")
"""When the owner learned of the absence, when it was reported, and when the youth was first said to be found, 0 before;
the statement follows."""


@dataclass(frozen=True, slots=True)
class SqlFlags:
    """`missing.ports.Flags` on the database."""

    lookups: Lookups
    youth_keys: YouthKeys = field(repr=False)

    async def get(self, flag_id: FlagId) -> Flag | None:
        """The flag, open or ended, or None."""
        return await self._read(_GET, flag_id)

    async def open_of(self, owner: AgencyId, handle: SubjectHandle) -> Flag | None:
        """The open flag of this youth by this owner, or None."""
        return await self._read(_OPEN_OF, owner, handle)

    async def is_listed(self, agency: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""
        return await self.lookups.read(lambda tx: is_listed(tx, agency, handle))

    def stays_listed(self, agency: AgencyId, handle: SubjectHandle) -> Guard:
        """Raises `Moved` when the agency lists the youth no longer: removed, or sealed."""
        return stays_listed(agency, handle)

    async def settled(self, flag_id: FlagId) -> frozenset[int]:
        """Duties that were done or do not apply."""
        return frozenset(await self.lookups.read(lambda tx: [number for (number,) in tx.all(_SETTLED, (flag_id,))]))

    def stands(self, flag_id: FlagId, state: FlagState, version: int) -> Guard:
        """Raises `Moved` unless the flag still has this state and version."""

        def guard(tx: Tx) -> Draft | None:
            row = tx.one(_GET, (flag_id,))
            if row is None or row[3:5] != (state, version):
                raise Moved
            return None

        return guard

    def none_stands(self, flag_id: FlagId, youths: Sequence[tuple[AgencyId, SubjectHandle]]) -> Guard:
        """Raises `Moved` when the identifier is in use, or one of these youths has an open flag, meanwhile."""

        def guard(tx: Tx) -> Draft | None:
            if tx.one(_GET, (flag_id,)) is not None:
                raise Moved
            if any(tx.one(_OPEN_OF, youth) is not None for youth in youths):
                raise Moved
            return None

        return guard

    def put(self, flag: Flag, key: YouthKey) -> Rows:
        """The flag is this; `key` is its youth's."""
        times = (flag.learn_ms, flag.report_ms, flag.found_ms)
        sealed = seal_flag(flag.statement, key.key, flag_id=flag.flag_id, times=times)
        return ((_PUT, (flag.flag_id, flag.owner, flag.handle, str(flag.state), flag.version, sealed)),)

    def settle(self, flag_id: FlagId, duties: Iterable[int], *, reopened: Iterable[int] = ()) -> Rows:
        """The duties were done, or do not apply; those `reopened` are to be done again, when they fall due."""
        again = tuple((_REOPEN, (flag_id, number)) for number in sorted(reopened))
        return again + tuple((_SETTLE, (flag_id, number)) for number in sorted(duties))

    async def _read(self, statement: Statement, *params: str | bytes) -> Flag | None:
        rows = await self.lookups.all(statement, params)
        if not rows:
            return None
        # Of a sealed youth, whom an older copy of the database brought back, there is no flag.
        key = await self.youth_keys.find(AgencyId(rows[0][1]), SubjectHandle(rows[0][2]))
        return None if key is None else _flag(rows[0], key)


def seal_flag(statement: bytes, key: bytes, *, flag_id: bytes, times: tuple[int, int, int]) -> bytes:
    """What a flag's row keeps under the youth's key: the statement, and when the absence was learned of and reported,
    and the youth first said to be found, in milliseconds."""
    return seal_row(_TIMES.pack(*times) + statement, key, table=flag.name, row=flag_id)


def open_flag(sealed: bytes, key: bytes, *, flag_id: bytes) -> tuple[bytes, tuple[int, int, int]]:
    """The statement and the times. Raises `RowUnreadable`."""
    content = open_row(sealed, key, table=flag.name, row=flag_id)
    learn_ms, report_ms, found_ms = _TIMES.unpack_from(content)
    return content[_TIMES.size :], (learn_ms, report_ms, found_ms)


def _flag(row: Sequence[Any], key: bytes) -> Flag:
    flag_id, owner, handle, state, version, sealed = row
    statement, (learn_ms, report_ms, found_ms) = open_flag(sealed, key, flag_id=flag_id)
    return Flag(
        flag_id=FlagId(flag_id),
        owner=AgencyId(owner),
        handle=SubjectHandle(handle),
        state=FlagState(state),
        version=version,
        statement=statement,
        learn_ms=learn_ms,
        report_ms=report_ms,
        found_ms=found_ms,
    )
