"""Match keys: which two records share one, which do not, and that nothing typed into a field can break them."""

import hashlib
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.identity import IncompleteIdentity, InvalidIdentity, keyed_input, match_keys
from adapters.identity.keys import missing_fields
from adapters.identity.scheme import load_scheme, with_county_forms
from adapters.identity.youth import IDENTITY_FIELDS, Identity
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.matching.key_scheme import load_key_scheme

# Invented youths.
LUPE: dict[str, str | None] = {"given_name": "Guadalupe", "surname": "García-Ruiz", "date_of_birth": "20100408"}
SEAN: dict[str, str | None] = {"given_name": "Sean", "surname": "O'Brien", "date_of_birth": "20081130"}
PEPPER = bytes(range(32))
FURTHER = {"further_given_dob", "further_initial_dob"}
KEYS = {rule.name for rule in load_scheme().keys} - FURTHER
"""Of a youth with one given name."""


def shared(one: Identity, other: Identity, *, aliases: tuple[Identity, ...] = ()) -> set[str]:
    """The keys on which two records agree."""
    return {name for name, _ in set(match_keys(one)) & set(match_keys(other, aliases=aliases))}


@pytest.mark.parametrize(
    ("given_name", "surname"),
    [("GUADALUPE", "GARCIA RUIZ"), ("guadalupe", "Garcia"), ("Guadalupe", "Ruiz"), ("Guadalupe María", "garcía ruiz"),
     ("GUADALUPE", "GARCIARUIZ"), ("Guadalupe", "Garcia-Ruiz Jr.")],
)  # fmt: skip
def test_one_youth_typed_in_two_ways_agrees_on_every_core_key(given_name: str, surname: str) -> None:
    assert shared(LUPE, LUPE | {"given_name": given_name, "surname": surname}) == CORE_KEYS


DAY = {"skeleton_year_month", "skeleton_year_day", "skeleton_month_day"}
NICK = {"given_nick_dob", "nick_skeleton_dob_swap"}
GIVEN = {"given_dob", "given_edit1_dob", "given_nick_dob"}
SOUND = {"skeleton_anyorder_dob", "nick_skeleton_dob_swap", "initial_surname_dob", *DAY}


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ({"surname": "Garsia"}, {*SOUND, *GIVEN, "surname_edit1_dob"}),
        ({"surname": "Garvia"}, {*GIVEN, "surname_edit1_dob"}),
        ({"surname": "Hartley"}, GIVEN),
        ({"given_name": "Lupe"}, {"surname_edit1_dob", "nick_skeleton_dob_swap", "given_nick_dob"}),
        ({"given_name": "Guadlupe"}, {*SOUND, "surname_edit1_dob", "given_edit1_dob", "given_nick_dob"}),
        ({"given_name": "Garcia", "surname": "Guadalupe"}, {"skeleton_anyorder_dob"}),
        ({"given_name": "Guada", "surname": "Garcia"}, {"surname_edit1_dob", "initial_surname_dob", *NICK}),
        ({"given_name": "Gualu", "surname": "Garcia"}, {"surname_edit1_dob", "initial_surname_dob"}),
        ({"date_of_birth": "20100804"}, {"nick_skeleton_dob_swap", "name_year"}),
        ({"date_of_birth": "20100409"}, {"skeleton_year_month", "name_year"}),
        ({"date_of_birth": "20100508"}, {"skeleton_year_day", "name_year"}),
        ({"date_of_birth": "20110408"}, {"skeleton_month_day"}),
        ({"date_of_birth": "20100101"}, {"name_year"}),
        ({"date_of_birth": "20110509"}, set()),
        ({"given_name": "Lupe", "surname": "Garcia", "date_of_birth": "20100804"}, {"nick_skeleton_dob_swap"}),
    ],
)
def test_one_youth_with_an_error_agrees_on_the_keys_made_for_it(changed: dict[str, str], keys: set[str]) -> None:
    assert shared(LUPE, LUPE | changed) == keys


def test_a_common_name_and_a_birth_year_are_not_enough_and_its_key_is_carried_all_the_same() -> None:
    maria = LUPE | {"given_name": "María", "surname": "Garcia"}
    assert shared(maria, maria | {"date_of_birth": "20100101"}) == set()
    assert {name for name, _ in match_keys(maria)} == CORE_KEYS


HOUSE: dict[str, str | None] = {"postcode": "94110", "street_number": "12", "soc_sec_id": "123-45-6780"}


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ({"date_of_birth": None}, {"ssn4_surname", "ssn4_given", "house_given", "zip_skeleton", "zip_ssn4"}),
        ({"soc_sec_id": None}, {*CORE_KEYS, "zip_dob", "house_given", "zip_skeleton"}),
        ({"soc_sec_id": "6780", "postcode": "94110-1234", "street_number": "012-B"}, KEYS),
        ({"postcode": "90001"}, {*CORE_KEYS, "ssn4_dob", "ssn4_surname", "ssn4_given"}),
        ({"given_name": "Lupita", "date_of_birth": None}, {"ssn4_surname", "ssn4_given", "house_given", "zip_ssn4"}),
        ({"given_name": None}, {"surname_edit1_dob", "ssn4_dob", "ssn4_surname", "zip_dob", "zip_ssn4"}),
    ],
)
def test_numbers_and_address_make_the_optional_keys(changed: dict[str, str | None], keys: set[str]) -> None:
    whole = LUPE | HOUSE
    assert {name for name, _ in match_keys(whole)} == KEYS
    assert shared(whole, whole | changed) == keys


def test_only_the_last_four_digits_of_an_id_are_used() -> None:
    assert match_keys(LUPE | {"soc_sec_id": "999116789"}) == match_keys(LUPE | {"soc_sec_id": "6789"})


def test_two_youths_of_one_surname_and_day_agree_on_no_key_with_the_given_name() -> None:
    assert shared(LUPE, LUPE | {"given_name": "Ernesto"}) == {"surname_edit1_dob"}


def test_exactly_the_same_values_come_from_accents_case_and_apostrophes() -> None:
    typed = {"given_name": "SEÁN", "surname": "o’brien", "date_of_birth": "20081130"}
    assert match_keys(SEAN) == match_keys(typed)


def test_lengths_separate_the_parts_of_a_value() -> None:
    one = {"given_name": "Ana", "surname": "Belen", "date_of_birth": "20100408"}
    assert "name_dob" not in shared(one, one | {"given_name": "Anab", "surname": "elen"})


def test_an_estimated_birth_date_makes_no_key_of_its_day_or_month() -> None:
    first = LUPE | {"date_of_birth": "20100101"}
    estimated = match_keys(first, estimated=True)
    assert {name for name, _ in estimated} == load_key_scheme().core_of_estimated
    assert set(estimated) < set(match_keys(first))


def test_a_county_adds_short_forms_and_loses_none() -> None:
    scheme = with_county_forms(load_scheme(), {"Guadalupe": ("Güera",), "Sean": ("Juancho",)})
    written = LUPE | {"given_name": "guera"}
    known, added = match_keys(written), match_keys(written, scheme=scheme)
    assert set(known) < set(added)
    assert {name for name, _ in set(added) & set(match_keys(LUPE))} >= {"given_nick_dob", "nick_skeleton_dob_swap"}
    juancho = LUPE | {"given_name": "Juancho"}
    assert set(match_keys(juancho)) < set(match_keys(juancho, scheme=scheme))


def test_an_alias_is_a_further_value_of_the_same_keys() -> None:
    now = LUPE | {"surname": "Hartley"}
    assert shared(LUPE, now) == GIVEN
    assert shared(LUPE, now, aliases=({"surname": "Garcia"},)) == CORE_KEYS
    assert shared(LUPE, now, aliases=({"given_name": "Guadalupe", "surname": "Garcia Ruiz"},)) == CORE_KEYS
    renamed = LUPE | {"given_name": "Robert"}
    assert shared(LUPE, renamed, aliases=({"given_name": "Guadalupe"},)) == CORE_KEYS


def test_values_beyond_the_pad_are_dropped_parts_before_whole_surnames() -> None:
    aliases: tuple[dict[str, str | None], ...] = tuple(
        {"surname": f"Alias{letter} Part{letter}"} for letter in "abcdefgh"
    )
    values = [value for name, value in match_keys(LUPE, aliases=aliases) if name == "name_dob"]
    kept = [LUPE, *(LUPE | alias for alias in aliases[:2])]
    whole = {match_keys(youth)[0][1] for youth in kept}
    assert len(values) == next(rule.pad for rule in load_scheme().keys if rule.name == "name_dob")
    assert set(values) == whole


PLACEHOLDERS: list[dict[str, str | None]] = [
    {"given_name": "Baby Girl"},
    {"given_name": "Unknown"},
    {"given_name": "000"},
    {"given_name": "Bebé Niña"},
    {"given_name": "FNU"},
    {"given_name": "No First Name"},
    {"given_name": "Baby Boy 2"},
    {"surname": "LNU"},
    {"surname": "Doe"},
    {"surname": "UNK"},
]


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_a_name_that_stands_for_no_name_makes_nothing_and_is_named_as_missing(
    placeholder: dict[str, str | None],
) -> None:
    identity = LUPE | HOUSE | placeholder
    assert match_keys(identity) == []
    assert missing_fields(identity, scheme=load_scheme()) == tuple(placeholder)


@pytest.mark.parametrize(
    "placeholder",
    [{"given_name": None}, {"surname": ""}, {"surname": "😀"}, {"date_of_birth": None}, {"date_of_birth": "19000101"},
     {"date_of_birth": "20101340"}],
)  # fmt: skip
def test_what_is_missing_makes_no_core_group_and_is_named(placeholder: dict[str, str | None]) -> None:
    identity = LUPE | placeholder
    assert not {name for name, _ in match_keys(identity)} >= load_key_scheme().core_of_estimated
    assert missing_fields(identity, scheme=load_scheme()) == tuple(placeholder)


@pytest.mark.parametrize(
    ("one", "other", "further"),
    [
        ("José Luis", "JOSE LUIZ", FURTHER),
        ("José Luis", "José", set()),
        ("José Luis", "José L.", {"further_initial_dob"}),
        ("José L.", "José M.", set()),
        ("José Luis", "José Miguel", set()),
        ("José Luis", "José Lorenzo", {"further_initial_dob"}),
        ("José Luis Antonio", "José Antonio", FURTHER),
        ("María del Carmen", "Maria Carmen", FURTHER),
        ("María Lupe", "María Guadalupe", {"further_given_dob"}),
        ("María Cristina", "Maria Kristina", {"further_given_dob"}),
        ("José NMN", "José Luis", set()),
    ],
)
def test_a_further_given_name_has_keys_of_its_own_and_changes_no_other(one: str, other: str, further: set[str]) -> None:
    assert shared(LUPE | {"given_name": one}, LUPE | {"given_name": other}) == CORE_KEYS | further


@pytest.mark.parametrize(
    ("one", "other"),
    [("Guadalupe", "María Guadalupe"), ("Lupe", "María Guadalupe"), ("Luis", "José Luis"), ("Kate", "Mary Kate"),
     ("Nena", "María Elena"), ("Hoa", "Thi Hoa"), ("Deandre", "De Andre"), ("Marykate", "Mary Kate")],
)  # fmt: skip
def test_a_further_part_of_a_given_name_finds_a_youth_and_never_names_one(one: str, other: str) -> None:
    agreeing = shared(LUPE | {"given_name": one}, LUPE | {"given_name": other})
    assert agreeing >= {"surname_edit1_dob", "nick_skeleton_dob_swap", "given_nick_dob"}
    assert "name_dob" not in agreeing


@pytest.mark.parametrize("whole", ["Roberto", "Alberto", "Gilberto", "Humberto", "Heriberto", "Norberto"])
def test_a_short_form_of_many_names_reaches_them_all_where_there_is_one_surname(whole: str) -> None:
    beto = LUPE | {"given_name": "Beto", "surname": "Ortiz"}
    assert "nick_skeleton_dob_swap" in shared(beto, beto | {"given_name": whole})


@pytest.mark.parametrize(
    "placeholder", [{"soc_sec_id": "000000000"}, {"soc_sec_id": "123"}, {"soc_sec_id": "999-99-9999"},
                    {"soc_sec_id": "123456789"}, {"postcode": "00000"}, {"postcode": "unknown"}],
)  # fmt: skip
def test_a_number_nobody_has_makes_no_key(placeholder: dict[str, str | None]) -> None:
    assert {name for name, _ in match_keys(LUPE | placeholder)} == CORE_KEYS


def test_a_complete_alias_stands_in_for_a_missing_name() -> None:
    unnamed = LUPE | {"given_name": "Unknown"}
    aliases = ({"given_name": "Guadalupe"},)
    assert match_keys(unnamed, aliases=aliases) == match_keys(LUPE)
    assert missing_fields(unnamed, aliases=aliases, scheme=load_scheme()) == ()


def test_a_name_of_ten_thousand_characters_is_refused_by_field_name_only() -> None:
    with pytest.raises(InvalidIdentity) as refusal:
        match_keys(LUPE | {"surname": "garcia " * 1429})
    assert refusal.value.fields == ("surname",)
    assert str(refusal.value) == "too long: surname"


def test_errors_name_fields_and_never_values() -> None:
    error = IncompleteIdentity(["surname"], position=3)
    assert str(error) == "identity 3 lacks: surname"
    assert (error.missing, error.position) == (("surname",), 3)


FIELD = st.none() | st.text(st.characters(), max_size=230) | st.sampled_from(["Unknown", "20100408", "de la Cruz"])


def keys_or_refused_fields(identity: Identity, aliases: tuple[Identity, ...]) -> list[tuple[str, bytes]] | set[str]:
    """The match keys, or the fields that the typed refusal names."""
    try:
        return match_keys(identity, aliases=aliases)
    except InvalidIdentity as refusal:
        return set(refusal.fields)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(IDENTITY_FIELDS, FIELD)), FIELD)
@settings(deadline=None, derandomize=True, max_examples=300)
@example({"given_name": "😀", "surname": "محمد", "date_of_birth": "20100408"}, "\ud800")
@example({"given_name": "x" * 10_000, "surname": "y", "date_of_birth": "20100408"}, None)
@example({"given_name": "محمد", "surname": "علي", "date_of_birth": "20100408"}, "y" * 200)
def test_arbitrary_text_gives_keys_of_the_scheme_or_the_typed_refusal(identity: Identity, alias: str | None) -> None:
    aliases: tuple[Identity, ...] = ({"surname": alias},)
    result = keys_or_refused_fields(identity, aliases)
    if isinstance(result, set):
        assert result == {name for name in IDENTITY_FIELDS if len(identity.get(name) or "") > 200} | (
            {"surname"} if len(alias or "") > 200 else set()
        )
        return
    assert len(set(result)) == len(result)
    for rule in load_scheme().keys:
        assert sum(name == rule.name for name, _ in result) <= rule.pad
    assert result == match_keys(identity, aliases=aliases)
    carried = {name for name, _ in result}
    assert (carried >= CORE_KEYS) is not bool(missing_fields(identity, aliases=aliases, scheme=load_scheme()))


@given(st.sampled_from(PLACEHOLDERS), st.fixed_dictionaries({}, optional=dict.fromkeys(IDENTITY_FIELDS, FIELD)))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_whatever_else_is_known_a_placeholder_makes_nothing(
    placeholder: dict[str, str | None], known: dict[str, str | None]
) -> None:
    result = keys_or_refused_fields(known | placeholder, ())
    assert not result or isinstance(result, set)


NAMES = st.text(st.sampled_from("abcdeghilmnorstuvñé -'"), min_size=1, max_size=24)


@given(NAMES, NAMES, st.lists(st.tuples(NAMES, NAMES), max_size=4), st.lists(st.tuples(NAMES, NAMES), max_size=4))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_who_shares_the_name_and_birth_date_shares_every_core_key_however_many_aliases_there_are(
    given_name: str, surname: str, here: list[tuple[str, str]], there: list[tuple[str, str]]
) -> None:
    youth = LUPE | {"given_name": given_name, "surname": surname}
    aliases = [tuple({"given_name": one, "surname": two} for one, two in names) for names in (here, there)]
    left, right = (match_keys(youth, aliases=known) for known in aliases)
    common = {name for name, _ in set(left) & set(right)}
    assert "name_dob" not in common or common >= CORE_KEYS


def test_every_part_of_a_keyed_input_changes_it() -> None:
    base = {"pepper": PEPPER, "epoch": "2026-1", "scheme": "1", "key_name": "name_dob", "value": b"value"}
    changes = {"pepper": bytes(32), "epoch": "2026-2", "scheme": "2", "key_name": "name_do", "value": b"bvalue"}
    digests = {keyed_input(**(base | {part: change})) for part, change in changes.items()}  # type: ignore[arg-type]
    assert len(digests | {keyed_input(**base)}) == 6  # type: ignore[arg-type]


def test_no_two_lists_of_parts_are_one_message() -> None:
    texts = ["", "1", "11", "111"]
    inputs = [
        keyed_input(PEPPER, epoch, scheme=scheme, key_name="k", value=b"")
        for epoch, scheme in itertools.product(texts, repeat=2)
    ]
    assert len(set(inputs)) == len(inputs)


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_pepper_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError):
        keyed_input(bytes(length), "2026-1", scheme="1", key_name="name_dob", value=b"")


# One line per rule that two counties must share. If this test fails, the rules have changed: give the scheme a new
# version (which is a new epoch for everybody) and pin it here; never repin an old version.
PINNED = {"3": "a0e7fc598f559ac665935c32c1d5b0ea5bbac8896b63c9973d9496acbbba0428"}
SAMPLES: list[Identity] = [
    LUPE,
    SEAN,
    {"given_name": "María José", "surname": "de la Cruz Ortega", "date_of_birth": "20120101"},
    {"given_name": "Łukasz", "surname": "Mc Donald III", "date_of_birth": "20060929"},
    {"given_name": "Chenoa", "surname": "van der Berg", "date_of_birth": "20110630"},
    {"given_name": "Xóchitl", "surname": "Vázquez Quiñones", "date_of_birth": "20091231"},
    {"given_name": "محمد", "surname": "علي", "date_of_birth": "20070315"},
    {"given_name": "Phillip", "surname": "St. George-Hughes", "date_of_birth": "20100704"},
    {"given_name": "Chuy", "surname": "Nuñez", "date_of_birth": "20100229", "soc_sec_id": "6789", "postcode": "94110"},
    LUPE | HOUSE,
    {"given_name": "José Luis A.", "surname": "García", "date_of_birth": "20100804"},
    {"given_name": "Beto", "surname": "Ortiz", "date_of_birth": "20080520"},
    {"given_name": "Yesenia del Carmen", "surname": "Yáñez Ruiz", "date_of_birth": "20080520"},
]


def test_the_rules_of_a_published_scheme_version_never_change() -> None:
    digest = hashlib.sha256()
    for sample in SAMPLES:
        for name, value in match_keys(sample):
            digest.update(keyed_input(PEPPER, "pin", scheme=load_scheme().version, key_name=name, value=value))
    assert digest.hexdigest() == PINNED[load_scheme().version]
