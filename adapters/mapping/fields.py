"""One cell to one value.

Decides what a cell means by its column's mapping: a day, a moment, a code, a county. Three results: the value, None for
an empty cell, or `NotReadable`. Cells are untrusted and of any content; nothing else is raised. Does not decide what
happens to the row (`readers`).
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Final, TypeVar

from adapters.county_names import is_county
from adapters.mapping.config import CountyCodes, CountyColumn, DateColumn, Equals, TimestampColumn
from adapters.records import CountyFips, OutOfState, PlacementCounty
from adapters.sources.freshness import moment
from adapters.sources.port import Cell, Row

V = TypeVar("V")

FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
CALIFORNIA: Final = "06"
COUNTIES: Final = 58
OUT_OF_STATE_ORDER: Final = 60
"""CALS writes 60 where the placement is in another state (DOMAIN §2.2)."""
_ORDER: Final = re.compile(r"[0-9]{1,2}")
_SHORT_FIPS: Final = re.compile(r"[0-9]{3}")
_FIPS: Final = re.compile(r"[0-9]{5}")
_PHONE_NOISE: Final = re.compile(r"[\s().-]")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_US_PHONE: Final = re.compile(r"1?([2-9][0-9]{9})")


class NotReadable(Exception):
    """The cell holds something its mapping cannot read. Carries no text of the cell."""


def text_of(cell: Cell) -> str:
    """The cell as text without surrounding blanks."""
    return cell.isoformat() if isinstance(cell, date) else cell.strip()


def is_true(row: Row, condition: Equals) -> bool:
    """The condition's column holds its value."""
    return text_of(row.cells[condition.column]) == condition.equals


def day(cell: Cell, column: DateColumn) -> date | None:
    """The day, None if empty. Raises `NotReadable` for text of another form and years outside 1900-2199."""
    if isinstance(cell, datetime):
        found = cell.date()
    elif isinstance(cell, date):
        found = cell
    elif not cell.strip():
        return None
    else:
        try:
            found = datetime.strptime(cell.strip(), column.format).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            raise NotReadable from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise NotReadable
    return found


def instant(cell: Cell, column: TimestampColumn) -> datetime | None:
    """The moment in UTC, None if empty. Raises `NotReadable`."""
    if isinstance(cell, str) and not cell.strip():
        return None
    found = moment(cell, format=column.format, zone=column.tzinfo)
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise NotReadable
    return found.astimezone(UTC)


def coded(cell: Cell, values: Mapping[str, V]) -> V | None:
    """The value the map gives for the code, None if the cell is empty and not mapped. Raises `NotReadable`."""
    code = text_of(cell)
    if code in values:
        return values[code]
    if not code:
        return None
    raise NotReadable


def county(cell: Cell, column: CountyColumn) -> PlacementCounty | None:
    """The county, None if empty. Raises `NotReadable` for a code that no county has."""
    code = text_of(cell)
    if code in column.map:
        mapped = column.map[code]
        return OutOfState.OUT_OF_STATE if mapped == "out_of_state" else CountyFips(mapped)
    if not code:
        return None
    return _by_state_order(code) if column.codes is CountyCodes.STATE_ORDER else _by_fips(code)


def _by_state_order(code: str) -> PlacementCounty:
    number = int(code) if _ORDER.fullmatch(code) else 0
    if number == OUT_OF_STATE_ORDER:
        return OutOfState.OUT_OF_STATE
    if not 1 <= number <= COUNTIES:
        raise NotReadable
    return CountyFips(f"{CALIFORNIA}{2 * number - 1:03}")


def _by_fips(code: str) -> PlacementCounty:
    if _SHORT_FIPS.fullmatch(code):
        code = CALIFORNIA + code
    if not _FIPS.fullmatch(code):
        raise NotReadable
    if not code.startswith(CALIFORNIA):
        return OutOfState.OUT_OF_STATE
    if not is_county(code):
        raise NotReadable
    return CountyFips(code)


def phone(cell: Cell) -> str | None:
    """The telephone number in E.164, None if empty. Raises `NotReadable`. Ten digits are of North America."""
    digits = _PHONE_NOISE.sub("", text_of(cell))
    if not digits:
        return None
    if _E164.fullmatch(digits):
        return digits
    found = _US_PHONE.fullmatch(digits)
    if found is None:
        raise NotReadable
    return f"+1{found[1]}"


def last_four(cell: Cell) -> str | None:
    """Last four digits of a Social Security number, None if empty. Raises `NotReadable`."""
    digits = re.sub(r"[-\s]", "", text_of(cell))
    if not digits:
        return None
    if not re.fullmatch(r"[0-9]{4}|[0-9]{9}", digits):
        raise NotReadable
    return digits[-4:]


def postcode(cell: Cell) -> str | None:
    """Five-digit postal code, None if empty. Raises `NotReadable`."""
    code = text_of(cell)
    if not code:
        return None
    if not re.fullmatch(r"[0-9]{5}(-?[0-9]{4})?", code):
        raise NotReadable
    return code[:5]


def house_number(cell: Cell) -> str | None:
    """The number of the house, None if empty. Raises `NotReadable` for more than a number and a letter."""
    number = text_of(cell)
    if not number:
        return None
    if not re.fullmatch(r"[0-9]{1,6}[A-Za-z]?", number):
        raise NotReadable
    return number.upper()
