"""A file of state that is replaced whole.

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
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    """Renames within the directory are durable, where the system can say so."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
