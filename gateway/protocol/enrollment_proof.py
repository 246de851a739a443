"""Who redeems an invitation has the private envelope key that the request names.

The statements that a request brings stand in the directory, for every member to read: they prove that the county said
so once, and nothing of who brings them. So the envelope key signs what is in no other request: the ticket and the
channel key to be certified.
"""

from hashlib import sha256
from typing import Final

from gateway.protocol.signing import SigningKey, verify
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest

_LABEL: Final = b"homeward/enrollment/v1"


def sign_request(request: EnrollRequest, key: SigningKey) -> None:
    """The request carries the signature of this envelope key; ticket and certificate request are final."""
    request.signature = key.sign(_LABEL, *_signed(request))


def check_request(request: EnrollRequest, public_key: bytes) -> None:
    """The request is signed by this envelope key. Raises `SignatureInvalid` otherwise."""
    verify(public_key, request.signature, _LABEL, *_signed(request))


def _signed(request: EnrollRequest) -> tuple[bytes, ...]:
    return sha256(request.ticket).digest(), request.certificate_request, request.instance.encode()
