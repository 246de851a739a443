"""Fit the weights that are committed. What each is fitted on stands here and nowhere else.

    python -m tests.bench.linkage.tune

    weights-2.toml, weights-2-extended.toml          youths of seeds 1 (rates as assumed) and 101 (doubled)
    weights-febrl-2.toml, weights-febrl-2-extended   FEBRL 1 and FEBRL 3

Each sample is fitted with several sets of fields, because the records of one county lack what those of another have.
FEBRL 4 and the reporting seeds are in none of them.
"""

import tomllib
from pathlib import Path

from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME, SCHEME
from tests.bench.linkage.agreement import Agreement
from tests.bench.linkage.dataset import ALL_FIELDS, NAME_AND_BIRTH, WITH_NUMBER, WITHOUT_NUMBER, Dataset
from tests.bench.linkage.errors import Rates
from tests.bench.linkage.febrl import febrl
from tests.bench.linkage.fit import Fitted, fit
from tests.bench.linkage.tokens import agree_under
from tests.bench.linkage.youths import make_lists

TUNING_SEEDS = {1: Rates(), 101: Rates().doubled()}
LIST_SIZE, SHARED = 20_000, 4_000
_DIRECTORY = Path(__file__).parents[3] / "gateway" / "protocol" / "matching"
_PENALTY_YOUTHS, _PENALTY_FEBRL = 1.0, 0.1
_FIELD_SETS = (ALL_FIELDS, WITHOUT_NUMBER, WITH_NUMBER, NAME_AND_BIRTH)
_EXTENDED_FIELD_SETS = (ALL_FIELDS, WITHOUT_NUMBER)


def main() -> None:
    """Write the four files."""
    for scheme in (SCHEME, EXTENDED_SCHEME):
        youths = [make_lists(seed, size=LIST_SIZE, shared=SHARED, rates=rates, name=str(seed)).task
                  for seed, rates in TUNING_SEEDS.items()]  # fmt: skip
        fitted = fit(_samples(scheme, youths), penalty=_PENALTY_YOUTHS)
        _write(
            f"weights-{scheme}.toml", fitted, scheme, "invented youths, seeds 1 and 101 (tests/bench/linkage)", 50_000
        )
        fitted = fit(_samples(scheme, [febrl(1), febrl(3)]), penalty=_PENALTY_FEBRL)
        _write(
            f"weights-febrl-{scheme}.toml", fitted, scheme, "FEBRL 1 and 3. Not for children: FEBRL has no siblings", 1
        )


def _samples(scheme: str, tasks: list[Dataset]) -> list[Agreement]:
    sets = _EXTENDED_FIELD_SETS if scheme == EXTENDED_SCHEME else _FIELD_SETS
    return [agree_under(scheme, task.with_fields(_kept(task, fields))) for task in tasks for fields in sets]


def _kept(task: Dataset, fields: tuple[str, ...]) -> tuple[str, ...]:
    estimated = "date_of_birth_estimated"
    return (*fields, estimated) if estimated in next(iter(task.left.values())) else fields


def _write(name: str, fitted: Fitted, scheme: str, sample: str, smallest_index: int) -> None:
    text = (_DIRECTORY / "weights-2.toml").read_text(encoding="utf-8")
    head = text[: text.index("[overlap]")]
    shipped = tomllib.loads(head)
    for field, value in (("bias", fitted.bias), ("smallest_index", smallest_index), ("scheme", f'"{scheme}"')):
        old = f'"{shipped[field]}"' if field == "scheme" else shipped[field]
        head = head.replace(f"{field} = {old}", f"{field} = {value}")
    lines = [line for line in head.splitlines() if not line.startswith("# Fitted on")]
    lines.insert(2, f"# Fitted on {sample}.")
    tables = text[text.index("[overlap]") : text.index("[agree]")].rstrip()
    agree = "\n".join(f"{key} = {bits}" for key, bits in fitted.agree.items())
    disagree = "\n".join(f"{key} = {bits + 0.0}" for key, bits in fitted.disagree.items())
    note = "# Counts only where both records carry the key and share no value of it."
    body = f"{tables}\n\n[agree]\n{agree}\n\n{note}\n[disagree]\n{disagree}\n"
    (_DIRECTORY / name).write_text("\n".join(lines) + "\n\n" + body, encoding="utf-8")


if __name__ == "__main__":
    main()
