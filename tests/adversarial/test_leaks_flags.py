"""Whoever reads log lines, spans, metrics and the two standard streams of a gateway while flags are checked and raised.

The calls are honest and answered. None of the values that they handle may be anywhere but in their own answers.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.telemetry import call_counts
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_NO_ACTIVE_FLAG_FOUND, OUTCOME_RECORDED
from tests.adversarial import canaries
from tests.adversarial.canaries import Canaries, planted
from tests.adversarial.leaky_flags import MISSING, PREFIX, Asked, Desk, desk, flag_id_of, tokens_at_hand
from tests.adversarial.watch import PRINTED, assert_watched, watch
from tests.unit.exchange.spine_parts import FINDER

NOBODY = "nobody of this name"
METHODS = {
    "ExchangeService/CheckFlag",
    "ExchangeService/CheckFlags",
    "ExchangeService/StreamFlagChecks",
    "MissingService/RaiseFlag",
    "MissingService/ReportLocated",
}


async def everything_asked(at: Desk) -> list[Asked]:
    """A youth who is missing, and one whom nobody knows, by every method; then what is reported of the first."""
    known, unknown = replace(FINDER, youth=MISSING), replace(FINDER, youth=NOBODY)
    asked = [await at.check(replace(each, number=number)) for number, each in enumerate((known, unknown))]
    asked.append(await at.check_together(replace(known, number=2), replace(unknown, number=3)))
    asked += [
        await at.check_in_stream(replace(each, number=4 + number)) for number, each in enumerate((known, unknown))
    ]
    found = asked[0].answer
    assert isinstance(found, pb.CheckFlagResponse)
    asked.append(await at.raise_flag(6))
    asked.append(await at.report_located(flag_id_of(found), 7))
    return asked


def request_id(youth: str, number: int) -> bytes:
    return replace(FINDER, youth=youth, number=number).request_id


def outcomes(asked: list[Asked]) -> list[int]:
    """How each ended."""
    ones = [one for each in asked for one in getattr(each.answer, "responses", [each.answer])]
    return [getattr(one, "answer", one).outcome for one in ones]


async def test_nothing_of_a_flag_check_or_a_report_is_anywhere_but_in_its_answer(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        asked = await everything_asked(at)
        found = asked[0].answer
        assert isinstance(found, pb.CheckFlagResponse)
        opaque = {
            **tokens_at_hand(MISSING),
            **{f"nobody's {name}": value for name, value in tokens_at_hand(NOBODY).items()},
            **{f"assertion {place}": each.assertion.encode() for place, each in enumerate(asked)},
            **{
                f"{youth}, request {place}": request_id(youth, place)
                for youth in (MISSING, NOBODY)
                for place in range(8)
            },
            "handle": at.handle,
            "pairwise handle": found.answer.pairwise_handle,
            "flag": flag_id_of(found),
            "statement": found.answer.flag_statement.payload,
            "receipt": found.receipt.SerializeToString(),
        }
        looked_for = Canaries(texts={"youth": MISSING}, opaque=opaque, births={})
        assert at.at.watch.findings(looked_for) == []
        assert_watched(at.at.watch)
        # The control: all of it was handled, and each method was seen.
        spans = {span.name.removeprefix(PREFIX) for span in at.at.watch.spans.get_finished_spans()}
        assert spans >= METHODS
        known, none = OUTCOME_ANSWERED, OUTCOME_NO_ACTIVE_FLAG_FOUND
        assert outcomes(asked) == [known, none, known, none, known, none, OUTCOME_RECORDED, OUTCOME_RECORDED]
        assert all(opaque[name] for name in ("pairwise handle", "flag", "statement", "receipt"))
        handled = b"".join(each.payload + each.answer.SerializeToString() for each in asked)
        inside = ("at rest", "handle", "assertion", "request")
        assert [name for name, value in opaque.items() if value not in handled and not has_any(name, inside)] == []


def has_any(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name for word in words)


@pytest.mark.parametrize(
    "careless",
    [
        lambda text: print(text, end=""),
        lambda text: print(text, file=sys.stderr),
        lambda text: sys.stdout.write(text),
        lambda text: sys.stderr.write(text),
        lambda text: sys.__stderr__ and sys.__stderr__.write(text),
        lambda text: os.write(1, text.encode()),
        lambda text: os.write(2, text.encode()),
    ],
)
def test_the_watch_sees_what_is_written_past_the_log(careless: Callable[[str], object]) -> None:
    with watch(call_counts()) as watching:
        assert watching.findings(planted()) == []
        careless(canaries.SURNAME)
        assert {each.where for each in watching.findings(planted())} == {PRINTED}
