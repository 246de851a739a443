"""Alerts that the exchange does not hand over, in words for people. Pure."""

from collections.abc import Sequence

from homeward.county.v1.access_pb2 import GetStatusResponse


def alert_lines(found: GetStatusResponse) -> Sequence[str]:
    """A line for an alert that is withheld, one for what is lost for good, and one for what the exchange forgot."""
    lines = []
    if found.missing_alert:
        lines.append(
            f"FAIL  alert {found.missing_alert} was not handed over, though there are later ones; none is stored "
            "until it comes: ask the exchange's operator for `homeward audit fsck`, and look through the open flags"
        )
    if found.lost_alert:
        lines.append(
            f"warn  alerts up to number {found.lost_alert} did not all arrive, and are lost for good: the exchange "
            "declared a loss; look through the open flags"
        )
    if found.forgotten_alert:
        lines.append(
            f"FAIL  the exchange forgot alerts that are here, from number {found.forgotten_alert} on; new ones under "
            "these numbers never arrive: ask its operator for `homeward audit fsck`, and look through the open flags"
        )
    return lines
