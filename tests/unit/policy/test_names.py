"""Identifiers keep their grammar; the lists fit together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.names import (
    ROLES,
    ROLES_BY_KIND,
    ROLES_HELD_BY_KIND,
    AgencyKind,
    Call,
    FieldSet,
    NameSyntaxError,
    Role,
    county_of,
    parse_agency_id,
    parse_role,
)
from gateway.protocol.policy.fieldsets import ACK, call_of, expand, mask_of, members, without

SETS = st.frozensets(st.sampled_from(list(FieldSet)))


@pytest.mark.parametrize("text", ["06037.cwa", "06001.a", "06075." + "x" * 32])
def test_an_agency_id_is_five_digits_a_dot_and_a_name(text: str) -> None:
    assert county_of(parse_agency_id(text)) == text[:5]


@pytest.mark.parametrize(
    "text",
    ["", "6037.cwa", "06037", "06037.", "06037.CWA", "06037.cwa\n", "06037.c w", "06037." + "x" * 33, "٠٦٠٣٧.cwa"],
)
def test_any_other_agency_id_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(NameSyntaxError) as refused:
        parse_agency_id(text)
    assert not text or text not in str(refused.value)


def test_every_kind_has_its_roles_and_a_role_belongs_to_one_kind() -> None:
    assert set(ROLES_BY_KIND) == set(AgencyKind)
    assert len(ROLES) == len(set(ROLES)) == sum(len(roles) for roles in ROLES_BY_KIND.values())
    assert all(role.partition(".")[0] == kind for kind, roles in ROLES_BY_KIND.items() for role in roles)
    assert not ROLES_BY_KIND[AgencyKind.FED]


def test_only_listed_roles_parse() -> None:
    assert [parse_role(role) for role in ROLES] == list(ROLES)
    with pytest.raises(NameSyntaxError):
        parse_role("LEA.detective")


@given(SETS)
def test_expanding_is_idempotent_and_always_acknowledges(field_sets: frozenset[FieldSet]) -> None:
    expanded = expand(field_sets)
    assert set(expanded) >= field_sets | {FieldSet.FS0_ACK}
    assert expand(expanded) == expanded == members(mask_of(field_sets))


@given(SETS, SETS)
def test_what_is_removed_takes_along_what_includes_it(asked: frozenset[FieldSet], gone: frozenset[FieldSet]) -> None:
    left = members(without(mask_of(asked), gone))
    assert expand(left) == left
    assert set(left).isdisjoint(gone - {FieldSet.FS0_ACK})
    assert without(mask_of(asked), FieldSet) == ACK


def test_a_call_for_flag_status_alone_is_a_flag_check() -> None:
    flag_checks = [field_set for field_set in FieldSet if call_of((field_set,)) is Call.FLAG_CHECK]
    assert flag_checks == [FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS]


def test_a_county_agencys_privacy_officer_is_no_case_worker() -> None:
    officer = Role("COUNTY.privacy_officer")
    holders = {kind for kind, roles in ROLES_HELD_BY_KIND.items() if officer in roles}
    assert holders == {AgencyKind.CWA, AgencyKind.PROB, AgencyKind.COUNTY}
    assert officer not in ROLES_BY_KIND[AgencyKind.CWA]
    assert all(ROLES_BY_KIND[kind] <= roles for kind, roles in ROLES_HELD_BY_KIND.items())
