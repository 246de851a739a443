"""The prime-order group ristretto255, from libsodium and nowhere else.

Decides which libsodium is used and when it is trusted:

1. the system's library, if it has every function named below (libsodium 1.0.18 or later);
2. else the one inside the installed `rbcl` wheel, mapped from memory;
3. either only after it reproduces an RFC 9497 test vector and refuses the two classes of bad point.

Does not decide what is computed with the group (`oprf` does). Calls release the GIL (`ctypes.CDLL`), so threads
evaluate in parallel. Elements and scalars are 32 bytes, little-endian, as RFC 9496 encodes them.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import hashlib
import hmac
import importlib.util
import itertools
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

ELEMENT_LENGTH = 32
SCALAR_LENGTH = 32
UNIFORM_LENGTH = 64
# RFC 9496 §4.4. Only the offline ceremony calculates with it; everything else goes through `Scalars`.
ORDER = 2**252 + 27742317777372353535851937790883648493

_IDENTITY = bytes(ELEMENT_LENGTH)
_SHA512_BLOCK = 128

# name -> (number of byte-string arguments, returns a status); every result goes to the first argument.
_FUNCTIONS: dict[str, tuple[int, bool]] = {
    "crypto_scalarmult_ristretto255": (3, True),
    "crypto_scalarmult_ristretto255_base": (2, True),
    "crypto_core_ristretto255_add": (3, True),
    "crypto_core_ristretto255_from_hash": (2, True),
    "crypto_core_ristretto255_is_valid_point": (1, True),
    "crypto_core_ristretto255_scalar_reduce": (2, False),
    "crypto_core_ristretto255_scalar_invert": (2, True),
    "crypto_core_ristretto255_scalar_add": (3, False),
    "crypto_core_ristretto255_scalar_sub": (3, False),
    "crypto_core_ristretto255_scalar_mul": (3, False),
}


class LibraryUnavailable(Exception):
    """No libsodium on this machine can be loaded and passes the self-test."""


class InvalidElement(ValueError):
    """Bytes that are not the canonical encoding of a group element other than the identity."""

    def __init__(self) -> None:
        super().__init__("not a canonical ristretto255 element")


class InvalidScalar(ValueError):
    """Bytes that are not a canonical scalar between 1 and the group order minus 1."""

    def __init__(self) -> None:
        super().__init__("not a canonical non-zero ristretto255 scalar")


class Scalars:
    """Arithmetic modulo the group order, in constant time inside libsodium. Arguments are canonical scalars."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def reduce(self, uniform: bytes) -> bytes:
        """Return 64 uniform bytes reduced modulo the order; the bias is below 2^-250."""
        return self._into(self._library.crypto_core_ristretto255_scalar_reduce, _exactly(uniform, UNIFORM_LENGTH))

    def parse(self, untrusted: bytes) -> bytes:
        """Return the same bytes if they are a canonical non-zero scalar; raises `InvalidScalar`."""
        if len(untrusted) != SCALAR_LENGTH or untrusted == bytes(SCALAR_LENGTH):
            raise InvalidScalar
        if not hmac.compare_digest(self.reduce(untrusted + bytes(SCALAR_LENGTH)), untrusted):
            raise InvalidScalar
        return untrusted

    def add(self, left: bytes, right: bytes) -> bytes:
        """Return left + right."""
        return self._pair(self._library.crypto_core_ristretto255_scalar_add, left, right)

    def subtract(self, left: bytes, right: bytes) -> bytes:
        """Return left - right."""
        return self._pair(self._library.crypto_core_ristretto255_scalar_sub, left, right)

    def multiply(self, left: bytes, right: bytes) -> bytes:
        """Return left * right."""
        return self._pair(self._library.crypto_core_ristretto255_scalar_mul, left, right)

    def invert(self, scalar: bytes) -> bytes:
        """Return 1 / scalar; raises `InvalidScalar` for zero."""
        result = ctypes.create_string_buffer(SCALAR_LENGTH)
        if self._library.crypto_core_ristretto255_scalar_invert(result, _exactly(scalar, SCALAR_LENGTH)) != 0:
            raise InvalidScalar
        return result.raw

    def invert_all(self, scalars: Sequence[bytes]) -> list[bytes]:
        """Return 1 / scalar for each of at least one, in order; raises `InvalidScalar` if any is zero."""
        # Montgomery's trick: one inversion takes as long as twenty multiplications, and three of these replace it.
        products = list(itertools.accumulate(scalars, self.multiply))
        inverse, inverses = self.invert(products[-1]), list[bytes]()
        for place in range(len(scalars) - 1, 0, -1):
            inverses.append(self.multiply(inverse, products[place - 1]))
            inverse = self.multiply(inverse, scalars[place])
        return [inverse, *reversed(inverses)]

    def _pair(self, function: ctypes._NamedFuncPointer, left: bytes, right: bytes) -> bytes:
        return self._into(function, _exactly(left, SCALAR_LENGTH), _exactly(right, SCALAR_LENGTH))

    @staticmethod
    def _into(function: ctypes._NamedFuncPointer, *arguments: bytes) -> bytes:
        result = ctypes.create_string_buffer(SCALAR_LENGTH)
        function(result, *arguments)
        return result.raw


class Ristretto:
    """Group operations; each refuses what is not a canonical element, and none returns the identity."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.scalars = Scalars(library)

    def multiply(self, scalar: bytes, element: bytes) -> bytes:
        """Return scalar * element; raises `InvalidElement` for a bad element, the identity, or a zero scalar."""
        result = ctypes.create_string_buffer(ELEMENT_LENGTH)
        arguments = _exactly(scalar, SCALAR_LENGTH), _element(element)
        # libsodium decodes canonically and answers -1 for a bad encoding or a result that is the identity.
        if self._library.crypto_scalarmult_ristretto255(result, *arguments) != 0:
            raise InvalidElement
        return result.raw

    def multiply_all(self, scalar: bytes, elements: Iterable[bytes]) -> list[bytes]:
        """Return scalar * element for each, in order; raises `InvalidElement` at the first that `multiply` refuses."""
        # One buffer for all: a holder does little else, and making one anew costs a twentieth of a multiplication.
        multiply, result = self._library.crypto_scalarmult_ristretto255, ctypes.create_string_buffer(ELEMENT_LENGTH)
        _exactly(scalar, SCALAR_LENGTH)
        products = []
        for element in elements:
            if multiply(result, scalar, _element(element)) != 0:
                raise InvalidElement
            products.append(result.raw)
        return products

    def multiply_base(self, scalar: bytes) -> bytes:
        """Return scalar * generator; raises `InvalidScalar` for zero."""
        result = ctypes.create_string_buffer(ELEMENT_LENGTH)
        if self._library.crypto_scalarmult_ristretto255_base(result, _exactly(scalar, SCALAR_LENGTH)) != 0:
            raise InvalidScalar
        return result.raw

    def add(self, left: bytes, right: bytes) -> bytes:
        """Return left + right; raises `InvalidElement` for a bad element or a sum that is the identity."""
        result = ctypes.create_string_buffer(ELEMENT_LENGTH)
        status = self._library.crypto_core_ristretto255_add(result, _element(left), _element(right))
        if status != 0 or result.raw == _IDENTITY:
            raise InvalidElement
        return result.raw

    def check(self, untrusted: bytes) -> None:
        """Raise `InvalidElement` unless the bytes are a canonical element other than the identity."""
        # is_valid_point alone is not enough: the identity is a valid encoding to it.
        if self._library.crypto_core_ristretto255_is_valid_point(_element(untrusted)) != 1:
            raise InvalidElement

    def hash_to_group(self, message: bytes, domain: bytes) -> bytes:
        """Return the element that RFC 9380 Appendix B assigns to the message under this domain (at most 255 bytes)."""
        result = ctypes.create_string_buffer(ELEMENT_LENGTH)
        if self._library.crypto_core_ristretto255_from_hash(result, expand_message(message, domain)) != 0:
            raise InvalidElement
        return result.raw

    def hash_to_scalar(self, message: bytes, domain: bytes) -> bytes:
        """Return the scalar that RFC 9497 §4.1 assigns to the message under this domain (at most 255 bytes)."""
        return self.scalars.reduce(expand_message(message, domain))


def expand_message(message: bytes, domain: bytes) -> bytes:
    """Return 64 uniform bytes: expand_message_xmd with SHA-512 (RFC 9380 §5.3.1), which is one block at this length."""
    if len(domain) > 255:
        raise ValueError("domain separation tag longer than 255 bytes")
    suffix = domain + bytes([len(domain)])
    first = hashlib.sha512(bytes(_SHA512_BLOCK) + message + UNIFORM_LENGTH.to_bytes(2, "big") + b"\x00" + suffix)
    return hashlib.sha512(first.digest() + b"\x01" + suffix).digest()


@functools.cache
def load_ristretto() -> Ristretto:
    """Return the group on a libsodium that passed the self-test; raises `LibraryUnavailable`. One per process."""
    group = Ristretto(load_library())
    check_library(group)
    return group


def load_library() -> ctypes.CDLL:
    """Return an initialized libsodium, the system's before the bundled one; raises `LibraryUnavailable`."""
    return prepare_library(system_library() or bundled_library())


def prepare_library(library: ctypes.CDLL | None) -> ctypes.CDLL:
    """Return the library initialized and with its argument types set; raises `LibraryUnavailable`."""
    if library is None:
        raise LibraryUnavailable("no libsodium with ristretto255: install libsodium 1.0.18 or later, or rbcl")
    for name, (arguments, has_status) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.argtypes = [ctypes.c_char_p] * arguments
        function.restype = ctypes.c_int if has_status else None
    if library.sodium_init() < 0:
        raise LibraryUnavailable("libsodium does not initialize")
    return library


def system_library() -> ctypes.CDLL | None:
    """Return the system's libsodium, or None if there is none, or one older than its ristretto255."""
    name = ctypes.util.find_library("sodium")
    if name is None:
        return None
    try:
        library = ctypes.CDLL(name)
    except OSError:
        # Listed by the linker but not loadable, for example for another architecture.
        return None
    return library if all(hasattr(library, function) for function in _FUNCTIONS) else None


def bundled_library() -> ctypes.CDLL | None:
    """Return the libsodium that rbcl carries, or None without rbcl."""
    # Not by importing rbcl, which writes a temporary file in every process and leaves it.
    found = importlib.util.find_spec("rbcl")
    if found is None or found.origin is None:
        return None
    text = (Path(found.origin).parent / "_sodium.py").read_text(encoding="ascii")
    image = re.search(r"bytes\.fromhex\('([0-9a-f]+)'\)", text)
    return None if image is None else _map_library(bytes.fromhex(image[1]))


def _map_library(image: bytes) -> ctypes.CDLL | None:
    try:
        if hasattr(os, "memfd_create"):
            # Memory, not a directory: a read-only or noexec /tmp must not stop a hardened container.
            descriptor = os.memfd_create("libsodium", os.MFD_CLOEXEC)
            with os.fdopen(descriptor, "wb") as file:
                file.write(image)
                file.flush()
                return ctypes.CDLL(f"/proc/self/fd/{descriptor}")
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
            path = Path(directory) / "libsodium.dll"
            path.write_bytes(image)
            return ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryUnavailable("the libsodium inside rbcl cannot be mapped on this machine") from error


def check_library(group: Ristretto) -> None:
    """Raise `LibraryUnavailable` unless RFC 9497 Appendix A.1.2, vector 1, is reproduced and bad points are refused."""
    blind = bytes.fromhex("64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706")
    key = bytes.fromhex("e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909")
    public = bytes.fromhex("c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e")
    blinded = bytes.fromhex("863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945")
    evaluated = bytes.fromhex("aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e")
    hashed = group.hash_to_group(b"\x00", b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512")
    scalars = group.scalars
    holds = (
        group.multiply(blind, hashed) == blinded
        and group.multiply(key, blinded) == evaluated
        and group.multiply_all(key, [blinded, hashed]) == [evaluated, group.multiply(key, hashed)]
        and group.multiply_base(key) == public
        and group.multiply(scalars.invert(blind), evaluated) == group.multiply(key, hashed)
        and group.add(blinded, evaluated) == group.multiply(scalars.add(key, _small(1)), blinded)
        and scalars.subtract(scalars.multiply(key, _small(2)), key) == key
        and all(_is_refused(group, bad) for bad in (_IDENTITY, _small(1), b"\xff" * ELEMENT_LENGTH))
    )
    if not holds:
        raise LibraryUnavailable("libsodium on this machine fails the RFC 9497 self-test")


def _is_refused(group: Ristretto, element: bytes) -> bool:
    refusals = 0
    three = _small(3)
    attempts = (group.check, functools.partial(group.multiply, three), lambda bad: group.multiply_all(three, [bad]))
    for attempt in attempts:
        try:
            attempt(element)
        except InvalidElement:
            refusals += 1
    return refusals == len(attempts)


def _small(value: int) -> bytes:
    return value.to_bytes(SCALAR_LENGTH, "little")


def _exactly(value: bytes, length: int) -> bytes:
    # ctypes passes a pointer without a length: a short argument would be read past its end.
    if len(value) != length:
        raise InvalidScalar
    return value


def _element(value: bytes) -> bytes:
    if len(value) != ELEMENT_LENGTH or value == _IDENTITY:
        raise InvalidElement
    return value
