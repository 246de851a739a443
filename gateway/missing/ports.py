"""What the missing episode needs from outside, beyond `gateway.ports`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from audit.entry import YouthKey
from gateway.ports import Guard, Rows
from gateway.protocol.names import AgencyId, FlagId, FlagState, SubjectHandle


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as the exchange holds it. Times are milliseconds since 1970, UTC."""

    flag_id: FlagId
    owner: AgencyId
    handle: SubjectHandle = field(repr=False)
    state: FlagState
    version: int
    """Of the owner's statement; only grows."""
    statement: bytes = field(repr=False)
    """Serialized SignedEnvelope of the owner's FlagStatement."""
    learn_ms: int
    report_ms: int
    found_ms: int = 0
    """When somebody first said that the youth was found; 0 before, and once the owner says that nobody has."""


class Flags(Protocol):
    """Flags, and what is kept beside them. What returns a guard or rows takes part in the transaction of a leaf."""

    async def get(self, flag_id: FlagId) -> Flag | None:
        """The flag, open or ended, or None."""

    async def open_of(self, owner: AgencyId, handle: SubjectHandle) -> Flag | None:
        """The open flag of this youth by this owner, or None."""

    async def is_listed(self, agency: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""

    def stays_listed(self, agency: AgencyId, handle: SubjectHandle) -> Guard:
        """Raises `Moved` when the agency lists the youth no longer: removed, or sealed."""

    async def settled(self, flag_id: FlagId) -> frozenset[int]:
        """Duties that were done or do not apply."""

    def stands(self, flag_id: FlagId, state: FlagState, version: int) -> Guard:
        """Raises `Moved` unless the flag still has this state and version."""

    def none_stands(self, flag_id: FlagId, youths: Sequence[tuple[AgencyId, SubjectHandle]]) -> Guard:
        """Raises `Moved` when the identifier is in use, or one of these youths has an open flag, meanwhile."""

    def put(self, flag: Flag, key: YouthKey) -> Rows:
        """The flag is this; `key` is its youth's."""

    def settle(self, flag_id: FlagId, duties: Iterable[int], *, reopened: Iterable[int] = ()) -> Rows:
        """The duties were done, or do not apply; those `reopened` are to be done again, when they fall due."""
