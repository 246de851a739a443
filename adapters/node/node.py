"""One adapter toward the exchange, assembled: what its source side and its caller side both stand on.

Decides nothing; it holds the parts that `wiring` made and offers the few sentences both sides need. Everything that
may not be there yet (directory, pepper, policy) raises `NotReady` here, in one place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapters.channel_identity import ChannelIdentityFiles
from adapters.identity.tokenize import Person
from adapters.keyring import Keyring
from adapters.membership import Membership
from adapters.node.acts import Acts
from adapters.node.directory_keeper import DirectoryKeeper
from adapters.node.errors import Missing, NotReady
from adapters.node.holders import Tokenizer, holder_pseudonym
from adapters.node.identifiers import Clock, RandomBytes
from adapters.node.pepper import PepperKeeper
from adapters.node.rpcs import StreamCaller
from adapters.node.store import Store
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.rules import Policy
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.token_pb2 import EvaluationUse


@dataclass(frozen=True, slots=True)
class Node:
    """The adapter's parts toward the exchange."""

    membership: Membership
    keyring: Keyring = field(repr=False)
    store: Store = field(repr=False)
    gateway: StreamCaller = field(repr=False)
    """Calls of `rpcs` at the gateway."""
    identity: Callable[[], ChannelIdentityFiles] = field(repr=False)
    """The channel identity in use; another one after each renewal."""
    keeper: DirectoryKeeper = field(repr=False)
    pepper: PepperKeeper = field(repr=False)
    tokenizer: Tokenizer = field(repr=False)
    acts: Acts = field(repr=False)
    bundle: Policy = field(repr=False)
    """The policy bundle this release carries."""
    now: Clock = field(repr=False)
    random_bytes: RandomBytes = field(repr=False)
    check_log: Callable[[], None] = field(default=lambda: None, repr=False)
    """Holds while the exchange's log has one history, as far as this adapter has seen. Raises `NotReady`."""

    @property
    def agency(self) -> AgencyId:
        """The agency this adapter speaks for."""
        return self.membership.agency

    def directory(self) -> DirectoryView:
        """The directory in force; it lists this agency, and its log has one history. Raises `NotReady`."""
        self.check_log()
        return self.keeper.current()

    def policy(self) -> Policy:
        """The bundle, which is the one that the directory names. Raises `NotReady`."""
        if self.directory().message.policy_digest != self.bundle.digest:
            raise NotReady(Missing.POLICY)
        return self.bundle

    async def tokens(
        self, people: Sequence[Person], use: EvaluationUse, *, worker: str = "", epoch: str = ""
    ) -> list[TokenSet]:
        """One token set per person, in order, made with the holders; all of them or none.

        `worker` is the pseudonym of who looks up; empty for the adapter itself. `epoch` is the current one by default.
        Raises `NotReady`, `HolderUnavailable`, and of `identity.errors` `IncompleteIdentity`, `InvalidIdentity`.
        """
        directory = self.directory()
        epoch = epoch or directory.epoch
        pepper = self.pepper.of(directory, epoch)
        counted = holder_pseudonym(self.keyring.commitment, worker, self.now())
        return await self.tokenizer.tokens(
            people, use=use, directory=directory, epoch=epoch, pepper=pepper, worker=counted
        )

    def channel_thumbprint(self) -> bytes:
        """SHA-256 of the DER channel certificate in use, for the `cnf` claim of assertions."""
        return self.identity().thumbprint
