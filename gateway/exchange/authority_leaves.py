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
    req, youth = placed(authority.authority_id, handle)
    return draft(
        Kind.AUTHORITY_RECORDED,
        requester=caller.agency,
        op=_recorded(caller) | {"basis": authority.basis},
        req=_acts(caller, deed) | req | {"signed": signature},
        youth=youth,
        youth_key=key,
    )


def revoked_leaf(
    caller: Caller,
    deed: Deed,
    authority_id: AuthorityId,
    *,
    at_ms: int,
    issuer: AgencyId,
    handle: SubjectHandle | None,
    key: YouthKey | None,
) -> Draft:
    """The leaf of a revocation; the issuer may open who revoked what."""
    req, youth = placed(authority_id, handle, revoke_ms=at_ms)
    return draft(
        Kind.AUTHORITY_REVOKED,
        requester=caller.agency,
        holder=issuer,
        op=_recorded(caller),
        req=_acts(caller, deed) | req,
        hold=revoked_hold(caller.agency, authority_id, handle),
        youth=youth,
        youth_key=key,
    )


def placed(
    authority_id: AuthorityId, handle: SubjectHandle | None, *, revoke_ms: int | None = None
) -> tuple[dict[str, Value], dict[str, Value] | None]:
    """Fields of class `req` and of class `youth` that say which authority is meant, and when it was revoked.

    With the youth where it is named by handle: by an authority that they share, a sealed youth's entries would be known
    as one youth's. Where tokens name it, nobody here knows whose key that would be.
    """
    said: dict[str, Value] = {"authority": authority_id.hex()}
    if revoke_ms is not None:
        # Not the entry's own time: one that is presented again after a loss was revoked before it.
        said["revoke_ms"] = revoke_ms
    return (said, None) if handle is None else ({}, {"handle": handle} | said)


def revoked_hold(by: AgencyId, authority_id: AuthorityId, handle: SubjectHandle | None) -> dict[str, Value]:
    """Fields by which the issuer knows who revoked what; with the youth's key it opens which authority it was."""
    who: dict[str, Value] = {"requester": by}
    return who | {"revoked": authority_id.hex()} if handle is None else who


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


def _acts(caller: Caller, deed: Deed) -> dict[str, Value]:
    return {"worker": worker(caller), "request": deed.digest}
