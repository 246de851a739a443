"""Replaying the exchange's log: its entries opened with the log's and the youths' keys, its decisions made again.

Decides how a stored entry becomes a step of the replay, and that the policy is the very function the exchange runs. The
rules of the replay are in `audit.replay`.
"""

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import bindparam, case, select

from audit.entry import ClassKeys, FieldClass, Opening, StoredEntry, check_entry, check_openings, open_class
from audit.followed import Counted, Counts, Kept, Step
from audit.reader import Reader, entry_of
from audit.replay import Recomputed, Replay, Undecidable, Verdict
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.exchange.journal import ALLOW, DENY, Kind
from gateway.protocol.decide import (
    Decision,
    DecisionInput,
    DecisionInputError,
    PolicyMismatch,
    between_pages,
    decide,
    withdraw,
)
from gateway.protocol.log_kinds import grant_text, parse_grant, parse_obligations
from gateway.protocol.names import AuthorityId, Obligation
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.duties import tells_owner
from gateway.protocol.policy.facts import YouthFacts, milliseconds
from gateway.protocol.policy.rules import Policy
from gateway.store.closed_counts import ClosedCount, closed_counts, counted_orders
from gateway.store.inputs import InputUnreadable, nobodys_key, open_input
from gateway.store.returned_keys import returning_marks
from gateway.store.seals import lifted_seals
from gateway.store.tables import authority, decision_input
from gateway.store.told import Told
from gateway.store.youth_keys import FileYouthKeys, authority_name

_PAGE: Final = 500
_FLAG_STATUS: Final = "FS1"
_ENTRIES: Final = Statement(
    select(ENTRY, decision_input.c.sealed)
    .select_from(ENTRY.outerjoin(decision_input, decision_input.c.leaf_index == ENTRY.c.idx))
    .where(ENTRY.c.idx >= bindparam("start"))
    .order_by(ENTRY.c.idx)
    .limit(bindparam("page")),
    "start",
    "page",
)
_A: Final = authority.c
_AUTHORITIES: Final = Statement(
    select(_A.authority_id, _A.leaf_index, _A.issuer, case((_A.revocation.is_not(None), 1), else_=0))
)
_BYTES: Final = frozenset({"request", "input", "sealed", "signed", "handle", "flag", "review", "seq", "prev"})


@dataclass(frozen=True, slots=True)
class Keys:
    """What the replayer opens entries with."""

    classes: ClassKeys
    marks: Mapping[bytes, bytes] = field(repr=False)
    """Every mark that an entry about a youth or an authority may carry, with the key."""
    has_left: Callable[[bytes], bool] = field(repr=False)
    """Whether the key of this name left with a seal."""
    closed: Sequence[ClosedCount] = field(repr=False)
    """What may be kept of how many entries seals have closed."""
    counted: Sequence[bytes] = field(repr=False)
    """What orders commit to whose number was kept once."""
    returning: Mapping[bytes, Mapping[bytes, bytes]] = field(repr=False)
    """By seal, as `marks`: keys that are about to come back, once the log says that the seal is lifted."""


def read_keys(keys_file: Path, classes: ClassKeys, youth_keys: FileYouthKeys) -> Keys:
    """What this file of keys opens as it is now."""
    return Keys(
        classes,
        youth_keys.every_mark(),
        youth_keys.is_sealed,
        closed_counts(keys_file),
        counted_orders(keys_file),
        returning_marks(keys_file, youth_keys),
    )


def replay_log(
    reader: Reader, keys: Keys, policies: Sequence[Policy], *, progress: Callable[[int], None] | None = None
) -> Counts:
    """What was followed to the end of the log, in one state of the database.

    Raises `Contradiction` at the first entry that contradicts the policy or an earlier one, and `EvidenceError` at one
    whose fields are not what its leaf commits to.
    """
    again = _decide_with({policy.digest: policy for policy in policies})
    with reader.snapshot() as tx:
        keys, pending = _brought_back(tx, keys)
        replay = Replay(again, granted=parse_grant, owed=owed_to, kept=_kept(tx, keys))
        for step in _steps(tx, keys):
            replay.follow(step)
            if progress is not None and step.index % _PAGE == 0:
                progress(step.index)
    closed = [Counted(each.digest.hex(), each.since, each.count) for each in keys.closed]
    replay.authorities.check_ended(closed, [each.hex() for each in keys.counted])
    return replace(replay.counts, returning=pending)


def _brought_back(tx: Tx, keys: Keys) -> tuple[Keys, int]:
    """The keys as they are once the next start has finished every lifting that a crash cut short; how many those are.

    The table says which seals are lifted; if the log does not, its entries are open that seals have closed, and that
    contradicts what the seals say.
    """
    lifted = lifted_seals(tx)
    back = [marks for seal_id, marks in keys.returning.items() if seal_id in lifted]
    return replace(keys, marks=ChainMap(dict(keys.marks), *map(dict, back))), len(back)


def _kept(tx: Tx, keys: Keys) -> dict[str, Kept]:
    return {
        bytes(identifier).hex(): Kept(leaf_index, issuer, is_revoked=bool(is_revoked))
        for identifier, leaf_index, issuer, is_revoked in tx.all(_AUTHORITIES)
        if keys.has_left(authority_name(AuthorityId(bytes(identifier))))
    }


def owed_to(step: Step) -> str:
    """Which agency the entry had to tell of what was given: the youth's owner, where it is another; empty for none."""
    fields = step.fields
    if step.holder in ("", step.requester) or fields.get("decision") != ALLOW:
        return ""
    obligations, (field_sets, _) = parse_obligations(fields.get("fields", "")), parse_grant(fields.get("fields", ""))
    if step.kind == Kind.DECISION:
        is_emergency = Obligation.ALERT_PRIVACY_OFFICER in obligations
        # Of a flag, which is told at once; a record is told of when it leaves.
        is_owed = is_emergency or (tells_owner(obligations) and _FLAG_STATUS in field_sets)
    else:
        is_owed = step.kind == Kind.OUTCOME and tells_owner(obligations)
    return step.holder if is_owed else ""


def _steps(tx: Tx, keys: Keys) -> Iterator[Step]:
    told, start = Told.read(tx, keys.classes.op), 0
    while rows := tx.all(_ENTRIES, (start, _PAGE)):
        agencies = told.agencies(tx, start, rows[-1][0])
        for row in rows:
            step = _step(entry_of(row[:-1]), row[-1], keys)
            yield replace(step, told=agencies.get(step.index, ()), untold=told.untold[step.index])
        start = rows[-1][0] + 1


def _step(entry: StoredEntry, kept: Any, keys: Keys) -> Step:
    check_entry(entry)
    opened = [
        *open_class(entry, FieldClass.OP, keys.classes.op),
        *open_class(entry, FieldClass.REQ, keys.classes.req),
        *open_class(entry, FieldClass.HOLD, keys.classes.hold),
    ]
    youth_key = keys.marks.get(entry.tag) if entry.tag else None
    if youth_key is not None:
        opened += open_class(entry, FieldClass.YOUTH, youth_key)
    opened.sort(key=lambda each: each.slot)
    check_openings(entry.leaf, entry.digests, opened)
    fields = _fields(opened)
    is_about_somebody = bool(entry.holder)
    # About nobody the argument stands in class `req`, unless the entry is under the key of the authority that it names.
    has_argument = entry.kind != Kind.DECISION or "input" in fields
    return Step(
        index=entry.index,
        time_ms=entry.time_ms,
        kind=entry.kind,
        requester=entry.requester,
        holder=entry.holder,
        fields=fields,
        is_sealed=bool(entry.tag) and youth_key is None and (is_about_somebody or not has_argument),
        committed=_committed(kept, fields, youth_key if is_about_somebody else youth_key or nobodys_key(keys.classes)),
    )


def _committed(kept: Any, fields: Mapping[str, str], key: bytes | None) -> bytes | None:
    if kept is None or key is None or "input" not in fields:
        return None
    try:
        return open_input(kept, key, digest=bytes.fromhex(fields["input"]))
    except (InputUnreadable, ValueError):
        return None


def _fields(opened: Sequence[Opening]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in opened:
        # `requester` and `seq` may stand in two classes; the column bound by the leaf says who asked.
        text = each.value.hex() if each.name in _BYTES else each.value.decode("utf-8", "replace")
        found.setdefault(each.name, text)
    return found


def _decide_with(policies: Mapping[bytes, Policy]) -> Callable[[bytes], Recomputed]:
    def again(argument: bytes) -> Recomputed:
        try:
            given = DecisionInput.from_bytes(argument)
        except DecisionInputError as exc:
            raise Undecidable(str(exc)) from exc
        policy = policies.get(given.policy_digest)
        if policy is None:
            raise Undecidable("it was decided under a policy bundle that was not given")
        return _recomputed(policy, given)

    return again


def _recomputed(policy: Policy, given: DecisionInput) -> Recomputed:
    try:
        decision = decide(policy, given)
    except PolicyMismatch as exc:
        raise Undecidable("the policy bundle is another") from exc
    request, authority = given.request, given.request.authority

    def withdrawn(reason: str) -> Verdict:
        youth: YouthFacts | None = given.youth
        if youth is None:
            return _verdict(decision)
        return _verdict(withdraw(decision, request, youth, reason=Reason(reason)))

    return Recomputed(
        agency=request.agency,
        role=request.role,
        purpose=request.purpose,
        policy=policy.version,
        owner=given.youth.owner or "" if given.youth is not None else "",
        received_ms=milliseconds(request.received_at),
        authority_status=authority.status if authority is not None else "",
        verdict=_verdict(decision),
        later_page=_verdict(between_pages(decision)),
        withdrawn=withdrawn,
    )


def _verdict(decision: Decision) -> Verdict:
    if decision.permit and decision.basis is not None:
        return Verdict(ALLOW, decision.outcome, grant_text(decision.field_sets, decision.basis, decision.obligations))
    return Verdict(DENY, decision.outcome, decision.reason)
