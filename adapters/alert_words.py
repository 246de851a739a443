"""Alerts that the exchange does not hand over, in words for people. Pure."""

from collections.abc import Sequence

from homeward.county.v1.access_pb2 import GetStatusResponse


def alert_lines(found: GetStatusResponse) -> Sequence[str]:
    """A line for an alert that is withheld, and one for alerts that the exchange counted no more."""
    lines = []
    if found.missing_alert:
        lines.append(
            f"FAIL  alert {found.missing_alert} was not handed over, though there are later ones; none is stored "
            "until it comes: ask the exchange's operator for `homeward audit fsck`, and look through the open flags"
        )
    if found.forgotten_alert:
        lines.append(
            f"FAIL  the exchange forgot alerts that are here, from number {found.forgotten_alert} on; new ones under "
            "these numbers never arrive: ask its operator for `homeward audit fsck`, and look through the open flags"
        )
    return lines
