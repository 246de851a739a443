"""How each of the county's sources is, for `homeward adapter status` and the gauges.

Decides that every source of the file is named, read or not: its rows and records are those of the reading in use, its
age is that of now, and one that was refused is `stale` although the reading before is still answered from. Decides the
rule that says why: that of the refusal before that of the age.
"""

from collections.abc import Mapping
from datetime import datetime

from adapters.caseload import Caseload
from adapters.mapping.report import Report, SourceReport
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
        refusal = newest.refusal if newest is not None else None
        if read is not None:
            state.row_count = read.rows
            state.record_count = read.records
            state.refused_count = read.rows_refused
            if read.as_of is not None:
                state.data_as_of_time.FromDatetime(read.as_of)
            age = state_of(read.as_of, now, config.freshness)
            state.freshness = age if refusal is None else FreshnessState.STALE
            state.code = "SRC-017" if age is FreshnessState.STALE else ""
        if refusal is not None:
            state.code = refusal.code
        states.append(state)
    return states


def _by_name(report: Report | None) -> dict[str, SourceReport]:
    return {source.name: source for source in report.sources} if report is not None else {}
