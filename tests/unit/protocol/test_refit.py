"""Calibrating: verdicts move the weights they speak of, signs are held, and weights that were right stay."""

import random
import xml.etree.ElementTree as ElementTree

import pytest

from gateway.calibration import plot, table, weights_file
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.matching.refit import Judged, calibration, log_loss, probability, refit
from gateway.protocol.matching.score import Comparison
from gateway.protocol.matching.weights import Weights, load_weights, parse_weights

WEIGHTS = load_weights()
KEYS = tuple(rule.name for rule in load_key_scheme().keys)


def judged_by(truth: Weights, count: int, *, seed: int = 5) -> list[Judged]:
    """Pairs whose verdicts follow `truth`: what careful people would find if its weights were right."""
    chance, pairs = random.Random(seed), list[Judged]()
    for _ in range(count):
        carried = [key for key in KEYS if chance.random() < 0.8]
        agreeing = frozenset(key for key in carried if chance.random() < 0.4)
        comparison = Comparison(agreeing, frozenset(carried) - agreeing)
        same = chance.random() < probability(truth.prior(0) + comparison.bits(truth))
        pairs.append((comparison, same))
    return pairs


def changed(**agree: float) -> Weights:
    text = weights_file(WEIGHTS, pairs=0)
    for key, bits in agree.items():
        text = text.replace(f"{key} = {WEIGHTS.agree[key]}", f"{key} = {bits}", 1)
    return parse_weights(text)


def test_a_weight_file_that_is_written_reads_back_the_same() -> None:
    assert parse_weights(weights_file(WEIGHTS, pairs=120)) == WEIGHTS


def test_a_weight_that_verdicts_contradict_moves_toward_what_they_say() -> None:
    truth = changed(ssn4_dob=1.0)
    judged = judged_by(truth, 3000)
    found = refit(judged, WEIGHTS)
    assert abs(found.agree["ssn4_dob"] - 1.0) < abs(WEIGHTS.agree["ssn4_dob"] - 1.0) / 2
    assert log_loss(judged, found) < log_loss(judged, WEIGHTS)
    # And it foretells verdicts that were not used better too.
    unseen = judged_by(truth, 3000, seed=6)
    assert log_loss(unseen, found) < log_loss(unseen, WEIGHTS)


def test_weights_that_were_right_hardly_move() -> None:
    found = refit(judged_by(WEIGHTS, 1500), WEIGHTS)
    assert max(abs(found.agree[key] - WEIGHTS.agree[key]) for key in KEYS) <= 1.25
    assert (found.auto, found.possible, found.guard) == (WEIGHTS.auto, WEIGHTS.possible, WEIGHTS.guard)


@pytest.mark.parametrize("always", [True, False])
def test_signs_hold_whatever_people_said(always: bool) -> None:
    judged = [(comparison, always) for comparison, _ in judged_by(WEIGHTS, 300)]
    found = refit(judged, WEIGHTS)
    assert min(found.agree.values()) >= 0
    assert max(found.disagree.values()) <= 0
    parse_weights(weights_file(found, pairs=300))


def test_calibration_counts_every_pair_once_and_says_what_was_foretold() -> None:
    judged = judged_by(WEIGHTS, 4000)
    bins = calibration(judged, WEIGHTS)
    assert sum(each.pairs for each in bins) == 4000
    assert all(each.low <= each.foretold <= each.high for each in bins)
    # These verdicts follow the weights, so what was foretold is what is found.
    assert all(abs(each.foretold - each.observed) < 0.2 for each in bins if each.pairs >= 50)


def test_the_table_has_a_line_a_range_and_the_plot_is_a_drawing() -> None:
    bins = calibration(judged_by(WEIGHTS, 200), WEIGHTS)
    assert len(list(table(bins, "in use"))) == len(bins) + 1
    drawing = ElementTree.fromstring(plot({"in use": ("#b45309", bins)}))  # noqa: S314
    assert len(list(drawing.iter("{http://www.w3.org/2000/svg}circle"))) == len(bins)
