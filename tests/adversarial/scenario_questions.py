"""A question in a scenario: what the caller sees, what the record holds, and what only the log keeps of it.

A row of `scenarios.toml` without `does`. What is seen may not depend on whom it is about: `also` names others.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from adapters.node.answers import negative
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, Obligation, Purpose, Role
from gateway.protocol.outcomes import Outcome
from homeward.gateway.v1.codes_pb2 import (
    FIELD_SET_FS0_ACK,
    NOTICE_NOT_A_CLEARANCE,
    DisclosureMode,
    FlagState,
    HandlingCode,
)
from homeward.gateway.v1.exchange_pb2 import RequestRecordsResponse
from homeward.gateway.v1.records_pb2 import RecordAnswer
from tests.adversarial.house import TODAY
from tests.adversarial.resident import Act
from tests.adversarial.scenario_deeds import Said, told
from tests.adversarial.stage import Stage, check_flag, outcome, statement_of
from tests.adversarial.traces import Mark, decided_again

_EXPECTED: Final = {
    "outcome", "reason", "reasons", "told", "basis", "refused", "internal", "flag_state", "handling", "hotline",
    "stale", "present", "holds", "mode", "masked_settings", "more_pages", "unanswered",
}  # fmt: skip
"""What a row may expect: nothing that nobody looks at."""
_FLAG: Final = (FieldSet.FS1_FLAG_STATUS,)
_STATUS: Final = {
    "outcome", "notices", "flag_statement", "pairwise_handle", "policy_version", "decide_time", "flag_state", "duties",
}  # fmt: skip
_STATEMENT: Final = {"flag_id", "county", "state", "handling_code", "version", "issue_time", "expire_time"}
_STALE: Final = {"stale_counties"}
_UNANSWERED: Final = {"sources"}
_NEGATIVE: Final = {"outcome", "notices", "policy_version", "decision_receipt", "release_receipt", "field_sets"}


async def ask(stage: Stage, said: Said) -> None:
    """The question is asked about each youth the row names, and came to exactly what it says."""
    asks, expect = tuple(FieldSet(each) for each in said["asks"]), said["expect"]
    assert expect.keys() <= _EXPECTED
    seen = []
    for label in (said["youth"], *said.get("also", ())):
        mark = Mark.put(stage)
        seen.append(await (_flag if asks == _FLAG else _records)(stage, said, label))
        last = mark.answers()[-1]
        assert last.reason == expect.get("reasons", {}).get(label, expect["reason"])
        assert last.op["outcome"] == expect["outcome"]
        assert last.requester == said["who"]
        check_traces(mark, said)
        if "told" in expect:
            assert await told(mark) == expect["told"]
    assert len(set(seen)) == 1


def check_traces(mark: Mark, said: Said) -> None:
    """The owner's source alone was asked, for a record; one disclosure is on the owner's account, or none."""
    expect, owner = said["expect"], mark.stage.owner(said["youth"])
    is_answered, is_own = expect["outcome"] == "ANSWERED", expect.get("internal", False)
    assert mark.asked() == ({owner} if "present" in expect else set())
    assert len(mark.disclosures(owner)) == (1 if is_answered and not is_own else 0)
    assert is_answered or all(leaf.op.get("decision") != "ALLOW" for leaf in mark.releases())
    if expect.get("refused", False):
        assert {leaf.op["decision"] for leaf in mark.answers()} == {"DENY"}
    if "basis" in expect:
        assert mark.basis() == expect["basis"]
    if is_own:
        assert {(entry.requester, entry.holder) for entry in mark.entries()} == {(owner, owner)}
        assert mark.alerted() == set()
        again = decided_again(mark.stage.town, mark.entries()[0])
        assert (Obligation.INTERNAL_USE in again.obligations, Obligation.ACCOUNT in again.obligations) == (True, False)


async def _flag(stage: Stage, said: Said, label: str) -> tuple[object, ...]:
    asker, expect = stage.town.residents[AgencyId(said["who"])], said["expect"]
    evidence = [EvidenceKind(each) for each in said["evidence"]]
    reply = await check_flag(asker, label, act_of(stage, said), *evidence)
    answer = reply.answer
    assert outcome(answer.outcome) == expect["outcome"]
    view = await stage.town.directory(asker)
    assert view is not None
    if "flag_state" not in expect:
        shown = negative(asker.agency, view, Outcome(expect["outcome"]), notices=())
        assert shown.duty_line == expect.get("hotline", shown.duty_line)
        assert NOTICE_NOT_A_CLEARANCE in answer.notices
        assert list(answer.stale_counties) == expect.get("stale", [])
        assert names_of(answer) - _STALE == {"outcome", "notices", "policy_version", "decide_time"}
        return (outcome(answer.outcome), tuple(answer.notices))
    statement = statement_of(reply, view)
    # Where it is, since when and from what kind of agency or place: none of it is in a flag's status.
    assert names_of(answer) <= _STATUS
    assert names_of(statement) == _STATEMENT
    assert FlagState.Name(answer.flag_state) == f"FLAG_STATE_{expect['flag_state']}"
    assert HandlingCode.Name(statement.handling_code) == f"HANDLING_CODE_{expect['handling']}"
    assert statement.county == stage.owner(label)[:5]
    assert view.county(statement.county).duty_line == "+15555550100"
    return (outcome(answer.outcome), tuple(answer.notices))


async def _records(stage: Stage, said: Said, label: str) -> tuple[object, ...]:
    asker, expect = stage.town.residents[AgencyId(said["who"])], said["expect"]
    asks = tuple(FieldSet(each) for each in said["asks"])
    page = {name: said[name] for name in ("page", "page_size") if name in said}
    found = await stage.records(asker, label, act_of(stage, said), asks, *map(EvidenceKind, said["evidence"]), **page)
    assert found.outcome == expect["outcome"]
    if "present" not in expect:
        _check_nothing_told(found.reply, expect)
        return (found.outcome, tuple(found.reply.notices), tuple(found.reply.field_sets))
    assert found.present() == set(map(FieldSet, expect["present"]))
    answer = found.open()
    assert masked_settings(answer) == expect.get("masked_settings", 0)
    assert answer.more_pages == expect.get("more_pages", False)
    for name, held in expect.get("holds", {}).items():
        assert MessageToDict(getattr(answer, name), preserving_proto_field_name=True) == dated(held)
    if "mode" in expect:
        assert DisclosureMode.Name(answer.mode) == f"DISCLOSURE_MODE_{expect['mode']}"
    return (found.outcome,)


def _check_nothing_told(reply: RequestRecordsResponse, expect: Mapping[str, Any]) -> None:
    """No part of a record is in the answer. Where a source did not answer, it is named, and that is all."""
    assert NOTICE_NOT_A_CLEARANCE in reply.notices
    assert list(reply.stale_counties) == expect.get("stale", [])
    unanswered = [source.agency for source in reply.sources if not source.HasField("sealed_record")]
    assert unanswered == expect.get("unanswered", [])
    assert len(reply.sources) == len(unanswered)
    assert names_of(reply) - _STALE <= _NEGATIVE | (_UNANSWERED if unanswered else set())
    if not unanswered:
        assert list(reply.field_sets) in ([], [FIELD_SET_FS0_ACK])


def act_of(stage: Stage, said: Said) -> Act:
    """Who asks, why, and on which authority."""
    authority = stage.authorities[said["authority"]] if "authority" in said else None
    return Act(Role(said["role"]), Purpose(said["purpose"]), authority)


def names_of(message: Message) -> set[str]:
    """Fields that are set."""
    return {field.name for field, _ in message.ListFields()}


def dated(held: Mapping[str, Any]) -> dict[str, Any]:
    """What the book says of a part of a record, "2 days ago" as the day it is."""

    def day(value: Any) -> Any:
        days, ago, _ = str(value).partition(" days ago")
        return (TODAY - timedelta(days=int(days))).isoformat() if ago else value

    return {name: day(value) for name, value in held.items()}


def masked_settings(answer: RecordAnswer) -> int:
    """How many placements show their group, OTHER_SETTING, and no code."""
    rows = [row for episode in answer.placement_history.episodes for row in episode.placements]
    hidden = [row for row in rows if row.setting_group == 6]
    assert all(row.setting_code == 0 for row in hidden)
    return len(hidden)
