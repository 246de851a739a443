"""Deciding everything again: whether what the log says was allowed follows from what the log says was known.

Follows the entries in the order of the log and stops at the first that contradicts the rules or an earlier entry:

COMMITTED   the argument kept for a decision is the one that its entry commits to
DECIDED     the policy, given that argument, decides what the entry says
FACTS       the argument speaks of the entry's own agency, purpose, role, owner, policy and time
AUTHORITY   what rests on a consent, order or agreement names one that was recorded before and not revoked, and no
            revocation is claimed that the log does not hold; where a seal closed its entries, one that the exchange
            keeps on record since such an entry
MEMBER      nothing is released to an agency after it was revoked
SCOPE       what is released is no more than what was decided, and nothing is released by a refusal
CAUSALITY   a release closes one earlier permit for the same agency, holder and request, once; a receipt confirms one
            earlier release to the same agency, once
SEALED      what is released about a youth whose key is gone stands before a seal of the youth's owner, and what is
            recorded or revoked under a key that is gone before anybody's seal; or before a declared loss, with which
            the entry of the seal may have gone; and of all this there is as much as seals say that they have closed
TOLD        the alerts that an entry names are there as it names them, and no others; whoever had to be told of what was
            given is among those told, unless a declared loss took an alert of it
MENDED      that rows of tables are lost is said where a loss was declared, before anything else is written

A sealed entry's argument can no longer be opened; it counts as sealed, and the rules that need no argument still hold
for it. Decides these rules; how entries are opened and what the policy is comes from outside (`Step`, `Decide`),
because this room knows nothing of either. A replay shows consistency; that the entries are the log's, verify.py shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from audit.errors import AuditError
from audit.followed import DESTROYED, Authorities, Contradiction, Counts, Kept, KeysGone, Rule, Step
from audit.own_entries import CARRIED_OUT, SUCCEEDED

_DECISION: Final = "access.decision"
_OUTCOME: Final = "access.outcome"
_RECEIPT: Final = "access.receipt"
_RECORDED: Final = "authority.recorded"
_REVOKED: Final = "authority.revoked"
_PRESENTED: Final = "authority.presented"
_MEMBER: Final = "member.revoked"
_SEALS: Final = ("seal.restricted", DESTROYED)
_LIFTED: Final = "seal.lifted"
_MENDED: Final = "tables.mended"
_ALLOW: Final = "ALLOW"
STATUTE: Final = "STATUTE"
GUARDS: Final = frozenset({"AUTHORITY_ENDED_BEFORE_RELEASE", "MEMBER_DENIED_BEFORE_RELEASE"})
"""Reasons found in the very transaction of an entry; they stand in the place of a permit."""
AFTERWARDS: Final = GUARDS | {"REFUSED_BY_SOURCE", "SOURCE_UNAVAILABLE", "NO_MATCH"}
"""Reasons for which a permit can end without a release."""
_AT_ONCE: Final = frozenset({"FS0", "FS1"})
"""Field sets of a flag check, which is answered from the log: the decision itself is the release."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision as an entry says it: `detail` is what was granted, or the reason."""

    decision: str
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What a committed argument says, and what the policy makes of it."""

    agency: str
    role: str
    purpose: str
    policy: str
    owner: str
    received_ms: int
    authority_status: str
    """Empty when the request named none that was recorded."""
    verdict: Verdict
    later_page: Verdict
    """What becomes of it for a page after the first."""
    withdrawn: Callable[[str], Verdict] = field(repr=False)
    """The refusal that replaces a permit for a reason found later."""


class Undecidable(AuditError):
    """The argument is malformed, or made under rules that the replayer does not have. The text says which."""


Decide = Callable[[bytes], Recomputed]
"""Raises `Undecidable`."""


@dataclass(frozen=True, slots=True)
class _Permit:
    requester: str
    holder: str
    request: str
    allows: bool
    granted: str
    detail: str
    authority: str
    is_sealed: bool


class Replay:
    """Follows one log. After a `Contradiction` it must not be used again."""

    def __init__(
        self,
        decide: Decide,
        *,
        granted: Callable[[str], tuple[tuple[str, ...], str]],
        owed: Callable[[Step], str] = lambda _: "",
        kept: Mapping[str, Kept] = MappingProxyType({}),
    ) -> None:
        """`granted` parses the text of a permit's grant into field sets and basis; `owed` says which agency an entry
        had to tell, empty for none.

        `kept` are the authorities that a seal closed, by identifier: what rests on another one's entries that no longer
        say which they are about is a contradiction.
        """
        self.counts = Counts()
        self._decide = decide
        self._granted = granted
        self._owed = owed
        self._permits: dict[int, _Permit] = {}
        self._closed: set[int] = set()
        self._released: dict[int, str] = {}
        self._keys_gone = KeysGone()
        self.authorities = Authorities(self.counts, self._keys_gone, kept)
        """At the end of the log, `check_ended`."""
        self._suspended: set[str] = set()
        self._carrying_out = False
        self._by_kind = {
            _DECISION: self._decision,
            _OUTCOME: self._outcome,
            _RECEIPT: self._receipt,
            _RECORDED: self.authorities.record,
            _REVOKED: self.authorities.revoke,
            _PRESENTED: self.authorities.present,
            SUCCEEDED: self.authorities.succeed,
            _MEMBER: self._member,
            **dict.fromkeys(_SEALS, self._keys_gone.seal),
            _LIFTED: self._keys_gone.lift,
        }

    def follow(self, step: Step) -> None:
        """The entry follows from what stands before it. Raises `Contradiction`."""
        self.counts.entries += 1
        if step.kind == _MENDED and not self._carrying_out:
            raise Contradiction(Rule.MENDED, step.index, "rows are said to be lost where no loss was declared")
        self._carrying_out = step.kind == SUCCEEDED or (self._carrying_out and step.kind in CARRIED_OUT)
        rule = self._by_kind.get(step.kind)
        if rule is not None:
            rule(step)
        _check_told(step, self._owed(step))

    def _decision(self, step: Step) -> None:
        self.counts.decided += 1
        fields = step.fields
        verdict = _verdict(fields)
        if "input" in fields:
            self._recompute(step, verdict)
        elif step.is_sealed:
            # It stood with the youth, or with the authority that was named.
            self.counts.sealed += 1
            if not step.holder:
                self._keys_gone.note_authority(step.index)
        elif verdict.decision == _ALLOW:
            raise Contradiction(Rule.COMMITTED, step.index, "a permit that commits to no argument")
        self._permits[step.index] = _Permit(
            step.requester, step.holder, fields.get("request", ""), verdict.decision == _ALLOW,
            fields.get("fields", ""), verdict.detail, fields.get("authority", ""), step.is_sealed,
        )  # fmt: skip
        if verdict.decision == _ALLOW:
            field_sets, basis = self._granted(verdict.detail)
            if basis != STATUTE and not step.is_sealed:
                self.authorities.check_recorded(step)
            if _AT_ONCE.issuperset(field_sets):
                self._check_release(step, fields.get("authority", ""), is_sealed=step.is_sealed)

    def _recompute(self, step: Step, verdict: Verdict) -> None:
        if step.committed is None:
            self._excuse(step, verdict)
            return
        if hashlib.sha256(step.committed).hexdigest() != step.fields["input"]:
            raise Contradiction(Rule.COMMITTED, step.index, "the kept argument is not the one that was committed to")
        try:
            found = self._decide(step.committed)
        except Undecidable as exc:
            raise Contradiction(Rule.COMMITTED, step.index, str(exc)) from exc
        _check_facts(step, found)
        if found.authority_status == "REVOKED":
            self.authorities.check_revoked(step, "an authority counts as revoked that the log does not say was")
        expected = [found.verdict, found.later_page]
        if verdict.detail in GUARDS:
            self._check_guard(step, verdict.detail)
            expected.append(found.withdrawn(verdict.detail))
        if verdict not in expected:
            raise Contradiction(Rule.DECIDED, step.index, "the policy decides otherwise on the committed argument")
        self.counts.recomputed += 1

    def _excuse(self, step: Step, verdict: Verdict) -> None:
        """Why the argument may be missing: a guard refused and nothing was kept."""
        if verdict.decision != _ALLOW and verdict.detail in GUARDS:
            self._check_guard(step, verdict.detail)
            self.counts.guarded += 1
        else:
            raise Contradiction(Rule.COMMITTED, step.index, "the argument of the decision is not kept")

    def _check_guard(self, step: Step, reason: str) -> None:
        if reason == "MEMBER_DENIED_BEFORE_RELEASE" or step.is_sealed:
            # A single adapter can be denied too, and no entry of a call names its adapter. Which authority a sealed
            # youth's entry named left with the youth's key.
            return
        self.authorities.check_revoked(step, "a permit ended by a revocation that the log does not hold")

    def _check_release(self, step: Step, authority: str, *, is_sealed: bool) -> None:
        self.counts.released += 1
        if is_sealed:
            self._keys_gone.note(step.holder, step.index)
        _, basis = self._granted(step.fields.get("fields", ""))
        if basis != STATUTE and not is_sealed and self.authorities.is_revoked(authority):
            raise Contradiction(Rule.AUTHORITY, step.index, "something is released on an authority that was revoked")
        if step.requester in self._suspended:
            raise Contradiction(Rule.MEMBER, step.index, "something is released to an agency that was revoked")

    def _outcome(self, step: Step) -> None:
        decided = _number(step.fields.get("decided", ""))
        permit = self._permits.get(decided)
        if permit is None or decided in self._closed:
            raise Contradiction(Rule.CAUSALITY, step.index, "it closes a decision that is not open")
        self._closed.add(decided)
        if (step.requester, step.holder, step.fields.get("request", "")) != (
            permit.requester,
            permit.holder,
            permit.request,
        ):
            raise Contradiction(Rule.CAUSALITY, step.index, "it closes the decision of another request")
        verdict = _verdict(step.fields)
        if verdict.decision == _ALLOW:
            self._check_scope(step, permit)
            self._check_release(step, permit.authority, is_sealed=permit.is_sealed)
            self._released[step.index] = step.requester
        elif step.fields.get("sealed", ""):
            raise Contradiction(Rule.SCOPE, step.index, "a refusal releases something")
        elif verdict.detail not in ({permit.detail} if not permit.allows else AFTERWARDS):
            raise Contradiction(Rule.DECIDED, step.index, "the decision ends in a refusal for another reason")

    def _check_scope(self, step: Step, permit: _Permit) -> None:
        if not permit.allows:
            raise Contradiction(Rule.SCOPE, step.index, "a refusal ends in a release")
        given, basis = self._granted(step.fields.get("fields", ""))
        granted, decided_basis = self._granted(permit.granted)
        if not set(given) <= set(granted) or basis != decided_basis:
            raise Contradiction(Rule.SCOPE, step.index, "more is released than was decided")
        if not step.fields.get("sealed", ""):
            raise Contradiction(Rule.SCOPE, step.index, "a release that commits to nothing")

    def _receipt(self, step: Step) -> None:
        released = _number(step.fields.get("released", ""))
        if self._released.pop(released, None) != step.requester:
            text = "it confirms what was not released to this agency, or was confirmed before"
            raise Contradiction(Rule.CAUSALITY, step.index, text)
        self.counts.confirmed += 1

    def _member(self, step: Step) -> None:
        if step.fields.get("revoked") == "agency":
            self._suspended.add(step.fields.get("agency", ""))


def _check_told(step: Step, owed: str) -> None:
    if step.untold:
        raise Contradiction(Rule.TOLD, step.index, "the alerts are not those that it names")
    if owed and step.told is not None and owed not in step.told:
        raise Contradiction(Rule.TOLD, step.index, "an agency was not told of it that had to be")


def _check_facts(step: Step, found: Recomputed) -> None:
    role = step.fields.get("worker", "").partition(" ")[2]
    said = (step.requester, step.fields.get("purpose", ""), role, step.fields.get("policy", ""), step.holder)
    if said != (found.agency, found.purpose, found.role, found.policy, found.owner):
        raise Contradiction(Rule.FACTS, step.index, "the argument speaks of another request or another youth's owner")
    if found.received_ms > step.time_ms:
        raise Contradiction(Rule.FACTS, step.index, "the argument is newer than the entry")


def _verdict(fields: Mapping[str, str]) -> Verdict:
    decision = fields.get("decision", "")
    detail = fields.get("fields" if decision == _ALLOW else "reason", "")
    return Verdict(decision, fields.get("outcome", ""), detail)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else -1
