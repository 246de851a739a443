"""A real exchange to attack: gateway and custodian as processes, agencies as peers that speak the wire protocol.

Decides how it is brought up, joined, stopped and read afterwards. Agencies join as `homeward join` does, over the
enrollment listener, but run in this process (`resident`). Whoever attacks holds what an operator of the machine could
steal: the gateway's CA keys, for certificates that the product itself would never issue.
"""

import asyncio
import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

import grpc
from google.protobuf.duration_pb2 import Duration

from adapters.enrol import Exchange, Wish, join
from adapters.fingerprint import fingerprint
from adapters.keyring import load_signing_key
from adapters.node.link.redeem import redeem, shown_certificate
from audit.entry import FieldClass, StoredEntry, open_class
from audit.reader import Reader, Selection
from audit.store_sqlite import SqliteStore
from deploy.demo.ports import free_addresses
from gateway.protocol.directory import DirectoryView, open_directory
from gateway.protocol.escrow import public_key_text
from gateway.protocol.names import AgencyId, AgencyKind, county_of
from gateway.protocol.sealing import SealKey
from gateway.protocol.wire_names import to_wire
from gateway.state import State
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.admin_pb2_grpc import AdminServiceStub, CustodianAdminServiceStub
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from tests.adversarial.resident import Resident
from tests.commands import Process, homeward
from tests.integration.greeting import greet

TRUST_DOMAIN: Final = "exchange.example"
NO_AGREEMENT: Final = "06037/06061"
# Every source is near: negatives need not wait for a distant one.
_SETTINGS: Final = f"""
matching: {{ auto: true }}
negative_slot_ms: 400
counties_without_agreement: ["{NO_AGREEMENT}"]
court_custodian: court.pub
"""
_LONG_DAY: Final = "budgets: { lookups_a_day: 100000, lookups_a_worker_a_day: 100000 }\n"
"""More questions than any test asks."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Leaf:
    """An entry as the exchange's operator reads it."""

    index: int
    requester: str | None
    op: dict[str, str]

    @property
    def kind(self) -> str:
        return self.op["kind"]

    @property
    def reason(self) -> str:
        return self.op.get("reason", "")


@dataclass
class Town:
    """A running exchange."""

    root: Path
    processes: dict[str, Process] = field(default_factory=dict)
    residents: dict[AgencyId, Resident] = field(default_factory=dict)
    roots: dict[str, Path] = field(default_factory=dict)

    @property
    def gateway(self) -> Path:
        return self.root / "gw"

    @property
    def custodian(self) -> Path:
        return self.root / "cu"

    @property
    def state(self) -> State:
        return State(self.gateway, "gateway")

    @property
    def card(self) -> dict[str, str]:
        card: dict[str, str] = json.loads((self.gateway / "card.json").read_text())
        return card

    @property
    def custodian_card(self) -> dict[str, str]:
        card: dict[str, str] = json.loads((self.custodian / "card.json").read_text())
        return card

    @property
    def address(self) -> str:
        return self.card["address"]

    @property
    def roots_pem(self) -> bytes:
        return self.card["ca"].encode()

    # --- operators ------------------------------------------------------------------------

    @classmethod
    def found(cls, root: Path, *, settings: str = "", budgets: str = _LONG_DAY) -> Self:
        """Gateway and custodian serve and trust each other. `settings` are more lines of gateway.yaml."""
        town = cls(root)
        gateway, enroll, custodian = free_addresses(3)
        homeward("custodian", "deal", "--threshold", "2", "--holders", "2", "--out", str(root / "shares"))
        homeward(
            "gateway", "init", str(town.gateway), "--trust-domain", TRUST_DOMAIN, "--listen", gateway,
            "--enroll-listen", enroll, "--share", str(root / "shares" / "share-1.bin")
        )  # fmt: skip
        # A court whose own key nobody keeps: what is sealed here stays so.
        (town.gateway / "court.pub").write_text(public_key_text(SealKey.generate().public_bytes), encoding="ascii")
        with (town.gateway / "gateway.yaml").open("a", encoding="utf-8") as file:
            file.write(_SETTINGS + budgets + settings)
        homeward(
            "custodian", "init", str(town.custodian), "--share", str(root / "shares" / "share-2.bin"),
            "--operator", "auditor", "--gateway-card", str(town.gateway / "card.json"), "--listen", custodian,
        )  # fmt: skip
        card = str(town.custodian / "card.json")
        homeward("gateway", "trust", str(town.gateway), "--custodian-card", card)
        town.start("custodian")
        town.start("gateway")
        return town

    def start(self, name: str) -> None:
        """The process serves."""
        state = {"gateway": self.gateway, "custodian": self.custodian}[name]
        self.processes[name] = Process.start(name, name, "serve", state, directory=self.root)

    async def heard(self, *, but: Collection[AgencyId] = ()) -> None:
        """All whom the exchange still admits have linked: a gateway that starts writes nothing before.

        Those in `but` link by themselves.
        """
        for agency, resident in self.residents.items():
            if agency in but:
                continue
            try:
                await greet(resident.channel, resident.wrapped)
            except grpc.aio.AioRpcError as refusal:
                # Revoked, and not waited for.
                if refusal.code() is not grpc.StatusCode.UNAUTHENTICATED:
                    raise

    def kill(self, name: str) -> None:
        """The process is gone without a last word."""
        self.processes[name].kill()
        self.processes[name].wait(10)

    async def close(self) -> None:
        for resident in self.residents.values():
            await resident.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            await asyncio.to_thread(process.wait, 30)

    async def invite(self, agency: AgencyId, kind: AgencyKind) -> str:
        """A join line."""
        phones = {"duty_line": "+15555550100", "hotline": "+15555550101"}
        life = Duration()
        life.FromTimedelta(timedelta(hours=1))
        async with self.admin() as channel:
            request = admin_pb2.InviteRequest(agency=agency, kind=to_wire(kind), life=life, **phones)  # type: ignore[arg-type]
            return str((await AdminServiceStub(channel).Invite(request, timeout=10)).line)

    async def revoke(self, subject: str) -> None:
        """An agency or an adapter is denied."""
        async with self.admin() as channel:
            await AdminServiceStub(channel).RevokeMember(admin_pb2.RevokeMemberRequest(subject=subject), timeout=10)

    def admin(self) -> grpc.aio.Channel:
        """The operator's socket."""
        return grpc.aio.insecure_channel(f"unix:{self.state.admin_socket}")

    # --- agencies -------------------------------------------------------------------------

    async def settle(self, agency: str, kind: AgencyKind, *, has_sources: bool = False) -> Resident:
        """One more agency has joined; the directory may not list it yet (`listed`)."""
        name, fips = AgencyId(agency), county_of(AgencyId(agency))
        state = self.root / name / "state"
        wish = Wish(await self.invite(name, kind), state, county_root=self.roots.get(fips), has_sources=has_sources)
        await join(wish, Exchange(shown_certificate, redeem), now=utc_now)
        if fips not in self.roots:
            self.roots[fips] = state / "keys" / "county-root.key"
            await self._admit(fips)
        resident = Resident.open(state, self.address)
        self.residents[name] = resident
        return resident

    async def _admit(self, fips: str) -> None:
        key = load_signing_key(self.roots[fips]).public_bytes
        socket = State(self.custodian, "custodian").admin_socket
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            request = admin_pb2.AdmitCountyRequest(fips=fips, root_fingerprint=fingerprint(key))
            await CustodianAdminServiceStub(channel).AdmitCounty(request, timeout=10)

    async def listed(self, *agencies: AgencyId) -> DirectoryView:
        """The directory, once it lists all of these."""
        asking = next(iter(self.residents.values()))
        async with asyncio.timeout(15):
            while True:
                view = await self.directory(asking)
                if view is not None and all(view.member(agency) is not None for agency in agencies):
                    return view
                await asyncio.sleep(0.1)

    async def suspended(self, agency: AgencyId) -> None:
        """The directory that both sign says so: until then the custodian cannot know."""
        async with asyncio.timeout(15):
            while True:
                view = await self.directory(next(iter(self.residents.values())))
                member = view.member(agency) if view is not None else None
                if member is not None and member.suspended:
                    return
                await asyncio.sleep(0.1)

    async def directory(self, asking: Resident) -> DirectoryView | None:
        """What the gateway publishes now."""
        stub = MembershipServiceStub(asking.channel)
        reply = await stub.GetDirectory(GetDirectoryRequest(), timeout=5)
        return open_directory(reply.directory, asking.membership.pins) if reply.HasField("directory") else None

    # --- evidence -------------------------------------------------------------------------

    def entries(self, start: int = 0) -> list[StoredEntry]:
        """What the log's database holds from this index on."""
        reader = Reader(SqliteStore(self.state.database))
        try:
            found: list[StoredEntry] = []
            while page := reader.entries(Selection(start=start + len(found))):
                found += page
            return found
        finally:
            reader.close()

    def leaves(self, start: int = 0) -> list[Leaf]:
        """The same, opened with the operator's keys."""
        op = self.state.read_class_keys().op
        return [
            Leaf(
                start + place,
                entry.requester,
                {each.name: each.value.decode("utf-8", "replace") for each in open_class(entry, FieldClass.OP, op)},
            )
            for place, entry in enumerate(self.entries(start))
        ]

    def news(self, start: int) -> list[Leaf]:
        """What calls left in the log since.

        Directories sign themselves in whenever an agency joined, and refusals are counted when their minute is over.
        """
        return [leaf for leaf in self.leaves(start) if leaf.kind != "directory.signed" and "more" not in leaf.op]

    def size(self) -> int:
        """Number of entries."""
        reader = Reader(SqliteStore(self.state.database))
        try:
            return reader.tree().size
        finally:
            reader.close()

    def rows(self, *tables: str) -> dict[str, list[tuple[object, ...]]]:
        """Everything in these tables, to compare before and after."""
        with sqlite3.connect(f"file:{self.state.database}?mode=ro", uri=True) as connection:
            # Names come from the tests themselves.
            found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608
        connection.close()
        return found
