"""The search sees each planted value in each form it claims to look for, and nothing in noise."""

import base64
import json
import random
import sqlite3
import unicodedata
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf import text_format
from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import BytesValue, StringValue

from tests.adversarial.canaries import BIRTH, GIVEN_NAME, HANDLE, SURNAME, TOKEN, WORKER, planted, sentence
from tests.unit.token_sets import SHAPE

CANARIES = planted()
TEXT: dict[str, Callable[[str], bytes]] = {
    "as written": lambda text: text.encode(),
    "capitals": lambda text: text.upper().encode(),
    "small": lambda text: text.lower().encode(),
    "decomposed": lambda text: unicodedata.normalize("NFD", text).encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 big-endian": lambda text: text.encode("utf-16-be"),
    "Latin-1": lambda text: text.encode("latin-1"),
    "JSON": lambda text: json.dumps({"name": text}).encode(),
    "percent": lambda text: urllib.parse.quote(text).encode(),
    "protobuf": lambda text: StringValue(value=text).SerializeToString(),
    "protobuf text": lambda text: text_format.MessageToString(BytesValue(value=text.encode())).encode(),
    "repr of bytes": lambda text: repr(text.encode()).encode(),
    "backwards": lambda text: text[::-1].encode(),
    "hexadecimal": lambda text: text.encode().hex().encode(),
    "hexadecimal capitals": lambda text: text.encode().hex().upper().encode(),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")),
}
DAY: dict[str, Callable[[], bytes]] = {
    "ISO": lambda: BIRTH.isoformat().encode(),
    "ISO with time": lambda: datetime(BIRTH.year, BIRTH.month, BIRTH.day, 12, tzinfo=UTC).isoformat().encode(),
    "digits": lambda: BIRTH.strftime("%Y%m%d").encode(),
    "American": lambda: BIRTH.strftime("%m/%d/%Y").encode(),
    "American, short": lambda: b"7/19/2011",
    "words": lambda: BIRTH.strftime("%B %d, %Y").encode(),
    "repr": lambda: repr(BIRTH).encode(),
    "timestamp": lambda: _timestamp().SerializeToString(),
    "seconds": lambda: str(_timestamp().seconds).encode(),
    "base64": lambda: base64.b64encode(b"born " + BIRTH.isoformat().encode()),
    "hexadecimal": lambda: BIRTH.isoformat().encode().hex().encode(),
    "UTF-16": lambda: BIRTH.isoformat().encode("utf-16"),
}


def _timestamp() -> Timestamp:
    made = Timestamp()
    made.FromDatetime(datetime(BIRTH.year, BIRTH.month, BIRTH.day, tzinfo=UTC))
    return made


def kinds(data: bytes) -> set[str]:
    return {found.what.partition(",")[0] for found in CANARIES.scan(b"\x00{" + data + b"}\xff", "planted")}


@pytest.mark.parametrize("form", TEXT)
def test_every_text_is_seen_in_this_form(form: str) -> None:
    for kind, text in CANARIES.texts.items():
        assert kinds(TEXT[form](text)) == {kind}, kind


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_seen_whatever_stands_around(before: int, after: int) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for kind, value in {
            **CANARIES.opaque,
            **{kind: text.encode() for kind, text in CANARIES.texts.items()},
        }.items():
            assert kinds(encode(b"\xfe" * before + value + b"\xfd" * after)) == {kind}


@pytest.mark.parametrize("form", DAY)
def test_the_birth_date_is_seen_in_this_form(form: str) -> None:
    assert kinds(DAY[form]()) == {"birth date"}


@pytest.mark.parametrize("value", [HANDLE, TOKEN])
def test_opaque_values_are_seen(value: bytes) -> None:
    forms = (value, value.hex().encode(), value.hex().upper().encode(), repr(value).encode(), repr([value]).encode())
    for data in (*forms, BytesValue(value=value).SerializeToString(), str(BytesValue(value=value)).encode()):
        assert len(kinds(data)) == 1, data


@pytest.mark.parametrize("place", [0, 1, 2, 40, 85])
def test_a_token_is_seen_wherever_it_lies_in_a_set(place: int) -> None:
    around = random.Random(place)
    made = [TOKEN if each == place else around.randbytes(16) for each in range(SHAPE.elements)]
    tokens = SHAPE.token_set("e1", made, carried=SHAPE.core)
    packed, whole = tokens.tokens, tokens.SerializeToString()
    forms = (whole, packed.hex().encode(), repr(packed).encode(), str(tokens).encode(), MessageToJson(tokens).encode())
    for data in (*forms, whole.hex().encode(), base64.b64encode(whole), base64.urlsafe_b64encode(packed)):
        assert kinds(data) == {"token"}


def test_the_careless_sentence_holds_every_canary() -> None:
    assert kinds(sentence().encode()) == {*CANARIES.texts, *CANARIES.opaque, *CANARIES.births}


def test_files_their_names_and_the_cells_of_databases_are_searched(tmp_path: Path) -> None:
    (tmp_path / f"{SURNAME}.txt").write_bytes(b"")
    (tmp_path / "log.txt").write_text(f"asked by {WORKER}")
    with sqlite3.connect(tmp_path / "some.db") as connection:
        connection.execute("CREATE TABLE t (a TEXT, b BLOB)")
        connection.execute("INSERT INTO t VALUES (?, ?)", ("x" * 20_000 + GIVEN_NAME, b"y" * 20_000 + HANDLE))
    connection.close()
    found = {(each.where.split(",")[0], each.what.partition(",")[0]) for each in CANARIES.scan_tree(tmp_path)}
    assert {
        (f"{SURNAME}.txt (its name)", "surname"), ("log.txt", "member of staff"), ("some.db", "given name"),
        ("some.db", "handle"),
    } <= found  # fmt: skip


def test_noise_and_the_words_of_a_log_are_silent() -> None:
    noise = random.Random(7).randbytes(1_000_000)
    words = b'{"time":"2026-11-24T03:10:00Z","method":"/homeward.gateway.v1.ExchangeService/CheckFlag","reason":"OK"}'
    assert (
        CANARIES.scan(noise + words + noise[:200_000].hex().encode() + base64.b64encode(noise[:200_000]), "noise") == []
    )


def test_a_finding_does_not_repeat_the_value() -> None:
    told = repr(CANARIES.scan_text(sentence(), "planted"))
    assert CANARIES.scan_text(told, "told") == []
    assert CANARIES.scan_text(repr(CANARIES), "repr") == []
