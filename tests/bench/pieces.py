"""Where the time of a flag check goes: each stage of the spine in a loop of its own.

Decides which stages are told apart. They are the product's own functions, called with the values that the stage before
made, in one process and without a network; the best of several loops counts, so that what is told is the stage and not
the machine's other work.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from audit.entry import KEY_BYTES, Place, YouthKey, build_entry
from audit.sequencer import Append
from gateway.exchange.asked import Asked, Result, shown
from gateway.exchange.authenticate import authenticate, read_request
from gateway.exchange.facts import request_facts
from gateway.exchange.locate import NOTHING
from gateway.exchange.settle import youth_facts
from gateway.protocol.decide import DecisionInput, decide_request, decide_youth
from gateway.protocol.names import EvidenceKind, FieldSet, Purpose, Role
from gateway.protocol.parse import check, parse
from gateway.protocol.signing import verify_unframed
from gateway.rpc.incoming import call_of, flag_query
from gateway.store.index import SqlIndex
from gateway.store.log_journal import LogEntered
from gateway.store.resting import EpochsAtRest
from homeward.gateway.v1.codes_pb2 import EVIDENCE_KIND_YOUTH_PRESENT
from homeward.gateway.v1.envelope_pb2 import Evidence
from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest, FlagQuery
from tests.unit.exchange.spine_parts import ASKER, Question, tokens_of
from tests.unit.exchange.spine_world import World

_LOOPS: Final = 5
_CALLS: Final = 1000
_ENTRIES: Final = 2000
_OUTSTANDING: Final = (1, 16, 64)
QUESTION: Final = Question(
    "Invented Nobody",
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.hotline_screener"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)


def measure() -> Mapping[str, float]:
    """Processor microseconds by stage, in the order of the spine."""
    with tempfile.TemporaryDirectory(prefix="homeward-pieces-") as name:
        world, key = World(Path(name)), os.urandom(32)
        index = SqlIndex(world.setting.index.lookups, EpochsAtRest(lambda _: key), world.youth_keys)  # type: ignore[attr-defined]
        world.use(replace(world.setting, index=index))
        try:
            return _stages(world)
        finally:
            asyncio.run(world.close())


def _stages(world: World) -> Mapping[str, float]:
    at, party, directory = world.setting, world.parties[ASKER], world.directory()
    evidence = [Evidence(kind=EVIDENCE_KIND_YOUTH_PRESENT, reference_commitment=bytes(32))]
    payload = FlagQuery(
        request_id=QUESTION.request_id, tokens=tokens_of(QUESTION.youth), evidence=evidence
    ).SerializeToString()
    request = CheckFlagRequest(payload=payload, user_assertion=world.assertion(QUESTION, payload))
    call = call_of(request, party.peer, world.clock())
    claims, *_ = read_request(call, directory, FlagQuery)
    caller = authenticate(call, claims, directory)
    query = flag_query(parse(FlagQuery, payload), payload)
    facts = request_facts(caller, query, None, emergency_uses=0)
    first = decide_request(at.policy, facts)
    youth = youth_facts(NOTHING, caller.agency, None, directory, coverage_complete=True)
    decision = decide_youth(at.policy, facts, youth, first)
    key = YouthKey(os.urandom(KEY_BYTES), 0)
    committed = DecisionInput(at.policy.digest, facts, youth).to_bytes()
    asked = Asked(caller, query, None, NOTHING, key, facts, youth, committed)
    leaf = asked.decision_leaf(decision, policy=at.policy.version)
    place = Place(1, 1_790_000_000_000, 1, 0)
    entered = LogEntered(asyncio.run(world.log.append(Append(leaf))))
    result = Result(decision, NOTHING, (), shown(entered, decision, query.family))
    reply = world.servicer._flag_response(caller, result)

    def checked() -> None:
        check(request)
        flag_query(query_of, payload)

    stages: dict[str, Callable[[], object]] = {
        "request: check": checked,
        "assertion and payload: read, verify": lambda: authenticate(
            call, read_request(call, directory, FlagQuery)[0], directory
        ),
        "facts and decision, request and youth": lambda: (
            decide_request(at.policy, request_facts(caller, query, None, emergency_uses=0)),
            decide_youth(at.policy, facts, youth, first),
        ),
        "coverage and index look-up": lambda: (
            _now(world.exchange._known.of(query.family, (query.tokens.epoch,))),
            _now(at.index.look_up(caller.agency, query.tokens)),
        ),
        "decision leaf: fields, digest of the decision's argument": lambda: asked.decision_leaf(
            decision, policy=at.policy.version
        ),
        "entry: salts, digests, boxes": lambda: build_entry(leaf, place, keys=world.keys, random_bytes=os.urandom),
        "reply: receipt with proof, message": lambda: world.servicer._flag_response(caller, result).SerializeToString(),
    }
    query_of = parse(FlagQuery, payload)
    found = {name: _best(stage) for name, stage in stages.items()}
    signed = party.assertion.private.sign(payload)
    public = party.assertion.public_bytes
    found["of the assertion, the signature"] = _best(lambda: verify_unframed(public, signed, payload))
    for outstanding in _OUTSTANDING:
        found[f"append, durable, {outstanding} outstanding (entry included)"] = _append(world, leaf, outstanding)
    found["bytes of a reply"] = float(len(reply.SerializeToString()))
    return found


def _best(work: Callable[[], object]) -> float:
    def loop() -> float:
        started = time.process_time()
        for _ in range(_CALLS):
            work()
        return (time.process_time() - started) / _CALLS * 1e6

    return min(loop() for _ in range(_LOOPS))


def _append(world: World, leaf: Any, outstanding: int) -> float:
    async def callers() -> None:
        left = iter(range(_ENTRIES))

        async def caller() -> None:
            for _ in left:
                await world.log.append(Append(leaf))

        await asyncio.gather(*(caller() for _ in range(outstanding)))

    started = time.process_time()
    asyncio.run(callers())
    return (time.process_time() - started) / _ENTRIES * 1e6


def _now(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that waits for nothing here."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a stage waited")
