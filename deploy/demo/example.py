"""What `homeward sandbox up` tells a county's engineer: addresses, certificates, tokens, and a call that works.

Decides the examples, each in Python and as a grpcurl line: C's intake desk asks about a youth of A, of whom nobody has
said that she is missing; A's case worker reports it. Asked after that, C learns that somebody looks for her.
"""

import json
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from pprint import pformat
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from deploy.demo.counties import counties
from deploy.demo.county import absence, inquiry
from deploy.demo.sandbox import Sandbox
from deploy.demo.youths import InventedYouth
from homeward.county.v1.missing_pb2 import CheckFlagRequest, RaiseFlagRequest
from homeward.gateway.v1 import codes_pb2 as codes

_PYTHON: Final = '''\
"""{says} Sandbox: everybody is invented."""

from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToJson, ParseDict

from homeward.county.v1.missing_pb2 import {method}Request
from homeward.county.v1.missing_pb2_grpc import MissingServiceStub

QUESTION = {question}
TOKEN = Path({token_file!r}).read_text()
CA = Path({certificate!r}).read_bytes()

options = [("grpc.enable_http_proxy", 0)]
with grpc.secure_channel({endpoint!r}, grpc.ssl_channel_credentials(CA), options) as channel:
    answer = MissingServiceStub(channel).{method}(
        ParseDict(QUESTION, {method}Request()), metadata=[("authorization", "Bearer " + TOKEN)], timeout=10
    )
print(MessageToJson(answer, preserving_proto_field_name=True))
'''


def describe(sandbox: Sandbox) -> dict[str, Any]:
    """Everything a client needs, as data; token files (mode 0600) and the example lie in the sandbox's directory."""
    root = sandbox.layout.root
    agencies = {agency.letter: agency for agency in counties(len(sandbox.state.members))}
    described: dict[str, Any] = {}
    for member in sandbox.state.members:
        agency = agencies[member.letter]
        tokens = {role: sandbox.county(member.letter).token(role) for role in agency.roles}
        described[member.letter] = {
            "agency": member.agency,
            "source": agency.source.value,
            "endpoint": member.local,
            "certificate": str(member.certificate),
            "directory": str(sandbox.layout.agency(member.letter)),
            "config": str(sandbox.layout.agency(member.letter) / "adapter.yaml"),
            "tokens": tokens,
        }
    return {
        "sandbox": "demo: invented people only",
        "directory": str(root),
        "logs": str(sandbox.layout.logs),
        "gateway": {
            "address": f"127.0.0.1:{sandbox.process('gateway').ready['port']}",
            "directory": str(sandbox.layout.gateway),
        },
        "pids": {process.name: process.pid for process in sandbox.state.processes},
        "counties": described,
        "example": _check(sandbox, described),
        "report": _report(sandbox, described),
    }


def _check(sandbox: Sandbox, described: dict[str, Any]) -> dict[str, str]:
    letter = "C" if "C" in described else "A"
    question = inquiry(
        _youth(sandbox).person,
        codes.PURPOSE_MFC_HANDOFF,
        evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-INCIDENT-1")],
    )
    says = f"{letter}'s intake desk asks whether anybody looks for a youth."
    request = CheckFlagRequest(inquiry=question)
    return _written(sandbox, described[letter], "example", "CWA.hotline_screener", says, request)


def _report(sandbox: Sandbox, described: dict[str, Any]) -> dict[str, str]:
    request = absence(_youth(sandbox), datetime.now(UTC))
    return _written(sandbox, described["A"], "report", "CWA.case_worker", "A reports the youth missing.", request)


def _youth(sandbox: Sandbox) -> InventedYouth:
    return sandbox.caseload.youth(sandbox.caseload.cast.runaway)


def _written(
    sandbox: Sandbox,
    county: dict[str, Any],
    name: str,
    role: str,
    says: str,
    request: CheckFlagRequest | RaiseFlagRequest,
) -> dict[str, str]:
    """The call in both forms; its token and its Python lie in the sandbox's directory."""
    root, method = sandbox.layout.root, request.DESCRIPTOR.name.removesuffix("Request")
    token_file = _private(root / f"{name}.token", county["tokens"][role])
    question = MessageToDict(request, preserving_proto_field_name=True)
    python_file = _private(
        root / f"{name}.py",
        _PYTHON.format(
            says=says,
            method=method,
            question=pformat(question, sort_dicts=False),
            token_file=str(token_file),
            certificate=county["certificate"],
            endpoint=county["endpoint"],
        ),
    )
    grpcurl = [
        "grpcurl", "-cacert", county["certificate"], "-d", json.dumps(question, ensure_ascii=False), county["endpoint"],
        f"homeward.county.v1.MissingService/{method}",
    ]  # fmt: skip
    # The token is read by the shell, so that the line can be shown and kept without it.
    header = f'-H "authorization: Bearer $(cat {shlex.quote(str(token_file))})"'
    return {
        "grpcurl": f"{grpcurl[0]} {header} {shlex.join(grpcurl[1:])}",
        "python": f"{shlex.quote(sys.executable)} {shlex.quote(str(python_file))}",
        "python_file": str(python_file),
    }


def _private(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path
