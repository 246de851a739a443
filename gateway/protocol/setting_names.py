"""What a model of a configuration file knows of its settings: their names, their allowed values, an example.

Decides what an error about a setting may suggest. Does not read documents (`strict_yaml`).
"""

from collections.abc import Iterator
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]

_UNIONS: Final = (Union, UnionType)


def names_at(model: Any, loc: Path) -> set[str]:
    """Names of the settings a section at the place may hold, over all members of a union."""
    return {name for found in _models_at(model, loc) for name in _fields(found)}


def hint(model: Any, loc: Path) -> str:
    """What may be written for the setting at the place: its values, its settings or an example; empty where the model
    does not say.
    """
    for found in _models_at(model, loc[:-1]):
        info = _fields(found).get(str(loc[-1])) if loc else None
        if info is not None:
            return _hint(info)
    return ""


def _hint(info: FieldInfo) -> str:
    allowed = _values(info.annotation)
    if allowed:
        return f"one of: {', '.join(allowed)}" if len(allowed) > 1 else f"write {allowed[0]}"
    if info.examples:
        return f"for example {info.examples[0]}"
    inner = info.annotation
    if isinstance(inner, type) and issubclass(inner, BaseModel):
        needed = [name for name, each in _fields(inner).items() if each.is_required()]
        return f"it holds {', '.join(needed)}" if needed else ""
    return ""


def _values(annotation: Any) -> list[str]:
    origin = get_origin(annotation)
    if origin is Literal:
        return [str(value) for value in get_args(annotation)]
    if origin is Annotated:
        return _values(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [str(member.value) for member in annotation]
    return []


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _models_at(annotation: Any, loc: Path) -> Iterator[type[BaseModel]]:
    """Models a section at the place may be; a step of pydantic's own, to a member of a union, may stand in `loc`."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _models_at(args[0], loc)
    elif origin in _UNIONS:
        for arg in args:
            yield from _models_at(arg, loc)
            if loc:
                yield from _models_at(arg, loc[1:])
    elif args and loc:
        yield from _models_at(args[-1] if args[-1] is not Ellipsis else args[0], loc[1:])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        info = _fields(annotation).get(str(loc[0])) if loc else None
        if not loc:
            yield annotation
        elif info is not None:
            yield from _models_at(info.annotation, loc[1:])
