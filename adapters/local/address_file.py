"""Where a running adapter answers, in a file of its state: `listen: 127.0.0.1:0` leaves the port to the system.

Decides the file's name. It is there while the adapter runs; one that was killed leaves it behind, and then nobody
answers at what it says: a command knows an adapter by its certificate, not by this.
"""

from pathlib import Path
from typing import Final

_FILE: Final = "listening"
_LONGEST: Final = 300


def write_address(state: Path, address: str) -> None:
    """The file says this; a reader sees the old or the new one."""
    partial = state / f"{_FILE}.partial"
    partial.write_text(f"{address}\n", encoding="ascii")
    partial.replace(state / _FILE)


def read_address(state: Path) -> str | None:
    """What the file says, None where there is none that could."""
    try:
        with (state / _FILE).open(encoding="ascii") as file:
            address = file.read(_LONGEST).strip()
    except (OSError, UnicodeDecodeError):
        return None
    return address if address.rpartition(":")[2].isdecimal() else None


def remove_address(state: Path) -> None:
    """There is no such file."""
    (state / _FILE).unlink(missing_ok=True)
