"""Blinded batches for tests, and the check of what comes back."""

import os

from gateway.protocol import oprf
from gateway.protocol.envelope import wrap
from gateway.protocol.ristretto import load_ristretto
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, BlindedBatch, EvaluateResponse
from tests.unit.members.world import County

SUITE = oprf.Suite(load_ristretto())


def blinded(inputs: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Blinds and blinded elements."""
    blinds = oprf.random_scalars(SUITE, len(inputs), random_bytes=os.urandom)
    return blinds, oprf.blind(SUITE, inputs, blinds)


def batch(county: County, elements: list[bytes], **changes: object) -> SignedEnvelope:
    message = BlindedBatch(
        request_id=os.urandom(16), epoch="e1", record_count=1, elements=elements, use=EVALUATION_USE_LOOKUP
    )
    for name, value in changes.items():
        setattr(message, name, value)
    return wrap(message, county.envelope_key)


def check_proof(commitment: bytes, elements: list[bytes], answer: EvaluateResponse) -> None:
    oprf.verify_proof(SUITE, commitment, blinded=elements, evaluated=list(answer.elements), proof=answer.proof)
