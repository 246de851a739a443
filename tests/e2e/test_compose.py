"""The compose file, from nothing to an exchange that answers, by the commands that its head tells an operator to type.

County A has CSV files, county B a PostgreSQL server on its own network; their systems call from there. Needs Docker's
compose command, version 2, and HOMEWARD_TEST_PG_IMAGE, a Debian of which the image's base is made too, so that no
container registry is asked. The base stays, for the next time; everything else goes.
"""

import json
import os
import re
import secrets
import shlex
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from deploy.demo.counties import COUNTY_A, COUNTY_B, Agency
from deploy.demo.county import absence, inquiry
from deploy.demo.county_files import ISSUER, county_file
from deploy.demo.issuer import JWKS_FILE, issue_token, make_issuer
from deploy.demo.write_csv import write_extract
from deploy.demo.write_sql import write_database
from deploy.demo.youths import Caseload, heard, make_caseload
from homeward.county.v1.missing_pb2 import CheckFlagRequest, RaiseFlagRequest
from homeward.gateway.v1 import codes_pb2 as codes

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"
SERVICES = ("gateway", "custodian", "adapter-a", "adapter-b")
BASE = "homeward-test-base"
# uid of the image's user.
USER = 10001
DATABASE_HOST = "sql.county-b.example"
NO_COMPOSE = "no docker compose here, version 2 or newer: the compose file was not run"
# Health is asked sooner than an operator needs it.
SOONER = "services:\n" + "".join(f"  {name}: {{ healthcheck: {{ interval: 2s, retries: 2 }} }}\n" for name in SERVICES)
PYTHON = """\
FROM {image}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
"""
AUTHORITIES = "/etc/ssl/authorities.pem"
# What a county's own system does: one call, with the request as JSON on standard input.
CALL = """\
import json, sys
import grpc
from google.protobuf.json_format import MessageToJson, ParseDict
from homeward.county.v1 import missing_pb2, missing_pb2_grpc
call = json.load(sys.stdin)
request = ParseDict(call["request"], getattr(missing_pb2, call["method"] + "Request")())
with grpc.secure_channel(call["endpoint"], grpc.ssl_channel_credentials(call["authority"].encode())) as channel:
    method = getattr(missing_pb2_grpc.MissingServiceStub(channel), call["method"])
    print(MessageToJson(method(request, metadata=[("authorization", "Bearer " + call["token"])], timeout=10)))
"""
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 8444), 3)"


def compose_command() -> list[str] | None:
    """The words of a compose command that knows today's compose files, or None."""
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]):
            done = subprocess.run([*words, "version", "--short"], capture_output=True, text=True, check=False)
            version = re.match(r"v?(\d+)\.", done.stdout)
            if done.returncode == 0 and version and int(version[1]) >= 2:
                return words
    return None


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody at a shell, in a directory of their own."""

    compose: Sequence[str]
    directory: Path
    environment: Mapping[str, str]

    def run(self, *words: str, given: str = "", code: int | None = 0) -> str:
        """What the command printed; it got this on standard input, and ended with this status, if one is named."""
        done = subprocess.run(
            words, input=given, capture_output=True, text=True, timeout=300, check=False,
            cwd=self.directory, env=self.environment,
        )  # fmt: skip
        assert code is None or done.returncode == code, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def docker(self, *words: str, given: str = "", code: int | None = 0) -> str:
        """`docker ...`"""
        return self.run("docker", *words, given=given, code=code)

    def composed(self, *words: str, given: str = "", code: int | None = 0) -> str:
        """`docker compose ...`"""
        return self.run(*self.compose, *words, given=given, code=code)

    def homeward(self, service: str, *words: str, given: str = "") -> str:
        """`homeward ...` in the running container of this service."""
        return self.composed("exec", "-T", service, "homeward", *words, given=given)

    def typed(self, told: str, changed: Mapping[str, str] | None = None) -> str:
        """A command as the head of the compose file tells it, but for these words."""
        for old, new in (changed or {}).items():
            told = told.replace(old, new)
        return self.run("bash", "-c", told.replace("docker compose ", shlex.join(self.compose) + " "))

    def containers(self) -> dict[str, Any]:
        """State and settings of every container, by service."""
        found = json.loads(self.docker("inspect", *self.composed("ps", "--all", "--quiet").split()))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def health(self, service: str) -> str:
        """What its health check says."""
        return str(self.containers()[service]["State"]["Health"]["Status"])

    def wait_until(self, health: str, service: str) -> None:
        """The health check of this service says so, within a minute."""
        end = time.monotonic() + 60
        while (found := self.health(service)) != health:
            assert time.monotonic() < end, f"{service} stays {found}"
            time.sleep(0.5)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What runs."""

    operator: Operator
    caseload: Caseload

    def token(self, agency: Agency, role: str) -> str:
        """A staff token of this county."""
        issuer = self.operator.directory / agency.letter / ISSUER
        return issue_token(issuer, letter=agency.letter, roles=[role], worker="invented-1", now=datetime.now(UTC))

    def call(self, agency: Agency, role: str, request: RaiseFlagRequest | CheckFlagRequest) -> dict[str, Any]:
        """The answer of the county's adapter to one of the county's own systems, on the county's network."""
        letter, operator = agency.letter.lower(), self.operator
        authority = "/var/lib/homeward/state/local-tls/ca.pem"
        call = {
            "endpoint": f"homeward.county-{letter}:8444",
            "authority": operator.composed("exec", "-T", f"adapter-{letter}", "cat", authority),
            "token": self.token(agency, role),
            "method": type(request).__name__.removesuffix("Request"),
            "request": MessageToDict(request),
        }
        network = f"{operator.environment['COMPOSE_PROJECT_NAME']}_county-{letter}"
        image = operator.environment["HOMEWARD_IMAGE"]
        words = ("run", "--rm", "--interactive", "--network", network, "--entrypoint", "python3", image, "-c", CALL)
        answer: dict[str, Any] = json.loads(operator.docker(*words, given=json.dumps(call)))
        return answer

    def report(self) -> dict[str, Any]:
        """A's worker reports that the youth left."""
        request = absence(self.caseload.youth(self.caseload.cast.runaway), datetime.now(UTC) - timedelta(hours=2))
        return self.call(COUNTY_A, "CWA.case_worker", request)

    def check(self) -> dict[str, Any]:
        """B's hotline asks about the youth who left A, as it heard the name."""
        evidence = [(codes.EVIDENCE_KIND_ABUSE_REPORT, "TEST-R-1")]
        person = heard(self.caseload.youth(self.caseload.cast.runaway).person)
        question = inquiry(person, codes.PURPOSE_HOTLINE_SCREEN, evidence=evidence)
        return self.call(COUNTY_B, "CWA.hotline_screener", CheckFlagRequest(inquiry=question))


def told_commands() -> list[str]:
    """The commands in the head of the compose file, in order."""
    head = COMPOSE_FILE.read_text(encoding="utf-8").partition("\nname: ")[0]
    lines = "\n".join(line.removeprefix("#") for line in head.splitlines()).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.startswith("   docker ")]


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator whose image is built; nothing of theirs is left afterwards."""
    compose = compose_command()
    if compose is None:
        pytest.skip(NO_COMPOSE)
    if "HOMEWARD_TEST_PG_IMAGE" not in os.environ:
        reason = "no PostgreSQL for county B: set HOMEWARD_TEST_PG_IMAGE"
        if os.environ.get("HOMEWARD_REQUIRE_DOCKER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    directory, name = tmp_path_factory.mktemp("operator"), f"homeward-test-{secrets.token_hex(4)}"
    (directory / "sooner.yaml").write_text(SOONER, encoding="utf-8")
    environment = os.environ | {
        "COMPOSE_FILE": os.pathsep.join((str(COMPOSE_FILE), str(directory / "sooner.yaml"))),
        "COMPOSE_PROJECT_NAME": name,
        "HOMEWARD_IMAGE": name,
        "HOMEWARD_ETC": str(directory / "etc"),
        # Any free ones.
        **{f"HOMEWARD_{port}_PORT": "0" for port in ("GATEWAY", "ENROLL", "CUSTODIAN")},
    }
    environment.pop("HOMEWARD_COUNTY_A_DATA", None)
    operator = Operator(compose, directory, environment)
    try:
        _build(operator)
        yield operator
    finally:
        operator.docker("rm", "--force", "--volumes", f"{name}-sql", code=None)
        operator.composed("down", "--volumes", "--timeout", "5", code=None)
        operator.docker("image", "rm", "--force", name, code=None)


def _build(operator: Operator) -> None:
    context = operator.directory / "base"
    context.mkdir()
    made = PYTHON.format(image=os.environ["HOMEWARD_TEST_PG_IMAGE"])
    given = {"BASE": BASE} | {name: os.environ[name] for name in ("PIP_INDEX_URL",) if name in os.environ}
    if authorities := os.environ.get("PIP_CERT"):
        shutil.copy(authorities, context / "authorities.pem")
        made += f"COPY authorities.pem {AUTHORITIES}\n"
        given["PIP_CERT"] = AUTHORITIES
    (context / "Dockerfile").write_text(made, encoding="utf-8")
    operator.docker("build", "--quiet", "--tag", BASE, str(context))
    operator.composed("build", *(word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")))


@pytest.fixture(scope="module")
def exchange(operator: Operator) -> Exchange:
    """Everything runs and is healthy, both counties have joined, and A has reported a youth missing."""
    commands, image = iter(told_commands()), operator.environment["HOMEWARD_IMAGE"]
    password = secrets.token_hex(8)
    caseload = _counties(operator, password)
    assert next(commands) == "docker compose build"
    operator.typed(next(commands), {" homeward ": f" {image} "})
    while not (command := next(commands)).startswith("docker compose exec"):
        operator.typed(command)
    invite, join, admit, check, up, status, *_ = command, *commands
    for agency in (COUNTY_A, COUNTY_B):
        of = {"06037": agency.fips, "adapter-a": f"adapter-{agency.letter.lower()}"}
        line = re.findall(r"'(hw1_\S+)'", operator.typed(invite, of))
        joined = operator.typed(join, of | {"hw1_...": line[0]})
        operator.typed(admit, of | {"FINGERPRINT": re.findall(r"\b[0-9a-f]{64}\b", joined)[0]})
    _serve_database(operator, password)
    read = operator.composed(*shlex.split(check.replace("adapter-a", "adapter-b"))[2:])
    assert f"{len(caseload.b)} youths in the adapter's memory" in read
    operator.typed(up)
    assert "ok    link to the exchange up" in operator.typed(status)
    exchange = Exchange(operator, caseload)
    assert exchange.report()["outcome"] == "OUTCOME_RECORDED"
    return exchange


def _counties(operator: Operator, password: str) -> Caseload:
    """What the counties bring lies where the compose file looks for it."""
    today, etc = datetime.now(UTC).date(), Path(operator.environment["HOMEWARD_ETC"])
    caseload = make_caseload(today)
    (etc / "county-a").mkdir(parents=True)
    write_extract(etc / "county-a", caseload.a, today=today)
    write_database(operator.directory / "county.db", caseload.b, caseload.referral)
    (etc / "secrets").mkdir()
    secret = etc / "secrets" / "county_b_sql_password"
    secret.write_text(password, encoding="utf-8")
    secret.chmod(0o400)
    image, mounted = operator.environment["HOMEWARD_IMAGE"], f"{secret.parent}:/secrets"
    words = ("--user", "0", "--volume", mounted, "--entrypoint", "chown", image, str(USER), f"/secrets/{secret.name}")
    operator.docker("run", "--rm", *words)
    for agency in (COUNTY_A, COUNTY_B):
        letter, home = agency.letter.lower(), operator.directory / agency.letter
        make_issuer(home / ISSUER)
        (etc / f"staff-{letter}").mkdir()
        shutil.copy(home / ISSUER / JWKS_FILE, etc / f"staff-{letter}")
        (etc / f"county-{letter}.yaml").write_text(_county_file(agency, home), encoding="utf-8")
    return caseload


def _county_file(agency: Agency, home: Path) -> str:
    text = county_file(agency, home)
    for old, new in {
        "listen: 127.0.0.1:0 ": f"listen: homeward.county-{agency.letter.lower()}:8444\nallow_other_hosts: true ",
        "sandbox: true": "secrets: { sql_password: { file: /run/secrets/county_b_sql_password } }",
        str(home / ISSUER): "/etc/homeward",
        str(home / "data"): "/data/in",
        json.dumps(f"sqlite:///{home / 'county.db'}"): (
            f"postgresql://{DATABASE_HOST}/cws\n    username: reader\n    password: {{ secret: sql_password }}"
        ),
    }.items():
        text = text.replace(old, new)
    return text


def _serve_database(operator: Operator, password: str) -> None:
    """B's server has what the sandbox's SQLite file has, and answers on B's network alone."""
    project = operator.environment["COMPOSE_PROJECT_NAME"]
    with closing(sqlite3.connect(operator.directory / "county.db")) as connection:
        script = "\n".join(connection.iterdump()).replace("BEGIN TRANSACTION;", "BEGIN;")
    settings = {"POSTGRES_USER": "reader", "POSTGRES_PASSWORD": password, "POSTGRES_DB": "cws"}
    operator.docker(
        "run", "--detach", "--name", f"{project}-sql", "--network", f"{project}_county-b",
        "--network-alias", DATABASE_HOST, *(word for pair in settings.items() for word in ("--env", "=".join(pair))),
        os.environ["HOMEWARD_TEST_PG_IMAGE"],
    )  # fmt: skip
    psql = f"psql --quiet --set ON_ERROR_STOP=1 --host {DATABASE_HOST} --username reader cws"
    end = time.monotonic() + 60
    words = ("exec", "--interactive", "--env", f"PGPASSWORD={password}", f"{project}-sql", *psql.split())
    while operator.docker(*words, given="select 1", code=None).strip().startswith("psql: error"):
        assert time.monotonic() < end
        time.sleep(0.5)
    operator.docker(*words, given=script)


def test_a_youth_reported_in_one_county_is_found_from_the_other(exchange: Exchange) -> None:
    answer = exchange.check()
    assert answer["outcome"] == "OUTCOME_ANSWERED"
    assert answer["flagState"] == "FLAG_STATE_ACTIVE"
    assert answer["county"] == COUNTY_A.fips


def test_nobody_on_the_exchanges_network_reaches_what_a_county_calls(exchange: Exchange) -> None:
    for name in ("adapter-a", "adapter-b", "homeward.county-a", "homeward.county-b"):
        refused = exchange.operator.composed("exec", "-T", "gateway", "python3", "-c", CONNECT, name, code=1)
        assert "ConnectionRefusedError" in refused or "gaierror" in refused


def test_no_process_is_root_and_none_writes_beside_its_volume(exchange: Exchange) -> None:
    places = ("/", "/etc", "/etc/homeward", "/data/in", "/opt/homeward", "/root", "/run", "/var/lib")
    tried = f"for place in {' '.join(places)}; do touch $place/x 2>/dev/null && echo wrote $place; done; id --user"
    for service, container in exchange.operator.containers().items():
        assert exchange.operator.composed("exec", "-T", service, "sh", "-c", tried) == f"{USER}\n"
        assert container["HostConfig"]["ReadonlyRootfs"]
        # Docker leaves this out where the kernel does not count swap space.
        assert container["HostConfig"]["MemorySwap"] in (0, container["HostConfig"]["Memory"])


def test_a_reviewer_reads_the_log_and_everybody_can_verify_it(exchange: Exchange) -> None:
    operator = exchange.operator
    (operator.directory / "token").write_text(exchange.token(COUNTY_A, "COUNTY.privacy_officer"), encoding="utf-8")
    (query,) = (told for told in told_commands() if " audit query " in told)
    assert "a missing-from-care report was recorded" in operator.typed(query)
    gateway = "/var/lib/homeward/gateway"
    operator.homeward("gateway", "verify", f"{gateway}/published", "--log-key", f"{gateway}/log.vkey")


def test_settings_go_out_and_in_and_the_gateway_goes_on_with_them(exchange: Exchange) -> None:
    operator = exchange.operator
    get, put = (told for told in told_commands() if "gateway.yaml" in told)
    operator.typed(get)
    with (operator.directory / "gateway.yaml").open("a", encoding="utf-8") as settings:
        settings.write("negative_slot_ms: 900\n")
    operator.typed(put)
    operator.composed("restart", "gateway")
    operator.wait_until("healthy", "gateway")
    assert "negative_slot_ms: 900" in operator.typed(get.partition(" > ")[0])


def test_a_gateway_that_hangs_is_unhealthy_until_it_goes_on(exchange: Exchange) -> None:
    operator = exchange.operator
    signal = "kill -{} $(cat /proc/1/task/1/children)"
    operator.composed("exec", "-T", "gateway", "sh", "-c", signal.format("STOP"))
    operator.wait_until("unhealthy", "gateway")
    operator.composed("exec", "-T", "gateway", "sh", "-c", signal.format("CONT"))
    operator.wait_until("healthy", "gateway")


def test_a_gateway_that_was_killed_answers_again_and_its_log_holds(exchange: Exchange) -> None:
    operator = exchange.operator
    operator.composed("kill", "--signal", "KILL", "gateway")
    operator.composed("up", "--detach", "--wait")
    assert exchange.check()["outcome"] == "OUTCOME_ANSWERED"
    operator.homeward("gateway", "audit", "fsck", "/var/lib/homeward/gateway")


def test_every_process_ends_by_itself_when_it_is_told_to(exchange: Exchange) -> None:
    exchange.operator.composed("stop")
    ended = {service: found["State"]["ExitCode"] for service, found in exchange.operator.containers().items()}
    assert ended == dict.fromkeys(SERVICES, 0)
