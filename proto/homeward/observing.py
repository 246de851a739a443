"""Observation of a running process: off unless an endpoint is named, and then wired here, once for every process.

Decides how often the figures of the moment are taken, and that taking them happens on the event loop which owns what
they are read from, so that no thread of the SDK touches the product. Without an endpoint the SDK is not even imported.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib import metadata
from typing import TYPE_CHECKING, Final, Protocol

from homeward.counting import Board, CallCounts, CallRecorder, Figures, Readings, SampledCalls
from homeward.failure import CommandFailure
from homeward.observed import METRICS

if TYPE_CHECKING:
    from homeward.otlp import Telemetry

FIGURES_EVERY_SECONDS: Final = 10.0
_LOG: Final = logging.getLogger(__name__)


class Settings(Protocol):
    """The `telemetry:` section of a process's file."""

    @property
    def otlp_endpoint(self) -> str | None:
        """Where the collector is; None means off."""

    @property
    def sample_ratio(self) -> float:
        """Share of calls that become spans, 0 to 1."""

    @property
    def every(self) -> timedelta:
        """How often metrics are exported."""


@asynccontextmanager
async def observed(
    settings: Settings,
    *,
    name: str,
    agency: str = "",
    counts: CallCounts,
    others: Readings,
    figures: Callable[[], Awaitable[Figures]],
) -> AsyncIterator[CallRecorder]:
    """The recorder of this process's calls; what it counts is exported while the context lasts.

    `name` is the service's, `others` the counters beside `counts`, `figures` takes the figures of the moment. Raises
    `CommandFailure` where the extra is not installed.
    """
    if settings.otlp_endpoint is None:
        yield counts
        return
    board = Board(metric for metric in METRICS if not metric.is_sum)
    readings = {**counts.readings(), **others, **board.readings()}
    telemetry = _start(settings.otlp_endpoint, settings.every, name=name, agency=agency, readings=readings)
    keeping = asyncio.create_task(_keep(board, figures))
    keeping.add_done_callback(_tell)
    try:
        # Which calls are shown is no secret, and guessing it gains nobody anything.
        yield SampledCalls(counts, telemetry.show, settings.sample_ratio, random.random)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await asyncio.to_thread(telemetry.stop)


def _start(endpoint: str, every: timedelta, *, name: str, agency: str, readings: Readings) -> "Telemetry":
    try:
        from homeward import otlp
    except ModuleNotFoundError as missing:
        raise CommandFailure(
            "OTEL-001", "telemetry cannot be exported", where="telemetry.otlp_endpoint",
            why=f"the Python module {missing.name} is not installed",
            fix="install homeward[otel], or take the endpoint out of the file",
        ) from missing  # fmt: skip
    sinks = otlp.otlp_sinks(endpoint, every_seconds=every.total_seconds())
    service = otlp.Service(name, metadata.version("homeward"), agency)
    return otlp.start(sinks, service=service, readings=readings)


async def _keep(board: Board, figures: Callable[[], Awaitable[Figures]]) -> None:
    while True:
        board.show(await figures())
        await asyncio.sleep(FIGURES_EVERY_SECONDS)


def _tell(keeping: asyncio.Task[None]) -> None:
    """Figures that cannot be taken any more end their export, not the process."""
    failure = None if keeping.cancelled() else keeping.exception()
    if failure is not None:
        _LOG.error("figures are no longer taken", extra={"exception_type": type(failure).__name__})
