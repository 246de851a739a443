"""Work orders with exactly one thing wrong each, and the reason for which the source must refuse it."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.node.refusal import Refusal
from audit.checkpoint import LogSigner
from gateway.protocol.match_keys import SOUND_KEY
from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME
from gateway.protocol.names import (
    AgencyKind,
    EvidenceKind,
    FieldSet,
    FlagState,
    Purpose,
    Restriction,
    Role,
)
from gateway.protocol.policy.facts import Located
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from homeward.audit.v1 import log_pb2
from homeward.gateway.v1.exchange_pb2 import RecordsQuery
from homeward.gateway.v1.link_pb2 import Grant, WorkOrder
from tests.unit.node.consents import consent, consented_order
from tests.unit.node.world import (
    ASKER,
    NOW,
    THIRD,
    Order,
    keys,
    stamp,
    tokens_of,
)
from tests.unit.token_sets import withdraw_keys


def flipped(data: bytes, place: int = -1) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def grant_edit(**values: object) -> Callable[[Grant], None]:
    def edit(grant: Grant) -> None:
        for name, value in values.items():
            if isinstance(value, list):
                grant.ClearField(name)  # type: ignore[arg-type]
                getattr(grant, name).extend(value)
            elif isinstance(value, datetime):
                grant.expire_time.CopyFrom(stamp(value))
            else:
                setattr(grant, name, value)

    return edit


def leaf_edit(**values: bytes | None) -> Callable[[dict[str, bytes]], None]:
    def edit(said: dict[str, bytes]) -> None:
        for name, value in values.items():
            if value is None:
                del said[name]
            else:
                said[name] = value

    return edit


def receipt_edit(**values: object) -> Callable[[log_pb2.Receipt], None]:
    def edit(receipt: log_pb2.Receipt) -> None:
        for name, value in values.items():
            setattr(receipt, name, value)

    return edit


def flip_opening(receipt: log_pb2.Receipt) -> None:
    receipt.openings[0].value = flipped(receipt.openings[0].value)


def repeat_opening(receipt: log_pb2.Receipt) -> None:
    receipt.openings.extend(receipt.openings[-1:])


def resign(receipt: log_pb2.Receipt) -> None:
    # Another log of the same name: a gateway that keeps a second history.
    origin = keys().log.public.origin
    size, root = receipt.checkpoint.split("\n")[1:3]
    receipt.checkpoint = LogSigner(origin, Ed25519PrivateKey.generate()).sign(int(size), base64.b64decode(root))


def other_inclusion(receipt: log_pb2.Receipt) -> None:
    receipt.inclusion_hashes[0] = flipped(receipt.inclusion_hashes[0])


def shorten(receipt: log_pb2.Receipt) -> None:
    receipt.digests = receipt.digests[:-1]


def unknown_field(order: WorkOrder) -> None:
    order.MergeFromString(b"\xfa\x7f\x01x")  # field 2047, length-delimited


def unknown_field_in_query(query: RecordsQuery) -> None:
    query.MergeFromString(b"\xfa\x7f\x01x")  # field 2047, length-delimited


def tokens_packed_in(query: RecordsQuery) -> None:
    query.tokens.tokens += tokens_of("name_dob:somebody else").tokens


WRONG: list[tuple[str, Order, Refusal]] = [
    ("unknown field", Order(after_order=unknown_field), Refusal.MALFORMED),
    ("no grant", Order(after_order=lambda order: order.ClearField("grant")), Refusal.MALFORMED),
    ("grant for another source", Order(after_grant=grant_edit(source_agency=THIRD)), Refusal.OTHER_SOURCE),
    ("grant ended this instant", Order(after_grant=grant_edit(expire_time=NOW)), Refusal.GRANT_EXPIRED),
    ("grant for an hour", Order(after_grant=grant_edit(expire_time=NOW + timedelta(hours=1))), Refusal.GRANT_TOO_LONG),
    (
        "query without field sets",
        Order(edit_query=lambda query: query.ClearField("field_sets")),
        Refusal.QUERY_MALFORMED,
    ),
    ("unknown field in the query", Order(edit_query=unknown_field_in_query), Refusal.QUERY_MALFORMED),
    ("a youth's tokens more in the query", Order(edit_query=tokens_packed_in), Refusal.QUERY_MALFORMED),
    (
        "a core key less in the query",
        Order(edit_query=lambda query: withdraw_keys(query.tokens, SOUND_KEY)),
        Refusal.QUERY_MALFORMED,
    ),
    (
        "tokens of another scheme",
        Order(edit_query=lambda query: setattr(query.tokens, "scheme", EXTENDED_SCHEME)),
        Refusal.QUERY_MALFORMED,
    ),
    ("assertion is no JWT", Order(after_assertion=lambda _: "not.a.jwt"), Refusal.ASSERTION_MALFORMED),
    (
        "assertion by an unlisted key",
        Order(assertion_key=SigningKey.generate()),
        Refusal.ASSERTION_KEY,
    ),
    (
        "assertion by the key of another use",
        Order(assertion_key=keys().rings[ASKER].envelope),
        Refusal.ASSERTION_KEY,
    ),
    (
        "assertion by another county",
        Order(assertion_key=keys().rings[THIRD].assertion),
        Refusal.ASSERTION_KEY,
    ),
    (
        "assertion's signature altered",
        Order(after_assertion=lambda token: token[:-6] + ("A" if token[-6] != "A" else "B") + token[-5:]),
        Refusal.ASSERTION_SIGNATURE,
    ),
    (
        "assertion ended",
        Order(
            edit_claims=lambda claims: replace(
                claims, issued=NOW - timedelta(seconds=160), expires=NOW - timedelta(seconds=60)
            )
        ),
        Refusal.ASSERTION_EXPIRED,
    ),
    (
        "assertion of the future",
        Order(
            edit_claims=lambda claims: replace(
                claims, issued=NOW + timedelta(seconds=60), expires=NOW + timedelta(seconds=120)
            )
        ),
        Refusal.ASSERTION_NOT_YET,
    ),
    (
        "assertion for an hour",
        Order(edit_claims=lambda claims: replace(claims, expires=NOW + timedelta(hours=1))),
        Refusal.ASSERTION_LIFETIME,
    ),
    (
        "assertion for another exchange",
        Order(edit_claims=lambda claims: replace(claims, audience="other.example")),
        Refusal.ASSERTION_AUDIENCE,
    ),
    (
        "assertion over other bytes",
        Order(edit_claims=lambda claims: replace(claims, request_digest=hashlib.sha256(b"other").digest())),
        Refusal.ASSERTION_REQUEST,
    ),
    (
        "grant names another requester",
        Order(after_grant=grant_edit(requester_agency=THIRD)),
        Refusal.REQUESTER_DIFFERS,
    ),
    (
        "adapter of another agency acts",
        Order(edit_claims=lambda c: replace(c, actor="spiffe://exchange.example/county/06037/prob/adapter/a1")),
        Refusal.REQUESTER_DIFFERS,
    ),
    (
        "adapter of another exchange acts",
        Order(edit_claims=lambda c: replace(c, actor="spiffe://other.example/county/06029/cwa/adapter/a1")),
        Refusal.REQUESTER_DIFFERS,
    ),
    (
        "actor is no channel identity",
        Order(edit_claims=lambda c: replace(c, actor="somebody")),
        Refusal.REQUESTER_DIFFERS,
    ),
    ("receipt signed by another key", Order(after_receipt=resign), Refusal.RECEIPT_INVALID),
    (
        "receipt for another place",
        Order(decision_index=12, after_receipt=receipt_edit(index=11)),
        Refusal.RECEIPT_INVALID,
    ),
    ("receipt with another path", Order(decision_index=5, after_receipt=other_inclusion), Refusal.RECEIPT_INVALID),
    ("receipt with an altered opening", Order(after_receipt=flip_opening), Refusal.RECEIPT_INVALID),
    ("receipt that opens a field twice", Order(after_receipt=repeat_opening), Refusal.RECEIPT_INVALID),
    ("receipt cut short", Order(after_receipt=shorten), Refusal.MALFORMED),
    ("receipt of an old decision", Order(leaf_time=NOW - timedelta(minutes=3)), Refusal.RECEIPT_OLD),
    ("receipt of the future", Order(leaf_time=NOW + timedelta(minutes=1)), Refusal.RECEIPT_OLD),
    ("leaf of another kind", Order(edit_leaf=leaf_edit(kind=b"access.outcome")), Refusal.RECEIPT_NO_PERMIT),
    ("leaf says no", Order(edit_leaf=leaf_edit(decision=b"DENY")), Refusal.RECEIPT_NO_PERMIT),
    ("leaf does not say", Order(edit_leaf=leaf_edit(decision=None)), Refusal.RECEIPT_NO_PERMIT),
    ("leaf of another request", Order(edit_leaf=leaf_edit(request=bytes(32))), Refusal.RECEIPT_OTHER_REQUEST),
    ("leaf of another user", Order(edit_leaf=leaf_edit(worker=b"somebody CWA.patrol")), Refusal.RECEIPT_OTHER_USER),
    ("leaf of another purpose", Order(edit_leaf=leaf_edit(purpose=b"CASE_TRANSFER")), Refusal.RECEIPT_OTHER_USER),
    ("leaf of other facts", Order(edit_leaf=leaf_edit(input=bytes(32))), Refusal.RECEIPT_OTHER_INPUT),
    ("leaf under another policy", Order(edit_leaf=leaf_edit(policy=b"older")), Refusal.POLICY_DIFFERS),
    ("grant under another policy", Order(after_grant=grant_edit(policy_version="older")), Refusal.POLICY_DIFFERS),
    ("authority with an altered signature", consented_order(), Refusal.AUTHORITY_INVALID),
    ("authority the user did not name", Order(authority=consent()), Refusal.AUTHORITY_DIFFERS),
    (
        "facts name another role",
        Order(edit_facts=lambda facts: replace(facts, role=Role("CWA.er_worker"))),
        Refusal.FACTS_DIFFER,
    ),
    (
        "facts name another kind of agency",
        Order(
            edit_facts=lambda facts: replace(facts, agency_kind=AgencyKind.PROB),
            after_grant=grant_edit(field_sets=[to_wire(FieldSet.FS5_PLACEMENT_DETAIL)]),
        ),
        Refusal.FACTS_DIFFER,
    ),
    (
        "facts hold evidence that was not shown",
        Order(edit_facts=lambda facts: replace(facts, evidence=facts.evidence | {EvidenceKind.OPEN_CASE})),
        Refusal.FACTS_DIFFER,
    ),
    (
        "facts ask for more",
        Order(
            edit_facts=lambda facts: replace(facts, field_sets=(*facts.field_sets, FieldSet.FS6_JURISDICTION_CONTACT))
        ),
        Refusal.FACTS_DIFFER,
    ),
    (
        "facts of another time",
        Order(edit_facts=lambda facts: replace(facts, received_at=NOW - timedelta(hours=1))),
        Refusal.FACTS_DIFFER,
    ),
    (
        "facts make the login fresher",
        Order(edit_facts=lambda facts: replace(facts, login_age_seconds=1)),
        Refusal.FACTS_DIFFER,
    ),
    (
        "decision on another county's youth",
        Order(youth=replace(Order().youth, owner=THIRD)),
        Refusal.DECISION_DIFFERS,
    ),
    (
        "decision on a weak match",
        Order(
            purpose=Purpose.MFC_LOCATE,
            asked=(FieldSet.FS3_FLAG_CASEWORK,),
            evidence=(),
            role=Role("CWA.case_worker"),
            youth=replace(Order().youth, located=Located.ONE_FOR_FLAG, flag=FlagState.ACTIVE),
            after_grant=grant_edit(field_sets=[to_wire(FieldSet.FS2_FLAG_LOCATE)]),
        ),
        Refusal.DECISION_DIFFERS,
    ),
    (
        "grant of more than was decided",
        Order(
            after_grant=grant_edit(
                field_sets=[
                    to_wire(FieldSet.FS4_PLACEMENT_SUMMARY),
                    to_wire(FieldSet.FS5_PLACEMENT_DETAIL),
                    to_wire(FieldSet.FS6_JURISDICTION_CONTACT),
                ]
            )
        ),
        Refusal.DECISION_DIFFERS,
    ),
    (
        "grant of less than was decided",
        Order(after_grant=grant_edit(field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)])),
        Refusal.DECISION_DIFFERS,
    ),
    (
        "grant although the facts lead to a refusal",
        Order(
            youth=replace(Order().youth, restriction=Restriction.SEALED),
            after_grant=grant_edit(field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)]),
        ),
        Refusal.DECISION_DIFFERS,
    ),
    (
        "another recipient key in the grant",
        Order(after_grant=grant_edit(recipient_key_id=keys().rings[THIRD].seal.key_id)),
        Refusal.RECIPIENT_KEY,
    ),
    (
        "recipient key of another member",
        Order(
            edit_query=lambda query: setattr(query, "recipient_key_id", keys().rings[THIRD].seal.key_id),
            after_grant=grant_edit(recipient_key_id=keys().rings[THIRD].seal.key_id),
        ),
        Refusal.RECIPIENT_KEY,
    ),
    (
        "recipient key of another use",
        Order(
            edit_query=lambda query: setattr(query, "recipient_key_id", keys().rings[ASKER].envelope.key_id),
            after_grant=grant_edit(recipient_key_id=keys().rings[ASKER].envelope.key_id),
        ),
        Refusal.RECIPIENT_KEY,
    ),
]
# This one is broken after its facts were made from it.
_broken = next(order for name, order, _ in WRONG if name.startswith("authority with"))
_broken.after_order = lambda order: setattr(order.authority, "signature", flipped(order.authority.signature))
