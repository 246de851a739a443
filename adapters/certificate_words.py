"""The adapter's channel certificate in words: nothing while it counts, and what to do once it does not."""

from datetime import UTC, datetime
from typing import Final

from homeward.county.v1.access_pb2 import GetStatusResponse

REMEDY: Final = (
    "ask the exchange for a new invitation and join again in this directory, "
    "or in a new one where somebody else may have a copy of it"
)


def certificate_faults(found: GetStatusResponse, now: datetime) -> list[str]:
    """What keeps the certificate from counting."""
    expires = found.certificate_expire_time.ToDatetime(UTC)
    if found.HasField("certificate_expire_time") and expires <= now:
        return [f"certificate expired {expires:%Y-%m-%d %H:%M} UTC"]
    if found.certificate_refused:
        return ["certificate refused by the exchange: revoked, or locked because two adapters used it"]
    return []


def certificate_lines(found: GetStatusResponse, now: datetime) -> list[str]:
    """The same for a person."""
    return [f"FAIL  {fault}: {REMEDY}" for fault in certificate_faults(found, now)]
