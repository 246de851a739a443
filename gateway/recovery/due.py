"""What a recovery leaves for the gateway's next start to say in the log.

Decides how it is kept until then. Where the high-water record was made anew nobody on the machine knows what the log
has signed: an entry that the recovery itself wrote could be the first of a second history. The start writes it, once
adapters could show what they know (`publishing.shown`). The file goes after the entries; a crash repeats them.
"""

import json
from pathlib import Path

from audit.entry import Draft
from audit.errors import StopReason
from audit.heal import Healed
from audit.own_entries import recovered, stop_explained
from gateway.state import PRIVATE_FILE, State, StateBroken, settle_path, write_new


def due_file(state: State) -> Path:
    """Where it is kept."""
    return state.directory / "entries.due"


def keep_due(state: State, *, reason: StopReason, digest: bytes, healed: Healed | None) -> None:
    """The next start says why the log had stopped, and from where to where it was healed. Durable."""
    sizes = None if healed is None else [healed.size, healed.healed_size]
    written = due_file(state).with_suffix(".new")
    written.unlink(missing_ok=True)
    said = {"reason": reason.value, "explanation": digest.hex(), "healed": sizes}
    write_new(written, json.dumps(said).encode(), mode=PRIVATE_FILE)
    written.replace(due_file(state))
    settle_path(state.directory)


def due_entries(state: State) -> list[Draft]:
    """What the next start has to say. Raises `StateBroken` where it cannot be read."""
    try:
        said = json.loads(due_file(state).read_bytes())
        healed = [] if said["healed"] is None else [recovered(*said["healed"])]
        return [*healed, stop_explained(StopReason(said["reason"]), bytes.fromhex(said["explanation"]))]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise StateBroken(f"{due_file(state)}: not what a recovery left to say") from exc


def clear_due(state: State) -> None:
    """It is in the log."""
    due_file(state).unlink(missing_ok=True)
    settle_path(state.directory)
