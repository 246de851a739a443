"""County B's database: one SQLite file with clients, placements, episodes and the intake's referrals.

Decides the tables. The adapter reads the first three through the queries in B's county file; the referrals are B's own
and no source of the exchange: they are what a worker at B has in front of them when asking.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from deploy.demo.youths import InventedYouth, Referral

_SCHEMA: Final = """
create table client (
  client_no text primary key, family_name text not null, given_name text not null, birth_date text not null,
  other_family_name text not null, access_code text not null, notes text not null);
create table placement (
  client_no text not null references client, begin_date text not null, end_date text not null,
  facility_code text not null, facility_fips text not null, end_reason text not null, facility_name text not null);
create table episode (
  client_no text not null references client, removed_on text not null, exited_on text not null,
  exit_reason text not null);
create table referral (
  referral_no text primary key, family_name text not null, given_name text not null, birth_date text not null);
"""


def write_database(path: Path, youths: Sequence[InventedYouth], referral: Referral) -> None:
    """The database is at this path, where none was before."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.executemany("insert into client values (?,?,?,?,?,?,?)", map(_client, youths))
        connection.executemany(
            "insert into placement values (?,?,?,?,?,?,?)", [row for youth in youths for row in _placements(youth)]
        )
        connection.executemany(
            "insert into episode values (?,?,?,?)", [row for youth in youths for row in _episodes(youth)]
        )
        person = referral.person
        connection.execute(
            "insert into referral values (?,?,?,?)",
            (referral.number, person.surname, person.given_name, person.birth_date.isoformat()),
        )


def _client(youth: InventedYouth) -> tuple[str, ...]:
    person = youth.person
    return (
        youth.local_id,
        person.surname,
        person.given_name,
        person.birth_date.isoformat(),
        person.aka,
        youth.restriction,
        f"Invented note about {person.given_name}",
    )


def _placements(youth: InventedYouth) -> list[tuple[str, ...]]:
    return [
        (
            youth.local_id,
            stay.start.isoformat(),
            stay.end.isoformat() if stay.end else "",
            stay.facility,
            stay.county,
            stay.move,
            "Hogar Ficticio",
        )
        for stay in youth.stays
    ]


def _episodes(youth: InventedYouth) -> list[tuple[str, ...]]:
    return [
        (
            youth.local_id,
            episode.removal.isoformat(),
            episode.exit.isoformat() if episode.exit else "",
            episode.exit_code,
        )
        for episode in youth.episodes
    ]
