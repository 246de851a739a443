"""A receipt as a message. Pure."""

from audit.receipt import Receipt
from homeward.audit.v1 import log_pb2


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
