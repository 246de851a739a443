"""Where the log's high-water record lies, and that it lies there before the log is opened.

Decides that its directory is never made (storage that is not mounted looks like an empty directory of the machine's own
disk), that a record is taken over from the process's own directory once, and that one which is gone is made anew only
by whoever explains it. A record that lies with the database is put back with it, and then tells nothing; that is said
and not refused, because adapters still tell (`publishing.shown`).

Taking over never lowers: where both places hold a record the larger counts, as after a directory was put back to before
the setting. A stop mark goes first, so that nothing opens a stopped log by moving its record.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from audit.checkpoint import LogKey, LogSigner
from audit.errors import StopReason
from audit.highwater import HighWater, newest_note, read_high_water
from audit.reader import Reader
from audit.stopping import StopMark
from audit.store_sqlite import SqliteStore
from gateway.recovery.record_lines import RecordPlace
from gateway.state import State
from homeward.replacing import settle_path

_LOG: Final = logging.getLogger(__name__)


class RecordRefused(Exception):
    """The high-water record cannot be used where the settings say. Names the file or directory."""


def settle_record(state: State, key: LogKey) -> None:
    """The record is where the settings say, can be written there, and is nowhere else. The caller holds the log.

    Raises `RecordRefused`, OSError, EvidenceError for a record that this log did not sign.
    """
    directory = state.high_water.parent
    if not directory.is_dir():
        raise RecordRefused(f"{directory} is not there, or no directory")
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise RecordRefused(f"{directory} cannot be written by this process")
    if not directory.samefile(state.directory):
        _take_over(state, key)
    if not state.high_water.is_file():
        raise RecordRefused(f"{state.high_water} is missing; what this log has signed is not known without it")
    if not os.access(state.high_water, os.R_OK | os.W_OK):
        raise RecordRefused(f"{state.high_water} cannot be read and written by this process")


def make_anew(state: State, signer: LogSigner) -> None:
    """A record that is gone is made from what is stored; the log counts as stopped until that is explained.

    Nothing is done where there is one. The caller holds the log. Raises `RecordRefused`, OSError, EvidenceError.
    """
    try:
        settle_record(state, signer.public)
    except RecordRefused:
        if state.high_water.exists() or not state.high_water.parent.is_dir():
            raise
        # The mark first: a crash must not leave a low record that nobody has explained.
        StopMark(state.high_water).make(StopReason.RECORD)
        _write(state, signer.sign(*_stored(state)))


def records(state: State) -> Sequence[Path]:
    """Every record there is of this log: where the settings say, and one that was not taken over yet."""
    places = dict.fromkeys((state.high_water, _own(state)))
    return [path for path in places if path.is_file()]


def place_of_record(state: State) -> RecordPlace:
    """Where the record lies, seen from the database."""
    try:
        together = state.high_water.parent.stat().st_dev == state.database.stat().st_dev
    except OSError:
        return RecordPlace.MISSING
    return RecordPlace.SAME_FILE_SYSTEM if together else RecordPlace.APART


def told_place(state: State) -> RecordPlace:
    """The same at a start, which says so where they are together."""
    place = place_of_record(state)
    if place is RecordPlace.SAME_FILE_SYSTEM:
        _LOG.warning("the high-water record lies with the log's database", extra={"reason": place})
    return place


def _own(state: State) -> Path:
    """Where the record lies until the settings put it elsewhere."""
    return replace(state, record=None).high_water


def _take_over(state: State, key: LogKey) -> None:
    left = _own(state)
    reason = StopMark(left).read()
    if reason is not None:
        StopMark(state.high_water).make(reason)
        if StopMark(state.high_water).read() is None:
            raise RecordRefused(f"{state.high_water.parent} takes no mark of why the log had stopped")
    if left.is_file():
        checkpoint, note = newest_note(left, key)
        if not state.high_water.exists() or read_high_water(state.high_water, key).size < checkpoint.size:
            _write(state, note)
        left.unlink()
    StopMark(left).clear()
    settle_path(state.directory)


def _write(state: State, note: str) -> None:
    """The record is this note, at once or not at all."""
    partial = state.high_water.with_name(f"{state.high_water.name}.new")
    partial.unlink(missing_ok=True)
    HighWater(partial).create(note)
    partial.replace(state.high_water)
    settle_path(state.high_water.parent)


def _stored(state: State) -> tuple[int, bytes]:
    reader = Reader(SqliteStore(state.database))
    try:
        tree = reader.tree()
    finally:
        reader.close()
    return tree.size, tree.root
