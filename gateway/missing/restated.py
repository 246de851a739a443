"""A flag under its owner's next statement. Pure.

Decides that the statement is about this flag, that its version is higher, and that the episode may come into the state
it says. Whether the statement counts at all is decided before (`statement`).
"""

from dataclasses import replace

from gateway.missing.episode import EVENT_OF_STATEMENT, after
from gateway.missing.ports import Flag
from gateway.missing.statement import Statement, statement_invalid
from gateway.protocol.names import FlagState
from gateway.protocol.policy.facts import milliseconds


def restated(flag: Flag, statement: Statement, *, to: frozenset[FlagState]) -> Flag:
    """The flag as stated; the statement may say one of these states. Raises `Invalid`."""
    if statement.flag_id != flag.flag_id:
        raise statement_invalid("flag_id")
    if statement.version <= flag.version:
        raise statement_invalid("version")
    state = after(flag.state, EVENT_OF_STATEMENT[statement.state]) if statement.state in to else None
    if state is None:
        raise statement_invalid("state")
    return replace(
        flag,
        state=state,
        version=statement.version,
        statement=statement.envelope,
        statement_expire_ms=milliseconds(statement.expires),
    )
