"""What `homeward gateway status` and `homeward custodian status` say of the mirror. Decides the words."""

from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from gateway.recovery.target import MirrorFault
from homeward.gateway.v1.admin_pb2 import MirrorStatus

_WORDS: Final[dict[MirrorFault, str]] = {
    MirrorFault.MISSING: "the directory is not there; mount its storage",
    MirrorFault.SAME_FILE_SYSTEM: "the directory is on the database's file system; is its storage mounted?",
    MirrorFault.BUSY: "another process writes there",
    MirrorFault.FULL: "its storage has no room",
    MirrorFault.STORAGE: "its storage fails",
    MirrorFault.EVIDENCE: "log or mirror do not hold, or it is another log's; run: homeward audit fsck",
    MirrorFault.SETTINGS: "settings or a secret cannot be read",
    MirrorFault.ENDED: "a round was killed, or could not be started",
    MirrorFault.SLOW: "a round takes too long, and goes on",
}


def mirror_lines(status: MirrorStatus) -> Iterator[str]:
    """How far the mirror is behind, and since when it fails."""
    if status.kept:
        line = f"mirror      {status.mirrored_size} entries, {status.behind_count} behind"
        yield f"{line}; brought up to date {status.age_seconds} s ago"
    elif not status.fault:
        yield "mirror      the first round since the start is under way"
    if status.fault:
        yield f"NO MIRROR   for {status.failing_seconds} s [{status.fault}]: {_WORDS[MirrorFault(status.fault)]}"


def mirror_fields(status: MirrorStatus) -> dict[str, Any]:
    """The same, for `--json`."""
    return MessageToDict(status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
