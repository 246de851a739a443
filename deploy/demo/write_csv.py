"""County A's nightly extract: three CSV files as a legacy report writer leaves them, faults included.

Decides columns, encoding (cp1252, Windows line ends) and footer with its control total; and the rows that are wrong on
purpose, one for each rule they break (`FAULTS`). Most columns are mapped nowhere: what the exchange has no field for
stays in the county.
"""

import csv
import io
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from deploy.demo.invented import FACILITIES, SCHOOLS, STREETS
from deploy.demo.youths import SEED, CareEpisode, InventedYouth, Stay

CLIENTS: Final = (
    "CLIENT_ID",
    "LAST_NM",
    "FIRST_NM",
    "BIRTH_DT",
    "AKA_LAST_NM",
    "LMT_ACSSCD",
    "SCHOOL_NM",
    "HOME_ADDR",
    "WORKER_PH",
    "CASE_NOTES",
)
PLACEMENTS: Final = (
    "CLIENT_ID",
    "PLC_BEG_DT",
    "PLC_END_DT",
    "FAC_TYPE_CD",
    "FAC_COUNTY_CD",
    "MOVE_RSN_CD",
    "FAC_NM",
    "FAC_ADDR",
    "FAC_LICENSE",
    "CAREGIVER_NM",
    "RATE_AMT",
    "PLC_NOTES",
)
EPISODES: Final = (
    "CLIENT_ID",
    "REMOVAL_DT",
    "EXIT_DT",
    "EXIT_RSN_CD",
    "COURT_NO",
    "HEARING_TYPE",
    "ALLEGATION_CD",
    "JUDGE_NM",
    "EPS_NOTES",
)
COLUMN_COUNT: Final = len(CLIENTS) + len(PLACEMENTS) + len(EPISODES)
FAULTS: Final = (
    *(("clients", code) for code in ("SRC-003", "SRC-004", "SRC-005", "IDN-001", "IDN-002", "IDN-003", "IDN-007")),
    *(("placements", code) for code in ("PLC-001", "PLC-002", "PLC-003", "PLC-004", "PLC-005", "PLC-006", "PLC-021")),
    ("episodes", "EPS-004"),
)
"""Table and rule of every row that is wrong on purpose."""
_DATE: Final = "%m/%d/%Y"
_LINE_END: Final = "\r\n"
_ENCODING: Final = "cp1252"


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that is wrong on purpose: the table it stands in, the rule it breaks, and how."""

    table: str
    code: str
    line: bytes


@dataclass(frozen=True, slots=True)
class Extract:
    """What was written."""

    row_counts: dict[str, int]
    """Rows of each table, faulty ones included, as the footers state them."""
    faults: tuple[Fault, ...]


def write_extract(directory: Path, youths: Sequence[InventedYouth], *, today: date) -> Extract:
    """The three files of one night are in the directory."""
    source = random.Random(SEED)
    rows: dict[str, list[bytes]] = {"clients": [], "placements": [], "episodes": []}
    for youth in youths:
        rows["clients"].append(_client(youth, source))
        rows["episodes"].extend(_episode(youth.local_id, episode) for episode in youth.episodes)
        rows["placements"].extend(_placement(youth.local_id, stay, source) for stay in youth.stays)
    faults = _faults(youths[-1], rows["placements"][-1], today)
    for fault in faults:
        rows[fault.table].append(fault.line)
    for table, header in (("clients", CLIENTS), ("placements", PLACEMENTS), ("episodes", EPISODES)):
        _write(directory / f"{table}_{today:%Y%m%d}.csv", header, rows[table])
    return Extract({table: len(lines) for table, lines in rows.items()}, faults)


def state_order(fips: str) -> str:
    """California's two-digit county order from a FIPS code; 60 for another state."""
    return f"{(int(fips[2:]) + 1) // 2:02}" if fips else "60"


def _faults(victim: InventedYouth, placement: bytes, today: date) -> tuple[Fault, ...]:
    """One row for each rule; those about a youth are about the last one, whom the story leaves alone."""
    someone = victim.local_id
    day, past, future = ((today + timedelta(days=days)).strftime(_DATE) for days in (-30, -60, 400))

    def client(**cells: str) -> bytes:
        given = {"LAST_NM": "Rowfault", "FIRST_NM": "Testina", "BIRTH_DT": "04/05/2014", "LMT_ACSSCD": "N"}
        return _row(CLIENTS, given | cells)

    def stay(**cells: str) -> bytes:
        given = {"CLIENT_ID": someone, "PLC_BEG_DT": past, "PLC_END_DT": day, "FAC_TYPE_CD": "FFH"}
        return _row(PLACEMENTS, given | cells)

    return (
        Fault("clients", "SRC-003", client(CLIENT_ID="TEST-A-9001") + b",one cell too many"),
        Fault("clients", "SRC-004", client(CLIENT_ID="TEST-A-9002", LAST_NM="?").replace(b"?", b"\x81")),
        Fault("clients", "SRC-005", b'TEST-A-9003,"Row"fault",Testina' + b"," * (len(CLIENTS) - 3)),
        Fault("clients", "IDN-001", client(CLIENT_ID="")),
        Fault("clients", "IDN-002", client(CLIENT_ID="TEST-A-9004", FIRST_NM="")),
        Fault("clients", "IDN-003", client(CLIENT_ID="TEST-A-9005", BIRTH_DT="spring 2014")),
        Fault("clients", "IDN-007", client(CLIENT_ID="TEST-A-9006", BIRTH_DT="04/06/2014", LMT_ACSSCD="Q")),
        Fault("placements", "PLC-001", stay(CLIENT_ID="")),
        Fault("placements", "PLC-002", stay(CLIENT_ID="TEST-A-9999")),
        Fault("placements", "PLC-003", stay(PLC_BEG_DT="last week")),
        Fault("placements", "PLC-004", stay(PLC_BEG_DT=day, PLC_END_DT=past)),
        Fault("placements", "PLC-005", stay(PLC_END_DT="soon")),
        Fault("placements", "PLC-006", stay(PLC_BEG_DT=future, PLC_END_DT="")),
        Fault("placements", "PLC-021", placement),
        Fault("episodes", "EPS-004", _row(EPISODES, {"CLIENT_ID": someone, "REMOVAL_DT": day, "EXIT_DT": past})),
    )


def _client(youth: InventedYouth, source: random.Random) -> bytes:
    person = youth.person
    return _row(
        CLIENTS,
        {
            "CLIENT_ID": youth.local_id,
            "LAST_NM": person.surname,
            "FIRST_NM": person.given_name,
            "BIRTH_DT": person.birth_date.strftime(_DATE),
            "AKA_LAST_NM": person.aka,
            "LMT_ACSSCD": youth.restriction,
            "SCHOOL_NM": source.choice(SCHOOLS),
            "HOME_ADDR": _address(source),
            "WORKER_PH": "555-010-1110",
            "CASE_NOTES": f"Invented note: {person.given_name} said something, kept in the county",
        },
    )


def _placement(local_id: str, stay: Stay, source: random.Random) -> bytes:
    return _row(
        PLACEMENTS,
        {
            "CLIENT_ID": local_id,
            "PLC_BEG_DT": stay.start.strftime(_DATE),
            "PLC_END_DT": stay.end.strftime(_DATE) if stay.end else "",
            "FAC_TYPE_CD": stay.facility,
            "FAC_COUNTY_CD": state_order(stay.county),
            "MOVE_RSN_CD": stay.move,
            "FAC_NM": source.choice(FACILITIES),
            "FAC_ADDR": _address(source),
            "FAC_LICENSE": str(source.randrange(100_000_000, 999_999_999)),
            "CAREGIVER_NM": "Invented Caregiver",
            "RATE_AMT": str(source.randrange(1000, 9000)),
            "PLC_NOTES": "Invented note about a caregiver",
        },
    )


def _episode(local_id: str, episode: CareEpisode) -> bytes:
    return _row(
        EPISODES,
        {
            "CLIENT_ID": local_id,
            "REMOVAL_DT": episode.removal.strftime(_DATE),
            "EXIT_DT": episode.exit.strftime(_DATE) if episode.exit else "",
            "EXIT_RSN_CD": episode.exit_code,
            "COURT_NO": f"TESTCT{local_id[-4:]}",
            "HEARING_TYPE": "invented",
            "ALLEGATION_CD": "TESTALG",
            "JUDGE_NM": "Invented Judge",
            "EPS_NOTES": "Invented note about a hearing",
        },
    )


def _address(source: random.Random) -> str:
    return f"{source.randrange(100, 999)} {source.choice(STREETS)}"


def _row(header: Sequence[str], cells: dict[str, str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells.get(column, "") for column in header)
    return line.getvalue().encode(_ENCODING)


def _write(path: Path, header: Sequence[str], rows: Iterable[bytes]) -> None:
    lines = [",".join(header).encode(_ENCODING), *rows]
    lines.append(f"ROW COUNT: {len(lines) - 1}".encode(_ENCODING))
    path.write_bytes(b"".join(line + _LINE_END.encode() for line in lines))
