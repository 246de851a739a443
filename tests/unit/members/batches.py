"""Blinded batches for tests, and the check of what comes back."""

import os

from gateway.config import Budgets
from gateway.protocol import oprf
from gateway.protocol.envelope import wrap
from gateway.protocol.ristretto import load_ristretto
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, BlindedBatch, EvaluateResponse
from tests.unit.members.world import County

SUITE = oprf.Suite(load_ristretto())
A_RECORD = Budgets().elements_a_record
WORKER = b"w" * 16


def blinded(inputs: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Blinds and blinded elements."""
    blinds = oprf.random_scalars(SUITE, len(inputs), random_bytes=os.urandom)
    return blinds, oprf.blind(SUITE, inputs, blinds)


def record(count: int = 1) -> list[bytes]:
    """The blinded elements of so many whole records."""
    return blinded([os.urandom(32) for _ in range(count * A_RECORD)])[1]


def batch(county: County, elements: list[bytes], **changes: object) -> SignedEnvelope:
    """A signed batch of as many records as the elements make; for a look-up unless `use` says otherwise."""
    use = changes.get("use", EVALUATION_USE_LOOKUP)
    message = BlindedBatch(
        request_id=os.urandom(16),
        epoch="e1",
        generation=1,
        record_count=max(1, len(elements) // A_RECORD),
        elements=elements,
        worker=WORKER if use == EVALUATION_USE_LOOKUP else b"",
    )
    for name, value in {"use": use, **changes}.items():
        setattr(message, name, value)
    return wrap(message, county.envelope_key)


def check_proof(commitment: bytes, elements: list[bytes], answer: EvaluateResponse) -> None:
    oprf.verify_proof(SUITE, commitment, blinded=elements, evaluated=list(answer.elements), proof=answer.proof)
