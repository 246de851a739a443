"""What the figures must not fall below, and which of them did."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.linkage.run import Outcome

_YOUTHS = ("youths", "youths, errors doubled")
_ALL, _NUMBER, _NAMES = "all fields", "name, birth date, last four of the id", "name, birth date"
_WITH_SSN4, _WITHOUT = "name, birth date, SSN4, ZIP", "name, birth date, ZIP"


@dataclass(frozen=True, slots=True)
class Bar:
    """One demand, and what was measured."""

    what: str
    measured: float
    least: float

    @property
    def is_met(self) -> bool:
        return self.measured >= self.least


def bars(outcome: Outcome) -> Iterator[Bar]:
    """Every demand."""
    tokens, extended = "tokens", "tokens, extended"
    for fields, least in ((_ALL, 0.994), (_NUMBER, 0.985), (_NAMES, 0.93)):
        yield Bar(f"FEBRL4, {fields}: F1 at 50 %", outcome.find("FEBRL4", fields, tokens, "50 %").f1, least)
    yield Bar("FEBRL4, all fields: precision at auto", outcome.find("FEBRL4", _ALL, tokens, "auto").precision, 0.999)
    found = outcome.find("FEBRL4", _ALL, extended, "50 %")
    yield Bar("FEBRL4, all fields, extended: F1 at 50 %", found.f1, 0.9985)
    found = outcome.find("FEBRL4", _ALL, extended, "auto")
    yield Bar("FEBRL4, all fields, extended: precision at auto", found.precision, 0.9995)
    for name in _YOUTHS:
        for fields in (_WITH_SSN4, _WITHOUT):
            f1 = outcome.find(name, fields, tokens, "50 %").f1
            clk = outcome.find(name, fields, "CLK + anonlink", "oracle").f1
            splink = outcome.find(name, fields, "Splink, clear text", "oracle").f1
            yield Bar(f"{name}, {fields}: F1 at 50 % over CLK at its best", f1 - clk, 0.0)
            yield Bar(f"{name}, {fields}: F1 at 50 % over Splink at its best", f1 - splink, -0.01)
            auto = outcome.find(name, fields, tokens, "auto")
            yield Bar(f"{name}, {fields}: precision at auto, the score alone", auto.precision, 0.998)
            match = outcome.find(name, fields, tokens, "match")
            yield Bar(f"{name}, {fields}: precision of matches, the product's rule", match.precision, 0.998)
