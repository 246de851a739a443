"""The reports about missing youths, together: what the service of the edge is given, and what a loss took of them."""

from gateway.exchange.call import Caller
from gateway.missing.changing import Changing
from gateway.missing.raising import Raising
from gateway.missing.recording import Recorded, Recording
from homeward.gateway.v1.missing_pb2 import FlagReport, FlagResolution, FlagUpdate, LocatedReport


class FlagReports:
    """Takes every report about a missing youth. Each raises `Invalid`, `Conflict`, `Unavailable`."""

    def __init__(self, recording: Recording) -> None:
        self._raising = Raising(recording)
        self._changing = Changing(recording)

    async def raise_flag(self, caller: Caller, report: FlagReport) -> Recorded:
        """A youth is missing (`raising`)."""
        return await self._raising.raise_flag(caller, report)

    async def update_flag(self, caller: Caller, update: FlagUpdate) -> Recorded:
        """The owner changes its flag, or did a duty (`changing`)."""
        return await self._changing.update_flag(caller, update)

    async def report_located(self, caller: Caller, report: LocatedReport) -> Recorded:
        """A flagged youth was located (`changing`)."""
        return await self._changing.report_located(caller, report)

    async def support_again(self, caller: Caller, report: FlagReport) -> Recorded:
        """A report of before a declared loss that a youth is missing is presented again (`raising`)."""
        return await self._raising.support_again(caller, report)

    async def located_again(self, caller: Caller, report: LocatedReport | FlagResolution) -> Recorded:
        """... that a flagged youth was located, or an episode of another owner ended (`changing`)."""
        return await self._changing.located_again(caller, report)

    async def resolve_flag(self, caller: Caller, resolution: FlagResolution) -> Recorded:
        """An episode ended (`changing`)."""
        return await self._changing.resolve_flag(caller, resolution)
