"""The CSV source: encodings, positions, footers, newest file. Names are invented."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.sources.config import CsvSourceConfig
from adapters.sources.csv_source import CsvSource
from adapters.sources.port import Row, SourceRefused, UnreadableRow

FRESH = {"from": "file_time", "warn_after": "26h", "error_after": "50h"}


def source(path: Path, **settings: object) -> CsvSource:
    config = {"kind": "csv", "path": str(path), "freshness": FRESH, "columns_required": ("ID", "NAME")} | settings
    return CsvSource("in", CsvSourceConfig.model_validate(config))


def write(path: Path, data: bytes, *, at: int = 1_790_000_000) -> Path:
    path.write_bytes(data)
    os.utime(path, (at, at))
    return path


def test_cp1252_is_read_when_stated_and_refused_by_row_when_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ID,NAME\n1,Nu\u00f1ez\u2019s\n2,plain\n".encode("cp1252"))
    rows = list(source(path, encoding="cp1252").read().items)
    assert [item.cells["NAME"] for item in rows if isinstance(item, Row)] == ["Nu\u00f1ez\u2019s", "plain"]
    first, second = source(path).read().items
    assert first == UnreadableRow(1, 2, "SRC-004", "NAME", "a.csv")
    assert isinstance(second, Row)


def test_rows_keep_the_line_they_begin_on_behind_blank_lines_and_line_breaks_in_cells(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'ID,NAME\r\n\r\n1,"a\r\nb"\r\n2,c\r\n')
    assert [(item.number, item.line) for item in source(path).read().items] == [(1, 3), (2, 5)]


def test_a_byte_order_mark_does_not_hide_the_first_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"\xef\xbb\xbfID,NAME\n1,a\n")
    assert source(path).check().columns == ("ID", "NAME")


def test_the_newest_matching_file_counts_and_dates_the_data(tmp_path: Path) -> None:
    write(tmp_path / "x_2.csv", b"ID,NAME\n1,old\n", at=1_700_000_000)
    write(tmp_path / "x_1.csv", b"ID,NAME\n1,new\n", at=1_790_000_000)
    reading = source(tmp_path / "x_*.csv").read()
    (row,) = reading.items
    assert isinstance(row, Row)
    assert row.cells["NAME"] == "new"
    assert (reading.summary.origin, reading.summary.rows) == ("x_1.csv", 1)
    assert reading.summary.as_of == datetime.fromtimestamp(1_790_000_000, tz=UTC)


def test_all_files_are_read_when_the_file_says_so(tmp_path: Path) -> None:
    write(tmp_path / "x_1.csv", b"ID,NAME\n1,a\n")
    write(tmp_path / "x_2.csv", b"ID,NAME\n2,b\n")
    reading = source(tmp_path / "x_*.csv", newest_only=False).read()
    assert [item.number for item in reading.items] == [1, 2]


def test_a_control_total_that_differs_refuses_the_file_after_its_rows(tmp_path: Path) -> None:
    settings = {"footer_rows": 1, "control_total": {"pattern": r"ROW COUNT: ([\d ]+)"}}
    right = source(write(tmp_path / "a.csv", b"ID,NAME\n1,a\n2,b\nROW COUNT: 2\n"), **settings).read()
    assert len(list(right.items)) == 2
    assert right.summary.control_total == 2
    for text in (b"ID,NAME\n1,a\nROW COUNT: 2\n", b"ID,NAME\n1,a\n2,b\n", b"ID,NAME\n"):
        with pytest.raises(SourceRefused) as caught:
            list(source(write(tmp_path / "b.csv", text), **settings).read().items)
        assert caught.value.code == "SRC-002"


def test_the_newest_value_of_a_column_dates_the_data_in_the_countys_zone(tmp_path: Path) -> None:
    # Midnight of the first whole day of summer time in California.
    path = write(tmp_path / "a.csv", b"ID,NAME,UPD\n1,a,03/02/2026\n2,b,03/09/2026\n3,c,\n")
    fresh = {"from": "newest(UPD)", "format": "%m/%d/%Y", "warn_after": "1h", "error_after": "2h"}
    reading = source(path, freshness=fresh).read()
    list(reading.items)
    assert reading.summary.as_of == datetime(2026, 3, 9, 7, tzinfo=UTC)


def test_a_refusal_names_file_and_line_and_no_cell(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'ID,NAME\n1,ok\n2,"Canaria\n3,x\n')
    with pytest.raises(SourceRefused) as caught:
        list(source(path).read().items)
    assert str(caught.value) == "a.csv:3: SRC-008: a quote is not closed"


def test_a_missing_file_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as caught:
        source(tmp_path / "none_*.csv").check()
    assert caught.value.code == "SRC-007"


def test_rows_do_not_show_their_cells() -> None:
    assert "Canaria" not in repr(Row(1, 2, {"NAME": "Canaria"}))


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "cp1252", "utf-16", "latin-1", "shift_jis"]))
def test_any_bytes_are_rows_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, data: bytes, encoding: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes("ID,NAME\n".encode(encoding) + data)
    try:
        reading = source(path, encoding=encoding).read()
        items = list(reading.items)
    except SourceRefused:
        return
    assert reading.summary.rows == len(items)
    assert all(isinstance(item, (Row, UnreadableRow)) for item in items)


@pytest.mark.parametrize("encoding", ["hex", "rot13", "zip", "cp99999", "utf\0"])
def test_a_codec_that_makes_no_text_is_no_encoding(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(ValidationError, match="not an encoding of text"):
        source(tmp_path / "a.csv", encoding=encoding)


@pytest.mark.parametrize("path", ["/", ".", "..", "in/..", "a\0.csv"])
def test_a_path_that_names_no_file_is_a_fault_of_the_county_file(path: str) -> None:
    with pytest.raises(ValidationError, match="names no file"):
        source(Path(path))


@pytest.mark.parametrize("delimiter", ['"', "\n", "\r"])
def test_what_cannot_separate_cells_is_no_delimiter(tmp_path: Path, delimiter: str) -> None:
    with pytest.raises(ValidationError, match="cannot separate cells"):
        source(tmp_path / "a.csv", delimiter=delimiter)


def test_a_name_that_no_file_can_have_is_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as caught:
        source(tmp_path / f"{'a' * 300}.csv").check()
    assert caught.value.code == "SRC-007"


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"ID;NAME\n1;Canaria\n", "no column ID, NAME; the header is one cell: is the delimiter another?"),
        (b"id,Name\n1,Canaria\n", "no column ID, NAME; written in other capitals"),
        (b"1,Canaria\n2,Canaria\n", "no column ID, NAME"),
        ("ID,NAME\n1,Canaria\n".encode("utf-16"), "begins as utf-16 does"),
        ("ID,NAME\n1,Canaria\n".encode("utf-32"), "begins as utf-32 does"),
    ],
)
def test_a_header_without_the_columns_is_refused_with_the_likely_cause_and_no_cell(
    tmp_path: Path, data: bytes, detail: str
) -> None:
    with pytest.raises(SourceRefused) as caught:
        source(write(tmp_path / "a.csv", data)).check()
    assert (caught.value.line, caught.value.detail) == (1, detail)


def test_a_cell_that_is_no_text_costs_its_row_only_where_a_mapping_reads_it(tmp_path: Path) -> None:
    data = b"ID,NAME,NOTE\n1,Nu\x00ria,x\n2,Nu\xf1ez,x\n3,plain,\xf1\x00\n"
    first, second, third = source(write(tmp_path / "a.csv", data)).read().items
    assert (first, second) == (
        UnreadableRow(1, 2, "SRC-004", "NAME", "a.csv"),
        UnreadableRow(2, 3, "SRC-004", "NAME", "a.csv"),
    )
    assert isinstance(third, Row)
    assert third.cells["NAME"] == "plain"


def test_utf8_that_is_read_as_another_encoding_does_not_make_youths_of_nobodys_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "ID,NAME\n1,Mu\u00f1oz\n2,plain\n".encode())
    first, second = source(path, encoding="cp1252").read().items
    assert first == UnreadableRow(1, 2, "SRC-014", "NAME", "a.csv")
    assert isinstance(second, Row)
    assert all(isinstance(item, Row) for item in source(path).read().items)


@pytest.mark.parametrize(
    "name", ["Mu\u00f1oz", "\u00c1\u00d1", "Zo\u00eb \u00c5", "O\u2019Brannigole", "\u00ddr\u00f3"]
)
def test_names_with_accents_in_the_stated_encoding_are_no_utf8(tmp_path: Path, name: str) -> None:
    (row,) = source(write(tmp_path / "a.csv", f"ID,NAME\n1,{name}\n".encode("cp1252")), encoding="cp1252").read().items
    assert isinstance(row, Row)


def test_a_cell_beyond_size_costs_its_row_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"ID,NAME\n1," + b"x" * 200_000 + b"\n2,plain\n")
    first, second = source(path).read().items
    assert first == UnreadableRow(1, 2, "SRC-013", file="a.csv")
    assert isinstance(second, Row)


def test_a_cell_beyond_size_over_many_lines_refuses_the_file_for_both_causes(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as caught:
        list(source(write(tmp_path / "a.csv", b'ID,NAME\n1,"' + b"x\n" * 100_000)).read().items)
    assert str(caught.value) == "a.csv:2: SRC-008: a cell beyond size; is a quote not closed?"


def test_a_footer_that_could_be_a_row_refuses_the_file_and_loses_nobody(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused) as caught:
        list(source(write(tmp_path / "a.csv", b"ID,NAME\n1,a\n2,b\n"), footer_rows=1).read().items)
    assert (caught.value.code, caught.value.line) == ("SRC-015", 3)
    for footer in (b"ROWS 1\n", b"TOTAL,\n", b"the,end,today\n"):
        (row,) = source(write(tmp_path / "a.csv", b"ID,NAME\n1,a\n" + footer), footer_rows=1).read().items
        assert isinstance(row, Row)
