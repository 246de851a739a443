"""An entry of the audit log as one English sentence, and its fields as text. Pure.

Decides wording only; every word comes from a closed list, from an opened field that was verified, or is the name of an
agency that took part. What is not open to this agency is not guessed at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from gateway.protocol.log_kinds import Kind, parse_grant, parse_obligations
from gateway.protocol.names import Basis
from gateway.protocol.outcomes import REASONS, Outcome, Reason
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.duties import COUNTY_DUTIES
from gateway.protocol.policy.english import AUTHORITIES, OBLIGATIONS

_BINARY: Final = frozenset({"request", "input", "sealed", "handle", "flag", "tokens", "youth", "prev"})
"""Fields whose bytes are digests or identifiers: shown in hexadecimal."""

_EVENTS: Final[Mapping[str, str]] = {
    "access.decision": "a question was decided",
    "access.outcome": "a question was closed",
    "access.receipt": "the requester said what it found in what it received",
    "access.refused": "a message was refused before any decision",
    "flag.raised": "a missing-from-care report was recorded",
    "flag.updated": "a flag was updated",
    "flag.located": "a flagged youth was reported located",
    "flag.resolved": "a flag was resolved",
    "flag.presented": "a flag was presented again by its owner's adapter",
    "report.presented": "a missing-from-care report was presented again by its agency's adapter",
    "located.presented": "a report that a flagged youth was located was presented again by its agency's adapter",
    "authority.recorded": "an authority was recorded",
    "authority.revoked": "an authority was revoked",
    "authority.presented": "an authority was presented again by its issuer's adapter",
    "authority.listed": "authorities were listed",
    "audit.read": "the audit log was read",
    "seal.restricted": "a youth's entries were sealed by order of a court",
    "seal.destroyed": "a youth's entries were made unreadable for good",
    "seal.lifted": "a seal was lifted by order of a court",
    "seal.enforced": "sealed youths were removed again after a restore",
    "notice.sent": "whoever was told of a youth was sent a notice",
    "notice.acknowledged": "a notice was acknowledged",
    "notice.listed": "notices were listed",
    "alert.acknowledged": "alerts were acknowledged",
    "index.registered": "youths were listed in or removed from the index",
    "review.judged": "an agency said whether two records are one youth",
    "index.heartbeat": "the list of youths was stated to be current",
    "token.evaluated": "blinded identities were evaluated",
    "enroll.invited": "an adapter was invited to join",
    "enroll.redeemed": "an adapter joined",
    "certificate.renewed": "an adapter renewed its certificate",
    "identity.locked": "an adapter's identity was locked",
    "member.revoked": "an agency or an adapter was revoked",
    "holder.trusted": "a holder of the token key was trusted",
    "directory.signed": "the directory was signed",
    "county.admitted": "a county was admitted",
    "pepper.offered": "the pepper of counties was handed on",
    "caseload.declared": "the size of a caseload was declared",
    "budget.alarm": "a budget of evaluations or questions is almost or wholly used up",
    "lookups.held": "look-ups were held, because almost all of them found nobody",
    "lookups.released": "held look-ups were released by the operator",
    "epoch.opened": "a new epoch of the token key was opened",
    "epoch.cut_over": "the new epoch of the token key became the current one",
    "epoch.abandoned": "a new epoch of the token key was given up",
    "epoch.ended": "an epoch of the token key ended",
    "epoch.erased": "what was left of an ended epoch of the token key was erased",
    "epoch.share_added": "a holder took its share of a new token key",
    "epoch.share_erased": "a holder erased its share of an old token key",
    "clock.stepped": "the clock of the log stepped back, and its time stood still meanwhile",
    "log.explained": "somebody explained why the log had stopped",
    "log.recovered": "the log was healed from a mirror",
    "attestation.alarm": "what an agency vouches for of its own entries is not what the log holds",
    "log.succeeded": "the log goes on under another name, because a loss was declared",
    "tables.mended": "after a declared loss the exchange's tables were made what its entries say",
    "loss.signed": "a holder's operator signed that the exchange's log, or tables beside it, lost something",
}

_REQUEST: Final = "a request was decided"
"""Of a decision that shows no purpose: a question about a youth has one, an order to seal or to revoke has none."""
_WITHOUT_PURPOSE: Final = frozenset({Kind.AUTHORITY_REVOKED, Kind.AUTHORITY_LISTED, Kind.NOTICE_LISTED})
"""Acts without a purpose of use. Entries of earlier releases name the one of their assertion, which nobody stated."""
_CASE: Final = "seal {}; its case is open to the court's custodian alone"
_DONE_TO: Final = frozenset(
    {
        Kind.ENROLL_INVITED, Kind.MEMBER_REVOKED, Kind.IDENTITY_LOCKED, Kind.BUDGET_ALARM, Kind.LOOKUPS_HELD,
        Kind.LOOKUPS_RELEASED, Kind.CASELOAD_DECLARED,
    }
)  # fmt: skip
"""What the exchange or a holder did about an agency: the entry is that agency's, and it did nothing."""
_ORDERED: Final[Mapping[Kind, str]] = {
    Kind.SEAL_RESTRICTED: _CASE,
    Kind.SEAL_DESTROYED: _CASE,
    Kind.SEAL_LIFTED: _CASE,
    Kind.NOTICE_SENT: "notice {}",
    Kind.NOTICE_ACKNOWLEDGED: "notice {}",
}
_FINDINGS: Final[Mapping[str, str]] = {
    "RECEIPT_FINDING_OPENED": "it opened, and its source, binding and fields are right",
    "RECEIPT_FINDING_BINDING_FAILED": "its signature, binding or seal did not hold",
    "RECEIPT_FINDING_OVER_DISCLOSED": "it held a field outside the grant and was refused as a whole",
    "NOTICE_FINDING_DONE": "what it named was there, and was deleted or marked",
    "NOTICE_FINDING_NOTHING_KEPT": "nothing of what it named was there any more",
    "NOTICE_FINDING_UNREADABLE": "it does not open there, and a person must act",
}
"""In the field `outcome` of who reports and is told nothing."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Agencies that took part in an entry, as far as they are known; empty otherwise."""

    requester: str = ""
    holder: str = ""


UNTOLD: Final = Parties()


def sentence(opened: Mapping[str, bytes], at: datetime, parties: Parties = UNTOLD) -> str:
    """The entry in words; `opened` is verified, and `parties` do not contradict it."""
    values = {name: field_text(name, value) for name, value in opened.items()}
    parts = [f"{at:%Y-%m-%d %H:%M:%S} UTC: {_event(values, parties.holder)}"]
    requester = parties.requester or values.get("requester", "")
    who = " ".join(each for each in (requester, _worker(values.get("worker", ""))) if each)
    if who and values.get("kind") in _DONE_TO:
        parts[0] += f" ({who})"
    elif who:
        parts.append(f"by {who}")
    purpose = _labels().get(values.get("purpose", ""))
    if purpose and values.get("kind") not in _WITHOUT_PURPOSE:
        parts.append(f'for "{purpose}"')
    return "; ".join((", ".join(parts), *_result(values))) + "."


def field_text(name: str, value: bytes) -> str:
    """A field's value as text: as it stands where it is text, else in hexadecimal."""
    if name in _BINARY:
        return value.hex()
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return value.hex()
    return text if text.isprintable() else value.hex()


def _worker(text: str) -> str:
    pseudonym, _, role = text.partition(" ")
    return f"{role} (worker {pseudonym})" if role else ""


def _event(values: Mapping[str, str], holder: str) -> str:
    """What was done: to what, and under which order, consent or agreement."""
    kind = values.get("kind", "")
    told = _EVENTS.get(kind, "an entry was written")
    if kind == Kind.DECISION and "purpose" not in values:
        told = _REQUEST
    if kind == Kind.REFUSED and "more" in values:
        return f"{values['more']} more messages were refused in one minute, before any decision"
    if kind == Kind.AUTHORITY_REVOKED:
        named = f"authority {values['authority']}" if "authority" in values else "an authority"
        return f"{named} of {holder} was revoked" if holder else f"{named} was revoked"
    if "basis" in values and values["basis"] in Basis.__members__:
        told += f" ({AUTHORITIES[Basis(values['basis'])]})"
    if kind in _ORDERED and "notice" in values:
        told += f" ({_ORDERED[Kind(kind)].format(values['notice'])})"
    return told + (f" about a youth of {holder}" if holder else "")


def _result(values: Mapping[str, str]) -> list[str]:
    verdict = {"ALLOW": "allowed", "DENY": "denied"}.get(values.get("decision", ""), "")
    outcome = values.get("outcome", "")
    told = _FINDINGS.get(outcome) or (f"the requester was told {outcome}" if outcome else "")
    if outcome == Outcome.RECORDED:
        # The event says that it was recorded, and whoever recorded it asked for nothing.
        verdict = told = ""
    field_sets, basis = parse_grant(values.get("fields", ""))
    given = f"given: {', '.join(field_sets)}" + (f" on the basis {basis}" if basis else "") if field_sets else ""
    left = _left(values.get("fields", ""))
    return [part for part in (verdict, told, given, left, _sent(values.get("notices", "")), _why(values)) if part]


def _left(fields: str) -> str:
    """What the decision left to staff: a reviewer sees what should have been done."""
    due = [OBLIGATIONS[each] for each in parse_obligations(fields) if each in COUNTY_DUTIES]
    return f"left to county staff: {', '.join(due)}" if due else ""


def _sent(count: str) -> str:
    if count in ("", "0"):
        return ""
    return "1 agency was sent a notice" if count == "1" else f"{count} agencies were sent a notice"


def _why(values: Mapping[str, str]) -> str:
    reason, allowed = values.get("reason", ""), values.get("decision") == "ALLOW"
    if not reason or (allowed and reason == Reason.RECORDED):
        return ""
    said = REASONS[Reason(reason)].sentence.rstrip(".") if reason in Reason.__members__ else reason
    # Nothing is recorded because of this; it is said of what was recorded.
    return f"note: {said}" if allowed else f"because: {said}"


@cache
def _labels() -> Mapping[str, str]:
    return {str(purpose): label for purpose, label in load_california().labels.items()}
