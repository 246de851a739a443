"""The oblivious function that turns a keyed match key into a token: RFC 9497, ristretto255-SHA512, key in shares.

    adapter   blind        B = r * H(x)                       the holder learns nothing of x
    holder i  evaluate     Z_i = k_i * B                      k_i is a Shamir share, index i
    adapter   finalize     Z = sum of lambda_i * Z_i = k * B  any `threshold` holders
                           SHA-512 over x and (1/r) * Z       token = first 16 bytes

Homeward uses mode VOPRF: its tokens do not depend on whether a proof travels with the evaluation, so proofs can be
required later without changing a token. Mode OPRF exists because the RFC's vectors for both check the same code.

A batch is refused as a whole: too long, repeated elements, or one bad element mean that no result is returned. The
caller charges its budget before calling, by element, so that a refused batch is not free.
Does not decide who may ask, how often, or what x is.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from gateway.protocol.names import Token
from gateway.protocol.ristretto import (
    ELEMENT_LENGTH,
    SCALAR_LENGTH,
    UNIFORM_LENGTH,
    InvalidElement,
    InvalidScalar,
    LibraryUnavailable,
    Ristretto,
    load_ristretto,
)

MAX_BATCH = 2048
"""Elements: about 0.2 s of a holder's core with its proof, and 64 KiB on the wire."""
MAX_INPUT_LENGTH = 2**16 - 1  # RFC 9497 §3.3.1
OUTPUT_LENGTH = 64
TOKEN_LENGTH = 16
PROOF_LENGTH = 2 * SCALAR_LENGTH


class Mode(IntEnum):
    """The protocol variant; it separates domains, so that one key gives unrelated outputs in two modes."""

    OPRF = 0
    VOPRF = 1


class BatchFault(StrEnum):
    """Why a batch is refused."""

    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG"
    INVALID_ELEMENT = "INVALID_ELEMENT"
    REPEATED_ELEMENT = "REPEATED_ELEMENT"
    LENGTH_MISMATCH = "LENGTH_MISMATCH"
    TOO_FEW_SHARES = "TOO_FEW_SHARES"
    INVALID_SHARE_INDEX = "INVALID_SHARE_INDEX"


class BatchError(ValueError):
    """The whole batch is refused and nothing of it is returned. The text names the fault, never an element."""

    def __init__(self, fault: BatchFault) -> None:
        super().__init__(f"batch refused: {fault.value}")
        self.fault = fault


class ProofError(ValueError):
    """A holder's evaluation is not proven to be under the key it published."""

    def __init__(self) -> None:
        super().__init__("evaluation proof does not verify")


@dataclass(frozen=True, slots=True)
class Suite:
    """The group, and the mode whose domain separation applies."""

    group: Ristretto
    mode: Mode = Mode.VOPRF

    def domain(self, label: bytes) -> bytes:
        """Return the domain separation tag for one use (RFC 9497 §3.1)."""
        return label + b"OPRFV1-" + bytes([self.mode]) + b"-ristretto255-SHA512"


@functools.cache
def load_suite() -> Suite:
    """Return the suite on a libsodium that passed the self-tests, that of proofs among them. One per process.

    Raises `LibraryUnavailable`.
    """
    suite = Suite(load_ristretto())
    check_proofs(suite)
    return suite


def check_proofs(suite: Suite) -> None:
    """Raise `LibraryUnavailable` unless the proof of RFC 9497 Appendix A.1.2, vector 1, is made and no other verifies.

    What the group's own self-test leaves open: a sum, a scalar or a hash that only proofs use.
    """
    key = KeyPair(
        bytes.fromhex("e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909"),
        bytes.fromhex("c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e"),
    )
    blinded = [bytes.fromhex("863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945")]
    evaluated = [bytes.fromhex("aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e")]
    nonce = bytes.fromhex("222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e")
    proof = bytes.fromhex(
        "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd06"
        "6d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d"
    )
    made = generate_proof(suite, key, blinded=blinded, evaluated=evaluated, nonce=nonce)
    if made != proof or not _verifies(suite, key.public, blinded, evaluated, proof):
        raise LibraryUnavailable("libsodium on this machine fails the RFC 9497 self-test of proofs")
    if _verifies(suite, key.public, evaluated, blinded, proof):
        raise LibraryUnavailable("libsodium on this machine takes a wrong proof")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A whole key. In operation nobody has one: keys exist as shares."""

    secret: bytes = field(repr=False)
    public: bytes


@dataclass(frozen=True, slots=True)
class KeyShare:
    """One holder's point on the sharing polynomial: index 1-255, and a canonical non-zero scalar of 32 bytes."""

    index: int
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.index <= 255:
            raise BatchError(BatchFault.INVALID_SHARE_INDEX)
        if len(self.secret) != SCALAR_LENGTH:
            raise InvalidScalar


def derive_key_pair(suite: Suite, seed: bytes, *, info: bytes) -> KeyPair:
    """Return the key pair that RFC 9497 §3.2.1 derives from a secret seed of 32 bytes and public info."""
    if len(seed) != 32 or len(info) > MAX_INPUT_LENGTH:
        raise ValueError("seed must have 32 bytes and info at most 65535")
    for counter in range(256):
        message = seed + _prefixed(info) + bytes([counter])
        secret = suite.group.hash_to_scalar(message, suite.domain(b"DeriveKeyPair"))
        if secret != bytes(SCALAR_LENGTH):
            return KeyPair(secret, suite.group.multiply_base(secret))
    raise InvalidScalar


def random_scalars(suite: Suite, count: int, *, random_bytes: Callable[[int], bytes]) -> list[bytes]:
    """Return so many independent uniform non-zero scalars. `random_bytes` must be a cryptographic source."""
    scalars = suite.group.scalars
    return [scalars.parse(scalars.reduce(random_bytes(UNIFORM_LENGTH))) for _ in range(count)]


def blind(suite: Suite, inputs: Sequence[bytes], blinds: Sequence[bytes]) -> list[bytes]:
    """Return one blinded element per input (RFC 9497 §3.3.1). Each blind is used once and kept for `finalize`."""
    _check_lengths(inputs, blinds)
    domain = suite.domain(b"HashToGroup-")
    pairs = zip(inputs, blinds, strict=True)
    return [suite.group.multiply(secret, suite.group.hash_to_group(_input(text), domain)) for text, secret in pairs]


def evaluate(group: Ristretto, key: bytes, blinded: Sequence[bytes]) -> list[bytes]:
    """Return key * element for a batch of untrusted elements, in order; raises `BatchError` and returns nothing."""
    _check_batch(blinded)
    try:
        # The multiplication itself refuses non-canonical elements; a validity pass before it would cost a tenth more.
        return group.multiply_all(key, blinded)
    except InvalidElement as bad:
        raise BatchError(BatchFault.INVALID_ELEMENT) from bad


def evaluate_share(group: Ristretto, share: KeyShare, blinded: Sequence[bytes]) -> list[bytes]:
    """Return what this holder answers to a batch of untrusted elements; raises `BatchError`."""
    return evaluate(group, share.secret, blinded)


def lagrange_weights(group: Ristretto, indices: Sequence[int]) -> list[bytes]:
    """Return, for each share index, its weight in the polynomial's value at zero. Indices are distinct, 1-255."""
    if len(set(indices)) != len(indices) or not all(1 <= index <= 255 for index in indices):
        raise BatchError(BatchFault.INVALID_SHARE_INDEX)
    return [_lagrange_weight(group, index, [other for other in indices if other != index]) for index in indices]


def finalize(
    group: Ristretto,
    inputs: Sequence[bytes],
    *,
    blinds: Sequence[bytes],
    evaluations: Mapping[int, Sequence[bytes]],
    threshold: int,
) -> list[bytes]:
    """Return the 64-byte outputs for inputs blinded with these blinds, from the untrusted answers by share index.

    Uses the `threshold` lowest indices; with fewer the result would be a wrong token, so `BatchError` is raised. With a
    whole key, as the one share of threshold 1, this is RFC 9497 §3.3.1. Whether a holder used its true share is not
    visible here: only `verify_proof` shows it.
    """
    indices = sorted(evaluations)[:threshold]
    if threshold < 1 or len(indices) < threshold:
        raise BatchError(BatchFault.TOO_FEW_SHARES)
    _check_lengths(inputs, blinds)
    for index in indices:
        _check_batch(evaluations[index])
        _check_lengths(inputs, evaluations[index])
    # Sum of lambda_i * Z_i, times 1/r: as one multiplication for each answer, which is nearly all the work.
    unblinds = group.scalars.invert_all(blinds)
    weighted = zip(lagrange_weights(group, indices), (evaluations[index] for index in indices), strict=True)
    try:
        elements, *others = [_unblinded(group, unblinds, weight, evaluated) for weight, evaluated in weighted]
        for other in others:
            elements = [group.add(left, right) for left, right in zip(elements, other, strict=True)]
    except InvalidElement as bad:
        raise BatchError(BatchFault.INVALID_ELEMENT) from bad
    return [_output(text, element) for text, element in zip(inputs, elements, strict=True)]


def _unblinded(group: Ristretto, unblinds: Sequence[bytes], weight: bytes, evaluated: Sequence[bytes]) -> list[bytes]:
    pairs = zip(unblinds, evaluated, strict=True)
    return [group.multiply(group.scalars.multiply(weight, each), element) for each, element in pairs]


def evaluate_directly(suite: Suite, key: bytes, text: bytes) -> bytes:
    """Return the 64-byte output for one input by whoever has the whole key (RFC 9497 §3.3.1, Evaluate)."""
    element = suite.group.hash_to_group(_input(text), suite.domain(b"HashToGroup-"))
    return _output(text, suite.group.multiply(key, element))


def to_token(output: bytes) -> Token:
    """Return the 16 bytes of an output by which a match key is known outside the county."""
    if len(output) != OUTPUT_LENGTH:
        raise ValueError("an output has 64 bytes")
    return Token(output[:TOKEN_LENGTH])


def generate_proof(
    suite: Suite, key: KeyPair, *, blinded: Sequence[bytes], evaluated: Sequence[bytes], nonce: bytes
) -> bytes:
    """Return 64 bytes that prove one key for the whole batch (RFC 9497 §2.2.1). The nonce: secret, never reused."""
    group, scalars = suite.group, suite.group.scalars
    mask = _weighted_sum(group, _weights(suite, key.public, blinded=blinded, evaluated=evaluated), blinded)
    # Whoever has the key need not add up the other side: it is the key times this one (RFC 9497 §2.2.1).
    composite = group.multiply(key.secret, mask)
    commitments = group.multiply_base(nonce), group.multiply(nonce, mask)
    challenge = _challenge(suite, key.public, mask, composite, *commitments)
    return challenge + scalars.subtract(nonce, scalars.multiply(challenge, key.secret))


def verify_proof(
    suite: Suite, public: bytes, *, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes
) -> None:
    """Raise `ProofError` unless the key behind `public` made the whole untrusted batch (RFC 9497 §2.2.2).

    Raises `BatchError` for a batch that is not two equally long lists of distinct elements.
    """
    if len(proof) != PROOF_LENGTH:
        raise ProofError
    group = suite.group
    try:
        challenge, response = (group.scalars.parse(part) for part in (proof[:SCALAR_LENGTH], proof[SCALAR_LENGTH:]))
        weights = _weights(suite, public, blinded=blinded, evaluated=evaluated)
        mask, composite = _weighted_sum(group, weights, blinded), _weighted_sum(group, weights, evaluated)
        base = group.add(group.multiply_base(response), group.multiply(challenge, public))
        masked = group.add(group.multiply(response, mask), group.multiply(challenge, composite))
    except (InvalidElement, InvalidScalar) as bad:
        raise ProofError from bad
    if not hmac.compare_digest(_challenge(suite, public, mask, composite, base, masked), challenge):
        raise ProofError


def _verifies(suite: Suite, public: bytes, blinded: Sequence[bytes], evaluated: Sequence[bytes], proof: bytes) -> bool:
    try:
        verify_proof(suite, public, blinded=blinded, evaluated=evaluated, proof=proof)
    except ProofError:
        return False
    return True


def _weights(suite: Suite, public: bytes, *, blinded: Sequence[bytes], evaluated: Sequence[bytes]) -> list[bytes]:
    """Return the coefficients of the random linear combination, the same for both sides (RFC 9497 §2.2)."""
    _check_batch(blinded)
    _check_batch(evaluated)
    _check_lengths(blinded, evaluated)
    group = suite.group
    seed = hashlib.sha512(_prefixed(public) + _prefixed(suite.domain(b"Seed-"))).digest()
    pairs = enumerate(zip(blinded, evaluated, strict=True))
    return [
        group.hash_to_scalar(
            _prefixed(seed) + position.to_bytes(2, "big") + _prefixed(left) + _prefixed(right) + b"Composite",
            suite.domain(b"HashToScalar-"),
        )
        for position, (left, right) in pairs
    ]


def _weighted_sum(group: Ristretto, weights: Sequence[bytes], elements: Sequence[bytes]) -> bytes:
    terms = [group.multiply(weight, element) for weight, element in zip(weights, elements, strict=True)]
    total = terms[0]
    for term in terms[1:]:
        total = group.add(total, term)
    return total


def _challenge(suite: Suite, *elements: bytes) -> bytes:
    transcript = b"".join(_prefixed(element) for element in elements) + b"Challenge"
    return suite.group.hash_to_scalar(transcript, suite.domain(b"HashToScalar-"))


def _lagrange_weight(group: Ristretto, index: int, others: Sequence[int]) -> bytes:
    scalars = group.scalars
    numerator, denominator = _scalar(1), _scalar(1)
    for other in others:
        numerator = scalars.multiply(numerator, _scalar(other))
        denominator = scalars.multiply(denominator, scalars.subtract(_scalar(other), _scalar(index)))
    return scalars.multiply(numerator, scalars.invert(denominator))


def _check_batch(elements: Sequence[bytes]) -> None:
    if not elements:
        raise BatchError(BatchFault.EMPTY)
    if len(elements) > MAX_BATCH:
        raise BatchError(BatchFault.TOO_LONG)
    if any(len(element) != ELEMENT_LENGTH for element in elements):
        raise BatchError(BatchFault.INVALID_ELEMENT)
    # Honest blinding never repeats an element; a repeat is a probe, or a caller with broken randomness.
    if len(set(elements)) != len(elements):
        raise BatchError(BatchFault.REPEATED_ELEMENT)


def _check_lengths(left: Sequence[bytes], right: Sequence[bytes]) -> None:
    if len(left) > MAX_BATCH:
        raise BatchError(BatchFault.TOO_LONG)
    if len(left) != len(right):
        raise BatchError(BatchFault.LENGTH_MISMATCH)


def _output(text: bytes, element: bytes) -> bytes:
    return hashlib.sha512(_prefixed(_input(text)) + _prefixed(element) + b"Finalize").digest()


def _input(text: bytes) -> bytes:
    if len(text) > MAX_INPUT_LENGTH:
        raise ValueError("an input has at most 65535 bytes")
    return text


def _prefixed(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _scalar(value: int) -> bytes:
    return value.to_bytes(SCALAR_LENGTH, "little")
