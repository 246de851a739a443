"""What a recovery leaves for the gateway's next start to say in the log.

Decides how it is kept until then. An entry that the recovery itself wrote could be the first of a second history: where
the whole directory was put back nothing on the machine tells. The start writes it, once adapters could show what they
know (`publishing.shown`). The file goes after the entries; a crash repeats them. What an earlier recovery left is said
first.
"""

import json
from pathlib import Path
from typing import Any, Final

from audit.entry import Draft
from audit.errors import StopReason
from audit.heal import Healed
from audit.own_entries import recovered, stop_explained
from gateway.state import PRIVATE_FILE, State, StateBroken, write_new
from homeward.replacing import settle_path

_HEALED: Final = "healed"


def due_file(state: State) -> Path:
    """Where it is kept."""
    return state.directory / "entries.due"


def keep_due(state: State, *, reasons: list[StopReason], digest: bytes, healed: Healed | None) -> None:
    """The next start says from where to where the log was healed, and each reason with its explanation. Durable.

    Raises `StateBroken` where what is kept already cannot be read.
    """
    said = _read(state)
    if healed is not None:
        said.append({_HEALED: [healed.size, healed.healed_size]})
    said += [{"reason": reason.value, "explanation": digest.hex()} for reason in reasons]
    if said:
        _write(state, said)


def due_entries(state: State) -> list[Draft]:
    """What the next start has to say. Raises `StateBroken` where it cannot be read."""
    try:
        return [_draft(each) for each in _read(state)]
    except (ValueError, KeyError, TypeError) as exc:
        raise _broken(state) from exc


def is_unheard(state: State) -> bool:
    """Whether the operator lets the next start go on although nobody can be heard. Raises `StateBroken`."""
    return any(each.get("reason") == StopReason.UNHEARD for each in _read(state))


def withdraw_unheard(state: State) -> None:
    """The start for which it was said has come, and somebody was heard: it is not said of a later one. Durable.

    Raises `StateBroken`.
    """
    said = _read(state)
    kept = [each for each in said if each.get("reason") != StopReason.UNHEARD]
    if kept != said:
        _write(state, kept)


def clear_due(state: State) -> None:
    """It is in the log."""
    due_file(state).unlink(missing_ok=True)
    settle_path(state.directory)


def _read(state: State) -> list[dict[str, Any]]:
    try:
        said = json.loads(due_file(state).read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as exc:
        raise _broken(state) from exc
    if not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
        raise _broken(state)
    return said


def _write(state: State, said: list[dict[str, Any]]) -> None:
    written = due_file(state).with_suffix(".new")
    written.unlink(missing_ok=True)
    write_new(written, json.dumps(said).encode(), mode=PRIVATE_FILE)
    written.replace(due_file(state))
    settle_path(state.directory)


def _draft(said: dict[str, Any]) -> Draft:
    if _HEALED in said:
        size, healed_size = said[_HEALED]
        return recovered(int(size), int(healed_size))
    return stop_explained(StopReason(said["reason"]), bytes.fromhex(said["explanation"]))


def _broken(state: State) -> StateBroken:
    return StateBroken(f"{due_file(state)}: not what a recovery left to say")
