"""One question together with everything established about it, and what its caller gets. Pure.

Carried through steps 8 to 13, so that each leaf, alert and order is made from the same values.
"""

from dataclasses import field
from datetime import datetime, timedelta
from math import floor
from typing import Final

from audit.entry import Draft, YouthKey
from audit.hot_value import hot_value
from audit.receipt import Receipt
from gateway.exchange import leaves
from gateway.exchange.call import Caller, Query
from gateway.exchange.locate import Candidate, Found
from gateway.exchange.reliance import Pair
from gateway.exchange.reviews import Review, to_review
from gateway.exchange.settle import youth_facts
from gateway.ports import Entered, KeptAuthority, NewAlert
from gateway.protocol.authority import Authority
from gateway.protocol.decide import (
    Decision,
    RequestFacts,
    YouthFacts,
    decide_request,
    decide_youth,
    withdraw,
)
from gateway.protocol.directory import DirectoryView
from gateway.protocol.matching.key_scheme import present_keys
from gateway.protocol.matching.score import compare_keys
from gateway.protocol.names import AuthorityId, Call, FieldSet, Obligation
from gateway.protocol.outcomes import REASONS, Phase, Reason
from gateway.protocol.policy.duties import Side, county_duties, owner_duties, tells_owner
from gateway.protocol.policy.facts import Located, milliseconds
from gateway.protocol.policy.rules import Policy
from homeward.gateway.v1.exchange_pb2 import (
    SOURCE_STATUS_ANSWERED,
    SOURCE_STATUS_BUSY,
    SOURCE_STATUS_ERROR,
    SOURCE_STATUS_UNSPECIFIED,
    SealedRecord,
)
from homeward.gateway.v1.link_pb2 import (
    ALERT_KIND_CHECKED,
    ALERT_KIND_DECIDE_BY_HAND,
    ALERT_KIND_EMERGENCY_USED,
    ALERT_KIND_RECORDS_RELEASED,
    WORK_STATUS_ANSWERED,
    WORK_STATUS_BUSY,
    WORK_STATUS_REFUSED,
    WorkResult,
)

_TOLD: Final = frozenset({"kind", "purpose", "policy", "worker", "request"})
"""Fields of a DECISION leaf that say the same for every youth."""
_RESULT: Final = _TOLD | {"decision", "outcome"}


@hot_value
class Shown:
    """A durable entry of which its reader can be shown the fields of these names and no other."""

    entered: Entered
    names: frozenset[str]

    @property
    def index(self) -> int:
        """Position in the log."""
        return self.entered.index

    @property
    def guarded(self) -> bool:
        """Whether the guard put a refusal in the entry's place."""
        return self.entered.guarded

    def receipt(self, names: frozenset[str]) -> Receipt:
        """Proof of the entry, with those of its fields open that are asked for and may be shown."""
        return self.entered.receipt(names & self.names)


def shown(decided: Entered, decision: Decision, family: Call) -> Shown:
    """The DECISION leaf as its caller may see it, once `decision` is what the call ended in.

    Never the digest of the decision's argument: whoever guesses what the exchange knows of the youth could confirm
    the guess by it. And where a record call ends in no record, not what was decided at first: a permit that the
    source or a revocation ended would tell a known youth from an unknown one.
    """
    withdrawn = family is Call.RECORD and not decision.permit and REASONS[decision.reason].phase is not Phase.REQUEST
    return Shown(decided, _TOLD if withdrawn else _RESULT)


@hot_value
class Result:
    """What the caller gets, before it is a message."""

    decision: Decision
    found: Found = field(repr=False)
    stale_counties: tuple[str, ...]
    decided: Entered = field(repr=False)
    released: Entered | None = field(default=None, repr=False)
    sealed: SealedRecord | None = field(default=None, repr=False)
    source_status: int = SOURCE_STATUS_UNSPECIFIED
    statement: bytes = field(default=b"", repr=False)
    """Of a permitted flag check: the owner's FlagStatement as a serialized SignedEnvelope."""


@hot_value
class Asked:
    """A decided question."""

    caller: Caller
    query: Query
    kept: KeptAuthority | None
    found: Found = field(repr=False)
    youth: YouthKey = field(repr=False)
    """Audit key for this question's next leaf; one that nobody keeps when neither a youth was found nor an authority on
    record named."""
    request: RequestFacts
    facts: YouthFacts | None
    committed: bytes = field(repr=False)
    """The exact argument of the decision; what the DECISION leaf commits to, and what replay decides on again."""
    authority: Authority | None = field(default=None, repr=False)
    """The named authority, opened."""
    under: AuthorityId | None = None
    """The authority on record under whose own key the DECISION is, because it is named and no youth was found."""

    @property
    def candidate(self) -> Candidate | None:
        """The one youth that was found."""
        return self.found.candidate

    def ended(self, decision: Decision, reason: Reason) -> Decision:
        """The refusal that takes the place of a permit for a reason of a later step."""
        if self.facts is None:
            return decision
        return withdraw(decision, self.request, self.facts, reason=reason)

    def decision_leaf(self, decision: Decision, *, policy: str) -> Draft:
        """The DECISION leaf."""
        return leaves.decision_leaf(
            self.caller,
            self.query,
            decision,
            policy=policy,
            committed=self.committed,
            youth=self.youth,
            is_kept=self.candidate is not None or self.under is not None,
            candidate=self.candidate,
        )

    def outcome_leaf(self, decision: Decision, *, decided: int, sealed: SealedRecord | None, youth: YouthKey) -> Draft:
        """The RELEASE leaf, or its equal-looking counterpart."""
        return leaves.outcome_leaf(
            self.caller,
            self.query,
            decision,
            decided=decided,
            sealed=sealed.sealed if sealed is not None else b"",
            youth=youth,
            candidate=self.candidate,
        )

    def decision_alerts(self, decision: Decision) -> tuple[NewAlert, ...]:
        """What owners hear of the decision, because the decision obliges to it and for no other reason.

        A match that is not certain is settled by voice: every owner it could mean is told at once who asked.
        """
        owed = frozenset(decision.obligations)
        alerts: list[NewAlert | None] = []
        if Obligation.PAGE_BOTH_DUTY_LINES in owed or (
            tells_owner(decision.obligations) and decision.permit and FieldSet.FS1_FLAG_STATUS in decision.field_sets
        ):
            duties = owner_duties(decision.obligations) if self.query.family is Call.FLAG_CHECK else ()
            alerts += (self._alert(each, ALERT_KIND_CHECKED, duties) for each in self.found.flagged)
        if Obligation.ALERT_PRIVACY_OFFICER in owed:
            alerts.append(
                self._alert(self.candidate, ALERT_KIND_EMERGENCY_USED, county_duties(decision.obligations, Side.OWNER))
            )
        # Of records alone, whose refusals leave on a slot: an alert more must not make a flag check take longer.
        if Obligation.OWNER_REVIEW in owed and self.found.located is Located.ONE and self.query.family is Call.RECORD:
            alerts.append(self._alert(self.candidate, ALERT_KIND_DECIDE_BY_HAND))
        return tuple(alert for alert in alerts if alert is not None)

    def to_review(self, policy: Policy, decision: Decision, directory: DirectoryView) -> tuple[Candidate, ...]:
        """The youths two agencies are to be asked about: those of whom a certain match would have been answered."""
        facts = self.facts
        if facts is None or decision.permit or not self.found.unsettled:
            return ()
        first = decide_request(policy, self.request)

        def would_tell(candidate: Candidate) -> bool:
            state = candidate.flag.state if candidate.flag is not None else None
            certain = youth_facts(
                Found(Located.ONE, candidate, state),
                self.caller.agency,
                self.authority,
                directory,
                coverage_complete=facts.coverage_complete,
            )
            return decide_youth(policy, self.request, certain, first).permit

        return to_review(self.found.unsettled, decision.reason, asking=self.caller.agency, would_tell=would_tell)

    def linked_pair(self) -> Pair | None:
        """The pair on whose link this is told; None where it rests on none."""
        found = self.candidate
        if found is None or not self.found.linked:
            return None
        return Pair(self.caller.agency, self.query.tokens, found.owner, found.handle)

    def review(self, candidate: Candidate, review_id: bytes) -> Review:
        """The possible match of this question with that youth."""
        asked, listed = present_keys(self.query.tokens), candidate.carried_keys
        return Review(
            review_id=review_id,
            asking=self.caller.agency,
            request_id=self.query.request_id,
            owner=candidate.owner,
            handle=candidate.handle,
            comparison=compare_keys(candidate.agreeing_keys, asked=asked, listed=listed),
        )

    def release_alerts(self, decision: Decision) -> tuple[NewAlert, ...]:
        """What the owner hears when a record of its youth left for another agency."""
        if not tells_owner(decision.obligations):
            return ()
        alert = self._alert(self.candidate, ALERT_KIND_RECORDS_RELEASED, owner_duties(decision.obligations))
        return () if alert is None else (alert,)

    def _alert(self, candidate: Candidate | None, kind: int, duties: tuple[Obligation, ...] = ()) -> NewAlert | None:
        if candidate is None or candidate.owner == self.caller.agency:
            return None
        return NewAlert(
            agency=candidate.owner,
            kind=kind,
            handle=candidate.handle,
            youth=(candidate.owner, candidate.handle),
            acting_agency=self.caller.agency,
            create_ms=milliseconds(self.caller.call.received_at),
            purpose=self.caller.claims.purpose,
            flag_id=candidate.flag.flag_id if candidate.flag is not None else b"",
            duties=duties,
        )


def read_result(result: WorkResult) -> tuple[SealedRecord | None, int, Reason | None]:
    """What a source's result means: the sealed answer, the status of its row, and why there is no answer."""
    if result.status == WORK_STATUS_ANSWERED and result.HasField("sealed_record"):
        return result.sealed_record, SOURCE_STATUS_ANSWERED, None
    if result.status == WORK_STATUS_REFUSED:
        return None, SOURCE_STATUS_UNSPECIFIED, Reason.REFUSED_BY_SOURCE
    status = SOURCE_STATUS_BUSY if result.status == WORK_STATUS_BUSY else SOURCE_STATUS_ERROR
    return None, status, Reason.SOURCE_UNAVAILABLE


def looks_unknown(decision: Decision) -> bool:
    """Whether the refusal must look, and take as long, as that of an unknown youth."""
    return not decision.permit and REASONS[decision.reason].phase is Phase.YOUTH


def next_slot(received: datetime, now: datetime, seconds: float) -> datetime:
    """The first multiple of the slot after receipt that is not yet over."""
    passed = floor((now - received).total_seconds() / seconds)
    return received + timedelta(seconds=seconds * (passed + 1))
