"""What the story is played with: the sandbox, one open channel per agency, and what earlier steps learned.

Decides the form of a step and of what it saw. A step compares plain values, so that the transcript can be read and
compared by a machine; whatever differs between two runs (times, numbers drawn at random) is told in words only.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from deploy.demo.commands import Commands
from deploy.demo.county import CALL_SECONDS, Calls, County
from deploy.demo.sandbox import Sandbox
from homeward.county.v1.county_pb2 import Receipt
from homeward.county.v1.missing_pb2 import WatchAlertsRequest, WatchAlertsResponse
from homeward.failure import CommandFailure

Value = str | int | bool | Sequence["Value"] | Mapping[str, "Value"]
_ALERT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What a step saw: values that are the same in every run, and the same in words for a reader."""

    actual: Mapping[str, Value]
    lines: tuple[str, ...] = ()


class Unexpected(Exception):
    """A step could not be played to its end. The text names no youth."""


@dataclass(slots=True)
class Stage:
    """The story's surroundings and memory."""

    sandbox: Sandbox
    commands: Commands
    scratch: Path
    """A directory of this story's own for copies and token files."""
    newcomer: Future[None]
    """The foster family agency, still joining."""
    calls: dict[str, Calls] = field(default_factory=dict)
    channels: list[grpc.Channel] = field(default_factory=list)
    flag_id: str = ""
    authority_id: str = ""
    checkpoint: str = ""
    """Newest signed head that a county received with an answer."""
    alerts: "Alerts | None" = None

    def county(self, letter: str) -> County:
        """The agency with this letter."""
        return self.sandbox.county(letter)

    def at(self, letter: str) -> Calls:
        """The stubs of the agency's adapter; the channel stays open to the end of the story."""
        if letter not in self.calls:
            channel = self.county(letter).channel()
            self.channels.append(channel)
            self.calls[letter] = Calls(channel)
        return self.calls[letter]

    def keep(self, receipt: Receipt) -> None:
        """The head that came with an answer is remembered, as the county's adapter does."""
        self.checkpoint = receipt.checkpoint or self.checkpoint

    def close(self) -> None:
        """Every channel is closed."""
        if self.alerts is not None:
            self.alerts.close()
        for channel in self.channels:
            channel.close()


class Alerts:
    """An agency's alert stream, read in a thread of its own as a duty officer's screen would."""

    def __init__(self, stage: Stage, letter: str, role: str) -> None:
        self._arrived: queue.Queue[tuple[float, WatchAlertsResponse]] = queue.Queue()
        self._stream = stage.at(letter).missing.WatchAlerts(
            WatchAlertsRequest(follow=True), metadata=stage.county(letter).metadata(role)
        )
        self._thread = threading.Thread(target=self._read, name="alerts", daemon=True)
        self._thread.start()

    def next(self) -> tuple[float, WatchAlertsResponse]:
        """The next alert with the moment (monotonic) it arrived. Raises `Unexpected` when none comes."""
        try:
            return self._arrived.get(timeout=_ALERT_SECONDS)
        except queue.Empty:
            raise Unexpected("no alert arrived") from None

    def close(self) -> None:
        """The stream is closed."""
        self._stream.cancel()
        self._thread.join(timeout=CALL_SECONDS)

    def _read(self) -> None:
        try:
            for alert in self._stream:
                self._arrived.put((time.monotonic(), alert))
        except grpc.RpcError as ended:
            # Cancelled by `close`; anything else shows as an alert that does not arrive.
            if ended.code() is not grpc.StatusCode.CANCELLED:
                self._arrived.put((time.monotonic(), WatchAlertsResponse()))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the story."""

    name: str
    title: str
    expected: Mapping[str, Value]
    play: Callable[[Stage], Seen]


@dataclass(frozen=True, slots=True)
class Played:
    """A step that was played. `ok`: it saw exactly what it should."""

    step: Step
    seen: Seen
    seconds: float

    @property
    def ok(self) -> bool:
        """What was seen is what was expected."""
        return self.seen.actual == self.step.expected


def play(step: Step, stage: Stage) -> Played:
    """The step's result; a call that failed is a result that differs, with its status and reason."""
    started = time.monotonic()
    try:
        seen = step.play(stage)
    except grpc.RpcError as failed:
        seen = Seen({"failed": f"{failed.code().name}: {failed.details()}"})
    except CommandFailure as failed:
        seen = Seen({"failed": failed.as_text()})
    except Unexpected as failed:
        seen = Seen({"failed": str(failed)})
    return Played(step, seen, time.monotonic() - started)
