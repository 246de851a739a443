"""A receipt as a message, and what is open in that of a machine's call. Pure."""

from typing import Final

from audit.receipt import Receipt
from gateway.ports import Entered
from homeward.audit.v1 import log_pb2

ACT_OPENS: Final = frozenset({"kind", "request", "certificate"})
"""Of a machine-only call: what it was, and the bytes that were signed or the certificate that was issued."""


def act_receipt(entered: Entered) -> log_pb2.Receipt:
    """The receipt of what an agency's machine said, with enough open for the machine to know it again."""
    return receipt_message(entered.receipt(ACT_OPENS))


def receipt_message(receipt: Receipt) -> log_pb2.Receipt:
    """The receipt as it travels."""
    message = log_pb2.Receipt(
        index=receipt.index,
        leaf=receipt.leaf,
        digests=receipt.digests,
        inclusion_hashes=receipt.inclusion_hashes,
        checkpoint=receipt.checkpoint,
    )
    # In their place: each that is made before is copied, which takes as long as all the rest.
    add = message.openings.add
    for slot, name, value, salt in receipt.openings:
        add(slot=slot, name=name, value=value, salt=salt)
    return message
