"""Whom this agency lists, next to whom it should: the difference is what must be registered.

Decides who belongs on the list (everybody in care, or only youths with a raised flag), under which restriction, and
when a youth counts as changed: by a keyed digest over all that is registered, so that no identity lies in the database.
"""

import hmac
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import date

from adapters.identity.errors import InvalidIdentity
from adapters.identity.keys import missing_fields
from adapters.identity.tokenize import Person
from adapters.node.errors import Missing, NotReady
from adapters.node.flags import OwnFlags
from adapters.node.listing import IndexPolicy, person_of
from adapters.node.node import Node
from adapters.node.source import Source, placement_county_of
from adapters.node.subjects import Subjects
from adapters.records import LocalSubjectId, Youth
from gateway.protocol.names import Restriction, SubjectHandle


@dataclass(frozen=True, slots=True)
class Change:
    """One youth to register."""

    handle: SubjectHandle = field(repr=False)
    person: Person = field(repr=False)
    restriction: Restriction
    placement_county: str = field(repr=False)
    fingerprint: bytes = field(repr=False)
    known: bytes | None = field(default=None, repr=False)
    """Fingerprint under which the gateway had it confirmed when this was compared."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What must change at the gateway."""

    changes: tuple[Change, ...]
    removed: tuple[SubjectHandle, ...] = field(repr=False)
    """Of the list as a whole, in whatever epoch."""
    unfindable: int
    """Youths with an open flag whom the sources name no more, and who are not listed in this epoch."""
    unlistable: int
    """Youths without a usable name or birth date."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Compares the caseload with what is listed."""

    node: Node
    source: Source
    subjects: Subjects
    flags: OwnFlags
    policy: IndexPolicy
    is_sealed: Callable[[LocalSubjectId], bool] = lambda _: False
    """Whether a court sealed the youth's records: then the exchange must not know it."""

    def compare(self, epoch: str) -> Plan:
        """What must change at the gateway in this epoch. Raises `SourceUnusable`, `NotReady`."""
        listed = self.subjects.listed(epoch)
        open_handles = frozenset(self.flags.open_handles())
        flagged = {self.subjects.local_id_of(handle) for handle in open_handles}
        youths = [youth for youth in self.source.youths() if self._belongs(youth, flagged)]
        handles = self.subjects.handles_of([youth.local_id for youth in youths])
        changes: list[Change] = []
        kept: set[LocalSubjectId] = set()
        unlistable = 0
        for youth in youths:
            change = self.change_of(youth, handles[youth.local_id], epoch)
            if change is None:
                unlistable += 1
                continue
            kept.add(youth.local_id)
            known = listed.get(youth.local_id)
            if known is None or known.fingerprint != change.fingerprint:
                changes.append(replace(change, known=known.fingerprint if known is not None else None))
        # A youth somebody is looking for stays findable although the extract no longer names the youth: only the
        # owner ends an episode, and a row that went missing is not that (DOMAIN §4d).
        removed = tuple(
            each.handle for local_id, each in listed.items() if local_id not in kept and each.handle not in open_handles
        )
        confirmed = {each.handle for each in listed.values() if each.fingerprint is not None}
        coming = {change.handle for change in changes}
        unfindable = sum(
            handle not in confirmed and handle not in coming and bool(self.subjects.every_registered(handle))
            for handle in open_handles
        )
        return Plan(tuple(changes), removed, unfindable, unlistable)

    def birth_date_of(self, local_id: LocalSubjectId) -> date | None:
        """The youth's birth date in the county's record. Raises `NotReady` (SUBJECT), `SourceUnusable`."""
        youth = self.source.by_local_id(local_id)
        if youth is None or self.is_sealed(local_id):
            raise NotReady(Missing.SUBJECT)
        return youth.identity.birth_date

    def is_sealed_now(self, handle: SubjectHandle) -> bool:
        """Whether the youth's records are sealed, by the county's data or at the exchange. Raises `SourceUnusable`."""
        local_id = self.subjects.local_id_of(handle)
        if local_id is None:
            return False
        youth = self.source.by_local_id(local_id)
        return self.is_sealed(local_id) or (youth is not None and youth.restriction is Restriction.SEALED)

    def _belongs(self, youth: Youth, flagged: Collection[LocalSubjectId | None]) -> bool:
        if self.policy.drops(youth.restriction) or self.is_sealed(youth.local_id):
            return False
        if self.policy.flagged_only or youth.local_id in flagged:
            return youth.local_id in flagged
        return youth.is_in_care

    def change_of(self, youth: Youth, handle: SubjectHandle, epoch: str) -> Change | None:
        """What would be registered of this youth in this epoch; None where it makes no tokens."""
        person = person_of(youth.identity)
        try:
            if missing_fields(person.identity, aliases=person.aliases, scheme=self.node.tokenizer.scheme):
                return None
        except InvalidIdentity:
            return None
        county = placement_county_of(youth)
        restriction = youth.restriction
        return Change(
            handle=handle,
            person=person,
            restriction=restriction,
            placement_county="" if county == self.node.membership.county else county,
            fingerprint=self._fingerprint(person, restriction, county, epoch),
        )

    def _fingerprint(self, person: Person, restriction: Restriction, county: str, epoch: str) -> bytes:
        """Keyed: whoever takes the database without the key cannot test a name against it."""
        scheme = self.node.tokenizer.scheme
        rules = [scheme.version, scheme.short_forms.county_digest, epoch]
        names = [dict(person.identity), [dict(each) for each in person.aliases], person.estimated]
        parts = [*rules, restriction, county, *names]
        text = json.dumps(parts, sort_keys=True, ensure_ascii=True)
        return hmac.digest(self.node.keyring.commitment, b"homeward/listing/v1\0" + text.encode(), "sha256")
