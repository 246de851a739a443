"""California's counties by their FIPS codes: for papers that people read who know no codes."""

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


def agency_text(agency: str) -> str:
    """The agency with its county's name, where that is known: `06029.cwa (Kern County)`."""
    name = COUNTIES.get(agency[:5], "")
    return f"{agency} ({name} County)" if name else agency
