"""The scheme file: every key can be built, every word can be met."""

import pytest

from adapters.identity.keys import match_keys
from adapters.identity.normalize import words
from adapters.identity.scheme import Scheme, load_scheme, parse_scheme
from gateway.config import Budgets
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.oprf import MAX_BATCH


@pytest.fixture
def scheme() -> Scheme:
    """The scheme that ships."""
    return load_scheme()


def test_every_key_of_the_scheme_is_built_for_a_complete_identity(scheme: Scheme) -> None:
    complete = {"given_name": "Sean", "surname": "O'Brien", "date_of_birth": "20081130"}
    assert [name for name, _ in match_keys(complete)] == [rule.name for rule in scheme.keys]


def test_every_word_of_the_scheme_is_in_normalized_form(scheme: Scheme) -> None:
    names = scheme.names
    for word in names.particles | names.suffixes | names.placeholders | names.given_placeholders:
        assert " ".join(words(word)) == word


def test_one_identity_fits_into_a_batch_and_name_and_birth_date_are_core(scheme: Scheme) -> None:
    assert 0 < scheme.elements <= MAX_BATCH
    assert all(rule.pad > 0 for rule in scheme.keys)
    assert {rule.name for rule in scheme.keys if rule.core} == CORE_KEYS


def test_the_holders_budget_is_the_size_of_one_identity(scheme: Scheme) -> None:
    assert Budgets().elements_a_record == scheme.elements


def test_a_scheme_file_with_an_unknown_or_missing_entry_is_refused() -> None:
    with pytest.raises(KeyError):
        parse_scheme('version = "1"')
    with pytest.raises(TypeError):
        parse_scheme(
            'version = "1"\n[[keys]]\nname = "name_dob"\npad = 1\ncore = true\nweight = 2\n'
            "[names]\nmax_characters = 9\nparticles = []\nsuffixes = []\nplaceholders = []\ngiven_placeholders = []\n"
            "[dates]\nfirst_year = 1900\nlast_year = 2000\nplaceholders = []\n"
        )
