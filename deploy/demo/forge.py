"""What a gateway's operator could do to the whole evidence, with every key they hold: erase an entry and recompute.

Decides a forgery that nothing on the operator's own machine can tell from the truth: one entry is overwritten with a
copy of its neighbor, so that nothing is missing; every hash, root and frontier is computed again; the checkpoint and
the high-water record are signed again with the log's own key; what was published is thrown away. Done to a gateway that
does not run. Uses nothing of the product: an operator would not either.
"""

import base64
import hashlib
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CHOICE: Final = """
select later.idx, later.kind from log_entry as later join log_entry as earlier on earlier.idx = later.idx - 1
where later.requester_seq + later.holder_seq + earlier.requester_seq + earlier.holder_seq = 0
    and later.kind <> earlier.kind order by later.idx desc
"""


@dataclass(frozen=True, slots=True)
class Forged:
    """Another history of `size` entries, in which entry `erased`, of this kind, never was."""

    size: int
    erased: int
    kind: str


def forge_history(gateway: Path) -> Forged:
    """The stopped gateway in this directory tells another history."""
    with closing(sqlite3.connect(gateway / "gateway.db", isolation_level=None)) as database:
        database.execute("begin immediate")
        erased, kind = _overwrite(database)
        stack = _recompute(database)
        (size,) = database.execute("select count(*) from log_entry").fetchone()
        root = _fold(stack)
        note = _signed(gateway, int(size), root)
        database.execute("update log_tree set root = ?, frontier = ?, note = ?", (root, b"".join(stack), note))
        database.execute("commit")
        database.execute("pragma wal_checkpoint(truncate)")
    (gateway / "log.checkpoint").write_text(note, encoding="utf-8")
    shutil.rmtree(gateway / "published")
    return Forged(int(size), erased, kind)


def _overwrite(database: sqlite3.Connection) -> tuple[int, str]:
    """One entry is a copy of the one before it. Neither has an agency's number, so that no number is missing either."""
    erased, kind = database.execute(_CHOICE).fetchone()
    database.row_factory = sqlite3.Row
    neighbor = dict(database.execute("select * from log_entry where idx = ?", (erased - 1,)).fetchone())
    database.row_factory = None
    database.execute("delete from log_entry where idx = ?", (erased,))
    marks = ", ".join("?" for _ in neighbor)
    copied = tuple((neighbor | {"idx": erased}).values())
    database.execute(f"insert into log_entry values ({marks})", copied)  # noqa: S608 - question marks alone
    return int(erased), str(kind)


def _recompute(database: sqlite3.Connection) -> list[bytes]:
    """Every inner node is that of the entries as they stand; returns the roots of the complete subtrees."""
    stack: list[bytes] = []
    nodes: list[tuple[int, int, bytes]] = []
    for index, (hashed,) in enumerate(database.execute("select leaf_hash from log_entry order by idx").fetchall()):
        current, position, level = hashed, index, 0
        while position & 1:
            current = hashlib.sha256(b"\x01" + stack.pop() + current).digest()
            position >>= 1
            level += 1
            nodes.append((level, position, current))
        stack.append(current)
    database.execute("delete from log_node")
    database.executemany("insert into log_node (level, position, hash) values (?, ?, ?)", nodes)
    return stack


def _fold(stack: list[bytes]) -> bytes:
    root = stack[-1]
    for subtree in reversed(stack[:-1]):
        root = hashlib.sha256(b"\x01" + subtree + root).digest()
    return root


def _signed(gateway: Path, size: int, root: bytes) -> str:
    origin, key_id, _ = (gateway / "log.vkey").read_text(encoding="utf-8").strip().split("+", 2)
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    key = Ed25519PrivateKey.from_private_bytes((gateway / "secrets" / "log.key").read_bytes())
    signature = base64.b64encode(bytes.fromhex(key_id) + key.sign(text.encode())).decode()
    return f"{text}\n\u2014 {origin} {signature}\n"
