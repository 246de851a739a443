"""The adapter's commands against a real endpoint, as an operator, a worker and an auditor run them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.local.address_file import remove_address, write_address
from adapters.node import rpcs
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import to_wire
from homeward import command
from homeward.audit.v1 import service_pb2 as audit
from homeward.county.v1.access_pb2 import GetStatusResponse, SourceState
from homeward.gateway.v1 import authority_pb2 as gateway_authority
from tests.integration.local_kit import ISSUER, County, county
from tests.unit.local.exchange import CANARY, CANARY_BIRTH, CANARY_SURNAME
from tests.unit.node.world import NOW, receipt_of

FILE = f"""
version: 1
name: "Invented County B"
state: .
staff:
  issuer: {ISSUER}
  audience: homeward-adapter
  jwks: {{ file: jwks.json }}
  roles: {{ workers: [CWA.case_worker] }}
"""
CONSENT = {
    "youth": {"givenName": CANARY, "surname": CANARY_SURNAME, "birthDate": CANARY_BIRTH},
    "basis": "BASIS_CONSENT",
    "grantor": "GRANTOR_MINOR_COUNSEL",
    "purposes": ["PURPOSE_CFT_COORDINATION"],
    "fieldSets": ["FIELD_SET_FS4_PLACEMENT_SUMMARY"],
    "recipientAgencies": ["06037.prob"],
    "expireTime": (NOW + timedelta(days=90)).isoformat().replace("+00:00", "Z"),
    "evidenceReference": "REF-77-1234",
}


@dataclass
class Shell:
    """A directory with an adapter's file, and the adapter it belongs to."""

    directory: Path
    at: County
    capsys: pytest.CaptureFixture[str]

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of one command."""
        status = await asyncio.to_thread(command.run, list(words))
        shown = self.capsys.readouterr()
        return status, shown.out, shown.err

    def place(self, *groups: str) -> tuple[str, ...]:
        """Options that lead to the adapter, as a member of staff in these groups."""
        options = ("--dir", str(self.directory), "--address", self.at.server.address)
        if not groups:
            return options
        file = self.directory / "token"
        file.write_text(self.at.token(*groups) + "\n")
        return (*options, "--token-file", str(file))


@pytest.fixture
async def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Shell]:
    (tmp_path / "adapter.yaml").write_text(FILE)
    async with county(tmp_path) as at:
        yield Shell(tmp_path, at, capsys)


async def test_status_says_whether_the_adapter_is_ready(shell: Shell) -> None:
    status, out, _ = await shell.run("adapter", "status", *shell.place(), "--json")
    document = json.loads(out)
    # Linked, but no token can be made yet.
    assert (status, document["ready"], document["link_up"], document["agency"]) == (1, False, True, "06029.cwa")
    _, text, _ = await shell.run("adapter", "status", *shell.place())
    assert "link to the exchange up" in text


async def test_a_source_that_gives_nothing_fails_the_status_and_is_named_but_is_no_reason_to_start_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "adapter.yaml").write_text(FILE)
    sources = [SourceState(name=name, freshness=name) for name in ("ok", "warn")]
    sources.append(
        SourceState(name="stale", freshness="stale", code="SRC-016", row_count=41, record_count=36, refused_count=5)
    )
    told = GetStatusResponse(agency="06029.cwa", link_up=True, tokens_ready=True, sources=sources)
    async with county(tmp_path, status=told) as at:
        shell = Shell(tmp_path, at, capsys)
        status, out, _ = await shell.run("adapter", "status", *shell.place(), "--json")
        document = json.loads(out)
        assert (status, document["ok"], document["ready"]) == (1, False, True)
        (fault,) = document["faults"]
        assert (fault["source"], fault["code"], "homeward adapter accept" in fault["fix"]) == ("stale", "SRC-016", True)
        status, text, _ = await shell.run("adapter", "status", *shell.place())
        said = text.splitlines()
        place = said.index("FAIL  source stale: 36 records of 41 rows, 5 refused, stale")
        assert (status, "SRC-016  far fewer" in said[place + 1], "adapter accept" in said[place + 2]) == (1, True, True)
        status, text, _ = await shell.run("adapter", "status", *shell.place(), "--health")
        assert (status, "FAIL  source stale" in text) == (0, True)
        del told.sources[-1]
        status, out, _ = await shell.run("adapter", "status", *shell.place(), "--json")
        assert (status, json.loads(out)["ok"], json.loads(out)["faults"]) == (0, True, [])


async def test_a_certificate_that_counts_no_more_is_named_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "adapter.yaml").write_text(FILE)
    told = GetStatusResponse(agency="06029.cwa", tokens_ready=True, certificate_refused=True)
    told.certificate_expire_time.FromDatetime(NOW - timedelta(days=400))
    remedy = (
        "ask the exchange for a new invitation and join again in this directory, or in a new one where somebody else"
    )
    remedy += " may have a copy of it"
    async with county(tmp_path, status=told) as at:
        shell = Shell(tmp_path, at, capsys)
        status, text, _ = await shell.run("adapter", "status", *shell.place())
        named = f"{NOW - timedelta(days=400):%Y-%m-%d %H:%M} UTC"
        assert (status, f"FAIL  certificate expired {named}: {remedy}" in text.splitlines()) == (1, True)
        told.certificate_expire_time.FromDatetime(NOW + timedelta(days=40000))
        _, text, _ = await shell.run("adapter", "status", *shell.place())
        (line,) = [each for each in text.splitlines() if "certificate" in each]
        assert (line.startswith("FAIL  certificate refused"), line.endswith(remedy)) == (True, True)
        _, out, _ = await shell.run("adapter", "status", *shell.place(), "--json")
        assert len(json.loads(out)["certificate_faults"]) == 1
        told.certificate_refused, told.link_up = False, True
        _, text, _ = await shell.run("adapter", "status", *shell.place())
        assert "certificate" not in text


async def test_an_adapter_that_does_not_answer_is_exit_status_5(shell: Shell) -> None:
    await shell.at.server.server.stop(0)
    status, out, _ = await shell.run("adapter", "status", *shell.place(), "--json")
    assert (status, json.loads(out)["error"]["code"]) == (5, "CALL-002")


async def test_the_countys_file_is_checked_with_every_problem_at_its_place(shell: Shell) -> None:
    file = shell.directory / "adapter.yaml"
    assert (await shell.run("adapter", "check", "--config", str(file)))[0] == 0
    file.write_text(FILE.replace("audience", "audeince") + "listen: nowhere\n")
    status, _, err = await shell.run("adapter", "check", "--config", str(file))
    assert status == 1
    assert "adapter.yaml:7:3: error: staff.audeince" in err
    assert "listen" in err
    *printed, verdict, where, why, _ = err.splitlines()
    assert "ADAPTER-001  the county file has 3 problems" in verdict
    problems = [line.partition(": error: ")[2] for line in printed if ": error: " in line]
    assert (where.split()[-1], len(problems)) == (str(file), 3)
    assert not any(problem in why for problem in problems), "what was just printed is not said again"


@pytest.mark.parametrize(
    "words", [("adapter", "check"), ("adapter", "fork"), ("adapter", "status"), ("audit", "complete")]
)
async def test_every_command_is_told_in_the_same_way_where_the_adapter_is(shell: Shell, words: tuple[str, ...]) -> None:
    file = shell.directory / "adapter.yaml"
    officer = shell.place("privacy")[-2:] if words[0] == "audit" else ()
    both = await shell.run(*words, *officer, "--dir", str(shell.directory), "--config", str(file), "--json")
    assert (both[0], json.loads(both[1])["error"]["code"]) == (2, "USAGE-005")
    for place in (("--dir", str(shell.directory / "elsewhere")), ("--config", str(shell.directory / "other.yaml"))):
        status, out, _ = await shell.run(*words, *officer, *place, "--json")
        error = json.loads(out)["error"]
        assert (status, error["code"]) == (1, "ADAPTER-001")
        assert "--dir or --config" in error["fix"]
    other = shell.directory / "county-b.yaml"
    file.rename(other)
    address = () if words[-1] in ("check", "fork") else ("--address", shell.at.server.address)
    found = [await shell.run(*words, *officer, "--config", str(other), *address, "--json")]
    other.rename(file)
    found.append(await shell.run(*words, *officer, "--dir", str(shell.directory), *address, "--json"))
    assert all("ADAPTER-001" not in out and "USAGE" not in out for _, out, _ in found)


async def test_a_command_finds_the_port_that_the_system_gave_a_running_adapter(shell: Shell) -> None:
    (shell.directory / "adapter.yaml").write_text(FILE + "listen: 127.0.0.1:0\n")
    place, state = ("--dir", str(shell.directory), "--json"), shell.directory
    status, out, _ = await shell.run("adapter", "status", *place)
    assert (status, json.loads(out)["error"]["code"]) == (5, "CALL-004")
    write_address(state, shell.at.server.address)
    assert json.loads((await shell.run("adapter", "status", *place))[1])["agency"] == "06029.cwa"
    # One that was killed leaves its address behind, where somebody else may listen now.
    other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with other:
        write_address(state, f"127.0.0.1:{other.sockets[0].getsockname()[1]}")
        status, out, _ = await shell.run("adapter", "status", *place)
    assert (status, json.loads(out)["error"]["code"]) == (5, "CALL-002")
    remove_address(state)
    assert (await shell.run("adapter", "status", *place))[0] == 5


async def test_a_worker_records_and_revokes_a_consent_read_from_a_file(shell: Shell) -> None:
    at = shell.at

    def recorded(kind: str, response: Any) -> Any:
        return lambda payload, claims: response(
            outcome=to_wire(Outcome.RECORDED), receipt=at.gateway.leaf(kind, payload, claims, "RECORDED")
        )

    at.gateway.answers |= {
        rpcs.RECORD_AUTHORITY.path: recorded("authority.recorded", gateway_authority.RecordAuthorityResponse),
        rpcs.REVOKE_AUTHORITY.path: recorded("authority.revoked", gateway_authority.RevokeAuthorityResponse),
    }
    file = shell.directory / "consent.json"
    file.write_text(json.dumps(CONSENT))
    status, out, err = await shell.run("authority", "record", str(file), *shell.place("workers"), "--json")
    done = json.loads(out)
    assert (status, done["ok"]) == (0, True)
    revoked = await shell.run("authority", "revoke", done["authority_id"], *shell.place("workers"))
    assert revoked[0] == 0
    assert not any(word in out + err + revoked[1] + revoked[2] for word in (CANARY, CANARY_SURNAME, CANARY_BIRTH))


async def test_a_document_that_is_no_authority_is_refused_without_being_quoted(shell: Shell) -> None:
    file = shell.directory / "consent.json"
    file.write_text(json.dumps(CONSENT | {"nickname": CANARY}))
    status, out, err = await shell.run("authority", "record", str(file), *shell.place("workers"))
    assert status == 2
    assert "AUTHORITY-001" in err
    assert CANARY not in out + err


async def test_a_refusal_by_policy_is_exit_status_3(shell: Shell) -> None:
    def denied(payload: bytes, claims: Any) -> Any:
        receipt = shell.at.gateway.leaf("access.decision", payload, claims, "NOT_PERMITTED")
        return gateway_authority.RevokeAuthorityResponse(outcome=to_wire(Outcome.NOT_PERMITTED), receipt=receipt)

    shell.at.gateway.answers[rpcs.REVOKE_AUTHORITY.path] = denied
    status, out, _ = await shell.run("authority", "revoke", "0" * 32, *shell.place("workers"))
    assert status == 3
    assert out.startswith("NOT_PERMITTED")


async def test_the_auditor_asks_the_log_and_reads_sentences(shell: Shell) -> None:
    asked: list[audit.EntryQuery] = []

    def page(payload: bytes, claims: Any) -> Any:
        asked.append(audit.EntryQuery.FromString(payload))
        first = asked[-1].after_index < 0
        outcome = b"NO_ACTIVE_FLAG_FOUND" if first else b"ANSWERED"
        said = {"kind": b"access.decision", "purpose": b"MFC_LOCATE", "outcome": outcome}
        said["decision"] = b"DENY" if first else b"ALLOW"
        return audit.ListEntriesResponse(
            permitted=True,
            entries=[receipt_of(said, index=5 if first else 9, time=NOW)],
            next_after_index=5 if first else -1,
            receipt=shell.at.gateway.leaf("audit.read", payload, claims, "ANSWERED"),
        )

    shell.at.gateway.answers[rpcs.LIST_ENTRIES.path] = page
    words = ("audit", "query", *shell.place("privacy"))
    status, out, _ = await shell.run(*words, "--since", "2026-11-01", "--kind", "access.decision")
    assert status == 0
    assert out.count("a question was decided") == 2
    assert "2 entries, verified" in out
    assert asked[0].filter.start_time.ToJsonString() == "2026-11-01T00:00:00Z"
    assert list(asked[0].filter.kinds) == ["access.decision"]
    await shell.run(*words, "--outcome", "ANSWERED", "--worker-role", "LEA.patrol", "--basis", "CONSENT", "--json")
    assert (asked[-1].filter.outcome, asked[-1].filter.role, asked[-1].filter.basis) == (
        "ANSWERED",
        "LEA.patrol",
        "CONSENT",
    )


async def test_who_is_no_reviewer_is_denied_and_a_bad_token_is_told_as_such(shell: Shell) -> None:
    status, _, err = await shell.run("audit", "query", *shell.place("workers"))
    _, where, why, _ = err.splitlines()
    assert (status, "CALL-ROLE_NOT_HELD" in err) == (3, True)
    assert (where.split()[1:3], "groups" in why, "ROLE_NOT_HELD" in why) == (
        ["AccessLogService/ListAccesses", "at"],
        True,
        False,
    )
    options = shell.place("workers")
    (shell.directory / "token").write_text("not.a.token")
    status, _, err = await shell.run("audit", "query", *options)
    assert (status, "CALL-UNAUTHENTICATED" in err, "TOKEN_MALFORMED" in err) == (1, True, True)
    (shell.directory / "token").write_text("")
    assert "CALL-003" in (await shell.run("audit", "query", *options))[2]


async def test_evidence_that_does_not_verify_is_exit_status_6(shell: Shell) -> None:
    def page(payload: bytes, claims: Any) -> Any:
        entry = receipt_of({"kind": b"access.decision"}, index=5, time=NOW)
        entry.openings[0].value = b"access.outcome"
        receipt = shell.at.gateway.leaf("audit.read", payload, claims, "ANSWERED")
        return audit.ListEntriesResponse(permitted=True, entries=[entry], next_after_index=-1, receipt=receipt)

    shell.at.gateway.answers[rpcs.LIST_ENTRIES.path] = page
    status, _, err = await shell.run("audit", "query", *shell.place("privacy"))
    assert (status, "CALL-EVIDENCE_INVALID" in err) == (6, True)


async def test_a_join_line_that_is_none_is_told_in_four_parts(shell: Shell) -> None:
    status, out, _ = await shell.run("join", "hw1_broken", "--dir", str(shell.directory), "--json")
    assert status == 2
    error = json.loads(out)["error"]
    assert error["code"] == "JOIN-001"
    assert all(error[part] for part in ("what", "where", "why", "fix"))
