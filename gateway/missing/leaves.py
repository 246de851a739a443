"""Which leaf each report about a missing youth leaves, and who may open which field of it. Pure.

A report whose youth was found and one whose youth was not have the same number of fields, and
the reporter may open the same ones: neither the fields nor the slot of its sequence number tell
them apart (ARCHITECTURE §6, Outcomes).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from audit.entry import Draft, YouthKey
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, worker
from gateway.exchange.journal import ALLOW, Kind, Value, draft
from gateway.protocol.names import AgencyId, FlagState, SubjectHandle
from gateway.protocol.outcomes import REASONS, Reason


@dataclass(frozen=True, slots=True)
class About:
    """The youth a leaf is about."""

    owner: AgencyId
    handle: SubjectHandle = field(repr=False)
    flag_id: bytes
    """Empty: no flag."""
    key: YouthKey = field(repr=False)


def report_leaf(
    kind: Kind,
    caller: Caller,
    deed: Deed,
    *,
    reason: Reason,
    about: About | None,
    state: FlagState | None = None,
    county: str | None = None,
) -> Draft:
    """The leaf of a recorded report.

    `state` is the flag's state as the caller is told; `county` where the youth is, for the owner alone, None for
    reports that do not say.
    """
    op: dict[str, Value] = {
        "decision": ALLOW,
        "outcome": REASONS[reason].outcome or "",
        "purpose": caller.claims.purpose,
        "reason": reason,
    }
    op |= {"state": state} if state is not None else {}
    req: Mapping[str, Value] = {"worker": worker(caller), "request": deed.digest}
    hold: dict[str, Value] = {"requester": caller.agency}
    hold |= {"county": county} if county is not None else {}
    if about is None:
        # Class `hold` without a holder: nobody ever opens these two, which stand for those of the youth.
        return draft(kind, requester=caller.agency, op=op, req=req, hold=hold | {"handle": b"", "flag": b""})
    return draft(
        kind,
        requester=caller.agency,
        holder=about.owner,
        op=op,
        req=req,
        hold=hold,
        youth={"handle": about.handle, "flag": about.flag_id},
        youth_key=about.key,
    )
