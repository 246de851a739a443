"""What an adapter presents again after a declared loss, what it leaves to a person, and what it no longer keeps."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.node.alerts import Alerts
from adapters.node.flags import OwnFlags, take_back_flag
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.own_authorities import OwnAuthorities, begin_again, forget_authorities
from adapters.node.own_flag import FlagIssuer, OwnFlag
from adapters.node.own_reports import OwnReports
from adapters.node.present import AWAY, Presenter
from adapters.node.receipts import Requests
from adapters.node.rpcs import PRESENT_EVENT, REVOKE_AUTHORITY, CallFailed, CallFault
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.succession import begin_log
from adapters.presenting_words import presenting_lines
from adapters.records import LocalSubjectId
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AuthorityId, FlagId, HandlingCode, RequestId, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.succession import PRESENTING_WINDOW
from homeward.county.v1.access_pb2 import PresentingState
from homeward.gateway.v1.authority_pb2 import Authority, AuthorityRevocation
from homeward.gateway.v1.directory_pb2 import LogSuccession, SignedSuccession
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_AUTHORITY_REVOKED, Alert
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.source_kit import Gateway, make_node
from tests.unit.node.world import ASKER, NOW, SOURCE

HANDLE = SubjectHandle(b"h" * 16)
MONTH = timedelta(days=30)


def lose(node: Node, at: datetime = NOW) -> None:
    """The exchange's log goes on under another name, without a single entry."""
    message = LogSuccession(
        trust_domain="exchange.example", closed_origin="log", closed_key=bytes(31) + b"1", closed_checkpoint="note",
        kept_count=0, closed_size=5, log_origin="log-2", log_key=bytes(32), create_time=timestamp(at),
    )  # fmt: skip
    with node.store.write() as connection:
        begin_log(connection, [SignedSuccession(succession=message.SerializeToString())], kept=0)


class Parts:
    """One adapter and its gateway."""

    def __init__(self, place: Path) -> None:
        self.gateway = Gateway()
        self.node: Node = make_node(place, self.gateway)
        self.own, self.flags, self.heard = OwnAuthorities(self.node.store), OwnFlags(self.node.store), 0
        self.reports = OwnReports(self.node.store)
        self.presenter = Presenter(
            self.node, self.own, self.flags, self.reports, Requests(self.node.store), heard=self._hear
        )

    def _hear(self) -> None:
        self.heard += 1

    def authority(self, number: int, *, handle: SubjectHandle | None = HANDLE, life: timedelta = MONTH) -> AuthorityId:
        """An authority of this agency that is on record."""
        message = Authority(
            authority_id=bytes([number] * 16),
            issuer_agency=SOURCE,
            recipient_agencies=[ASKER],
            expire_time=timestamp(NOW + life),
        )
        self.own.keep(self.signed(message), handle=handle, epochs=() if handle else ("e1",))
        self.own.recorded(AuthorityId(message.authority_id))
        return AuthorityId(message.authority_id)

    def signed(self, message: Authority) -> SignedEnvelope:
        return wrap(message, self.node.keyring.authority)

    def flag(self, number: int, *, issued: datetime = NOW) -> OwnFlag:
        """An open flag of this agency that is on record."""
        flag = FlagIssuer("06075", self.node.keyring.flag).raised(
            FlagId(bytes([number] * 16)), HANDLE, handling_code=HandlingCode.CALL_DUTY_LINE, learned=issued,
            locate=FlagLocate(), now=issued,
        )  # fmt: skip
        self.flags.keep(flag)
        self.flags.recorded(flag.flag_id, flag.version)
        return flag

    def lose(self, at: datetime = NOW) -> None:
        lose(self.node, at)

    def named(self) -> list[bytes]:
        """Authorities that were presented as standing, in order."""
        return [
            Authority.FromString(each.authority.payload).authority_id
            for each in self.gateway.presented
            if each.HasField("authority")
        ]


@pytest.fixture
async def parts(tmp_path: Path) -> Parts:
    made = Parts(tmp_path)
    await made.node.keeper.refresh()
    return made


async def test_authorities_that_stand_and_revocations_are_presented_once_after_a_loss(parts: Parts) -> None:
    standing, revoked, foreign = parts.authority(1), parts.authority(2), AuthorityId(bytes([9] * 16))
    for each in (revoked, foreign):
        parts.own.revoked(each, NOW, expires=NOW + MONTH)
    assert not await parts.presenter.present()
    assert parts.gateway.presented == [], "nothing was lost"
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.named() == [standing]
    told = {each.revocation.authority_id for each in parts.gateway.presented if each.HasField("revocation")}
    assert told == {revoked, foreign}
    assert not await parts.presenter.present()
    assert len(parts.gateway.presented) == 3


async def test_what_was_never_on_record_is_not_presented(parts: Parts) -> None:
    message = Authority(authority_id=bytes(16), issuer_agency=SOURCE, expire_time=timestamp(NOW + MONTH))
    parts.own.keep(parts.signed(message), handle=HANDLE, epochs=())
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.gateway.presented == []


@pytest.mark.parametrize("named", ["handle", "tokens"])
async def test_an_authority_that_a_recipient_may_have_revoked_waits_for_a_person(parts: Parts, named: str) -> None:
    handle = HANDLE if named == "handle" else None
    parts.authority(1, handle=handle)
    other = parts.authority(2, handle=SubjectHandle(b"o" * 16))
    alert = Alert(
        sequence=1, kind=ALERT_KIND_AUTHORITY_REVOKED, acting_agency=ASKER, subject_handle=handle or bytes(16)
    )
    Alerts(parts.node.store).accept(alert, NOW)
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.named() == [other]
    assert parts.own.doubted(9)[0] == 1


async def test_what_is_refused_for_now_is_presented_again_and_what_is_refused_for_good_is_not(parts: Parts) -> None:
    waiting, refused = parts.authority(1), parts.authority(2)
    parts.gateway.refused_events = {waiting: "INVALID_REQUEST", refused: "AUTHORITY_INVALID"}
    parts.lose()
    assert await parts.presenter.present(), "one is left"
    assert parts.own.doubted(9)[0] == 1
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert parts.named() == [waiting]


async def test_an_open_flag_is_presented_as_stated_and_one_whose_statement_ended_is_not(parts: Parts) -> None:
    parts.flag(1)
    parts.flag(2, issued=NOW - 2 * MONTH)
    parts.lose()
    assert not await parts.presenter.present()
    (event,) = parts.gateway.presented
    stated = parts.flags.by_id(FlagId(bytes([1] * 16)))
    assert stated is not None
    assert event.flag.statement == stated.statement
    assert parts.heard == 1
    assert [flag.flag_id for flag in parts.flags.unheard()] == [bytes([2] * 16)]
    left = parts.presenter.left()
    assert left is not None
    assert (left.due_flag_count, left.refused_flag_count, left.refused_flag_ids) == (0, 1, [bytes([2] * 16)])


async def test_a_flag_that_is_refused_is_said_and_presented_again_once_a_person_states_it_anew(parts: Parts) -> None:
    flag = parts.flag(1)
    parts.lose()
    parts.gateway.refused_events = {flag.flag_id: "STATEMENT_INVALID"}
    assert not await parts.presenter.present()
    assert parts.heard == 0
    left = parts.presenter.left()
    assert left is not None
    assert (left.due_flag_count, left.refused_flag_ids) == (0, [flag.flag_id])
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert parts.gateway.presented == [], "the same statement is not sent again"
    issuer = FlagIssuer("06075", parts.node.keyring.flag)
    following = issuer.changed(flag, now=NOW)
    parts.flags.keep(following)
    with parts.node.store.write() as connection:
        take_back_flag(connection, following.statement, lambda each: issuer.changed(each, now=NOW))
    stands = parts.flags.by_id(flag.flag_id)
    assert stands is not None, "what may have been on record is not forgotten"
    assert not await parts.presenter.present()
    assert [event.flag.statement for event in parts.gateway.presented] == [stands.statement]
    assert stands.statement != following.statement, "nor is what was refused presented"
    assert parts.presenter.left() is None


async def test_what_a_person_revokes_while_the_exchange_does_not_know_it_is_not_presented_as_standing(
    parts: Parts,
) -> None:
    before, after, other = parts.authority(1), parts.authority(2), parts.authority(3)
    parts.own.withdrawn(before, NOW)
    parts.lose()
    parts.own.withdrawn(after, NOW)
    parts.gateway.refused_events = dict.fromkeys((before, after), "AUTHORITY_NOT_FOUND")
    assert not await parts.presenter.present(), "of what nobody knows there is nothing to revoke"
    assert parts.named() == [other]
    assert parts.presenter.left() is None
    parts.gateway.refused_events = {}
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.named() == [other, other], "after the next loss as well"


async def test_what_a_person_revokes_while_it_is_presented_is_presented_as_revoked_at_once(parts: Parts) -> None:
    standing = parts.authority(1)
    parts.lose()
    parts.gateway.on_present = lambda: parts.own.withdrawn(standing, NOW)
    assert not await parts.presenter.present()
    first, second = parts.gateway.presented
    assert first.HasField("authority")
    assert second.revocation.authority_id == standing
    assert parts.presenter.left() is None


async def test_a_party_that_revoked_waits_for_the_issuer_to_present(parts: Parts) -> None:
    foreign = AuthorityId(bytes([9] * 16))
    parts.own.revoked(foreign, NOW, expires=NOW + MONTH)
    parts.lose()
    parts.gateway.refused_events = {foreign: "AUTHORITY_NOT_FOUND"}
    assert await parts.presenter.present()
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert [event.revocation.authority_id for event in parts.gateway.presented] == [foreign]


async def test_what_a_person_revoked_without_an_answer_is_never_presented_as_standing(parts: Parts) -> None:
    """The entry of the revocation may be one of those that were lost."""
    asked, standing = parts.authority(1), parts.authority(2)
    sent = AuthorityRevocation(request_id=b"r" * 16, authority_id=asked).SerializeToString()
    Requests(parts.node.store).remember(
        RequestId(b"r" * 16), REVOKE_AUTHORITY.name, bytes(32), payload=sent, epochs=(), now=NOW
    )
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.named() == [standing]
    left = parts.presenter.left()
    assert left is not None
    assert left.doubted_authority_ids == [asked]


async def test_long_after_a_loss_nothing_is_presented_and_a_person_is_asked(parts: Parts) -> None:
    authority_id, flag = parts.authority(1), parts.flag(2)
    parts.lose(NOW - PRESENTING_WINDOW - timedelta(hours=1))
    assert not await parts.presenter.present()
    assert parts.gateway.presented == []
    left = parts.presenter.left()
    assert left is not None
    assert (left.doubted_authority_ids, left.refused_flag_ids) == ([authority_id], [flag.flag_id])
    said = "\n".join(presenting_lines(PresentingState(**asdict(left))))
    assert "report these youths missing again" in said
    assert "record them anew, or revoke them" in said
    assert all(name.hex() in said for name in (authority_id, flag.flag_id))
    parts.own.revoked(authority_id, NOW, expires=NOW + MONTH)
    left = parts.presenter.left()
    assert left is not None
    assert left.doubted_authority_count == 0, "whoever revokes it is no longer reminded"


async def test_a_gateway_that_is_away_is_tried_again(parts: Parts) -> None:
    standing = parts.authority(1)
    parts.lose()
    parts.gateway.failing[PRESENT_EVENT.path] = CallFailed(CallFault.UNAVAILABLE)
    assert await parts.presenter.present(), "it is left"
    parts.gateway.failing.clear()
    assert not await parts.presenter.present()
    assert parts.named() == [standing]


@pytest.mark.parametrize("fault", [each for each in CallFault if each is not CallFault.REFUSED])
async def test_one_event_without_an_answer_keeps_no_other_from_being_presented(parts: Parts, fault: CallFault) -> None:
    first, second = parts.flag(1), parts.flag(2)
    stuck, standing = parts.authority(3), parts.authority(4)
    parts.lose()
    parts.gateway.unanswered_events = dict.fromkeys((first.flag_id, stuck), CallFailed(fault))
    assert await parts.presenter.present()
    assert [event.flag.statement for event in parts.gateway.presented if event.HasField("flag")] == [second.statement]
    assert parts.named() == [standing]
    assert parts.heard == 1
    parts.gateway.unanswered_events = {}
    assert not await parts.presenter.present()
    assert parts.presenter.left() is None


async def test_however_many_bring_no_answer_the_others_are_reached_in_the_next_round(parts: Parts) -> None:
    stuck = [parts.flag(number).flag_id for number in range(1, 2 * AWAY)]
    standing = [parts.authority(number) for number in (20, 21)]
    parts.lose()
    parts.gateway.unanswered_events = dict.fromkeys(stuck, CallFailed(CallFault.BROKEN))
    asked: list[int] = []
    for _ in range(3):
        before = len(parts.gateway.unanswered)
        assert await parts.presenter.present()
        asked.append(len(parts.gateway.unanswered) - before)
    assert asked[0] == AWAY, "an exchange that is away is not asked for each"
    assert parts.named() == standing


@pytest.mark.parametrize("field", ["subject_handle: unknown", "log_origin: in_force", "learn_time: past"])
async def test_a_request_that_time_mends_is_presented_again(parts: Parts, field: str) -> None:
    flag, authority_id = parts.flag(1), parts.authority(2)
    parts.lose()
    parts.gateway.refused_events = dict.fromkeys((flag.flag_id, authority_id), "INVALID_REQUEST")
    parts.gateway.refused_fields = (field,)
    assert await parts.presenter.present()
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert parts.presenter.left() is None


async def test_a_request_that_nothing_mends_is_said_and_not_sent_again(parts: Parts) -> None:
    flag, standing, revoked = parts.flag(1), parts.authority(2), parts.authority(3)
    parts.own.revoked(revoked, NOW, expires=NOW + MONTH)
    parts.lose()
    parts.gateway.refused_events = dict.fromkeys((flag.flag_id, standing, revoked), "INVALID_REQUEST")
    parts.gateway.refused_fields = ("flag: owner",)
    assert not await parts.presenter.present(), "nothing that another round would change"
    parts.gateway.refused_events = {}
    assert not await parts.presenter.present()
    assert parts.gateway.presented == []
    left = parts.presenter.left()
    assert left is not None
    assert (left.due_authority_count, left.due_flag_count) == (0, 0)
    assert (left.refused_flag_ids, left.doubted_authority_ids) == ([flag.flag_id], [standing])
    assert (left.refused_revocation_count, left.refused_revocation_ids) == (1, [revoked])
    said = "\n".join(presenting_lines(PresentingState(**asdict(left))))
    assert f"revoke these authorities again\n      authority {revoked.hex()}" in said
    parts.own.revoked(revoked, NOW, expires=NOW + MONTH)
    left = parts.presenter.left()
    assert left is not None
    assert left.refused_revocation_count == 0, "whoever revokes it again is no longer reminded"


async def test_a_file_that_somebody_else_writes_to_for_long_ends_a_round_and_not_the_adapter(
    parts: Parts, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    standing = parts.authority(1)
    parts.lose()
    running = asyncio.create_task(parts.presenter.run())
    with closing(sqlite3.connect(tmp_path / "adapter.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(20):
            while "not presented again yet" not in caplog.text:  # noqa: ASYNC110 - another task logs it
                await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        while parts.own.due():  # noqa: ASYNC110 - another task settles it
            await asyncio.sleep(0.05)
    assert not running.done()
    running.cancel()
    assert set(parts.named()) == {standing}


async def test_what_ended_and_what_names_a_youth_by_another_epochs_tokens_is_not_kept(parts: Parts) -> None:
    parts.authority(1, life=timedelta(minutes=1))
    parts.authority(2, handle=None)
    kept = parts.authority(3)
    with parts.node.store.write() as connection:
        gone = forget_authorities(connection, {"e2"}, milliseconds(NOW + timedelta(minutes=2)))
        begin_again(connection)
    assert gone == 2
    assert parts.own.due() == [kept]


async def test_nothing_of_a_sealed_youth_is_presented(parts: Parts) -> None:
    parts.authority(1)
    other = parts.authority(2, handle=SubjectHandle(b"o" * 16))
    sealed = SealedSubjects(parts.node.store, bytes(32)).load()
    sealed.begin(LocalSubjectId("X1"), HANDLE)
    sealed.sealed(HANDLE, b"s" * 16)
    parts.lose()
    assert not await parts.presenter.present()
    assert parts.named() == [other]
