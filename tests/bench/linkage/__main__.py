"""`make bench-linkage`: all methods on all tasks, the rule of uniqueness, a report. Fails where a bar is missed.

python -m tests.bench.linkage [directory for the report]
"""

import sys
import time
from pathlib import Path

from tests.bench.linkage.bars import bars
from tests.bench.linkage.errors import Rates
from tests.bench.linkage.report import as_json, markdown
from tests.bench.linkage.run import Outcome, measure
from tests.bench.linkage.tasks import febrl_tasks, youth_tasks
from tests.bench.linkage.uniqueness import broken, frequencies
from tests.bench.linkage.youths import make_caseload

_RESULTS = Path(__file__).parents[1] / "results" / "linkage"
_YOUTHS, _SEED = 100_000, 11


def main() -> int:
    """0 if every bar is met and every key keeps the rule."""
    started = time.perf_counter()
    outcome = Outcome()
    for tasks in (febrl_tasks(), youth_tasks()):
        for task in tasks:
            print(f"{task.dataset.name}: {task.fields}", flush=True)
            measure(task, outcome)
    print(f"uniqueness at {_YOUTHS:,} youths", flush=True)
    spread = frequencies(make_caseload(_SEED, _YOUTHS, Rates()))
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


if __name__ == "__main__":
    sys.exit(main())
