"""What surrounds the exchange in tests: time, sources, keyed names, and an entry as its owner of every key reads it."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from gateway.ports import SourceUnreachable
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import AgencyId, SubjectHandle
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.link_pb2 import WorkOrder, WorkResult
from tests.unit.exchange.members import START


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **duration: float) -> None:
        self.time += timedelta(**duration)

    async def until(self, moment: datetime) -> None:
        self.time = max(self.time, moment)


class SilentSources:
    """Sources nobody reaches; remembers who was told of alerts."""

    def __init__(self) -> None:
        self.alerted_agencies: list[AgencyId] = []
        self.answer: Callable[[AgencyId, WorkOrder], WorkResult] | None = None
        """What a reached source answers; None: no source is reached."""
        self.meanwhile: Callable[[AgencyId, WorkOrder], Awaitable[WorkResult]] | None = None
        """The same, for a source that takes its time."""

    async def ask(self, agency: AgencyId, order: WorkOrder, *, seconds: float) -> WorkResult:
        if self.meanwhile is not None:
            return await self.meanwhile(agency, order)
        if self.answer is None:
            raise SourceUnreachable(exchange_pb2.SOURCE_STATUS_OFFLINE)
        return self.answer(agency, order)

    def alerted(self, agency: AgencyId) -> None:
        self.alerted_agencies.append(agency)


@dataclass(frozen=True)
class Leaf:
    """An entry as somebody with every key reads it."""

    entry: StoredEntry = field(repr=False)
    op: Mapping[str, str]
    req: Mapping[str, bytes]
    hold: Mapping[str, bytes]
    youth: Mapping[str, bytes]

    @property
    def kind(self) -> str:
        return self.entry.kind

    @property
    def field_count(self) -> int:
        return len(self.op) + len(self.req) + len(self.hold) + len(self.youth)


def read_leaf(entry: StoredEntry, keys: ClassKeys, youth_key: bytes | None) -> Leaf:
    """The entry with everything open that these keys open."""

    def opened(cls: FieldClass, key: bytes) -> dict[str, bytes]:
        return {each.name: each.value for each in open_class(entry, cls, key)}

    return Leaf(
        entry,
        op={name: value.decode() for name, value in opened(FieldClass.OP, keys.op).items()},
        req=opened(FieldClass.REQ, keys.req),
        hold=opened(FieldClass.HOLD, keys.hold),
        youth=opened(FieldClass.YOUTH, youth_key) if youth_key is not None else {},
    )


def at_rest(epoch: str, tokens: bytes) -> bytes:
    """How tokens rest in the index."""
    return b"".join(hashlib.sha256(b"rest" + epoch.encode() + token).digest()[:16] for token in split_tokens(tokens))


def pairwise(requester: AgencyId, owner: AgencyId, handle: SubjectHandle) -> bytes:
    """A handle between two agencies."""
    return hashlib.sha256(f"{requester} {owner}".encode() + handle).digest()[:16]
