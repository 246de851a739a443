"""The example county of the rules' examples: its file, and one faultless row of each table. Invented data.

Decides what `rules` means by a changed cell. Used by the page of rules and by the tests; never by an adapter at work.
"""

from typing import Final

from adapters.mapping.rule import Changes

COUNTY_FILE: Final = """\
sources:
  clients:
    kind: sql
    url: "sqlite:///county.db"
    query: select * from clients
    freshness: { from: poll, warn_after: 26h, error_after: 50h }
  placements:
    kind: sql
    url: "sqlite:///county.db"
    query: select * from placements
    freshness: { from: poll, warn_after: 26h, error_after: 50h }
  episodes:
    kind: sql
    url: "sqlite:///county.db"
    query: select * from episodes
    freshness: { from: poll, warn_after: 26h, error_after: 50h }
  absences:
    kind: sql
    url: "sqlite:///county.db"
    query: select * from absences
    freshness: { from: poll, warn_after: 26h, error_after: 50h }
  contacts:
    kind: sql
    url: "sqlite:///county.db"
    query: select * from contacts
    freshness: { from: poll, warn_after: 26h, error_after: 50h }
identity:
  client:
    from: clients
    key: CLIENT_ID
    last_name: LAST_NM
    first_name: FIRST_NM
    birth_date: { column: BIRTH_DT, format: "%m/%d/%Y" }
    alias_columns: [AKA_LAST_NM]
    ssn4: SSN
    postcode: ZIP
    restriction: { column: LMT }
    nmd: { column: NMD_FLG, equals: "Y" }
    marks: { tribal_case: { column: TRIBE_FLG, equals: "Y" } }
    drop_if: [{ column: ADOPT, equals: "Y", because: sealed adoption }]
records:
  jurisdiction: { court_county: "06075", responsible_agency: 06075.cwa }
  placement:
    from: placements
    id: [CLIENT_ID, PLC_BEG_DT, PLC_NO]
    subject: CLIENT_ID
    fields:
      start_date: { column: PLC_BEG_DT, format: "%m/%d/%Y" }
      end_date: { column: PLC_END_DT, format: "%m/%d/%Y", empty_means: open, not_before: start_date }
      facility_type:
        column: FAC_TYPE_CD
        map: { FFH: foster_home, GH: group_home, STRTP: strtp, REL: relative, ICPC: out_of_state, HOSP: hospital,
               RESP: respite, RUN: runaway, ISFC: isfc_treatment_home }
      county: { column: FAC_COUNTY_CD }
      caregiver_relationship: { column: CARE_CD, map: { REL: relative, NON: non_relative }, unknown: refuse_record }
      move_reason: { column: MOVE_CD, map: { PL: planned_move, DI: disruption } }
    drop_if: [{ column: ADOPT_FLG, equals: "Y", because: sealed adoption }]
  episode:
    from: episodes
    id: [CLIENT_ID, REMOVAL_DT, EPS_NO]
    subject: CLIENT_ID
    fields:
      removal_date: { column: REMOVAL_DT, format: "%m/%d/%Y" }
      exit_date: { column: EXIT_DT, format: "%m/%d/%Y", empty_means: open }
      exit_reason: { column: EXIT_CD, map: { RU: permanency, AG: aged_out } }
      court_county: { column: COURT }
    drop_if: [{ column: ADOPT_FLG, equals: "Y", because: sealed adoption }]
  missing_episode:
    from: absences
    id: EPISODE_ID
    subject: CLIENT_ID
    fields:
      reported_at: { column: REPORTED_DT, zone: America/Los_Angeles }
      returned_at: { column: RETURNED_DT, zone: America/Los_Angeles, empty_means: still_missing }
      status: { column: STATUS_CD, map: { AWOL: missing, RET: returned, LOC: located_not_returned } }
      category: { column: CAT_CD, map: { RUN: runaway } }
      resolution: { column: RES_CD, map: { SAME: returned_same }, unknown: refuse_record }
    drop_if: [{ column: ADOPT_FLG, equals: "Y", because: sealed adoption }]
  contact:
    from: contacts
    subject: CLIENT_ID
    fields:
      phone: PHONE
      transfer_status: { column: TRANSFER, map: { "N": none, O: transfer_out_ordered } }
      icpc_status: { column: ICPC, map: { "N": none }, unknown: refuse_record }
release:
  hold_for_human: { when: [sensitive, tribal_case], queue: privacy@county.example, answer_within: 4h }
"""

TODAY: Final = (2026, 5, 1)
"""The day of the examples."""

BASE_ROWS: Final[dict[str, dict[str, str]]] = {
    "clients": {
        "CLIENT_ID": "0012",
        "FIRST_NM": "Testina",
        "LAST_NM": "Quixano",
        "BIRTH_DT": "01/15/2011",
        "AKA_LAST_NM": "",
        "SSN": "",
        "ZIP": "",
        "LMT": "N",
        "NMD_FLG": "",
        "TRIBE_FLG": "",
        "ADOPT": "",
    },
    "placements": {
        "CLIENT_ID": "0012",
        "PLC_BEG_DT": "03/01/2026",
        "PLC_NO": "1",
        "PLC_END_DT": "03/05/2026",
        "FAC_TYPE_CD": "GH",
        "FAC_COUNTY_CD": "38",
        "CARE_CD": "NON",
        "MOVE_CD": "PL",
        "ADOPT_FLG": "",
    },
    "episodes": {
        "CLIENT_ID": "0012",
        "REMOVAL_DT": "01/10/2026",
        "EPS_NO": "1",
        "EXIT_DT": "",
        "EXIT_CD": "RU",
        "COURT": "38",
        "ADOPT_FLG": "",
    },
    "absences": {
        "CLIENT_ID": "0012",
        "EPISODE_ID": "E1",
        "REPORTED_DT": "2026-03-12 22:15:00",
        "RETURNED_DT": "",
        "STATUS_CD": "AWOL",
        "CAT_CD": "RUN",
        "RES_CD": "",
        "ADOPT_FLG": "",
    },
    "contacts": {"CLIENT_ID": "0012", "PHONE": "(415) 555-0100", "TRANSFER": "N", "ICPC": "N"},
}
"""One faultless row of each table. The youth is invented."""


def expand(changes: Changes) -> dict[str, list[dict[str, str]]]:
    """Whole rows of every table that the changes name, and of the clients in any case."""
    tables: dict[str, list[dict[str, str]]] = {}
    for table, cells in changes:
        tables.setdefault(table, []).append(BASE_ROWS[table] | cells)
    tables.setdefault("clients", [BASE_ROWS["clients"]])
    return tables
