"""Proof that an entry is in the log, to be kept and checked offline; as text it is a C2SP tlog-proof@v1.

Decides what a receipt holds, its text form and how it is verified. In the text form the leaf, its digests and the
openings travel in the `extra` line, which is not trusted: all of it is checked against the proof.
"""

from __future__ import annotations

import re

from audit import leaf as fmt
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.entry import Opening, check_openings
from audit.errors import DraftError, EvidenceError, EvidenceReason
from audit.hot_value import hot_value
from audit.merkle import HASH_BYTES, check_inclusion, leaf_hash
from audit.note import decode_base64, encode_base64

HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_FIXED = fmt.LEAF_BYTES + fmt.SLOTS * fmt.DIGEST_BYTES
MAX_TEXT_CHARACTERS = 256 * 1024
MAX_PATH = 63


@hot_value
class Receipt:
    """An entry, with the fields its holder may see, and its place in the log. Unverified until `verify`."""

    index: int
    leaf: bytes
    digests: bytes
    openings: tuple[Opening, ...]
    inclusion_hashes: tuple[bytes, ...]
    checkpoint: str

    def verify(self, key: LogKey) -> Checkpoint:
        """Returns the signed checkpoint that covers the entry; everything in the receipt then holds.

        Raises EvidenceError with the reason otherwise. Says nothing about how new the checkpoint is.
        """
        check_openings(self.leaf, self.digests, self.openings)
        checkpoint = parse_checkpoint(self.checkpoint, key)
        check_inclusion(
            hashed_leaf=leaf_hash(self.leaf),
            index=self.index,
            size=checkpoint.size,
            proof=self.inclusion_hashes,
            root=checkpoint.root,
        )
        return checkpoint

    def text(self) -> str:
        """Returns the receipt as a tlog-proof."""
        extra = self.leaf + self.digests + b"".join(_encode_opening(opening) for opening in self.openings)
        lines = [HEADER, f"extra {encode_base64(extra)}", f"index {self.index}"]
        lines += [encode_base64(item) for item in self.inclusion_hashes]
        return "\n".join(lines) + "\n\n" + self.checkpoint


def parse_receipt(text: str) -> Receipt:
    """Returns the receipt behind an untrusted text, unverified. Raises EvidenceError for any other form."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise EvidenceError(EvidenceReason.FORMAT, "the receipt is too long")
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or not 3 <= len(lines) <= 3 + MAX_PATH or lines[0] != HEADER:
        raise EvidenceError(EvidenceReason.FORMAT, "not a tlog-proof")
    index = _INDEX.fullmatch(lines[2])
    if not lines[1].startswith("extra ") or index is None:
        raise EvidenceError(EvidenceReason.FORMAT, "a receipt needs an extra line and an index line")
    extra = decode_base64(lines[1].removeprefix("extra "))
    hashes = tuple(decode_base64(line) for line in lines[3:])
    if len(extra) < _FIXED or any(len(item) != HASH_BYTES for item in hashes):
        raise EvidenceError(EvidenceReason.FORMAT, "the receipt's leaf, digests or hashes are cut short")
    leaf, digests = extra[: fmt.LEAF_BYTES], extra[fmt.LEAF_BYTES : _FIXED]
    return Receipt(int(index[1]), leaf, digests, _decode_openings(extra[_FIXED:]), hashes, checkpoint)


def _encode_opening(opening: Opening) -> bytes:
    size = len(opening.value).to_bytes(2, "big")
    return bytes((opening.slot,)) + fmt.name_bytes(opening.name) + size + opening.value + opening.salt


def _decode_openings(data: bytes) -> tuple[Opening, ...]:
    found: list[Opening] = []
    at = 0
    while at < len(data):
        name_end = at + 2 + (data[at + 1] if at + 1 < len(data) else len(data))
        value_end = name_end + 2 + int.from_bytes(data[name_end : name_end + 2], "big")
        end = value_end + fmt.SALT_BYTES
        if end > len(data):
            raise EvidenceError(EvidenceReason.FORMAT, "an opening is cut short")
        name = data[at + 2 : name_end].decode("ascii", "replace")
        try:
            fmt.name_bytes(name)
        except DraftError as exc:
            raise EvidenceError(EvidenceReason.FORMAT, "an opening has an impossible name") from exc
        found.append(Opening(data[at], name, data[name_end + 2 : value_end], data[value_end:end]))
        at = end
    return tuple(found)
