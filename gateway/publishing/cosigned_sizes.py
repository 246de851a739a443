"""How much of this log each witness has cosigned, kept over restarts: by it a witness that was put back is known.

Decides the file: the log's origin in its first line, then a line for each key, `<name>+<id> <size>`, with `FORGOT`
behind that of a witness which was found to have been put back. What was kept of another origin counts for nothing: the
log that goes on after a declared loss begins anew. One thread at a time uses it.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from audit.note import ID_BYTES, NAME
from audit.quorum import Remembered
from gateway.state import PRIVATE_FILE, StateBroken
from homeward.replacing import replace_file

COSIGNED_SIZES: Final = "cosigned.sizes"
_FORGOT: Final = "FORGOT"
# A log without entries is published, and cosigned, too.
_LINE: Final = re.compile(
    rf"(?P<key>{NAME.pattern}\+[0-9a-f]{{{2 * ID_BYTES}}}) (?P<size>0|[1-9][0-9]{{0,18}})(?P<forgot> {_FORGOT})?"
)


class CosignedSizes:
    """The file of one log."""

    def __init__(self, path: Path, *, origin: str) -> None:
        self._path = path
        self._origin = origin
        self._kept: dict[str, Remembered] = {}

    def load(self) -> dict[str, Remembered]:
        """What was kept before the last stop, by `audit.quorum.witness_key`; it blocks. Raises `StateBroken`."""
        try:
            text = self._path.read_bytes().decode()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as exc:
            raise self._broken() from exc
        origin, *lines = text.split("\n")
        found = [_LINE.fullmatch(line) for line in lines[:-1]]
        # Whoever cut the file short took a witness's size away: a whole one ends with its last line's end.
        if not NAME.fullmatch(origin) or not lines or lines[-1] or None in found:
            raise self._broken()
        kept = {each["key"]: Remembered(int(each["size"]), each["forgot"] is not None) for each in found if each}
        if len(kept) != len(found):
            raise self._broken()
        self._kept = kept if origin == self._origin else {}
        return dict(self._kept)

    def keep(self, remembered: Mapping[str, Remembered]) -> None:
        """It is durable; it blocks. Raises OSError."""
        if remembered == self._kept:
            return
        lines = [f"{key} {each.size}{f' {_FORGOT}' if each.has_forgotten else ''}" for key, each in remembered.items()]
        replace_file(self._path, "".join(f"{line}\n" for line in (self._origin, *lines)).encode(), mode=PRIVATE_FILE)
        self._kept = dict(remembered)

    def _broken(self) -> StateBroken:
        return StateBroken(
            f"{self._path}: not what this gateway kept of its witnesses; move it away to go on without: "
            "whichever of them was put back is then no longer known"
        )
