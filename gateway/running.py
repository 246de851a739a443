"""A gateway whose parts are made: what its services and its process are put together from."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from audit.entry import ClassKeys
from audit.log import LogState
from gateway.aside import Aside
from gateway.config import GatewayConfig
from gateway.errors import ErrorReason, Unavailable
from gateway.finding import Finding
from gateway.members.assembly import Members
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.policy.rules import Policy
from gateway.publishing.assembly import Publishing
from gateway.publishing.shown import carried_out
from gateway.recovery.held import HeldRevocations, Revoking
from gateway.recovery.mirroring import Mirroring
from gateway.rpc.links import Links
from gateway.rpc.peer import Peers
from gateway.sealing_assembly import Seals
from gateway.state import State
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.log_journal import LogJournal
from gateway.store.lookups import Lookups
from gateway.store.youth_keys import FileYouthKeys
from homeward.counting import OutcomeCounts


def utc_now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway whose parts are made."""

    config: GatewayConfig
    state: State
    members: Members
    policy: Policy
    journal: LogJournal
    class_keys: ClassKeys
    aside: Aside
    finding: Finding
    lookups: Lookups
    youth_keys: FileYouthKeys
    authority_keys: FileAuthorityKeys
    links: Links
    outcomes: OutcomeCounts
    peers: Peers
    publishing: Publishing
    held: HeldRevocations
    mirroring: Mirroring | None
    seals: Seals

    def recovering(self) -> bool:
        """The log's database was put back: it takes no entries, and nothing is disclosed."""
        return self.members.ledger.log.state is LogState.RECOVERING

    def revoking(self) -> Revoking:
        """Revocations are kept while the log takes no entry or its start is late, and carried out when it does."""
        shown = self.publishing.shown
        return Revoking(self.held, lambda: self.recovering() or bool(shown.waits_for()), partial(carried_out, shown))

    def directory(self) -> DirectoryView:
        """The directory in force. Raises `Unavailable` until one is signed by all."""
        view = self.members.office.view()
        if view is None:
            raise Unavailable(ErrorReason.NOT_READY)
        return view

    def pairwise(self) -> Callable[[AgencyId, AgencyId, SubjectHandle], bytes]:
        """Handles valid between two agencies only."""
        keyed = _keyed(self.state.read_secret("handle.key", length=32))
        return lambda requester, owner, handle: keyed(f"{requester}\0{owner}\0".encode() + handle)


def _keyed(key: bytes) -> Callable[[bytes], bytes]:
    return lambda value: hmac.digest(key, value, sha256)[:16]
