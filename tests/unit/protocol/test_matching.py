"""Scoring: what agreement is worth, who is a match, who is asked about, and who is nobody."""

import os
from collections.abc import Mapping
from importlib import resources
from math import log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.identity import match_keys
from adapters.identity.youth import Identity
from gateway.protocol.matching.classify import Likeness, Scored, likeness, scored
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.matching.score import Comparison, carried_tokens, compare, compare_keys
from gateway.protocol.matching.weights import REFERENCE_OVERLAP, WeightsError, load_weights, parse_weights
from gateway.protocol.names import Purpose
from tests.unit.token_sets import token_set

WEIGHTS = load_weights()
SCHEME = load_key_scheme()
CORE = SCHEME.core
KEYS = frozenset(rule.name for rule in SCHEME.keys)
# Invented youths.
LUPE: dict[str, str | None] = {
    "given_name": "Guadalupe",
    "surname": "García-Ruiz",
    "date_of_birth": "20100408",
    "soc_sec_id": "6780",
    "postcode": "94110",
    "street_number": "12",
}


def carried(
    identity: Identity, *, estimated: bool = False, aliases: tuple[Identity, ...] = ()
) -> dict[str, set[bytes]]:
    """What a record carries, in clear: scoring sees equality alone."""
    values: dict[str, set[bytes]] = {}
    for name, value in match_keys(identity, aliases=aliases, estimated=estimated):
        values.setdefault(name, set()).add(value)
    return values


def against(
    asked: Identity, listed: Identity, *, records: int = 60, estimated: bool = False, aliases: tuple[Identity, ...] = ()
) -> Scored:
    one, other = carried(asked), carried(listed, estimated=estimated, aliases=aliases)
    comparison = compare(one, other)
    return scored(comparison, WEIGHTS, records=records, purpose="MFC_LOCATE", asked=one, listed=other)


def alike(asked: Identity, listed: Identity, *, estimated: bool = False) -> Likeness:
    return likeness(against(asked, listed, estimated=estimated), WEIGHTS)


def test_the_same_youth_written_the_same_way_is_a_match() -> None:
    assert alike(LUPE, LUPE) is Likeness.MATCH


@pytest.mark.parametrize(
    "changed",
    [
        {"given_name": "Lupe"},
        {"surname": "Garsia"},
        {"surname": "Garcia Ruíz", "postcode": "90001"},
        {"date_of_birth": "20100804"},
        {"given_name": "Gudalupe"},
        {"soc_sec_id": None, "postcode": None},
    ],
)
def test_a_youth_written_differently_is_found(changed: Mapping[str, str | None]) -> None:
    assert alike(LUPE, LUPE | changed) is Likeness.MATCH


def test_a_name_change_is_asked_about_and_an_alias_makes_it_a_match() -> None:
    asked = LUPE | {"soc_sec_id": None, "postcode": None}
    renamed = LUPE | {"surname": "Hartley", "postcode": "90001"}
    assert alike(asked, renamed) is Likeness.POSSIBLE
    known = against(asked, renamed, aliases=({"surname": "Garcia"},))
    assert likeness(known, WEIGHTS) is Likeness.MATCH


@pytest.mark.parametrize("given_name", ["Ernesto", "Maria", "Lourdes"])
def test_a_twin_in_one_house_is_never_a_match_in_an_index_of_sixty(given_name: str) -> None:
    twin = LUPE | {"given_name": given_name, "soc_sec_id": "4321"}
    assert alike(LUPE, twin) is not Likeness.MATCH


@pytest.mark.parametrize(("one", "other"), [("Juan", "John"), ("Eric", "Erika"), ("Shaun", "Shannon")])
def test_twins_whose_names_sound_alike_do_not_pass_the_guard_without_a_number(one: str, other: str) -> None:
    first = LUPE | {"given_name": one, "soc_sec_id": None}
    second = LUPE | {"given_name": other, "soc_sec_id": None}
    found = against(first, second)
    assert WEIGHTS.guard.isdisjoint(found.comparison.agreeing)
    assert likeness(found, WEIGHTS) is not Likeness.MATCH


def test_a_sibling_of_another_day_is_nobody() -> None:
    sibling = LUPE | {"given_name": "Ernesto", "date_of_birth": "20120930", "soc_sec_id": "4321"}
    assert alike(LUPE, sibling) is Likeness.NONE


def test_a_namesake_of_another_day_is_no_match() -> None:
    namesake = LUPE | {"date_of_birth": "20060930", "soc_sec_id": "4321", "postcode": "90001"}
    assert alike(LUPE, namesake) is Likeness.NONE


def test_of_two_namesakes_of_one_day_neither_leads_by_the_margin() -> None:
    asked = LUPE | {"soc_sec_id": None, "postcode": None}
    one, other = against(asked, LUPE), against(asked, LUPE | {"soc_sec_id": "4321"})
    assert abs(one.score - other.score) < WEIGHTS.margin


def test_a_match_lies_far_ahead_of_its_twin() -> None:
    twin = LUPE | {"given_name": "Ernesto", "soc_sec_id": "4321"}
    assert against(LUPE, LUPE).score - against(LUPE, twin).score >= WEIGHTS.margin


def test_an_estimated_birth_date_is_never_matched_without_a_person() -> None:
    first = LUPE | {"date_of_birth": "20100101"}
    assert alike(first, first) is Likeness.MATCH
    assert alike(first, first, estimated=True) is Likeness.POSSIBLE


def test_a_small_index_counts_as_a_large_one() -> None:
    assert WEIGHTS.prior(60) == WEIGHTS.prior(50_000) == pytest.approx(WEIGHTS.bias - log2(50_000))
    assert WEIGHTS.prior(1_600_000) == pytest.approx(WEIGHTS.prior(50_000) - 5)


def test_sharing_one_weak_key_makes_a_youth_nobody() -> None:
    for key in ("given_nick_dob", "surname_edit1_dob", "zip_dob", "name_dob"):
        comparison = Comparison(frozenset({key}), CORE - {key})
        found = scored(comparison, WEIGHTS, records=60, purpose="MFC_LOCATE", asked=CORE, listed=CORE)
        assert likeness(found, WEIGHTS) is Likeness.NONE


def test_the_prior_follows_the_overlap_expected_for_the_purpose() -> None:
    assert WEIGHTS.prior(9, purpose="CASE_TRANSFER") == pytest.approx(WEIGHTS.prior(9) + 2)
    assert WEIGHTS.prior(9, purpose="MFC_LOCATE") == WEIGHTS.prior(9)


def test_every_purpose_has_an_expected_overlap_and_no_flag_check_less_than_the_reference() -> None:
    assert WEIGHTS.overlap.keys() == {"default", *Purpose}
    flag_checks = (Purpose.MFC_LOCATE, Purpose.MFC_HANDOFF, Purpose.HOTLINE_SCREEN, Purpose.VOLUNTARY_SHELTER)
    assert min(WEIGHTS.overlap[purpose] for purpose in flag_checks) >= REFERENCE_OVERLAP


@pytest.mark.parametrize(
    ("table", "field", "value"),
    [
        ("agree", "name_dob", "-0.5"),
        ("disagree", "ssn4_dob", "2.25"),
        ("agree", "ssn5_dob", "1.0"),
        ("", "possible", "7.0"),
        ("overlap", "default", "0.0"),
        ("overlap", "CASE_TRANSFERS", "0.5"),
        ("", "guard", '["ssn5"]'),
    ],
)
def test_weights_that_make_no_sense_are_refused(table: str, field: str, value: str) -> None:
    lines = resources.files("gateway.protocol.matching").joinpath("weights-3.toml").read_text("utf-8").splitlines()
    start = lines.index(f"[{table}]") + 1 if table else 0
    there = [place for place, line in enumerate(lines) if place >= start and line.startswith(f"{field} = ")]
    lines[there[0] if there else start : there[0] + 1 if there else start] = [f"{field} = {value}"]
    with pytest.raises(WeightsError):
        parse_weights("\n".join(lines))


@pytest.mark.parametrize("name", ["febrl-3", "febrl-3-extended"])
def test_the_weights_of_the_benchmark_are_well_formed_and_not_those_that_ship(name: str) -> None:
    assert load_weights(name).agree != WEIGHTS.agree
    assert load_weights(name).scheme == name.removeprefix("febrl-")


def test_an_absent_key_is_no_evidence() -> None:
    asked, listed = {"ssn4_dob": {b"a"}, "zip_dob": {b"b"}}, {"zip_dob": {b"c"}}
    assert compare(asked, listed) == Comparison(frozenset(), frozenset({"zip_dob"}))


def test_dummies_of_an_absent_key_are_not_compared() -> None:
    tokens = token_set("e1", lambda _, pad: [os.urandom(16) for _ in range(pad)])
    assert carried_tokens(tokens).keys() == CORE


SETS = st.dictionaries(st.sampled_from(sorted(KEYS)), st.frozensets(st.binary(max_size=1), min_size=1, max_size=4))


@given(SETS, SETS)
@settings(deadline=None, derandomize=True)
def test_comparing_is_the_same_both_ways_and_from_keys_an_index_found(
    asked: dict[str, frozenset[bytes]], listed: dict[str, frozenset[bytes]]
) -> None:
    comparison = compare(asked, listed)
    assert comparison == compare(listed, asked)
    assert comparison == compare_keys(comparison.agreeing, asked=asked, listed=listed)


@given(SETS, SETS, st.sampled_from(sorted(KEYS)))
@settings(deadline=None, derandomize=True)
def test_agreeing_on_one_more_key_never_lowers_a_score_and_differing_never_raises_it(
    asked: dict[str, frozenset[bytes]], listed: dict[str, frozenset[bytes]], key: str
) -> None:
    without = compare({name: asked[name] for name in asked if name != key}, listed).bits(WEIGHTS)
    assert compare({**asked, key: frozenset({b"x"})}, {**listed, key: frozenset({b"x"})}).bits(WEIGHTS) >= without
    assert compare({**asked, key: frozenset({b"x"})}, {**listed, key: frozenset({b"yy"})}).bits(WEIGHTS) <= without
