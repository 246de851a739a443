"""What a decision obliges happens because the bundle says so: with a line of it changed, something else happens."""

from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.protocol.names import AgencyId, FlagState, Obligation, Restriction, Role
from gateway.protocol.outcomes import Outcome
from gateway.protocol.policy.bundle import CALIFORNIA, load_california, parse_bundle
from gateway.protocol.policy.rules import Policy
from gateway.protocol.wire_names import from_wire
from gateway.store.alerts import Alerts
from gateway.store.lookups import Lookups
from homeward.gateway.v1.link_pb2 import (
    ALERT_KIND_CHECKED,
    ALERT_KIND_DECIDE_BY_HAND,
    ALERT_KIND_EMERGENCY_USED,
    ALERT_KIND_RECORDS_RELEASED,
    Alert,
)
from homeward.observed import MISUSE_SIGNALS, Attribute
from tests.unit.exchange.spine_parts import ASKER, FAR_OWNER, FINDER, OWNER, Answered, Question
from tests.unit.exchange.spine_world import World
from tests.unit.exchange.test_spine import TEAM_RECORDS
from tests.unit.exchange.test_spine_emergency import emergency_about

HISTORY = Question("listed")


def edited(rule: str, obligations: str) -> Policy:
    """The policy with the obligations of one rule replaced."""
    text = (files("gateway.protocol.policy") / CALIFORNIA).read_text(encoding="utf-8")
    head, rest = text.split(f'id = "{rule}"')
    before, after = rest.split("obligations = [", 1)
    return parse_bundle(f'{head}id = "{rule}"{before}obligations = [{obligations}]{after.partition("]")[2]}'.encode())


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.register("flagged", flag=FlagState.ACTIVE)
    made.register("listed")
    made.register("limited", restriction=Restriction.SENSITIVE)
    made.register("far", owner=FAR_OWNER)
    yield made
    await made.close()


def under(world: World, policy: Policy) -> None:
    """Gateway, sources and directory are on this bundle from here on."""
    world.policy = policy
    world.sources.use(policy)
    world.__dict__.pop("_directory", None)
    world.use(replace(world.setting, policy=policy))


async def told(world: World, agency: AgencyId = OWNER) -> list[Alert]:
    return list(await Alerts(Lookups(world.reader, threaded=False), world.alert_keys).after(agency, 0))


async def kinds(world: World, agency: AgencyId = OWNER) -> list[int]:
    return [alert.kind for alert in await told(world, agency)]


def duties(message: object) -> list[Obligation]:
    return [from_wire(Obligation, number) for number in message.duties]  # type: ignore[attr-defined]


def outcome(answer: Answered) -> Outcome:
    return from_wire(Outcome, answer.response.outcome)  # type: ignore[union-attr]


def test_an_edited_bundle_differs_in_that_rule_alone() -> None:
    rules, changed = load_california().rules, edited("MFC_HANDOFF.finder", '"ACCOUNT"').rules
    assert [new.rule_id for old, new in zip(rules, changed, strict=True) if old.obligations != new.obligations] == [
        "MFC_HANDOFF.finder"
    ]


async def test_a_check_is_told_to_the_owner_as_long_as_the_bundle_obliges_to_it(world: World) -> None:
    await world.flag(replace(FINDER, youth="flagged", number=1))
    assert await kinds(world) == [ALERT_KIND_CHECKED]
    under(world, edited("MFC_HANDOFF.finder", '"ACCOUNT"'))
    answer = await world.flag(replace(FINDER, youth="flagged", number=2))
    assert from_wire(Outcome, answer.response.answer.outcome) is Outcome.ANSWERED  # type: ignore[union-attr]
    assert await kinds(world) == [ALERT_KIND_CHECKED]


async def test_a_release_is_told_to_the_owner_as_long_as_the_bundle_obliges_to_it(world: World) -> None:
    await world.records(replace(HISTORY, number=1))
    assert await kinds(world) == [ALERT_KIND_RECORDS_RELEASED]
    under(world, edited("PLACEMENT_PLANNING.child_welfare", '"ACCOUNT"'))
    assert outcome(await world.records(replace(HISTORY, number=2))) is Outcome.ANSWERED
    assert await kinds(world) == [ALERT_KIND_RECORDS_RELEASED]


async def test_a_duty_of_the_owners_staff_comes_with_the_alert_and_is_reason_enough_for_one(world: World) -> None:
    offer = Obligation.OFFER_NOTICE_TO_MINORS_COUNSEL
    under(world, edited("PLACEMENT_PLANNING.child_welfare", f'"ACCOUNT", "{offer}"'))
    answer = await world.records(HISTORY)
    (alert,) = await told(world)
    assert duties(alert) == [offer]
    assert duties(answer.response) == [], "the owner's duty is none of the asker's"


async def test_a_duty_of_the_asking_staff_comes_with_the_answer_and_with_no_refusal(world: World) -> None:
    under(world, edited("MFC_HANDOFF.finder", '"ACCOUNT", "ALERT_OWNER", "TELL_YOUTH"'))
    answer = await world.flag(replace(FINDER, youth="flagged"))
    assert duties(answer.response.answer) == [Obligation.TELL_YOUTH]  # type: ignore[union-attr]
    nobody = await world.flag(replace(FINDER, youth="nobody"))
    assert duties(nobody.response.answer) == []  # type: ignore[union-attr]


async def test_an_emergency_is_told_to_the_owner_for_its_privacy_officer(world: World) -> None:
    answer = await world.records(emergency_about(world, "far"))
    assert outcome(answer) is Outcome.ANSWERED
    alerts = await told(world, FAR_OWNER)
    assert [alert.kind for alert in alerts] == [ALERT_KIND_EMERGENCY_USED, ALERT_KIND_RECORDS_RELEASED]
    assert [duties(alert) for alert in alerts] == [[Obligation.NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS], []]
    assert alerts[0].acting_agency == ASKER
    assert duties(answer.response) == [Obligation.SUPERVISOR_ACK_24_HOURS, Obligation.REVIEW_5_BUSINESS_DAYS]


async def test_whether_an_emergency_is_told_to_the_officer_is_the_bundles_to_say(world: World) -> None:
    under(world, edited("EMERGENCY.break_glass", '"ACCOUNT", "ALERT_OWNER", "DUTY_CONTACT_ONLY"'))
    assert outcome(await world.records(emergency_about(world, "far"))) is Outcome.ANSWERED
    assert await kinds(world, FAR_OWNER) == [ALERT_KIND_RECORDS_RELEASED]


async def test_an_owner_hears_that_a_record_it_limits_was_asked_for_and_the_caller_sees_an_unknown_youth(
    world: World,
) -> None:
    refused = await world.records(replace(HISTORY, youth="limited"))
    unknown = await world.records(replace(HISTORY, youth="nobody"))
    assert outcome(refused) is outcome(unknown) is Outcome.NO_DISCLOSABLE_RECORD
    assert await kinds(world) == [ALERT_KIND_DECIDE_BY_HAND]
    assert (refused.seconds, len(refused.entries)) == (unknown.seconds, len(unknown.entries))


async def test_a_flag_check_of_a_limited_case_takes_no_longer_for_an_alert(world: World) -> None:
    await world.flag(replace(FINDER, youth="limited"))
    assert await told(world) == []


async def test_a_role_that_has_no_such_purpose_counts_toward_a_misuse_alert_of_its_agency(world: World) -> None:
    await world.records(replace(HISTORY, number=1))
    refused = await world.records(replace(HISTORY, role=Role("CWA.hotline_screener"), number=2))
    assert outcome(refused) is Outcome.NOT_PERMITTED
    assert misuse(world) == {((Attribute.AGENCY, str(ASKER)),): 1}


async def test_what_only_a_known_youth_can_cause_is_in_the_log_and_in_no_figure(world: World) -> None:
    named = world.record_authority(9, subject=world.register("ada"))
    await world.records(replace(TEAM_RECORDS, youth="listed", authority=named))
    assert "AUTHORITY_OTHER_SUBJECT" in [entry.fields.get("reason") for entry in world.entries()]
    assert misuse(world) == {}


def misuse(world: World) -> dict[object, float]:
    return dict(world.outcomes.misuse.readings()[MISUSE_SIGNALS]())
