"""Signed envelopes: exact bytes, verified first and parsed after.

Protocol buffers have no canonical form, so what was signed is never re-serialized: the
receiver keeps and forwards the very bytes (SECURITY §3.1).
"""

from typing import Final, TypeVar

from google.protobuf.message import Message

from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.signing import SigningKey, verify
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

M = TypeVar("M", bound=Message)

_LABEL: Final = b"homeward/envelope/v1"


def wrap(message: Message, key: SigningKey) -> SignedEnvelope:
    """An envelope with this message, signed."""
    payload_type = message.DESCRIPTOR.full_name
    payload = message.SerializeToString()
    return SignedEnvelope(
        payload_type=payload_type,
        payload=payload,
        key_id=key.key_id,
        signature=key.sign(_LABEL, payload_type.encode(), payload),
    )


def unwrap(envelope: SignedEnvelope, message_type: type[M], public_key: bytes) -> M:
    """The payload, after its signature held under this key and its type is the expected one.

    Raises `SignatureInvalid` when the signature does not hold, `MalformedMessage` when the
    type is another or the payload is not a valid message of it.
    """
    verify(public_key, envelope.signature, _LABEL, envelope.payload_type.encode(), envelope.payload)
    if envelope.payload_type != message_type.DESCRIPTOR.full_name:
        raise MalformedMessage("payload_type: expected_type")
    return parse(message_type, envelope.payload)
