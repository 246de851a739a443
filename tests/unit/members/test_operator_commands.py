"""What operators of a gateway and a custodian read when they hand over the wrong thing: code, place, reason, remedy."""

import json
import os
import shlex
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway.cli import gateway
from gateway.recovery.cli import fsck, mirror
from gateway.replay_cli import replay
from gateway.tokens.cli import custodian
from homeward.failure import CommandFailure, ExitCode

README = Path(__file__).resolve().parents[3] / "README.md"
LISTEN = ("--listen", "127.0.0.1:9443", "--enroll-listen", "127.0.0.1:9444")
FOUNDING = ("--trust-domain", "exchange.example", *LISTEN)


@dataclass
class Desk:
    """A directory with two ceremonies, a gateway and a custodian of the first."""

    at: Path

    @property
    def gw(self) -> str:
        return str(self.at / "gw")

    @property
    def cu(self) -> str:
        return str(self.at / "cu")

    @property
    def new(self) -> str:
        """Where nothing is yet."""
        return str(self.at / "new")

    def run(self, group: str, *words: str) -> str:
        """What the command prints. Raises what it fails with."""
        result = CliRunner().invoke({"gateway": gateway, "custodian": custodian}[group], list(words))
        if result.exception is not None:
            raise result.exception
        return result.output

    def refused(self, group: str, *words: str) -> CommandFailure:
        """The failure; anything else that goes wrong is a bug of ours and fails the test."""
        with pytest.raises(CommandFailure) as caught:
            self.run(group, *words)
        assert caught.value.fix
        return caught.value

    def share(self, ceremony: str, index: int) -> str:
        return str(self.at / ceremony / f"share-{index}.bin")

    def card(self, name: str) -> str:
        return str(self.at / name / "card.json")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    for ceremony in ("first", "second"):
        desk.run("custodian", "deal", "--out", str(tmp_path / ceremony))
    for made, name, ceremony in (("gw", "cu", "first"), ("elsewhere", "stranger", "second")):
        desk.run("gateway", "init", str(tmp_path / made), *FOUNDING, "--share", desk.share(ceremony, 1))
        desk.run(
            "custodian", "init", str(tmp_path / name), "--operator", name, "--share", desk.share(ceremony, 2),
            "--gateway-card", desk.card(made), "--listen", "127.0.0.1:9453",
        )  # fmt: skip
    desk.run("gateway", "trust", desk.gw, "--custodian-card", desk.card("cu"))
    return desk


def test_a_file_that_is_no_card_is_told_so_by_both(desk: Desk) -> None:
    share = desk.share("first", 2)
    assert desk.refused("gateway", "trust", desk.gw, "--custodian-card", share).code == "CARD-001"
    failure = desk.refused(
        "custodian", "init", desk.new, "--operator", "new", "--share", share, "--gateway-card", share,
        "--listen", "127.0.0.1:1",
    )  # fmt: skip
    assert failure.code == "CARD-001"
    assert not os.path.exists(desk.new)


def test_the_share_of_a_custodian_makes_no_gateway(desk: Desk) -> None:
    failure = desk.refused("gateway", "init", desk.new, *FOUNDING, "--share", desk.share("first", 2))
    assert (failure.code, failure.exit_code) == ("SHARE-003", ExitCode.DENIED)
    assert not os.path.exists(desk.new)


def test_a_share_of_another_ceremony_makes_no_custodian(desk: Desk) -> None:
    failure = desk.refused(
        "custodian", "init", desk.new, "--operator", "new", "--share", desk.share("second", 2),
        "--gateway-card", desk.card("gw"), "--listen", "127.0.0.1:1",
    )  # fmt: skip
    assert (failure.code, failure.exit_code) == ("SHARE-003", ExitCode.DENIED)
    assert "another ceremony" in failure.why
    assert not os.path.exists(desk.new)


def test_a_custodian_of_another_ceremony_is_not_trusted_and_puts_nobody_out(desk: Desk) -> None:
    failure = desk.refused("gateway", "trust", desk.gw, "--custodian-card", desk.card("stranger"))
    assert (failure.code, failure.what) == (
        "ADMIN-001",
        "refused: HOLDER_CONFLICT (share_commitment: of this ceremony)",
    )
    assert "holders     cu\n" in desk.run("gateway", "status", desk.gw)


@pytest.mark.parametrize("group", ["gateway", "custodian"])
def test_nothing_serves_where_nothing_was_made(desk: Desk, group: str) -> None:
    assert desk.refused(group, "serve", desk.new).code == "STATE-001"


@pytest.mark.parametrize("command", [fsck, mirror, replay])
def test_a_directory_that_holds_nothing_of_ours_is_named_as_such(tmp_path: Path, command: click.Command) -> None:
    empty, target = tmp_path / "empty", tmp_path / "target"
    empty.mkdir()
    failure = CliRunner().invoke(command, [str(empty), *([str(target)] if command is mirror else [])]).exception
    assert isinstance(failure, CommandFailure)
    assert (failure.code, failure.where) == ("STATE-001", str(empty))
    assert list(tmp_path.iterdir()) == [empty], "nothing is made on the way"
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("group", "words", "option", "told"),
    [
        ("gateway", ("invite", "{gw}", "6037.cwa", "--kind", "CWA"), "AGENCY", "06037.cwa"),
        ("gateway", ("invite", "{gw}", "06037.cwa", "--kind", "CWA", "--duty-line", "555"), "--duty-line", "+15550100"),
        ("gateway", ("invite", "{gw}", "06037.cwa", "--kind", "CWA", "--expires", "2d"), "--expires", "1m to 24h"),
        ("gateway", ("invite", "{gw}", "06037.cwa", "--kind", "CWA", "--expires", "soon"), "--expires", "1h"),
        ("gateway", ("revoke", "{gw}", "nobody!"), "SUBJECT", "spiffe://"),
        ("custodian", ("admit", "{cu}", "6037", "--root", "00" * 32), "COUNTY", "five digits"),
        ("custodian", ("admit", "{cu}", "06037", "--root", "0000"), "--root", "64 hexadecimal digits"),
        ("custodian", ("admit", "{cu}", "06037", "--root", "tulip carpet"), "--root", "64 hexadecimal digits"),
    ],
)
def test_a_wrong_value_is_told_what_a_right_one_looks_like(
    desk: Desk, group: str, words: tuple[str, ...], option: str, told: str
) -> None:
    failure = desk.refused(group, *(word.format(gw=desk.gw, cu=desk.cu) for word in words))
    assert (failure.code, failure.exit_code) == ("USAGE-001", ExitCode.USAGE)
    assert told in failure.why
    *command, named = failure.where.split()
    assert (command[-1], named) == (words[0], option)
    assert failure.fix == f"{' '.join(command)} --help shows how it is written"


def test_a_custodians_operator_reads_what_is_missing_at_the_custodian(desk: Desk) -> None:
    before = desk.refused("custodian", "epoch", "finish", desk.cu)
    assert (before.code, before.what) == ("ADMIN-001", "refused: EPOCH_STEP (directory: none)")
    desk.run("custodian", "deal", "--epoch", "e2", "--out", str(desk.at / "third"))
    desk.run("custodian", "epoch", "add", desk.cu, "--share", desk.share("third", 2))
    desk.run("custodian", "deal", "--epoch", "e3", "--out", str(desk.at / "fourth"))
    second = desk.refused("custodian", "epoch", "add", desk.cu, "--share", desk.share("fourth", 2))
    assert second.what == "refused: EPOCH_STEP (share: open)"
    for failure in (before, second):
        assert "gateway epoch status" not in failure.fix


def of_readme() -> list[list[str]]:
    """Commands of the operators' part of README, in their order, as words."""
    part = README.read_text(encoding="utf-8").split("## For operators")[1].split("\n## ")[0]
    whole = part.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in whole if line.startswith("    homeward ")]


def test_what_readme_shows_makes_an_exchange_in_which_every_dealt_share_has_a_holder(tmp_path: Path) -> None:
    desk, cards = Desk(tmp_path), list[str]()
    for group, verb, *words in of_readme():
        if (group, verb) == ("custodian", "deal") and "--epoch" not in words and "--refresh" not in words:
            desk.run(group, verb, "--out", str(tmp_path / "shares"), *words[2:])
        elif verb == "init":
            # Each custodian lies on a machine of its own, where its directory may have the same name.
            place = tmp_path / f"{words[0]}{len(cards)}"
            placed = [str(tmp_path / word) if word.startswith("shares/") else word for word in words[1:]]
            own = str(tmp_path / "gw0" / "card.json")
            desk.run(group, verb, str(place), *(own if word == "gw/card.json" else word for word in placed))
            cards += [str(place / "card.json")] if group == "custodian" else []
    for card in cards:
        desk.run("gateway", "trust", str(tmp_path / "gw0"), "--custodian-card", card)
    dealt = list((tmp_path / "shares").glob("share-*.bin"))
    status = json.loads(desk.run("gateway", "status", str(tmp_path / "gw0"), "--json"))
    assert (len(dealt), len(status["holders"])) == (3, 2), "the gateway is the third"


def test_an_admission_that_the_gateway_does_not_present_yet_says_nothing_else(desk: Desk) -> None:
    assert desk.run("custodian", "admit", desk.cu, "06037", "--root", "ab" * 32) == "Admitted county 06037.\n"


def test_a_copy_of_the_database_is_whole_and_for_its_owner_alone(desk: Desk, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    said = json.loads(desk.run("gateway", "backup", desk.gw, str(target), "--json"))
    assert (said["bytes"], target.stat().st_mode & 0o777) == (target.stat().st_size, 0o600)

    def entries(database: Path) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return connection.execute("SELECT * FROM log_entry ORDER BY idx").fetchall()

    assert entries(target) == entries(tmp_path / "gw" / "gateway.db") != []


def test_a_secret_that_others_may_read_is_closed_and_not_restored(desk: Desk) -> None:
    secret = Path(desk.gw) / "secrets" / "log.key"
    secret.chmod(0o644)
    failure = desk.refused("gateway", "invite", desk.gw, "06037.cwa", "--kind", "CWA")
    assert (failure.code, failure.fix) == ("STATE-002", f"chmod 600 {secret}")


def test_the_first_agency_of_a_county_is_not_invited_without_its_telephone_numbers(desk: Desk) -> None:
    failure = desk.refused("gateway", "invite", desk.gw, "06037.cwa", "--kind", "CWA", "--hotline", "+15550100102")
    assert (failure.code, failure.exit_code) == ("USAGE-001", ExitCode.USAGE)
    assert failure.where.endswith("invite --duty-line")
    assert failure.why.startswith("--duty-line is needed for the first agency of a county")
    failure = desk.refused("gateway", "invite", desk.gw, "06037.cwa", "--kind", "CWA")
    assert failure.where.endswith("invite --duty-line --hotline")


def test_what_changes_the_lines_of_a_county_says_which(desk: Desk) -> None:
    failure = desk.refused("gateway", "invite", desk.gw, "06037.cwa", "--kind", "CWA", "--change-lines")
    assert (failure.code, failure.exit_code) == ("USAGE-001", ExitCode.USAGE)
    assert "--duty-line" in failure.why


def test_a_copy_replaces_nothing_and_one_that_fails_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept", encoding="utf-8")
    assert desk.refused("gateway", "backup", desk.gw, str(tmp_path / "kept")).code == "STATE-003"
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "kept"
    assert desk.refused("gateway", "backup", desk.gw, str(tmp_path / "no" / "copy.db")).code == "STATE-006"
    database = tmp_path / "elsewhere" / "gateway.db"
    database.write_bytes(b"no database" * 1000)
    for left in database.parent.glob("gateway.db-*"):
        left.unlink()
    assert desk.refused("gateway", "backup", str(database.parent), str(tmp_path / "copy.db")).code == "STATE-002"
    assert not (tmp_path / "copy.db").exists()
