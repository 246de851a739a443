"""A receipt as a message. Pure."""

from audit.receipt import Receipt
from homeward.audit.v1 import log_pb2


def receipt_message(receipt: Receipt) -> log_pb2.Receipt:
    """The receipt as it travels."""
    return log_pb2.Receipt(
        index=receipt.index,
        leaf=receipt.leaf,
        digests=receipt.digests,
        openings=[
            log_pb2.Opening(slot=opening.slot, name=opening.name, value=opening.value, salt=opening.salt)
            for opening in receipt.openings
        ],
        inclusion_hashes=receipt.inclusion_hashes,
        checkpoint=receipt.checkpoint,
    )
