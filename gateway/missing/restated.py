"""A flag under its owner's statement, the first that the exchange has and every next one. Pure.

Decides that a next statement is about this flag, that its version is higher, and that the episode may come into the
state it says. Whether the statement counts at all is decided before (`statement`).
"""

from dataclasses import replace
from datetime import datetime

from gateway.missing.episode import EVENT_OF_STATEMENT, Event, after
from gateway.missing.ports import Flag
from gateway.missing.statement import Statement, statement_invalid
from gateway.protocol.names import AgencyId, FlagState, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.statement_rules import StatementRule


def stated(
    statement: Statement,
    state: FlagState,
    *,
    owner: AgencyId,
    handle: SubjectHandle,
    learned: datetime,
    reported: datetime,
) -> Flag:
    """The flag in this state, as the statement describes it."""
    return Flag(
        flag_id=statement.flag_id,
        owner=owner,
        handle=handle,
        state=state,
        version=statement.version,
        statement=statement.envelope,
        learn_ms=milliseconds(learned),
        report_ms=milliseconds(reported),
    )


def restated(flag: Flag, statement: Statement, *, to: frozenset[FlagState], event: Event | None = None) -> Flag:
    """The flag as stated; the statement may say one of these states. `event`: what happened, where more than the state
    tells. Raises `Invalid`.
    """
    if statement.flag_id != flag.flag_id:
        raise statement_invalid(StatementRule.FLAG_ID)
    if statement.version <= flag.version:
        raise statement_invalid(StatementRule.VERSION)
    state = after(flag.state, event or EVENT_OF_STATEMENT[statement.state]) if statement.state in to else None
    if state is None:
        raise statement_invalid(StatementRule.STATE)
    return replace(flag, state=state, version=statement.version, statement=statement.envelope)
