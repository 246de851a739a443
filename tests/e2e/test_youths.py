"""The invented youths: the same for everybody, recognizable as invented, and confusable only where that is meant."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from deploy.demo.invented import APOSTROPHE_SURNAMES, SURNAME_PARTS
from deploy.demo.write_csv import FAULTS, write_extract
from deploy.demo.youths import COUNT_A, COUNT_B, heard, make_caseload

TODAY = date(2026, 11, 24)


def test_the_same_seed_and_day_give_the_same_sixty_youths() -> None:
    caseload = make_caseload(TODAY)
    assert caseload == make_caseload(TODAY)
    assert caseload != make_caseload(TODAY, seed=8)
    assert (len(caseload.a), len(caseload.b)) == (COUNT_A, COUNT_B)
    assert COUNT_A + COUNT_B == 60


def test_every_youth_is_recognizable_as_invented() -> None:
    caseload = make_caseload(TODAY)
    parts = {*SURNAME_PARTS, *APOSTROPHE_SURNAMES}
    for youth in (*caseload.a, *caseload.b):
        assert youth.local_id.startswith("TEST-")
        assert any(part in youth.person.surname for part in parts)


def test_only_the_pairs_that_are_meant_share_a_birth_date() -> None:
    caseload = make_caseload(TODAY)
    births = Counter(youth.person.birth_date for youth in (*caseload.a, *caseload.b))
    shared = {birth for birth, count in births.items() if count > 1}
    cast = caseload.cast
    assert shared == {caseload.youth(cast.twin).person.birth_date, caseload.youth(cast.namesake).person.birth_date}


def test_ages_and_histories_stay_plausible_whatever_the_day() -> None:
    for today in (date(2024, 2, 29), TODAY, date(2031, 1, 1)):
        for youth in (*make_caseload(today).a, *make_caseload(today).b):
            age = (today - youth.person.birth_date) / timedelta(days=365.25)
            assert 7.9 < age < 18
            assert all(stay.start < today and (stay.end is None or stay.end <= today) for stay in youth.stays)
            assert all(youth.person.birth_date < episode.removal for episode in youth.episodes)


def test_what_another_county_hears_differs_in_spelling_only() -> None:
    caseload = make_caseload(TODAY)
    for youth in caseload.a:
        other = heard(youth.person)
        assert other.birth_date == youth.person.birth_date
        assert (other.given_name, other.surname) != (youth.person.given_name, youth.person.surname)


@pytest.mark.parametrize("table", ["clients", "placements", "episodes"])
def test_the_footer_states_the_rows_of_the_file(table: str, tmp_path: Path) -> None:
    extract = write_extract(tmp_path, make_caseload(TODAY).a, today=TODAY)
    lines = (tmp_path / f"{table}_20261124.csv").read_bytes().split(b"\r\n")
    assert lines[-2] == f"ROW COUNT: {extract.row_counts[table]}".encode()
    assert len(lines) - 3 == extract.row_counts[table]
    assert {(fault.table, fault.code) for fault in extract.faults} == set(FAULTS)
