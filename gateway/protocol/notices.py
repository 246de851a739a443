"""A notice of a seal or a recall, from the exchange to one agency: sealed, and as long as every other. Pure."""

from collections.abc import Iterable
from typing import Final

from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.sealing import SealBroken, SealKey, open_bytes, seal_bytes
from homeward.gateway.v1.sealing_pb2 import NoticeContent

_INFO: Final = b"homeward/notice/v1\0"
_STEP: Final = 1024
"""Sizes are multiples of this: room for some three hundred entries in the first."""
_LEAST: Final = 128
_OVERHEAD: Final = 3
"""Tag and two octets of length, which a padding of `_LEAST` to 16383 bytes always takes."""


def seal_notice(notice_id: bytes, indexes: Iterable[int], recipient_key: bytes) -> bytes:
    """Which entries the notice means, for the agency with this seal key. Raises ValueError when the key is not one."""
    content = NoticeContent(leaf_indexes=indexes)
    content.padding = bytes(-(content.ByteSize() + _OVERHEAD + _LEAST) % _STEP + _LEAST)
    return seal_bytes(content.SerializeToString(), recipient_key, _INFO + notice_id)


def open_notice(notice_id: bytes, sealed: bytes, seal_key: SealKey) -> list[int]:
    """The entries that the notice means. Raises `SealBroken`."""
    try:
        return list(parse(NoticeContent, open_bytes(sealed, seal_key, _INFO + notice_id)).leaf_indexes)
    except MalformedMessage as exc:
        raise SealBroken from exc
