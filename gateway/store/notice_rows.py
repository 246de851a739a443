"""What the rows of notices must be: a copy for each alert of a notice, as it was sent, until an entry says it answered.

A notice travels with an alert, which its entry names (`told`), and the alert says how the copy was sent
(`exchange.notices.sent_as`); who has answered, and what, is an entry of its own. So whoever edits the gateway's
database can neither keep a notice from an agency nor tell the sender that it was acted on. The sealed bytes alone are
said by nobody once they are gone: a copy without them is lost, and its alert with it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from audit.entry import FieldClass, read_values
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.exchange.notices import read_sent_as
from gateway.protocol.log_kinds import Kind
from gateway.store.tables import notice_copy, sent_notice
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE
from homeward.gateway.v1.sealing_pb2 import NoticeFinding

Key = tuple[bytes, str]
"""Of a copy: its notice, and whose it is."""
_COPIES: Final = Statement(select(notice_copy))
_SENT: Final = Statement(select(sent_notice))
_ANSWERS: Final = Statement(
    select(ENTRY.c.idx, ENTRY.c.nonce, ENTRY.c.box_op, ENTRY.c.requester)
    .where(ENTRY.c.kind == bindparam("kind_"))
    .order_by(ENTRY.c.idx),
    "kind_",
)


class CopyRow(NamedTuple):
    """A copy as its row keeps it, but for its key."""

    sealed: object
    """Bytes, unless somebody put in anything else: SQLite keeps what it is given."""
    key_id: bytes
    finding: int
    leaf_index: int


class SentRow(NamedTuple):
    """A notice as its row keeps it, but for its identifier."""

    owner: str
    kind: int
    create_ms: int
    leaf_index: int


@dataclass(slots=True)
class NoticeRows:
    """The rows of notices as they are stored, and what they must be, by the alerts that were looked at."""

    copies: Mapping[Key, CopyRow]
    sent: Mapping[bytes, SentRow]
    answers: Mapping[Key, tuple[int, int]]
    """Of whoever answered its last finding, and the entry that says so."""
    said_copies: dict[Key, CopyRow] = field(default_factory=dict)
    said_sent: dict[bytes, SentRow] = field(default_factory=dict)

    @classmethod
    def read(cls, tx: Tx, op_key: bytes) -> "NoticeRows":
        """The rows, and the answers, by all entries."""
        copies = {(notice_id, agency): CopyRow(*rest) for notice_id, agency, *rest in tx.all(_COPIES)}
        sent = {notice_id: SentRow(*rest) for notice_id, *rest in tx.all(_SENT)}
        answers = {}
        for index, nonce, box, agency in tx.all(_ANSWERS, (str(Kind.NOTICE_ACKNOWLEDGED),)):
            said = read_values(nonce, box, FieldClass.OP, op_key)
            finding = NoticeFinding.Value(said["outcome"].decode())
            answers[bytes.fromhex(said["notice"].decode()), agency] = finding, index
        return cls(copies, sent, answers)

    def go_with(self, alert: Any) -> bool:
        """Whether what goes with this row of an alert is there, or answered; anything but a notice goes alone."""
        agency, _, kind, acting, _, create_ms, notice_id, _, said, *_, leaf_index = alert
        if kind != ALERT_KIND_NOTICE:
            return True
        key, sent_as = (notice_id, agency), read_sent_as(said)
        copy, answer = self.copies.get(key), self.answers.get(key)
        if answer is not None:
            self.said_copies[key] = CopyRow(b"", sent_as.key_id, *answer)
        elif copy is None or not isinstance(copy.sealed, bytes) or sha256(copy.sealed).digest() != sent_as.digest:
            return False
        else:
            self.said_copies[key] = CopyRow(copy.sealed, sent_as.key_id, 0, leaf_index)
        self.said_sent[notice_id] = SentRow(acting, sent_as.kind, create_ms, leaf_index)
        return True

    def wrong_copies(self) -> Iterator[tuple[Key, CopyRow | None]]:
        """Copies that are not what they must be, with that; None for one too many."""
        return _wrong(self.copies, self.said_copies)

    def wrong_sent(self) -> Iterator[tuple[bytes, SentRow | None]]:
        """Notices, likewise."""
        return _wrong(self.sent, self.said_sent)


def _wrong(stored: Mapping[Any, Any], said: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    return ((key, said.get(key)) for key in {*stored, *said} if stored.get(key) != said.get(key))
