"""Values of which every question makes some: frozen to the type checker, and made in a third of the time.

A frozen dataclass sets each of its fields by a call of `object.__setattr__`. A question makes thirty values with two
hundred fields, and setting them like that was a fourteenth of what it costs the event loop (tests/bench/results). Where
that does not count, and in `gateway/protocol`, which imports nothing of ours, a value is
`@dataclass(frozen=True, slots=True)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def hot_value(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared and hashed by its fields. That nobody assigns to one is checked with the types
    of everything that is shipped, and not when it runs."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
