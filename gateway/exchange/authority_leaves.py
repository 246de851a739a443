"""What recording and revoking an authority leave in the log, and who is told to stop. Pure."""

from collections.abc import Callable, Iterable

from audit.entry import Draft, YouthKey
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, worker
from gateway.exchange.journal import ALLOW, Kind, Value, draft
from gateway.ports import NewAlert
from gateway.protocol.authority import Authority
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from homeward.gateway.v1.link_pb2 import ALERT_KIND_AUTHORITY_REVOKED

NAMELESS = SubjectHandle(bytes(16))
"""In an alert about a youth that the authority names by tokens: its agencies share no handle."""


def recorded_leaf(
    caller: Caller,
    deed: Deed,
    authority: Authority,
    *,
    signature: bytes,
    handle: SubjectHandle | None,
    key: YouthKey | None,
) -> Draft:
    """The leaf of a recorded authority. `signature` is the issuer's over the exact bytes."""
    return draft(
        Kind.AUTHORITY_RECORDED,
        requester=caller.agency,
        op=_recorded(caller) | {"basis": authority.basis},
        req=_acts(caller, deed, authority.authority_id) | {"signed": signature},
        youth={"handle": handle} if handle is not None else None,
        youth_key=key,
    )


def revoked_leaf(
    caller: Caller,
    deed: Deed,
    authority_id: AuthorityId,
    *,
    issuer: AgencyId,
    handle: SubjectHandle | None,
    key: YouthKey | None,
) -> Draft:
    """The leaf of a revocation; the issuer may open who revoked what."""
    return draft(
        Kind.AUTHORITY_REVOKED,
        requester=caller.agency,
        holder=issuer,
        op=_recorded(caller),
        req=_acts(caller, deed, authority_id),
        hold={"requester": caller.agency, "revoked": authority_id.hex()},
        youth={"handle": handle} if handle is not None else None,
        youth_key=key,
    )


def stop_use(
    revoking: AgencyId,
    parties: Iterable[AgencyId],
    *,
    at_ms: int,
    issuer: AgencyId,
    handle: SubjectHandle | None,
    pairwise: Callable[[AgencyId, AgencyId, SubjectHandle], bytes],
    purpose: str = "",
) -> tuple[NewAlert, ...]:
    """What the parties other than the one that is `revoking` hear: stop using what the authority gave.

    Each hears of the youth by its own name for it: the issuer by its handle, a recipient by the one its answers had.
    """

    def name_for(agency: AgencyId) -> SubjectHandle:
        if handle is None:
            return NAMELESS
        return handle if agency == issuer else SubjectHandle(pairwise(agency, issuer, handle))

    return tuple(
        NewAlert(
            agency=agency,
            kind=ALERT_KIND_AUTHORITY_REVOKED,
            handle=name_for(agency),
            youth=None if handle is None else (issuer, handle),
            acting_agency=revoking,
            create_ms=at_ms,
            purpose=purpose,
        )
        for agency in sorted(parties)
        if agency != revoking
    )


def _recorded(caller: Caller) -> dict[str, Value]:
    return {
        "decision": ALLOW,
        "outcome": Outcome.RECORDED,
        "purpose": caller.claims.purpose,
        "reason": Reason.RECORDED,
    }


def _acts(caller: Caller, deed: Deed, authority_id: AuthorityId) -> dict[str, Value]:
    return {"worker": worker(caller), "request": deed.digest, "authority": authority_id.hex()}
