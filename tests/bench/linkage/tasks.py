"""What is measured: which lists, which fields, which methods."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME, SCHEME
from tests.bench.linkage.dataset import (
    ALL_FIELDS,
    NAME_AND_BIRTH,
    WITH_NUMBER,
    WITHOUT_NUMBER,
    Dataset,
    Link,
)
from tests.bench.linkage.errors import Rates
from tests.bench.linkage.febrl import febrl
from tests.bench.linkage.youths import make_lists

FIELD_NAMES: Mapping[tuple[str, ...], str] = {
    ALL_FIELDS: "all fields",
    WITHOUT_NUMBER: "all but the id",
    WITH_NUMBER: "name, birth date, last four of the id",
    NAME_AND_BIRTH: "name, birth date",
}
REPORTING_SEEDS = {2: ("youths", Rates()), 3: ("youths, errors doubled", Rates().doubled())}
LIST_SIZE, SHARED = 20_000, 4_000
_ESTIMATED = "date_of_birth_estimated"
_YOUTH_FIELDS = (*NAME_AND_BIRTH, "postcode", "street_number")


@dataclass(frozen=True, slots=True)
class Task:
    """One row group of the report. `schemes` maps a label to scheme and weight file."""

    dataset: Dataset
    fields: str
    standing: str
    """What the lists were used for."""
    schemes: Mapping[str, tuple[str, str]]
    anchor_fields: tuple[str, ...]
    faults: Mapping[Link, frozenset[str]] = field(default_factory=dict, repr=False)
    twins: frozenset[Link] = field(default=frozenset(), repr=False)
    """Pairs of two twins of one first name."""


def febrl_tasks() -> Iterator[Task]:
    """FEBRL 1 to 4 with all fields, FEBRL 4 with each set of fields."""
    standings = {1: "fitted on", 2: "validation", 3: "fitted on", 4: "not fitted on"}
    schemes = {"tokens": (SCHEME, "febrl-3"), "tokens, extended": (EXTENDED_SCHEME, "febrl-3-extended")}
    for number, standing in standings.items():
        whole = febrl(number)
        for fields in FIELD_NAMES if number == 4 else (ALL_FIELDS,):
            used = schemes if len(fields) > len(WITH_NUMBER) else {"tokens": schemes["tokens"]}
            yield Task(whole.with_fields(fields), FIELD_NAMES[fields], standing, used, fields)


def youth_tasks() -> Iterator[Task]:
    """The reporting seeds, with and without the last four digits of a number."""
    for seed, (name, rates) in REPORTING_SEEDS.items():
        lists = make_lists(seed, size=LIST_SIZE, shared=SHARED, rates=rates, name=name)
        for label, fields in (("SSN4, ZIP", (*_YOUTH_FIELDS, "soc_sec_id")), ("ZIP", _YOUTH_FIELDS)):
            # No street for the anchors: they would take brothers and sisters for one youth.
            anchors = tuple(name for name in fields if name != "street_number")
            yield Task(
                lists.task.with_fields((*fields, _ESTIMATED)),
                f"name, birth date, {label}",
                f"not fitted on (seed {seed})",
                {"tokens": (SCHEME, SCHEME)},
                anchors,
                lists.faults,
                lists.twins,
            )
