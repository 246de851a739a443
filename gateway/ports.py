"""What the exchange needs from outside: one Protocol a need, promises included.

Everything here is awaited, because waiting is I/O. Implementations: `store/` for what the
database keeps, `rpc/link` for sources, fakes in tests that behave.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from audit.entry import Draft, YouthKey
from audit.receipt import Receipt
from audit.sequencer import Append
from audit.statement import Params, Statement
from audit.transaction import Seek, Tx
from gateway.exchange.call import Caller
from gateway.exchange.coverage import Listing
from gateway.exchange.locate import Candidate, Verdicts
from gateway.protocol.names import AgencyId, AuthorityId, Obligation, RequestId, SubjectHandle
from gateway.protocol.outcomes import Reason
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope, TokenSet
from homeward.gateway.v1.link_pb2 import Alert, WorkOrder, WorkResult
from homeward.gateway.v1.review_pb2 import ReviewTask

Rows = tuple[tuple[Statement, Params], ...]
Guard = Callable[[Tx], Draft | None]
Says = Callable[[Tx, int], bytes]


class Entered(Protocol):
    """An entry that is durable."""

    @property
    def index(self) -> int:
        """Position in the log."""

    @property
    def guarded(self) -> bool:
        """Whether the guard put a refusal in the entry's place."""

    def receipt(self, names: frozenset[str]) -> Receipt:
        """Proof of the entry, with those of its fields open whose names are given."""


class Journal(Protocol):
    """The log, as the exchange uses it."""

    async def enter(self, append: Append) -> Entered:
        """The entry and all that changes with it are durable and covered by a signed checkpoint.

        Raises `Unavailable` when the log cannot be written, and then nothing may be answered; and whatever
        error of the tree the append's own guard raised.
        """

    def quiet(self) -> AbstractAsyncContextManager[None]:
        """Within, nobody writes an entry but the caller's own task: for what must come about however much is asked."""


class SubjectIndex(Protocol):
    """The blind index."""

    async def look_up(self, asking: AgencyId, tokens: TokenSet) -> tuple[Sequence[Candidate], Verdicts]:
        """Youths that share a token of a present key with these, with their open flags, if their audit keys are there;
        and what was said of those that this agency named by one of these tokens before. `tokens` is checked. Raises
        `Invalid` for an epoch that is not served."""

    async def statement(self, candidate: Candidate) -> bytes | None:
        """Of the candidate's open flag, the owner's FlagStatement as a serialized SignedEnvelope; None where there is
        none, or its youth was sealed meanwhile."""

    async def records(self) -> int:
        """How many youths are listed; a match among many needs more evidence than one among few."""

    async def listings(self) -> Sequence[Listing]:
        """The last heartbeat of every agency that ever sent one."""


@dataclass(frozen=True, slots=True)
class KeptAuthority:
    """A recorded authority."""

    envelope: SignedEnvelope = field(repr=False)
    revoked: bool


class Authorities(Protocol):
    """Recorded authorities. An order to seal takes those along that name the youth."""

    async def get(self, authority_id: AuthorityId) -> KeptAuthority | None:
        """The authority with the log's latest word on it, or None."""

    async def emergency_uses(self, agency: AgencyId, subject: str, since_ms: int) -> int:
        """Emergencies this user invoked since then."""

    def speaks(self, authority_id: AuthorityId) -> Guard:
        """Raises `Moved` when a seal took away what the authority says: its key leaves, and no entry may follow."""


OF_NOBODY: Final = AgencyId("")


def own_youth(authority_id: AuthorityId) -> tuple[AgencyId, SubjectHandle]:
    """Owner and handle by which `YouthKeys` know the key of an authority: as that of a youth of no agency's.

    Whose youth an authority names by tokens nobody here can tell, so its entries hang on a key of its own.
    """
    return OF_NOBODY, SubjectHandle(authority_id)


class YouthKeys(Protocol):
    """Audit keys of youths, in a store of their own (AUDIT §2.2); of authorities, too (`own_youth`)."""

    async def next(self, owner: AgencyId, handle: SubjectHandle) -> YouthKey:
        """The youth's key with a counter that no entry has used or will use again.

        Raises `Moved` for a youth that was sealed since it was looked up.
        """

    def ask(self, owner: AgencyId, handle: SubjectHandle) -> Awaitable[YouthKey]:
        """What `next` gives; it waits for nothing once `at_hand` let pass."""

    async def at_hand(self) -> None:
        """Whoever asked so far has its key. Awaited by questions about nobody, too, so that all wait alike."""

    async def find(self, owner: AgencyId, handle: SubjectHandle) -> bytes | None:
        """The key of a youth that rows name; None when it was sealed. Raises where it is missing otherwise."""

    async def marks(
        self, owner: AgencyId, handles: Sequence[SubjectHandle], *, ahead: int = 0
    ) -> Mapping[bytes, bytes]:
        """Every mark that an entry about one of these youths may carry, with the key that opens it.

        `ahead`: as many more of each key, which entries may carry in a moment.
        A youth whose key was destroyed, or that never had one, contributes none.
        """


@dataclass(frozen=True, slots=True)
class NewAlert:
    """An event that the owner of a youth must hear of."""

    agency: AgencyId
    """Who is told."""
    kind: int
    """`AlertKind` of the protocol."""
    handle: SubjectHandle = field(repr=False)
    acting_agency: AgencyId
    create_ms: int
    youth: tuple[AgencyId, SubjectHandle] | None = field(default=None, repr=False)
    """Owner and handle of the youth it is about, or `own_youth` of an authority, under whose key it rests; None where
    it is about none."""
    purpose: str = ""
    flag_id: bytes = b""
    located_county: str = ""
    report_ms: int | None = None
    """When the agency reported it, where that was presented again after a declared loss."""
    review: ReviewTask | None = field(default=None, repr=False)
    """For a possible match."""
    notice: bytes = field(default=b"", repr=False)
    """Of a notice, how the copy that goes with it was sent: `exchange.notices.sent_as`."""
    duties: tuple[Obligation, ...] = ()
    """What is left to the staff of the agency that is told."""


class SourceUnreachable(Exception):
    """A source gave no result. `status` says how, for the row of that source in the answer."""

    def __init__(self, status: int) -> None:
        super().__init__("source unreachable")
        self.status = status


class AlertFeed(Protocol):
    """Alerts by agency, in dense sequences."""

    async def after(self, agency: AgencyId, sequence: int) -> Sequence[Alert]:
        """The next alerts of this agency after a sequence, in order; empty when there are none."""

    async def newest(self, agency: AgencyId) -> int:
        """The highest sequence of this agency's alerts; 0 when there are none."""

    async def is_lost(self, agency: AgencyId, sequence: int) -> bool:
        """Whether the one after this sequence is gone, as only a declared loss takes any, while a later one is there.

        The first of a log that goes on where another was closed follows the last of that one, whichever it was.
        """


class Sources(Protocol):
    """Sources, over the streams they keep open."""

    async def ask(self, agency: AgencyId, order: WorkOrder, *, seconds: float) -> WorkResult:
        """The source's own result. Raises `SourceUnreachable` when there is none in time."""

    def alerted(self, agency: AgencyId) -> None:
        """New alerts for this agency are in the store; its stream sends them now."""


class OneTime(Protocol):
    """What a request is known by, and whether it uses up its assertion."""

    @property
    def request_id(self) -> RequestId:
        """Chosen by the caller's adapter."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of its exact bytes."""

    @property
    def spends_assertion(self) -> bool:
        """False for all but the first of several requests under one assertion."""


class Once(NamedTuple):
    """That something happens once."""

    guard: Guard
    """Refuses, by raising `Conflict`, an entry whose request or assertion was used before."""
    rows: Rows
    """`Projections.spend`."""
    seeks: tuple[Seek, ...]
    """What the guard looks for."""


class Projections(Protocol):
    """What changes in the tables together with a leaf, and what is checked in the same transaction."""

    def once(self, caller: Caller, query: OneTime) -> Once:
        """What an entry needs whose request and assertion are used by it, and were not before."""

    def spend(self, caller: Caller, query: OneTime) -> Rows:
        """The request's identifier, and the assertion's with the first question under it, are used."""

    def committed(self, argument: bytes, youth: YouthKey | None) -> Rows:
        """The exact argument of the decision is kept for replay, readable with the key that its entry is under.

        With None nobody keeps that, and whoever can open class `req` of the log can read the argument.
        """

    def tell(self, alerts: Sequence[tuple[NewAlert, YouthKey | None]]) -> Says:
        """Each alert is next in its agency's sequence, and the entry's annex names it.

        With each goes the key of its youth, with a counter nothing else used.
        """

    def confirmable(self, agency: AgencyId, release_index: int) -> Guard:
        """Refuses, by raising, a confirmation of what was not released to this agency, or was confirmed before."""

    def confirm(self, agency: AgencyId, release_index: int, at_ms: int) -> Rows:
        """The release is confirmed."""

    def emergency(self, caller: Caller) -> Rows:
        """The user's use of an emergency is counted."""

    def emergencies_stand(self, caller: Caller, *, since_ms: int, seen: int) -> Guard:
        """Refuses, by raising `Moved`, where the user invoked another emergency since their uses were counted."""

    def listed(self, owner: AgencyId, handle: SubjectHandle, refused: Callable[[Reason], Draft]) -> Guard:
        """Puts a refusal in the place of what is told of a youth who left the index meanwhile: removed, or sealed."""

    def releasable(self, caller: Caller, refused: Callable[[Reason], Draft], *, relies_on_authority: bool) -> Guard:
        """Puts a refusal in the place of a RELEASE whose authority was revoked or whose caller was denied meanwhile."""
