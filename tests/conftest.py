"""What every test shares: seeded hypothesis, and a loud count of the tests that need what not every machine has.

Decides when `docker` and `browser` tests are left out: never silently. `HOMEWARD_REQUIRE_DOCKER=1` and
`HOMEWARD_REQUIRE_BROWSER=1` make their absence an error, which is how CI runs them.
"""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

DOCKER_DESELECTED = pytest.StashKey[int]()
BROWSER_DESELECTED = pytest.StashKey[int]()

# Deadlines flake on a shared machine; the same examples everywhere make a failure repeatable.
settings.register_profile("homeward", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("homeward")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what cannot run here unless a mark expression or the environment insists, and counts it."""
    if config.option.markexpr:
        return
    if os.environ.get("HOMEWARD_REQUIRE_DOCKER") != "1":
        config.stash[DOCKER_DESELECTED] = leave_out("docker", config, items)
    if os.environ.get("HOMEWARD_REQUIRE_BROWSER") != "1" and shutil.which("chromedriver") is None:
        config.stash[BROWSER_DESELECTED] = leave_out("browser", config, items)


def leave_out(mark: str, config: pytest.Config, items: list[pytest.Item]) -> int:
    """The items of this mark are deselected; how many there were."""
    left_out = [item for item in items if item.get_closest_marker(mark)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]
    return len(left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how many tests did not run for want of an engine or a browser, just above pytest's last line."""
    count = config.stash.get(DOCKER_DESELECTED, 0)
    if count:
        terminalreporter.write_line(
            f"{count} container-backed tests left out (make test-docker runs them; HOMEWARD_REQUIRE_DOCKER=1 insists)"
        )
    count = config.stash.get(BROWSER_DESELECTED, 0)
    if count:
        terminalreporter.write_line(
            f"{count} browser tests left out: no chromedriver here (Debian: chromium-driver; "
            "HOMEWARD_REQUIRE_BROWSER=1 insists)"
        )
