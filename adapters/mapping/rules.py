"""The row rules: what can be wrong with a county's data, how much it costs, and how to repair it.

Decides code, severity, sentence, fix and examples of every rule. The functions that find a fault stand where the data
are read (`sources`, `readers`, `sequence`) and name the code; `checks` holds those that look at one whole placement.
The page of rules and the tests are made from this table. Codes are never reused.

A fault costs the least that keeps the answer true: a value before a record, a record before a file. What a rule
cannot know it does not repair.
"""

from typing import Final

from adapters.mapping.rule import Rule, Severity
from adapters.mapping.source_rules import SOURCE_RULES

_RECORD = Severity.RECORD_REFUSED
_VALUE, _NOTE = Severity.VALUE_DROPPED, Severity.NOTE


def _p(**cells: str) -> tuple[str, dict[str, str]]:
    return ("placements", cells)


def _c(**cells: str) -> tuple[str, dict[str, str]]:
    return ("clients", cells)


def _e(**cells: str) -> tuple[str, dict[str, str]]:
    return ("episodes", cells)


def _m(**cells: str) -> tuple[str, dict[str, str]]:
    return ("absences", cells)


_TABLE: Final = (
    *SOURCE_RULES,
    # --- who the youths are
    Rule(
        "IDN-001",
        _RECORD,
        "client number is empty",
        "enter the client number, or leave the row out of the extract",
        (_c(),),
        (_c(CLIENT_ID=""),),
    ),
    Rule(
        "IDN-002",
        _RECORD,
        "given name or surname is empty",
        "enter both names; without them nobody can find the youth",
        (_c(),),
        (_c(FIRST_NM=" "),),
    ),
    Rule(
        "IDN-003",
        _VALUE,
        "birth date is empty or not in the stated format",
        "enter it, or state the format in the county file; without it only weak matches are possible",
        (_c(),),
        (_c(BIRTH_DT="2011"),),
    ),
    Rule(
        "IDN-004",
        _VALUE,
        "birth date is in the future or more than 30 years ago",
        "correct the birth date",
        (_c(),),
        (_c(BIRTH_DT="01/15/2111"),),
    ),
    Rule(
        "IDN-005",
        _NOTE,
        "one client number with different names; the later ones are kept as aliases",
        "check whether two youths share the number",
        (_c(), _c()),
        (_c(), _c(LAST_NM="Quijano")),
    ),
    Rule(
        "IDN-006",
        _VALUE,
        "one client number with different birth dates; the first is kept",
        "check whether two youths share the number",
        (_c(), _c()),
        (_c(), _c(BIRTH_DT="01/16/2011")),
    ),
    Rule(
        "IDN-007",
        Severity.YOUTH_SEALED,
        "limited-access code is not in the map; the youth is treated as sealed",
        "add the code to identity.client.restriction.map",
        (_c(LMT="S"),),
        (_c(LMT="X"),),
    ),
    Rule(
        "IDN-008",
        _VALUE,
        "last four digits or postal code are not readable",
        "enter digits only",
        (_c(ZIP="94103"),),
        (_c(ZIP="SF"),),
    ),
    Rule("IDN-020", _NOTE, "youth left out by your rule", "nothing to do", (_c(),), (_c(ADOPT="Y"),)),
    # --- placements
    Rule("PLC-001", _RECORD, "client number is empty", "enter the client number", (_p(),), (_p(CLIENT_ID=""),)),
    Rule(
        "PLC-002",
        _RECORD,
        "no youth with this client number",
        "check that the identity source holds every client of this one",
        (_p(),),
        (_p(CLIENT_ID="0099"),),
    ),
    Rule(
        "PLC-003",
        _RECORD,
        "start date is empty or not in the stated format",
        "Placement notebook, start date",
        (_p(),),
        (_p(PLC_BEG_DT="next week"),),
    ),
    Rule(
        "PLC-004",
        _RECORD,
        "end date before start date",
        "Placement notebook, end date",
        (_p(PLC_END_DT="03/02/2026"),),
        (_p(PLC_END_DT="02/01/2026"),),
    ),
    Rule(
        "PLC-005",
        _RECORD,
        "end date is not in the stated format, or empty without empty_means: open",
        "Placement notebook, end date",
        (_p(PLC_END_DT=""),),
        (_p(PLC_END_DT="unknown"),),
    ),
    Rule(
        "PLC-006",
        _RECORD,
        "start date is in the future",
        "Placement notebook, start date",
        (_p(),),
        (_p(PLC_BEG_DT="03/02/2036", PLC_END_DT=""),),
    ),
    Rule(
        "PLC-007",
        _RECORD,
        "start date before the birth date",
        "check start date and birth date",
        (_p(),),
        (_p(PLC_BEG_DT="03/02/2010"),),
    ),
    Rule(
        "PLC-008",
        _RECORD,
        "start date lies in no out-of-home episode",
        "enter the episode, or correct removal, exit or start date",
        (_e(), _p()),
        (_e(), _p(PLC_BEG_DT="01/02/2020", PLC_END_DT="01/03/2020")),
    ),
    Rule(
        "PLC-009",
        _VALUE,
        "placement lasts longer than its episode; it ends with the exit",
        "close the placement when the episode ends",
        (_e(EXIT_DT="04/30/2026"), _p(PLC_END_DT="04/30/2026")),
        (_e(EXIT_DT="04/30/2026"), _p(PLC_END_DT="")),
    ),
    Rule(
        "PLC-011",
        _VALUE,
        "facility code not in the map",
        "map it at records.placement.fields.facility_type.map",
        (_p(FAC_TYPE_CD="FFH"),),
        (_p(FAC_TYPE_CD="SILP"),),
    ),
    Rule(
        "PLC-012",
        _RECORD,
        "code not in a map that refuses the record",
        "map the code, or write unknown: refuse_value",
        (_p(CARE_CD="REL"),),
        (_p(CARE_CD="ZZ"),),
    ),
    Rule(
        "PLC-013",
        _VALUE,
        "county code that no county has",
        "correct the code, or map it at records.placement.fields.county.map",
        (_p(FAC_COUNTY_CD="39"),),
        (_p(FAC_COUNTY_CD="77"),),
    ),
    Rule(
        "PLC-014",
        _VALUE,
        "code of the caregiver or of the move not in the map",
        "map it at records.placement.fields",
        (_p(MOVE_CD="PL"),),
        (_p(MOVE_CD="ZZ"),),
    ),
    Rule("PLC-020", _NOTE, "left out by your rule", "nothing to do", (_p(),), (_p(ADOPT_FLG="Y"),)),
    Rule(
        "PLC-021",
        _NOTE,
        "the same record twice; one is kept",
        "nothing to do; the extract repeats rows",
        (_p(), _p(PLC_BEG_DT="03/05/2026")),
        (_p(), _p()),
    ),
    Rule(
        "PLC-022",
        _VALUE,
        "placements overlap; the earlier one ends when the later one starts",
        "close the earlier placement on the day of the move",
        (_p(PLC_END_DT="03/09/2026"), _p(PLC_BEG_DT="03/09/2026", PLC_END_DT="")),
        (_p(PLC_END_DT=""), _p(PLC_BEG_DT="03/09/2026", PLC_END_DT="")),
    ),
    Rule(
        "PLC-023",
        _RECORD,
        "two different placements from the same day; the later row is kept",
        "delete the placement that did not happen",
        (_p(PLC_END_DT="03/01/2026"), _p(PLC_NO="2")),
        (_p(), _p(PLC_NO="2", FAC_TYPE_CD="REL")),
    ),
    Rule(
        "PLC-024",
        _NOTE,
        "an absence written as a placement; kept as an absence over the history",
        "nothing to do",
        (_p(),),
        (_p(FAC_TYPE_CD="RUN"),),
    ),
    Rule(
        "PLC-025",
        _NOTE,
        "setting is so rare in the county that only its group is offered",
        "nothing to do",
        (_p(),),
        (_p(FAC_TYPE_CD="ISFC"),),
    ),
    # --- out-of-home episodes
    Rule("EPS-001", _RECORD, "client number is empty", "enter the client number", (_e(),), (_e(CLIENT_ID=""),)),
    Rule(
        "EPS-002",
        _RECORD,
        "no youth with this client number",
        "check that the identity source holds every client of this one",
        (_e(),),
        (_e(CLIENT_ID="0099"),),
    ),
    Rule(
        "EPS-003",
        _RECORD,
        "removal date is empty or not in the stated format",
        "enter the removal date",
        (_e(),),
        (_e(REMOVAL_DT=""),),
    ),
    Rule(
        "EPS-004",
        _RECORD,
        "exit before removal",
        "correct the exit date",
        (_e(EXIT_DT="04/01/2026"),),
        (_e(EXIT_DT="04/01/2019"),),
    ),
    Rule(
        "EPS-005",
        _RECORD,
        "exit date is not in the stated format, or empty without empty_means: open",
        "enter the exit date",
        (_e(),),
        (_e(EXIT_DT="n/a"),),
    ),
    Rule(
        "EPS-006",
        _RECORD,
        "removal date is in the future",
        "correct the removal date",
        (_e(),),
        (_e(REMOVAL_DT="01/01/2036"),),
    ),
    Rule(
        "EPS-011",
        _VALUE,
        "exit reason not in the map",
        "map it at records.episode.fields.exit_reason.map",
        (_e(EXIT_DT="04/01/2026", EXIT_CD="RU"),),
        (_e(EXIT_DT="04/01/2026", EXIT_CD="ZZ"),),
    ),
    Rule(
        "EPS-012",
        _RECORD,
        "code not in a map that refuses the record",
        "map the code, or write unknown: refuse_value",
        (_e(),),
        (_e(EXIT_DT="04/01/2026", EXIT_CD="ZZ"),),
        edit=("aged_out } }", "aged_out }, unknown: refuse_record }"),
    ),
    Rule(
        "EPS-013",
        _VALUE,
        "court county that no county has; the county's own is used",
        "correct the code",
        (_e(COURT="38"),),
        (_e(COURT="99"),),
    ),
    Rule("EPS-020", _NOTE, "left out by your rule", "nothing to do", (_e(),), (_e(ADOPT_FLG="Y"),)),
    Rule("EPS-021", _NOTE, "the same record twice; one is kept", "nothing to do", (_e(),), (_e(), _e())),
    Rule(
        "EPS-022",
        _VALUE,
        "episodes overlap; the earlier one ends when the later one starts",
        "close the earlier episode",
        (_e(EXIT_DT="01/31/2026"), _e(REMOVAL_DT="02/01/2026")),
        (_e(), _e(REMOVAL_DT="02/01/2026")),
    ),
    Rule(
        "EPS-023",
        _RECORD,
        "two different episodes from the same day; the later row is kept",
        "delete the episode that did not happen",
        (_e(),),
        (_e(), _e(EPS_NO="2", COURT="39")),
    ),
    # --- absences
    Rule("MIS-001", _RECORD, "client number is empty", "enter the client number", (_m(),), (_m(CLIENT_ID=""),)),
    Rule(
        "MIS-002",
        _RECORD,
        "no youth with this client number",
        "check that the identity source holds every client of this one",
        (_m(),),
        (_m(CLIENT_ID="0099"),),
    ),
    Rule(
        "MIS-003",
        _RECORD,
        "report time is empty or not in the stated format",
        "enter the time of the report",
        (_m(),),
        (_m(REPORTED_DT=""),),
    ),
    Rule(
        "MIS-004",
        _RECORD,
        "return before the report",
        "correct the time of the return",
        (_m(RETURNED_DT="2026-03-13 09:00:00", STATUS_CD="RET"),),
        (_m(RETURNED_DT="2026-03-01 09:00:00", STATUS_CD="RET"),),
    ),
    Rule(
        "MIS-005",
        _VALUE,
        "return or first day is not in the stated format",
        "correct the time",
        (_m(),),
        (_m(RETURNED_DT="soon", STATUS_CD="RET"),),
    ),
    Rule(
        "MIS-006",
        _VALUE,
        "status says missing, but a return is entered; the youth counts as missing",
        "correct the status or delete the return",
        (_m(),),
        (_m(RETURNED_DT="2026-03-13 09:00:00"),),
    ),
    Rule(
        "MIS-010",
        _RECORD,
        "status not in the map",
        "map it at records.missing_episode.fields.status.map",
        (_m(),),
        (_m(STATUS_CD="ZZ"),),
    ),
    Rule(
        "MIS-011",
        _VALUE,
        "code of category, setting, county or resolution not in the map",
        "map it at records.missing_episode.fields",
        (_m(CAT_CD="RUN"),),
        (_m(CAT_CD="ZZ"),),
    ),
    Rule(
        "MIS-012",
        _RECORD,
        "code not in a map that refuses the record",
        "map the code, or write unknown: refuse_value",
        (_m(),),
        (_m(RES_CD="ZZ"),),
    ),
    Rule("MIS-020", _NOTE, "left out by your rule", "nothing to do", (_m(),), (_m(ADOPT_FLG="Y"),)),
    Rule("MIS-021", _NOTE, "the same record twice; the later row is kept", "nothing to do", (_m(),), (_m(), _m())),
    # --- whom to call
    Rule(
        "CON-001",
        _RECORD,
        "no youth with this client number",
        "check the extract",
        (("contacts", {}),),
        (("contacts", {"CLIENT_ID": "0099"}),),
    ),
    Rule(
        "CON-002",
        _VALUE,
        "telephone number is not readable",
        "enter area code and number",
        (("contacts", {}),),
        (("contacts", {"PHONE": "ask Bob"}),),
    ),
    Rule(
        "CON-011",
        _VALUE,
        "code of transfer or interstate status not in the map",
        "map it at records.contact.fields",
        (("contacts", {}),),
        (("contacts", {"TRANSFER": "ZZ"}),),
    ),
    Rule(
        "CON-012",
        _RECORD,
        "code not in a map that refuses the record",
        "map the code, or write unknown: refuse_value",
        (("contacts", {}),),
        (("contacts", {"ICPC": "ZZ"}),),
    ),
)

RULES: Final[dict[str, Rule]] = {rule.code: rule for rule in _TABLE}
"""Every rule by its code."""
