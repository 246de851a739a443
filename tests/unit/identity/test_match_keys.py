"""Match keys: which two records share one, which do not, and that nothing typed into a field can break them."""

import hashlib
import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.identity import IncompleteIdentity, InvalidIdentity, keyed_input, match_keys
from adapters.identity.keys import IDENTITY_FIELDS, Identity, missing_fields
from adapters.identity.scheme import load_scheme

# Invented youths.
LUPE: dict[str, str | None] = {"given_name": "Guadalupe", "surname": "García-Ruiz", "date_of_birth": "20100408"}
SEAN: dict[str, str | None] = {"given_name": "Sean", "surname": "O'Brien", "date_of_birth": "20081130"}
PEPPER = bytes(range(32))
KEYS = {rule.name for rule in load_scheme().keys}


def shared(one: Identity, other: Identity, *, aliases: tuple[Identity, ...] = ()) -> set[str]:
    """The keys on which two records agree."""
    return {name for name, _ in set(match_keys(one)) & set(match_keys(other, aliases=aliases))}


@pytest.mark.parametrize(
    ("given_name", "surname"),
    [("GUADALUPE", "GARCIA RUIZ"), ("guadalupe", "Garcia"), ("Guadalupe", "Ruiz"), ("Guadalupe María", "garcía ruiz"),
     ("GUADALUPE", "GARCIARUIZ"), ("Guadalupe", "Garcia-Ruiz Jr.")],
)  # fmt: skip
def test_one_youth_typed_in_two_ways_agrees_on_every_key(given_name: str, surname: str) -> None:
    assert shared(LUPE, LUPE | {"given_name": given_name, "surname": surname}) == KEYS


@pytest.mark.parametrize(
    ("given_name", "surname"), [("Guadalupe", "Garsia"), ("Guadaluppe", "Ruis"), ("Guadalupe", "Garzia Ruíz")]
)
def test_one_youth_spelled_by_ear_agrees_on_the_skeleton(given_name: str, surname: str) -> None:
    assert "skeleton_dob" in shared(LUPE, LUPE | {"given_name": given_name, "surname": surname})


def test_a_name_that_only_sounds_alike_does_not_agree_on_name_dob() -> None:
    assert shared(LUPE, LUPE | {"surname": "Garsia"}) == {"skeleton_dob"}


def test_exactly_the_same_values_come_from_accents_case_and_apostrophes() -> None:
    typed = {"given_name": "SEÁN", "surname": "o’brien", "date_of_birth": "20081130"}
    assert match_keys(SEAN) == match_keys(typed)


@pytest.mark.parametrize("day", ["20100804", "20100409", "20110408"])
def test_another_birth_date_agrees_on_no_key(day: str) -> None:
    assert shared(LUPE, LUPE | {"date_of_birth": day}) == set()


def test_given_and_surname_are_not_interchangeable_and_lengths_separate_them() -> None:
    one = {"given_name": "Ana", "surname": "Belen", "date_of_birth": "20100408"}
    swapped = one | {"given_name": "Belen", "surname": "Ana"}
    shifted = one | {"given_name": "Anab", "surname": "elen"}
    assert shared(one, swapped) == set()
    assert "name_dob" not in shared(one, shifted)


def test_an_alias_is_a_further_value_of_the_same_keys() -> None:
    now = LUPE | {"surname": "Hartley"}
    assert shared(LUPE, now) == set()
    assert shared(LUPE, now, aliases=({"surname": "Garcia"},)) == KEYS
    assert shared(LUPE, now, aliases=({"given_name": "Guadalupe", "surname": "Garcia Ruiz"},)) == KEYS


def test_values_beyond_the_pad_are_dropped_parts_before_whole_surnames() -> None:
    aliases: tuple[dict[str, str | None], ...] = tuple(
        {"surname": f"Alias{letter} Part{letter}"} for letter in "abcdefgh"
    )
    values = [value for name, value in match_keys(LUPE, aliases=aliases) if name == "name_dob"]
    kept = [LUPE, *(LUPE | alias for alias in aliases[:5])]
    whole = {match_keys(youth)[0][1] for youth in kept}
    assert len(values) == next(rule.pad for rule in load_scheme().keys if rule.name == "name_dob")
    assert set(values) == whole


@pytest.mark.parametrize(
    "placeholder",
    [{"given_name": "Baby Girl"}, {"given_name": "Unknown"}, {"given_name": None}, {"given_name": "000"},
     {"surname": "Doe"}, {"surname": "UNK"}, {"surname": ""}, {"surname": "😀"},
     {"date_of_birth": None}, {"date_of_birth": "19000101"}, {"date_of_birth": "20101340"}],
)  # fmt: skip
def test_placeholders_produce_nothing_and_are_named_as_missing(placeholder: dict[str, str | None]) -> None:
    identity = LUPE | placeholder
    assert match_keys(identity) == []
    assert missing_fields(identity, scheme=load_scheme()) == tuple(placeholder)


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
    assert bool(result) is not bool(missing_fields(identity, aliases=aliases, scheme=load_scheme()))


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
PINNED = {"1": "e05bc37cb153fcb3b18c663a71ed98542214f1333f1f5d07ec9b37eebeca738e"}
SAMPLES: list[Identity] = [
    LUPE,
    SEAN,
    {"given_name": "María José", "surname": "de la Cruz Ortega", "date_of_birth": "20120101"},
    {"given_name": "Łukasz", "surname": "Mc Donald III", "date_of_birth": "20060929"},
    {"given_name": "Chenoa", "surname": "van der Berg", "date_of_birth": "20110630"},
    {"given_name": "Xóchitl", "surname": "Vázquez Quiñones", "date_of_birth": "20091231"},
    {"given_name": "محمد", "surname": "علي", "date_of_birth": "20070315"},
    {"given_name": "Phillip", "surname": "St. George-Hughes", "date_of_birth": "20100704"},
]


def test_the_rules_of_a_published_scheme_version_never_change() -> None:
    digest = hashlib.sha256()
    for sample in SAMPLES:
        for name, value in match_keys(sample):
            digest.update(keyed_input(PEPPER, "pin", scheme=load_scheme().version, key_name=name, value=value))
    assert digest.hexdigest() == PINNED[load_scheme().version]
