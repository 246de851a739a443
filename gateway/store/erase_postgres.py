"""Takes what an ended epoch or a sealed youth left out of PostgreSQL's files: rows, dead tuples, indexes, free space.

Decides how. A deleted row stays in the heap, and its key in every index, until the table is written anew: VACUUM (FULL)
does that, outside a transaction, under a lock that nobody else holds. What ANALYZE sampled of it stays in the planner's
statistics, a table like others, until they are taken anew and written anew, too. Three things stand in its way, each
for a bounded time, and are then left for another try:

    a lock       somebody reads or writes the table: waited for `lock_timeout`, and so does whoever comes after
    a snapshot   a transaction that began before the deletion may still see the rows, and VACUUM keeps them for it, even
                 where it never touched the table: it, a prepared one or a replication slot is waited for first
    a size       a large table keeps everybody out for as long as it is written: `is_small` says when nobody should be

Outside its reach are copies, and they are the operator's: the write-ahead log, above all its archive, replicas that
lag, backups, snapshots of the volume, and blocks that the file system or the disk frees by itself.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import LargeBinary, Table, make_url

from gateway.store import tables
from gateway.store.erase import OF_AN_EPOCH, SMALL_BYTES, NotErased

OF_A_YOUTH: Final = (
    tables.subject,
    tables.index_token,
    tables.flag,
    tables.duty,
    tables.review,
    tables.review_token,
    tables.relied_link,
    tables.authority,
    tables.authority_party,
)
"""Tables from which a seal deletes rows, or in which it blanks them (`seals.forget`)."""
_WRITTEN: Final = (*OF_AN_EPOCH, tables.alert)
_STATISTICS: Final = "pg_statistic"
_LOCK_TIMEOUT: Final = "3s"
"""Shorter than what an entry waits for the database."""
_TRIES: Final = 50
_PAUSE_SECONDS: Final = 0.1
_NOW: Final = "SELECT pg_current_xact_id()::xid::text"
_SEEN_BY: Final = """
SELECT count(*) FROM (
    SELECT backend_xmin AS xmin FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
    UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL SELECT xmin FROM pg_replication_slots
) AS held WHERE xmin IS NOT NULL AND age(xmin) >= age(%s::xid)
"""


class PostgresErasing:
    """`erase.EpochErasing` on PostgreSQL, and the same for sealed youths. Blocking: call it in a thread."""

    def __init__(self, url: str) -> None:
        """`url` is SQLAlchemy's form, it may hold a password; its user owns the database."""
        self._address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)

    def is_small(self) -> bool:
        """Whether the tables of an epoch are rewritten so fast that entries can wait for it. Raises `NotErased`."""
        with self._connected() as connection:
            return sum(_size(connection, table) for table in _WRITTEN) <= SMALL_BYTES

    def erase_epochs(self, ended: Collection[str], *, rewrite: bool) -> int:
        """As the port says; whatever the database refuses is `NotErased`."""
        with self._connected() as connection:
            count = sum(_delete(connection, table, ended) for table in OF_AN_EPOCH[:2])
            _delete(connection, tables.pepper, ended)
            _forget_digests(connection, ended)
            if rewrite:
                _rewrite(connection, _WRITTEN)
        return count

    def erase_sealed(self) -> None:
        """What seals deleted or blanked before this call is in no file of the tables. Raises `NotErased`."""
        with self._connected() as connection:
            _rewrite(connection, OF_A_YOUTH)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        # A lost connection, a lock that was not given and a server that is stopping are one answer: again, later.
        try:
            with psycopg.connect(self._address, autocommit=True) as connection:
                connection.execute("SELECT set_config('lock_timeout', %s, false)", (_LOCK_TIMEOUT,))
                yield connection
        except psycopg.Error as exc:
            raise NotErased from exc


def _size(connection: psycopg.Connection[Any], table: Table) -> int:
    row = connection.execute("SELECT pg_total_relation_size(%s::regclass)", (table.name,)).fetchone()
    return int(row[0]) if row is not None else 0


def _delete(connection: psycopg.Connection[Any], table: Table, ended: Collection[str]) -> int:
    statement = sql.SQL("DELETE FROM {} WHERE epoch = ANY(%s)").format(sql.Identifier(table.name))
    return connection.execute(statement, (list(ended),)).rowcount


def _forget_digests(connection: psycopg.Connection[Any], ended: Collection[str]) -> None:
    connection.execute("UPDATE alert SET digests = '', epoch = '' WHERE epoch = ANY(%s)", (list(ended),))


def _rewrite(connection: psycopg.Connection[Any], written: Sequence[Table]) -> None:
    for table in written:
        _sample_anew(connection, table)
    _await_snapshots(connection)
    for name in (*(table.name for table in written), _STATISTICS):
        with _unwarned(connection):
            connection.execute(sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(name)))


def _sample_anew(connection: psycopg.Connection[Any], table: Table) -> None:
    """The planner knows the table by what is in it now."""
    name = sql.Identifier(table.name)
    if connection.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)).fetchone() is None:
        # ANALYZE leaves the statistics of an empty table as they were; a column that is given its type has none.
        columns = [each.name for each in table.columns if isinstance(each.type, LargeBinary)]
        typed = sql.SQL(", ").join(sql.SQL("ALTER {} TYPE bytea").format(sql.Identifier(each)) for each in columns)
        if columns:
            connection.execute(sql.SQL("ALTER TABLE {} {}").format(name, typed))
    connection.execute(sql.SQL("ANALYZE {}").format(name))


@contextmanager
def _unwarned(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Raises `NotErased` where the server passed over a table that the user may not rewrite: it only warns."""
    warnings: list[str | None] = []
    connection.add_notice_handler(heard := lambda notice: warnings.append(notice.severity_nonlocalized))
    yield
    connection.remove_notice_handler(heard)
    if "WARNING" in warnings:
        raise NotErased


def _await_snapshots(connection: psycopg.Connection[Any]) -> None:
    """Nobody sees any more what was deleted before this call."""
    (current,) = connection.execute(_NOW).fetchone() or ("",)
    for _ in range(_TRIES):
        (count,) = connection.execute(_SEEN_BY, (current,)).fetchone() or (0,)
        if not count:
            return
        time.sleep(_PAUSE_SECONDS)
    raise NotErased
