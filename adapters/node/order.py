"""Step 10: whether a work order is what it says, found out alone. Pure.

The gateway is believed in nothing that can be checked here (ARCHITECTURE §6, Work order). In this order, first failure
wins, and every failure has a reason of its own:

     1  the grant is for this agency and its time has not passed
     2  the request bytes are a well-formed query, its tokens a set of the scheme with the complete core group
     3  the requester's county signed for a user over these very bytes, and the grant names that agency
     4  the decision is in the log: signed checkpoint, inclusion, openings, not long ago
     5  the log's entry says this request, this decision, this user, this policy
     6  the policy is the one of the directory, and the one this release carries
     7  the authority the user named is as its issuer signed it
     8  the committed facts of the request are those that follow from the verified bytes
     9  the committed facts lead to a permit of exactly the granted field sets
    10  the answer goes to a seal key that the directory certifies for the requester

What remains, the youth's own side, is decided on this county's own facts in `settle`.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.node.refusal import OrderRefused, Refusal
from audit.checkpoint import LogKey
from audit.entry import Opening
from audit.errors import EvidenceError
from audit.leaf import leaf_time
from audit.receipt import Receipt
from gateway.protocol.assertion import LEEWAY, AssertionFault, AssertionRefused, Claims, verify_assertion
from gateway.protocol.authority import (
    Authority,
    AuthorityFacts,
    AuthorityStatus,
    Use,
    check,
)
from gateway.protocol.authority_wire import AuthorityInvalid, open_authority
from gateway.protocol.decide import decide
from gateway.protocol.directory import DirectoryView, KeyUnknown, MemberView
from gateway.protocol.matching.key_scheme import ShapeError, load_key_scheme
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet
from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.parse import check as check_message
from gateway.protocol.policy.facts import (
    DecisionInput,
    DecisionInputError,
    Located,
    RequestFacts,
    moment_of,
)
from gateway.protocol.policy.rules import Policy
from gateway.protocol.request_facts import facts_of, use_of
from gateway.protocol.spiffe import IdentityMalformed, parse_spiffe
from gateway.protocol.wire_names import from_wire
from homeward.audit.v1 import log_pb2
from homeward.gateway.v1.directory_pb2 import KEY_USE_SEAL
from homeward.gateway.v1.exchange_pb2 import RecordsQuery
from homeward.gateway.v1.link_pb2 import WorkOrder

RECENT: Final = timedelta(minutes=2)
"""How long ago the decision may have been written; an old receipt proves an old decision."""
MAX_GRANT_LIFE: Final = timedelta(minutes=5)
SOURCE_FIELD_SETS: Final = frozenset(
    {
        FieldSet.FS2_FLAG_LOCATE,
        FieldSet.FS3_FLAG_CASEWORK,
        FieldSet.FS4_PLACEMENT_SUMMARY,
        FieldSet.FS5_PLACEMENT_DETAIL,
        FieldSet.FS6_JURISDICTION_CONTACT,
    }
)
"""What only the source can answer; FS0, FS1 and FS7 are answered from the log."""


@dataclass(frozen=True, slots=True)
class Here:
    """Who checks, and with what."""

    agency: AgencyId
    directory: DirectoryView
    policy: Policy
    now: datetime


@dataclass(frozen=True, slots=True)
class VerifiedOrder:
    """A work order of which everything was checked that does not concern the youth."""

    query: RecordsQuery = field(repr=False)
    digest: bytes
    """SHA-256 of the exact request bytes."""
    claims: Claims
    requester: MemberView
    authority: Authority | None = field(repr=False)
    given: DecisionInput
    granted: tuple[FieldSet, ...]
    """As the grant lists them, ascending: what only a source can answer."""
    decided: tuple[FieldSet, ...]
    """As the decision lists them, ascending: what the requester is told it was granted, and the answer is bound to."""
    recipient_key: bytes = field(repr=False)
    decision_index: int

    @property
    def request(self) -> RequestFacts:
        """The facts of the request."""
        return self.given.request


def verify_order(order: WorkOrder, here: Here) -> VerifiedOrder:
    """The order, checked as the module says. `order` is unverified. Raises `OrderRefused`."""
    _check_grant(order, here)
    query = _query(order)
    claims, requester = _claims(order, here)
    index = _check_receipt(order, claims, here)
    given = _check_policy(order, here)
    authority = _authority(order, claims, here)
    _check_facts(order, query, claims=claims, requester=requester, authority=authority, given=given)
    granted, decided = _check_decision(order, given, here)
    return VerifiedOrder(
        query=query,
        digest=hashlib.sha256(order.request_payload).digest(),
        claims=claims,
        requester=requester,
        authority=authority,
        given=given,
        granted=granted,
        decided=decided,
        recipient_key=_recipient_key(order, query, requester.agency, here),
        decision_index=index,
    )


def _check_grant(order: WorkOrder, here: Here) -> None:
    try:
        check_message(order)
        expires = order.grant.expire_time.ToDatetime(UTC)
    except (MalformedMessage, ValueError) as exc:
        raise OrderRefused(Refusal.MALFORMED) from exc
    if order.grant.source_agency != here.agency:
        raise OrderRefused(Refusal.OTHER_SOURCE)
    if expires <= here.now:
        raise OrderRefused(Refusal.GRANT_EXPIRED)
    if expires > here.now + MAX_GRANT_LIFE:
        raise OrderRefused(Refusal.GRANT_TOO_LONG)


def _query(order: WorkOrder) -> RecordsQuery:
    try:
        query = parse(RecordsQuery, order.request_payload)
        # As the exchange does: tokens packed in, or a key left out, would be another question (TOKENS §4.1).
        load_key_scheme().check_core(query.tokens)
    except (MalformedMessage, ShapeError) as exc:
        raise OrderRefused(Refusal.QUERY_MALFORMED) from exc
    return query


def _claims(order: WorkOrder, here: Here) -> tuple[Claims, MemberView]:
    try:
        claims = verify_assertion(
            order.user_assertion,
            directory=here.directory,
            payload=order.request_payload,
            now=here.now,
            # The channel between requester and gateway ends there; the gateway compared it (SECURITY §3.1).
            channel_thumbprint=None,
        )
        actor = parse_spiffe(claims.actor)
    except AssertionRefused as refused:
        raise OrderRefused(_ASSERTION[refused.fault]) from refused
    except IdentityMalformed as exc:
        raise OrderRefused(Refusal.REQUESTER_DIFFERS) from exc
    requester = here.directory.member(claims.issuer)
    named = (order.grant.requester_agency, actor.agency, actor.trust_domain)
    if requester is None or named != (claims.issuer, claims.issuer, here.directory.trust_domain):
        raise OrderRefused(Refusal.REQUESTER_DIFFERS)
    return claims, requester


def _check_receipt(order: WorkOrder, claims: Claims, here: Here) -> int:
    """Steps 4 and 5. Returns the index of the DECISION leaf."""
    receipt = _receipt(order.decision_receipt)
    try:
        receipt.verify(LogKey(here.directory.message.log_origin, here.directory.message.log_key))
        written = moment_of(leaf_time(receipt.leaf))
    except (EvidenceError, ValueError, OverflowError) as exc:
        raise OrderRefused(Refusal.RECEIPT_INVALID) from exc
    if not here.now - RECENT <= written <= here.now + LEEWAY:
        raise OrderRefused(Refusal.RECEIPT_OLD)
    said = {opening.name: opening.value for opening in receipt.openings}
    if len(said) != len(receipt.openings):
        # Two classes may name a field alike; what is said twice is not said.
        raise OrderRefused(Refusal.RECEIPT_INVALID)
    expected = {
        "kind": (b"access.decision", Refusal.RECEIPT_NO_PERMIT),
        "decision": (b"ALLOW", Refusal.RECEIPT_NO_PERMIT),
        "request": (hashlib.sha256(order.request_payload).digest(), Refusal.RECEIPT_OTHER_REQUEST),
        "worker": (f"{claims.subject} {claims.role}".encode(), Refusal.RECEIPT_OTHER_USER),
        "purpose": (claims.purpose.encode(), Refusal.RECEIPT_OTHER_USER),
        "input": (hashlib.sha256(order.decision_input).digest(), Refusal.RECEIPT_OTHER_INPUT),
        "policy": (here.directory.message.policy_version.encode(), Refusal.POLICY_DIFFERS),
    }
    for name, (value, refusal) in expected.items():
        if said.get(name) != value:
            raise OrderRefused(refusal)
    return receipt.index


def _receipt(message: log_pb2.Receipt) -> Receipt:
    return Receipt(
        index=message.index,
        leaf=message.leaf,
        digests=message.digests,
        openings=tuple(Opening(each.slot, each.name, each.value, each.salt) for each in message.openings),
        inclusion_hashes=tuple(message.inclusion_hashes),
        checkpoint=message.checkpoint,
    )


def _check_policy(order: WorkOrder, here: Here) -> DecisionInput:
    try:
        given = DecisionInput.from_bytes(order.decision_input)
    except DecisionInputError as exc:
        raise OrderRefused(Refusal.FACTS_DIFFER) from exc
    directory = here.directory.message
    if not given.policy_digest == directory.policy_digest == here.policy.digest:
        raise OrderRefused(Refusal.POLICY_DIFFERS)
    if order.grant.policy_version != directory.policy_version:
        raise OrderRefused(Refusal.POLICY_DIFFERS)
    return given


def _authority(order: WorkOrder, claims: Claims, here: Here) -> Authority | None:
    if not order.HasField("authority"):
        return None
    try:
        authority = open_authority(order.authority, here.directory, here.now)
    except AuthorityInvalid as exc:
        raise OrderRefused(Refusal.AUTHORITY_INVALID) from exc
    if authority.authority_id != claims.authority_id:
        raise OrderRefused(Refusal.AUTHORITY_DIFFERS)
    return authority


def _check_facts(
    order: WorkOrder,
    query: RecordsQuery,
    *,
    claims: Claims,
    requester: MemberView,
    authority: Authority | None,
    given: DecisionInput,
) -> None:
    """Step 8: rebuilds the facts of the request and compares their one byte form."""
    said = given.request
    try:
        evidence = tuple((from_wire(EvidenceKind, each.kind), each.reference_commitment) for each in query.evidence)
        field_sets = tuple(from_wire(FieldSet, number) for number in query.field_sets)
    except MalformedMessage as exc:
        raise OrderRefused(Refusal.QUERY_MALFORMED) from exc
    if not claims.issued - LEEWAY <= said.received_at <= claims.expires + LEEWAY:
        raise OrderRefused(Refusal.FACTS_DIFFER)
    use = use_of(claims, requester.agency, evidence=evidence, field_sets=field_sets, tokens=query.tokens)
    rebuilt = facts_of(
        claims,
        requester,
        evidence=evidence,
        field_sets=field_sets,
        authority=_worth(authority, use, said),
        received_at=said.received_at,
        # Counted over all sources, so only the log knows it; more uses than this source saw only narrow.
        emergency_uses=said.emergency_uses,
    )
    if DecisionInput(given.policy_digest, rebuilt, given.youth).to_bytes() != order.decision_input:
        raise OrderRefused(Refusal.FACTS_DIFFER)


def _worth(authority: Authority | None, use: Use, said: RequestFacts) -> AuthorityFacts | None:
    # That an authority was revoked is the log's knowledge. Believing it can only narrow, and a rule that rests on
    # statute does not look at it.
    revoked = said.authority is not None and said.authority.status is AuthorityStatus.REVOKED
    return check(authority, use, said.received_at, revoked=revoked)


def _check_decision(
    order: WorkOrder, given: DecisionInput, here: Here
) -> tuple[tuple[FieldSet, ...], tuple[FieldSet, ...]]:
    """Step 9. Returns the field sets of the grant, and of the whole decision."""
    decision = decide(here.policy, given)
    try:
        granted = tuple(from_wire(FieldSet, number) for number in order.grant.field_sets)
    except MalformedMessage as exc:
        raise OrderRefused(Refusal.DECISION_DIFFERS) from exc
    permitted = tuple(each for each in decision.field_sets if each in SOURCE_FIELD_SETS)
    youth = given.youth
    if not decision.permit or youth is None or youth.located is not Located.ONE or youth.owner != here.agency:
        raise OrderRefused(Refusal.DECISION_DIFFERS)
    if granted != permitted or not granted:
        raise OrderRefused(Refusal.DECISION_DIFFERS)
    return granted, decision.field_sets


def _recipient_key(order: WorkOrder, query: RecordsQuery, requester: AgencyId, here: Here) -> bytes:
    if query.recipient_key_id != order.grant.recipient_key_id:
        raise OrderRefused(Refusal.RECIPIENT_KEY)
    try:
        return here.directory.key(requester, KEY_USE_SEAL, query.recipient_key_id, here.now)
    except KeyUnknown as exc:
        raise OrderRefused(Refusal.RECIPIENT_KEY) from exc


_ASSERTION: Final = {fault: Refusal(f"ASSERTION_{fault}") for fault in AssertionFault}
