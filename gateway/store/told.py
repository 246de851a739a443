"""What an entry says of the alerts it causes: which rows there must be, so that none is lost on a county unseen.

Alerts are all that tells a county that another agency asked about its youth, or has found it, and whoever edits the
gateway's database could take one out and renumber the rest. So the entry that causes alerts holds digests of their
rows, agency and number among what is digested. A start, `fsck` and each round of a mirror read the entries and compare:
what an entry names must be there, and nothing else. No alert is ever removed or renumbered, neither when it is
acknowledged nor with a seal; what ends in a row is what ends with an epoch of the token key.

Decides what the entry holds, in the annex of its box of class OP (`audit.entry`): a triple for each row,

    triple    said | ending | until, 16 bytes each
    said      SHA-256("homeward/told/v1\\0" | agency, sequence, kind, acting agency, purpose, time, notice, mark,
              sealed)
    ending    SHA-256("homeward/told-ending/v1\\0" | said, digests, epoch)
    until     SHA-256("homeward/told-until/v1\\0" | said, epoch): by it a row whose digests are gone may be told from
              one that has lost them while their epoch lives

Each part is its length, u32 big-endian, and its bytes: text in UTF-8, a number as eight bytes. A digest is cut to its
first 16 bytes.

It is no field, so that it is opened to nobody: that an entry told somebody would tell whoever asked that there is
somebody to tell. And it stands in class OP, whose key outlives a youth's, because the rows of a sealed youth must be
there as well. It leads to nothing but those rows, which say in the clear which entry they are of; two entries about one
youth have no byte of it in common.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, insert, or_, select

from audit.entry import FieldClass, read_annex, read_values
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.ports import Says
from gateway.protocol.epochs import EpochState
from gateway.protocol.log_kinds import Kind
from gateway.protocol.succession import ALERTS_OF_A_LOG
from gateway.store.notice_rows import CopyRow, Key, NoticeRows, SentRow
from gateway.store.succession import succession_count
from gateway.store.tables import alert, epoch

Row = tuple[Any, ...]
"""Of the table, in the order of its columns."""
_SAID_LABEL: Final = b"homeward/told/v1\0"
_ENDING_LABEL: Final = b"homeward/told-ending/v1\0"
_UNTIL_LABEL: Final = b"homeward/told-until/v1\0"
_UNTOLD_LABEL: Final = b"homeward/untold/v1\0"
_DIGEST_BYTES: Final = 16
_TRIPLE_BYTES: Final = 3 * _DIGEST_BYTES
_PAGE: Final = 1000
_ENDED: Final = (EpochState.ENDING, EpochState.ENDED)
_INSERT: Final = Statement(insert(alert))
_NEWEST: Final = Statement(
    # Alerts may be lost that an adapter has: their numbers are not given again (`protocol.succession`).
    select(func.max(alert.c.sequence), succession_count()).where(alert.c.agency == bindparam("agency_")),
    "agency_",
)
_ENTRIES: Final = Statement(
    select(ENTRY.c.idx, ENTRY.c.nonce, ENTRY.c.box_op)
    .where(ENTRY.c.idx > bindparam("after_"))
    .order_by(ENTRY.c.idx)
    .limit(bindparam("page_")),
    "after_",
    "page_",
)
_ROWS: Final = Statement(
    select(alert)
    .where(and_(alert.c.leaf_index > bindparam("after_"), alert.c.leaf_index <= bindparam("last_")))
    .order_by(alert.c.leaf_index, alert.c.agency, alert.c.sequence),
    "after_",
    "last_",
)
_MENDED: Final = Statement(
    select(ENTRY.c.idx, ENTRY.c.nonce, ENTRY.c.box_op)
    .where(ENTRY.c.kind == bindparam("kind_"))
    .order_by(ENTRY.c.idx.desc())
    .limit(1),
    "kind_",
)
_EPOCHS: Final = Statement(select(epoch.c.name, epoch.c.state, epoch.c.leaf_index))
_NO_ENTRY: Final = Statement(
    select(alert)
    .where(or_(alert.c.leaf_index > bindparam("last_"), alert.c.leaf_index < 0))
    .order_by(alert.c.leaf_index, alert.c.agency, alert.c.sequence),
    "last_",
)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as its row keeps it, but for its number and its entry."""

    agency: str
    kind: int
    acting_agency: str
    purpose: str
    create_ms: int
    notice_id: bytes = b""
    mark: bytes = b""
    sealed: bytes = field(default=b"", repr=False)
    digests: bytes = field(default=b"", repr=False)
    epoch: str = ""

    def values(self, sequence: int, index: int) -> Row:
        """The row of this number by the entry at this index, in the order of the table's columns."""
        said = (self.kind, self.acting_agency, self.purpose, self.create_ms, self.notice_id, self.mark, self.sealed)
        return (self.agency, sequence, *said, self.digests, self.epoch, index)


@dataclass(frozen=True, slots=True, order=True)
class Untold:
    """A row that an entry names and that is not there."""

    index: int
    said: bytes


@dataclass(slots=True)
class ComparedAlerts:
    """The rows of alerts, judged."""

    wrong: dict[tuple[str, int], int] = field(default_factory=dict)
    """Rows that are not what an entry names, by agency and number, with the entry that they, or it, say."""
    missing: list[Untold] = field(default_factory=list)
    copies: dict[Key, CopyRow | None] = field(default_factory=dict)
    """Copies of notices that are not what they must be, with that; None for one too many."""
    notices: dict[bytes, SentRow | None] = field(default_factory=dict)
    """Notices, likewise."""


@dataclass(frozen=True, slots=True)
class Told:
    """Whom each entry told, as a replay asks; in one snapshot."""

    untold: Counter[int]
    """Of each entry, how many alerts are not there as it names them and no declared loss accounts for, or are one too
    many."""
    lost: frozenset[int]
    """Entries of which a declared loss took an alert."""

    @classmethod
    def read(cls, tx: Tx, op_key: bytes) -> "Told":
        """By all entries and rows."""
        compared = compare_alerts(tx, op_key, {name: (state, index) for name, state, index in tx.all(_EPOCHS)})
        mended, untold = _last_mended(tx, op_key)
        unsaid = unaccounted(compared.missing, mended=mended, untold=untold)
        wrong = Counter([*compared.wrong.values(), *(each.index for each in unsaid)])
        return cls(wrong, frozenset(each.index for each in compared.missing))

    def agencies(self, tx: Tx, first: int, last: int) -> Mapping[int, frozenset[str] | None]:
        """Whom entries from this to that index told, those alone that told somebody; None where one may be missing."""
        rows = _by_entry(tx.all(_ROWS, (first - 1, last)))
        told = {index: frozenset(row[0] for row in each) for index, each in rows.items()}
        return {**told, **dict.fromkeys(self.lost)}


def telling(rows: Sequence[AlertRow]) -> Says:
    """The alerts are next in the sequences of their agencies, in this order, and the entry names them."""

    def says(tx: Tx, index: int) -> bytes:
        told = b""
        for row in rows:
            values = row.values(_next(tx, row.agency), index)
            tx.later(_INSERT, values)
            told += triple_of(values)
        return told

    return says


def compare_alerts(tx: Tx, op_key: bytes, epochs: Mapping[str, tuple[str, int]]) -> ComparedAlerts:
    """Which rows are what the entries say. `epochs` are those of the token key, with the entry by which each is so."""
    compared, last, notices = ComparedAlerts(), -1, NoticeRows.read(tx, op_key)
    ended = {name: index for name, (state, index) in epochs.items() if state in _ENDED}
    while entries := tx.all(_ENTRIES, (last, _PAGE)):
        before, last = last, entries[-1][0]
        rows = _by_entry(tx.all(_ROWS, (before, last)))
        for index, nonce, box in entries:
            told = read_annex(nonce, box, op_key)
            if told:
                gone = [name for name, end in ended.items() if index < end]
                _compare(compared, index, told, rows.pop(index, []), gone, notices)
        _refuse(compared, rows)
    _refuse(compared, _by_entry(tx.all(_NO_ENTRY, (last,))))
    compared.copies, compared.notices = dict(notices.wrong_copies()), dict(notices.wrong_sent())
    return compared


def unaccounted(missing: Sequence[Untold], *, mended: int, untold: bytes) -> Sequence[Untold]:
    """Of missing alerts those that no declared loss accounts for.

    `mended` is the index of the entry that says which were lost then, by `untold_digest`. None ever comes back, so that
    they must be the same.
    """
    gone = [each for each in missing if each.index < mended]
    return [each for each in missing if each.index >= mended] if untold_digest(gone) == untold else missing


def untold_digest(missing: Sequence[Untold]) -> bytes:
    """Which alerts are missing, so that none is taken out in the place of one that is put back; empty for none."""
    named = b"".join(each.index.to_bytes(8, "big") + each.said for each in sorted(missing))
    return sha256(_UNTOLD_LABEL + named).digest() if missing else b""


def _last_mended(tx: Tx, op_key: bytes) -> tuple[int, bytes]:
    """The last entry that says which rows are lost, -1 for none; and which alerts."""
    row = tx.one(_MENDED, (str(Kind.TABLES_MENDED),))
    if row is None:
        return -1, b""
    index, nonce, box = row
    said = read_values(nonce, box, FieldClass.OP, op_key)
    return index, bytes.fromhex(said.get("untold", b"").decode())


def _next(tx: Tx, agency: str) -> int:
    """The number after the agency's newest, announced ones among them."""
    announced = tx.announced(_INSERT, agency)
    if announced is not None:
        return int(announced[1]) + 1
    ((newest, count),) = tx.by_key(_NEWEST, (agency,), written_by=_INSERT)
    return int(max(newest or 0, count * ALERTS_OF_A_LOG)) + 1


def _compare(
    compared: ComparedAlerts, index: int, told: bytes, rows: list[Row], gone: list[str], notices: NoticeRows
) -> None:
    """Of one entry. `gone` are the epochs that have ended since. An alert whose notice is lost is lost with it."""
    named = {said: rest for said, *rest in map(_parts, _triples(told))}
    for row in rows:
        said, ending, _ = _parts(triple_of(row)) if _is_typed(row) else (b"", b"", b"")
        then, until = named.get(said, (None, None))
        is_named = then == ending or (_is_blank(row) and until in _until(said, gone))
        if is_named and notices.go_with(row):
            del named[said]
        else:
            compared.wrong[row[0], row[1]] = index
    compared.missing += [Untold(index, said) for said in sorted(named)]


def _refuse(compared: ComparedAlerts, rows: Mapping[int, list[Row]]) -> None:
    """No entry names these."""
    compared.wrong |= {(row[0], row[1]): index for index, each in rows.items() for row in each}


def triple_of(row: Row) -> bytes:
    """What the entry says of this row, which names the entry itself."""
    *open_part, digests, epoch, _ = row
    said = _digest(_SAID_LABEL, open_part)
    return said + _digest(_ENDING_LABEL, (said, digests, epoch)) + _digest(_UNTIL_LABEL, (said, epoch))


def _triples(told: bytes) -> Iterator[bytes]:
    return (told[at : at + _TRIPLE_BYTES] for at in range(0, len(told), _TRIPLE_BYTES))


def _parts(triple: bytes) -> tuple[bytes, bytes, bytes]:
    """Said, ending and until."""
    return triple[:_DIGEST_BYTES], triple[_DIGEST_BYTES : 2 * _DIGEST_BYTES], triple[2 * _DIGEST_BYTES :]


def _until(said: bytes, epochs: Iterable[str]) -> list[bytes]:
    """What the entry says of this row if its digests are of one of these epochs."""
    return [_digest(_UNTIL_LABEL, (said, name)) for name in epochs]


def _digest(label: bytes, parts: Sequence[Any]) -> bytes:
    hashed = sha256(label)
    for part in parts:
        content = part.to_bytes(8, "big") if isinstance(part, int) else part.encode() if isinstance(part, str) else part
        hashed.update(len(content).to_bytes(4, "big") + content)
    return hashed.digest()[:_DIGEST_BYTES]


def _is_typed(row: Row) -> bool:
    """Whether every value is of its column's type: SQLite keeps what it is given, and bytes that read as an agency's
    name would be digested alike, and be found by nobody who asks for that agency's alerts."""
    return all(type(value) is column.type.python_type for value, column in zip(row, alert.c, strict=True))


def _is_blank(row: Row) -> bool:
    """Whether what the row says of an epoch's tokens is gone, or never was."""
    return not row[-3] and not row[-2]


def _by_entry(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row[-1], []).append(row)
    return found
