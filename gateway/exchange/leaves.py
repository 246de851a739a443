"""Which leaf each step of a disclosure leaves, and who may open which field of it. Pure.

A permit and a refusal leave the same number of leaves, and their receipts open the same
fields to the requester: never the internal reason, which would tell unknown from sealed
(ARCHITECTURE §6, Outcomes). Leaves with and without a youth have the same number of fields,
because the slot of its sequence number, which the requester may open, would tell them apart.

The holder may open who asked. An entry has at most eleven fields beside the log's own; where an
authority is named, the one that closes a record call says who asked, and the decision which authority.
"""

from hashlib import sha256
from typing import Final

from audit.entry import Draft, YouthKey
from gateway.errors import ErrorReason
from gateway.exchange.call import Call, Caller, Query
from gateway.exchange.journal import ALLOW, DENY, Kind, Value, draft
from gateway.exchange.locate import Candidate
from gateway.protocol.decide import Decision
from gateway.protocol.log_kinds import grant_text
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId

REQUESTER_OPENS: Final = frozenset(
    {"kind", "decision", "outcome", "purpose", "policy", "worker", "request", "sealed", "decided"}
)
"""Field names a requester's receipt opens."""
SOURCE_OPENS: Final = REQUESTER_OPENS | {"fields", "input"}
"""Field names the receipt in a work order opens."""


def decision_leaf(
    caller: Caller,
    query: Query,
    decision: Decision,
    *,
    policy: str,
    committed: bytes,
    youth: YouthKey,
    is_kept: bool,
    candidate: Candidate | None,
) -> Draft:
    """The DECISION leaf. `committed` is the exact argument of `decide`; the leaf holds its SHA-256.

    `is_kept` tells whether anybody keeps the key `youth`: it is a youth's, or of an authority on record.
    """
    op: dict[str, Value] = {
        "decision": ALLOW if decision.permit else DENY,
        "outcome": decision.outcome,
        "purpose": caller.claims.purpose,
        "policy": policy,
    }
    # A permit has one reason; the slot goes to what was granted instead.
    op |= {"fields": _granted(decision)} if decision.permit else {"reason": decision.reason}
    asked: dict[str, Value] = {"requester": caller.agency}
    known: dict[str, Value] = {"input": sha256(committed).digest()}
    # With the youth: an argument holds little that cannot be guessed, so that its digest would tell what was known of a
    # youth after the seal. About nobody it stands where a replay reads it; the requester opens neither.
    req = _worker(caller) | {"request": query.digest} | ({} if is_kept else known)
    named = known if is_kept else {}
    if caller.claims.authority_id is not None:
        # With the youth, or about nobody under the authority's own key: by an authority that they share, entries would
        # be known as one youth's after its seal.
        asked = {}
        named = named | {"authority": caller.claims.authority_id.hex()}
    return _about(Kind.DECISION, caller, candidate, youth, op=op, req=req, hold=asked, named=named)


def outcome_leaf(
    caller: Caller,
    query: Query,
    decision: Decision,
    *,
    decided: int,
    sealed: bytes,
    youth: YouthKey,
    candidate: Candidate | None,
) -> Draft:
    """The RELEASE leaf, or its equal-looking counterpart when nothing leaves.

    `decided` is the index of the DECISION leaf; `sealed` the ciphertext that leaves, empty for none.
    """
    op: dict[str, Value] = {
        "decision": ALLOW if decision.permit else DENY,
        "outcome": decision.outcome,
        "purpose": caller.claims.purpose,
        "decided": decided,
    }
    op |= {"fields": _granted(decision)} if decision.permit else {"reason": decision.reason}
    req = _worker(caller) | {"request": query.digest, "sealed": sha256(sealed).digest() if sealed else b""}
    return _about(Kind.OUTCOME, caller, candidate, youth, op=op, req=req, hold={"requester": caller.agency})


def refused_leaf(call: Call, reason: ErrorReason) -> Draft:
    """The leaf of a message that was refused before any decision: names the channel, not the claimed user."""
    return draft(
        Kind.REFUSED,
        requester=call.agency,
        op={"decision": DENY, "reason": reason},
        req={"request": sha256(call.payload).digest()},
    )


def more_refused_leaf(agency: AgencyId, reason: ErrorReason, more: int) -> Draft:
    """The leaf of messages that were refused like those before it in the same minute, and only counted."""
    return draft(Kind.REFUSED, requester=agency, op={"decision": DENY, "reason": reason, "more": more})


def _about(
    kind: Kind,
    caller: Caller,
    candidate: Candidate | None,
    youth: YouthKey,
    *,
    op: dict[str, Value],
    req: dict[str, Value],
    hold: dict[str, Value],
    named: dict[str, Value] | None = None,
) -> Draft:
    return draft(
        kind,
        requester=caller.agency,
        holder=candidate.owner if candidate is not None else None,
        op=op,
        req=req,
        hold=hold,
        # About nobody: under the key of the authority that it names, or one that nobody keeps.
        youth={"handle": candidate.handle if candidate is not None else bytes(OPAQUE_LENGTH)} | (named or {}),
        youth_key=youth,
    )


def _worker(caller: Caller) -> dict[str, Value]:
    return {"worker": f"{caller.claims.subject} {caller.claims.role}"}


def _granted(decision: Decision) -> str:
    if decision.basis is None:
        raise AssertionError("a permit rests on something")
    return grant_text(decision.field_sets, decision.basis, decision.obligations)
