"""How fast the token function is, beside bare libsodium multiplication in the same run.

    python tests/bench/oprf.py [seconds per row]

One core unless a row says otherwise. Rows are elements per second; `raw` calls the C function with prepared buffers.
"""

import ctypes
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from adapters.identity.keys import match_keys
from adapters.identity.scheme import load_scheme
from adapters.identity.tokenize import Blinding, Person
from gateway.protocol import oprf
from gateway.protocol.oprf import KeyPair, Suite
from gateway.protocol.ristretto import load_library, load_ristretto
from gateway.tokens.ceremony import deal

BATCH = oprf.MAX_BATCH
PERSON = Person({"given_name": "Guadalupe", "surname": "García-Ruiz", "date_of_birth": "20100408"})  # invented


def per_second(act: Callable[[], object], *, units: int, seconds: float) -> float:
    """Units per second: the best of three timings, after one warm-up."""
    act()
    best = 0.0
    for _ in range(3):
        done, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds / 3:
            act()
            done += units
        best = max(best, done / elapsed)
    return best


def raw_multiplications(key: bytes, elements: list[bytes]) -> Callable[[], None]:
    """One pass of the C function over the elements, without any of our checks."""
    multiply = load_library().crypto_scalarmult_ristretto255
    result = ctypes.create_string_buffer(32)

    def run() -> None:
        for element in elements:
            multiply(result, key, element)

    return run


def on_two_threads(act: Callable[[], object]) -> Callable[[], None]:
    """The act on two threads at once; twice the rate of one shows that the lock of the interpreter is released."""
    pool = ThreadPoolExecutor(2)

    def run() -> None:
        for future in [pool.submit(act), pool.submit(act)]:
            future.result()

    return run


def rows() -> dict[str, tuple[Callable[[], object], int]]:
    """Each row: what is done, and how many units that is."""
    random_bytes = random.Random(1).randbytes
    suite = Suite(load_ristretto())
    group, dealing = suite.group, deal(load_ristretto(), threshold=2, holders=3, random_bytes=random_bytes)
    share = dealing.shares[0]
    pair = KeyPair(share.secret, group.multiply_base(share.secret))
    inputs = [random_bytes(32) for _ in range(BATCH)]
    blinds = oprf.random_scalars(suite, BATCH, random_bytes=random_bytes)
    blinded = oprf.blind(suite, inputs, blinds)
    answers = {other.index: oprf.evaluate_share(group, other, blinded) for other in dealing.shares[:2]}
    proven = {"blinded": blinded, "evaluated": answers[share.index]}
    proof = oprf.generate_proof(suite, pair, **proven, nonce=blinds[0])
    combined = oprf.combine(group, answers, threshold=2)
    blinding = Blinding(suite, load_scheme(), random_bytes=random_bytes)
    one = blinding.begin([PERSON], pepper=bytes(32), epoch="bench")
    one_answers = {other.index: oprf.evaluate_share(group, other, one.elements) for other in dealing.shares[:2]}
    evaluate = lambda: oprf.evaluate_share(group, share, blinded)  # noqa: E731
    return {
        "raw libsodium multiplication": (raw_multiplications(share.secret, blinded), BATCH),
        "evaluate_share, batches of 256": (evaluate, BATCH),
        "evaluate_share on two threads": (on_two_threads(evaluate), 2 * BATCH),
        "blind": (lambda: oprf.blind(suite, inputs, blinds), BATCH),
        "combine, two of three": (lambda: oprf.combine(group, answers, threshold=2), BATCH),
        "finalize": (lambda: oprf.finalize(group, inputs, blinds=blinds, evaluated=combined), BATCH),
        "generate_proof, batches of 256": (
            lambda: oprf.generate_proof(suite, pair, **proven, nonce=blinds[0]),
            BATCH,
        ),
        "verify_proof, batches of 256": (
            lambda: oprf.verify_proof(suite, pair.public, **proven, proof=proof),
            BATCH,
        ),
        "match_keys (identities)": (lambda: match_keys(PERSON.identity), 1),
        "begin (identities)": (lambda: blinding.begin([PERSON], pepper=bytes(32), epoch="bench"), 1),
        "finish (identities)": (lambda: blinding.finish(one, one_answers, threshold=2), 1),
    }


def main() -> None:
    """Print one line per row, and its ratio to the raw multiplication where the unit is an element."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    raw = 0.0
    for name, (act, units) in rows().items():
        rate = per_second(act, units=units, seconds=seconds)
        raw = raw or rate
        ratio = "" if "identities" in name else f"{rate / raw:6.2f} x raw"
        print(f"{name:34} {rate:10,.0f}/s  {1e6 / rate:9.1f} us  {ratio}")


if __name__ == "__main__":
    main()
