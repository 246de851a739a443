"""Failures that carry planted values, and parts that fail in that way at the first touch.

Decides which kinds of exception are tried: one that words what it was handling, one that quotes a statement with its
parameters, one that grew from another, a group, one that holds bytes it could not decode, and one whose own text fails.
"""

from typing import Final, NoReturn

from sqlalchemy.exc import StatementError

from tests.adversarial.canaries import BIRTH, GIVEN_NAME, HANDLE, SURNAME, sentence


class Unspeakable(Exception):
    """Its text cannot be had, and the attempt tells."""

    def __str__(self) -> NoReturn:
        raise RuntimeError(sentence())

    __repr__ = __str__


def worded() -> Exception:
    return ValueError(sentence())


def statement() -> Exception:
    parameters = {"given_name": GIVEN_NAME, "surname": SURNAME, "birth_date": BIRTH.isoformat(), "handle": HANDLE}
    return StatementError(sentence(), f"surname = '{SURNAME}'", parameters, worded())


def grown() -> Exception:
    made = RuntimeError(sentence())
    made.__cause__, made.__context__ = worded(), KeyError(SURNAME)
    made.add_note(sentence())
    return made


def group() -> Exception:
    return ExceptionGroup(sentence(), [worded(), KeyError(SURNAME)])


def undecoded() -> Exception:
    return UnicodeDecodeError("utf-8", sentence().encode() + b"\xff", 0, 1, sentence())


KINDS: Final = {
    "worded": worded,
    "statement": statement,
    "grown": grown,
    "group": group,
    "undecoded": undecoded,
    "unspeakable": Unspeakable,
}


class Poisoned:
    """Stands for any part; whatever is done with it fails."""

    def __init__(self, failure: Exception) -> None:
        self.__dict__["_failure"] = failure
        self.__dict__["touched"] = []

    def __getattr__(self, name: str) -> NoReturn:
        self.__dict__["touched"].append(name)
        raise self.__dict__["_failure"]

    def __call__(self, *_: object, **__: object) -> NoReturn:
        self.__dict__["touched"].append("()")
        raise self.__dict__["_failure"]

    __iter__ = __iadd__ = __add__ = __len__ = __getitem__ = __await__ = __call__
