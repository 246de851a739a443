"""Places where a test makes the write path fail: `FAILPOINTS=append.committed:kill,publish.signed:eio@3`.

Decides the closed list of places and actions, and that nothing but a test build obeys: the variable counts only in a
checkout, which has the tests beside this package, and only together with HOMEWARD_TEST_BUILD=1. What is installed from
a wheel cannot be made to obey. `kill` ends the process at once (SIGKILL), `eio` and `enospc` are what a failing and a
full disk give. `@n` means the n-th time; the default is the first, and a place fails once.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

APPEND: Final = (
    "append.begin", "append.prepared", "append.committed", "append.signed", "append.recorded", "append.checked",
)  # fmt: skip
PUBLISH: Final = (
    "publish.derived", "file.opened", "file.written", "file.synced", "file.renamed", "directory.synced",
    "publish.tiles", "publish.signed", "publish.checkpoint", "publish.published",
)  # fmt: skip
NAMES: Final = frozenset((*APPEND, *PUBLISH))
_ERRORS: Final = {"eio": errno.EIO, "enospc": errno.ENOSPC}
_ACTIONS: Final = frozenset((*_ERRORS, "kill"))
_VARIABLE: Final = "FAILPOINTS"
_SWITCH: Final = "HOMEWARD_TEST_BUILD"
_armed: dict[str, tuple[str, int]] = {}


def reach(name: str) -> None:
    """Nothing happens, unless a test asked for a failure at this place."""
    if _armed and name in _armed:
        _fail(name)


def arm(spec: str) -> None:
    """These places fail from now on; the empty string: none. Raises ValueError for a place or action unknown here."""
    wanted: dict[str, tuple[str, int]] = {}
    for item in filter(None, spec.split(",")):
        name, _, action = item.partition(":")
        action, _, count = action.partition("@")
        if name not in NAMES or action not in _ACTIONS or not (count or "1").isdecimal():
            raise ValueError(f"no such failpoint: {item}")
        wanted[name] = (action, int(count or 1))
    _armed.clear()
    _armed.update(wanted)


def arm_from(environment: Mapping[str, str]) -> bool:
    """The failpoints of the environment are armed if this is a test build. Returns True if they were ignored."""
    spec = environment.get(_VARIABLE, "")
    if spec and is_test_build(environment):
        arm(spec)
        return False
    return bool(spec)


def is_test_build(environment: Mapping[str, str]) -> bool:
    """True only in a checkout whose tests lie beside this package, and only when asked for by its own switch."""
    beside = Path(__file__).resolve().parents[1] / "tests" / "conftest.py"
    return environment.get(_SWITCH) == "1" and beside.is_file()


def _fail(name: str) -> None:
    action, left = _armed[name]
    if left > 1:
        _armed[name] = (action, left - 1)
        return
    del _armed[name]
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    number = _ERRORS[action]
    raise OSError(number, os.strerror(number))
