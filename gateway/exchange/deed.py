"""A call that records something: the same request carried out twice has happened once. Pure but for its ports.

Decides what a retry is: the same identifier with the same bytes, under whatever assertion. It
leads to the entry of the first time and leaves no other; the same identifier with other bytes
is refused, and so is an assertion that was used before. What a decision rested on is checked
again in the transaction of its entry; if it has changed, the decision is made anew.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Protocol, TypeVar

from audit.entry import Draft
from audit.sequencer import Append
from audit.transaction import Tx
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.alerting import tell
from gateway.exchange.call import Caller
from gateway.exchange.journal import DENY, Kind, Value, draft
from gateway.exchange.setting import Setting
from gateway.ports import Entered, Guard, NewAlert, Rows
from gateway.protocol.names import OPAQUE_LENGTH, Purpose, RequestId
from gateway.protocol.outcomes import REASONS, Outcome, Reason
from gateway.protocol.policy.conditions import overseer_gap, staff_gap
from gateway.protocol.policy.rules import Policy

_TRIES: Final = 5
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Deed:
    """What the log knows a recording call by."""

    request_id: RequestId
    digest: bytes
    """SHA-256 of its exact bytes."""
    spends_assertion: bool = True


class Repeated(Exception):
    """This very request was carried out before, by the entry at `index`."""

    def __init__(self, index: int) -> None:
        super().__init__("request carried out before")
        self.index = index


class Moved(Exception):
    """What the decision rested on has changed since it was read."""


class Deeds(Protocol):
    """Requests that were carried out."""

    async def done(self, caller: Caller, deed: Deed) -> Entered | None:
        """The entry that carried out this very request before, or None for a new request.

        Raises `Conflict` for an identifier that stood for something else, and for an assertion used before.
        """

    def fresh(self, caller: Caller, deed: Deed) -> Guard:
        """Raises `Repeated` for a request that was carried out meanwhile; `Conflict` as `done`."""

    async def entry(self, index: int) -> Entered:
        """The entry at this index, with proof."""


def reading(caller: Caller) -> Deed:
    """A call that reads. Each is an access and an entry of its own, retry or not; only its assertion counts once."""
    identifier = sha256(b"homeward/reading/v1\0" + caller.claims.assertion_id.encode()).digest()[:OPAQUE_LENGTH]
    return Deed(RequestId(identifier), caller.claims.request_digest)


def both(first: Guard, second: Guard) -> Guard:
    """Both guards, in this order."""

    def guard(tx: Tx) -> Draft | None:
        return first(tx) or second(tx)

    return guard


async def enter_once(
    at: Setting,
    deeds: Deeds,
    caller: Caller,
    deed: Deed,
    leaf: Draft,
    *,
    guard: Guard | None = None,
    rows: Rows = (),
    alerts: Sequence[NewAlert] = (),
) -> Entered:
    """The leaf and all that changes with it are durable, once, and whoever is alerted is told.

    Returns the entry of the first time when another call carried out the same request meanwhile. Raises what the
    guard raises, `Moved` where an alert's youth was sealed meanwhile, `Conflict`, `Unavailable`.
    """
    fresh = deeds.fresh(caller, deed)
    rows = at.projections.spend(caller, deed) + rows
    told = await tell(at.projections, at.youth_keys, at.sources, alerts)
    try:
        guarded = fresh if guard is None else both(fresh, guard)
        return await at.journal.enter(Append(leaf, guarded, rows, says=told.says, then=told.then))
    except Repeated as repeated:
        return await deeds.entry(repeated.index)


async def on_what_stands(
    decide: Callable[[], Awaitable[Result]], *, quiet: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
) -> Result:
    """What `decide` returns, made anew as long as what it read moves, the last time within `quiet`.

    Raises `Unavailable` when it never rests.
    """
    for left in reversed(range(_TRIES)):
        try:
            async with nullcontext() if left else quiet():
                return await decide()
        except Moved:
            continue
    raise Unavailable(ErrorReason.OVERLOADED)


def standing(policy: Policy, caller: Caller) -> Reason | None:
    """Why this user may not record anything; None when they may.

    The role must exist in this kind of agency (SECURITY AZ), and none that oversees must learn from the log whom a
    report of its own found.
    """
    kind = caller.member.kind
    return staff_gap(policy, kind, caller.claims.role) or overseer_gap(kind)


def denied_leaf(caller: Caller, deed: Deed, reason: Reason, *, policy: str, purpose: Purpose | None) -> Draft:
    """The leaf of a recording call that the policy refuses; depends on the request alone.

    `purpose` is None for an act that has no purpose of use: its assertion must name one, which nobody stated.
    """
    op: dict[str, Value] = {"decision": DENY, "outcome": outcome_of_refusal(reason)}
    op |= {"purpose": purpose} if purpose is not None else {}
    return draft(
        Kind.DECISION,
        requester=caller.agency,
        op=op | {"policy": policy, "reason": reason},
        req={"worker": worker(caller), "request": deed.digest},
    )


def outcome_of_refusal(reason: Reason) -> Outcome:
    """What the caller sees for a reason that depends on the request alone."""
    outcome = REASONS[reason].outcome
    if outcome is None:
        raise AssertionError("a reason of the request has one outcome")
    return outcome


def worker(caller: Caller) -> str:
    """Who acted, as entries name it: the county's pseudonym and the role."""
    return f"{caller.claims.subject} {caller.claims.role}"


def opened(entered: Entered, name: str) -> str:
    """Text of one field of class `op` or `req`; empty when the entry has none of this name. For the exchange itself."""
    for opening in entered.receipt(frozenset({name})).openings:
        return opening.value.decode()
    return ""
