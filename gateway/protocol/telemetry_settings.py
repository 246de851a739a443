"""The `telemetry:` section, the same in the file of every process.

Decides the defaults: off, and a hundredth of the calls as spans where it is on. What can be observed at all is not a
setting.
"""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from gateway.protocol.strict_yaml import Duration, StrictModel


def _interval(every: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= every <= timedelta(minutes=10):
        raise ValueError("between 1s and 10m")
    return every


class TelemetrySettings(StrictModel):
    """Where traces and metrics go."""

    otlp_endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]{1,255}$")] | None = None
    """A collector that takes OTLP over gRPC, usually port 4317; `https` for TLS. Off unless named."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of calls that become spans."""
    every: Annotated[Duration, AfterValidator(_interval)] = timedelta(seconds=60)
    """How often metrics are exported."""
