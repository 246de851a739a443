"""The scheme file: every key can be built, every word can be met."""

import tomllib
from importlib import resources

import pytest

from adapters.identity.keys import match_keys
from adapters.identity.scheme import Scheme, load_scheme, parse_scheme, with_county_forms
from adapters.identity.short_forms import ShortFormsChanged, load_short_forms
from adapters.identity.words import words
from gateway.config import Budgets
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.oprf import MAX_BATCH


@pytest.fixture
def scheme() -> Scheme:
    """The scheme that ships."""
    return load_scheme()


def test_every_key_of_the_scheme_is_built_for_a_complete_identity(scheme: Scheme) -> None:
    numbers = {"soc_sec_id": "6789", "postcode": "94110", "street_number": "12"}
    complete = {"given_name": "Sean Patrick", "surname": "O'Brien", "date_of_birth": "20081130", **numbers}
    assert list(dict.fromkeys(name for name, _ in match_keys(complete))) == [rule.name for rule in scheme.keys]


def test_every_word_of_the_scheme_is_in_normalized_form(scheme: Scheme) -> None:
    names = scheme.names
    noise = names.particles | names.suffixes | names.no_further_name
    for word in noise | names.placeholders | names.given_placeholders:
        assert " ".join(words(word)) == word


def test_a_word_that_counts_as_written_is_a_name_without_its_accents(scheme: Scheme) -> None:
    for word in scheme.names.given_placeholders_as_written:
        assert word == word.casefold()
        assert not scheme.names.any_given_placeholder & set(words(word))


def test_one_identity_fits_into_a_batch_and_name_and_birth_date_are_core(scheme: Scheme) -> None:
    assert 0 < scheme.elements <= MAX_BATCH
    assert all(rule.pad > 0 for rule in scheme.keys)
    assert {rule.name for rule in scheme.keys if rule.core} == CORE_KEYS


def test_the_holders_budget_is_the_size_of_one_identity(scheme: Scheme) -> None:
    assert Budgets().elements_a_record == scheme.elements


def test_the_scheme_has_the_keys_and_the_order_of_the_wire(scheme: Scheme) -> None:
    assert scheme.keys == load_key_scheme().keys
    assert (len(scheme.keys), scheme.elements) == (21, 89)


def test_a_scheme_file_with_a_missing_entry_or_for_another_version_is_refused(scheme: Scheme) -> None:
    with pytest.raises(KeyError):
        parse_scheme('versions = ["3"]', "3", scheme.short_forms)
    with pytest.raises(ValueError):
        parse_scheme('versions = ["1"]', "3", scheme.short_forms)


def test_another_release_of_the_table_of_short_forms_is_refused() -> None:
    with pytest.raises(ShortFormsChanged):
        load_short_forms("[short_forms]", digest="0" * 64)


@pytest.mark.parametrize(
    ("short", "whole"),
    [("lupe", "guadalupe"), ("pepe", "jose"), ("paco", "francisco"), ("chuy", "jesus"), ("memo", "guillermo"),
     ("nacho", "ignacio"), ("beto", "alberto"),
     ("ma", "maria"), ("bill", "william"), ("liz", "elizabeth"), ("ed", "edward")],
)  # fmt: skip
def test_short_forms_of_both_languages_lead_to_the_whole_name(scheme: Scheme, short: str, whole: str) -> None:
    assert scheme.short_forms.whole_names(short)[0] == short
    assert whole in scheme.short_forms.whole_names(short)


def test_a_short_form_stands_for_the_most_common_name_first(scheme: Scheme) -> None:
    wholes = ("roberto", "alberto", "gilberto", "humberto", "heriberto", "norberto")
    assert scheme.short_forms.whole_names("beto")[: 1 + len(wholes)] == ("beto", *wholes)


def test_every_row_of_the_spanish_table_is_a_name_with_short_forms_of_its_own(scheme: Scheme) -> None:
    text = resources.files("adapters.identity").joinpath("short-forms-es.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["short_forms"]
    for whole, short_forms in rows.items():
        assert len({words(short) for short in short_forms} - {words(whole)}) >= 1
        assert all(len(words(name)) == 1 for name in (whole, *short_forms))


def test_a_countys_short_forms_change_the_digest_that_makes_tokens_anew(scheme: Scheme) -> None:
    assert scheme.short_forms.county_digest == ""
    changed = with_county_forms(scheme, {"José": ("Pepín",)})
    assert changed.short_forms.county_digest
    assert changed.short_forms.whole_names("pepin") == ("pepin", "jose")
    assert changed.version == scheme.version
