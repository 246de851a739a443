"""What `homeward sandbox up` tells a county's engineer: addresses, certificates, tokens, and a call that works.

Decides the example: C's intake desk asks about a youth of A, in Python and as a grpcurl line.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from deploy.demo.counties import counties
from deploy.demo.county import inquiry
from deploy.demo.sandbox import Sandbox
from homeward.gateway.v1 import codes_pb2 as codes

_EXAMPLE_ROLE: Final = "CWA.hotline_screener"
_PYTHON: Final = '''\
"""C's intake desk asks whether anybody looks for a youth. Sandbox: everybody is invented."""

from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToJson, ParseDict

from homeward.county.v1.missing_pb2 import CheckFlagRequest
from homeward.county.v1.missing_pb2_grpc import MissingServiceStub

QUESTION = {question}
TOKEN = Path({token_file!r}).read_text()
CA = Path({certificate!r}).read_bytes()

options = [("grpc.enable_http_proxy", 0)]
with grpc.secure_channel({endpoint!r}, grpc.ssl_channel_credentials(CA), options) as channel:
    answer = MissingServiceStub(channel).CheckFlag(
        ParseDict(QUESTION, CheckFlagRequest()), metadata=[("authorization", "Bearer " + TOKEN)], timeout=10
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
        "example": _example(sandbox, described),
    }


def _example(sandbox: Sandbox, described: dict[str, Any]) -> dict[str, str]:
    letter = "C" if "C" in described else "A"
    county = described[letter]
    token_file = _private(sandbox.layout.root / "example.token", county["tokens"][_EXAMPLE_ROLE])
    question = json.dumps(_question(sandbox), ensure_ascii=False)
    python_file = _private(
        sandbox.layout.root / "example.py",
        _PYTHON.format(
            question=question,
            token_file=str(token_file),
            certificate=county["certificate"],
            endpoint=county["endpoint"],
        ),
    )
    grpcurl = [
        "grpcurl", "-cacert", county["certificate"], "-d", question, county["endpoint"],
        "homeward.county.v1.MissingService/CheckFlag",
    ]  # fmt: skip
    # The token is read by the shell, so that the line can be shown and kept without it.
    header = f'-H "authorization: Bearer $(cat {shlex.quote(str(token_file))})"'
    return {
        "grpcurl": f"{grpcurl[0]} {header} {shlex.join(grpcurl[1:])}",
        "python": f"{shlex.quote(sys.executable)} {shlex.quote(str(python_file))}",
        "python_file": str(python_file),
    }


def _question(sandbox: Sandbox) -> dict[str, Any]:
    caseload = sandbox.caseload
    asked = inquiry(
        caseload.youth(caseload.cast.runaway).person,
        codes.PURPOSE_MFC_HANDOFF,
        evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-INCIDENT-1")],
    )
    return {"inquiry": MessageToDict(asked, preserving_proto_field_name=True)}


def _private(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path
