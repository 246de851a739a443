"""A consent of an invented nonminor dependent, and the request that rests on it."""

from dataclasses import replace
from datetime import timedelta

from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId, FieldSet, Purpose, Role
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.authority_pb2 import GRANTOR_NMD_SELF, Authority, AuthoritySubject
from homeward.gateway.v1.codes_pb2 import BASIS_CONSENT
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from tests.unit.node.world import AUTHORITY_ID, HANDLE, KNOWN, NOW, SOURCE, THIRD, Order, keys, stamp


def consented_order(**changes: object) -> Order:
    """A probation officer asks for placement detail with the consent of a nonminor dependent."""
    return Order(
        asker=THIRD,
        role=Role("PROB.placement_officer"),
        evidence=(),
        authority=consent(**changes),
        authority_id=AUTHORITY_ID,
        youth=replace(KNOWN, authority_covers_youth=True),
    )


def consent(**changes: object) -> SignedEnvelope:
    """A consent of a nonminor dependent, recorded by the source, for placement planning at THIRD."""
    message = Authority(
        authority_id=AUTHORITY_ID,
        basis=BASIS_CONSENT,
        grantor=GRANTOR_NMD_SELF,
        issuer_agency=SOURCE,
        subject=AuthoritySubject(handle=HANDLE),
        purposes=[to_wire(Purpose.PLACEMENT_PLANNING)],
        field_sets=[to_wire(FieldSet.FS5_PLACEMENT_DETAIL)],
        recipient_agencies=[THIRD],
        effective_time=stamp(NOW - timedelta(days=1)),
        expire_time=stamp(NOW + timedelta(days=30)),
        evidence_commitment=bytes(32),
        language_version_hash=bytes(32),
        copy_given_to_youth=True,
    )
    for name, value in changes.items():
        if isinstance(value, int | str):
            setattr(message, name, value)
        else:
            getattr(message, name).CopyFrom(value)
    return wrap(message, keys().rings[AgencyId(message.issuer_agency)].authority)
