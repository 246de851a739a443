"""Weights fitted on judged pairs: logistic regression whose signs are held, all keys together.

Agreeing never speaks against a match and disagreeing never for one; keys overlap, so that weights fitted one by one
would count the same evidence several times (TOKENS §5). The prior is that of the product:
`bias - log2(records) + log2(overlap / 0.2)`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy
from scipy.optimize import minimize

from gateway.protocol.matching.weights import REFERENCE_OVERLAP
from tests.bench.linkage.agreement import Agreement

_BITS = 1 / numpy.log(2)
Loss = Callable[[numpy.ndarray], tuple[float, numpy.ndarray]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights in bits."""

    bias: float
    agree: Mapping[str, float] = field(repr=False)
    disagree: Mapping[str, float] = field(repr=False)

    def scores(self, pairs: Agreement) -> numpy.typing.NDArray[numpy.float64]:
        """log2 of the odds of each pair."""
        agree = numpy.array([self.agree[name] for name in pairs.names])
        disagree = numpy.array([self.disagree[name] for name in pairs.names])
        return self.bias + _offset(pairs) * _BITS + pairs.agree @ agree + pairs.differ @ disagree


def fit(samples: Sequence[Agreement], *, penalty: float, step: float = 0.25, asked: Sequence[Agreement] = ()) -> Fitted:
    """The weights under which the judged pairs are likeliest; rounded to `step` bits, the bias refitted after.

    `penalty` is the L2 weight per squared nat of a key. The bias is refitted on the pairs of `asked`, where these are
    nearer to what will be asked than all samples together.
    """
    names = samples[0].names
    width = len(names)
    loss = _loss(samples, penalty)
    bounds = [(0, None)] * width + [(None, 0)] * width + [(None, None)]
    found = minimize(loss, numpy.zeros(2 * width + 1), jac=True, method="L-BFGS-B", bounds=bounds,
                     options={"maxiter": 3000, "maxfun": 6000})  # fmt: skip
    weights = numpy.round(found.x[:-1] * _BITS / step) * step
    of_bias = _loss(asked, penalty) if asked else loss
    again = minimize(lambda bias: _only_bias(of_bias, weights / _BITS, bias), found.x[-1:], jac=True, method="L-BFGS-B")
    return Fitted(
        bias=round(float(again.x[0] * _BITS) / step) * step,
        agree=dict(zip(names, map(float, weights[:width]), strict=True)),
        disagree=dict(zip(names, map(float, weights[width:]), strict=True)),
    )


def _loss(samples: Sequence[Agreement], penalty: float) -> Loss:
    """What the weights and the bias cost, and its slope; equal pairs are counted once."""
    features = numpy.vstack([numpy.hstack([each.agree, each.differ]) for each in samples]).astype(float)
    offsets = numpy.concatenate([numpy.full(len(each.pairs), _offset(each)) for each in samples])
    true = numpy.concatenate([each.true for each in samples]).astype(float)
    rows, inverse = numpy.unique(numpy.column_stack([features, offsets]), axis=0, return_inverse=True)
    hits = numpy.bincount(inverse.ravel(), weights=true)
    totals = numpy.bincount(inverse.ravel())
    features, offsets = rows[:, :-1], rows[:, -1]

    def loss(parameters: numpy.ndarray) -> tuple[float, numpy.ndarray]:
        logits = offsets + parameters[-1] + features @ parameters[:-1]
        value = (totals * numpy.logaddexp(0, logits) - hits * logits).sum() + penalty * (parameters[:-1] ** 2).sum()
        slope = totals / (1 + numpy.exp(-logits)) - hits
        return value, numpy.append(features.T @ slope + 2 * penalty * parameters[:-1], slope.sum())

    return loss


def _offset(pairs: Agreement) -> float:
    """Nats of the prior that the size of the list and the expected overlap account for, as in `Weights.prior`."""
    return float(numpy.log(pairs.overlap / REFERENCE_OVERLAP) - numpy.log(pairs.records))


def _only_bias(loss: Loss, weights: numpy.ndarray, bias: numpy.ndarray) -> tuple[float, numpy.ndarray]:
    value, slope = loss(numpy.append(weights, bias))
    return value, slope[-1:]
