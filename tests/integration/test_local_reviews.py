"""Possible matches inside the county: told by alert, listed without data, answered under the adapter's signature."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from adapters.node import rpcs, tables
from adapters.node.receipts import request_digest
from adapters.node.reviews import Reviews
from adapters.node.rpcs import CallFailed, CallFault
from audit.receipt import parse_receipt
from gateway.protocol.envelope import unwrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, SubjectHandle
from homeward.audit.v1.log_pb2 import Receipt
from homeward.county.v1 import review_pb2
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW, Alert
from tests.integration.local_kit import OWN_HANDLE, OWN_YOUTH, County, county, refusal
from tests.integration.test_local_commands import FILE, Shell
from tests.unit.local.exchange import FakeGateway
from tests.unit.node.world import ASKER, NOW, SOURCE, act_receipt, keys, policy, stamp

REVIEW = bytes(range(16))
DIGEST = b"d" * 32
OTHERS = AgencyId(SOURCE)


@dataclass
class ReviewingGateway(FakeGateway):
    """Takes verdicts as the exchange does; the other agency has said SAME."""

    said: list[pb.ReviewVerdict] = field(default_factory=list)
    edit_receipt: Callable[[Receipt], Receipt] = lambda receipt: receipt

    async def call(self, rpc: Any, request: Any, *, seconds: float) -> Any:
        if rpc.path != rpcs.GIVE_VERDICT.path:
            return await super().call(rpc, request, seconds=seconds)
        if self.unreachable:
            raise CallFailed(CallFault.UNAVAILABLE)
        said = unwrap(request.envelope, pb.ReviewVerdict, keys().rings[ASKER].envelope.public_bytes)
        self.said.append(said)
        states = {pb.VERDICT_SAME: pb.REVIEW_STATE_LINKED, pb.VERDICT_DIFFERENT: pb.REVIEW_STATE_NOT_LINKED}
        receipt = act_receipt(Kind.REVIEW_JUDGED, request=request_digest(request.envelope.payload))
        return pb.GiveVerdictResponse(
            state=states.get(said.verdict, pb.REVIEW_STATE_OPEN), receipt=self.edit_receipt(receipt)
        )


def opened(sequence: int = 1, *, side: int = pb.REVIEW_SIDE_LISTING, state: int = pb.REVIEW_STATE_OPEN) -> Alert:
    """What the gateway tells of a possible match."""
    alert = Alert(
        sequence=sequence,
        kind=ALERT_KIND_REVIEW,
        subject_handle=OWN_HANDLE,
        acting_agency=OTHERS,
        acting_duty_line="+15550100101",
    )
    alert.review.review_id = REVIEW
    alert.review.side, alert.review.state = cast(Any, side), cast(Any, state)
    alert.review.evidence.add(trait=pb.EVIDENCE_TRAIT_GIVEN_NAME, agreement=pb.AGREEMENT_AGREES)
    alert.review.evidence.add(trait=pb.EVIDENCE_TRAIT_BIRTH_DATE, agreement=pb.AGREEMENT_AGREES)
    alert.review.evidence.add(trait=pb.EVIDENCE_TRAIT_SURNAME, agreement=pb.AGREEMENT_DIFFERS)
    alert.review.naming_digests.append(DIGEST)
    alert.leaf.index = 7
    alert.leaf.create_time.CopyFrom(stamp(NOW))
    return alert


def told(at: County, alert: Alert) -> None:
    with at.store.write() as connection:
        connection.execute(
            tables.subject.insert().prefix_with("OR IGNORE").values(local_id=OWN_YOUTH, handle=OWN_HANDLE)
        )
    at.alerts.accept(alert, NOW)


def confirmed(at: County) -> bool:
    return Reviews(at.store).is_confirmed(SubjectHandle(OWN_HANDLE), OTHERS, [DIGEST, b"x" * 32])


async def give(at: County, verdict: int) -> int:
    request = review_pb2.GiveVerdictRequest(review_id=REVIEW.hex(), verdict=cast(Any, verdict))
    answer = await at.call("ReviewService/GiveVerdict", request, review_pb2.GiveVerdictResponse, "workers")
    return cast(int, answer.state)


async def test_a_review_is_listed_in_words_with_whom_to_call_and_answered(tmp_path: Path) -> None:
    gateway = ReviewingGateway()
    async with county(tmp_path, gateway) as at:
        told(at, opened())
        request = review_pb2.ListReviewsRequest(open_only=True)
        listed = await at.call("ReviewService/ListReviews", request, review_pb2.ListReviewsResponse, "workers")
        (review,) = listed.reviews
        assert review.sentence == "given name and birth date agree; surname differs"
        assert (review.local_id, review.other_agency, review.other_duty_line) == (OWN_YOUTH, OTHERS, "+15550100101")
        assert not confirmed(at)
        assert await give(at, pb.VERDICT_SAME) == pb.REVIEW_STATE_LINKED
        assert confirmed(at)
        again = await at.call("ReviewService/ListReviews", request, review_pb2.ListReviewsResponse, "workers")
        assert not again.reviews
        assert await give(at, pb.VERDICT_WITHDRAWN) == pb.REVIEW_STATE_OPEN
        assert not confirmed(at)
    assert [said.verdict for said in gateway.said] == [pb.VERDICT_SAME, pb.VERDICT_WITHDRAWN]
    # A pseudonym and a role: never the name the county's own systems know the worker by.
    assert all(
        "invented.worker" not in said.worker and said.worker.endswith("CWA.case_worker") for said in gateway.said
    )


async def test_a_word_that_ends_a_link_counts_at_home_even_if_the_exchange_is_not_reached(tmp_path: Path) -> None:
    gateway = ReviewingGateway()
    async with county(tmp_path, gateway) as at:
        told(at, opened())
        await give(at, pb.VERDICT_SAME)
        gateway.unreachable = 1
        request = review_pb2.GiveVerdictRequest(review_id=REVIEW.hex(), verdict=pb.VERDICT_DIFFERENT)
        found = await refusal(at, "ReviewService/GiveVerdict", request, "workers")
        assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "GATEWAY_UNAVAILABLE")
        assert not confirmed(at)
        # And one that makes a link counts only once the exchange has it.
        request.verdict = pb.VERDICT_SAME
        await refusal(at, "ReviewService/GiveVerdict", request, "workers")
        assert not confirmed(at)


async def test_a_verdict_comes_with_the_receipt_of_its_entry(tmp_path: Path) -> None:
    gateway = ReviewingGateway()
    async with county(tmp_path, gateway) as at:
        told(at, opened())
        request = review_pb2.GiveVerdictRequest(review_id=REVIEW.hex(), verdict=pb.VERDICT_SAME)
        answer = await at.call("ReviewService/GiveVerdict", request, review_pb2.GiveVerdictResponse, "workers")
        proof = parse_receipt(answer.receipt.proof)
        assert proof.verify(keys().log.public).size > answer.receipt.leaf_index
        said = {each.name: each.value for each in proof.openings}
        assert said["kind"] == Kind.REVIEW_JUDGED.encode()
        assert (answer.receipt.request_id, answer.receipt.policy_version) == ("", policy().version)


@pytest.mark.parametrize(
    "forged",
    [lambda receipt: Receipt(), lambda receipt: act_receipt(Kind.REVIEW_JUDGED, request=bytes(32))],
    ids=["none", "another verdict"],
)
async def test_a_link_counts_only_with_the_entry_of_the_verdict(
    tmp_path: Path, forged: Callable[[Receipt], Receipt]
) -> None:
    gateway = ReviewingGateway(edit_receipt=forged)
    async with county(tmp_path, gateway) as at:
        told(at, opened())
        request = review_pb2.GiveVerdictRequest(review_id=REVIEW.hex(), verdict=pb.VERDICT_SAME)
        found = await refusal(at, "ReviewService/GiveVerdict", request, "workers")
        assert found.reason == "EVIDENCE_INVALID"
        assert not confirmed(at)
        (kept,) = Reviews(at.store).listed()
        assert (kept.state, kept.verdict) == (pb.REVIEW_STATE_OPEN, pb.VERDICT_UNSPECIFIED)


@pytest.mark.parametrize(
    ("handle", "agency", "digests"),
    [(bytes(16), OTHERS, [DIGEST]), (OWN_HANDLE, ASKER, [DIGEST]), (OWN_HANDLE, OTHERS, [b"x" * 32])],
    ids=["another youth", "another agency", "another question"],
)
async def test_what_was_confirmed_is_one_pair_and_no_other(
    tmp_path: Path, handle: bytes, agency: AgencyId, digests: list[bytes]
) -> None:
    async with county(tmp_path, ReviewingGateway()) as at:
        told(at, opened())
        await give(at, pb.VERDICT_SAME)
        assert confirmed(at)
        assert not Reviews(at.store).is_confirmed(SubjectHandle(handle), agency, digests)


async def test_of_the_asking_side_no_youth_is_named_and_nothing_is_confirmed(tmp_path: Path) -> None:
    async with county(tmp_path, ReviewingGateway()) as at:
        alert = opened(side=pb.REVIEW_SIDE_ASKING)
        alert.review.request_id = bytes(16)
        told(at, alert)
        await give(at, pb.VERDICT_SAME)
        (review,) = (
            await at.call(
                "ReviewService/ListReviews", review_pb2.ListReviewsRequest(), review_pb2.ListReviewsResponse, "workers"
            )
        ).reviews
        assert (review.local_id, review.request_id) == ("", "00000000-0000-0000-0000-000000000000")
        assert not confirmed(at)


async def test_a_review_nobody_told_of_is_not_found_and_an_auditor_gives_no_verdict(tmp_path: Path) -> None:
    async with county(tmp_path, ReviewingGateway()) as at:
        request = review_pb2.GiveVerdictRequest(review_id=REVIEW.hex(), verdict=pb.VERDICT_SAME)
        unknown = await refusal(at, "ReviewService/GiveVerdict", request, "workers")
        assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "REVIEW_NOT_FOUND")
        told(at, opened())
        denied = await refusal(at, "ReviewService/GiveVerdict", request, "privacy")
        assert denied.code is grpc.StatusCode.PERMISSION_DENIED


async def test_the_commands_list_and_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "adapter.yaml").write_text(FILE)
    async with county(tmp_path, ReviewingGateway()) as at:
        shell = Shell(tmp_path, at, capsys)
        told(at, opened())
        status, text, _ = await shell.run("adapter", "reviews", *shell.place("workers"))
        assert status == 0
        assert "given name and birth date agree; surname differs" in text
        assert "call +15550100101  you said nothing yet" in text
        status, text, _ = await shell.run("adapter", "verdict", REVIEW.hex(), "same", *shell.place("workers"))
        assert (status, text) == (0, "recorded    one youth, both counties say\n")
        status, text, _ = await shell.run("adapter", "reviews", "--open", *shell.place("workers"), "--json")
        assert json.loads(text) == {"ok": True, "reviews": []}


async def test_the_state_of_a_review_follows_what_the_exchange_says(tmp_path: Path) -> None:
    async with county(tmp_path, ReviewingGateway()) as at:
        told(at, opened())
        at.alerts.accept(opened(2, state=pb.REVIEW_STATE_NOT_LINKED), NOW)
        (kept,) = Reviews(at.store).listed()
        assert (kept.state, kept.alert.sequence) == (pb.REVIEW_STATE_NOT_LINKED, 1)
