"""Revocation of an agency, or of one adapter of it.

Decides what is true when it returns: the leaf is durable, the name is denied in this process, and the directory office
knows that it must publish. Streams end by themselves within five seconds; processes that share the database follow by
polling (`deny`). A revoked agency's keys leave every reader's directory with the next version.
"""

from collections.abc import Callable

from audit.log import INDEX, Append
from audit.transaction import Tx
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members import certificates, roster
from gateway.members.deny import DENY, DenyList
from gateway.members.ledger import Ledger
from gateway.protocol.names import AgencyId, NameSyntaxError, parse_agency_id
from gateway.protocol.spiffe import IdentityMalformed, parse_spiffe


async def revoke(ledger: Ledger, subject: str, *, denied: DenyList, changed: Callable[[], None]) -> int:
    """The agency or channel identity is denied; returns the index of the leaf.

    Raises `Invalid` for a name that is neither a member nor an adapter of this exchange, `Unavailable`.
    """
    agency, is_agency = _agency_of(subject)

    def exists(tx: Tx) -> bool:
        return roster.is_member(tx, agency) and (is_agency or certificates.newest(tx, subject) is not None)

    if not await ledger.read(exists):
        raise Invalid(ErrorReason.MEMBER_UNKNOWN)
    appended = await ledger.append(revocation(agency, subject))
    await denied.refresh(ledger)
    changed()
    return appended.index


def revocation(agency: AgencyId, subject: str) -> Append:
    """The subject is denied: the agency itself, or a channel identity of it."""
    is_agency = subject == agency
    name = "agency" if is_agency else "identity"
    entry = draft(Kind.MEMBER_REVOKED, requester=agency, op={"agency": agency, "revoked": name, "subject": subject})

    def apply(tx: Tx, index: int) -> None:
        if is_agency:
            roster.suspend(tx, index, agency)

    return Append(entry, rows=((DENY, (subject, INDEX)),), apply=apply)


def _agency_of(subject: str) -> tuple[AgencyId, bool]:
    try:
        if subject.startswith("spiffe:"):
            agency = parse_spiffe(subject).agency
            if agency is None:
                raise Invalid(ErrorReason.MEMBER_UNKNOWN)
            return agency, False
        return parse_agency_id(subject), True
    except (IdentityMalformed, NameSyntaxError) as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject: agency or identity",)) from exc
