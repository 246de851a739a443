"""What can stop the adapter toward the exchange.

    NodeError
    +-- NotReady            something that must exist first does not yet: directory, pepper, policy
    +-- HolderUnavailable   too few holders of the token key answered and proved their answers

A call that failed at the gateway is `rpcs.CallFailed`; an identity that makes no token is `identity.errors`.
"""

from dataclasses import dataclass
from enum import StrEnum

from adapters.node.rpcs import CallFault


class NodeError(Exception):
    """Root."""


class Missing(StrEnum):
    """What is not there yet."""

    DIRECTORY = "DIRECTORY"
    """No directory that both signers signed."""
    LISTING = "LISTING"
    """The directory does not list this agency: its county was not admitted yet, or it is suspended."""
    PEPPER = "PEPPER"
    """The pepper of counties has not reached this adapter."""
    HOLDERS = "HOLDERS"
    """The directory names too few independent holders of the token key."""
    POLICY = "POLICY"
    """The directory names a policy bundle that this release does not carry."""
    SOUND_LOG = "SOUND_LOG"
    """The exchange's log showed two histories: it is not asked and not answered before a person has looked."""
    SUBJECT = "SUBJECT"
    """The youth is not in the caseload, or cannot be listed."""


class NotReady(NodeError):
    """Something that must exist first does not yet."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class HolderFault:
    """Why one holder's answer could not be used. `reason` is the holder's constant reason, or empty."""

    operator: str
    fault: CallFault
    reason: str


class HolderUnavailable(NodeError):
    """Fewer holders than the threshold gave a proven answer."""

    def __init__(self, faults: tuple[HolderFault, ...]) -> None:
        super().__init__("; ".join(f"{each.operator}: {each.fault} {each.reason}".strip() for each in faults))
        self.faults = faults
