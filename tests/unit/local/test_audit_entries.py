"""An auditor's command reads page after page: one answer, of one growing log, with nothing withheld between pages."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.audit_entries import Found, Wanted, check_complete, fetch, read_whole, table_of, whole_text
from adapters.audit_evidence import sampled, whole_evidence
from audit import merkle
from audit.bundle import make_bundle
from audit.continuity import Whole
from audit.errors import EvidenceError, EvidenceReason
from audit.receipt import Receipt
from audit.sample import IMPERSONAL
from homeward.audit.v1 import log_pb2
from homeward.county.v1 import access_pb2
from tests.unit.audit.evidence_kit import (
    AGENCY,
    EARLIER,
    NEWEST,
    SIGNER,
    cosigned,
    grown,
    note,
    receipt,
    witness_policy,
)


def message(proof: Receipt) -> log_pb2.Receipt:
    return log_pb2.Receipt(
        index=proof.index,
        leaf=proof.leaf,
        digests=proof.digests,
        openings=[log_pb2.Opening(slot=o.slot, name=o.name, value=o.value, salt=o.salt) for o in proof.openings],
        inclusion_hashes=proof.inclusion_hashes,
        checkpoint=proof.checkpoint,
    )


@dataclass
class TwoPages:
    """An adapter whose log grows between two pages: the second is proved under a later state."""

    first: Sequence[int] = (0, 2, 4)
    second: Sequence[int] = (6, 8, 10)
    consistency: Sequence[bytes] = field(
        default_factory=lambda: merkle.assemble(merkle.consistency_plan(EARLIER, NEWEST), grown(NEWEST)[0])
    )
    anchored: Sequence[bytes] = ()
    """What proves the first page's state to one who holds an earlier checkpoint."""
    oversees: bool = False
    asked: list[access_pb2.ListAccessesRequest] = field(default_factory=list)

    def call(self, path: str, request: access_pb2.ListAccessesRequest, response: object) -> Any:
        assert path.endswith("/ListAccesses")
        copy = access_pb2.ListAccessesRequest()
        copy.CopyFrom(request)
        self.asked.append(copy)
        is_last = bool(request.page_token)
        size, indexes = (NEWEST, self.second) if is_last else (EARLIER, self.first)
        return access_pb2.ListAccessesResponse(
            entries=[access_pb2.AccessEntry(index=index, proof=message(receipt(index, size))) for index in indexes],
            next_page_token="" if is_last else "4",
            checkpoint=receipt(0, size).checkpoint,
            reading=message(receipt(12 if is_last else 6, size)),
            log_key=SIGNER.public.vkey(),
            consistency_hashes=self.consistency if is_last else self.anchored,
            is_oversight=self.oversees,
        )


def fetched(pages: TwoPages, **changes: Any) -> Found:
    wanted = Wanted(log_pb2.EntryFilter(), with_proofs=True, **changes)
    return fetch(pages, wanted, limit=1000)  # type: ignore[arg-type]  # all that is used of an endpoint is `call`


def test_pages_of_a_growing_log_are_one_answer_without_a_gap() -> None:
    pages = TwoPages()
    found = fetched(pages)
    assert [entry.index for entry in found.entries] == [0, 2, 4, 6, 8, 10]
    assert [state.checkpoint.size for state in found.states] == [EARLIER, NEWEST]
    assert [(each.page_token, each.consistent_size) for each in pages.asked] == [("", 0), ("4", EARLIER)]
    assert check_complete(found) == 7
    make_bundle(whole_evidence(found, ["everything"]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"consistency": ()}, EvidenceReason.CONSISTENCY),
        ({"consistency": (bytes(32),) * 4}, EvidenceReason.CONSISTENCY),
        ({"second": (8, 10)}, EvidenceReason.SEQUENCE),
        ({"first": (0, 4)}, EvidenceReason.SEQUENCE),
        ({"second": (6, 8)}, EvidenceReason.SEQUENCE),
    ],
)
def test_a_page_of_another_history_or_with_a_gap_is_refused(change: dict[str, Any], reason: EvidenceReason) -> None:
    with pytest.raises(EvidenceError) as refused:
        check_complete(fetched(TwoPages(**change)))
    assert refused.value.reason is reason


def whole_of(**changes: Any) -> tuple[Whole, str] | None:
    pages = TwoPages(**{"first": range(6), "second": range(6, 12), "oversees": True} | changes)
    return read_whole(pages, "")  # type: ignore[arg-type]  # as `fetched`


def test_the_whole_log_is_counted_over_pages_of_a_growing_log() -> None:
    read = whole_of()
    assert read is not None
    whole, checkpoint = read
    # Of one entry of the kit's log it is open who took part: the third of its agency.
    assert (whole.count, whole.closed, whole.numbers, checkpoint) == (12, 11, {AGENCY: 3}, note(NEWEST))
    assert whole_text(whole) == [
        "ok   12 entries, from the first to that of this reading: none is withheld",
        f"ok   {AGENCY} has entries 1 to 3 without a gap",
        "note 11 of them, your own, do not prove who took part",
    ]
    assert whole_of(oversees=False) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"first": range(1, 6)}, EvidenceReason.SEQUENCE),
        ({"first": (0, 1, 3, 4, 5)}, EvidenceReason.SEQUENCE),
        ({"first": range(5)}, EvidenceReason.SEQUENCE),
        ({"second": range(7, 12)}, EvidenceReason.SEQUENCE),
        ({"second": range(6, 11)}, EvidenceReason.SEQUENCE),
        ({"second": range(5, 12)}, EvidenceReason.SEQUENCE),
        ({"consistency": (bytes(32),) * 4}, EvidenceReason.CONSISTENCY),
    ],
)
def test_a_whole_log_with_a_gap_or_of_another_history_is_refused(
    change: dict[str, Any], reason: EvidenceReason
) -> None:
    with pytest.raises(EvidenceError) as refused:
        whole_of(**change)
    assert refused.value.reason is reason


def test_what_is_read_continues_the_checkpoint_that_witnesses_cosigned() -> None:
    anchor = cosigned(note(3), by=2)
    pages = TwoPages(anchored=merkle.assemble(merkle.consistency_plan(3, EARLIER), grown(EARLIER)[0]))
    found = fetched(pages, anchor=anchor)
    assert pages.asked[0].consistent_size == 3
    assert [state.checkpoint.size for state in found.states] == [3, EARLIER, NEWEST]
    assert found.states[0].note == anchor
    make_bundle(whole_evidence(found, ["everything"], witness_policy=witness_policy(2)))


@pytest.mark.parametrize("anchor", [SIGNER.sign(3, bytes(32)), SIGNER.sign(99, bytes(32)), "x", ""])
def test_a_log_that_does_not_continue_it_is_refused(anchor: str) -> None:
    anchored = merkle.assemble(merkle.consistency_plan(3, EARLIER), grown(EARLIER)[0])
    if not anchor:
        # The control: without one nothing is compared.
        assert len(fetched(TwoPages(anchored=anchored)).states) == 2
        return
    with pytest.raises(EvidenceError):
        fetched(TwoPages(anchored=anchored), anchor=anchor)


def test_a_population_does_not_grow_while_it_is_read() -> None:
    pages = TwoPages()
    found = fetched(pages, is_fixed=True)
    assert [each.filter.tree_size for each in pages.asked] == [0, 6]
    assert found.end == 6
    drawn = sampled(found, 2, "a seed")
    assert len(drawn) == 2
    assert {opening.name for each in drawn for opening in each.openings} <= IMPERSONAL
    assert sampled(found, 2, "a seed") == drawn


def test_rows_name_the_pair_of_agencies_in_columns_to_filter_by() -> None:
    pair = access_pb2.AccessEntry(index=4, requester_agency="06029.cwa", holder_agency="06075.cwa")
    found = replace(fetched(TwoPages()), entries=(pair,), proofs=(), states=())
    table = table_of(found, title="T")
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["requester"], row["holder"]) == ("06029.cwa", "06075.cwa")


def test_rows_hold_what_is_open_and_nothing_is_guessed() -> None:
    table = table_of(fetched(TwoPages()), title="T")
    assert [row[0] for row in table.rows] == [0, 2, 4, 6, 8, 10]
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert "receipt" not in table_of(replace(fetched(TwoPages()), proofs=(), states=()), title="T").columns


def test_a_row_of_an_entry_that_proves_who_took_part_shows_both_numbers() -> None:
    fields = [access_pb2.AccessField(name="parties", value="06029.cwa 4 06075.cwa 9")]
    proved = access_pb2.AccessEntry(index=4, requester_agency="06029.cwa", holder_agency="06075.cwa", fields=fields)
    told = access_pb2.AccessEntry(index=5, requester_agency="06029.cwa")
    table = table_of(replace(fetched(TwoPages()), entries=(proved, told), proofs=(), states=()), title="T")
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["requester_number"], row["holder_number"]) for row in rows] == [(4, 9), (None, None)]


def test_a_row_carries_its_own_receipt_where_proofs_were_asked_for() -> None:
    found = fetched(TwoPages())
    table = table_of(found, title="T")
    assert table.columns[-1] == "receipt"
    assert [row[-1] for row in table.rows] == [proof.text() for proof in found.proofs]
