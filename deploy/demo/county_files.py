"""The county files of the sandbox: what an operator would have written, one adapter each.

Decides the text, comments included, since a newcomer reads these first. The maps from a county's own codes to the
exchange's lists stand here and nowhere else. Nothing in these files is a secret.
"""

import json
from pathlib import Path
from typing import Final

from deploy.demo.counties import Agency, SourceKind
from deploy.demo.issuer import AUDIENCE, JWKS_FILE, ROLES_CLAIM, group_of, issuer_name
from deploy.demo.write_csv import CLIENTS, EPISODES, PLACEMENTS

DATA: Final = "data"
DATABASE: Final = "county.db"
ISSUER: Final = "issuer"

_FACILITY_MAP: Final = (
    "{ FFH: foster_home, REL: relative, GH: group_home, STRTP: strtp, SHEL: county_shelter, THPP: thpp_nmd,"
    " HOSP: hospital }"
)
_MOVE_MAP: Final = "{ PL: planned_move, DIS: disruption, CLO: provider_closure }"
_EXIT_MAP: Final = "{ REU: permanency, GUA: permanency, OTH: other }"
_CSV_FRESHNESS: Final = "{ from: file_time, warn_after: 26h, error_after: 50h }"


def county_file(agency: Agency, directory: Path) -> str:
    """The text of one agency's file; `directory` is where its data and its token issuer lie."""
    parts = [_head(agency), _staff(agency, directory)]
    if agency.source is SourceKind.CSV:
        parts += [_csv_sources(directory / DATA), _CSV_IDENTITY, _records(agency, _CSV_RECORDS)]
    elif agency.source is SourceKind.SQL:
        parts += [_sql_sources(directory / DATABASE), _SQL_IDENTITY, _records(agency, _SQL_RECORDS)]
    return "\n".join(parts)


def _quoted(text: str) -> str:
    """A YAML scalar for any text; every JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def _head(agency: Agency) -> str:
    return f"""\
# {agency.title}: an invented county of the sandbox.   Check it:  homeward adapter check --dir <this directory>
version: 1
name: {_quoted(agency.title)}
listen: 127.0.0.1:0               # this machine only; commands find the real port, which is in the readiness line
sandbox: true                     # reflection on; invented people only
"""


def _staff(agency: Agency, directory: Path) -> str:
    roles = "\n".join(f"    {group_of(role)}: [{role}]" for role in agency.roles)
    return f"""\
staff:                            # whose tokens count, and what their groups mean
  issuer: {issuer_name(agency.letter)}
  audience: {AUDIENCE}
  jwks: {{ file: {_quoted(str(directory / ISSUER / JWKS_FILE))} }}
  roles_claim: {ROLES_CLAIM}
  roles:
{roles}
"""


def _csv_sources(data: Path) -> str:
    tables = (("clients", CLIENTS[:7]), ("placements", PLACEMENTS[:6]), ("episodes", EPISODES[:4]))
    sources = "\n".join(
        f"""\
  {table}:
    kind: csv
    path: {_quoted(str(data / f"{table}_*.csv"))}
    newest_only: true
    encoding: cp1252
    columns_required: [{", ".join(columns)}]
    footer_rows: 1
    control_total: {{ pattern: 'ROW COUNT: (\\d+)' }}
    freshness: {_CSV_FRESHNESS}"""
        for table, columns in tables
    )
    return f"sources:                          # a nightly drop from the case system\n{sources}\n"


_CSV_IDENTITY: Final = """\
identity:                         # used on this machine to make tokens; never sent
  client:
    from: clients
    key: CLIENT_ID
    last_name: LAST_NM
    first_name: FIRST_NM
    birth_date: { column: BIRTH_DT, format: "%m/%d/%Y" }
    alias_columns: [AKA_LAST_NM]
    restriction: { column: LMT_ACSSCD }     # N none, S sensitive, R sealed
"""

_CSV_RECORDS: Final = f"""\
  placement:
    from: placements
    id: [CLIENT_ID, PLC_BEG_DT]
    subject: CLIENT_ID
    fields:
      start_date: {{ column: PLC_BEG_DT, format: "%m/%d/%Y" }}
      end_date: {{ column: PLC_END_DT, format: "%m/%d/%Y", empty_means: open, not_before: start_date }}
      facility_type: {{ column: FAC_TYPE_CD, map: {_FACILITY_MAP} }}
      county: {{ column: FAC_COUNTY_CD, codes: state_order }}
      move_reason: {{ column: MOVE_RSN_CD, map: {_MOVE_MAP} }}
      # no field for addresses, caregivers or notes, on purpose: the exchange has none
  episode:
    from: episodes
    id: [CLIENT_ID, REMOVAL_DT]
    subject: CLIENT_ID
    fields:
      removal_date: {{ column: REMOVAL_DT, format: "%m/%d/%Y" }}
      exit_date: {{ column: EXIT_DT, format: "%m/%d/%Y", empty_means: open, not_before: removal_date }}
      exit_reason: {{ column: EXIT_RSN_CD, map: {_EXIT_MAP} }}
"""


def _sql_sources(database: Path) -> str:
    return _SQL_SOURCES.replace("@URL", _quoted(f"sqlite:///{database}"))


_SQL_SOURCES: Final = """\
sources:                          # read-only questions to the case system's database
  clients:
    kind: sql
    url: @URL
    query: select client_no, family_name, given_name, birth_date, other_family_name, access_code from client
    freshness: { from: poll, warn_after: 2h, error_after: 6h }
  placements:
    kind: sql
    url: @URL
    query: |
      select client_no, begin_date, end_date, facility_code, facility_fips, end_reason
      from   placement
    freshness: { from: poll, warn_after: 2h, error_after: 6h }
  episodes:
    kind: sql
    url: @URL
    query: select client_no, removed_on, exited_on, exit_reason from episode
    freshness: { from: poll, warn_after: 2h, error_after: 6h }
"""


_SQL_IDENTITY: Final = """\
identity:                         # used on this machine to make tokens; never sent
  client:
    from: clients
    key: client_no
    last_name: family_name
    first_name: given_name
    birth_date: { column: birth_date, format: "%Y-%m-%d" }
    alias_columns: [other_family_name]
    restriction: { column: access_code }
"""

_SQL_RECORDS: Final = f"""\
  placement:
    from: placements
    id: [client_no, begin_date]
    subject: client_no
    fields:
      start_date: {{ column: begin_date, format: "%Y-%m-%d" }}
      end_date: {{ column: end_date, format: "%Y-%m-%d", empty_means: open, not_before: start_date }}
      facility_type: {{ column: facility_code, map: {_FACILITY_MAP} }}
      county: {{ column: facility_fips, codes: fips }}
      move_reason: {{ column: end_reason, map: {_MOVE_MAP} }}
  episode:
    from: episodes
    id: [client_no, removed_on]
    subject: client_no
    fields:
      removal_date: {{ column: removed_on, format: "%Y-%m-%d" }}
      exit_date: {{ column: exited_on, format: "%Y-%m-%d", empty_means: open, not_before: removal_date }}
      exit_reason: {{ column: exit_reason, map: {_EXIT_MAP} }}
"""


def _records(agency: Agency, records: str) -> str:
    return f"""\
records:
{records}\
  jurisdiction:
    court_county: "{agency.fips}"
    responsible_agency: {agency.agency_id}

release:                          # what this county lets out, before any request is looked at
  placement: {{ history: 5 years }}
"""
