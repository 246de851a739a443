"""What a flag check needs that depends on its own bytes, the directory and the index alone: done in another process.

The interpreter runs one thread at a time; what another process does for some questions, this one need not do while it
goes on with others. Decides which work goes there, and that what is asked in one turn of the loop goes together. The
other process knows the directory and reads the database, holds no key and writes nothing; whether a question comes that
far, and what becomes of what was found, is decided here as ever. A few questions are cheaper to answer than to send.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Self

from google.protobuf.message import Message

from audit.reader import Reader
from audit.statement import Params
from audit.store_sqlite import SqliteStore
from gateway.apart import Apart, ApartEnded
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.authenticate import Reading, read_request
from gateway.exchange.call import Call
from gateway.protocol.assertion import AssertionFault, AssertionRefused, Claims
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId, Purpose
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.store.index import LookedUp, Sought, looked_up
from homeward.gateway.v1.directory_pb2 import Directory
from homeward.gateway.v1.exchange_pb2 import FlagQuery

FEW: Final = 3
"""Questions in one turn of the loop that are answered here."""
_DIRECTORY, _REQUEST, _TOKENS = range(3)
_Question = tuple[int, Params]
_NAMES: Final = tuple(each.name for each in fields(Claims))
_TIMES: Final = tuple(map(_NAMES.index, ("issued", "expires", "login")))
_PURPOSE: Final = _NAMES.index("purpose")


class Work:
    """What is done, in either process; questions and answers are values that `Apart` carries."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._directory: DirectoryView | None = None
        self._reader: Reader | None = None

    def __call__(self, batch: Sequence[_Question]) -> list[Any]:
        """Answers in the order of the questions; None for one that failed."""
        answers: list[Any] = []
        for kind, values in batch:
            try:
                answers.append(self.do(kind, values))
            except Exception:
                # It is asked again where it came from, and fails there; everybody else's go on.
                answers.append(None)
        return answers

    def do(self, kind: int, values: Params) -> Any:
        """The answer to one question."""
        if kind == _REQUEST:
            return self._read(*values)
        return self._find(values) if kind == _TOKENS else self._take(*values)

    def _take(self, directory: bytes) -> None:
        # Should the new one fail, nothing is read by the old one.
        self._directory = None
        self._directory = DirectoryView(Directory.FromString(directory))

    def _read(self, payload: bytes, assertion: str, thumbprint: bytes, received_ms: int) -> Params:
        if self._directory is None:
            raise LookupError("no directory yet")
        received = moment_of(received_ms)
        call = Call(payload, assertion, AgencyId(""), actor="", thumbprint=thumbprint, received_at=received)
        try:
            claims, faults = read_request(call, self._directory, FlagQuery)
        except AssertionRefused as refused:
            return (str(refused.fault),)
        return (faults, *_plain(claims))

    def _find(self, sought: Sought) -> LookedUp:
        if self._reader is None:
            self._reader = Reader(SqliteStore(self._database))
        return looked_up(self._reader.all, sought)


class Aside:
    """The other process, as questions see it. One event loop uses it."""

    def __init__(self, apart: Apart, database: Path) -> None:
        self._apart = apart
        self._here = Work(database)
        self._directory: DirectoryView | None = None
        self._waiting: list[_Question] = []
        self._places: list[asyncio.Future[Any]] = []

    @classmethod
    def begin(cls, database: Path) -> Self:
        """The other process runs; to be called first of all (`Apart.begin`)."""
        return cls(Apart.begin(Work(database)), database)

    async def attach(self, on_end: Callable[[], None]) -> None:
        """`Apart.attach`."""
        await self._apart.attach(on_end)

    def close(self) -> None:
        """`Apart.close`."""
        self._apart.close()

    async def read(self, call: Call, directory: DirectoryView, message_type: type[Message]) -> Reading:
        """`authenticate.Read`. Raises `Unavailable` when the other process is no more."""
        if message_type is not FlagQuery:
            return read_request(call, directory, message_type)
        self._use(directory)
        received_ms = milliseconds(call.received_at)
        first, *plain = await self._answer(_REQUEST, call.payload, call.assertion, call.thumbprint, received_ms)
        if not plain:
            raise AssertionRefused(AssertionFault(first))
        return _claims(*plain), first

    async def find(self, sought: Sought) -> LookedUp:
        """`looked_up`. Raises `Unavailable` when the other process is no more."""
        return await self._answer(_TOKENS, *sought)  # type: ignore[no-any-return]

    def _use(self, directory: DirectoryView) -> None:
        if directory is not self._directory:
            self._directory = directory
            question = (_DIRECTORY, (directory.message.SerializeToString(),))
            self._here([question])
            # Before any request that is read by it, because questions keep their order.
            self._apart.ask([question])

    async def _answer(self, kind: int, *values: Any) -> Any:
        if not self._waiting:
            # Whoever else asks in this turn of the loop does so before the next.
            asyncio.get_running_loop().call_soon(self._send)
        place = asyncio.get_running_loop().create_future()
        self._waiting.append((kind, values))
        self._places.append(place)
        try:
            answer = await place
        except ApartEnded as exc:
            raise Unavailable(ErrorReason.NOT_READY) from exc
        return self._here.do(kind, values) if answer is None else answer

    def _send(self) -> None:
        batch, places = self._waiting, self._places
        self._waiting, self._places = [], []
        if len(batch) > FEW:
            self._apart.ask(batch).add_done_callback(lambda answered: _settle(places, answered))
            return
        for place in places:
            # None: done by whoever waits, as what failed elsewhere.
            if not place.done():
                place.set_result(None)


def _settle(places: Sequence[asyncio.Future[Any]], answered: asyncio.Future[list[Any]]) -> None:
    failure = answered.exception()
    for at, place in enumerate(places):
        # Whoever asked may have gone.
        if place.done():
            continue
        if failure is None:
            place.set_result(answered.result()[at])
        else:
            place.set_exception(failure)


def _plain(claims: Claims) -> Params:
    plain = [getattr(claims, name) for name in _NAMES]
    plain[_PURPOSE] = str(claims.purpose)
    for at in _TIMES:
        plain[at] = milliseconds(plain[at])
    return tuple(plain)


def _claims(*plain: Any) -> Claims:
    values = list(plain)
    values[_PURPOSE] = Purpose(values[_PURPOSE])
    for at in _TIMES:
        values[at] = moment_of(values[at])
    return Claims(*values)
