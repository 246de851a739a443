"""An agency of a running sandbox, as its own systems meet it: an address, a certificate, a staff token, the calls.

Decides how a call is made from inside a county. Everything here is what a county's engineer would write: generated
messages, a TLS channel to the adapter on loopback, a bearer token.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc

from deploy.demo.counties import COUNTY_A
from deploy.demo.issuer import issue_token
from deploy.demo.layout import Member
from deploy.demo.youths import InventedYouth, Person
from homeward.county.v1.access_pb2_grpc import AccessLogServiceStub, StatusServiceStub
from homeward.county.v1.authority_pb2_grpc import AuthorityServiceStub
from homeward.county.v1.county_pb2 import EvidenceReference, Inquiry, YouthIdentity, YouthName
from homeward.county.v1.missing_pb2 import RaiseFlagRequest
from homeward.county.v1.missing_pb2_grpc import MissingServiceStub
from homeward.county.v1.placement_pb2_grpc import PlacementServiceStub
from homeward.county.v1.review_pb2_grpc import ReviewServiceStub
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.codes_pb2 import EvidenceKind, Purpose
from homeward.gateway.v1.records_pb2 import FlagLocate

CALL_SECONDS: Final = 10.0
# A proxy variable in the environment would capture calls on loopback too.
_OPTIONS: Final = (("grpc.enable_http_proxy", 0),)


class County:
    """One agency's side of the sandbox."""

    def __init__(self, member: Member, directory: Path) -> None:
        self.member = member
        self.directory = directory

    def channel(self) -> grpc.Channel:
        """A TLS channel to the adapter's endpoint for county systems; a context manager that closes it."""
        credentials = grpc.ssl_channel_credentials(self.member.certificate.read_bytes())
        return grpc.secure_channel(self.member.local, credentials, options=_OPTIONS)

    def token(self, *roles: str, worker: str = "invented-worker-1") -> str:
        """A staff token with these roles, good for eight hours."""
        return issue_token(
            self.directory / "issuer", letter=self.member.letter, roles=roles, worker=worker, now=datetime.now(UTC)
        )

    def metadata(self, *roles: str, worker: str = "invented-worker-1") -> tuple[tuple[str, str], ...]:
        """Call metadata that carries such a token."""
        return (("authorization", f"Bearer {self.token(*roles, worker=worker)}"),)


class Calls:
    """The stubs of `homeward.county.v1` over one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.missing = MissingServiceStub(channel)
        self.placement = PlacementServiceStub(channel)
        self.authority = AuthorityServiceStub(channel)
        self.review = ReviewServiceStub(channel)
        self.access = AccessLogServiceStub(channel)
        self.status = StatusServiceStub(channel)


def inquiry(
    person: Person,
    purpose: Purpose,
    *,
    evidence: Sequence[tuple[EvidenceKind, str]] = (),
    authority_id: str = "",
) -> Inquiry:
    """A question about a youth, as this person writes the name."""
    youth = YouthIdentity(
        given_name=person.given_name, surname=person.surname, birth_date=person.birth_date.isoformat()
    )
    if person.aka:
        youth.aliases.append(YouthName(given_name=person.given_name, surname=person.aka))
    return Inquiry(
        youth=youth,
        purpose=purpose,
        evidence=[EvidenceReference(kind=kind, reference=reference) for kind, reference in evidence],
        authority_id=authority_id,
    )


def absence(youth: InventedYouth, learned: datetime) -> RaiseFlagRequest:
    """A report of county A that this youth of its own left a group home, on the day it was learned."""
    request = RaiseFlagRequest(
        inquiry=inquiry(
            youth.person,
            codes.PURPOSE_MFC_LOCATE,
            evidence=[(codes.EVIDENCE_KIND_REPORT_BEING_FILED, "TEST-LE-7731")],
        ),
        local_id=youth.local_id,
        handling_code=codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE,
        flag_locate=FlagLocate(
            missing_since_date=learned.date().isoformat(),
            absence_category=codes.ABSENCE_CATEGORY_RUNAWAY,
            last_seen_county=COUNTY_A.fips,
            missing_from_setting_group=codes.SETTING_GROUP_CONGREGATE_CARE,
        ),
    )
    request.learn_time.FromDatetime(learned)
    return request
