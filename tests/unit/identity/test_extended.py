"""The scheme for counties that trust their addresses: the default keys and more, each of parts that data names."""

import tomllib
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.identity import match_keys, match_keys_extended
from adapters.identity.builders import BUILDERS
from adapters.identity.parts import builder_of, composed
from adapters.identity.scheme import load_scheme
from adapters.identity.youth import IDENTITY_FIELDS
from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME, SCHEME, load_key_scheme

# An invented youth.
LUPE: dict[str, str | None] = {
    "given_name": "Guadalupe Elena",
    "surname": "García-Ruiz",
    "date_of_birth": "20100408",
    "street_number": "12",
    "address_1": "Stanley Street",
    "suburb": "Winston Hills",
    "postcode": "94110",
    "state": "ca",
    "soc_sec_id": "6780",
}
EXTENDED = load_scheme(EXTENDED_SCHEME)
ADDED = {rule.name for rule in EXTENDED.keys} - {rule.name for rule in load_scheme().keys}


def test_the_extended_scheme_holds_the_default_one_first_and_unchanged() -> None:
    default = load_key_scheme(SCHEME).keys
    assert load_key_scheme(EXTENDED_SCHEME).keys[: len(default)] == default
    keys = match_keys_extended(LUPE)
    assert keys[: len(match_keys(LUPE))] == match_keys(LUPE)


def test_every_key_is_built_for_a_complete_youth_and_every_row_of_parts_is_a_key() -> None:
    assert {name for name, _ in match_keys_extended(LUPE)} == {rule.name for rule in EXTENDED.keys}
    text = resources.files("adapters.identity").joinpath("extended-keys.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["parts"].keys() == ADDED
    assert ADDED.isdisjoint(BUILDERS)


def test_a_token_set_of_it_fits_the_wire() -> None:
    assert len(EXTENDED.keys) <= 64
    assert all(rule.pad <= 64 and len(rule.name) <= 40 for rule in EXTENDED.keys)


def test_a_youth_with_three_errors_is_still_recognized_by_the_address() -> None:
    written = LUPE | {"given_name": "Gaudalpue", "surname": "Gracai", "date_of_birth": "20110409"}
    shared = {name for name, _ in set(match_keys_extended(LUPE)) & set(match_keys_extended(written))}
    assert shared & ADDED


@pytest.mark.parametrize("missing", ["given_name", "surname", "date_of_birth", "address_1", "soc_sec_id"])
def test_a_key_without_one_of_its_parts_has_no_value(missing: str) -> None:
    whole = {name for name, _ in match_keys_extended(LUPE)}
    assert {name for name, _ in match_keys_extended(LUPE | {missing: None})} < whole


def test_an_estimated_birth_date_makes_no_key_of_its_month_and_day() -> None:
    estimated = {name for name, _ in match_keys_extended(LUPE, estimated=True)}
    assert estimated
    assert not [name for name in estimated if "monthday" in name]


def test_a_name_that_stands_for_no_name_makes_nothing() -> None:
    assert match_keys_extended(LUPE | {"given_name": "Baby Girl"}) == []


def test_a_part_or_a_key_nobody_wrote_is_refused() -> None:
    with pytest.raises(KeyError):
        composed(["given", "shoe_size"])
    with pytest.raises(KeyError):
        builder_of("shoe_size_dob")


FIELD = st.none() | st.text(max_size=40) | st.sampled_from(["20100408", "Unknown", "12", "94110", "de la Cruz", "6780"])


@given(st.fixed_dictionaries(dict.fromkeys(IDENTITY_FIELDS, FIELD)))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_whatever_is_typed_no_key_exceeds_its_pad_and_no_value_repeats(identity: dict[str, str | None]) -> None:
    keys = match_keys_extended(identity)
    assert keys == match_keys_extended(identity)
    assert len(set(keys)) == len(keys)
    for rule in EXTENDED.keys:
        assert sum(name == rule.name for name, _ in keys) <= rule.pad
