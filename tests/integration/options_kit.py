"""The options with which listeners are really made, seen and changed on their way into the library."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from grpc import aio

Options = list[tuple[str, int | str]]


@contextmanager
def made_with(change: Callable[[Options], Options] = list) -> Iterator[list[Options]]:
    """Every server that is made within has its own options, changed so; what each brought is in the list."""
    made: list[Options] = []
    real = aio.server

    def server(*parts: Any, options: Any = (), **named: Any) -> aio.Server:
        made.append(list(options))
        return real(*parts, options=change(list(options)), **named)

    aio.server = server
    try:
        yield made
    finally:
        aio.server = real


def replaced(values: Mapping[str, int]) -> Callable[[Options], Options]:
    """Options that stand in the list have these values; none is added."""
    return lambda options: [(name, values.get(name, value)) for name, value in options]


def left_out(*names: str) -> Callable[[Options], Options]:
    """These options are the library's own defaults."""
    return lambda options: [(name, value) for name, value in options if name not in names]
