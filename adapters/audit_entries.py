"""Entries of the log as the commands of an auditor use them: fetched page by page, checked for gaps, laid out in rows.

Decides how pages become one answer and one state of the log, and what stands in each column of a row. Every entry was
verified by the adapter; where proofs were asked for, they are verified here again, because what is handed on must stand
alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.local.client import Endpoint
from audit.body import PARTIES, Parties, parse_parties
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint, parse_vkey
from audit.continuity import Continuity, Numbered, Whole, numbered
from audit.entry import Opening
from audit.errors import EvidenceError, EvidenceReason
from audit.export import Cell, Table
from audit.merkle import check_consistency
from audit.receipt import Receipt
from audit.row_file import COLUMNS, RECEIPT
from gateway.protocol.log_kinds import parse_grant
from gateway.protocol.policy.facts import LATEST_MS, moment_of
from homeward.audit.v1 import log_pb2
from homeward.county.v1 import access_pb2, county_pb2

_METHOD: Final = "/homeward.county.v1.AccessLogService/ListAccesses"
_LARGEST_PAGE: Final = 500
EVERYTHING: Final = 10_000_000
"""More entries than one agency has."""
_NO_LIMIT: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for. `youth` or `local_id` limit it to one youth of the own agency."""

    filter: log_pb2.EntryFilter
    role: str = ""
    local_id: str = field(default="", repr=False)
    youth: county_pb2.YouthIdentity | None = field(default=None, repr=False)
    with_proofs: bool = False
    anchor: str = ""
    """A checkpoint from elsewhere, signed note: what is read must continue the log that it signs. Needs proofs."""
    is_fixed: bool = False
    """Whether nothing counts that is written after the first page was read, so that all pages are of one state."""


@dataclass(frozen=True, slots=True)
class State:
    """One signed state of the log under which entries were proved."""

    note: str
    checkpoint: Checkpoint
    consistency: tuple[bytes, ...] = field(repr=False)
    """Proof that it begins with the state before it; empty for the first."""


@dataclass(frozen=True, slots=True)
class Found:
    """Entries in the order of the log. `proofs` and `states` are filled where proofs were asked for."""

    entries: tuple[access_pb2.AccessEntry, ...] = field(repr=False)
    more: bool
    checkpoint: str
    log_key: LogKey
    proofs: tuple[Receipt, ...] = field(default=(), repr=False)
    states: tuple[State, ...] = field(default=(), repr=False)
    reading: Receipt | None = field(default=None, repr=False)
    """The entry that recorded the last page's reading."""
    end: int = 0
    """Position before which entries were looked for when the first page was read."""
    attestation: log_pb2.CompletenessAttestation | None = field(default=None, repr=False)
    """What the adapter attested last of the agency's entries."""
    is_sealed: bool = False
    """Whether the records of the youth that was asked for are sealed now."""


def fetch(endpoint: Endpoint, wanted: Wanted, *, limit: int) -> Found:
    """The first `limit` entries. Raises `CommandFailure`, and `EvidenceError` for a proof that does not hold."""
    entries: list[access_pb2.AccessEntry] = []
    proofs: list[Receipt] = []
    states: list[State] = []
    last: access_pb2.ListAccessesResponse | None = None
    end = 0
    for page in _pages(endpoint, wanted, limit=limit):
        last, end = page, end or page.reading.index
        entries += page.entries
        if wanted.with_proofs:
            if wanted.anchor and not states:
                states.append(State(wanted.anchor, parse_checkpoint(wanted.anchor, parse_vkey(page.log_key)), ()))
            state = _state(page, states[-1] if states else None)
            states += [state] if not states or state.note != states[-1].note else []
            proofs += [_proved(entry.proof, parse_vkey(page.log_key)) for entry in page.entries]
    if last is None:
        raise AssertionError("a query has at least one page")
    more = bool(last.next_page_token) or len(entries) > limit
    reading = receipt_of(last.reading)
    return Found(
        tuple(entries[:limit]), more, last.checkpoint, parse_vkey(last.log_key), tuple(proofs[:limit]), tuple(states),
        reading, end, last.attestation if last.HasField("attestation") else None, last.is_sealed,
    )  # fmt: skip


def check_complete(found: Found) -> int:
    """How many entries of the agency there are, after their numbers were found to have no gap up to the newest.

    For everything that concerns the agency, with proofs. Raises `EvidenceError` naming the place of the first gap.
    """
    if found.more or found.reading is None:
        raise EvidenceError(EvidenceReason.SEQUENCE, "not every entry was read")
    found.reading.verify(found.log_key)
    following = Continuity()
    for proof in found.proofs:
        following.follow(_number_of(proof))
    following.close(_number_of(found.reading))
    return following.count


def read_whole(endpoint: Endpoint, role: str) -> tuple[Whole, str] | None:
    """Every entry of the log was read, and none before the reading's own is missing, nor a number of any agency.

    Also the newest checkpoint, a signed note. None where the adapter looked for its own agency's entries alone. One
    page is held at a time, because a log is longer than any agency's part. Raises `CommandFailure`, and `EvidenceError`
    naming the place of the first gap.
    """
    whole, state, last = Whole(), None, None
    for page in _pages(endpoint, Wanted(log_pb2.EntryFilter(), role, with_proofs=True), limit=_NO_LIMIT):
        if not page.is_oversight:
            return None
        last, state = page, _state(page, state)
        for entry in page.entries:
            whole.follow(_proved(entry.proof, parse_vkey(page.log_key)))
    if last is None or state is None:
        raise AssertionError("a query has at least one page")
    whole.reach(last.reading.index)
    return whole, state.note


def whole_text(whole: Whole) -> list[str]:
    """What was found of the whole log, in lines."""
    lines = [
        f"ok   {whole.count} entries, from the first to that of this reading: none is withheld",
        *(f"ok   {agency} has entries 1 to {number} without a gap" for agency, number in whole.numbers.items()),
    ]
    if whole.closed:
        # Also true of the numbers above: each may be one short for every such entry.
        lines.append(f"note {whole.closed} of them, your own, do not prove who took part")
    return lines


def table_of(found: Found, *, title: str) -> Table:
    """The entries as rows for people; where proofs were asked for, each with its receipt in a last column."""
    rows = [_row(entry) for entry in found.entries]
    if not found.states:
        return Table(title, COLUMNS, tuple(rows))
    proved = zip(rows, found.proofs, strict=True)
    return Table(title, (*COLUMNS, RECEIPT), tuple((*row, proof.text()) for row, proof in proved))


def said(entry: access_pb2.AccessEntry) -> Mapping[str, str]:
    """The opened fields as text."""
    return {each.name: each.value for each in entry.fields}


def receipt_of(message: log_pb2.Receipt) -> Receipt:
    """The receipt in a message, unverified."""
    openings = tuple(Opening(each.slot, each.name, each.value, each.salt) for each in message.openings)
    hashes = tuple(message.inclusion_hashes)
    return Receipt(message.index, message.leaf, message.digests, openings, hashes, message.checkpoint)


def opened_of(receipt: Receipt) -> tuple[Mapping[str, bytes], datetime]:
    """The open fields by name, and the time of the entry, UTC. The receipt must have been verified."""
    opened = {each.name: each.value for each in receipt.openings}
    return opened, moment_of(min(int.from_bytes(receipt.leaf[1:9], "big"), LATEST_MS))


def _pages(endpoint: Endpoint, wanted: Wanted, *, limit: int) -> Iterator[access_pb2.ListAccessesResponse]:
    request = access_pb2.ListAccessesRequest(
        filter=wanted.filter,
        role=wanted.role,
        page_size=min(limit, _LARGEST_PAGE),
        local_id=wanted.local_id,
        with_proofs=wanted.with_proofs,
    )
    if wanted.youth is not None:
        request.youth.CopyFrom(wanted.youth)
    if wanted.anchor:
        request.consistent_size = size_in(wanted.anchor)
    read = 0
    while True:
        page = endpoint.call(_METHOD, request, access_pb2.ListAccessesResponse)
        yield page
        read += len(page.entries)
        request.page_token = page.next_page_token
        if wanted.is_fixed and not request.filter.tree_size:
            request.filter.tree_size = page.reading.index
        if wanted.with_proofs:
            request.consistent_size = receipt_of(page.reading).verify(parse_vkey(page.log_key)).size
        if not page.next_page_token or read >= limit:
            return


def size_in(note: str) -> int:
    """The size that a checkpoint states, unverified. Raises `EvidenceError` for what is no checkpoint."""
    lines = note.split("\n")
    if len(lines) < 4 or not lines[1].isdecimal() or not 0 < int(lines[1]) < 1 << 63:
        raise EvidenceError(EvidenceReason.FORMAT, "the checkpoint from elsewhere is not one, or is of an empty log")
    return int(lines[1])


def _state(page: access_pb2.ListAccessesResponse, before: State | None) -> State:
    checkpoint = receipt_of(page.reading).verify(parse_vkey(page.log_key))
    state = State(page.reading.checkpoint, checkpoint, tuple(page.consistency_hashes))
    if before is not None:
        check_consistency(
            old_size=before.checkpoint.size,
            old_root=before.checkpoint.root,
            size=checkpoint.size,
            root=checkpoint.root,
            proof=state.consistency,
        )
    return state


def _proved(message: log_pb2.Receipt, key: LogKey) -> Receipt:
    receipt = receipt_of(message)
    receipt.verify(key)
    return receipt


def _number_of(receipt: Receipt) -> Numbered:
    number = numbered(receipt)
    if number is None:
        raise EvidenceError(EvidenceReason.SEQUENCE, "the agency's number is not open", index=receipt.index)
    return number


def _row(entry: access_pb2.AccessEntry) -> tuple[Cell, ...]:
    fields = said(entry)
    granted, basis = parse_grant(fields.get("fields", ""))
    pseudonym, _, role = fields.get("worker", "").partition(" ")
    number, parties = fields.get("seq", ""), _parties(fields)
    return (
        entry.index,
        entry.create_time.ToJsonString(),
        *(fields.get(name, "") for name in ("kind", "decision", "outcome", "reason", "purpose")),
        basis or fields.get("basis", ""),
        ",".join(granted),
        entry.requester_agency or fields.get("requester", ""),
        entry.holder_agency,
        pseudonym,
        role,
        entry.local_id,
        int(number, 16) if number else None,
        parties.requester_number or None,
        parties.holder_number or None,
        entry.sentence,
    )


def _parties(fields: Mapping[str, str]) -> Parties:
    """As the entry proves them; nobody where it does not."""
    proved = fields.get(PARTIES)
    return parse_parties(proved.encode()) if proved is not None else Parties("", 0, "", 0)
