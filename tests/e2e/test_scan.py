"""The search sees an invented youth in each form it claims to look for, and nothing in noise."""

import base64
import json
import random
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from deploy.demo.scan import make_scanner
from deploy.demo.youths import Caseload, Person, make_caseload

TODAY = date(2026, 11, 24)
CASELOAD: Caseload = make_caseload(TODAY)
SCANNER = make_scanner(CASELOAD, today=TODAY)


def _seconds(person: Person) -> int:
    born = person.birth_date
    return int(datetime(born.year, born.month, born.day, tzinfo=UTC).timestamp())


FORMS: dict[str, Callable[[Person], bytes]] = {
    "given name": lambda person: person.given_name.encode(),
    "surname": lambda person: person.surname.encode(),
    "capitals with accents": lambda person: person.surname.upper().encode(),
    "decomposed": lambda person: unicodedata.normalize("NFD", person.surname).encode(),
    "without accents": lambda person: unicodedata.normalize("NFD", person.surname).encode("ascii", "ignore"),
    "Windows code page": lambda person: person.surname.encode("cp1252"),
    "UTF-16": lambda person: person.given_name.encode("utf-16"),
    "JSON": lambda person: json.dumps(person.surname).encode(),
    "hexadecimal": lambda person: person.given_name.encode().hex().encode(),
    "base64, first": lambda person: base64.b64encode(person.given_name.encode()),
    "base64, second": lambda person: base64.b64encode(b"a" + person.given_name.encode()),
    "base64, third": lambda person: base64.b64encode(b"ab" + person.given_name.encode()),
    "ISO date": lambda person: person.birth_date.isoformat().encode(),
    "American date": lambda person: person.birth_date.strftime("%m/%d/%Y").encode(),
    "digits": lambda person: person.birth_date.strftime("%Y%m%d").encode(),
    "seconds": lambda person: str(_seconds(person)).encode(),
    "milliseconds in 8 bytes": lambda person: (_seconds(person) * 1000).to_bytes(8, "big"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_youth_is_seen_in_this_form(form: str) -> None:
    unseen = [
        youth.local_id
        for youth in (*CASELOAD.a, *CASELOAD.b)
        if not list(SCANNER.scan(b"\x00\x01<" + FORMS[form](youth.person) + b">\xff", file="planted"))
    ]
    assert unseen == []


def test_placement_dates_and_numbers_of_youths_are_seen() -> None:
    for youth in (*CASELOAD.a, *CASELOAD.b):
        assert list(SCANNER.scan(youth.local_id.encode(), file="planted"))
        for stay in youth.stays:
            assert list(SCANNER.scan(f"[{stay.start.isoformat()}]".encode(), file="planted"))


def test_noise_and_the_words_of_a_log_are_silent() -> None:
    noise = random.Random(7).randbytes(500_000)
    words = b'{"time":"2026-11-24T03:10:00Z","method":"CheckFlag","agency":"06037.cwa","outcome":"ANSWERED"}'
    assert list(SCANNER.scan(noise + words + noise.hex().encode(), file="noise")) == []
