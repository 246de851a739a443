"""Counties by their FIPS codes: which codes are of a county, and California's names for papers that people read.

Of other states the state alone is known here: a youth may be found in any county of it.
"""

import re
from typing import Final

_NAMES: Final = (
    "Alameda", "Alpine", "Amador", "Butte", "Calaveras", "Colusa", "Contra Costa", "Del Norte", "El Dorado", "Fresno",
    "Glenn", "Humboldt", "Imperial", "Inyo", "Kern", "Kings", "Lake", "Lassen", "Los Angeles", "Madera", "Marin",
    "Mariposa", "Mendocino", "Merced", "Modoc", "Mono", "Monterey", "Napa", "Nevada", "Orange", "Placer", "Plumas",
    "Riverside", "Sacramento", "San Benito", "San Bernardino", "San Diego", "San Francisco", "San Joaquin",
    "San Luis Obispo", "San Mateo", "Santa Barbara", "Santa Clara", "Santa Cruz", "Shasta", "Sierra", "Siskiyou",
    "Solano", "Sonoma", "Stanislaus", "Sutter", "Tehama", "Trinity", "Tulare", "Tuolumne", "Ventura", "Yolo", "Yuba",
)  # fmt: skip
COUNTIES: Final = {f"06{2 * place + 1:03}": name for place, name in enumerate(_NAMES)}
"""FIPS codes count the counties in alphabetical order in steps of two."""

_CODE: Final = re.compile(r"[0-9]{5}")
_CALIFORNIA: Final = "06"
_NEVER_ASSIGNED: Final = frozenset({3, 7, 14, 43, 52})
_TERRITORIES: Final = frozenset({60, 66, 69, 72, 78})
_STATES: Final = frozenset(f"{number:02}" for number in {*range(1, 57)} - _NEVER_ASSIGNED | _TERRITORIES)
"""FIPS 5-2: the states, the District of Columbia, and the territories that have counties or what counts as one."""
_WHOLE_STATE: Final = "000"


def is_county(code: str) -> bool:
    """Whether this is the FIPS code of a county of California, or can be one of another state."""
    if _CODE.fullmatch(code) is None or code[2:] == _WHOLE_STATE:
        return False
    return code in COUNTIES if code.startswith(_CALIFORNIA) else code[:2] in _STATES


def agency_text(agency: str) -> str:
    """The agency with its county's name, where that is known: `06029.cwa (Kern County)`."""
    name = COUNTIES.get(agency[:5], "")
    return f"{agency} ({name} County)" if name else agency
