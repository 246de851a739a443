"""What every test shares: seeded hypothesis, and a loud count of the tests that need a container engine.

Decides when `docker` tests are left out: never silently. `HOMEWARD_REQUIRE_DOCKER=1` makes their absence an error,
which is how CI runs them.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

DOCKER_DESELECTED = pytest.StashKey[int]()

# Deadlines flake on a shared machine; the same examples everywhere make a failure repeatable.
settings.register_profile("homeward", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("homeward")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the `docker` tests out unless a mark expression asks for them, and remembers how many there were."""
    if config.option.markexpr or os.environ.get("HOMEWARD_REQUIRE_DOCKER") == "1":
        return
    left_out = [item for item in items if item.get_closest_marker("docker")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    config.stash[DOCKER_DESELECTED] = len(left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how many tests did not run for want of a container engine, just above pytest's last line."""
    count = config.stash.get(DOCKER_DESELECTED, 0)
    if count:
        terminalreporter.write_line(
            f"{count} container-backed tests left out (make test-docker runs them; HOMEWARD_REQUIRE_DOCKER=1 insists)"
        )
