"""`make bench-linkage`: all methods on all tasks, the rule of uniqueness, a report. Fails where a bar is missed.

python -m tests.bench.linkage [directory for the report]
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.bench.linkage.bars import bars
from tests.bench.linkage.pieces import KINDS, YOUTHS, measured, spread_of_keys
from tests.bench.linkage.report import as_json, markdown
from tests.bench.linkage.run import Outcome
from tests.bench.linkage.uniqueness import broken

_RESULTS = Path(__file__).parents[1] / "results" / "linkage"


def main() -> int:
    """0 if every bar is met and every key keeps the rule."""
    started = time.perf_counter()
    with ProcessPoolExecutor(max_workers=3, mp_context=get_context("spawn")) as pool:
        spreading = pool.submit(spread_of_keys)
        measuring = [pool.submit(measured, kind) for kind in KINDS]
        outcome = Outcome()
        for part in measuring:
            outcome.include(part.result())
        spread = spreading.result()
    demands = list(bars(outcome))
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else _RESULTS
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "linkage.json").write_text(as_json(outcome, demands, spread), encoding="utf-8")
    text = markdown(outcome, demands, spread, youths=YOUTHS, seconds=time.perf_counter() - started)
    (directory / "README.md").write_text(text, encoding="utf-8")
    for bar in demands:
        print(f"{'met   ' if bar.is_met else 'MISSED'} {bar.measured:8.4f} of {bar.least:7.4f}  {bar.what}")
    wrong = broken(spread)
    for name in wrong:
        print(f"MISSED uniqueness: {name}")
    print(f"report: {directory / 'README.md'}")
    return 1 if wrong or not all(bar.is_met for bar in demands) else 0


if __name__ == "__main__":
    sys.exit(main())
