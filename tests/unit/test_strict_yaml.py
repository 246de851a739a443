"""The configuration reader: every fault at once, each at its line and column, and no secret in the report."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from gateway.protocol.strict_yaml import MAX_BYTES, DocumentErrors, Duration, FieldProblems, StrictModel, load


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


class Csv(StrictModel):
    kind: Literal["csv"]
    path: str
    encoding: str = "utf-8"


class Sql(StrictModel):
    kind: Literal["sql"]
    url: str
    password: str = ""
    timeout: Duration = timedelta(seconds=30)


class Range(StrictModel):
    low: int
    high: int

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.high < self.low:
            raise FieldProblems((("high",), "high must not be below low"))
        return self


class Shown(StrictModel):
    as_: Level = Field(alias="as")


class Document(StrictModel):
    version: Literal[1] = 1
    county: str = Field(examples=['"06075"'])
    level: Level = Level.LOW
    reflection: bool = False
    listed: tuple[str, ...] = ()
    codes: dict[str, str] = Field(default_factory=dict)
    sources: dict[str, Annotated[Csv | Sql, Field(discriminator="kind")]] = Field(default_factory=dict)
    range: Range | None = None
    shown: Shown | None = None


def problems(text: str) -> list[str]:
    with pytest.raises(DocumentErrors) as caught:
        load(text, Document, origin="county.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_valid_document_becomes_a_frozen_model() -> None:
    text = """
county: "19"
level: high
codes: { 01: a, no: b }
sources:
  a: { kind: csv, path: /in/*.csv }
  b: { kind: sql, url: sqlite://, timeout: 2m }
"""
    document = load(text, Document, origin="x")
    assert (document.county, document.level) == ("19", Level.HIGH)
    assert document.codes == {"01": "a", "no": "b"}
    source = document.sources["b"]
    assert isinstance(source, Sql)
    assert source.timeout == timedelta(minutes=2)


def test_every_fault_is_reported_at_once_in_the_order_of_the_file() -> None:
    text = """county: 19
level: hihg
sources:
  a:
    kind: csv
    path: x
    encodng: cp1252
  b: { kind: sqll, url: x }
range: { low: 3, high: 1 }
colour: red
"""
    assert (
        "\n".join(problems(text))
        == """\
county.yaml:1:1: error: county: write county codes in quotes: county: "19"
    county: 19
county.yaml:2:1: error: level: unknown value "hihg" - did you mean "high"? (one of: low, high)
    level: hihg
county.yaml:7:5: error: sources.a.encodng: unknown key "encodng" - did you mean "encoding"?
    encodng: cp1252
county.yaml:8:8: error: sources.b.kind: unknown value "sqll" - did you mean "sql"? (one of: csv, sql)
    b: { kind: sqll, url: x }
county.yaml:9:18: error: range.high: high must not be below low
    range: { low: 3, high: 1 }
county.yaml:10:1: error: colour: unknown key "colour"
    colour: red"""
    )


def test_what_is_no_text_is_told_in_words_at_its_place() -> None:
    with pytest.raises(DocumentErrors) as caught:
        load(b'county: "1"\nlevel: \xff\x00low\n', Document, origin="county.yaml")
    assert str(caught.value) == "county.yaml:2:8: error: not UTF-8 text: save the file as UTF-8"
    assert load('county: "Añasco"\n'.encode(), Document, origin="x").county == "Añasco"


def test_a_missing_setting_is_named_at_its_section() -> None:
    assert problems('county: "1"\nsources:\n  a: { kind: csv }\n') == [
        "county.yaml:3:3: error: sources.a.path: missing\n    a: { kind: csv }"
    ]


def test_a_missing_setting_is_told_with_what_may_be_written_where_the_model_knows_it() -> None:
    assert problems("level: low\nsources:\n  a: { path: x }\n")[0].startswith(
        'county.yaml:1:1: error: county: missing (for example "06075")'
    )
    assert "missing kind" in problems('county: "1"\nsources:\n  a: { path: x }\n')[0]
    assert "range.high: missing\n" in problems('county: "1"\nrange: { low: 1 }\n')[0]
    assert "shown.as: missing (one of: low, high)" in problems('county: "1"\nshown: {}\n')[0]


def test_a_wrong_number_is_told_with_the_allowed_ones() -> None:
    assert 'version: unknown value "2" (one of: 1)' in problems('county: "1"\nversion: 2\n')[0]


@pytest.mark.parametrize(
    "text", ["NAME,BORN\nInventa Canary,2011-07-19\n", '"NAME","BORN"\n"Inventa Canary","x"\n', "- Inventa Canary\n"]
)
def test_a_file_that_holds_no_settings_is_never_quoted(text: str) -> None:
    report = "\n".join(problems(text))
    assert "county.yaml:" in report
    assert not any(word in report for word in ("NAME", "Canary", "2011"))


def test_a_code_with_a_leading_zero_is_asked_for_in_quotes_as_written() -> None:
    assert 'county: "07"' in problems("county: 07\n")[0]


def test_yaml_11_truth_values_stay_text_and_the_report_says_what_to_write() -> None:
    assert problems('county: "1"\nreflection: off\n') == [
        "county.yaml:2:1: error: reflection: write true or false\n    reflection: off"
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('county: &a "1"\nlisted: [*a]\n', "no aliases"),
        ('county: &a "1"\n', "no anchors"),
        ('county: !!str "1"\n', "no tags"),
        ('%YAML 1.1\n---\ncounty: "1"\n', "directives"),
        ('county: "1"\n---\ncounty: "2"\n', "second document"),
        ('county: "1"\ncounty: "2"\n', "written twice; the first is in line 1"),
        ("[" * 200_000, "nested deeper"),
        ('? [a, b]\n: c\ncounty: "1"\n', "a name must be plain text"),
        ("", "must hold settings"),
        ("- a\n", "must hold settings"),
        ("county: a: b\n", "not YAML"),
        ('county: "\x00"\n', "a character that text files do not hold"),
        ('county: "\ud800"\n', "a character that text files do not hold"),
        ('county: "1"\nlisted: [1]\n', 'write this text in quotes: "1"'),
    ],
)
def test_what_a_configuration_file_may_not_hold_is_refused(text: str, sentence: str) -> None:
    assert any(sentence in problem for problem in problems(text))


def test_a_file_over_the_limit_is_refused_unread() -> None:
    text = 'county: "1"\n' + "#" * MAX_BYTES
    assert problems(text) == ["county.yaml:1:1: error: larger than 256 KiB"]


def test_a_duplicate_and_a_model_fault_are_reported_together() -> None:
    assert len(problems("county: 1\ncounty: 2\nlevel: x\n")) == 3


def test_a_secret_written_into_the_file_is_not_repeated_in_the_report() -> None:
    canary = "hunter2canary"
    text = f"""county: "1"
sources:
  a: {{ kind: sql, url: "postgresql://u:{canary}@h/d", passwort: {canary} }}
  b:
    kind: sql
    url: x
    password: [1]
    pasword: {canary}
  c: {{ kind: sql, url: [], password: 12345 }}
"""
    report = "\n".join(problems(text))
    assert canary not in report
    assert "12345" not in report
    assert 'did you mean "password"' in report


@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_report(text: str) -> None:
    try:
        load(text, Document, origin="x")
    except DocumentErrors as exc:
        report = exc.problems
    else:
        return
    assert report
