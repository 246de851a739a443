"""Every file below a directory into which a process writes meanwhile.

Whoever serves writes a file under another name before it is put in place. One that went between listing and reading has
come back under its own name, so everything is looked at anew, and nothing is passed over.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_SECONDS: Final = 10.0


def contents(root: Path) -> Sequence[tuple[Path, bytes]]:
    """Files with what they hold, by path. Raises TimeoutError where they do not stand still long enough."""
    ends = time.monotonic() + _SECONDS
    while time.monotonic() < ends:
        with suppress(FileNotFoundError):
            return [(path, path.read_bytes()) for path in sorted(root.rglob("*")) if path.is_file()]
    raise TimeoutError(f"{root}: files come and go too fast to be read")
