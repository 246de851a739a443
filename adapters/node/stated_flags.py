"""What was said of a flag in versions of which nobody knows whether they are on record: so that it can be said again.

A report whose answer did not come may be on record. Sent again it is refused, perhaps after others were stated: then
what it said is gone, and the flag says again what was recorded last. Or it is recorded after all, although what it said
was taken back meanwhile: then the flag says that again.

    no rows             the newest version is on record, or was never followed by another
    a row of a version  was heard to be on record, or a report has stated it and it was neither recorded nor refused
    the newest without  takes back what was refused: no report states it
"""

from typing import Any, Final

from sqlalchemy import Connection, Row, and_, func, select

from adapters.node.rpcs import RAISE_FLAG, RESOLVE_FLAG, UPDATE_FLAG
from adapters.node.tables import own_flag, receipt, request, stated_flag
from gateway.protocol.names import OPEN_FLAG_STATES

_SAID: Final = ("state", "handling_code", "locate", "casework", "learn_ms")
"""What a version says that another may say otherwise."""
_COPIED: Final = ("flag_id", "version", "handle", *_SAID, "recorded")
_S: Final = stated_flag.c
_STATING: Final = tuple(rpc.name for rpc in (RAISE_FLAG, UPDATE_FLAG, RESOLVE_FLAG))


def note_stated(connection: Connection, flag_id: bytes) -> None:
    """The newest version stays known, whatever is stated after it."""
    newest = select(*(own_flag.c[name] for name in _COPIED)).where(own_flag.c.flag_id == flag_id)
    connection.execute(stated_flag.insert().prefix_with("OR IGNORE").from_select(_COPIED, newest))


def has_rows(connection: Connection, flag_id: bytes) -> bool:
    """Whether anything is kept of the flag here."""
    return connection.scalar(select(_S.version).where(_S.flag_id == flag_id).limit(1)) is not None


def is_stated(connection: Connection, flag_id: bytes, version: int) -> bool:
    """Whether the version is kept: it was recorded last, or is a report's of which nobody knows."""
    return connection.scalar(select(_S.version).where(_S.flag_id == flag_id, _S.version == version)) is not None


def note_recorded(connection: Connection, flag_id: bytes, version: int) -> None:
    """The version is on record, and those before it are on record no more."""
    mine = _S.flag_id == flag_id
    connection.execute(stated_flag.update().where(mine, _S.version == version).values(recorded=1))
    connection.execute(stated_flag.delete().where(mine, _S.version < version))


def forget_version(connection: Connection, flag_id: bytes, version: int) -> None:
    """A version that was refused is kept no longer. One that is on record stays."""
    refused = (_S.flag_id == flag_id, _S.version == version, _S.recorded == 0)
    connection.execute(stated_flag.delete().where(*refused))


def is_awaited(connection: Connection, statement: bytes) -> bool:
    """Whether a report that states this, a serialized FlagStatement, was neither refused nor answered."""
    states_it = and_(request.c.method.in_(_STATING), func.instr(request.c.payload, statement) > 0)
    answered = select(receipt.c.request_id).where(receipt.c.request_id == request.c.request_id).exists()
    return connection.scalar(select(request.c.request_id).where(states_it, ~answered).limit(1)) is not None


def forget_versions(connection: Connection, flag_id: bytes) -> None:
    """No version of the flag is kept here."""
    connection.execute(stated_flag.delete().where(_S.flag_id == flag_id))


def standing(connection: Connection, flag_id: bytes) -> Row[Any] | None:
    """What stands of the flag: the version recorded last; where none was, the newest that was not refused."""
    query = select(stated_flag).where(_S.flag_id == flag_id).order_by(_S.recorded.desc(), _S.version.desc())
    return connection.execute(query.limit(1)).one_or_none()


def stated_end(connection: Connection, flag_id: bytes) -> Row[Any] | None:
    """The newest version by which the episode was to end; None for none."""
    query = select(stated_flag).where(_S.flag_id == flag_id, _S.state.not_in([str(each) for each in OPEN_FLAG_STATES]))
    return connection.execute(query.order_by(_S.version.desc()).limit(1)).one_or_none()


def say_the_same(one: Row[Any], other: Row[Any]) -> bool:
    """Whether two versions differ in their numbers alone."""
    return all(getattr(one, name) == getattr(other, name) for name in _SAID)
