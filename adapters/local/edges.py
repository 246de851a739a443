"""The caller side of one adapter, assembled from its node: who asks, who reports, who keeps, who reads.

Decides nothing; every part is made here once, from the same node, so that all of them see the same directory, keys and
clock.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from adapters.identity.tokenize import Person
from adapters.local.access import AccessEdge
from adapters.local.authority import AuthorityEdge
from adapters.local.missing import MissingEdge
from adapters.local.placement import PlacementEdge
from adapters.local.review import ReviewEdge
from adapters.local.sealing import SealingEdge
from adapters.local.wire import Reading
from adapters.node.accesses import Accesses
from adapters.node.alerts import Alerts
from adapters.node.authorities import OwnYouths, Registrar
from adapters.node.duties import OwnDuties
from adapters.node.flags import OwnFlags
from adapters.node.node import Node
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.own_flag import FlagIssuer
from adapters.node.own_reports import OwnReports
from adapters.node.receipts import Requests
from adapters.node.recording import Recorder
from adapters.node.reports import Reporter
from adapters.node.request import Requester
from adapters.node.reviews import Reviewer, Reviews
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.sealing import SealingOrders
from adapters.node.send import Sender
from adapters.node.stating import Stating
from adapters.node.subjects import Subjects
from gateway.protocol.names import county_of
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP


@dataclass(frozen=True, slots=True)
class Edges:
    """What the five services with users need."""

    missing: MissingEdge = field(repr=False)
    placement: PlacementEdge = field(repr=False)
    authority: AuthorityEdge = field(repr=False)
    access: AccessEdge = field(repr=False)
    sealing: SealingEdge = field(repr=False)
    review: ReviewEdge = field(repr=False)


def assemble(
    node: Node,
    *,
    listing: OwnYouths,
    zone: ZoneInfo,
    flags: OwnFlags,
    authorities: OwnAuthorities,
    alerts: Alerts,
    subjects: Subjects,
    sealed: SealedSubjects,
    relist: Callable[[], None],
) -> Edges:
    """The edges of this node."""
    sender = _sender(node)
    tokens, requests = _lookup(node), Requests(node.store)
    recorder = Recorder(sender, requests)
    reading = Reading(node.keyring.commitment, node.now, node.random_bytes)
    requester = Requester(
        sender=sender,
        requests=requests,
        tokens=tokens,
        policy=node.policy,
        envelope_key=node.keyring.envelope,
        seal_key=node.keyring.seal,
    )
    reporter = Reporter(
        recorder=recorder,
        flags=flags,
        stating=Stating(flags, FlagIssuer(county_of(node.agency), node.keyring.flag), node.now, node.random_bytes),
        listing=listing,
        tokens=tokens,
        own=OwnReports(node.store),
        duties=OwnDuties(node.store),
    )
    registrar = Registrar(
        recorder=recorder,
        listing=listing,
        zone=zone,
        tokens=tokens,
        authority_key=node.keyring.authority,
        commitment_key=node.keyring.commitment,
        own=authorities,
    )
    orders = SealingOrders(recorder, subjects, sealed, node.keyring.commitment, relist)

    def version() -> str:
        return node.bundle.version

    return Edges(
        missing=MissingEdge(reading, requester, reporter, alerts, node.store, version),
        placement=PlacementEdge(reading, requester, version),
        authority=AuthorityEdge(reading, registrar, version),
        access=AccessEdge(reading, Accesses(recorder, node.store, tokens, listing.is_sealed_now, sealed), version),
        sealing=SealingEdge(reading, orders, version),
        review=ReviewEdge(Reviewer(node, Reviews(node.store)), node.store, version),
    )


def _sender(node: Node) -> Sender:
    return Sender(
        agency=node.agency,
        actor=node.membership.spiffe_id,
        gateway=node.gateway,
        assertion_key=node.keyring.assertion,
        directory=node.directory,
        thumbprint=node.channel_thumbprint,
        now=node.now,
        random_bytes=node.random_bytes,
    )


def _lookup(node: Node) -> Callable[[Sequence[Person], str], Awaitable[Sequence[TokenSet]]]:
    async def tokens(people: Sequence[Person], worker: str) -> Sequence[TokenSet]:
        return await node.tokens(people, EVALUATION_USE_LOOKUP, worker=worker)

    return tokens
