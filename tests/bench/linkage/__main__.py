"""`make bench-linkage`: all methods on all tasks, the rule of uniqueness, a report. Fails where a bar is missed.

python -m tests.bench.linkage [directory for the report]
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.bench.linkage.bars import bars
from tests.bench.linkage.errors import Rates
from tests.bench.linkage.report import as_json, markdown
from tests.bench.linkage.run import Outcome, measure
from tests.bench.linkage.tasks import febrl_tasks, youth_tasks
from tests.bench.linkage.uniqueness import Frequency, broken, frequencies
from tests.bench.linkage.youths import make_caseload

_RESULTS = Path(__file__).parents[1] / "results" / "linkage"
_YOUTHS, _SEED = 100_000, 11
_KINDS = {"febrl": febrl_tasks, "youths": youth_tasks}


def main() -> int:
    """0 if every bar is met and every key keeps the rule."""
    started = time.perf_counter()
    with ProcessPoolExecutor(max_workers=3, mp_context=get_context("spawn")) as pool:
        spreading = pool.submit(_spread)
        measuring = [pool.submit(_measured, kind) for kind in _KINDS]
        outcome = Outcome()
        for part in measuring:
            outcome.include(part.result())
        spread = spreading.result()
    demands = list(bars(outcome))
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else _RESULTS
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "linkage.json").write_text(as_json(outcome, demands, spread), encoding="utf-8")
    text = markdown(outcome, demands, spread, youths=_YOUTHS, seconds=time.perf_counter() - started)
    (directory / "README.md").write_text(text, encoding="utf-8")
    for bar in demands:
        print(f"{'met   ' if bar.is_met else 'MISSED'} {bar.measured:8.4f} of {bar.least:7.4f}  {bar.what}")
    wrong = broken(spread)
    for name in wrong:
        print(f"MISSED uniqueness: {name}")
    print(f"report: {directory / 'README.md'}")
    return 1 if wrong or not all(bar.is_met for bar in demands) else 0


def _measured(kind: str) -> Outcome:
    outcome = Outcome()
    for task in _KINDS[kind]():
        started = time.perf_counter()
        measure(task, outcome)
        print(f"{task.dataset.name}: {task.fields} ({time.perf_counter() - started:.0f} s)", flush=True)
    return outcome


def _spread() -> dict[str, Frequency]:
    found = frequencies(make_caseload(_SEED, _YOUTHS, Rates()))
    print(f"uniqueness at {_YOUTHS:,} youths", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main())
