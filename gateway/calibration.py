"""What calibrating found, as text: a table, a plot, and the proposed weights as a file of the kind that ships.

Decides presentation only. The plot is plain SVG, so that it opens anywhere and nothing has to be installed to draw it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from gateway.protocol.matching.refit import Bin
from gateway.protocol.matching.weights import Weights

_SIZE, _EDGE = 320, 40


def table(bins: Sequence[Bin], title: str) -> Iterator[str]:
    """The calibration, a line a range."""
    yield f"{title:<28} pairs  foretold  one youth"
    for each in bins:
        span = f"{each.low:.0%} to {each.high:.0%}"
        yield f"  {span:<26} {each.pairs:>5}  {each.foretold:>8.1%}  {each.observed:>9.1%}"


def plot(curves: Mapping[str, tuple[str, Sequence[Bin]]]) -> str:
    """The calibration as SVG: what was foretold to the right, what people found upwards. By name: color and bins."""
    whole = _SIZE + 2 * _EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{whole}" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#999" stroke-dasharray="4"/>',
        f'<path d="M{_x(0)} {_y(1)}L{_x(0)} {_y(0)}L{_x(1)} {_y(0)}" fill="none" stroke="black"/>',
        f'<text x="{_x(0.5)}" y="{_y(0) + 30}" text-anchor="middle">foretold probability</text>',
        f'<text transform="translate({_x(0) - 26} {_y(0.5)}) rotate(-90)" text-anchor="middle">one youth</text>',
    ]
    for tick in (0, 0.5, 1):
        parts.append(f'<text x="{_x(tick)}" y="{_y(0) + 15}" text-anchor="middle">{tick:.0%}</text>')
        parts.append(f'<text x="{_x(0) - 4}" y="{_y(tick) + 4}" text-anchor="end">{tick:.0%}</text>')
    for place, (name, (color, bins)) in enumerate(curves.items()):
        points = " ".join(f"{_x(each.foretold)},{_y(each.observed)}" for each in bins)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{_x(each.foretold)}" cy="{_y(each.observed)}" r="{3 + min(each.pairs, 400) ** 0.5 / 4:.1f}" '
            f'fill="{color}"><title>{each.pairs} pairs</title></circle>'
            for each in bins
        ]
        parts.append(f'<text x="{_x(0.03)}" y="{_y(0.97) + 16 * place}" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def weights_file(weights: Weights, *, pairs: int) -> str:
    """The weights as TOML, to be read, and to be shipped by a release if somebody decides so."""
    lines = [
        f"# Proposed by homeward gateway calibrate from {pairs} pairs that two agencies decided. In use nowhere.",
        f'scheme = "{weights.scheme}"',
        f"bias = {weights.bias}",
        f"smallest_index = {weights.smallest_index}",
        f"auto = {weights.auto}",
        f"possible = {weights.possible}",
        f"margin = {weights.margin}",
        f"guard = {json.dumps(sorted(weights.guard))}",
        f"bars = {json.dumps([sorted(group) for group in weights.bars])}",
    ]
    tables = {"overlap": weights.overlap, "agree": weights.agree, "disagree": weights.disagree}
    for name, values in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {value}" for key, value in values.items())]
    return "\n".join([*lines, ""])


def _x(part: float) -> float:
    return round(_EDGE + part * _SIZE, 1)


def _y(part: float) -> float:
    return round(_EDGE + (1 - part) * _SIZE, 1)
