"""The sandbox by its commands: it comes up, its own example works, it says what runs, and it leaves nothing behind."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from deploy.demo.layout import Layout, SandboxState, write_state
from deploy.demo.processes import Running, start_mark


def homeward(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "homeward", *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sandbox") / "box"


@pytest.fixture(scope="module")
def described(directory: Path) -> Iterator[Any]:
    done = homeward("sandbox", "up", "--counties", "3", "--dir", str(directory), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    yield json.loads(done.stdout)
    if directory.exists():
        homeward("sandbox", "down", "--dir", str(directory))


def test_up_says_where_everything_is(described: Any) -> None:
    assert described["ok"] is True
    assert set(described["counties"]) == {"A", "B", "C"}
    assert set(described["pids"]) == {"gateway", "custodian", "adapter-a", "adapter-b", "adapter-c"}
    for county in described["counties"].values():
        assert county["endpoint"].startswith("127.0.0.1:")
        assert Path(county["certificate"]).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        assert county["tokens"]


def test_every_process_is_a_real_one_of_its_own(described: Any) -> None:
    pids = set(described["pids"].values())
    assert len(pids) == 5
    for pid in pids:
        os.kill(pid, 0)


def played(described: Any, name: str) -> Any:
    """What one of the printed calls says."""
    line = shlex.split(described[name]["python"])
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_python_examples_work_as_printed_and_the_first_finds_whom_the_second_reports(described: Any) -> None:
    answer = played(described, "example")
    assert answer["outcome"] == "OUTCOME_NO_ACTIVE_FLAG_FOUND"
    assert "NOTICE_NOT_A_CLEARANCE" in answer["notices"]
    assert int(answer["receipt"]["leaf_index"]) > 0
    reported, found = played(described, "report"), played(described, "example")
    assert (reported["outcome"], found["outcome"]) == ("OUTCOME_RECORDED", "OUTCOME_ANSWERED")
    assert found["flag_id"] == reported["flag_id"]


def test_the_endpoint_describes_itself_so_that_the_grpcurl_line_works(described: Any) -> None:
    county = described["counties"]["C"]
    credentials = grpc.ssl_channel_credentials(Path(county["certificate"]).read_bytes())
    with grpc.secure_channel(county["endpoint"], credentials, [("grpc.enable_http_proxy", 0)]) as channel:
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "homeward.county.v1.MissingService" in services
    line = described["example"]["grpcurl"]
    assert county["endpoint"] in line
    assert county["tokens"]["CWA.hotline_screener"] not in line


def test_commands_of_a_county_find_its_adapter_though_its_file_says_port_0(described: Any, directory: Path) -> None:
    county = described["counties"]["A"]
    assert "listen: 127.0.0.1:0 " in Path(county["config"]).read_text()
    officer = homeward("sandbox", "token", "--county", "A", "--role", "COUNTY.privacy_officer", "--dir", str(directory))
    token = directory / "officer.token"
    token.write_text(officer.stdout)
    for place in (("--dir", county["directory"]), ("--config", county["config"])):
        status = homeward("adapter", "status", *place, "--json")
        assert (status.returncode, json.loads(status.stdout)["agency"]) == (0, county["agency"]), status.stdout
        asked = homeward("audit", "query", *place, "--token-file", str(token), "--json")
        assert asked.returncode == 0, asked.stdout + asked.stderr


def test_a_token_of_another_county_is_refused(described: Any, directory: Path) -> None:
    foreign = homeward("sandbox", "token", "--county", "A", "--role", "CWA.hotline_screener", "--dir", str(directory))
    text = Path(described["example"]["python_file"]).read_text()
    token_file = directory / "foreign.token"
    token_file.write_text(foreign.stdout.strip())
    own = next(line for line in text.splitlines() if line.startswith("TOKEN"))
    done = subprocess.run(
        [sys.executable, "-c", text.replace(own, f"TOKEN = Path({str(token_file)!r}).read_text()")],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "UNAUTHENTICATED" in done.stderr


def test_a_second_sandbox_in_the_same_place_is_refused(described: Any, directory: Path) -> None:
    again = homeward("sandbox", "up", "--dir", str(directory), "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["error"]["code"] == "SBX-007"


def test_a_directory_that_is_not_a_sandbox_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    for command in ("up", "down"):
        refused = homeward("sandbox", command, "--dir", str(tmp_path), "--json")
        assert refused.returncode == 1
    assert (tmp_path / "thesis.txt").read_text() == "ten years of work"


@pytest.mark.parametrize("words", [("sandbox", "up", "--dir"), ("demo", "--keep"), ("demo", "--out")])
def test_a_directory_that_cannot_be_made_is_named_before_anything_starts(words: Sequence[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    there = tmp_path / "file" / "box"
    refused = homeward(*words, str(there), "--json")
    error = json.loads(refused.stdout)["error"]
    assert (error["code"], error["where"].startswith(str(there))) == ("SBX-008", True)


def test_a_directory_that_takes_no_files_is_named_before_anything_starts() -> None:
    refused = homeward("demo", "--out", "/proc/self", "--json")
    assert json.loads(refused.stdout)["error"]["code"] == "SBX-008"


def test_what_is_left_of_a_dead_sandbox_is_removed_without_touching_other_processes(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "box")
    layout.make()
    recycled = Running("gateway", os.getpid(), "another start", layout.logs / "g.log", layout.logs / "g.out", {})
    write_state(layout, SandboxState(processes=(recycled,)))
    status = homeward("sandbox", "status", "--dir", str(layout.root), "--json")
    assert (status.returncode, json.loads(status.stdout)["processes"]) == (1, {"gateway": False})
    assert homeward("sandbox", "down", "--dir", str(layout.root), "--json").returncode == 0
    assert not layout.root.exists()


def test_down_stops_every_process_and_removes_the_directory(described: Any, directory: Path) -> None:
    status = homeward("sandbox", "status", "--dir", str(directory), "--json")
    assert json.loads(status.stdout)["ok"] is True
    done = homeward("sandbox", "down", "--dir", str(directory), "--json")
    assert json.loads(done.stdout) == {"ok": True, "killed": []}
    assert not directory.exists()
    for pid in described["pids"].values():
        assert start_mark(pid) == ""
