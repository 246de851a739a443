"""Splink on clear text: probabilistic linkage that learns without labels, the strongest open method we know.

u by random sampling, m by expectation maximization under two blocking rules. Names by Jaro-Winkler with term
frequencies, the birth date by edit distance and by day and month changed places, numbers exactly and by one edit.
"""

import logging

import duckdb
import pandas
import splink.comparison_level_library as levels
import splink.comparison_library as comparisons
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

from tests.bench.linkage.anchors import Scored, cleaned
from tests.bench.linkage.dataset import Dataset, Record

_SWAPPED = (
    "substr(date_of_birth_l, 1, 4) = substr(date_of_birth_r, 1, 4)"
    " and substr(date_of_birth_l, 5, 2) = substr(date_of_birth_r, 7, 2)"
    " and substr(date_of_birth_l, 7, 2) = substr(date_of_birth_r, 5, 2)"
)
_BLOCKS = (
    ("given_name", "surname"),
    ("given_name", "date_of_birth"),
    ("surname", "date_of_birth"),
    ("date_of_birth", "initials"),
    ("given_name", "year", "surname_start"),
    ("surname", "year", "given_start"),
    ("given_start", "surname_start", "year"),
    ("given_start", "surname_start", "month_day"),
    ("given_name", "postcode"),
    ("surname", "postcode", "year"),
    ("date_of_birth", "postcode"),
    ("soc_sec_id",),
    ("street_number", "suburb", "year"),
    ("street_number", "address_1"),
    ("surname", "suburb", "year"),
    ("given_name", "suburb"),
    ("street_number", "postcode"),
    ("address_1", "postcode"),
    ("suburb", "address_1"),
)


def splink_pairs(task: Dataset) -> Scored:
    """Pairs any blocking rule brings together, with Splink's match weight (log2 of the odds)."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    known = {*task.fields, "initials", "year", "month_day", "given_start", "surname_start"}
    blocks = [block for block in _BLOCKS if known.issuperset(block)]
    settings = SettingsCreator(
        link_type="dedupe_only" if task.is_one_list else "link_only",
        comparisons=[_comparison(name) for name in task.fields if name != "state"],
        blocking_rules_to_generate_predictions=[block_on(*block) for block in blocks],
    )
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    api = DuckDBAPI(connection=connection)
    frames = [_frame(task.left)] if task.is_one_list else [_frame(task.left), _frame(task.right)]
    tables = [api.register(frame, dataset_display_name=name) for frame, name in zip(frames, "lr", strict=False)]
    linker = Linker(tables[0] if task.is_one_list else tables, settings, log_level=logging.ERROR)
    linker.training.estimate_probability_two_random_records_match(
        [block_on("given_name", "surname", "date_of_birth")], recall=0.5
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    for block in (("given_name", "surname"), ("date_of_birth",)):
        linker.training.estimate_parameters_using_expectation_maximisation(
            block_on(*block), record_sample_proportion=1.0
        )
    found = linker.inference.predict(threshold_match_weight=-12).as_pandas_dataframe()
    pairs = [_ordered(one, other, task) for one, other in zip(found.unique_id_l, found.unique_id_r, strict=True)]
    return tuple(pairs), found.match_weight.to_numpy(dtype=float)


def _ordered(one: str, other: str, task: Dataset) -> tuple[str, str]:
    if task.is_one_list:
        return (one, other) if one < other else (other, one)
    return (one, other) if one in task.left else (other, one)


def _frame(records: dict[str, Record]) -> pandas.DataFrame:
    rows = [{"unique_id": key, **{name: cleaned(record.get(name)) or None for name in record}}
            for key, record in records.items()]  # fmt: skip
    frame = pandas.DataFrame(rows).astype(object)
    given, surname, born = frame["given_name"].str, frame["surname"].str, frame["date_of_birth"].str
    frame["given_start"], frame["surname_start"] = given[:3], surname[:3]
    frame["initials"] = given[:1] + surname[:1]
    frame["year"], frame["month_day"] = born[:4], born[4:]
    return frame.where(frame.notna(), None)


def _comparison(name: str) -> comparisons.CustomComparison:
    match name:
        case "given_name" | "surname":
            other = "surname" if name == "given_name" else "given_name"
            swapped = f"{name}_l = {other}_r and {other}_l = {name}_r"
            steps = [
                levels.CustomLevel(swapped, "names changed places"),
                *(levels.JaroWinklerLevel(name, threshold) for threshold in (0.92, 0.85, 0.75)),
            ]
        case "date_of_birth":
            steps = [levels.CustomLevel(_SWAPPED, "day and month changed places"),
                     levels.DamerauLevenshteinLevel(name, 1), levels.DamerauLevenshteinLevel(name, 2)]  # fmt: skip
        case "address_1" | "suburb":
            steps = [levels.JaroWinklerLevel(name, 0.9), levels.JaroWinklerLevel(name, 0.8)]
        case _:
            steps = [levels.DamerauLevenshteinLevel(name, 1)]
    exact = levels.ExactMatchLevel(name)
    if name != "date_of_birth":
        exact = exact.configure(tf_adjustment_column=name)
    return comparisons.CustomComparison(
        [levels.NullLevel(name), exact, *steps, levels.ElseLevel()], output_column_name=name
    )
