"""The part of a county's file that concerns its data, with the references between its sections checked.

Decides that every `from:` names a source, every secret and mark is defined, every column used stands in the source's
`columns_required` where there is such a list, and `not_before` names a field. The whole file (`adapters/config`)
extends this model by its other sections.
"""

from collections.abc import Iterator
from typing import Self

from pydantic import BaseModel, Field, model_validator

from adapters.mapping.config import DateColumn, IdentityMapping, RecordMappings, TimestampColumn
from adapters.mapping.release import BUILT_IN_MARKS, ReleaseRules
from adapters.sources.config import SecretRef, SourceConfig, SqlSourceConfig
from gateway.protocol.strict_yaml import FieldProblems, Path, StrictModel

Fault = tuple[Path, str]


class CountySections(StrictModel):
    """`secrets:`, `sources:`, `identity:`, `records:` and `release:` of one county's file."""

    secrets: dict[str, SecretRef] = Field(default_factory=dict)
    sources: dict[str, SourceConfig] = Field(default_factory=dict)
    """Empty for an agency without records, which only asks."""
    identity: IdentityMapping | None = None
    records: RecordMappings | None = None
    release: ReleaseRules = Field(default_factory=ReleaseRules)

    @model_validator(mode="after")
    def _references_hold(self) -> Self:
        faults = [*_sources(self), *_secrets(self), *_marks(self), *_order(self)]
        if faults:
            raise FieldProblems(*faults)
        return self


def mappings(sections: CountySections) -> Iterator[tuple[Path, BaseModel]]:
    """Every mapping that reads a source, with its path in the file."""
    if sections.identity is not None:
        yield ("identity", "client"), sections.identity.client
    if sections.records is not None:
        for name in ("placement", "episode", "missing_episode", "contact"):
            mapping = getattr(sections.records, name)
            if mapping is not None:
                yield ("records", name), mapping


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


def _sources(sections: CountySections) -> Iterator[Fault]:
    if sections.sources and sections.identity is None:
        yield (("sources",), "sources without identity: nothing says who the youths are")
    if sections.records is not None and sections.identity is None:
        yield (("records",), "records without identity: nothing says whose they are")
    for path, mapping in mappings(sections):
        source = sections.sources.get(getattr(mapping, "from_", ""))
        if source is None:
            yield ((*path, "from"), f"no such source; defined: {', '.join(sections.sources) or 'none'}")
        elif source.columns_required:
            lacking = sorted(set(columns_of(mapping)) - set(source.columns_required))
            if lacking:
                yield (path, f"columns not in columns_required of its source: {', '.join(lacking)}")


def _secrets(sections: CountySections) -> Iterator[Fault]:
    for name, source in sections.sources.items():
        if isinstance(source, SqlSourceConfig) and source.password and source.password.secret not in sections.secrets:
            yield (("sources", name, "password", "secret"), "not defined under secrets")


def _marks(sections: CountySections) -> Iterator[Fault]:
    hold = sections.release.hold_for_human
    known = BUILT_IN_MARKS | set(sections.identity.client.marks if sections.identity else ())
    for number, mark in enumerate(hold.when if hold else ()):
        if mark not in known:
            yield (("release", "hold_for_human", "when", number), "not defined under identity.client.marks")


def _order(sections: CountySections) -> Iterator[Fault]:
    for path, mapping in mappings(sections):
        fields = getattr(mapping, "fields", None)
        if not isinstance(fields, BaseModel):
            continue
        for name in type(fields).model_fields:
            column = getattr(fields, name)
            before = column.not_before if isinstance(column, (DateColumn, TimestampColumn)) else None
            if before is not None and (before == name or getattr(fields, before, None) is None):
                yield ((*path, "fields", name, "not_before"), "names a field of the same record that is mapped")
