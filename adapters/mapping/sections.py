"""The part of a county's file that concerns its data, with the references between its sections checked.

Decides that every `from:` names a source, every secret and mark is defined, every column used stands in the source's
`columns_required` where there is such a list, and `not_before` names a field. These are checked in what is written,
so that a fault of one setting hides no other. The whole file (`adapters/config`) extends this model by its other
sections.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, Field

from adapters.mapping.config import IdentityMapping, RecordMappings
from adapters.mapping.release import BUILT_IN_MARKS, ReleaseRules
from adapters.sources.config import SecretRef, SourceConfig, Volume
from gateway.protocol.setting_names import Path
from gateway.protocol.strict_yaml import StrictModel
from gateway.protocol.written import Written

Fault = tuple[Path, str]
_RECORDS: Final = ("placement", "episode", "missing_episode", "contact")


class CountySections(StrictModel):
    """`secrets:`, `sources:`, `identity:`, `records:` and `release:` of one county's file."""

    secrets: dict[str, SecretRef] = Field(default_factory=dict)
    sources: dict[str, SourceConfig] = Field(default_factory=dict)
    """Empty for an agency without records, which only asks."""
    identity: IdentityMapping | None = None
    records: RecordMappings | None = None
    release: ReleaseRules = Field(default_factory=ReleaseRules)

    @classmethod
    def between(cls, written: Written) -> Iterator[Fault]:
        """References that do not hold."""
        yield from _sources(written)
        yield from _secrets(written)
        yield from _marks(written)
        yield from _order(written)


def mappings(sections: CountySections) -> Iterator[tuple[Path, BaseModel]]:
    """Every mapping that reads a source, with its path in the file."""
    if sections.identity is not None:
        yield ("identity", "client"), sections.identity.client
    if sections.records is not None:
        for name in _RECORDS:
            mapping = getattr(sections.records, name)
            if mapping is not None:
                yield ("records", name), mapping


def volumes(sections: CountySections) -> Mapping[str, Volume]:
    """How far a reading of each source may fall. A table of those who are missing, and of nobody else, may be empty."""
    read = [(path, mapping.from_) for path, mapping in mappings(sections)]  # type: ignore[attr-defined]
    needed = {name for path, name in read if path != ("records", "missing_episode")}
    return {
        name: config.volume
        if config.volume.allow_empty is not None
        else config.volume.model_copy(update={"allow_empty": name not in needed})
        for name, config in sections.sources.items()
    }


def columns_of(model: BaseModel) -> Iterator[str]:
    """Every column that a mapping reads."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name in _COLUMN_FIELDS:
            yield from (value,) if isinstance(value, str) else value or ()
        elif isinstance(value, BaseModel):
            yield from columns_of(value)
        elif isinstance(value, (tuple, dict)):
            items = value.values() if isinstance(value, dict) else value
            for item in items:
                if isinstance(item, BaseModel):
                    yield from columns_of(item)


_COLUMN_FIELDS = frozenset(
    {
        "column",
        "key",
        "id",
        "subject",
        "last_name",
        "first_name",
        "alias_columns",
        "ssn4",
        "postcode",
        "house_number",
        "phone",
    }
)


def _mappings_written(written: Written) -> Iterator[tuple[tuple[str, ...], Mapping[str, object]]]:
    for path in (("identity", "client"), *(("records", name) for name in _RECORDS)):
        mapping = written.section(*path)
        if mapping:
            yield path, mapping


def _columns_written(value: object, name: str = "") -> Iterator[str]:
    """What `columns_of` gives, as far as it is written."""
    if isinstance(value, str) and name in _COLUMN_FIELDS:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _columns_written(item, name)
    elif isinstance(value, Mapping) and name != _CODES:
        for below, item in value.items():
            yield from _columns_written(item, below)


_CODES: Final = "map"
"""Its keys are codes of the county, and no settings."""


def _sources(written: Written) -> Iterator[Fault]:
    sources = written.section("sources")
    if written.lacks("identity"):
        if sources:
            yield (("sources",), "sources without identity: nothing says who the youths are")
        if written.section("records"):
            yield (("records",), "records without identity: nothing says whose they are")
    for path, mapping in _mappings_written(written):
        name = mapping.get("from")
        if sources is None or not isinstance(name, str):
            continue
        if name not in sources:
            yield ((*path, "from"), f"no such source; defined: {', '.join(sources) or 'none'}")
            continue
        required = written.section("sources", name)
        listed = required.get("columns_required") if required else None
        if isinstance(listed, list) and listed:
            lacking = sorted(set(_columns_written(mapping)) - {each for each in listed if isinstance(each, str)})
            if lacking:
                yield (path, f"columns not in columns_required of its source: {', '.join(lacking)}")


def _secrets(written: Written) -> Iterator[Fault]:
    defined = written.section("secrets")
    for name in written.section("sources") or ():
        used = (written.section("sources", name, "password") or {}).get("secret")
        if defined is not None and isinstance(used, str) and used not in defined:
            yield (("sources", name, "password", "secret"), "not defined under secrets")


def _marks(written: Written) -> Iterator[Fault]:
    held = (written.section("release", "hold_for_human") or {}).get("when")
    marks = written.section("identity", "client", "marks")
    if marks is None or not isinstance(held, list):
        return
    for number, mark in enumerate(held):
        if isinstance(mark, str) and mark not in BUILT_IN_MARKS | set(marks):
            yield (("release", "hold_for_human", "when", number), "not defined under identity.client.marks")


def _order(written: Written) -> Iterator[Fault]:
    for path, _ in _mappings_written(written):
        fields = written.section(*path, "fields") or {}
        for name in fields:
            before = (written.section(*path, "fields", name) or {}).get("not_before")
            if not isinstance(before, str):
                continue
            if before == name or (fields.get(before) is None and (*path, "fields") not in written.misnamed):
                yield ((*path, "fields", name, "not_before"), "names a field of the same record that is mapped")
