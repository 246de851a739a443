"""A policy as data, for `homeward policy show --json` and what is told beside it: protocol names, and English."""

from collections.abc import Iterable
from typing import Any

from gateway.protocol.names import Obligation
from gateway.protocol.policy import english
from gateway.protocol.policy.duties import Side, county_duties
from gateway.protocol.policy.fieldsets import members
from gateway.protocol.policy.rules import EmergencyRule, FlagActRule, Policy, Rule


def identity_of(rules: Policy) -> dict[str, Any]:
    """Which bundle it is."""
    return {
        "version": rules.version,
        "jurisdiction": rules.jurisdiction,
        "effective_date": rules.effective_date.isoformat(),
        "counsel_confirmed": rules.counsel_confirmed,
        "sha256": rules.digest.hex(),
    }


def policy_document(rules: Policy) -> dict[str, Any]:
    """All of it."""
    return {
        **identity_of(rules),
        "purposes": dict(rules.labels),
        "county_duties": duties_document(Obligation),
        "rules": [_rule_document(rule, rules) for rule in rules.rules],
        "flag_acts": [_flag_act_document(each, rules) for each in rules.flag_acts],
        "emergency": {
            **_common_document(rules.emergency),
            "overrides": sorted(rules.emergency.overrides),
            "max_life_seconds": rules.emergency.max_life_seconds,
            "max_login_age_seconds": rules.emergency.max_login_age_seconds,
            "max_uses": rules.emergency.max_uses,
            "uses_period_days": rules.emergency.uses_period_days,
            "english": english.emergency_sentence(rules.emergency),
        },
    }


def _flag_act_document(rule: FlagActRule, rules: Policy) -> dict[str, Any]:
    return {
        "id": rule.rule_id,
        "act": rule.act,
        "purposes": list(rule.purposes),
        "roles": sorted(rule.roles),
        "citations": list(rule.citations),
        "english": english.flag_act_sentence(rule, rules),
    }


def _common_document(rule: Rule | EmergencyRule) -> dict[str, Any]:
    return {
        "id": rule.rule_id,
        "roles": sorted(rule.roles),
        "citations": list(rule.citations),
        "evidence_all": sorted(rule.evidence_all),
        "field_sets": list(members(rule.mask)),
        "mode": rule.mode,
        "retention": rule.retention,
        "notices": list(rule.notices),
        "obligations": list(rule.obligations),
        "county_duties": duties_document(rule.obligations),
    }


def duties_document(obligations: Iterable[Obligation]) -> dict[str, list[str]]:
    """The obligations that staff carry out, by whose staff."""
    due = tuple(obligations)
    return {side.lower(): list(county_duties(due, side)) for side in Side}


def _rule_document(rule: Rule, rules: Policy) -> dict[str, Any]:
    return {
        **_common_document(rule),
        "purpose": rule.purpose,
        "basis": list(rule.bases),
        "evidence_any": sorted(rule.evidence_any),
        "youth_all": sorted(rule.youth_all),
        "active_flag_waived_by": sorted(rule.youth_waived_by),
        "counsel_question": rule.counsel_question,
        "english": english.sentence(rule, rules),
    }
