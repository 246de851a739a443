"""What `homeward audit fsck` says of what holds. Decides the words: one line a fact, `ok` or `note`, in ASCII."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from audit.verdict import shown_time
from gateway.recovery.checking import MirrorStanding, Sound
from gateway.recovery.record_lines import record_lines


def sound_lines(directory: Path, sound: Sound) -> Iterator[str]:
    """The log, its tables, what is published, the mirror, an erasing that waits: one line each."""
    verified = sound.verified
    yield f"ok   {verified.size} entries of {verified.origin}, and every checkpoint known of it"
    if sound.tables:
        yield "ok   authorities, revocations, flags, denied names and listings are what the log says"
    if sound.published is not None:
        size, files = sound.published
        yield f"ok   {size} entries are published, in {files} files"
    if sound.mirror is not None:
        yield _mirror_line(directory, sound.mirror)
    yield from record_lines(sound.record, lead="note ")
    if sound.erasing_waits:
        waits = "an erasing waits: bytes of what a seal deleted may still stand in the files"
        yield f"note {waits}; next: start the gateway, or start it again"


def _mirror_line(directory: Path, standing: MirrorStanding) -> str:
    tables = f"it heals with its tables of that size, set {standing.tables}"
    if not standing.behind:
        return f"ok   the mirror holds {standing.size} entries and all that was ever signed; {tables}"
    lacks = f"{standing.behind} behind: it lacks what was written since {shown_time(standing.since_ms)}"
    command = f"homeward audit mirror {directory} {standing.directory}"
    return f"note the mirror holds {standing.size} entries, {lacks}; {tables}; next: {command}"


def mirror_fields(standing: MirrorStanding) -> dict[str, Any]:
    """The same of a mirror, for `--json`."""
    return {
        "size": standing.size,
        "tables": standing.tables,
        "behind": standing.behind,
        "lacks_since": shown_time(standing.since_ms),
    }
