"""Deciding everything again: whether what the log says was allowed follows from what the log says was known.

Follows the entries in the order of the log and stops at the first that contradicts the rules or an earlier entry:

COMMITTED   the argument kept for a decision is the one that its entry commits to
DECIDED     the policy, given that argument, decides what the entry says
FACTS       the argument speaks of the entry's own agency, purpose, role, owner, policy and time
AUTHORITY   what rests on a consent, order or agreement names one that was recorded before and not revoked, and no
            revocation is claimed that the log does not hold
MEMBER      nothing is released to an agency after it was revoked
SCOPE       what is released is no more than what was decided, and nothing is released by a refusal
CAUSALITY   a release closes one earlier permit for the same agency, holder and request, once; a receipt confirms one
            earlier release to the same agency, once
SEALED      what is released, recorded or revoked about a youth whose key is gone stands before a seal of the youth's
            owner, or before a declared loss, with which the entry of the seal may have gone

A sealed entry's argument can no longer be opened; it counts as sealed, and the rules that need no argument still hold
for it. Decides these rules; how entries are opened and what the policy is comes from outside (`Step`, `Decide`),
because this room knows nothing of either. A replay shows consistency; that the entries are the log's, verify.py shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from audit.errors import AuditError
from audit.own_entries import SUCCEEDED

_DECISION: Final = "access.decision"
_OUTCOME: Final = "access.outcome"
_RECEIPT: Final = "access.receipt"
_RECORDED: Final = "authority.recorded"
_REVOKED: Final = "authority.revoked"
_PRESENTED: Final = "authority.presented"
_MEMBER: Final = "member.revoked"
_SEALS: Final = ("seal.restricted", "seal.destroyed")
_ALLOW: Final = "ALLOW"
STATUTE: Final = "STATUTE"
GUARDS: Final = frozenset({"AUTHORITY_ENDED_BEFORE_RELEASE", "MEMBER_DENIED_BEFORE_RELEASE"})
"""Reasons found in the very transaction of an entry; they stand in the place of a permit."""
AFTERWARDS: Final = GUARDS | {"REFUSED_BY_SOURCE", "SOURCE_UNAVAILABLE", "NO_MATCH"}
"""Reasons for which a permit can end without a release."""
_AT_ONCE: Final = frozenset({"FS0", "FS1"})
"""Field sets of a flag check, which is answered from the log: the decision itself is the release."""


class Rule(StrEnum):
    """Which rule is broken."""

    COMMITTED = "COMMITTED"
    DECIDED = "DECIDED"
    FACTS = "FACTS"
    AUTHORITY = "AUTHORITY"
    MEMBER = "MEMBER"
    SCOPE = "SCOPE"
    CAUSALITY = "CAUSALITY"
    SEALED = "SEALED"


class Contradiction(AuditError):
    """The log contradicts the policy or itself. The text names fields, never a value of one."""

    def __init__(self, rule: Rule, index: int, text: str) -> None:
        super().__init__(text)
        self.rule = rule
        self.index = index


@dataclass(frozen=True, slots=True)
class Step:
    """One entry as the replayer opened it. `fields` are text; bytes stand as hexadecimal."""

    index: int
    time_ms: int
    kind: str
    requester: str
    holder: str
    fields: Mapping[str, str] = field(repr=False)
    is_sealed: bool = False
    """Whether the key of the youth it is about is gone."""
    committed: bytes | None = field(default=None, repr=False)
    """The argument of the decision; None when there is none, or it cannot be opened."""


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


@dataclass(slots=True)
class Counts:
    """What was followed so far."""

    entries: int = 0
    decided: int = 0
    recomputed: int = 0
    sealed: int = 0
    guarded: int = 0
    """Refusals that a guard put in a permit's place; their argument was not kept, and nothing left."""
    released: int = 0
    confirmed: int = 0


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


class _KeysGone:
    """What stands about youths whose key is gone, and that no seal explains so far."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        """By owner, the last entry."""

    def note(self, owner: str, index: int) -> None:
        """The entry is about a youth of this owner whose key is gone."""
        self._last[owner] = index

    def seal(self, step: Step) -> None:
        """What came before may be about the youth that this owner has sealed."""
        self._last.pop(step.requester, None)

    def succeed(self) -> None:
        """Entries were lost, seals perhaps among them."""
        self._last.clear()

    def check_explained(self) -> None:
        """The log has no further entry. Raises `Contradiction`."""
        if self._last:
            text = "the key of its youth is gone, and no seal of the owner follows"
            raise Contradiction(Rule.SEALED, min(self._last.values()), text)


class _Authorities:
    """The authorities that a log has recorded so far, and what became of them."""

    def __init__(self, counts: Counts, keys_gone: _KeysGone) -> None:
        self._counts = counts
        self._keys_gone = keys_gone
        self._revoked: dict[str, int | None] = {}
        """By identifier, the entry that ended it; None while it stands."""
        self._issuers: dict[str, str] = {}
        self._lost: set[str] = set()
        """Ended by a declared loss alone, so that they can be presented again."""

    def is_recorded(self, authority: str) -> bool:
        """Whether it was recorded before."""
        return authority in self._revoked

    def is_revoked(self, authority: str) -> bool:
        """Whether it was recorded and has ended."""
        return self._revoked.get(authority) is not None

    def record(self, step: Step) -> None:
        """It stands. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            return
        self._check_issuer(step, authority)
        # Recorded again under another request, it stays what it was: whoever is its issuer can do so at any time.
        self._revoked.setdefault(authority, None)

    def revoke(self, step: Step) -> None:
        """It has ended. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            return
        if not self.is_recorded(authority):
            raise Contradiction(Rule.AUTHORITY, step.index, "an authority is revoked that was not recorded")
        if not self.is_revoked(authority) or authority in self._lost:
            self._revoked[authority] = step.index
            self._lost.discard(authority)

    def present(self, step: Step) -> None:
        """It stands again. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            return
        if self.is_recorded(authority) and authority not in self._lost:
            text = "an authority is presented again that stands, or that was revoked"
            raise Contradiction(Rule.AUTHORITY, step.index, text)
        self._check_issuer(step, authority)
        self._revoked[authority] = None
        self._lost.discard(authority)

    def succeed(self, step: Step) -> None:
        """Entries were lost, a revocation perhaps among them: what was recorded before must be recorded anew."""
        self._keys_gone.succeed()
        self._lost |= {name for name, at in self._revoked.items() if at is None}
        self._revoked = {name: step.index if at is None else at for name, at in self._revoked.items()}

    def _named(self, step: Step) -> str | None:
        """Which authority the entry is about; None where that left with the key of the youth it names."""
        if "authority" not in step.fields:
            self._counts.sealed += 1
            # Its issuer owns the youth: whoever records it, and the holder of another party's revocation.
            self._keys_gone.note(step.holder or step.requester, step.index)
        return step.fields.get("authority")

    def _check_issuer(self, step: Step, authority: str) -> None:
        if self._issuers.setdefault(authority, step.requester) != step.requester:
            raise Contradiction(Rule.AUTHORITY, step.index, "an authority is recorded by two agencies")


class Replay:
    """Follows one log. After a `Contradiction` it must not be used again."""

    def __init__(self, decide: Decide, *, granted: Callable[[str], tuple[tuple[str, ...], str]]) -> None:
        """`granted` parses the text of a permit's grant into field sets and basis."""
        self.counts = Counts()
        self._decide = decide
        self._granted = granted
        self._permits: dict[int, _Permit] = {}
        self._closed: set[int] = set()
        self._released: dict[int, str] = {}
        self.keys_gone = _KeysGone()
        """To be checked at the end of the log."""
        self._authorities = _Authorities(self.counts, self.keys_gone)
        self._suspended: set[str] = set()
        self._by_kind = {
            _DECISION: self._decision,
            _OUTCOME: self._outcome,
            _RECEIPT: self._receipt,
            _RECORDED: self._authorities.record,
            _REVOKED: self._authorities.revoke,
            _PRESENTED: self._authorities.present,
            SUCCEEDED: self._authorities.succeed,
            _MEMBER: self._member,
            **dict.fromkeys(_SEALS, self.keys_gone.seal),
        }

    def follow(self, step: Step) -> None:
        """The entry follows from what stands before it. Raises `Contradiction`."""
        self.counts.entries += 1
        rule = self._by_kind.get(step.kind)
        if rule is not None:
            rule(step)

    def _decision(self, step: Step) -> None:
        self.counts.decided += 1
        fields = step.fields
        verdict = _verdict(fields)
        if "input" in fields:
            self._recompute(step, verdict)
        elif step.is_sealed:
            # It stood with the youth.
            self.counts.sealed += 1
        elif verdict.decision == _ALLOW:
            raise Contradiction(Rule.COMMITTED, step.index, "a permit that commits to no argument")
        self._permits[step.index] = _Permit(
            step.requester, step.holder, fields.get("request", ""), verdict.decision == _ALLOW,
            fields.get("fields", ""), verdict.detail, fields.get("authority", ""), step.is_sealed,
        )  # fmt: skip
        if verdict.decision == _ALLOW:
            field_sets, basis = self._granted(verdict.detail)
            if (
                basis != STATUTE
                and not step.is_sealed
                and not self._authorities.is_recorded(fields.get("authority", ""))
            ):
                text = "a permit rests on an authority that was not recorded before"
                raise Contradiction(Rule.AUTHORITY, step.index, text)
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
        if found.authority_status == "REVOKED" and not self._authorities.is_revoked(step.fields.get("authority", "")):
            text = "an authority counts as revoked that the log does not say was"
            raise Contradiction(Rule.AUTHORITY, step.index, text)
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
        if not self._authorities.is_revoked(step.fields.get("authority", "")):
            text = "a permit ended by a revocation that the log does not hold"
            raise Contradiction(Rule.AUTHORITY, step.index, text)

    def _check_release(self, step: Step, authority: str, *, is_sealed: bool) -> None:
        self.counts.released += 1
        if is_sealed:
            self.keys_gone.note(step.holder, step.index)
        _, basis = self._granted(step.fields.get("fields", ""))
        if basis != STATUTE and not is_sealed and self._authorities.is_revoked(authority):
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
