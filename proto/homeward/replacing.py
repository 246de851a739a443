"""What is on disk: a file of state that is replaced whole, and a path that was settled.

Decides the order in which the new content becomes durable. Does not decide what the file holds.
"""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int) -> None:
    """The file has exactly these bytes and this mode, durably; a crash leaves the old file or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    settle_path(path.parent)


def settle_path(path: Path) -> None:
    """What was written at this path is on disk, where the system can say so: a file's content, or the names in a
    directory."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
