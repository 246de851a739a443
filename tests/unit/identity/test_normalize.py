"""Normalization: what is one name although it is written in two ways, and what is no name at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.identity.normalize import (
    birth_date,
    date_parts,
    given_names,
    house_number,
    last_four,
    postcode,
    surname_values,
)
from adapters.identity.scheme import load_scheme
from adapters.identity.words import words

NAMES = load_scheme().names
DATES = load_scheme().dates
NUMBERS = load_scheme().numbers
# Every character, lone surrogates too: a database driver may hand them on.
ANY_TEXT = st.text(st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("written", "also_written"),
    [
        ("O'Brien", "OBrien"),
        ("O'Brien", "O’BRIEN"),
        ("O'Brien", "Oʼbrien"),
        ("García", "Garcia"),
        ("GARCÍA", "garci\u0301a"),
        ("Núñez", "NUNEZ"),
        ("Müller", "Muller"),
        ("Łukasz", "lukasz"),
        ("Søren", "soren"),
        ("Straße", "STRASSE"),
        ("Şahin", "sahin"),
        ("İpek", "ipek"),
        ("St. John", "St John"),
        ("García-Ruiz", "Garcia Ruiz"),
        ("García–Ruiz", "  garcia\tRUIZ "),
        ("Gar\u00adcia", "Garcia"),
        ("\u200fGarcia\u200e", "Garcia"),
        ("Ｇａｒｃｉａ", "Garcia"),
        ("Nguyễn", "nguyen"),
        ("Gal·la", "Galla"),
    ],
)
def test_two_spellings_of_one_name_are_one(written: str, also_written: str) -> None:
    assert words(written) == words(also_written) != ()


@pytest.mark.parametrize("nothing", [None, "", "   ", "-", "😀", "👨‍👩‍👧", "?!", "\ud800", "\u0301"])
def test_text_without_a_letter_has_no_words(nothing: str | None) -> None:
    assert words(nothing) == ()


def test_letters_of_other_scripts_are_kept() -> None:
    assert words("محمد علي") == ("محمد", "علي")
    assert words("王小明") == ("王小明",)
    assert words("Ольга") == ("ольга",)


@pytest.mark.parametrize(
    ("surname", "values"),
    [
        ("Garcia", ("garcia",)),
        ("García-Ruiz", ("garciaruiz", "garcia", "ruiz")),
        ("Garcia Lopez Ruiz", ("garcialopezruiz", "garcia", "ruiz")),
        ("de la Cruz", ("delacruz", "cruz")),
        ("De La Cruz-Ortega", ("delacruzortega", "cruz", "ortega")),
        ("van der Berg", ("vanderberg", "berg")),
        ("Mc Donald", ("mcdonald", "donald")),
        ("McDonald", ("mcdonald",)),
        ("O Brien", ("obrien", "brien")),
        ("Ortega y Gasset", ("ortegaygasset", "ortega", "gasset")),
        ("Van", ("van",)),
        ("Van Le", ("vanle", "van", "le")),
        ("Smith Jr.", ("smith",)),
        ("Smith III", ("smith",)),
        ("Ii", ("ii",)),
        ("Unknown Garcia", ("garcia",)),
        ("LNU Garcia", ("garcia",)),
        ("X. Garcia", ("garcia",)),
        ("Boy", ("boy",)),
        ("Varón Ruiz", ("varonruiz", "varon", "ruiz")),
        ("Xu", ("xu",)),
    ],
)
def test_surname_is_found_by_its_joined_form_and_its_parts(surname: str, values: tuple[str, ...]) -> None:
    assert surname_values(surname, NAMES) == values


@pytest.mark.parametrize("shorter", ["Garcia", "Ruiz", "GARCIA RUIZ", "García-Ruiz"])
def test_double_surname_shares_a_value_with_each_of_its_short_forms(shorter: str) -> None:
    assert set(surname_values("García Ruiz", NAMES)) & set(surname_values(shorter, NAMES))


@pytest.mark.parametrize(
    ("written", "parts"),
    [("María José", ("maria", "jose")), ("Ana-Lucía", ("ana", "lucia")), ("D'Andre", ("dandre",)), ("J.", ("j",)),
     ("Boyd", ("boyd",)), ("María del Carmen", ("maria", "carmen")), ("José L.", ("jose", "l")),
     ("De Andre", ("de", "andre")), ("José NMN", ("jose",)), ("Ana N/A", ("ana",)),
     ("Ana (no middle name)", ("ana",)), ("Ana Sofía N.", ("ana", "sofia", "n")), ("Maria Unknown", ("maria",)),
     ("Luis III", ("luis",)), ("Nina", ("nina",)), ("Nino", ("nino",)),
     ("Bebeto", ("bebeto",)), ("Norma", ("norma",)), ("Nolan First", ("nolan", "first"))],
)  # fmt: skip
def test_a_given_name_is_its_parts_without_particles_and_words_for_none(written: str, parts: tuple[str, ...]) -> None:
    assert given_names(written, NAMES) == parts


@pytest.mark.parametrize(
    "placeholder",
    ["Unknown", "UNK", "unk.", "Baby", "Babyboy", "Baby Girl", "baby girl Garcia", "Infant", "TEST", "xxx", "XX", "000",
     "12345", "N/A", "No Name", "Sin nombre", "Doe", "Twin A", "Male", "Unborn", "FNU", "F.N.U.", "LNU", "NFN", "RN",
     "R.N.", "BB", "X", "No First Name", "No First Name given", "no given name", "Bebé", "BEBE", "Bebé Niña", "Niño",
     "NIÑA", "nin\u0303a", "Hijo", "Hija de María", "Recién Nacido", "RECIEN NACIDA 2", "Baby Boy 2", "Boy2", "Girl 1",
     "2 Boy", "Refused", "Pending", "Varón", "Gemela B", "FNU LNU", "FNU/LNU", "BB2 Garcia", "Son of Ana"],
)  # fmt: skip
def test_placeholder_is_no_given_name(placeholder: str) -> None:
    assert given_names(placeholder, NAMES) == ()


@pytest.mark.parametrize(
    "placeholder",
    ["Unknown", "Doe", "DOE, UNKNOWN", "xxx", "999", "Test", "N/A", "Desconocido", "Doe Jr.", "un known", "LNU", "FNU",
     "NLN", "No Last Name", "No Last Name given", "Refused", "Pending", "X", "Sin apellidos", "Doe2"],
)  # fmt: skip
def test_placeholder_is_no_surname(placeholder: str) -> None:
    assert surname_values(placeholder, NAMES) == ()


@pytest.mark.parametrize(
    "text",
    [None, "", "unknown", "2010", "20101301", "20100230", "20230229", "00000000", "19000101", "18991231", "21000101",
     "2010-04-08", "04082010x", "２０１００４０８", "٢٠١٠٠٤٠٨", "201004080", "99999999"],
)  # fmt: skip
def test_what_is_no_believable_day_is_no_birth_date(text: str | None) -> None:
    assert birth_date(text, DATES) is None


@pytest.mark.parametrize("text", ["20100408", " 20100408 ", "20240229", "20100101"])
def test_a_day_of_the_calendar_is_kept_as_typed(text: str) -> None:
    assert birth_date(text, DATES) == text.strip()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("20100408", ("2010", "201004", "201008", "0408")),
        ("20101340", ("2010", None, None, None)),
        ("20101304", ("2010", None, "201004", None)),
        ("20100439", ("2010", "201004", None, None)),
        ("20100230", ("2010", "201002", "201030", "0230")),
        ("99990408", (None, None, None, "0408")),
        ("19000101", (None, None, None, None)),
        ("unknown", (None, None, None, None)),
        (None, (None, None, None, None)),
    ],
)
def test_of_a_date_that_is_none_the_readable_parts_are_kept(
    text: str | None, parts: tuple[str | None, str | None, str | None, str | None]
) -> None:
    read = date_parts(text, DATES)
    assert (read.year, read.year_month, read.year_day, read.month_day) == parts


@pytest.mark.parametrize(
    ("written", "read"),
    [("94110", "94110"), (" 94110-1234", "94110"), ("2601", "2601"), ("00000", None), ("941", None), ("", None),
     (None, None), ("９４１１０", None), ("unknown", None)],
)  # fmt: skip
def test_a_postcode_is_its_leading_digits(written: str | None, read: str | None) -> None:
    assert postcode(written, NUMBERS) == read


@pytest.mark.parametrize(
    ("written", "read"), [("12", "12"), ("012-B", "12"), ("12 1/2", "12"), ("0", None), ("B", None), (None, None)]
)
def test_a_house_number_is_its_leading_digits(written: str | None, read: str | None) -> None:
    assert house_number(written) == read


@pytest.mark.parametrize(
    ("written", "read"),
    [("123-45-6780", "6780"), ("6780", "6780"), ("5304218", "4218"), ("xxx-xx-6780", "6780"), ("0000", None),
     ("000-00-0000", None), ("999999999", None), ("111-11-1111", None), ("123456789", None), ("1111", "1111"),
     ("678", None), ("", None), (None, None)],
)  # fmt: skip
def test_of_an_id_the_last_four_digits_are_kept_unless_nobody_has_it(written: str | None, read: str | None) -> None:
    assert last_four(written, NUMBERS) == read


@given(ANY_TEXT)
@settings(deadline=None, derandomize=True)
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@given(ANY_TEXT)
@settings(deadline=None, derandomize=True)
def test_upper_and_lower_case_are_one_name(text: str) -> None:
    assert words(text.upper()) == words(text.upper().lower())


PIECE = ANY_TEXT | st.sampled_from(["Unknown", "un", "known", "Doe", "Jr", "de la", "x", "xx", "n", "a", "0"])


@given(PIECE, PIECE)
@settings(deadline=None, derandomize=True, max_examples=400)
def test_surname_forms_are_distinct_and_never_placeholders(left: str, right: str) -> None:
    values = surname_values(f"{left} {right}", NAMES)
    assert len(set(values)) == len(values) <= 3
    assert not set(values) & NAMES.placeholders
    assert all(value and value.isalnum() for value in values)
