"""What a verification says, in words and as data, whichever command asked for it.

Decides the words: one line a fact, `ok` or `note`; what is said where something does not hold is in `remedy`. Words are
ASCII, so that a line is the same on every terminal. Needs nothing but `cryptography`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from audit.checkpoint import LogKey, parse_vkey
from audit.contradiction import Contradiction, find_contradiction, read_proof, read_statement
from audit.errors import EvidenceError, EvidenceReason
from audit.highwater import read_high_water
from audit.note import MAX_KEY_CHARACTERS
from audit.policy import MAX_BYTES, Policy, parse_policy
from audit.proved_rows import NO_EVIDENCE, check_rows
from audit.published import verify_published
from audit.receipt import HEADER, MAX_TEXT_CHARACTERS, parse_receipt
from audit.remedy import FIXES, NO_STATEMENT, Told
from audit.source import open_source

EXIT_USAGE: Final = 2
EXIT_UNVERIFIED: Final = 6
EXIT_UNREACHABLE: Final = 5
EXIT_UNREADABLE: Final = 1
"""Of `contradict`, whose 6 is a proof: a file that is no statement of this log must not be taken for one."""
_END_OF_TIME: Final = 253_402_300_800_000
_RECEIPT_HEADER: Final = HEADER.encode()
_PROOF_BEGINS: Final = 2048
_PROOF_BYTES: Final = 16 * MAX_TEXT_CHARACTERS
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Something that holds."""

    lines: tuple[str, ...]
    data: dict[str, object]

    def shown(self, *, as_json: bool) -> str:
        """Returns what is printed."""
        return json.dumps({"ok": True, **self.data}) if as_json else "\n".join(self.lines)


def shown_fault(fault: EvidenceError, *, where: str, as_json: bool) -> str:
    """Returns what is printed where something does not hold."""
    return Told(fault, where, FIXES[fault.reason], exit_of(fault)).shown(as_json=as_json)


def exit_of(fault: EvidenceError) -> int:
    """The exit status: whoever reads it must not take a network that is down for evidence that does not hold."""
    return EXIT_UNREACHABLE if fault.reason is EvidenceReason.UNREACHABLE else EXIT_UNVERIFIED


def shown_no_statement(fault: EvidenceError, *, where: str, as_json: bool) -> str:
    """Returns what `contradict` prints where it found no proof because a file is no statement, or the other way."""
    fix = FIXES[fault.reason] if fault.reason is EvidenceReason.STORE else NO_STATEMENT
    return Told(fault, where, fix, EXIT_UNREADABLE).shown(as_json=as_json)


def shown_consistent(fault: EvidenceError, *, as_json: bool) -> str:
    """Returns what `contradict` prints where two statements of this log do not contradict each other."""
    return json.dumps({"ok": True, "reason": fault.reason.value, "text": str(fault)}) if as_json else f"ok   {fault}"


def shown_time(milliseconds: int) -> str | None:
    """Returns a time as ISO 8601, or None where it is none."""
    if not 0 < milliseconds < _END_OF_TIME:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def read_log_key(path: Path) -> LogKey:
    """Returns the key in a `.vkey` file. Raises EvidenceError, which names the file."""
    try:
        return parse_vkey(_read(path, MAX_KEY_CHARACTERS).decode("utf-8", "replace"))
    except EvidenceError as fault:
        raise EvidenceError(fault.reason, f"{path} holds no key of a log: {fault}") from fault


def read_policy(path: Path) -> Policy:
    """Returns the policy in a file. Raises EvidenceError."""
    return parse_policy(_read(path, MAX_BYTES))


def is_published(place: str) -> bool:
    """True if a published log is meant: a directory or a URL."""
    return place.startswith(("http://", "https://")) or Path(place).is_dir()


def is_receipt(path: Path) -> bool:
    """True if the file is a receipt, by its first bytes."""
    try:
        with path.open("rb") as file:
            return file.read(len(_RECEIPT_HEADER)) == _RECEIPT_HEADER
    except OSError:
        return False


def is_proof(path: Path) -> bool:
    """True if the file is a proof of two histories, by its first bytes."""
    try:
        with path.open("rb") as file:
            begins = file.read(_PROOF_BEGINS)
    except OSError:
        return False
    return begins.startswith(b"{") and b'"proof_of"' in begins


def verdict_on_published(
    place: str,
    *,
    key: LogKey,
    policy: Policy | None,
    checkpoints: Sequence[Path],
    not_before: int = 0,
    progress: Progress | None = None,
) -> Verdict:
    """Returns what holds of a published log. Raises EvidenceError."""
    outside = [read_high_water(path, key) for path in checkpoints]
    source = open_source(place)
    try:
        found = verify_published(
            source, key=key, policy=policy, not_before=not_before, outside=outside, progress=progress
        )
    finally:
        source.close()
    head = found.checkpoint
    newest = shown_time(found.newest_ms)
    lines = [
        f"ok   {head.size} entries of {head.origin}" + (f", newest {newest}" if newest else ""),
        f"ok   root {head.root.hex()} follows from {found.files} published files",
        *(f"ok   it continues the given checkpoint of {each.size} entries" for each in found.outside),
        *_witnessed(policy, [each.key.name for each in found.cosigned]),
    ]
    if not checkpoints:
        lines.append("note no checkpoint from elsewhere was given; give --checkpoint to notice a log cut short")
    return Verdict(tuple(lines), {
        "origin": head.origin, "size": head.size, "root": head.root.hex(), "newest_time": newest,
        "files": found.files, "checkpoint_given": bool(checkpoints), "policy_given": policy is not None,
        "witnesses": [each.key.name for each in found.cosigned],
    })  # fmt: skip


def verdict_on_receipt(path: Path, *, key: LogKey) -> Verdict:
    """Returns what holds of a receipt: nothing of witnesses, who see a checkpoint later. Raises EvidenceError."""
    receipt = parse_receipt(_read(path, 4 * MAX_TEXT_CHARACTERS).decode("utf-8", "replace"))
    head = receipt.verify(key)
    names = [opening.name for opening in receipt.openings]
    lines = [
        f"ok   entry {receipt.index} is in the first {head.size} entries of {head.origin}",
        f"ok   {len(names)} of its fields are open: {', '.join(names)}",
        "note a receipt carries no cosignatures; verify the published log with --policy for what witnesses saw",
    ]
    return Verdict(tuple(lines), {"origin": head.origin, "index": receipt.index, "size": head.size, "open": names})


def verdict_on_proof(path: Path, *, key: LogKey) -> Verdict:
    """Returns what a proof of two histories proves. Raises EvidenceError where it proves nothing."""
    found = read_proof(_read(path, _PROOF_BYTES).decode("utf-8", "replace"), key)
    kinds = [each.kind for each in (found.first, found.second)]
    lines = [
        f"ok   PROOF {found.sentence()}",
        f"ok   a {kinds[0]} and a {kinds[1]}, each signed by this log, say so; nobody else's word is needed",
    ]
    start, end = found.range
    return Verdict(tuple(lines), {"origin": key.origin, "proof": True, "first_entry": start, "last_entry": end - 1})


def verdict_on_table(path: Path, *, key: LogKey) -> Verdict:
    """Returns what holds of a table whose rows carry proofs. Raises EvidenceError."""
    found = check_rows(path, key)
    head = found.newest
    if head is None:
        raise AssertionError("a table without a row is refused")
    lines = [
        f"ok   {found.count} entries are in the log {head.origin}",
        f"ok   they are proved under {len(found.roots)} checkpoint(s) it signed, the newest of {head.size} entries",
        "ok   every column that is evidence says what was written",
        f"note {' and '.join(NO_EVIDENCE)} are for reading; that no row was left out is not what a table shows",
        "note an empty cell tells nothing: whoever handed the table on may have closed the field to you",
    ]
    if found.unproved:
        whose = "that is the word of whoever handed the table on"
        lines.append(f"note in {found.unproved} rows requester or holder is named and not proved: {whose}")
    return Verdict(tuple(lines), {
        "origin": head.origin, "entries": found.count, "checkpoints": len(found.roots), "size": head.size,
        "unproved_sides": found.unproved,
    })  # fmt: skip


def proof_of_two_histories(first: Path, second: Path, *, key: LogKey) -> Contradiction:
    """Returns the proof in two files, each a receipt or a checkpoint. Raises EvidenceError where they hold none."""
    return find_contradiction(_statement(first, key), _statement(second, key), key)


def write_proof(found: Contradiction, path: Path) -> None:
    """The proof is in the file. Raises EvidenceError(STORE)."""
    try:
        path.write_text(found.document(), encoding="utf-8")
    except OSError as exc:
        raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be written") from exc


def _statement(path: Path, key: LogKey) -> str:
    """The text of a file that holds a statement of this log. Raises EvidenceError, which names the file."""
    text = _read(path, 4 * MAX_TEXT_CHARACTERS).decode("utf-8", "replace")
    try:
        read_statement(text, key)
    except EvidenceError as fault:
        raise EvidenceError(fault.reason, f"{path}: {fault}", index=fault.index) from fault
    return text


def _witnessed(policy: Policy | None, names: Sequence[str]) -> list[str]:
    if policy is None:
        return ["note no policy was given; give --policy to know that witnesses saw the same log"]
    return [f"ok   cosigned by {len(names)} of {len(policy.witnesses)} witnesses: {', '.join(names)}"]


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be read") from exc
    if len(data) > limit:
        raise EvidenceError(EvidenceReason.FORMAT, f"{path} is too long")
    return data
