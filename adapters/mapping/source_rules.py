"""The rules of a source as a whole and of rows that cannot be taken apart (`SRC`).

Decides code, severity, sentence, fix and examples, as `rules` does for what stands in the rows.
"""

from typing import Final

from adapters.mapping.rule import Rule, Severity

_FILE, _RECORD = Severity.FILE_REFUSED, Severity.RECORD_REFUSED
_HEAD: Final = "ID,FIRST,LAST\n"
SOURCE_RULES: Final = (
    Rule(
        "SRC-001",
        _FILE,
        "a needed column is missing or stands twice",
        "correct the extract, or the column's name in the county file",
        _HEAD + "1,a,b\n2,c,d\nROWS 2\n",
        "ID,FIRST\n1,a\nROWS 1\n",
    ),
    Rule(
        "SRC-002",
        _FILE,
        "control total and rows differ",
        "let the extract run again; the file may have been cut off",
        _HEAD + "1,a,b\nROWS 1\n",
        _HEAD + "1,a,b\nROWS 2\n",
    ),
    Rule(
        "SRC-003",
        _RECORD,
        "row has another number of cells than the header",
        "put quotes around cells that hold the delimiter",
        _HEAD + '1,"a,x",b\nROWS 1\n',
        _HEAD + "1,a,x,b\nROWS 1\n",
    ),
    Rule(
        "SRC-004",
        _RECORD,
        "bytes that are not text in the stated encoding",
        "state the encoding of the file in the county file; a database column must hold text, in UTF-8",
        _HEAD + "1,Jos\u00e9,b\nROWS 1\n",
        _HEAD + "1,Jos\udce9,b\nROWS 1\n",
    ),
    Rule(
        "SRC-005",
        _RECORD,
        "quotes within a quoted cell",
        "double the quotes inside a quoted cell",
        _HEAD + '1,"a ""x""",b\nROWS 1\n',
        _HEAD + '1,"a "x"",b\nROWS 1\n',
    ),
    Rule(
        "SRC-007",
        _FILE,
        "the file cannot be found or read",
        "check the path, the rights of the service's account and the extract's schedule",
        _HEAD + "ROWS 0\n",
        "",
    ),
    Rule(
        "SRC-008",
        _FILE,
        "the file cannot be taken apart",
        "look for a quote that is not closed; check encoding and delimiter",
        _HEAD + '1,"a",b\nROWS 1\n',
        _HEAD + '1,"a,b\n2,c,d\nROWS 2\n',
    ),
    Rule(
        "SRC-010",
        _FILE,
        "the database did not answer the query",
        "check address, account, network and the query; the account needs to read only",
        None,
        None,
    ),
    Rule(
        "SRC-011",
        _FILE,
        "the password cannot be found where the county file points",
        "check the entry under secrets",
        None,
        None,
    ),
    Rule(
        "SRC-012",
        _FILE,
        "the driver for this kind of database is missing",
        "install the extra of that name, for example: pip install 'homeward[postgres]'",
        None,
        None,
    ),
    Rule(
        "SRC-013",
        _RECORD,
        "a cell is longer than 131072 characters",
        "leave the column out of the extract, or look for a line end that is missing",
        _HEAD + f"1,{'a' * 131_072},b\nROWS 1\n",
        _HEAD + f"1,{'a' * 131_073},b\nROWS 1\n",
    ),
    Rule(
        "SRC-014",
        _RECORD,
        "text that was written in UTF-8 and read in another encoding",
        "state encoding: utf-8 in the county file, or let the whole extract be written in one encoding",
        None,
        None,
    ),
    Rule(
        "SRC-015",
        _FILE,
        "the footer looks like a row",
        "set footer_rows to how many lines stand below the rows, or state the footer's control_total",
        None,
        None,
    ),
    Rule(
        "SRC-016",
        _FILE,
        "far fewer rows, records or youths in care than in the readings that counted before",
        "let the extract run again; where it is right as it is: homeward adapter accept with the source's name",
        None,
        None,
    ),
    Rule(
        "SRC-017",
        _FILE,
        "the data are older than error_after, or do not say how old they are",
        "look why no newer extract came, and whether freshness names the right moment",
        None,
        None,
    ),
)
