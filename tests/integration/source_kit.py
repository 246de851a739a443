"""Adapters for the tests of the source side: real stores and keys, a gateway that behaves, sources held in memory."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from google.protobuf.message import Message

from adapters.channel_identity import ChannelIdentityFiles
from adapters.identity.scheme import load_scheme
from adapters.mapping.release import ReleaseRules
from adapters.membership import Membership
from adapters.node.acts import Acts, HolderReceipts
from adapters.node.directory_keeper import DirectoryKeeper
from adapters.node.flags import OwnFlags
from adapters.node.followed_logs import HolderLogs
from adapters.node.holder_alarm import HolderAlarm
from adapters.node.holders import Tokenizer
from adapters.node.node import Node
from adapters.node.own_flag import FlagIssuer
from adapters.node.pepper import PepperFiles, PepperKeeper
from adapters.node.receipts import Requests
from adapters.node.respond import Responder
from adapters.node.reviews import Reviews
from adapters.node.rpcs import (
    EVALUATE,
    FETCH_PEPPER,
    GET_DIRECTORY,
    HEARTBEAT,
    OFFER_PEPPER,
    PRESENT_EVENT,
    REGISTER_ALL,
    REGISTER_SUBJECTS,
    A,
    CallFailed,
    CallFault,
    Q,
    Rpc,
)
from adapters.node.source import SourceUnusable
from adapters.node.store import Store, open_store
from adapters.node.subjects import Proposal, Subjects
from adapters.node.work_log import WorkLog
from adapters.records import LocalSubjectId, Youth
from audit.checkpoint import LogSigner
from gateway.protocol import oprf
from gateway.protocol.decide import CountyNarrowing
from gateway.protocol.directory import DirectoryView, HolderView
from gateway.protocol.envelope import unwrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.sharing import Sharing, public_share
from gateway.tokens.ceremony import Dealing, deal
from homeward.audit.v1 import log_pb2
from homeward.gateway.v1 import directory_pb2, index_pb2, restoration_pb2, token_pb2
from homeward.gateway.v1.authority_pb2 import Authority
from homeward.gateway.v1.directory_pb2 import Directory, PepperOffer, SealedPepper, SignedDirectory
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.missing_pb2 import LocatedReport
from tests.unit.node import world

OPERATORS = ((1, "exchange"), (2, "auditor"), (3, "university"))


class MemorySource:
    """The port of a source, over a list that a test changes."""

    def __init__(self, *youths: Youth, as_of: datetime = world.NOW) -> None:
        self.held: dict[LocalSubjectId, Youth] = {youth.local_id: youth for youth in youths}
        self.as_of: datetime | None = as_of
        self.stale = False

    def youths(self) -> Sequence[Youth]:
        self.data_as_of()
        return tuple(self.held.values())

    def by_local_id(self, local_id: LocalSubjectId) -> Youth | None:
        self.data_as_of()
        return self.held.get(local_id)

    def data_as_of(self) -> datetime:
        if self.as_of is None:
            raise SourceUnusable
        return self.as_of

    def is_stale(self, now: datetime) -> bool:
        return self.stale


NEXT = "e2"


@dataclass
class Gateway:
    """A gateway as its adapters see it: directory, pepper, index and one share; the custodian's share beside it.

    Behaves as the services are documented, for one process and without a network.
    """

    edit: Callable[[Directory], None] = lambda _: None
    sign: Callable[[Directory], SignedDirectory] = world.signed
    dealing: Dealing = field(
        default_factory=lambda: deal(load_ristretto(), threshold=2, holders=2, random_bytes=secrets.token_bytes)
    )
    following: Dealing | None = None
    """Another key, of the epoch `NEXT`, which the directory announces."""
    offers: dict[str, tuple[SealedPepper, SignedEnvelope, bytes]] = field(default_factory=dict)
    next_offers: dict[str, tuple[SealedPepper, SignedEnvelope, bytes]] = field(default_factory=dict)
    subjects: dict[tuple[str, bytes], index_pb2.Subject] = field(default_factory=dict)
    renewed: dict[tuple[str, bytes], index_pb2.Subject] = field(default_factory=dict)
    """Of the epoch `NEXT`."""
    batches: list[index_pb2.RegistrationBatch] = field(default_factory=list)
    looked_for: set[bytes] = field(default_factory=set)
    """Handles with an open flag: a removal keeps them listed, and the answer names them."""
    edit_receipt: Callable[[str, log_pb2.Receipt], log_pb2.Receipt] = lambda _, receipt: receipt
    """What becomes of the receipt of an entry of this kind before it is sent."""
    sealed: set[bytes] = field(default_factory=set)
    """Handles under seal: a registration leaves them out, and the answer names them."""
    cut_off_after: int | None = None
    """A stream fails once it has taken so many batches more: the last of them is taken, and not answered."""
    silent_seconds: float = 0
    """How long it takes until that shows."""
    heartbeats: list[tuple[str, index_pb2.IndexHeartbeat]] = field(default_factory=list)
    presented: list[restoration_pb2.PresentedEvent] = field(default_factory=list)
    refused_events: dict[bytes, str] = field(default_factory=dict)
    """By authority or flag: why it is not taken."""
    refused_fields: tuple[str, ...] = ()
    """What is named as wrong with every event that is refused."""
    unanswered_events: dict[bytes, CallFailed] = field(default_factory=dict)
    """By authority or flag: what presenting it ends in."""
    unanswered: list[bytes] = field(default_factory=list)
    """Of those, which were presented, in order."""
    on_present: Callable[[], None] = lambda: None
    """Happens while an event is under way."""
    failing: dict[str, CallFailed] = field(default_factory=dict)
    """By path: what a call ends in."""
    refused_epochs: dict[str, CallFailed] = field(default_factory=dict)
    """By epoch: what an evaluation in it ends in."""
    on_evaluation: Callable[[int, token_pb2.BlindedBatch], None] = lambda *_: None
    """Called for each evaluation with the share."""
    evaluated: list[tuple[int, token_pb2.BlindedBatch]] = field(default_factory=list)
    lying_share: int | None = None
    """A holder that evaluates under another key than its published one."""
    down: set[int] = field(default_factory=set)
    """Holders that cannot be reached."""

    def directory(self) -> Directory:
        message = world.directory_message()
        group = load_ristretto()
        sharing = Sharing(message.epoch, 1, self.dealing.commitments)
        message.sharing.CopyFrom(sharing.to_message())
        for index, operator in OPERATORS[: len(self.dealing.shares)]:
            commitment = public_share(group, self.dealing.commitments, index)
            message.holders.append(
                world.holder(index, operator, address=f"h{index}:1", certificate=b"c%d" % index, commitment=commitment)
            )
        if self.following is not None:
            message.other_epoch.role = directory_pb2.EPOCH_ROLE_FOLLOWING
            message.other_epoch.sharing.CopyFrom(Sharing(NEXT, 1, self.following.commitments).to_message())
            message.version += 1
        self.edit(message)
        return message

    def caller(self, agency: AgencyId, share: int = 1) -> "GatewayCaller":
        return GatewayCaller(self, agency, share)

    def envelope_key(self, agency: AgencyId) -> bytes:
        return world.keys().rings[agency].envelope.public_bytes


@dataclass
class GatewayStream:
    """A stream of registrations: one batch after the other, as the calls are."""

    caller: "GatewayCaller"

    async def ask(self, request: index_pb2.RegisterAllRequest) -> index_pb2.RegisterAllResponse:
        gateway = self.caller.gateway
        single = index_pb2.RegisterSubjectsRequest(envelope=request.envelope)
        result = await self.caller.call(REGISTER_SUBJECTS, single, seconds=1)
        if gateway.cut_off_after is not None:
            gateway.cut_off_after -= 1
            if gateway.cut_off_after <= 0:
                await asyncio.sleep(gateway.silent_seconds)
                raise CallFailed(CallFault.UNAVAILABLE)
        return index_pb2.RegisterAllResponse(request_id=gateway.batches[-1].request_id, result=result)

    def close(self) -> None:
        pass


@dataclass
class GatewayCaller:
    """The port, for one adapter and one holder."""

    gateway: Gateway
    agency: AgencyId
    share: int

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        assert 0 < seconds <= 60
        if rpc.path in self.gateway.failing:
            raise self.gateway.failing[rpc.path]
        if self.share in self.gateway.down:
            raise CallFailed(CallFault.UNAVAILABLE)
        answer = _METHODS[rpc.path](self, request)
        assert isinstance(answer, rpc.answer)
        return answer

    def converse(self, rpc: Rpc[Q, A], *, seconds: float) -> "GatewayStream":
        assert (rpc, 0 < seconds <= 60) == (REGISTER_ALL, True)
        return GatewayStream(self)

    def receipt(self, kind: Kind, said: SignedEnvelope, *, log: LogSigner | None = None) -> log_pb2.Receipt:
        receipt = world.act_receipt(kind, log=log, request=hashlib.sha256(said.payload).digest())
        return self.gateway.edit_receipt(kind, receipt)

    def _open(self, envelope: SignedEnvelope, kind: type[Message]) -> Message:
        return unwrap(envelope, kind, self.gateway.envelope_key(self.agency))

    def get_directory(self, request: directory_pb2.GetDirectoryRequest) -> directory_pb2.GetDirectoryResponse:
        message = self.gateway.directory()
        answer = directory_pb2.GetDirectoryResponse()
        if message.version != request.known_version:
            answer.directory.CopyFrom(self.gateway.sign(message))
        return answer

    def fetch_pepper(self, request: directory_pb2.FetchPepperRequest) -> directory_pb2.FetchPepperResponse:
        offers = self.gateway.next_offers if request.epoch == NEXT else self.gateway.offers
        if not offers:
            return directory_pb2.FetchPepperResponse(state=directory_pb2.PEPPER_STATE_ABSENT)
        commitment = next(iter(offers.values()))[2]
        if self.agency not in offers:
            return directory_pb2.FetchPepperResponse(state=directory_pb2.PEPPER_STATE_WAITING, commitment=commitment)
        waiting = [agency for agency in world.KINDS if agency not in offers]
        sealed, offer, _ = offers[self.agency]
        return directory_pb2.FetchPepperResponse(
            state=directory_pb2.PEPPER_STATE_AVAILABLE,
            sealed_pepper=sealed,
            commitment=commitment,
            offer=offer,
            waiting_agencies=waiting,
        )

    def offer_pepper(self, request: directory_pb2.OfferPepperRequest) -> directory_pb2.OfferPepperResponse:
        offer = self._open(request.envelope, PepperOffer)
        assert isinstance(offer, PepperOffer)
        held = self.gateway.next_offers if offer.epoch == NEXT else self.gateway.offers
        if held and next(iter(held.values()))[2] != offer.commitment:
            raise CallFailed(CallFault.REFUSED, "PEPPER_CONFLICT")
        for each in offer.sealed_peppers:
            held.setdefault(each.agency, (each, request.envelope, offer.commitment))
        return directory_pb2.OfferPepperResponse(receipt=self.receipt(Kind.PEPPER_OFFERED, request.envelope))

    def register(self, request: index_pb2.RegisterSubjectsRequest) -> index_pb2.RegisterSubjectsResponse:
        batch = self._open(request.envelope, index_pb2.RegistrationBatch)
        assert isinstance(batch, index_pb2.RegistrationBatch)
        self.gateway.batches.append(batch)
        sealed = sorted(self.gateway.sealed & {each.handle for each in batch.subjects})
        kept = sorted(self.gateway.looked_for & set(batch.removed_handles))
        for each in batch.subjects:
            if each.handle in sealed:
                continue
            listed = self.gateway.renewed if each.tokens.epoch == NEXT else self.gateway.subjects
            listed[self.agency, each.handle] = each
        for handle in sorted(set(batch.removed_handles) - set(kept)):
            del self.gateway.subjects[self.agency, handle]
            self.gateway.renewed.pop((self.agency, handle), None)
        return index_pb2.RegisterSubjectsResponse(
            subject_count=len(self.gateway.subjects),
            kept_handles=kept,
            sealed_handles=sealed,
            receipt=self.receipt(Kind.INDEX_REGISTERED, request.envelope),
        )

    def heartbeat(self, request: index_pb2.HeartbeatRequest) -> index_pb2.HeartbeatResponse:
        beat = self._open(request.envelope, index_pb2.IndexHeartbeat)
        assert isinstance(beat, index_pb2.IndexHeartbeat)
        self.gateway.heartbeats.append((self.agency, beat))
        receipt = self.receipt(Kind.INDEX_HEARTBEAT, request.envelope)
        return index_pb2.HeartbeatResponse(stale_after_seconds=900, receipt=receipt)

    def present(self, request: restoration_pb2.PresentEventRequest) -> restoration_pb2.PresentEventResponse:
        event = self._open(request.envelope, restoration_pb2.PresentedEvent)
        assert isinstance(event, restoration_pb2.PresentedEvent)
        assert event.log_origin == self.gateway.directory().log_origin
        name = _name_of(event)
        if name in self.gateway.unanswered_events:
            self.gateway.unanswered.append(name)
            raise self.gateway.unanswered_events[name]
        reason = self.gateway.refused_events.get(name)
        if reason is not None:
            raise CallFailed(CallFault.REFUSED, reason, fields=self.gateway.refused_fields)
        self.gateway.presented.append(event)
        self.gateway.on_present()
        return restoration_pb2.PresentEventResponse()

    def evaluate(self, request: token_pb2.EvaluateRequest) -> token_pb2.EvaluateResponse:
        batch = self._open(request.envelope, token_pb2.BlindedBatch)
        assert isinstance(batch, token_pb2.BlindedBatch)
        if batch.epoch in self.gateway.refused_epochs:
            raise self.gateway.refused_epochs[batch.epoch]
        self.gateway.evaluated.append((self.share, batch))
        self.gateway.on_evaluation(self.share, batch)
        group = load_ristretto()
        dealing = self.gateway.following if batch.epoch == NEXT else self.gateway.dealing
        assert dealing is not None
        share = dealing.shares[self.share - 1]
        secret = share.secret
        if self.gateway.lying_share == self.share:
            secret = oprf.random_scalars(oprf.Suite(group), 1, random_bytes=secrets.token_bytes)[0]
        blinded = list(batch.elements)
        evaluated = oprf.evaluate(group, secret, blinded)
        suite = oprf.Suite(group)
        (nonce,) = oprf.random_scalars(suite, 1, random_bytes=secrets.token_bytes)
        keys = oprf.KeyPair(secret, group.multiply_base(secret))
        proof = oprf.generate_proof(suite, keys, blinded=blinded, evaluated=evaluated, nonce=nonce)
        receipt = self.receipt(Kind.TOKEN_EVALUATED, request.envelope, log=world.holder_log(self.share))
        return token_pb2.EvaluateResponse(share_index=self.share, elements=evaluated, proof=proof, receipt=receipt)


def _name_of(event: restoration_pb2.PresentedEvent) -> bytes:
    if event.HasField("flag"):
        return FlagStatement.FromString(event.flag.statement.payload).flag_id
    if event.HasField("report"):
        return LocatedReport.FromString(event.report.located_report).request_id
    if event.HasField("revocation"):
        return event.revocation.authority_id
    return Authority.FromString(event.authority.payload).authority_id


_METHODS: dict[str, Callable[..., Message]] = {
    PRESENT_EVENT.path: GatewayCaller.present,
    GET_DIRECTORY.path: GatewayCaller.get_directory,
    FETCH_PEPPER.path: GatewayCaller.fetch_pepper,
    OFFER_PEPPER.path: GatewayCaller.offer_pepper,
    REGISTER_SUBJECTS.path: GatewayCaller.register,
    HEARTBEAT.path: GatewayCaller.heartbeat,
    EVALUATE.path: GatewayCaller.evaluate,
}


@dataclass
class Clock:
    """Time that stands still."""

    now: datetime = world.NOW

    def __call__(self) -> datetime:
        return self.now


def membership(agency: AgencyId) -> Membership:
    return Membership(
        trust_domain=world.DOMAIN,
        agency=agency,
        kind=world.KINDS[agency],
        instance="a1",
        gateway_address="127.0.0.1:1",
        gateway_key=world.pins().gateway_key,
        holder_keys=world.pins().holder_keys,
        log_origin=world.keys().log.public.origin,
        log_key=world.keys().log.public.raw,
        generation=1,
        has_sources=True,
        joined=world.NOW,
    )


def make_node(directory: Path, gateway: Gateway, agency: AgencyId = world.SOURCE, clock: Clock | None = None) -> Node:
    """A node with its own store and keys; no directory yet."""
    clock = clock or Clock()
    (directory / "keys").mkdir(parents=True, exist_ok=True)
    store: Store = open_store(directory / "adapter.db")
    caller = gateway.caller(agency)
    keeper = DirectoryKeeper(
        store=store,
        pins=world.pins(),
        log=world.keys().log.public,
        gateway=caller,
        is_listed=lambda view: view.member(agency) is not None,
    )
    acts = Acts(Requests(store), lambda: keeper.log)

    def caller_of(holder: HolderView) -> GatewayCaller:
        return gateway.caller(agency, holder.share_index)

    return Node(
        membership=membership(agency),
        keyring=world.keys().rings[agency],
        store=store,
        gateway=caller,
        identity=lambda: ChannelIdentityFiles(b"", b"", b"", b"t" * 32, clock.now, clock.now),
        keeper=keeper,
        pepper=PepperKeeper(
            agency=agency, keyring=world.keys().rings[agency], files=PepperFiles(directory / "keys"), directory=keeper,
            gateway=caller, acts=acts, now=clock, random_bytes=secrets.token_bytes,
        ),
        tokenizer=Tokenizer(
            suite=oprf.Suite(load_ristretto()), scheme=load_scheme(), envelope_key=world.keys().rings[agency].envelope,
            caller_of=caller_of, alarm=HolderAlarm(store, clock),
            receipts=HolderReceipts(Requests(store), HolderLogs(store, clock)), now=clock,
            random_bytes=secrets.token_bytes,
        ),
        acts=acts,
        bundle=world.policy(),
        now=clock,
        random_bytes=secrets.token_bytes,
    )  # fmt: skip


@dataclass
class Side:
    """The source side of one adapter."""

    node: Node
    source: MemorySource
    subjects: Subjects
    flags: OwnFlags
    responder: Responder

    def enroll(self, youth: Youth, handle: bytes = world.HANDLE) -> None:
        """The youth is in the caseload under this handle, registered with the tokens of `world.YOUTH_TOKENS`."""
        self.source.held[youth.local_id] = youth
        taken = iter([handle])
        named = Subjects(self.node.store, random_bytes=lambda _: next(taken))
        named.handle_of(youth.local_id)
        digest = hashlib.sha256(handle).digest()
        named.propose({SubjectHandle(handle): Proposal(world.tokens_of(*world.YOUTH_TOKENS), digest)})
        named.confirm({SubjectHandle(handle): digest}, world.EPOCH, self.node.now())

    @property
    def issuer(self) -> FlagIssuer:
        return FlagIssuer(self.node.membership.county, self.node.keyring.flag)


async def make_side(directory: Path, gateway: Gateway, **changes: object) -> Side:
    node = make_node(directory, gateway)
    await node.keeper.refresh()
    source, flags = MemorySource(), OwnFlags(node.store)
    subjects = Subjects(node.store, random_bytes=secrets.token_bytes)
    values: dict[str, object] = {"release": ReleaseRules(), "narrowing": CountyNarrowing()}
    responder = Responder(
        node=node, source=source, subjects=subjects, flags=flags, reviews=Reviews(node.store), work=WorkLog(node.store),
        zone=ZoneInfo("America/Los_Angeles"), **(values | changes),  # type: ignore[arg-type]
    )  # fmt: skip
    return Side(node, source, subjects, flags, responder)


def view(gateway: Gateway) -> DirectoryView:
    return world.directory(gateway.edit)


async def prepare(*nodes: Node) -> None:
    """Each has the directory and, in this order, what it can have of the pepper."""
    for node in nodes:
        await node.keeper.refresh()
        await node.pepper.step()
