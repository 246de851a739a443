"""How fast the token function is, beside bare libsodium multiplication in the same run.

    python -m tests.bench.oprf [--seconds 1.5] [--out tests/bench/results/oprf.json]

Rates are per second of one core's own time, but for the row of two threads, which is by the wall clock. `raw` calls the
C function with prepared buffers and none of our checks; every other row is measured in turns with it, so that a busy
machine slows both alike and the ratio stays. A padded look-up is measured in CPU time, with the code that operation
uses on both ends: blinding, signing, proofs and finalizing in the county; the envelope, the budget, the durable leaf,
evaluation and proof at a holder.
"""

import argparse
import asyncio
import ctypes
import json
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters.identity.keys import match_keys
from adapters.identity.scheme import load_scheme
from adapters.identity.tokenize import BlindedBatch, Blinding, Person
from gateway.config import Budgets
from gateway.protocol import oprf
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId
from gateway.protocol.oprf import KeyPair, KeyShare, Suite
from gateway.protocol.ristretto import load_library, load_ristretto
from gateway.protocol.signing import SigningKey
from gateway.tokens.ceremony import deal
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, EvaluateRequest
from homeward.gateway.v1.token_pb2 import BlindedBatch as BatchMessage
from tests.unit.members.batches import batch
from tests.unit.members.world import County, World, make_world

BATCH: Final = 256
TURNS: Final = 15
LOOKUPS: Final = 40
BAR: Final = 0.9
"""What one core evaluates must be at least this share of what bare libsodium multiplies."""
RESULTS: Final = Path(__file__).parent / "results" / "oprf.json"
PERSON: Final = Person(  # invented
    {"given_name": "Guadalupe", "surname": "García-Ruiz", "date_of_birth": "20100408"}
)
PEPPER: Final = bytes(32)
Act = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """A rate in elements or identities a second, and as a share of the raw multiplication of the same turns."""

    per_second: float
    microseconds: float
    of_raw: float | None


@dataclass(frozen=True, slots=True)
class Lookup:
    """CPU of one padded look-up with two holders, and what crosses to each."""

    elements: int
    county_ms: float
    holder_ms: float
    """At each holder: envelope, budget, durable leaf, evaluation, proof."""
    holder_without_log_ms: float
    bytes_up: int
    bytes_down: int


def rate(act: Act, *, units: int, seconds: float, clock: Callable[[], float]) -> float:
    """Units a second of this clock over so many of its seconds."""
    done, start = 0, clock()
    while (elapsed := clock() - start) < seconds:
        act()
        done += units
    return done / elapsed


def in_turns(raw: Act, act: Act, *, units: int, seconds: float, clock: Callable[[], float] = time.thread_time) -> Row:
    """Best rate of the act, and the median of its ratios to raw; each turn measures both."""
    raw()
    act()
    part = seconds / TURNS
    turns = [
        (
            rate(raw, units=BATCH, seconds=part, clock=clock),
            rate(act, units=units, seconds=part, clock=clock),
        )
        for _ in range(TURNS)
    ]
    best = max(each for _, each in turns)
    return Row(best, 1e6 / best, statistics.median(each / bare for bare, each in turns))


def raw_multiplications(key: bytes, elements: list[bytes]) -> Act:
    """One pass of the C function over the elements, without any of our checks."""
    multiply = load_library().crypto_scalarmult_ristretto255
    result = ctypes.create_string_buffer(32)

    def run() -> None:
        for element in elements:
            multiply(result, key, element)

    return run


def on_two_threads(act: Act) -> Act:
    """The act on two threads at once; twice the rate of one shows that the lock of the interpreter is released."""
    pool = ThreadPoolExecutor(2)

    def run() -> None:
        for future in [pool.submit(act), pool.submit(act)]:
            future.result()

    return run


class Bench:
    """What the rows are made of, prepared once."""

    def __init__(self) -> None:
        random_bytes = random.Random(1).randbytes
        self.suite = Suite(load_ristretto())
        self.group = self.suite.group
        self.shares = deal(self.group, threshold=2, holders=3, random_bytes=random_bytes).shares
        self.nonces = oprf.random_scalars(self.suite, BATCH, random_bytes=random_bytes)
        self.inputs = [random_bytes(32) for _ in range(BATCH)]
        self.blinds = oprf.random_scalars(self.suite, BATCH, random_bytes=random_bytes)
        self.blinded = oprf.blind(self.suite, self.inputs, self.blinds)
        self.blinding = Blinding(self.suite, load_scheme(), random_bytes=random_bytes)

    def answer(self, share: KeyShare, elements: list[bytes]) -> tuple[list[bytes], bytes]:
        """What a holder answers: evaluated elements and their proof."""
        evaluated = oprf.evaluate_share(self.group, share, elements)
        pair, nonce = KeyPair(share.secret, self.public(share)), self.nonces[share.index]
        proof = oprf.generate_proof(self.suite, pair, blinded=elements, evaluated=evaluated, nonce=nonce)
        return evaluated, proof

    def public(self, share: KeyShare) -> bytes:
        """The share's public key."""
        return self.group.multiply_base(share.secret)

    def begin(self) -> BlindedBatch:
        """One identity, blinded."""
        return self.blinding.begin([PERSON], pepper=PEPPER, epoch="bench")


def elements(bench: Bench) -> dict[str, tuple[Act, int]]:
    """Rows counted in elements."""
    share, group, suite = bench.shares[0], bench.group, bench.suite
    evaluated, proof = bench.answer(share, bench.blinded)
    answers = {each.index: oprf.evaluate_share(group, each, bench.blinded) for each in bench.shares[:2]}
    public = bench.public(share)

    def evaluate() -> None:
        oprf.evaluate_share(group, share, bench.blinded)

    def verify() -> None:
        oprf.verify_proof(suite, public, blinded=bench.blinded, evaluated=evaluated, proof=proof)

    def finalize() -> None:
        oprf.finalize(group, bench.inputs, blinds=bench.blinds, evaluations=answers, threshold=2)

    return {
        "evaluate": (evaluate, BATCH),
        "evaluate and prove": (lambda: bench.answer(share, bench.blinded), BATCH),
        "verify a proof": (verify, BATCH),
        "blind": (lambda: oprf.blind(suite, bench.inputs, bench.blinds), BATCH),
        "finalize, two of three": (finalize, BATCH),
    }


def identities(bench: Bench) -> dict[str, Act]:
    """Rows counted in identities."""
    one = bench.begin()
    answers = {each.index: oprf.evaluate_share(bench.group, each, one.elements) for each in bench.shares[:2]}
    return {
        "match keys (identities)": lambda: match_keys(PERSON.identity),
        "begin (identities)": bench.begin,
        "finish (identities)": lambda: bench.blinding.finish(one, answers, threshold=2),
    }


def measure_rows(bench: Bench, *, seconds: float) -> dict[str, Row]:
    """Every row."""
    raw = raw_multiplications(bench.shares[0].secret, bench.blinded)
    rows = {"raw libsodium multiplication": in_turns(raw, raw, units=BATCH, seconds=seconds)}
    for name, (act, units) in elements(bench).items():
        rows[name] = in_turns(raw, act, units=units, seconds=seconds)
    threads = on_two_threads(elements(bench)["evaluate"][0])
    rows["evaluate, on two threads"] = in_turns(raw, threads, units=2 * BATCH, seconds=seconds, clock=time.perf_counter)
    for name, act in identities(bench).items():
        measured = in_turns(raw, act, units=1, seconds=seconds)
        rows[name] = Row(measured.per_second, measured.microseconds, None)
    return rows


# --- one padded look-up, end to end


def cpu_ms(act: Act) -> float:
    """CPU milliseconds of one act, every thread of this process counted."""
    act()
    start = time.process_time()
    for _ in range(LOOKUPS):
        act()
    return (time.process_time() - start) / LOOKUPS * 1e3


def request_of(made: BlindedBatch, key: SigningKey) -> bytes:
    """What goes to every holder alike."""
    message = BatchMessage(
        request_id=bytes(16), epoch="bench", generation=1, record_count=1, elements=made.elements,
        use=EVALUATION_USE_LOOKUP, worker=bytes(16),
    )  # fmt: skip
    return EvaluateRequest(envelope=wrap(message, key)).SerializeToString()


def county_side(bench: Bench) -> Act:
    """All that an adapter does for one look-up, but for waiting."""
    key, made = SigningKey.generate(), bench.begin()
    answers = {share: bench.answer(share, list(made.elements)) for share in bench.shares[:2]}
    public = {share: bench.public(share) for share in answers}

    def look_up() -> None:
        request_of(bench.begin(), key)
        for share, (evaluated, proof) in answers.items():
            oprf.verify_proof(bench.suite, public[share], blinded=made.elements, evaluated=evaluated, proof=proof)
        bench.blinding.finish(made, {share.index: each for share, (each, _) in answers.items()}, threshold=2)

    return look_up


async def holder_side(made: BlindedBatch) -> float:
    """CPU milliseconds of one look-up at a holder that runs as in operation, log and budget included."""
    generous = Budgets(lookups_a_day=10**6, lookups_a_worker_a_day=10**6, elements_a_record=len(made.elements))
    with tempfile.TemporaryDirectory() as place:
        world: World = await make_world(Path(place), budgets=generous)
        await world.trust()
        county = County(clock=world.clock)
        await world.enroll(county)
        await world.admit(county)
        await world.gateway.office.step()
        agency, envelope = AgencyId(county.agency), batch(county, list(made.elements), record_count=1)
        await world.gateway.evaluator.evaluate(agency, envelope)
        start = time.process_time()
        for _ in range(LOOKUPS):
            await world.gateway.evaluator.evaluate(agency, envelope)
        spent = (time.process_time() - start) / LOOKUPS * 1e3
        await world.close()
        return spent


def measure_lookup(bench: Bench) -> Lookup:
    """One padded look-up, on both sides."""
    made = bench.begin()
    evaluated, proof = bench.answer(bench.shares[0], list(made.elements))
    return Lookup(
        elements=len(made.elements),
        county_ms=cpu_ms(county_side(bench)),
        holder_ms=asyncio.run(holder_side(made)),
        holder_without_log_ms=cpu_ms(lambda: bench.answer(bench.shares[0], list(made.elements))),
        bytes_up=len(request_of(made, SigningKey.generate())),
        # Two bytes of a tag and a length before each element, as protobuf writes them.
        bytes_down=sum(len(element) + 2 for element in evaluated) + len(proof) + 4,
    )


def show(rows: dict[str, Row], lookup: Lookup) -> None:
    """Prints one line a row."""
    for name, row in rows.items():
        ratio = "" if row.of_raw is None else f"{row.of_raw:6.2f} x raw"
        print(f"{name:30} {row.per_second:10,.0f}/s  {row.microseconds:9.1f} us  {ratio}")
    print(f"one padded look-up, {lookup.elements} elements: county {lookup.county_ms:.1f} ms of CPU")
    print(f"    each of two holders {lookup.holder_ms:.1f} ms ({lookup.holder_without_log_ms:.1f} ms without its log)")
    print(f"    {lookup.bytes_up:,} bytes up and {lookup.bytes_down:,} down for each holder")


def main() -> None:
    """Measures, prints, and writes what was measured."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=1.5, help="for each row")
    options.add_argument("--out", type=Path, default=RESULTS, help="where the figures go, as JSON")
    given = options.parse_args()
    bench = Bench()
    rows, lookup = measure_rows(bench, seconds=given.seconds), measure_lookup(bench)
    show(rows, lookup)
    reached, proven = (rows[name].of_raw or 0.0 for name in ("evaluate", "evaluate and prove"))
    verdict = "met" if reached >= BAR else "MISSED"
    print(f"evaluation / raw: {reached:.3f} (bar {BAR}: {verdict}); with the proof {proven:.3f}")
    document = {
        "measured": f"{datetime.now(UTC):%F %TZ}",
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "python": platform.python_version()},
        "seconds_a_row": given.seconds,
        "bar": {"evaluate_of_raw": BAR, "reached": reached, "with_proof": proven, "met": reached >= BAR},
        "rows": {name: asdict(row) for name, row in rows.items()},
        "padded_lookup": asdict(lookup),
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
