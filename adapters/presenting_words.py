"""What is left to do after a declared loss of the exchange's log, in words for people. Pure."""

from collections.abc import Iterable, Sequence

from homeward.county.v1.access_pb2 import PresentingState


def presenting_lines(state: PresentingState) -> Sequence[str]:
    """What the adapter still presents by itself, and what staff must do; identifiers of the first of them."""
    lines = []
    due = {"authorities": state.due_authority_count, "flags": state.due_flag_count, "reports": state.due_report_count}
    if any(due.values()):
        left = ", ".join(f"{count} {what}" for what, count in due.items() if count)
        lines.append(f"wait  the exchange lost entries: {left} are still to be presented again")
    if state.refused_flag_count:
        lost = f"{state.refused_flag_count} flags are lost at the exchange, and meanwhile no miss is a negative"
        lines.append(f"FAIL  {lost}: report these youths missing again, or end the flags")
        lines += _names("flag", state.refused_flag_ids)
    if state.refused_revocation_count:
        lost = f"{state.refused_revocation_count} revocations are not on record at the exchange, which refused them"
        lines.append(f"FAIL  {lost}: revoke these authorities again")
        lines += _names("authority", state.refused_revocation_ids)
    if state.refused_report_count:
        lost = f"{state.refused_report_count} reports about other agencies' youths are lost at the exchange"
        lines.append(f"warn  {lost}: report again where it still matters")
        lines += _names("report", state.refused_report_ids)
    if state.doubted_authority_count:
        ended = f"{state.doubted_authority_count} authorities count as revoked since the exchange lost entries"
        lines.append(f"warn  {ended}: record them anew, or revoke them")
        lines += _names("authority", state.doubted_authority_ids)
    return lines


def _names(what: str, names: Iterable[bytes]) -> Sequence[str]:
    return [f"      {what} {name.hex()}" for name in names]
