"""What the spine is given: policy, directory, ports, and a handful of settings."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.exchange.authenticate import Read, read_here
from gateway.exchange.reliance import Reliance
from gateway.exchange.reviews import Reviews
from gateway.exchange.tally import Tally
from gateway.ports import Authorities, Journal, Projections, Sources, SubjectIndex, YouthKeys
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.policy.rules import Policy


@dataclass(frozen=True, slots=True)
class Setting:
    """The spine's surroundings. `directory` may raise `Unavailable` until a directory is signed by all."""

    policy: Policy
    directory: Callable[[], DirectoryView]
    journal: Journal
    index: SubjectIndex
    authorities: Authorities
    projections: Projections
    youth_keys: YouthKeys
    sources: Sources
    reviews: Reviews
    reliance: Reliance
    tally: Tally
    pairwise: Callable[[AgencyId, AgencyId, SubjectHandle], bytes]
    """(requester, owner, handle) to a handle of 16 bytes valid between these two only."""
    random_bytes: Callable[[int], bytes]
    now: Callable[[], datetime]
    until: Callable[[datetime], Awaitable[None]]
    """Waits until a time."""
    auto: bool
    """Whether a match by tokens alone is good for records (TOKENS §7: off until calibrated)."""
    source_seconds: float = 5.0
    read: Read = read_here
    slot_seconds: float = 0.4
    """Uniform negatives of record calls leave on multiples of this after receipt."""
