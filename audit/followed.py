"""What a replay has followed so far: authorities and what became of them, and keys that are gone.

Decides what an entry may say of an authority by what stands before it, and that a key which is gone needs a seal that
took it: one of the youth's owner; for an authority, whose youth its entry no longer says, one of anybody. What rests on
an authority that a seal closed must name one that the exchange keeps on record since such an entry (`Kept`): the log
alone cannot say which authority that entry is about. Each contradiction names the rule that is broken; the rules are in
`audit.replay`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from audit.errors import AuditError
from audit.own_entries import loses_entries

DESTROYED: Final = "seal.destroyed"
_NOT_STANDING: Final = "an order about a seal that does not stand"


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
    MENDED = "MENDED"
    TOLD = "TOLD"


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
    """Whether the key of the youth it is about is gone, or of the authority under whose key it is."""
    committed: bytes | None = field(default=None, repr=False)
    """The argument of the decision; None when there is none, or it cannot be opened."""
    told: Collection[str] | None = ()
    """Agencies that the entry sent an alert, as the alerts say that it names; None where a declared loss took one."""
    untold: int = 0
    """How many alerts it names that are not there, or that say it sent them and that it does not name."""


@dataclass(slots=True)
class Counts:
    """What was followed so far."""

    entries: int = 0
    decided: int = 0
    recomputed: int = 0
    sealed: int = 0
    """Decisions."""
    closed: int = 0
    """Entries about authorities that no longer say which."""
    guarded: int = 0
    """Refusals that a guard put in a permit's place; their argument was not kept, and nothing left."""
    released: int = 0
    confirmed: int = 0
    returning: int = 0
    """Seals on record as lifted whose key a crash left on its way back; followed as if it were back."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an authority whose key left with a seal. Unverified: whoever keeps it can write it, too."""

    index: int
    """The entry by which it is on record."""
    issuer: str
    is_revoked: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """How many entries seals have closed, as it is kept beside the keys, and what commits to it."""

    commitment: str
    since: int
    """Closed entries are counted from this index on: 0, or one behind a declared loss of entries."""
    count: int


class KeysGone:
    """What stands under keys that are gone, and that no seal explains so far.

    A seal explains what came before it; and as many entries as all of them say that they have closed, no more, because
    a key that somebody took out before a seal of the same owner would be explained by it, too.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        """By owner, the last entry about a youth."""
        self._last_authority: int | None = None
        """The last entry that no longer says which authority it is about."""
        self._standing: dict[str, str] = {}
        """By identifier of each seal that may be lifted, its owner."""
        self._ended: set[str] = set()
        """Seals that were lifted or destroyed."""
        self._noted = {0: 0}
        """How many entries stand under keys that are gone, from each index on from which they may be counted: from the
        first, and from behind each declared loss of entries, which may have lost what seals had closed."""
        self._commits: Step | None = None
        """The last order about a seal that says how many are to be."""
        self._noted_before: dict[int, int] = {}
        """As it stood then."""
        self._uncounted = -1
        """The last order that says nothing of it."""
        self._last_loss = -1

    def note(self, owner: str, index: int) -> None:
        """The entry is about a youth of this owner whose key is gone."""
        self._note()
        self._last[owner] = index

    def note_authority(self, index: int) -> None:
        """The entry is about an authority whose key is gone, or that of the youth which it names by handle.

        The two look alike, and the first may be about anybody's youth.
        """
        self._note()
        self._last_authority = index

    def await_seal(self, index: int) -> None:
        """The entry can be read, and names an authority whose key is gone."""
        self._last_authority = index

    def seal(self, step: Step) -> None:
        """What came before may be about the youth that this owner has sealed. Raises `Contradiction`."""
        seal = step.fields["notice"]
        # A seal that stands may be destroyed; a new one is nobody's yet.
        if seal in self._standing and (step.kind != DESTROYED or self._standing.pop(seal) != step.requester):
            raise Contradiction(Rule.SEALED, step.index, _NOT_STANDING)
        if seal in self._ended:
            raise Contradiction(Rule.SEALED, step.index, _NOT_STANDING)
        if step.kind == DESTROYED:
            self._ended.add(seal)
        else:
            self._standing[seal] = step.requester
        self._last.pop(step.requester, None)
        self._last_authority = None
        self._commit(step)

    def lift(self, step: Step) -> None:
        """What was closed by one seal is open again. Raises `Contradiction`."""
        seal = step.fields["notice"]
        if self._standing.pop(seal, None) != step.requester:
            raise Contradiction(Rule.SEALED, step.index, _NOT_STANDING)
        self._ended.add(seal)
        self._commit(step)

    def _commit(self, step: Step) -> None:
        if "closed" in step.fields:
            self._commits, self._noted_before = step, dict(self._noted)
        elif self._commits is not None:
            raise Contradiction(Rule.SEALED, step.index, "an order about a seal that does not say how much is closed")
        else:
            # Of a time when none did.
            self._uncounted = step.index

    def _note(self) -> None:
        self._noted = {since: count + 1 for since, count in self._noted.items()}

    def succeed(self, step: Step) -> None:
        """Where entries were lost, seals may be among them; where rows of tables alone were, none is."""
        if not loses_entries(step.fields.get("size", ""), step.fields.get("kept", "")):
            return
        self._last.clear()
        self._last_authority = None
        self._noted[step.index + 1], self._last_loss = 0, step.index

    def check_explained(self) -> None:
        """The log has no further entry. Raises `Contradiction`."""
        if self._last:
            text = "the key of its youth is gone, and no seal of the owner follows"
            raise Contradiction(Rule.SEALED, min(self._last.values()), text)
        if self._last_authority is not None:
            text = "the key of its authority is gone, and no seal follows"
            raise Contradiction(Rule.SEALED, self._last_authority, text)

    def check_counted(self, counted: Collection[Counted], before: Collection[str]) -> None:
        """As much is closed as the last order about a seal says. Raises `Contradiction`.

        `counted` are what may be kept of that: one of them must be what it commits to. `before` are commitments that
        were kept once: where entries behind the order were lost, what is kept may be of a lost one.
        """
        if self._commits is None:
            return
        commitment = self._commits.fields["closed"]
        said = [each for each in counted if each.commitment == commitment]
        if not said and commitment in before and self._last_loss > self._commits.index:
            return
        if not said or said[0].since not in self._noted_before:
            text = "what is kept of how much seals have closed is not what the last of them commits to"
            raise Contradiction(Rule.SEALED, self._commits.index, text)
        if said[0].since > self._uncounted and said[0].count != self._noted_before[said[0].since]:
            text = "not as much is closed as seals have closed (after a crash during an order, start the gateway first)"
            raise Contradiction(Rule.SEALED, self._commits.index, text)


class ClosedAuthorities:
    """Authorities whose entries no longer say which they are about, and what rests on them all the same.

    As what is about a youth whose seal was lifted, without the authority's key, or about another one that it names.
    """

    def __init__(self, keys_gone: KeysGone, kept: Mapping[str, Kept]) -> None:
        """`kept` are those whose key left with a seal, by identifier."""
        self._keys_gone = keys_gone
        self._kept = kept
        self._claims = Counter(each.index for each in kept.values())
        self._issuers: dict[int, str] = {}
        """By index of the entry that put one on record."""
        self._revocations = 0
        self._last_loss = -1
        self._awaited: dict[int, Step] = {}
        """By index of the entry that must present one again: the last that rests on it before that."""

    def record(self, step: Step) -> None:
        """The entry puts one on record, for the first time or again. Raises `Contradiction`."""
        self._issuers[step.index] = step.requester
        waiting = self._awaited.pop(step.index, None)
        if waiting is not None:
            is_again = self._last_loss > waiting.index
            if not is_again or self._kept[waiting.fields["authority"]].issuer != step.requester:
                raise _unrecorded(waiting)

    def revoke(self) -> None:
        """One has ended."""
        self._revocations += 1

    def succeed(self, step: Step) -> None:
        """All have ended; any can be presented again."""
        self._last_loss = step.index

    def is_recorded(self, step: Step) -> bool:
        """Whether the entry names one that the exchange keeps.

        Which must be on record since an entry of its issuer that stands before this one, or since one by which it was
        presented again after a loss, that follows; and no other since the same. A seal must follow this entry.
        """
        kept = self._kept.get(step.fields.get("authority", ""))
        if kept is None or self._claims[kept.index] > 1:
            return False
        if kept.index > step.index and kept.issuer in self._issuers.values():
            self._awaited[kept.index] = step
        elif self._issuers.get(kept.index) != kept.issuer:
            return False
        self._keys_gone.await_seal(step.index)
        return True

    def is_revoked(self, step: Step) -> bool:
        """Whether the entry names one that the exchange keeps as revoked, or that a loss may have ended."""
        if not self.is_recorded(step):
            return False
        kept = self._kept[step.fields["authority"]]
        return self._last_loss >= 0 or (kept.is_revoked and self._revocations > 0)

    def check_ended(self) -> None:
        """The log has no further entry, and none is awaited. Raises `Contradiction`."""
        for step in self._awaited.values():
            raise _unrecorded(step)


class Authorities:
    """The authorities that a log has recorded so far, and what became of them."""

    def __init__(self, counts: Counts, keys_gone: KeysGone, kept: Mapping[str, Kept]) -> None:
        self._counts = counts
        self._keys_gone = keys_gone
        self._closed = ClosedAuthorities(keys_gone, kept)
        self._revoked: dict[str, int | None] = {}
        """By identifier, the entry that ended it; None while it stands."""
        self._issuers: dict[str, str] = {}
        self._lost: set[str] = set()
        """Ended by a declared loss alone, so that they can be presented again."""

    def is_revoked(self, authority: str) -> bool:
        """Whether it was recorded and has ended."""
        return self._revoked.get(authority) is not None

    def check_recorded(self, step: Step) -> None:
        """The authority that the permit rests on was recorded before. Raises `Contradiction`."""
        if step.fields.get("authority", "") not in self._revoked and not self._closed.is_recorded(step):
            raise _unrecorded(step)

    def check_revoked(self, step: Step, text: str) -> None:
        """The authority that the entry names has ended. Raises `Contradiction`, which says `text`."""
        authority = step.fields.get("authority", "")
        if not (self.is_revoked(authority) if authority in self._revoked else self._closed.is_revoked(step)):
            raise Contradiction(Rule.AUTHORITY, step.index, text)

    def record(self, step: Step) -> None:
        """It stands. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            self._closed.record(step)
            return
        self._check_issuer(step, authority)
        # Recorded again under another request, it stays what it was: whoever is its issuer can do so at any time.
        self._revoked.setdefault(authority, None)

    def revoke(self, step: Step) -> None:
        """It has ended. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            self._closed.revoke()
            return
        if authority not in self._revoked:
            raise Contradiction(Rule.AUTHORITY, step.index, "an authority is revoked that was not recorded")
        if not self.is_revoked(authority) or authority in self._lost:
            self._revoked[authority] = step.index
            self._lost.discard(authority)

    def present(self, step: Step) -> None:
        """It stands again. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            self._closed.record(step)
            return
        if authority in self._revoked and authority not in self._lost:
            text = "an authority is presented again that stands, or that was revoked"
            raise Contradiction(Rule.AUTHORITY, step.index, text)
        self._check_issuer(step, authority)
        self._revoked[authority] = None
        self._lost.discard(authority)

    def succeed(self, step: Step) -> None:
        """Entries were lost, a revocation perhaps among them: what was recorded before must be recorded anew."""
        self._keys_gone.succeed(step)
        self._closed.succeed(step)
        self._lost |= {name for name, at in self._revoked.items() if at is None}
        self._revoked = {name: step.index if at is None else at for name, at in self._revoked.items()}

    def check_ended(self, counted: Collection[Counted], before: Collection[str]) -> None:
        """The log has no further entry, nothing waits for one, and as much is closed as seals have closed.

        As `KeysGone.check_counted`. Raises `Contradiction`.
        """
        self._closed.check_ended()
        self._keys_gone.check_explained()
        self._keys_gone.check_counted(counted, before)

    def _named(self, step: Step) -> str | None:
        """Which authority the entry is about; None where that left with the youth's key or the authority's."""
        if "authority" not in step.fields:
            self._counts.closed += 1
            self._keys_gone.note_authority(step.index)
        return step.fields.get("authority")

    def _check_issuer(self, step: Step, authority: str) -> None:
        if self._issuers.setdefault(authority, step.requester) != step.requester:
            raise Contradiction(Rule.AUTHORITY, step.index, "an authority is recorded by two agencies")


def _unrecorded(step: Step) -> Contradiction:
    return Contradiction(Rule.AUTHORITY, step.index, "a permit rests on an authority that was not recorded before")
