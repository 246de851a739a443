"""One process at a time on a directory of state.

Decides that the lock belongs to an open file, so that it ends with the process however the process ends; the file
itself stays. Does not decide what is locked.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PRIVATE_FILE: Final = 0o600


class NotAlone(Exception):
    """Another process holds the lock."""


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Within the context no other process holds the lock of this file. Raises `NotAlone` at once, `OSError`."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, _PRIVATE_FILE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise NotAlone from exc
        yield
    finally:
        os.close(descriptor)
