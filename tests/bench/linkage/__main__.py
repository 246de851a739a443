"""`make bench-linkage`: all methods on all tasks, the rule of uniqueness, a report. Fails where a bar is missed.

    python -m tests.bench.linkage [--tokens]

`--tokens` measures the tokens again, and takes uniqueness and the rows of the other methods from the last report.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.bench.linkage.bars import bars
from tests.bench.linkage.pieces import KINDS, YOUTHS, measured, spread_of_keys
from tests.bench.linkage.report import as_json, markdown
from tests.bench.linkage.run import Outcome
from tests.bench.linkage.uniqueness import Frequency, broken

_RESULTS = Path(__file__).parents[1] / "results" / "linkage"


def main() -> int:
    """0 if every bar is met and every key keeps the rule."""
    started = time.perf_counter()
    tokens_only = "--tokens" in sys.argv
    outcome, spread = Outcome(), {}
    if tokens_only:
        before = json.loads((_RESULTS / "linkage.json").read_text(encoding="utf-8"))
        spread = {name: Frequency(**found) for name, found in before["uniqueness"].items()}
    with ProcessPoolExecutor(max_workers=3, mp_context=get_context("spawn")) as pool:
        spreading = None if tokens_only else pool.submit(spread_of_keys)
        measuring = [pool.submit(measured, kind, tokens_only=tokens_only) for kind in KINDS]
        for part in measuring:
            outcome.include(part.result())
        spread = spreading.result() if spreading else spread
    if tokens_only:
        outcome.take_anchors(before["rows"])
    demands = list(bars(outcome))
    _RESULTS.mkdir(parents=True, exist_ok=True)
    (_RESULTS / "linkage.json").write_text(as_json(outcome, demands, spread), encoding="utf-8")
    text = markdown(outcome, demands, spread, youths=YOUTHS, seconds=time.perf_counter() - started)
    (_RESULTS / "README.md").write_text(text, encoding="utf-8")
    for bar in demands:
        print(f"{'met   ' if bar.is_met else 'MISSED'} {bar.measured:8.4f} of {bar.least:7.4f}  {bar.what}")
    wrong = broken(spread)
    for name in wrong:
        print(f"MISSED uniqueness: {name}")
    print(f"report: {_RESULTS / 'README.md'}")
    return 1 if wrong or not all(bar.is_met for bar in demands) else 0


if __name__ == "__main__":
    sys.exit(main())
