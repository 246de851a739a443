"""An extract that came out empty or cut off, with real files, a real database and restarts: nobody is taken off the
list, nothing is denied, nothing is answered without what is missing, and a person may say that it is right.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters import cli_sources
from adapters.accepted_readings import StoredReadings
from adapters.caseload import Caseload, open_caseload
from adapters.cli import adapter
from adapters.config import AdapterConfig, read_config
from adapters.mapping.sections import volumes
from adapters.node.compare import Comparison
from adapters.node.flags import OwnFlags
from adapters.node.node import Node
from adapters.node.register import Registrar
from adapters.node.source import CaseloadSource, SourceUnusable
from adapters.node.store import drop_setting
from adapters.node.subjects import Subjects
from adapters.source_states import source_states
from adapters.source_words import source_lines
from deploy.demo.issuer import make_issuer
from homeward.failure import CommandFailure
from homeward.gateway.v1.link_pb2 import WORK_STATUS_ANSWERED, WORK_STATUS_ERROR
from tests.integration.source_kit import Gateway, make_node, make_side, prepare
from tests.integration.test_source_side import opened
from tests.unit.node.world import NOW, Order

CLIENTS = "CLIENT_ID,LAST_NM,FIRST_NM,BIRTH_DT\n"
PLACEMENTS = "CLIENT_ID,PLC_BEG_DT,PLC_END_DT,FAC_TYPE_CD,FAC_COUNTY_CD\n"
FILE = """
version: 1
name: "Invented County"
staff:
  issuer: https://login.invented.example
  audience: homeward-adapter
  jwks: { file: jwks.json }
  roles: { workers: [CWA.case_worker] }
sources:
  clients:
    kind: csv
    path: in/CLIENTS_*.csv
    footer_rows: 1
    control_total: { pattern: 'ROW COUNT: (\\d+)' }
    freshness: { from: file_time, warn_after: 26h, error_after: 50h }
  placements:
    kind: csv
    path: in/PLACEMENTS_*.csv
    footer_rows: 1
    control_total: { pattern: 'ROW COUNT: (\\d+)' }
    freshness: { from: file_time, warn_after: 26h, error_after: 50h }
identity:
  client:
    from: clients
    key: CLIENT_ID
    last_name: LAST_NM
    first_name: FIRST_NM
    birth_date: { column: BIRTH_DT, format: "%m/%d/%Y" }
records:
  jurisdiction: { court_county: "06075", responsible_agency: 06075.cwa }
  placement:
    from: placements
    id: [CLIENT_ID, PLC_BEG_DT]
    subject: CLIENT_ID
    fields:
      start_date: { column: PLC_BEG_DT, format: "%m/%d/%Y" }
      end_date: { column: PLC_END_DT, format: "%m/%d/%Y", empty_means: open }
      facility_type: { column: FAC_TYPE_CD, map: { FFH: foster_home } }
      county: { column: FAC_COUNTY_CD, codes: state_order }
"""


@dataclass
class County:
    """A county's directory, and its adapter, which can be started again."""

    directory: Path
    gateway: Gateway = field(default_factory=Gateway)
    nodes: list[Node] = field(default_factory=list)

    def drop(self, table: str, header: str, rows: list[str]) -> None:
        """The nightly extract of a table."""
        text = header + "".join(f"{row}\n" for row in rows) + f"ROW COUNT: {len(rows)}\n"
        (self.directory / "in" / f"{table}_1.csv").write_text(text)

    def clients(self, count: int) -> None:
        """An extract of so many youths."""
        self.drop(
            "CLIENTS", CLIENTS, [f"i-{each},Example{chr(97 + each % 26)}{each},Inv,05/04/2011" for each in range(count)]
        )

    def placements(self, count: int, kind: str = "01/01/2026") -> None:
        """An extract of one placement each."""
        self.drop("PLACEMENTS", PLACEMENTS, [f"i-{each},{kind},,FFH,38" for each in range(count)])

    @property
    def file(self) -> Path:
        return self.directory / "adapter.yaml"

    @property
    def config(self) -> AdapterConfig:
        return read_config(self.file)

    def start(self) -> tuple[Node, Caseload]:
        """An adapter over the same database, with nothing in memory."""
        while self.nodes:
            self.nodes.pop().store.close()
        node = make_node(self.directory / "state", self.gateway)
        self.nodes.append(node)
        caseload = open_caseload(
            self.config, base=self.directory, zone=self.config.tzinfo, accepted=StoredReadings(node.store),
            environment={}, now=lambda: NOW, monotonic=lambda: 0.0,
        )  # fmt: skip
        return node, caseload

    def registrar(self, node: Node, caseload: Caseload) -> Registrar:
        subjects = Subjects(node.store, random_bytes=secrets.token_bytes)
        source = CaseloadSource(caseload)
        return Registrar(Comparison(node, source, subjects, OwnFlags(node.store), self.config.index.policy))

    def run(self, *words: str, said: str = "") -> Result:
        """A command of the operator."""
        return CliRunner().invoke(adapter, [*words, "--dir", str(self.directory)], said, standalone_mode=False)

    def said(self, caseload: Caseload) -> str:
        """What `homeward adapter status` says of the sources."""
        return "\n".join(source_lines(source_states(caseload, self.config.sources, NOW)))


@pytest.fixture
def county(tmp_path: Path) -> Iterator[County]:
    (tmp_path / "in").mkdir()
    (tmp_path / "adapter.yaml").write_text(FILE)
    make_issuer(tmp_path)
    made = County(tmp_path)
    made.clients(24)
    made.placements(24)
    yield made
    while made.nodes:
        made.nodes.pop().store.close()


async def test_an_empty_identity_extract_takes_nobody_off_the_list_after_a_restart(county: County) -> None:
    node, caseload = county.start()
    await prepare(node)
    assert caseload.refresh(NOW).is_in_use
    keeping = county.registrar(node, caseload)
    await keeping.synchronize()
    await keeping.heartbeat()
    assert (len(county.gateway.subjects), len(county.gateway.heartbeats)) == (24, 1)

    county.clients(0)
    node, caseload = county.start()
    await prepare(node)
    assert not caseload.refresh(NOW).is_in_use
    keeping = county.registrar(node, caseload)
    with pytest.raises(SourceUnusable):
        await keeping.synchronize()
    await keeping.heartbeat()
    assert len(county.gateway.subjects) == 24, "nobody is taken off"
    assert len(county.gateway.heartbeats) == 1, "the exchange says UNDETERMINED and names the county"
    said = county.said(caseload)
    assert "FAIL  source clients: 0 records of 0 rows, 0 refused, stale\n      SRC-016  far fewer" in said
    assert "homeward adapter accept" in said

    county.clients(24)
    assert caseload.refresh(NOW).is_in_use, "the extract ran again"
    assert await keeping.synchronize() == 0


async def test_without_placements_a_history_is_an_error_and_no_answer_after_a_restart(county: County) -> None:
    _, caseload = county.start()
    caseload.refresh(NOW)
    side = await make_side(county.directory / "side", county.gateway)
    side.enroll(caseload.youths()[0])
    county.placements(0)

    report = caseload.refresh(NOW)
    assert [(each.name, each.refusal.code) for each in report.sources if each.refusal] == [("placements", "SRC-016")]
    answering = replace(side.responder, source=CaseloadSource(caseload))
    order = Order().build()
    result = answering.answer(order)
    assert result.status == WORK_STATUS_ANSWERED, "while the process lives, from the reading before"
    (episode,) = opened(order, result).placement_history.episodes
    assert len(episode.placements) == 1
    said = county.said(caseload)
    assert "FAIL  source placements: 24 records of 24 rows, 0 refused, stale\n      SRC-016" in said
    assert "ok    source clients: 24 records of 24 rows, 0 refused, ok" in said

    _, caseload = county.start()
    assert not caseload.refresh(NOW).is_in_use
    answering = replace(side.responder, source=CaseloadSource(caseload))
    assert answering.answer(Order().build()).status == WORK_STATUS_ERROR, "which the exchange calls SOURCE_UNAVAILABLE"
    side.node.store.close()


@pytest.mark.parametrize(
    ("clients", "placements", "fell"),
    [
        (24, 24, ""),
        (12, 24, ""),
        (11, 24, "clients"),
        (24, 11, "placements"),
        (0, 0, "clients placements"),
        (30, 30, ""),
    ],
)
def test_a_fall_that_no_day_makes_is_refused_after_a_restart_too(
    county: County, clients: int, placements: int, fell: str
) -> None:
    county.start()[1].refresh(NOW)
    county.clients(clients)
    county.placements(placements)
    report = county.start()[1].refresh(NOW)
    assert " ".join(each.name for each in report.sources if each.refusal) == fell
    assert report.is_in_use is not bool(fell)


def test_an_extract_whose_rows_make_nothing_any_more_is_refused_with_the_reason_beside_it(county: County) -> None:
    """As many rows as before, and a date that is written in another way now: no history would have a placement."""
    county.start()[1].refresh(NOW)
    county.placements(24, "2026-01-01")
    assert not county.start()[1].refresh(NOW).is_in_use
    text = county.run("check").output
    assert "placements           FAIL  file refused  SRC-016" in text
    assert "PLACEMENTS_1.csv: records: 24 before, none now" in text
    assert "  FAIL  record refused   PLC-003  start date is empty or not in the stated format" in text


def test_rows_that_say_that_hardly_anybody_is_in_care_any_more_are_refused(county: County) -> None:
    """Every row and record is there, and each placement has an end: all but two would be taken off the list."""
    county.start()[1].refresh(NOW)
    ended = [f"i-{each},01/01/2026,{'' if each < 2 else '01/02/2026'},FFH,38" for each in range(24)]
    county.drop("PLACEMENTS", PLACEMENTS, ended)
    report = county.start()[1].refresh(NOW)
    refused = {each.name: each.refusal.detail for each in report.sources if each.refusal}
    assert refused == {"clients": "youths in care: 24 before, 2 now"}
    assert "ok    clients counts as it is: youths in care" in county.run("accept", "clients=2").output
    assert county.start()[1].refresh(NOW).is_in_use


@pytest.mark.parametrize("clients", [1, 18])
def test_nobody_left_in_care_is_no_ordinary_day_however_few_they_were(county: County, clients: int) -> None:
    """As many rows and records, and each placement has an end: everybody would be taken off the list."""
    county.clients(clients)
    county.placements(clients)
    county.start()[1].refresh(NOW)
    county.drop("PLACEMENTS", PLACEMENTS, [f"i-{each},01/01/2026,01/02/2026,FFH,38" for each in range(clients)])
    report = county.start()[1].refresh(NOW)
    refused = {each.name: each.refusal.detail for each in report.sources if each.refusal}
    assert refused == {"clients": f"youths in care: {clients} before, none now"}
    allowed = "path: in/CLIENTS_*.csv\n    volume: { allow_empty: true }"
    county.file.write_text(FILE.replace("path: in/CLIENTS_*.csv", allowed))
    assert county.start()[1].refresh(NOW).is_in_use


def test_half_of_a_half_is_compared_with_the_largest_reading_of_the_day(county: County) -> None:
    """A table that is loaded anew is read at every stage of it; each is compared after a restart, too."""

    def read(clients: int, at: datetime) -> str:
        county.clients(clients)
        report = county.start()[1].refresh(at)
        return " ".join(each.refusal.detail for each in report.sources if each.refusal)

    start = datetime.now(UTC) - timedelta(hours=25)
    assert [read(count, start - timedelta(days=3)) for count in (900, 1000)] == ["", ""]
    # It had as many until now, whatever the day on which it had them first.
    assert read(1000, start) == ""
    for minutes, count in enumerate((500, 499, 250, 1, 0)):
        at = start + timedelta(minutes=5 * minutes)
        fell = read(count, at)
        assert fell == ("" if count == 500 else f"rows: 1000 within 24 hours, {count or 'none'} now")
    later = start + timedelta(hours=24, seconds=1)
    assert read(249, later) == "rows: 500 before, 249 now", "then the last one counts"
    assert read(250, later) == ""
    assert read(249, later + timedelta(hours=1)) == "rows: 500 within 24 hours, 249 now", "and is the day's largest"
    assert county.run("accept", "clients=249").exit_code == 0
    assert read(125, later + timedelta(hours=1)) == "", "what was larger is over with it"


def test_a_clock_that_was_wrong_for_once_leaves_no_peak_for_ever(county: County) -> None:
    county.clients(50)
    county.start()[1].refresh(NOW + timedelta(days=900))
    county.clients(30)
    county.start()[1].refresh(NOW)
    county.clients(16)
    assert county.start()[1].refresh(NOW + timedelta(hours=25)).is_in_use


def test_a_source_of_another_name_is_no_first_start(county: County) -> None:
    county.start()[1].refresh(NOW)
    county.file.write_text(FILE.replace("  clients:", "  youths:").replace("from: clients", "from: youths"))
    county.clients(0)
    assert not county.start()[1].refresh(NOW).is_in_use
    county.clients(24)
    assert county.start()[1].refresh(NOW).is_in_use


def with_contacts(name: str, volume: str = "") -> str:
    """The county's file with a table of telephones, whose loss takes nobody out of care."""
    source = FILE[FILE.index("  placements:\n    kind") : FILE.index("identity:")]
    source = source.replace("  placements:", f"  {name}:").replace("PLACEMENTS_*.csv", f"CONTACTS_*.csv{volume}")
    mapping = f"  contact:\n    from: {name}\n    subject: CLIENT_ID\n    fields: {{ phone: PHONE_NO }}\n"
    return FILE.replace("identity:\n", f"{source}identity:\n") + mapping


def test_an_empty_source_of_a_new_name_is_no_new_source_where_a_name_is_gone(county: County) -> None:
    county.drop("CONTACTS", "CLIENT_ID,PHONE_NO\n", [f"i-{each},4155550100" for each in range(24)])
    county.file.write_text(with_contacts("contacts"))
    assert county.start()[1].refresh(NOW).is_in_use
    county.drop("CONTACTS", "CLIENT_ID,PHONE_NO\n", [])
    county.file.write_text(with_contacts("telephones"))
    report = county.start()[1].refresh(NOW)
    refused = {each.name: each.refusal.detail for each in report.sources if each.refusal}
    assert refused == {
        "telephones": "rows: none, under the new name telephones, and nothing is read as contacts any more"
    }
    county.file.write_text(with_contacts("telephones", "\n    volume: { allow_empty: true }"))
    assert county.start()[1].refresh(NOW).is_in_use
    county.file.write_text(with_contacts("telephones"))
    assert county.start()[1].refresh(NOW).is_in_use, "under this name it had none before"


def test_a_new_source_beside_all_the_others_may_begin_empty(county: County) -> None:
    county.start()[1].refresh(NOW)
    county.drop("CONTACTS", "CLIENT_ID,PHONE_NO\n", [])
    county.file.write_text(with_contacts("contacts"))
    assert county.start()[1].refresh(NOW).is_in_use


@pytest.mark.parametrize(("clients", "fell"), [(0, "24 listed, none now"), (11, "24 listed, 11 now"), (12, "")])
async def test_an_adapter_that_never_kept_what_counted_is_compared_with_its_list(
    county: County, clients: int, fell: str
) -> None:
    """As one that was upgraded from a version that kept nothing: its first reading had taken everybody off the list."""
    node, caseload = county.start()
    await prepare(node)
    caseload.refresh(NOW)
    await county.registrar(node, caseload).synchronize()
    with node.store.write() as connection:
        drop_setting(connection, "accepted-readings")

    county.clients(clients)
    checked = json.loads(county.run("check", "--json").output)
    node, caseload = county.start()
    report = caseload.refresh(NOW)
    refused = {each.name: each.refusal.detail for each in report.sources if each.refusal}
    assert refused == ({"clients": f"youths in care: {fell}"} if fell else {})
    assert (report.is_in_use, checked["in_use"]) == (not fell, not fell)
    if fell:
        assert county.run("accept", f"clients={clients}").exit_code == 0
        assert caseload.refresh(NOW).is_in_use
    assert county.start()[1].refresh(NOW).is_in_use


def test_the_first_start_may_find_nobody(county: County) -> None:
    county.clients(0)
    county.placements(0)
    assert county.start()[1].refresh(NOW).is_in_use
    assert county.start()[1].refresh(NOW).is_in_use


def test_the_check_compares_with_what_counted_and_changes_nothing(county: County) -> None:
    assert county.run("check").return_value == 0, "nothing ever counted: nothing is compared"
    assert not (county.directory / "state").exists()
    county.start()[1].refresh(NOW)
    county.clients(0)
    for _ in range(2):
        found = county.run("check", "--json")
        sources = {each["name"]: each for each in json.loads(found.output)["sources"]}
        assert (found.return_value, sources["clients"]["refusal"]["code"]) == (1, "SRC-016")
        assert sources["clients"]["refusal"]["detail"] == "rows: 24 before, none now"
        assert sources["placements"]["refusal"] is None
    text = county.run("check").output
    assert "fix: let the extract run again" in text
    assert "      by this reading 0 youths are in care\nFAIL  this reading is not used" in text
    assert json.loads(found.output)["in_care_refused"] == 0


def test_a_person_may_say_that_the_reading_is_right_and_it_counts_at_once_and_after_a_restart(county: County) -> None:
    _, caseload = county.start()
    caseload.refresh(NOW)
    county.clients(3)
    county.placements(2)
    assert not caseload.refresh(NOW).is_in_use
    refused = county.run("accept", "clients")
    assert isinstance(refused.exception, CommandFailure)
    assert (refused.exception.code, refused.exception.why) == ("ADAPTER-010", "placements fell as well")
    assert not caseload.refresh(NOW).is_in_use
    accepted = county.run("accept", "clients=3", "placements=2")
    assert (accepted.exit_code, accepted.exception) == (0, None)
    assert "ok    clients counts as it is: rows: 24 before, 3 now" in accepted.output
    assert caseload.refresh(NOW).is_in_use, "an adapter that runs takes it up by itself"
    assert len(caseload.youths()) == 3
    assert len(county.start()[1].refresh(NOW).sources) == 2
    county.clients(0)
    assert not county.start()[1].refresh(NOW).is_in_use, "what was accepted is that reading, and no other"


def test_a_script_accepts_the_figures_it_saw_and_no_others(county: County) -> None:
    """The extract is written anew between the check and the word of the person who read it."""
    _, caseload = county.start()
    caseload.refresh(NOW)
    county.clients(3)
    unseen = county.run("accept", "clients").exception
    assert isinstance(unseen, CommandFailure)
    assert (unseen.code, unseen.fix.partition(";")[0]) == (
        "ADAPTER-010", "if that is right: homeward adapter accept clients=3",
    )  # fmt: skip
    assert "nobody is asked here (clients: rows: 24 before, 3 now; in care by it: 3)" in unseen.why
    county.clients(1)
    other = county.run("accept", "clients=3").exception
    assert isinstance(other, CommandFailure)
    assert other.why == "clients is another now than 3: rows: 24 before, 1 now"
    assert isinstance(county.run("accept", "clients", "--json").exception, CommandFailure)
    assert "write a number" in str(county.run("accept", "clients=few").exception)
    assert not caseload.refresh(NOW).is_in_use
    done = county.run("accept", "clients=1", "--json")
    assert json.loads(done.output) == {"ok": True, "accepted": {"clients": "rows: 24 before, 1 now"}}
    assert caseload.refresh(NOW).is_in_use


def test_whoever_sits_at_a_terminal_is_shown_the_figures_and_asked(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, caseload = county.start()
    caseload.refresh(NOW)
    county.clients(3)
    monkeypatch.setattr(cli_sources, "_is_watched", lambda: True)
    for answer in ("\n", "n\n"):
        refused = county.run("accept", "clients", said=answer)
        assert isinstance(refused.exception, CommandFailure)
        assert refused.exception.why == "the answer was no"
        assert (
            "      clients: rows: 24 before, 3 now\n      of all youths in care: 24 before, 3 now\n" in refused.output
        )
        assert not caseload.refresh(NOW).is_in_use
    asked = county.run("accept", "clients", "--json", said="y\n")
    assert isinstance(asked.exception, CommandFailure), "what reads JSON is no person"
    accepted = county.run("accept", "clients", said="y\n")
    assert "from now on a reading is compared with this one" in accepted.output
    assert caseload.refresh(NOW).is_in_use


def test_what_is_accepted_is_what_was_shown_although_the_extract_was_written_anew_meanwhile(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched() -> bool:
        county.clients(0)
        return True

    node, caseload = county.start()
    caseload.refresh(NOW)
    county.clients(3)
    monkeypatch.setattr(cli_sources, "_is_watched", watched)
    assert county.run("accept", "clients", said="y\n").exception is None
    assert StoredReadings(node.store).last().last.sources["clients"].rows == 3
    assert not caseload.refresh(NOW).is_in_use


def test_there_is_nothing_to_accept_where_nothing_fell_or_something_else_is_wrong(county: County) -> None:
    county.start()[1].refresh(NOW)
    assert "nothing to accept" in county.run("accept", "clients").output
    assert "no source clinets" in str(county.run("accept", "clinets").exception)
    county.clients(0)
    (county.directory / "in" / "PLACEMENTS_1.csv").unlink()
    refused = county.run("accept", "clients")
    assert isinstance(refused.exception, CommandFailure)
    assert refused.exception.why == "another fault comes first (placements: SRC-007)"


@pytest.mark.parametrize("words", [("check",), ("accept", "clients")])
def test_what_counted_last_must_be_known_before_anything_is_compared(county: County, words: tuple[str, ...]) -> None:
    (county.directory / "state").mkdir()
    (county.directory / "state" / "adapter.db").write_bytes(b"no database " * 100)
    refused = county.run(*words).exception
    assert isinstance(refused, CommandFailure)
    assert (refused.code, refused.where) == ("ADAPTER-003", str(county.directory / "state" / "adapter.db"))


@pytest.mark.parametrize(
    ("setting", "is_in_use"),
    [
        ("volume: { allow_empty: true }", False),
        ("volume: { refuse_if_falls_by: 100% }", False),
        ("volume: { allow_empty: true, refuse_if_falls_by: 100% }", True),
    ],
)
def test_a_county_may_say_what_falls_are_ordinary(county: County, setting: str, is_in_use: bool) -> None:
    county.start()[1].refresh(NOW)
    county.placements(0)
    county.file.write_text(FILE.replace("_*.csv", f"_*.csv\n    {setting}"))
    assert county.start()[1].refresh(NOW).is_in_use is is_in_use


def test_of_a_small_table_none_left_is_ordinary_only_where_the_county_says_so(county: County) -> None:
    county.clients(5)
    county.placements(5)
    county.start()[1].refresh(NOW)
    county.placements(1)
    assert county.start()[1].refresh(NOW).is_in_use, "half may go of a few"
    county.placements(0)
    assert not county.start()[1].refresh(NOW).is_in_use
    allowed = "path: in/PLACEMENTS_*.csv\n    volume: { allow_empty: true }"
    county.file.write_text(FILE.replace("path: in/PLACEMENTS_*.csv", allowed))
    report = county.start()[1].refresh(NOW)
    assert [(each.name, each.refusal.detail) for each in report.sources if each.refusal] == [
        ("clients", "youths in care: 5 within 24 hours, none now")
    ], "which the source of identities would have to allow"
    county.placements(1)
    county.clients(4)
    assert county.start()[1].refresh(NOW).is_in_use
    county.file.write_text(FILE.replace("_*.csv", "_*.csv\n    volume: { allow_empty: true }"))
    county.placements(0)
    assert county.start()[1].refresh(NOW).is_in_use


def test_a_table_of_those_who_are_missing_and_of_nothing_else_may_be_empty() -> None:
    config = read_config(Path("deploy/county.example.yaml"))
    assert {name: each.allow_empty for name, each in volumes(config).items()} == {
        "clients": False, "placements": False, "absences": True,
    }  # fmt: skip
