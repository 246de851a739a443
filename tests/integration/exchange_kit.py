"""An exchange of real processes for tests: made and run by the commands an operator types, joined as adapters join."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.protocol.channel import client_options
from gateway.protocol.directory import DirectoryView, Pins, open_directory
from gateway.protocol.invitation import decode
from gateway.protocol.names import AgencyId
from gateway.state import key_pem
from gateway.tokens.countersign import root_fingerprint
from homeward.gateway.v1 import directory_pb2_grpc
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.enrollment_pb2 import EnrollResponse, Invitation
from homeward.gateway.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from tests.commands import Process, answered
from tests.unit.members.world import Clock, County


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Exchange:
    """A gateway and its custodians in one place, each running or not."""

    place: Path
    running: dict[str, Process] = field(default_factory=dict)
    ready: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The line with which each process said that it is ready."""

    @property
    def gateway(self) -> Path:
        return self.place / "gw"

    def custodian(self, index: int) -> Path:
        """State of the holder of this share, from 2."""
        return self.place / f"cu{index}"

    @property
    def logs(self) -> Path:
        """What each process logs, and its line."""
        return self.place / "logs"

    def start(self, name: str) -> None:
        """`gw` or `cu2` and so on serves."""
        self.logs.mkdir(exist_ok=True)
        group = "gateway" if name == "gw" else "custodian"
        self.running[name] = Process.start(name, group, "serve", self.place / name, directory=self.logs)
        self.ready[name] = self.running[name].running.ready

    def stop(self, name: str) -> None:
        """The process was told to stop, and did."""
        process = self.running.pop(name)
        process.terminate()
        assert process.wait(30) == 0

    def close(self) -> None:
        for name in list(self.running):
            self.stop(name)


def make_exchange(
    place: Path,
    *,
    threshold: int = 2,
    holders: int = 2,
    demo: bool = False,
    operators: tuple[str, ...] = ("auditor", "university"),
    settings: str = "",
) -> Exchange:
    """The holders are made and trusted, and none runs. `settings` is added to the file of each."""
    exchange, shares = Exchange(place), place / "shares"
    flag = ("--demo",) if demo else ()
    ports = [free_port() for _ in range(1 + holders)]
    answered("custodian", "deal", "--threshold", threshold, "--holders", holders, "--out", shares)
    answered(
        "gateway", "init", exchange.gateway, "--trust-domain", "exchange.example", "--share", shares / "share-1.bin",
        "--listen", f"127.0.0.1:{ports[0]}", "--enroll-listen", f"127.0.0.1:{ports[1]}", *flag,
    )  # fmt: skip
    add_settings(exchange.gateway / "gateway.yaml", settings)
    for index in range(2, holders + 1):
        custodian, share = exchange.custodian(index), shares / f"share-{index}.bin"
        answered(
            "custodian", "init", custodian, "--share", share, "--operator", operators[index - 2],
            "--gateway-card", exchange.gateway / "card.json", "--listen", f"127.0.0.1:{ports[index]}", *flag,
        )  # fmt: skip
        add_settings(custodian / "custodian.yaml", settings)
        answered("gateway", "trust", exchange.gateway, "--custodian-card", custodian / "card.json")
    return exchange


def add_settings(file: Path, text: str) -> None:
    with file.open("a") as opened:
        opened.write(text)


@dataclass(frozen=True, slots=True)
class Joined:
    """An adapter that enrolled over the network."""

    county: County
    invitation: Invitation
    response: EnrollResponse

    def channel(self, address: str, roots: bytes) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(roots, key_pem(self.county.tls), self.response.certificate_chain)
        return grpc.aio.secure_channel(address, credentials, options=client_options(address))

    def gateway(self) -> grpc.aio.Channel:
        return self.channel(self.invitation.gateway_address, self.response.ca_certificates)

    def pins(self) -> Pins:
        return Pins(self.invitation.gateway_key, tuple(self.invitation.holder_keys))


async def join(gateway: Path, fips: str) -> Joined:
    """What `homeward join` does: pin the listener by the line, enroll, keep the answer."""
    county = County(fips=fips, clock=Clock(datetime.now(UTC)))
    arguments = ("--kind", "CWA", "--duty-line", "+15555550100", "--hotline", "+15555550101")
    invited = await asyncio.to_thread(answered, "gateway", "invite", gateway, county.agency, *arguments)
    invitation = decode(str(invited["line"]))
    host, port = invitation.enrollment_address.split(":")
    shown = await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))
    der = x509.load_pem_x509_certificate(shown.encode()).public_bytes(Encoding.DER)
    assert sha256(der).digest() == invitation.enrollment_certificate_digest
    credentials = grpc.ssl_channel_credentials(shown.encode())
    options = client_options(invitation.enrollment_address)
    async with grpc.aio.secure_channel(invitation.enrollment_address, credentials, options=options) as channel:
        response = await EnrollmentServiceStub(channel).Enroll(county.enrollment(invitation), timeout=10)
    return Joined(county, invitation, response)


async def directory_of(joined: Joined) -> DirectoryView:
    """The directory that lists the adapter, as soon as it is published."""
    async with asyncio.timeout(10), joined.gateway() as channel:
        stub = directory_pb2_grpc.MembershipServiceStub(channel)
        while True:
            reply = await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
            if reply.HasField("directory"):
                view = open_directory(reply.directory, joined.pins())
                if view.member(AgencyId(joined.county.agency)) is not None:
                    return view
            await asyncio.sleep(0.1)


async def admit(exchange: Exchange, joined: "Joined") -> DirectoryView:
    """Every custodian has admitted the county; the directory that lists it."""
    fingerprint = root_fingerprint(joined.county.root.public_bytes).hex()
    for custodian in sorted(exchange.place.glob("cu*")):
        arguments = ("custodian", "admit", custodian, joined.county.fips, "--root", fingerprint)
        await asyncio.to_thread(answered, *arguments)
    return await directory_of(joined)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The `ErrorInfo` reason of a refused call."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # reads code, details, trailing metadata alone
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return str(info.reason)
