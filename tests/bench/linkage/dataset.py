"""Records and true links of one linkage task."""

from collections.abc import Mapping
from dataclasses import dataclass

Record = Mapping[str, str | None]
"""Fields as `adapters.identity.match_keys` takes them, and `date_of_birth_estimated` ("1") where a source marks it."""
Link = tuple[str, str]

ALL_FIELDS = (
    "given_name",
    "surname",
    "date_of_birth",
    "street_number",
    "address_1",
    "suburb",
    "postcode",
    "state",
    "soc_sec_id",
)
NAME_AND_BIRTH = ("given_name", "surname", "date_of_birth")
WITH_NUMBER = (*NAME_AND_BIRTH, "soc_sec_id")
WITHOUT_NUMBER = tuple(name for name in ALL_FIELDS if name != "soc_sec_id")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Two lists to link, or one to find duplicates in; then `right` is `left` and a link has its ids in order."""

    name: str
    left: Mapping[str, Record]
    right: Mapping[str, Record]
    links: frozenset[Link]
    fields: tuple[str, ...] = ALL_FIELDS
    """Fields the methods may look at."""

    @property
    def is_one_list(self) -> bool:
        """Whether duplicates within one list are looked for."""
        return self.left is self.right

    def with_fields(self, fields: tuple[str, ...]) -> "Dataset":
        """The same task when only these fields are known."""
        left = _only(self.left, fields)
        right = left if self.is_one_list else _only(self.right, fields)
        return Dataset(self.name, left, right, self.links, fields)


def _only(records: Mapping[str, Record], fields: tuple[str, ...]) -> dict[str, Record]:
    return {key: {name: record.get(name) for name in fields} for key, record in records.items()}
