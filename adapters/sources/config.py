"""The `sources:` and `secrets:` sections of a county's file.

Decides how a source is described and what is refused while reading the file: a password in clear, an encoding nobody
knows, a query that is not a question. Does not open anything.
"""

import re
from datetime import timedelta
from pathlib import PurePath
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from gateway.protocol.strict_yaml import Duration, FieldProblems, StrictModel

ColumnName = Annotated[str, Field(min_length=1, max_length=128)]
"""Name of a column as the source's header or query gives it; case matters."""

_NEWEST: Final = re.compile(r"newest\((.+)\)")
_PERCENT: Final = re.compile(r"([0-9]{1,3})\s*%")
_QUESTION: Final = re.compile(r"\s*(--[^\n]*\n\s*)*(select|with)\b", re.IGNORECASE)
SQL_DRIVERS: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
"""Database kinds that can be written in `url`, and the driver each is read with."""


def _known_encoding(name: str) -> str:
    try:
        # Not a look-up: Python's table also holds codecs that are none of text, such as hex.
        "a".encode(name)
    except (LookupError, ValueError):
        raise ValueError("not an encoding of text; usual ones are utf-8, cp1252 and latin-1") from None
    return name


def _file_pattern(path: str) -> str:
    if PurePath(path).name in {"", ".."} or "\0" in path:
        raise ValueError("names no file; for example /data/in/CLIENTS_*.csv")
    return path


def _separator(character: str) -> str:
    if character in '"\r\n\0':
        raise ValueError("a quote or a line end cannot separate cells")
    return character


def _known_pattern(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error:
        raise ValueError("not a regular expression") from None
    if groups != 1:
        raise ValueError("the pattern needs exactly one ( ) around the number")
    return text


def known_zone(name: str) -> str:
    """The name is a time zone of the IANA database. Raises `ValueError` otherwise."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("not a time zone; for example America/Los_Angeles") from None
    return name


def _share(text: object) -> float:
    found = _PERCENT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError("write a percentage, for example 30%")
    return int(found[1]) / 100


Percentage = Annotated[float, BeforeValidator(_share)]


class SecretRef(StrictModel):
    """Where a secret is found. Exactly one of the four; the secret itself is never written into the file."""

    credential: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """A systemd credential (`LoadCredentialEncrypted=`)."""
    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")
    file: str | None = Field(default=None, min_length=1)
    exec: tuple[str, ...] | None = Field(default=None, min_length=1)
    """A program with its arguments; its standard output is the secret."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in ("credential", "env", "file", "exec") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("name exactly one of credential, env, file, exec")
        if self.exec is not None and not PurePath(self.exec[0]).is_absolute():
            raise FieldProblems((("exec",), "write the program with its whole path"))
        return self


class SecretUse(StrictModel):
    """The place where a secret is used; names an entry of `secrets:`."""

    secret: str


class Freshness(StrictModel):
    """From which moment the data count as of, and when age becomes a warning and a fault."""

    from_: str = Field(alias="from", examples=["file_time, poll or newest(COLUMN)"])
    """`file_time`, `poll`, or `newest(COLUMN)`."""
    format: str = "%Y-%m-%d %H:%M:%S"
    """Of the column in `newest(COLUMN)` where it is text."""
    zone: Annotated[str, AfterValidator(known_zone)] = "America/Los_Angeles"
    warn_after: Duration = Field(examples=["26h"])
    error_after: Duration = Field(examples=["50h"])

    @field_validator("from_")
    @classmethod
    def _known_moment(cls, value: str) -> str:
        if value not in {"file_time", "poll"} and _NEWEST.fullmatch(value) is None:
            raise ValueError("one of file_time, poll, newest(COLUMN)")
        return value

    @field_validator("error_after")
    @classmethod
    def _not_shorter(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("warn_after", value):
            raise ValueError("must not be shorter than warn_after")
        return value

    @property
    def newest_column(self) -> str | None:
        """The column of `newest(COLUMN)`."""
        found = _NEWEST.fullmatch(self.from_)
        return found[1] if found else None


class ControlTotal(StrictModel):
    """How the footer states the number of rows."""

    pattern: Annotated[str, AfterValidator(_known_pattern)]


def _of_a_whole(share: float) -> float:
    if not 0 < share <= 1:
        raise ValueError("between 1% and 100%")
    return share


class Volume(StrictModel):
    """How a reading may differ from the last one that counted, and where it falls from the largest within a day."""

    warn_if_changes_by: Percentage | None = None
    """A change of the number of rows beyond this share is reported."""
    refuse_if_falls_by: Annotated[Percentage, AfterValidator(_of_a_whole)] = 0.5
    """A reading is not used (SRC-016) that loses more than this share of more than 20 rows, of what was made of them
    or, where the source says who the youths are, of those in care. Half of a county's youths do not leave care in a
    day; half of an extract goes missing in one.
    """
    allow_empty: bool | None = None
    """Whether none left of up to 20 is an ordinary day; where the source says who the youths are, whether nobody left
    in care is, too; under a new name, whether it may bring nothing where another name is gone. Where nothing is said it
    is in a table of those who are missing and of nothing else: on most days nobody may be.
    """


class CsvSourceConfig(StrictModel):
    """A delimited text file, or the newest of those that match."""

    kind: Literal["csv"]
    path: Annotated[str, AfterValidator(_file_pattern)] = Field(min_length=1, examples=["/data/in/CLIENTS_*.csv"])
    """May hold `*` and `?` in its last part."""
    newest_only: bool = True
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    delimiter: Annotated[str, AfterValidator(_separator)] = Field(default=",", min_length=1, max_length=1)
    columns_required: tuple[ColumnName, ...] = ()
    footer_rows: int = Field(default=0, ge=0, le=100)
    control_total: ControlTotal | None = None
    freshness: Freshness
    volume: Volume = Volume()

    @field_validator("control_total")
    @classmethod
    def _has_footer(cls, value: ControlTotal | None, info: ValidationInfo) -> ControlTotal | None:
        if value is not None and info.data.get("footer_rows") == 0:
            raise ValueError("needs footer_rows: the total stands in the footer")
        return value

    @field_validator("freshness")
    @classmethod
    def _of_a_file(cls, value: Freshness) -> Freshness:
        if value.from_ == "poll":
            raise FieldProblems((("from",), "a file has no poll; use file_time or newest(COLUMN)"))
        return value


def _database(text: str) -> str:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValueError("not a database address; for example postgresql://host/database") from None
    if url.drivername not in SQL_DRIVERS:
        raise ValueError(f"reads from: {', '.join(sorted(SQL_DRIVERS))}")
    if url.get_backend_name() == "sqlite":
        if url.database in {None, "", ":memory:"}:
            raise ValueError("names no file; for example sqlite:////data/county.db")
        if url.query:
            raise ValueError("an SQLite file takes no settings behind ?")
    if url.port is not None and not 0 < url.port < 65536:
        raise ValueError("the port is a number from 1 to 65535")
    if url.password is not None or "password" in url.query:
        raise ValueError("no password in the address; use password: { secret: name }")
    return text


class SqlSourceConfig(StrictModel):
    """A read-only question to a database."""

    kind: Literal["sql"]
    url: Annotated[str, AfterValidator(_database)] = Field(examples=["postgresql://host/database"])
    """`sqlite:////path` or `postgresql://host/database`; no password."""
    username: str | None = None
    password: SecretUse | None = None
    query: str = Field(min_length=1, examples=["select CLIENT_ID from reports.clients"])
    columns_required: tuple[ColumnName, ...] = ()
    timeout: Duration = Field(default=timedelta(seconds=30))
    freshness: Freshness
    volume: Volume = Volume()

    @field_validator("query")
    @classmethod
    def _only_reads(cls, value: str) -> str:
        if not _QUESTION.match(value) or ";" in value.rstrip().rstrip(";"):
            raise ValueError("one select statement: the adapter only reads")
        return value

    @field_validator("freshness")
    @classmethod
    def _of_a_query(cls, value: Freshness) -> Freshness:
        if value.from_ == "file_time":
            raise FieldProblems((("from",), "a query has no file; use poll or newest(COLUMN)"))
        return value


SourceConfig = Annotated[CsvSourceConfig | SqlSourceConfig, Field(discriminator="kind")]
