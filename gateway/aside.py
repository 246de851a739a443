"""What a flag check needs that depends on its own bytes, the directory, the policy, the index and the circumstances:
done in another process.

The interpreter runs one thread at a time; what another process does for some questions, this one need not do while it
goes on with others. Decides which work goes there, and that what is asked in one turn of the loop goes together: a
request is read, and its question settled in the same go (`exchange/settle`), for the spine to take when it comes that
far. A question under an authority is only read there: the spine alone opens authorities. The other process is told the
directory and the circumstances, gets tokens as they rest, and reads the database; it holds no key and writes nothing.
Whether a question comes that far, and what becomes of what was found, is decided here as ever. A few questions by
themselves are cheaper to answer than to send.
"""

import asyncio
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from google.protobuf.message import DecodeError, Message

from audit.reader import Reader
from audit.statement import Params
from audit.store_sqlite import SqliteStore
from gateway.apart import Apart, ApartEnded
from gateway.carried import (
    circumstances_of,
    claims_of,
    plain_circumstances,
    plain_claims,
    plain_settled,
    settled_of,
)
from gateway.errors import ErrorReason, Invalid, Unavailable
from gateway.exchange.authenticate import Reading, read_claims, read_message, read_request
from gateway.exchange.call import Call, Caller, Query
from gateway.exchange.circumstances import Circumstances
from gateway.exchange.facts import request_facts
from gateway.exchange.locate import check_core
from gateway.exchange.settle import settle, settled_by_request
from gateway.protocol.assertion import AssertionFault, AssertionRefused, Claims
from gateway.protocol.decide import decide_request
from gateway.protocol.directory import DirectoryView
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import AgencyId
from gateway.protocol.oprf import TOKEN_LENGTH
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.policy.rules import Policy
from gateway.rpc.incoming import flag_query
from gateway.store.index import LookedUp, Sought, candidates, looked_up, sought_of
from gateway.store.resting import AtRest
from gateway.store.reviews import said
from homeward.gateway.v1.directory_pb2 import Directory
from homeward.gateway.v1.exchange_pb2 import FlagQuery

FEW: Final = 3
"""Questions in one turn of the loop that are answered here, unless others are out at this moment: then there are many,
and this process has more to do than that."""
_ANSWER_SECONDS: Final = 30.0
"""A thousand times what a cohort takes. Whoever has not answered by then will not: it is ended, and the gateway with
it, for whoever watches over it to start anew."""
_DIRECTORY, _CIRCUMSTANCES, _REQUEST, _TOKENS = range(4)
_Question = tuple[int, Params]


class Work:
    """What is done, in either process; questions and answers are values that `Apart` carries."""

    def __init__(self, database: Path, policy: Policy) -> None:
        self._database = database
        self._policy = policy
        self._directory: DirectoryView | None = None
        self._circumstances: Circumstances | None = None
        self._reader: Reader | None = None

    def __call__(self, batch: Sequence[_Question]) -> list[Any]:
        """Answers in the order of the questions; None for one that failed. All take each step together (`cohort`)."""
        answers: list[Any] = [None] * len(batch)
        going = [(place, self._steps(*question)) for place, question in enumerate(batch)]
        while going:
            going = [(place, steps) for place, steps in going if self._goes_on(steps, answers, place)]
        return answers

    def do(self, kind: int, values: Params) -> Any:
        """The answer to one question."""
        steps = self._steps(kind, values)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                return done.value

    def _goes_on(self, steps: Generator[None, None, Any], answers: list[Any], place: int) -> bool:
        try:
            next(steps)
        except StopIteration as done:
            answers[place] = done.value
            return False
        except Exception:
            # It is asked again where it came from, and fails there; everybody else's go on.
            return False
        return True

    def _steps(self, kind: int, values: Params) -> Generator[None, None, Any]:
        if kind == _REQUEST:
            return (yield from self._read(*values))
        if kind == _TOKENS:
            return self._find(values)
        if kind == _CIRCUMSTANCES:
            self._circumstances = circumstances_of(*values)
            return None
        return self._take(*values)

    def _take(self, directory: bytes) -> None:
        # Should the new one fail, nothing is read by the old one.
        self._directory = None
        self._directory = DirectoryView(Directory.FromString(directory))

    def _read(
        self, payload: bytes, assertion: str, thumbprint: bytes, received_ms: int, resting: bytes
    ) -> Generator[None, None, Params]:
        directory = self._directory
        if directory is None:
            raise LookupError("no directory yet")
        received = moment_of(received_ms)
        call = Call(payload, assertion, AgencyId(""), actor="", thumbprint=thumbprint, received_at=received)
        try:
            claims = read_claims(call, directory)
        except AssertionRefused as refused:
            return (str(refused.fault),)
        yield
        faults, message = read_message(call, FlagQuery)
        settled = None
        if resting and isinstance(message, FlagQuery) and claims.authority_id is None:
            yield
            query = flag_query(message, call.payload)
            settled = yield from self._settle(call, claims, query, directory, resting)
        return (faults, settled, *plain_claims(claims))

    def _settle(
        self, call: Call, claims: Claims, query: Query, directory: DirectoryView, resting: bytes
    ) -> Generator[None, None, Params | None]:
        """None for what the spine refuses, which finds that by itself."""
        known, member = self._circumstances, directory.member(claims.issuer)
        if known is None or member is None or member.suspended or query.tokens.epoch not in known.stale:
            return None
        try:
            check_core(query.tokens)
        except Invalid:
            return None
        yield
        request = request_facts(Caller(call, claims, member), query, None, emergency_uses=0)
        first = decide_request(self._policy, request)
        if not first.permit:
            return plain_settled(settled_by_request(self._policy, directory, request, first))
        yield
        shared, named = self._find(sought_of(claims.issuer, query.tokens, resting))
        yield
        settled = settle(
            self._policy,
            directory,
            request,
            first,
            tokens=query.tokens,
            authority=None,
            candidates=candidates(shared),
            verdicts=said(named),
            circumstances=known,
        )
        yield
        return plain_settled(settled)

    def _find(self, sought: Sought) -> LookedUp:
        if self._reader is None:
            self._reader = Reader(SqliteStore(self._database))
        return looked_up(self._reader.all, sought)


class Aside:
    """The other process, as questions see it. One event loop uses it."""

    def __init__(self, apart: Apart, here: Work) -> None:
        self._apart = apart
        self._here = here
        self._directory: DirectoryView | None = None
        self._circumstances: Circumstances | None = None
        self._waiting: list[_Question] = []
        self._places: list[asyncio.Future[Any]] = []
        self._out = 0

    @classmethod
    def begin(cls, database: Path, policy: Policy) -> Self:
        """The other process runs; to be called first of all (`Apart.begin`)."""
        work = Work(database, policy)
        return cls(Apart.begin(work), work)

    async def attach(self, on_end: Callable[[], None]) -> None:
        """`Apart.attach`."""
        await self._apart.attach(on_end)

    def close(self) -> None:
        """`Apart.close`."""
        self._apart.close()

    async def read(
        self,
        at_rest: AtRest,
        call: Call,
        directory: DirectoryView,
        message_type: type[Message],
        known: Circumstances | None,
    ) -> Reading:
        """`authenticate.Read`, where tokens rest like this. Raises `Unavailable` when the other process is no more."""
        if message_type is not FlagQuery:
            return read_request(call, directory, message_type)
        self._use(directory, known)
        query = _decoded(call.payload)
        received_ms, resting = milliseconds(call.received_at), _resting(query, known, at_rest)
        answer = await self._answer(_REQUEST, call.payload, call.assertion, call.thumbprint, received_ms, resting)
        if len(answer) == 1:
            raise AssertionRefused(AssertionFault(answer[0]))
        faults, settled, *claims = answer
        ahead = None if settled is None else settled_of(settled, call.agency, directory)
        return Reading(claims_of(claims), faults, None if faults else query, ahead)

    async def find(self, sought: Sought) -> LookedUp:
        """`looked_up`. Raises `Unavailable` when the other process is no more."""
        return await self._answer(_TOKENS, *sought)  # type: ignore[no-any-return]

    def _use(self, directory: DirectoryView, known: Circumstances | None) -> None:
        if directory is not self._directory:
            self._directory = directory
            self._tell(_DIRECTORY, directory.message.SerializeToString())
        if known is not None and known != self._circumstances:
            self._circumstances = known
            self._tell(_CIRCUMSTANCES, *plain_circumstances(known))

    def _tell(self, kind: int, *values: Any) -> None:
        self._here([(kind, values)])
        # Before any request that is read by it, because questions keep their order.
        _ = self._apart.ask([(kind, values)])

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
        if len(batch) > FEW or self._out:
            self._out += 1
            overdue = asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._apart.kill)

            def answered(answer: asyncio.Future[list[Any]]) -> None:
                overdue.cancel()
                self._out -= 1
                _hand_out(places, answer)

            self._apart.ask(batch).add_done_callback(answered)
            return
        for place in places:
            # None: done by whoever waits, as what failed elsewhere.
            if not place.done():
                place.set_result(None)


def _hand_out(places: Sequence[asyncio.Future[Any]], answered: asyncio.Future[list[Any]]) -> None:
    failure = answered.exception()
    for at, place in enumerate(places):
        # Whoever asked may have gone.
        if place.done():
            continue
        if failure is None:
            place.set_result(answered.result()[at])
        else:
            place.set_exception(failure)


def _decoded(payload: bytes) -> FlagQuery | None:
    """None for what is none; whoever reads it says what is wrong with it."""
    try:
        return FlagQuery.FromString(payload)
    except DecodeError:
        return None


def _resting(query: FlagQuery | None, known: Circumstances | None, at_rest: AtRest) -> bytes:
    """Resting forms of all tokens of a question, one after another; empty for what cannot be settled."""
    if query is None or known is None or query.tokens.epoch not in known.stale:
        return b""
    tokens = query.tokens
    # Before anybody's signature is verified: no more than a question has.
    if len(tokens.tokens) != load_key_scheme().elements * TOKEN_LENGTH:
        return b""
    try:
        return at_rest(tokens.epoch, tokens.tokens)
    except Invalid:
        # The epoch ended since: the spine refuses it.
        return b""
