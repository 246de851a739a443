"""What every test shares: seeded hypothesis, how tests are dealt to processes, and a loud count of those left out.

Decides when `docker` and `browser` tests are left out: never silently. `HOMEWARD_REQUIRE_DOCKER=1` and
`HOMEWARD_REQUIRE_BROWSER=1` make their absence an error, which is how CI runs them. Decides also which tests stay in
one process of `pytest -n`: those of a file, and those of a folder that has one exchange for all its files.
"""

import os
import shutil
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

LEFT_OUT = pytest.StashKey[Mapping[str, int]]()
"""How many tests did not run, by their mark."""
WHAT_RUNS_THEM: Mapping[str, str] = {
    "docker": "container-backed tests left out (make test-docker runs them; HOMEWARD_REQUIRE_DOCKER=1 insists)",
    "browser": (
        "browser tests left out: no chromedriver here (Debian: chromium-driver; HOMEWARD_REQUIRE_BROWSER=1 insists)"
    ),
}

# Folders whose session fixtures bring up a whole exchange, so that two processes that deal with one would bring up two;
# and the files of each that have an exchange of their own, or need none.
TOGETHER = {
    "tests/adversarial": {
        "test_declared_loss.py",
        "test_epoch_replay.py",
        "test_exported.py",
        "test_forgotten.py",
        "test_lost_rows.py",
        "test_renewing.py",
        "test_roster.py",
        "test_survival.py",
        "test_unwitnessed.py",
    },
    "tests/e2e": {
        "test_audit_evidence.py",
        "test_compose.py",
        "test_declared_loss.py",
        "test_enumeration.py",
        "test_epochs.py",
        "test_epochs_restored.py",
        "test_put_back.py",
        "test_sandbox.py",
        "test_sealing.py",
        "test_state_reviewer.py",
        "test_survival.py",
    },
}

# Files of many long tests that share nothing.
EACH_ALONE = {"tests/integration/test_evidence_mutants.py"}

# Deadlines flake on a shared machine; the same examples everywhere make a failure repeatable.
settings.register_profile("homeward", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("homeward")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what cannot run here unless a mark expression or the environment insists, and counts it."""
    if config.option.markexpr:
        return
    left_out: dict[str, int] = {}
    if os.environ.get("HOMEWARD_REQUIRE_DOCKER") != "1":
        left_out["docker"] = leave_out("docker", config, items)
    if os.environ.get("HOMEWARD_REQUIRE_BROWSER") != "1" and shutil.which("chromedriver") is None:
        left_out["browser"] = leave_out("browser", config, items)
    config.stash[LEFT_OUT] = left_out
    told: MutableMapping[str, Any] | None = getattr(config, "workeroutput", None)
    if told is not None:
        told["left_out"] = left_out


def leave_out(mark: str, config: pytest.Config, items: list[pytest.Item]) -> int:
    """The items of this mark are deselected; how many there were."""
    left_out = [item for item in items if item.get_closest_marker(mark)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    return len(left_out)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keeps what one of several processes left out: each of them collects all tests, so any of them can tell."""
    told: Mapping[str, Any] = getattr(node, "workeroutput", {})
    if "left_out" in told:
        node.config.stash[LEFT_OUT] = told["left_out"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "Scheduling | None":
    """Deals whole files, and whole folders of `TOGETHER`; nothing where no `--dist` but ours is asked for."""
    from xdist.scheduler import LoadFileScheduling

    class ByExchange(LoadFileScheduling):
        """A file stays in one process unless it need not, and so does everything that shares one exchange."""

        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            if file in EACH_ALONE:
                return nodeid
            folder, _, name = file.rpartition("/")
            return folder if folder in TOGETHER and name not in TOGETHER[folder] else file

    return ByExchange(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how many tests did not run for want of an engine or a browser, just above pytest's last line."""
    for mark, count in config.stash.get(LEFT_OUT, {}).items():
        if count:
            terminalreporter.write_line(f"{count} {WHAT_RUNS_THEM[mark]}")
