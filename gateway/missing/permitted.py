"""Which act each report about a missing youth is, and whether the policy lets this user do it. Pure.

Decides on the request and the caller's membership alone, before anything is looked up: a refusal tells nothing about a
youth or a flag. The roles are data (`protocol/policy`, flag acts). A report that turns out to be less than it set out
to be, as where another agency's flag is open already, needs no second look: whoever may keep flags may report likewise
(`policy/bundle`).
"""

from gateway.exchange.call import Caller
from gateway.missing.episode import OWNER_KINDS
from gateway.protocol.names import FlagAct
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.conditions import flag_act_gap
from gateway.protocol.policy.rules import Policy
from homeward.gateway.v1.missing_pb2 import FlagReport, FlagResolution, FlagUpdate, LocatedReport

Report = FlagReport | FlagUpdate | LocatedReport | FlagResolution


def act_of(caller: Caller, report: Report) -> FlagAct:
    """What the report sets out to do."""
    if isinstance(report, FlagReport):
        owns = caller.member.kind in OWNER_KINDS and bool(report.subject_handle)
        return FlagAct.KEEP_OWN_FLAG if owns else FlagAct.REPORT_MISSING
    if isinstance(report, FlagUpdate) or (isinstance(report, FlagResolution) and report.HasField("flag_statement")):
        return FlagAct.KEEP_OWN_FLAG
    return FlagAct.REPORT_LOCATED


def report_gap(policy: Policy, caller: Caller, report: Report) -> Reason | None:
    """Why this user may not report this; None when they may."""
    claims = caller.claims
    act = act_of(caller, report)
    return flag_act_gap(policy, act, kind=caller.member.kind, role=claims.role, purpose=claims.purpose)
