"""What sealing needs from outside, beyond `gateway.ports`: rows that name a youth, keys that leave, entries by mark."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from audit.entry import StoredEntry
from gateway.exchange.notices import Copy, SealState, Sent
from gateway.ports import Guard, Rows
from gateway.protocol.escrow import Escrowed
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle


class Seals(Protocol):
    """Seals and notices, and the rows that name a youth."""

    async def is_listed(self, owner: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""

    async def flagged_since(self, owner: AgencyId, handle: SubjectHandle) -> int | None:
        """When the latest flag about the youth was reported, or None."""

    async def seal_of(self, seal_id: bytes) -> tuple[AgencyId, SealState] | None:
        """Who ordered the seal, and how it stands."""

    async def naming(
        self, owner: AgencyId, handle: SubjectHandle, digests: frozenset[bytes]
    ) -> tuple[Sequence[AuthorityId], Guard]:
        """The authorities that name the youth; the guard raises `Moved` when another that does came on record since."""

    def unchanged(self, marks: Sequence[bytes], indexes: frozenset[int]) -> Guard:
        """Raises `Moved` when another entry about the youth was written meanwhile."""

    def stands(self, seal_id: bytes, state: SealState) -> Guard:
        """Raises `Moved` when the seal does not stand so any more."""

    def forget(self, owner: AgencyId, handle: SubjectHandle, authorities: Sequence[AuthorityId]) -> Rows:
        """No row names the youth."""

    def put(self, seal_id: bytes, owner: AgencyId, state: SealState) -> Rows:
        """The seal stands so."""

    def put_case(self, seal_id: bytes, sealed: bytes) -> Rows:
        """The court custodian can open this entry's court-only field."""

    def send(self, notice_id: bytes, owner: AgencyId, *, kind: int, copies: Sequence[Copy], at_ms: int) -> Rows:
        """The notice and its copies are kept until each was acknowledged."""

    async def was_sent(self, notice_id: bytes, agency: AgencyId) -> bool:
        """Whether this agency was sent a copy."""

    def acknowledge(self, notice_id: bytes, agency: AgencyId, *, finding: int) -> Rows:
        """The agency answered; what was sealed for it is gone."""

    async def sent_by(self, owner: AgencyId) -> Sequence[Sent]:
        """The newest notices that this agency caused, in order."""


class Escrow(Protocol):
    """The youths' keys on their way out. Blocking; run in a thread."""

    def deposit(
        self,
        owner: AgencyId,
        handle: SubjectHandle,
        seal_id: bytes,
        *,
        custodian_key: bytes | None,
        authorities: Iterable[AuthorityId] = (),
    ) -> None:
        """The youth's key is about to leave, and with it those of these authorities; with a custodian's key a copy of
        the youth's stays."""

    def waiting(self) -> Sequence[bytes]:
        """By which seals a key waits to leave, on record or not."""

    def withdraw(self, seal_id: bytes) -> None:
        """The key is gone. Once or again."""

    def erase(self, seal_id: bytes) -> None:
        """The custodian's copy is gone. Once or again."""


class ReturnedKeys(Protocol):
    """Keys that a court released. Blocking; run in a thread."""

    def receive(self, seal_id: bytes, escrowed: Escrowed) -> None:
        """The key that the court released of this seal is about to come back."""

    def waiting(self) -> Sequence[bytes]:
        """Of which seals a key is about to come back, whether on record as lifted or not."""

    def restore(self, seal_id: bytes) -> None:
        """The youth's key is back. Once or again."""

    def give_up(self, seal_id: bytes) -> None:
        """The key that was about to come back is gone again; the custodian's copy stays. Once or again."""


class Marked(Protocol):
    """Entries by their marks."""

    async def marked(self, marks: Sequence[bytes]) -> Sequence[StoredEntry]:
        """The entries that carry one of these marks, in the order of the log."""
