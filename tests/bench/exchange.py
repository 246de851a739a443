"""The exchange that is measured: the product's own processes, with an index of some size and youths to be found.

Decides what is brought up, and in which state it is when the clock starts. Everything goes the way of an operator or a
county system (`deploy.demo.sandbox`); only the sandbox's recording of every message is turned off again, because it is
no part of the product and writes a file for each call.
"""

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc

from adapters.node.identifiers import new_request_id
from deploy.demo.counties import counties
from deploy.demo.county import CALL_SECONDS, Calls, absence
from deploy.demo.readiness import wait_ready
from deploy.demo.sandbox import Sandbox
from gateway.protocol.channel import client_options
from gateway.protocol.directory import DirectoryView, open_directory
from gateway.protocol.envelope import wrap
from gateway.protocol.names import EvidenceKind, Purpose, Role
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.index_pb2 import RESTRICTION_NONE, RegisterSubjectsRequest, RegistrationBatch, Subject
from homeward.gateway.v1.index_pb2_grpc import IndexServiceStub
from tests.bench.asker import Asker, strangers

FLAGGED: Final = 8
"""Youths of county A who are missing while the load runs."""
_REGISTRATION: Final = 50
_QUIET_SHARE: Final = 0.05
_QUIET_SECONDS: Final = 0.25
_LONGEST_PAUSE: Final = 60.0
_RECORDING: Final = re.compile(r"^sandbox:.*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A running exchange, ready to be measured."""

    sandbox: Sandbox
    finder: Asker
    """A hotline screener of county C, who asks whether anybody looks for a youth."""
    placer: Asker
    """A placement worker of county B, who asks for placement histories of county A."""
    directory: DirectoryView
    flagged: tuple[TokenSet, ...]
    unflagged: tuple[TokenSet, ...]
    """Youths of county A whose records may be asked for."""
    subjects: int
    """Youths in the index."""

    def pids(self) -> Mapping[str, int]:
        """Processes that answer, by name."""
        return {name: self.sandbox.process(name).pid for name in ("gateway", "adapter-a")}


@contextmanager
def running(directory: Path, *, subjects: int) -> Iterator[Exchange]:
    """An exchange with so many youths in its index; afterwards nothing of it runs."""
    sandbox = Sandbox.up(directory)
    try:
        _stop_recording(sandbox)
        state = {letter: sandbox.county(letter).directory / "state" for letter in "ABC"}
        owner = Asker.of(state["A"], Role("CWA.case_worker"), Purpose.MFC_LOCATE, EvidenceKind.REPORT_BEING_FILED)
        with _channel(owner) as channel:
            _fill_index(channel, owner, next(iter(_tokens_by_number(state["A"]).values())), subjects)
            directory_view = _directory(channel, owner)
        numbers = _ordinary_youths(sandbox)
        _raise_flags(sandbox, numbers[:FLAGGED])
        tokens = _tokens_by_number(state["A"])
        exchange = Exchange(
            sandbox=sandbox,
            finder=Asker.of(state["C"], Role("CWA.hotline_screener"), Purpose.MFC_HANDOFF, EvidenceKind.YOUTH_PRESENT),
            placer=Asker.of(
                state["B"], Role("CWA.placement_worker"), Purpose.PLACEMENT_PLANNING, EvidenceKind.OPEN_REFERRAL
            ),
            directory=directory_view,
            flagged=tuple(tokens[number] for number in numbers[:FLAGGED]),
            unflagged=tuple(tokens[number] for number in numbers[FLAGGED:]),
            subjects=subjects + len(sandbox.caseload.a) + len(sandbox.caseload.b),
        )
        wait_quiet(exchange.pids())
        yield exchange
    finally:
        sandbox.down()


def wait_quiet(pids: Mapping[str, int]) -> float:
    """Waits until these processes have nothing left to do; returns how long that took, in seconds."""
    started = time.monotonic()
    while time.monotonic() - started < _LONGEST_PAUSE:
        before = sum(cpu_seconds(pid) for pid in pids.values())
        time.sleep(_QUIET_SECONDS)
        if sum(cpu_seconds(pid) for pid in pids.values()) - before < _QUIET_SHARE * _QUIET_SECONDS:
            break
    return time.monotonic() - started


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and all threads it ever had, in user and system mode; by the scheduler's clock."""
    # The clock of another process (clock_getcpuclockid(3)); /proc/PID/stat counts in ticks of ten milliseconds.
    return time.clock_gettime(~pid << 3 | 2)


def _stop_recording(sandbox: Sandbox) -> None:
    settings = sandbox.layout.gateway / "gateway.yaml"
    text, count = _RECORDING.subn("", settings.read_text(encoding="utf-8"))
    if count != 1:
        raise RuntimeError("the sandbox's gateway.yaml has another form than expected")
    sandbox.end("gateway")
    settings.write_text(text, encoding="utf-8")
    sandbox.restart("gateway")
    for agency in counties(3):
        wait_ready(sandbox.county(agency.letter), agency, sandbox.process(f"adapter-{agency.letter.lower()}"))


@contextmanager
def _channel(asker: Asker) -> Iterator[grpc.Channel]:
    peer = asker.peer
    credentials = grpc.ssl_channel_credentials(peer.roots.read_bytes(), peer.key.read_bytes(), peer.chain.read_bytes())
    address = asker.membership.gateway_address
    with grpc.secure_channel(address, credentials, options=client_options(address)) as channel:
        yield channel


def _directory(channel: grpc.Channel, asker: Asker) -> DirectoryView:
    reply = MembershipServiceStub(channel).GetDirectory(GetDirectoryRequest(), timeout=CALL_SECONDS)
    return open_directory(reply.directory, asker.membership.pins)


def _fill_index(channel: grpc.Channel, owner: Asker, like: TokenSet, subjects: int) -> None:
    """So many more youths are listed, with random tokens."""
    stub, stranger = IndexServiceStub(channel), strangers(like)
    for start in range(0, subjects, _REGISTRATION):
        batch = RegistrationBatch(request_id=new_request_id(datetime.now(UTC), os.urandom))
        for _ in range(min(_REGISTRATION, subjects - start)):
            batch.subjects.append(Subject(handle=os.urandom(16), tokens=stranger(), restriction=RESTRICTION_NONE))
        envelope = wrap(batch, owner.keyring.envelope)
        stub.RegisterSubjects(RegisterSubjectsRequest(envelope=envelope), timeout=CALL_SECONDS)


def _ordinary_youths(sandbox: Sandbox) -> Sequence[str]:
    """Numbers of county A's youths of whom nothing special is told, ascending."""
    cast = sandbox.caseload.cast
    special = {cast.runaway, cast.moved, cast.teammate, cast.sealed, cast.sensitive, cast.twin, cast.other_twin,
               cast.namesake}  # fmt: skip
    return sorted(youth.local_id for youth in sandbox.caseload.a if youth.local_id not in special)


def _raise_flags(sandbox: Sandbox, numbers: Sequence[str]) -> None:
    """County A reports these youths missing, through its adapter."""
    county = sandbox.county("A")
    learned = datetime.now(UTC) - timedelta(hours=5)
    with county.channel() as channel:
        for number in numbers:
            request = absence(sandbox.caseload.youth(number), learned)
            Calls(channel).missing.RaiseFlag(request, metadata=county.metadata("CWA.case_worker"), timeout=CALL_SECONDS)


def _tokens_by_number(state: Path) -> Mapping[str, TokenSet]:
    """Tokens of every youth an agency lists, from its adapter's database, by the county's own number."""
    connection = sqlite3.connect(f"file:{state / 'adapter.db'}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT local_id, tokens FROM subject JOIN registration USING (handle)").fetchall()
    finally:
        connection.close()
    return {number: TokenSet.FromString(tokens) for number, tokens in rows}
