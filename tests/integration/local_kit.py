"""A county's adapter with its real local endpoint (TLS, interceptor, servicers), in front of the invented exchange of
`tests/unit/local/exchange`. Everybody in here is invented.
"""

import json
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status
from jwt.algorithms import ECAlgorithm

from adapters.identity.tokenize import Person
from adapters.local.edges import assemble
from adapters.local.server import LocalServer, serve
from adapters.membership import Membership
from adapters.node.acts import Acts
from adapters.node.alerts import Alerts
from adapters.node.errors import Missing, NotReady
from adapters.node.flags import OwnFlags
from adapters.node.node import Node
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.receipts import Requests
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.store import Store, open_store
from adapters.node.subjects import Subjects
from adapters.records import LocalSubjectId
from adapters.staff import StaffConfig, StaffTokens
from adapters.staff_keys import JwksConfig, key_set
from adapters.telemetry import call_counts
from gateway.protocol.channel import client_options
from gateway.protocol.names import SubjectHandle
from gateway.protocol.violations import fields_in
from homeward.counting import CallRecorder
from homeward.county.v1 import county_pb2, missing_pb2
from homeward.county.v1.access_pb2 import GetStatusResponse
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.codes_pb2 import Purpose
from homeward.gateway.v1.envelope_pb2 import TokenSet
from tests.unit.local.exchange import CANARY, CANARY_BIRTH, CANARY_SURNAME, THUMBPRINT, FakeGateway, Tokens
from tests.unit.node.world import ASKER, DOMAIN, KINDS, NOW, directory, keys, pins, policy

AUDIENCE = "homeward-adapter"
ISSUER = "https://login.county-b.example/invented"
OWN_YOUTH = LocalSubjectId("invented-0001")
OWN_HANDLE = SubjectHandle(bytes(range(64, 80)))
GROUPS = {
    "screeners": ("CWA.hotline_screener",),
    "workers": ("CWA.case_worker",),
    "placement": ("CWA.placement_worker",),
    "privacy": ("COUNTY.privacy_officer",),
    "shelter": ("SHELTER.yhpc_intake",),
    "teachers": ("EDU.report_in",),
}


STATUS = GetStatusResponse(agency=ASKER, link_up=True)


@dataclass
class Listing:
    """The agency's own youths; one of them."""

    asked: list[str] = field(default_factory=list)
    sealed: set[bytes] = field(default_factory=set)
    born: date | None = field(default_factory=lambda: date.fromisoformat(CANARY_BIRTH))
    """As the county's record says of its own youth."""

    @property
    def is_sealed_now(self) -> Callable[[SubjectHandle], bool]:
        return self.sealed.__contains__

    @property
    def birth_date_of(self) -> Callable[[LocalSubjectId], date | None]:
        return self._birth_date

    def _birth_date(self, local_id: LocalSubjectId) -> date | None:
        if local_id != OWN_YOUTH:
            raise NotReady(Missing.SUBJECT)
        return self.born

    async def listed(self, local_id: LocalSubjectId) -> SubjectHandle:
        self.asked.append(local_id)
        if local_id != OWN_YOUTH:
            raise NotReady(Missing.SUBJECT)
        return OWN_HANDLE


@dataclass
class County:
    """A running adapter of the invented county 06029."""

    server: LocalServer
    ca: bytes
    gateway: FakeGateway
    tokens: Tokens
    store: Store
    alerts: Alerts
    flags: OwnFlags
    listing: Listing
    key: ec.EllipticCurvePrivateKey

    def token(self, *groups: str, **changes: Any) -> str:
        issued = int(NOW.timestamp())
        claims = {
            "iss": ISSUER,
            "sub": "invented.worker",
            "aud": AUDIENCE,
            "iat": issued,
            "exp": issued + 3600,
            "groups": groups,
        }
        return jwt.encode(claims | changes, self.key, algorithm="ES256", headers={"kid": "k1"})

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[aio.Channel]:
        credentials = grpc.ssl_channel_credentials(root_certificates=self.ca)
        async with aio.secure_channel(
            self.server.address, credentials, options=client_options(self.server.address)
        ) as channel:
            yield channel

    async def raw(
        self, path: str, data: bytes, *, metadata: Sequence[tuple[str, str]] = (), seconds: float | None = 10
    ) -> bytes:
        """One unary call of raw bytes."""
        async with self.channel() as channel:
            method = channel.unary_unary(path)
            return cast(bytes, await method(data, timeout=seconds, metadata=tuple(metadata)))

    async def call(self, path: str, request: Any, response: Any, *groups: str) -> Any:
        """One unary call of a member of staff in these groups."""
        metadata = (("authorization", f"Bearer {self.token(*groups)}"),)
        data = await self.raw(f"/homeward.county.v1.{path}", request.SerializeToString(), metadata=metadata)
        return response.FromString(data)


@asynccontextmanager
async def county(
    directory_: Path,
    gateway: FakeGateway | None = None,
    recorder: CallRecorder | None = None,
    groups: dict[str, tuple[str, ...]] = GROUPS,
    status: GetStatusResponse = STATUS,
    sandbox: bool = False,
) -> AsyncIterator[County]:
    """The adapter, listening on a free port of loopback."""
    made, tokens = gateway or FakeGateway(), Tokens()
    store = open_store(directory_ / "adapter.db")
    alerts, flags, listing = Alerts(store), OwnFlags(store), Listing()
    node = _node(store, made, tokens)
    key = _issuer(directory_)
    staff = StaffTokens(
        StaffConfig(issuer=ISSUER, audience=AUDIENCE, jwks=JwksConfig(file=Path("jwks.json")), roles=groups),
        key_set(JwksConfig(file=Path("jwks.json")), base=directory_, now=lambda: NOW),
        pseudonym_key=b"p" * 32,
        now=lambda: NOW,
    )
    server = await serve(
        assemble(
            node,
            listing=listing,
            zone=ZoneInfo("America/Los_Angeles"),
            flags=flags,
            authorities=OwnAuthorities(store),
            alerts=alerts,
            subjects=Subjects(store, random_bytes=lambda _: OWN_HANDLE),
            sealed=SealedSubjects(store, node.keyring.commitment).load(),
            relist=lambda: None,
        ),
        "127.0.0.1:0",
        sandbox=sandbox,
        staff=staff,
        status=lambda: status,
        state=directory_,
        recorder=recorder or call_counts(),
        now=lambda: datetime.now(UTC),
    )
    ca = (directory_ / "local-tls" / "ca.pem").read_bytes()
    try:
        yield County(server, ca, made, tokens, store, alerts, flags, listing, key)
    finally:
        await server.server.stop(0)
        store.close()


def _node(store: Store, gateway: FakeGateway, tokens: Tokens) -> Node:
    view = directory()

    async def made(people: Sequence[Person], *, worker: bytes, **_: Any) -> list[TokenSet]:
        return await tokens(people, worker.hex())

    membership = Membership(
        trust_domain=DOMAIN,
        agency=ASKER,
        kind=KINDS[ASKER],
        instance="a1",
        gateway_address="gateway.invalid:1",
        gateway_key=pins().gateway_key,
        holder_keys=pins().holder_keys,
        log_origin=keys().log.public.origin,
        log_key=keys().log.public.raw,
        generation=1,
        has_sources=True,
        joined=NOW,
    )
    return Node(
        membership=membership,
        keyring=keys().rings[ASKER],
        store=store,
        gateway=gateway,
        identity=lambda: cast(Any, SimpleNamespace(thumbprint=THUMBPRINT)),
        keeper=cast(Any, SimpleNamespace(current=lambda: view)),
        pepper=cast(Any, SimpleNamespace(of=lambda *_: b"p" * 32)),
        tokenizer=cast(Any, SimpleNamespace(tokens=made)),
        acts=Acts(Requests(store), lambda: membership.log),
        bundle=policy(),
        now=lambda: NOW,
        random_bytes=secrets.token_bytes,
    )


def _issuer(directory_: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "k1", "use": "sig", "alg": "ES256"}
    (directory_ / "jwks.json").write_text(json.dumps({"keys": [public]}), encoding="utf-8")
    return key


def inquiry(purpose: "Purpose.ValueType", **changes: Any) -> county_pb2.Inquiry:
    """A question about the invented youth."""
    youth = county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date=CANARY_BIRTH)
    return county_pb2.Inquiry(**({"youth": youth, "purpose": purpose} | changes))


@dataclass(frozen=True)
class Refused:
    """What a county system reads of a refused call."""

    code: grpc.StatusCode
    text: str
    reason: str
    domain: str
    fault: str
    fields: tuple[str, ...]
    everything: str


def refused(error: aio.AioRpcError) -> Refused:
    """The status of a failed call, taken apart."""
    info, fields = error_details_pb2.ErrorInfo(), []
    status = rpc_status.from_call(cast(Any, error))
    for detail in status.details if status is not None else ():
        bad = error_details_pb2.BadRequest()
        if not detail.Unpack(info) and detail.Unpack(bad):
            fields += fields_in(bad)
    everything = f"{error!r} {error.details()} {error.debug_error_string()} {error.trailing_metadata()!r}"
    return Refused(
        code=error.code(),
        text=error.details() or "",
        reason=info.reason,
        domain=info.domain,
        fault=info.metadata.get("fault", ""),
        fields=tuple(fields),
        everything=everything,
    )


CHECK = "MissingService/CheckFlag"
LOCATE = codes.PURPOSE_MFC_LOCATE
PERSONAL = (CANARY, CANARY_SURNAME, CANARY_BIRTH, "20110719", "invented.worker", "REF-77-1234")
"""What must never be seen outside the county."""


async def check(at: County, *groups: str, **changes: Any) -> missing_pb2.CheckFlagResponse:
    """A flag check by a member of staff in these groups."""
    request = missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE, **changes))
    return cast(missing_pb2.CheckFlagResponse, await at.call(CHECK, request, missing_pb2.CheckFlagResponse, *groups))


async def refusal(at: County, path: str, request: Any, *groups: str) -> Refused:
    """How this call is refused; the test fails where it is not."""
    with pytest.raises(aio.AioRpcError) as caught:
        await at.call(path, request, missing_pb2.CheckFlagResponse, *groups)
    return refused(caught.value)
