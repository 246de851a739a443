"""One builder a match key: from a youth to the values of the key, the likeliest first (TOKENS §5).

Decides which parts make each key and in which order surplus values are dropped. A builder yields nothing where a part
it needs is not known. A new key is a row in `gateway/protocol/matching/keys-*.toml` and a builder here or in
`builders_extended`. Does not pad (`tokenize`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from adapters.identity.names import interleaved
from adapters.identity.youth import Youth

Builder = Callable[[Youth], Iterator[bytes]]
_GIVEN_LETTERS = 11
_SHORTEST_DELETED = 3
"""Below this length a name without one letter says next to nothing: "Jo" and "Bo" are not one name misspelled."""


def encode(*parts: str) -> bytes:
    """Return the parts as one value, each length-prefixed, so that no two lists of parts are one value."""
    return b"".join(prefixed(part.encode()) for part in parts)


def prefixed(part: bytes) -> bytes:
    """Return the part with its length in two bytes before it."""
    return len(part).to_bytes(2, "big") + part


def one_deletion(word: str, *, letters: int) -> Iterator[str]:
    """Yield the word without each one of its first letters: two words share one if a single typing error parts them."""
    if len(word) >= _SHORTEST_DELETED:
        yield from (word[:place] + word[place + 1 :] for place in range(min(len(word), letters)))


def _name_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for given, surname in youth.pairs:
            yield encode(given, surname, youth.birth_date)


def _skeleton_anyorder_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for sounds in youth.sounds:
            yield encode(*sorted(sounds), youth.birth_date)


def _nick_skeleton_dob_swap(youth: Youth) -> Iterator[bytes]:
    day = swapped(youth.birth_date)
    if day is not None:
        for sounds in youth.nick_sounds:
            yield encode(*sounds, day)


def _surname_edit1_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        # Whole forms first, so that equal surnames always share one; then every part in turn, letter by letter.
        deleted = [tuple(one_deletion(surname, letters=len(surname))) for surname in _parts(youth)]
        for value in (*youth.surnames, *interleaved(deleted)):
            yield encode(value, youth.birth_date)


def _given_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for given in youth.givens:
            yield encode(given, youth.birth_date)


def _given_edit1_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        deleted = [tuple(one_deletion(given, letters=_GIVEN_LETTERS)) for given in youth.givens]
        for value in (*youth.givens, *youth.later, *interleaved(deleted)):
            yield encode(value, youth.birth_date)


def _given_nick_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for nick in youth.all_nicks:
            yield encode(nick, youth.birth_date)


def _initial_surname_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for given, surname in youth.sounds:
            yield encode(given[0], surname, youth.birth_date)


def _skeleton_year_month(youth: Youth) -> Iterator[bytes]:
    if youth.parts.year_month is not None:
        for sounds in youth.sounds:
            yield encode(*sounds, youth.parts.year_month)


def _skeleton_year_day(youth: Youth) -> Iterator[bytes]:
    if youth.parts.year_day is not None and youth.exact:
        for sounds in youth.sounds:
            yield encode(*sounds, youth.parts.year_day)


def _skeleton_month_day(youth: Youth) -> Iterator[bytes]:
    if youth.parts.month_day is not None and youth.exact:
        for sounds in youth.sounds:
            yield encode(*sounds, youth.parts.month_day)


def _name_year(youth: Youth) -> Iterator[bytes]:
    # A common name takes the whole date: the key is carried all the same, so that no absence tells who bears one.
    year = youth.parts.year
    if year is not None:
        for pair in youth.pairs:
            yield encode(*pair, (youth.birth_date or "") if pair in youth.common else year)


def _further_given_dob(youth: Youth) -> Iterator[bytes]:
    day = swapped(youth.birth_date)
    if day is not None:
        for sound in youth.further_sounds:
            yield encode(sound, day)


def _further_initial_dob(youth: Youth) -> Iterator[bytes]:
    # With the first part: an initial and a birth date alone are borne by too many.
    day = swapped(youth.birth_date)
    if day is not None:
        for sound, initial in youth.initials:
            yield encode(sound, initial, day)


def _ssn4_dob(youth: Youth) -> Iterator[bytes]:
    day = swapped(youth.birth_date)
    if day is not None and youth.last_four is not None:
        yield encode(youth.last_four, day)


def _ssn4_surname(youth: Youth) -> Iterator[bytes]:
    if youth.last_four is not None:
        for sound in youth.surname_sounds:
            yield encode(youth.last_four, sound)


def _ssn4_given(youth: Youth) -> Iterator[bytes]:
    if youth.last_four is not None:
        for nick in youth.all_nicks:
            yield encode(youth.last_four, nick)


def _zip_dob(youth: Youth) -> Iterator[bytes]:
    if youth.birth_date is not None and youth.address.postcode is not None:
        yield encode(youth.address.postcode, youth.birth_date)


def _house_given(youth: Youth) -> Iterator[bytes]:
    if youth.address.postcode is not None and youth.address.house is not None:
        for nick in youth.all_nicks:
            yield encode(youth.address.postcode, youth.address.house, nick)


def _zip_skeleton(youth: Youth) -> Iterator[bytes]:
    if youth.address.postcode is not None:
        for sounds in youth.sounds:
            yield encode(youth.address.postcode, *sounds)


def _zip_ssn4(youth: Youth) -> Iterator[bytes]:
    if youth.address.postcode is not None and youth.last_four is not None:
        yield encode(youth.address.postcode, youth.last_four)


def swapped(day: str | None) -> str | None:
    """Return the date with the smaller of month and day first, so that both orders of writing are one."""
    return None if day is None else day[:4] + "".join(sorted((day[4:6], day[6:])))


def _parts(youth: Youth) -> tuple[str, ...]:
    """The surnames one letter is deleted from: the parts of a double surname, or the whole of a single one."""
    forms = (name.surnames[1:] or name.surnames for name in youth.names)
    return tuple(dict.fromkeys(part for parts in forms for part in parts))


BUILDERS: Mapping[str, Builder] = {
    "name_dob": _name_dob,
    "skeleton_anyorder_dob": _skeleton_anyorder_dob,
    "nick_skeleton_dob_swap": _nick_skeleton_dob_swap,
    "surname_edit1_dob": _surname_edit1_dob,
    "given_dob": _given_dob,
    "given_edit1_dob": _given_edit1_dob,
    "given_nick_dob": _given_nick_dob,
    "initial_surname_dob": _initial_surname_dob,
    "skeleton_year_month": _skeleton_year_month,
    "skeleton_year_day": _skeleton_year_day,
    "skeleton_month_day": _skeleton_month_day,
    "name_year": _name_year,
    "further_given_dob": _further_given_dob,
    "further_initial_dob": _further_initial_dob,
    "ssn4_dob": _ssn4_dob,
    "ssn4_surname": _ssn4_surname,
    "ssn4_given": _ssn4_given,
    "zip_dob": _zip_dob,
    "house_given": _house_given,
    "zip_skeleton": _zip_skeleton,
    "zip_ssn4": _zip_ssn4,
}
