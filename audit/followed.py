"""What a replay has followed so far: authorities and what became of them, and keys that are gone.

Decides what an entry may say of an authority by what stands before it, and that a key which is gone needs a seal that
took it: one of the youth's owner; for an authority, whose youth its entry no longer says, one of anybody. Each
contradiction names the rule that is broken; the rules are in `audit.replay`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from audit.errors import AuditError


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
    """Whether the key of the youth it is about is gone, or of the authority under whose key it is."""
    committed: bytes | None = field(default=None, repr=False)
    """The argument of the decision; None when there is none, or it cannot be opened."""


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


class KeysGone:
    """What stands under keys that are gone, and that no seal explains so far."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        """By owner, the last entry about a youth."""
        self._last_authority: int | None = None
        """The last entry that no longer says which authority it is about."""

    def note(self, owner: str, index: int) -> None:
        """The entry is about a youth of this owner whose key is gone."""
        self._last[owner] = index

    def note_authority(self, index: int) -> None:
        """The entry is about an authority whose key is gone, or that of the youth which it names by handle.

        The two look alike, and the first may be about anybody's youth.
        """
        self._last_authority = index

    def seal(self, step: Step) -> None:
        """What came before may be about the youth that this owner has sealed."""
        self._last.pop(step.requester, None)
        self._last_authority = None

    def succeed(self) -> None:
        """Entries were lost, seals perhaps among them."""
        self._last.clear()
        self._last_authority = None

    def check_explained(self) -> None:
        """The log has no further entry. Raises `Contradiction`."""
        if self._last:
            text = "the key of its youth is gone, and no seal of the owner follows"
            raise Contradiction(Rule.SEALED, min(self._last.values()), text)
        if self._last_authority is not None:
            text = "the key of its authority is gone, and no seal follows"
            raise Contradiction(Rule.SEALED, self._last_authority, text)


class Authorities:
    """The authorities that a log has recorded so far, and what became of them."""

    def __init__(self, counts: Counts, keys_gone: KeysGone) -> None:
        self._counts = counts
        self._keys_gone = keys_gone
        self._revoked: dict[str, int | None] = {}
        """By identifier, the entry that ended it; None while it stands."""
        self._issuers: dict[str, str] = {}
        self._lost: set[str] = set()
        """Ended by a declared loss alone, so that they can be presented again."""
        self._has_closed = False
        """Whether one was recorded by an entry that no longer says which."""

    def is_revoked(self, authority: str) -> bool:
        """Whether it was recorded and has ended."""
        return self._revoked.get(authority) is not None

    def check_recorded(self, step: Step) -> None:
        """The authority that the permit rests on was recorded before. Raises `Contradiction`."""
        if step.fields.get("authority", "") not in self._revoked and not self._may_be_closed(step):
            text = "a permit rests on an authority that was not recorded before"
            raise Contradiction(Rule.AUTHORITY, step.index, text)

    def check_revoked(self, step: Step, text: str) -> None:
        """The authority that the entry names has ended. Raises `Contradiction`, which says `text`."""
        if not self.is_revoked(step.fields.get("authority", "")) and not self._may_be_closed(step):
            raise Contradiction(Rule.AUTHORITY, step.index, text)

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
        if authority not in self._revoked:
            raise Contradiction(Rule.AUTHORITY, step.index, "an authority is revoked that was not recorded")
        if not self.is_revoked(authority) or authority in self._lost:
            self._revoked[authority] = step.index
            self._lost.discard(authority)

    def present(self, step: Step) -> None:
        """It stands again. Raises `Contradiction`."""
        authority = self._named(step)
        if authority is None:
            return
        if authority in self._revoked and authority not in self._lost:
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
        """Which authority the entry is about; None where that left with the youth's key or the authority's."""
        if "authority" not in step.fields:
            self._counts.closed += 1
            self._has_closed = True
            self._keys_gone.note_authority(step.index)
        return step.fields.get("authority")

    def _may_be_closed(self, step: Step) -> bool:
        """Whether the authority that the entry names may be one whose own entries no longer say which they are about.

        As of a youth whose seal was lifted, without the authority's key. A seal must follow the entry then.
        """
        if step.fields.get("authority", "") in self._revoked or not self._has_closed:
            return False
        self._keys_gone.note_authority(step.index)
        return True

    def _check_issuer(self, step: Step, authority: str) -> None:
        if self._issuers.setdefault(authority, step.requester) != step.requester:
            raise Contradiction(Rule.AUTHORITY, step.index, "an authority is recorded by two agencies")
