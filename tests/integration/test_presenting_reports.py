"""Reports about the episodes of others: kept as they were signed, presented after a declared loss, and forgotten."""

from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.node.erase import REPEATABLE, Eraser
from adapters.node.flags import OwnFlags
from adapters.node.node import Node
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.own_reports import OwnReports
from adapters.node.present import Presenter
from adapters.node.receipts import Requests
from adapters.node.rpcs import RAISE_FLAG, REPORT_LOCATED, RESOLVE_FLAG, CallFailed, CallFault
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.tables import own_report, receipt, request
from adapters.presenting_words import presenting_lines
from adapters.records import LocalSubjectId
from gateway.protocol.names import FlagId, RequestId
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.succession import PRESENTING_WINDOW, REPORT_LIFE
from homeward.county.v1.access_pb2 import PresentingState
from homeward.gateway.v1.missing_pb2 import FlagReport, FlagResolution, LocatedReport
from tests.integration.source_kit import Clock, Gateway, make_node, prepare
from tests.integration.test_presenting import HANDLE, Parts, lose
from tests.integration.test_source_erasing import end_epoch, on_disk
from tests.unit.node.world import ASKER, EPOCH, NOW, tokens_of

FLAG = FlagId(b"F" * 16)
MESSAGES = {RAISE_FLAG.name: FlagReport, REPORT_LOCATED.name: LocatedReport, RESOLVE_FLAG.name: FlagResolution}


def report(
    node: Node,
    number: int,
    *,
    method: str = REPORT_LOCATED.name,
    flag_id: FlagId = FLAG,
    at: datetime = NOW,
    **said: object,
) -> RequestId:
    """A report of this agency that is on record and answered."""
    request_id = RequestId(bytes([number] * 16))
    about = None if method == RAISE_FLAG.name else flag_id
    named = {} if about is None else {"flag_id": about}
    payload = MESSAGES[method](request_id=request_id, **named, **said).SerializeToString()  # type: ignore[arg-type]
    epochs = (EPOCH,) if about is None else ()
    Requests(node.store).remember(request_id, method, bytes(32), payload=payload, epochs=epochs, now=at)
    with node.store.write() as connection:
        values = {"request_id": request_id, "leaf_index": number, "proof": "proof", "create_ms": milliseconds(at)}
        connection.execute(receipt.insert().values(values))
    OwnReports(node.store).keep(request_id, lambda said: f"asserted over {len(said)} bytes", flag_id=about)
    return request_id


def payload_of(node: Node, request_id: RequestId) -> bytes:
    with node.store.read() as connection:
        payload: bytes = connection.scalar(select(request.c.payload).where(request.c.request_id == request_id)) or b""
    return payload


@pytest.fixture
async def parts(tmp_path: Path) -> Parts:
    made = Parts(tmp_path)
    await made.node.keeper.refresh()
    return made


async def test_reports_are_presented_byte_by_byte_once_after_flags_and_again_after_the_next_loss(parts: Parts) -> None:
    parts.flag(9)
    names = [report(parts.node, number, method=method) for number, method in enumerate(MESSAGES, start=1)]
    assert not await parts.presenter.present()
    assert parts.gateway.presented == [], "nothing was lost"
    parts.lose()
    left = parts.presenter.left()
    assert left is not None
    assert left.due_report_count == 3
    assert "3 reports" in "\n".join(presenting_lines(PresentingState(**asdict(left))))
    assert not await parts.presenter.present()
    flag, *reports = parts.gateway.presented
    assert flag.HasField("flag"), "the owner's flags come first, for others report about them"
    said = [each.report for each in reports]
    assert [each.WhichOneof("report") for each in said] == ["flag_report", "located_report", "flag_resolution"]
    sent = [getattr(each, each.WhichOneof("report") or "") for each in said]
    assert sent == [payload_of(parts.node, name) for name in names]
    assert [each.user_assertion for each in said] == [f"asserted over {len(each)} bytes" for each in sent]
    assert not await parts.presenter.present()
    assert len(parts.gateway.presented) == 4
    assert parts.presenter.left() is None
    parts.lose()
    assert not await parts.presenter.present()
    assert len(parts.gateway.presented) == 8


@pytest.mark.parametrize(
    ("reason", "fields"),
    [
        ("FLAG_NOT_FOUND", ()),
        ("INVALID_REQUEST", ("(index): current",)),
        ("INVALID_REQUEST", ("user_assertion: past",)),
        ("INVALID_REQUEST", ("(log): nothing_lost",)),
    ],
)
async def test_a_report_waits_for_its_episode_and_for_counties_that_list_their_youths(
    parts: Parts, reason: str, fields: tuple[str, ...]
) -> None:
    name = report(parts.node, 1)
    parts.lose()
    parts.gateway.refused_events, parts.gateway.refused_fields = {name: reason}, fields
    assert await parts.presenter.present(), "it is left"
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert len(parts.gateway.presented) == 1


@pytest.mark.parametrize(
    ("reason", "fields"),
    [("INVALID_REQUEST", ("user_assertion: key",)), ("EPOCH_UNKNOWN", ()), ("ID_REUSED", ())],
)
async def test_what_is_refused_for_good_is_named_until_somebody_reports_about_the_same_flag(
    parts: Parts, reason: str, fields: tuple[str, ...]
) -> None:
    name, other = report(parts.node, 1), report(parts.node, 2, flag_id=FlagId(b"G" * 16))
    parts.lose()
    parts.gateway.refused_events, parts.gateway.refused_fields = dict.fromkeys((name, other), reason), fields
    assert not await parts.presenter.present(), "nothing that another round would change"
    left = parts.presenter.left()
    assert left is not None
    assert (left.due_report_count, left.refused_report_count, left.refused_report_ids) == (0, 2, [name, other])
    said = "\n".join(presenting_lines(PresentingState(**asdict(left))))
    assert f"report again where it still matters\n      report {name.hex()}" in said
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert parts.gateway.presented == [], "the same is not sent again"
    report(parts.node, 3, method=RESOLVE_FLAG.name)
    left = parts.presenter.left()
    assert left is not None
    assert left.refused_report_ids == [other]


async def test_one_report_without_an_answer_keeps_no_other_from_being_presented(parts: Parts) -> None:
    stuck, other = report(parts.node, 1), report(parts.node, 2)
    parts.lose()
    parts.gateway.unanswered_events = {stuck: CallFailed(CallFault.BROKEN)}
    assert await parts.presenter.present()
    assert [each.report.located_report for each in parts.gateway.presented] == [payload_of(parts.node, other)]
    parts.gateway.unanswered_events = {}
    assert not await parts.presenter.present()
    assert parts.presenter.left() is None


async def test_long_after_a_loss_no_report_is_presented_and_a_person_is_asked(parts: Parts) -> None:
    name = report(parts.node, 1)
    parts.lose(NOW - PRESENTING_WINDOW - timedelta(hours=1))
    assert not await parts.presenter.present()
    assert parts.gateway.presented == []
    left = parts.presenter.left()
    assert left is not None
    assert left.refused_report_ids == [name]


async def test_a_report_whose_bytes_a_notice_took_is_presented_by_nobody(parts: Parts) -> None:
    """The youth was sealed, or was another one: `notices` deletes the request."""
    report(parts.node, 1)
    with parts.node.store.write() as connection:
        connection.execute(request.delete())
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.gateway.presented == []
    assert parts.presenter.left() is None
    await Eraser(parts.node).erase()
    with parts.node.store.read() as connection:
        assert connection.execute(select(own_report)).all() == []


async def test_nothing_about_a_sealed_youth_of_this_agency_is_presented(parts: Parts) -> None:
    flag = parts.flag(1)
    report(parts.node, 2, flag_id=flag.flag_id)
    report(parts.node, 3, method=RAISE_FLAG.name, subject_handle=HANDLE)
    other = report(parts.node, 4)
    sealed = SealedSubjects(parts.node.store, bytes(32)).load()
    sealed.begin(LocalSubjectId("X1"), HANDLE)
    sealed.sealed(HANDLE, b"s" * 16)
    parts.lose()
    assert not await parts.presenter.present()
    assert [each.report.located_report for each in parts.gateway.presented] == [payload_of(parts.node, other)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def aging(tmp_path: Path, clock: Clock) -> tuple[Node, Gateway]:
    gateway = Gateway()
    node = make_node(tmp_path / "adapter", gateway, agency=ASKER, clock=clock)
    await prepare(node)
    return node, gateway


async def test_a_reports_bytes_are_kept_as_long_as_it_can_be_presented_and_no_longer(
    aging: tuple[Node, Gateway], clock: Clock, tmp_path: Path
) -> None:
    node, _ = aging
    kept = report(node, 1, method=RAISE_FLAG.name, tokens=tokens_of("Keptinvented"))
    sent, asserted = payload_of(node, kept), b"asserted over"
    clock.now = NOW + REPEATABLE + timedelta(seconds=1)
    await Eraser(node).erase()
    assert sent in on_disk(tmp_path), "every other request's bytes go after a day"
    clock.now = NOW + REPORT_LIFE
    await Eraser(node).erase()
    assert sent in on_disk(tmp_path)
    clock.now += timedelta(milliseconds=1)
    await Eraser(node).erase()
    assert asserted not in on_disk(tmp_path)
    assert FlagReport.FromString(sent).tokens.tokens[:16] not in on_disk(tmp_path)


@pytest.mark.parametrize("is_due", [False, True])
async def test_no_token_of_an_ended_epoch_stays_for_a_report_and_one_that_was_due_is_said(
    aging: tuple[Node, Gateway], tmp_path: Path, is_due: bool
) -> None:
    node, gateway = aging
    name = report(node, 1, method=RAISE_FLAG.name, tokens=tokens_of("Keptinvented"))
    token = FlagReport.FromString(payload_of(node, name)).tokens.tokens[:16]
    assert token in on_disk(tmp_path), "the search finds what is there"
    if is_due:
        lose(node)
    await end_epoch(node, gateway)
    await Eraser(node).erase()
    assert token not in on_disk(tmp_path)
    reports = OwnReports(node.store)
    presenter = Presenter(
        node, OwnAuthorities(node.store), OwnFlags(node.store), reports, Requests(node.store), heard=lambda: None
    )
    assert not await presenter.present()
    assert gateway.presented == []
    left = presenter.left()
    if is_due:
        assert left is not None
        assert left.refused_report_ids == [name]
    else:
        assert left is None
        with node.store.read() as connection:
            assert connection.execute(select(own_report)).all() == []
