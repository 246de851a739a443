"""The receipts that an adapter keeps, taken out of its database as files.

Decides which there are (of its agency's own requests, and the decisions on which it answered as a source), their names,
and that a file which is there is never written over. The database is only read, and an adapter may run on it meanwhile.
A name says which request or order and which entry, and nothing of anybody. What a court's seal closed stays closed: of
such a receipt the proof is there, and no field.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine, select

from adapters.audit_entries import opened_of, receipt_of
from adapters.node.store import FILE_NAME
from adapters.node.tables import receipt, work
from audit.receipt import Receipt, parse_receipt
from gateway.protocol.names import RequestId
from gateway.protocol.policy.facts import milliseconds
from homeward.audit.v1 import log_pb2

SUFFIX: Final = ".tlog-proof"


@dataclass(frozen=True, slots=True)
class Period:
    """Times of entries, milliseconds since 1970; None: no bound. `until` is exclusive."""

    since: int | None = None
    until: int | None = None

    def holds(self, moment: int) -> bool:
        """Whether the time lies within."""
        return (self.since is None or self.since <= moment) and (self.until is None or moment < self.until)


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """One receipt, as text and under the name of its file."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of receipts that were to be files."""

    new: tuple[str, ...]
    known: tuple[str, ...]
    """These were there, with the same bytes."""


class NameTaken(Exception):
    """A file of this name is there and holds something else; nothing was written over."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def kept_receipts(state: Path, period: Period, *, request_id: RequestId | None = None) -> Iterator[KeptReceipt]:
    """The receipts of entries of this period, oldest request first; of one request alone where one is named.

    Raises `FileNotFoundError` where no adapter ever ran, `sqlalchemy.exc.DatabaseError` where its database is damaged.
    """
    database = state / FILE_NAME
    if not database.is_file():
        raise FileNotFoundError(database)
    for prefix, identifier, read in _stored(database, request_id):
        _, created = opened_of(read)
        if period.holds(milliseconds(created)):
            yield KeptReceipt(f"{prefix}-{identifier.hex()}-{read.index}{SUFFIX}", read.text())


def write_receipts(receipts: Iterable[KeptReceipt], directory: Path) -> Written:
    """Each is a file of the directory, readable to its owner alone. Raises `NameTaken`, `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    new: list[str] = []
    known: list[str] = []
    for each in receipts:
        path, content = directory / each.name, each.text.encode()
        if path.exists():
            if path.read_bytes() != content:
                raise NameTaken(path)
            known.append(each.name)
            continue
        # Exclusive: whoever else writes here at the same time is not written over either.
        with closing(os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")) as file:
            file.write(content)
        new.append(each.name)
    return Written(tuple(new), tuple(known))


def _stored(database: Path, request_id: RequestId | None) -> Iterator[tuple[str, bytes, Receipt]]:
    engine = create_engine(f"sqlite:///{database.absolute().as_uri()}?mode=ro&uri=true", hide_parameters=True)
    try:
        with engine.connect() as connection:
            own = select(receipt).order_by(receipt.c.create_ms, receipt.c.request_id, receipt.c.leaf_index)
            if request_id is not None:
                own = own.where(receipt.c.request_id == request_id)
            for row in connection.execute(own):
                yield "request", row.request_id, parse_receipt(row.proof)
            if request_id is not None:
                # An order has an identifier of its own.
                return
            answered = select(work.c.work_id, work.c.receipt).where(work.c.receipt.is_not(None))
            for row in connection.execute(answered.order_by(work.c.create_ms, work.c.work_id)):
                yield "order", row.work_id, receipt_of(log_pb2.Receipt.FromString(row.receipt))
    finally:
        engine.dispose()
