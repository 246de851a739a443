"""What recording and revoking an authority leave in the log, and who is told to stop. Pure.

Decides where an entry says which authority is meant: with the youth, under a key that a seal destroys. By an authority
that they share, a sealed youth's entries would be known as one youth's. Where the authority names its youth by tokens
that key is the authority's own (`ports.own_youth`), because whose tokens they are nobody here knows; and the entry
has the same fields as any other, so that it does not say by what the youth is named.
"""

from collections.abc import Callable, Iterable
from typing import Final

from audit.entry import Draft, YouthKey
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, worker
from gateway.exchange.journal import ALLOW, Kind, Value, draft
from gateway.ports import NewAlert, YouthKeys, own_youth
from gateway.protocol.authority import Authority
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from homeward.gateway.v1.link_pb2 import ALERT_KIND_AUTHORITY_REVOKED

NAMELESS = SubjectHandle(bytes(16))
"""In place of the handle of a youth that the authority names by tokens."""
_RECORDED: Final[dict[str, Value]] = {"decision": ALLOW, "outcome": Outcome.RECORDED, "reason": Reason.RECORDED}


def recorded_leaf(
    caller: Caller,
    deed: Deed,
    authority: Authority,
    *,
    signature: bytes,
    handle: SubjectHandle | None,
    key: YouthKey,
) -> Draft:
    """The leaf of a recorded authority. `signature` is the issuer's over the exact bytes."""
    return draft(
        Kind.AUTHORITY_RECORDED,
        requester=caller.agency,
        op=_RECORDED | {"purpose": caller.claims.purpose, "basis": authority.basis},
        req=_acts(caller, deed),
        # The signature, too: recorded again, it is the same one.
        youth=about(authority.authority_id, handle) | {"signed": signature},
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
    key: YouthKey,
) -> Draft:
    """The leaf of a revocation; the issuer may open who revoked what."""
    return draft(
        Kind.AUTHORITY_REVOKED,
        requester=caller.agency,
        holder=issuer,
        # Its assertion must name a purpose of use, and a revocation has none.
        op=_RECORDED,
        req=_acts(caller, deed),
        hold={"requester": caller.agency},
        youth=about(authority_id, handle, revoke_ms=at_ms),
        youth_key=key,
    )


def about(authority_id: AuthorityId, handle: SubjectHandle | None, *, revoke_ms: int | None = None) -> dict[str, Value]:
    """Fields of class `youth` that say which authority is meant, whom it names, and when it was revoked.

    `handle` is None where it names the youth by tokens.
    """
    said: dict[str, Value] = {"handle": NAMELESS if handle is None else handle, "authority": authority_id.hex()}
    # Not the entry's own time: one that is presented again after a loss was revoked before it.
    return said if revoke_ms is None else said | {"revoke_ms": revoke_ms}


async def audit_key(
    keys: YouthKeys, authority_id: AuthorityId, *, issuer: AgencyId, handle: SubjectHandle | None
) -> YouthKey:
    """The key of an entry about an authority on record, or about to be. Raises `Moved` for a youth that was sealed."""
    return await keys.next(*(own_youth(authority_id) if handle is None else (issuer, handle)))


def stop_use(
    revoking: AgencyId,
    parties: Iterable[AgencyId],
    *,
    at_ms: int,
    authority_id: AuthorityId,
    issuer: AgencyId,
    handle: SubjectHandle | None,
    pairwise: Callable[[AgencyId, AgencyId, SubjectHandle], bytes],
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
            youth=own_youth(authority_id) if handle is None else (issuer, handle),
            acting_agency=revoking,
            create_ms=at_ms,
            purpose="",
        )
        for agency in sorted(parties)
        if agency != revoking
    )


def _acts(caller: Caller, deed: Deed) -> dict[str, Value]:
    return {"worker": worker(caller), "request": deed.digest}
