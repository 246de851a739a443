"""Fit the weights that are committed. What each is fitted on stands here and nowhere else.

    python -m tests.bench.linkage.tune

    weights-3.toml                                   youths of seeds 1 (rates as assumed) and 101 (doubled)
    weights-febrl-3.toml                             FEBRL 1 and FEBRL 3, copies looked for among originals
    weights-febrl-3-extended.toml                    the same and all pairs of both lists, because so many keys want
                                                     more of them; the bias on the copies, which is what is asked

Each sample is fitted with several sets of fields, because the records of one county lack what those of another have.
FEBRL 4 and the reporting seeds are in none of them. The extended scheme has no weights for youths yet: an exchange
that chooses it fits its own on pairs its counties have judged.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path

from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME, SCHEME
from tests.bench.linkage.agreement import Agreement
from tests.bench.linkage.dataset import Dataset
from tests.bench.linkage.errors import Rates
from tests.bench.linkage.febrl import febrl, febrl_1_and_3
from tests.bench.linkage.fit import Fitted, fit
from tests.bench.linkage.tokens import agree_under
from tests.bench.linkage.youths import make_lists

TUNING_SEEDS = {1: Rates(), 101: Rates().doubled()}
LIST_SIZE, SHARED = 20_000, 4_000
_DIRECTORY = Path(__file__).parents[3] / "gateway" / "protocol" / "matching"
_PENALTY_YOUTHS, _PENALTY_FEBRL, _PENALTY_EXTENDED = 1.0, 0.3, 1.0
_ADDRESS = frozenset({"zip", "house", "street", "suburb"})


def main() -> None:
    """Write the three files."""
    samples: list[Agreement] = []
    for seed, rates in TUNING_SEEDS.items():
        lists = make_lists(seed, size=LIST_SIZE, shared=SHARED, rates=rates, name=str(seed))
        samples += _samples(SCHEME, lists.task)
    fitted = fit(samples, penalty=_PENALTY_YOUTHS)
    _write("weights-3.toml", fitted, SCHEME, "invented youths, seeds 1 and 101 (tests/bench/linkage)", 50_000)
    _write_febrl(SCHEME, fit(list(_samples(SCHEME, febrl_1_and_3())), penalty=_PENALTY_FEBRL))
    copies = list(_samples(EXTENDED_SCHEME, febrl_1_and_3()))
    pairs = [each for number in (1, 3) for each in _samples(EXTENDED_SCHEME, febrl(number))]
    _write_febrl(EXTENDED_SCHEME, fit([*copies, *pairs], penalty=_PENALTY_EXTENDED, asked=copies))


def _write_febrl(scheme: str, fitted: Fitted) -> None:
    _write(f"weights-febrl-{scheme}.toml", fitted, scheme, "FEBRL 1 and 3; not for children: no siblings there", 1)


def _samples(scheme: str, task: Dataset) -> Iterator[Agreement]:
    """The task with everything known, without the number, without the address, and without either."""
    whole = agree_under(scheme, task)
    numbers = {name for name in whole.names if "ssn4" in name}
    addresses = {name for name in whole.names if not _ADDRESS.isdisjoint(name.split("_"))}
    for missing in (frozenset(), numbers, addresses, numbers | addresses):
        yield whole.only(set(whole.names) - missing)


def _write(name: str, fitted: Fitted, scheme: str, sample: str, smallest_index: int) -> None:
    text = (_DIRECTORY / "weights-3.toml").read_text(encoding="utf-8")
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
    (_DIRECTORY / name).write_text("\n".join(lines).rstrip() + "\n" + body, encoding="utf-8")


if __name__ == "__main__":
    main()
