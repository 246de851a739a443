"""A placement worker's request and the invented youth it finds: the plain permit that tests vary."""

from dataclasses import replace
from datetime import UTC, datetime

from gateway.protocol.decide import Decision, Located, RequestFacts, YouthFacts, decide_request, decide_youth
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, FieldSet, Purpose, Role
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.rules import Policy

POLICY = load_california()
UNKNOWN = YouthFacts(located=Located.NONE, coverage_complete=True)


def both(request: RequestFacts, youth: YouthFacts, policy: Policy = POLICY) -> Decision:
    """The decision of both phases."""
    return decide_youth(policy, request, youth, decide_request(policy, request))


def request(**changes: object) -> RequestFacts:
    """The worker's request for placement detail, with these changes."""
    placement = RequestFacts(
        agency=AgencyId("06029.cwa"),
        agency_kind=AgencyKind.CWA,
        role=Role("CWA.placement_worker"),
        purpose=Purpose.PLACEMENT_PLANNING,
        field_sets=(FieldSet.FS5_PLACEMENT_DETAIL,),
        evidence=frozenset({EvidenceKind.OPEN_CASE}),
        authority=None,
        received_at=datetime(2026, 3, 14, 10, 10, tzinfo=UTC),
    )
    return replace(placement, **changes)  # type: ignore[arg-type]


def found(**changes: object) -> YouthFacts:
    """A youth matched with certainty in another county, nobody missing, an agreement on file; with these changes."""
    youth = YouthFacts(
        located=Located.ONE, coverage_complete=True, owner=AgencyId("06075.cwa"), agreement_with_owner=True
    )
    return replace(youth, **changes)  # type: ignore[arg-type]
