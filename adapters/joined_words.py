"""What an operator is told once a directory is of a member."""

from datetime import UTC
from pathlib import Path

from adapters.config import FILE_NAME
from adapters.enrolling import Joined
from adapters.fingerprint import spoken


def joined_data(joined: Joined) -> dict[str, object]:
    """The same for programs."""
    digest = joined.root_fingerprint
    return {
        "ok": joined.is_line_used,
        "already_joined": joined.was_member,
        "line_used": joined.is_line_used,
        "agency": joined.membership.agency,
        "spiffe_id": joined.membership.spiffe_id,
        "county_root_fingerprint": digest.hex(),
        "county_root_words": spoken(digest) if digest else "",
    }


def joined_text(joined: Joined, file: Path) -> str:
    """Identity, the county root to tell the custodian, what became of the line, and what to do next."""
    member, digest = joined.membership, joined.root_fingerprint
    lines = [f"ok    identity {member.spiffe_id}"]
    if digest:
        lines += [
            f"ok    county root  {spoken(digest)}",
            f"                   {digest.hex()}",
            "Tell this fingerprint to the custodian's operator by telephone; the words find a slip, all of it counts.",
        ]
    where = f"--dir {file.parent}" if file.name == FILE_NAME else f"--config {file}"
    if joined.unused_until is not None:
        until = f"{joined.unused_until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        lines += [
            "note  This directory has joined already, and its certificate is good: there was nothing to do.",
            f"      The line was not used. It can be redeemed until {until}, here only with --again.",
        ]
    elif joined.was_member:
        lines.append("Joined. This line is spent; keys, list and flags of this directory are as they were.")
    else:
        lines.append("Joined. This line is spent; restarts do not need it.")
    write = "" if file.exists() else f"write {file} (deploy/county.example.yaml shows one), then "
    lines.append(f"  next   {write}homeward adapter check {where}")
    return "\n".join(lines)
