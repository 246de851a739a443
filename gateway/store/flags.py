"""Flags in the database: `missing.ports.Flags`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, literal_column, select

from audit.entry import Draft
from audit.sequencer import INDEX
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.missing.ports import Flag
from gateway.ports import Guard, Rows
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, FlagId, FlagState, SubjectHandle
from gateway.store.lookups import Lookups
from gateway.store.tables import duty, flag, subject, supporting_report

_F: Final = flag.c
_IS_OPEN: Final = _F.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)])
_GET: Final = Statement(select(flag).where(_F.flag_id == bindparam("flag_")))
_OPEN_OF: Final = Statement(
    select(flag).where(and_(_F.owner == bindparam("owner_"), _F.handle == bindparam("handle_"), _IS_OPEN)),
    "owner_",
    "handle_",
)
_LISTED: Final = Statement(
    select(subject.c.leaf_index).where(
        and_(subject.c.owner == bindparam("owner_"), subject.c.handle == bindparam("handle_"))
    ),
    "owner_",
    "handle_",
)
_SETTLED: Final = Statement(select(duty.c.duty).where(duty.c.flag_id == bindparam("flag_")))
_PUT: Final = upsert(flag, "flag_id")
_SUPPORT: Final = upsert(supporting_report, "flag_id", "agency")
_SETTLE: Final = upsert(duty, "flag_id", "duty")


@dataclass(frozen=True, slots=True)
class SqlFlags:
    """`missing.ports.Flags` on the database."""

    lookups: Lookups

    async def get(self, flag_id: FlagId) -> Flag | None:
        """The flag, open or ended, or None."""
        return await self.lookups.read(lambda tx: _flag(tx, _GET, flag_id))

    async def open_of(self, owner: AgencyId, handle: SubjectHandle) -> Flag | None:
        """The open flag of this youth by this owner, or None."""
        return await self.lookups.read(lambda tx: _flag(tx, _OPEN_OF, owner, handle))

    async def is_listed(self, agency: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""
        return await self.lookups.read(lambda tx: tx.one(_LISTED, (agency, handle)) is not None)

    async def settled(self, flag_id: FlagId) -> frozenset[int]:
        """Duties that were done or do not apply."""
        return frozenset(await self.lookups.read(lambda tx: [number for (number,) in tx.all(_SETTLED, (flag_id,))]))

    def stands(self, flag_id: FlagId, state: FlagState, version: int) -> Guard:
        """Raises `Moved` unless the flag still has this state and version."""

        def guard(tx: Tx) -> Draft | None:
            now = _flag(tx, _GET, flag_id)
            if now is None or (now.state, now.version) != (state, version):
                raise Moved
            return None

        return guard

    def none_stands(self, flag_id: FlagId, youths: Sequence[tuple[AgencyId, SubjectHandle]]) -> Guard:
        """Raises `Moved` when the identifier is in use, or one of these youths has an open flag, meanwhile."""

        def guard(tx: Tx) -> Draft | None:
            if _flag(tx, _GET, flag_id) is not None:
                raise Moved
            if any(_flag(tx, _OPEN_OF, owner, handle) is not None for owner, handle in youths):
                raise Moved
            return None

        return guard

    def put(self, flag: Flag) -> Rows:
        """The flag is this."""
        values = (
            flag.flag_id,
            flag.owner,
            flag.handle,
            str(flag.state),
            flag.version,
            flag.statement,
            flag.statement_expire_ms,
            flag.learn_ms,
            flag.report_ms,
            INDEX,
        )
        return ((_PUT, values),)

    def support(self, flag_id: FlagId, agency: AgencyId, report_ms: int) -> Rows:
        """The agency reported the same absence; its latest report counts."""
        return ((_SUPPORT, (flag_id, agency, report_ms, INDEX)),)

    def settle(self, flag_id: FlagId, duties: Mapping[int, int | None]) -> Rows:
        """The duties were done at these times; None: does not apply."""
        return tuple((_SETTLE, (flag_id, number, done_ms, INDEX)) for number, done_ms in duties.items())


def _flag(tx: Tx, statement: Statement, *params: str | bytes) -> Flag | None:
    row = tx.one(statement, params)
    if row is None:
        return None
    flag_id, owner, handle, state, version, envelope, expire_ms, learn_ms, report_ms, _ = row
    return Flag(
        flag_id=FlagId(flag_id),
        owner=AgencyId(owner),
        handle=SubjectHandle(handle),
        state=FlagState(state),
        version=version,
        statement=envelope,
        statement_expire_ms=expire_ms,
        learn_ms=learn_ms,
        report_ms=report_ms,
    )
