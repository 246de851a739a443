"""How each of the county's sources is, for `homeward adapter status` and the gauges.

Decides that every source of the file is named, read or not: its records are those of the reading in use, its age is
that of now, and one that cannot be read is `stale` although the reading before is still answered from.
"""

from collections.abc import Mapping
from datetime import datetime

from adapters.caseload import Caseload
from adapters.mapping.report import Report, SourceReport
from adapters.mapping.rule import Severity
from adapters.sources.config import SourceConfig
from adapters.sources.freshness import FreshnessState, state_of
from homeward.county.v1.access_pb2 import SourceState


def source_states(caseload: Caseload, sources: Mapping[str, SourceConfig], now: datetime) -> list[SourceState]:
    """One for each source of the county's file, in its order. `now` is UTC."""
    used, last = _by_name(caseload.report_in_use), _by_name(caseload.last_report)
    states = []
    for name, config in sources.items():
        state = SourceState(name=name, freshness=FreshnessState.STALE)
        read, newest = used.get(name), last.get(name)
        if read is not None:
            state.record_count = read.records
            state.refused_count = sum(
                entry.count for entry in read.entries if entry.severity is Severity.RECORD_REFUSED
            )
            if read.as_of is not None:
                state.data_as_of_time.FromDatetime(read.as_of)
            if newest is None or newest.refusal is None:
                state.freshness = state_of(read.as_of, now, config.freshness)
        states.append(state)
    return states


def _by_name(report: Report | None) -> dict[str, SourceReport]:
    return {source.name: source for source in report.sources} if report is not None else {}
