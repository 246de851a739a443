"""The three parts of the benchmark, each of which a process of its own can do."""

import time
from collections.abc import Callable, Iterator, Mapping

from tests.bench.linkage.errors import Rates
from tests.bench.linkage.run import Outcome, measure
from tests.bench.linkage.tasks import Task, febrl_tasks, youth_tasks
from tests.bench.linkage.uniqueness import Frequency, frequencies
from tests.bench.linkage.youths import make_caseload

KINDS: Mapping[str, Callable[[], Iterator[Task]]] = {"febrl": febrl_tasks, "youths": youth_tasks}
YOUTHS = 100_000
_SEED = 11


def measured(kind: str) -> Outcome:
    """Every method on the tasks of one kind."""
    outcome = Outcome()
    for task in KINDS[kind]():
        started = time.perf_counter()
        measure(task, outcome)
        print(f"{task.dataset.name}: {task.fields} ({time.perf_counter() - started:.0f} s)", flush=True)
    return outcome


def spread_of_keys() -> dict[str, Frequency]:
    """How the tokens of every key are spread over one state's youths."""
    found = frequencies(make_caseload(_SEED, YOUTHS, Rates()))
    print(f"uniqueness at {YOUTHS:,} youths", flush=True)
    return found
