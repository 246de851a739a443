"""What the exchange answers to a redeemed line, checked before any of it is kept.

Decides what must hold of the answer: a certificate of our key, for exactly the identity that was asked for, and the
receipt of its entry in the log that the line names. Of the membership it decides what is the line's and what our own.
The entry is then among those that the agency must be shown.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from sqlalchemy.exc import OperationalError

from adapters import enrol_failures as failures
from adapters.channel_identity import thumbprint
from adapters.errors import EvidenceInvalid
from adapters.membership import Membership
from adapters.node.receipts import Expected, Kept, Requests, check_receipt
from adapters.node.store import FILE_NAME as STORE_FILE
from adapters.node.store import open_store
from adapters.node.succession import forget_joining, is_followed
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, AgencyKind
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse, Invitation


def membership_of(
    invitation: Invitation, request: EnrollRequest, response: EnrollResponse, *, line: str, joined: datetime
) -> Membership:
    """Who this adapter is by the line, and by what was asked and answered. Raises `CommandFailure` JOIN-001."""
    try:
        kind = from_wire(AgencyKind, invitation.kind)
    except MalformedMessage as exc:
        raise failures.line_broken("this join line was made by another version of Homeward") from exc
    return Membership(
        trust_domain=invitation.trust_domain,
        agency=AgencyId(invitation.agency),
        kind=kind,
        instance=request.instance,
        gateway_address=invitation.gateway_address,
        gateway_key=invitation.gateway_key,
        holder_keys=tuple(invitation.holder_keys),
        log_origin=invitation.log_origin,
        log_key=invitation.log_key,
        generation=response.generation,
        has_sources=request.has_sources,
        joined=joined,
        county_root=request.county_root_key,
        line_digest=line_digest(line),
    )


def line_digest(line: str) -> bytes:
    """By which a line is known again; it does not lead back to the ticket."""
    return hashlib.sha256(line.strip().encode()).digest()


def check_answer(response: EnrollResponse, membership: Membership, tls_key: bytes) -> Kept:
    """The certificate is of our key and names us, there is a CA to check the gateway with, and that it was issued is in
    the log. Raises `CommandFailure` JOIN-008 and JOIN-013."""
    try:
        chain = x509.load_pem_x509_certificates(response.certificate_chain)
        x509.load_pem_x509_certificates(response.ca_certificates)
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as exc:
        raise failures.answer_unusable("its certificates cannot be read") from exc
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if [membership.spiffe_id] != uris or response.spiffe_id != membership.spiffe_id:
        raise failures.answer_unusable("its certificate is for another identity")
    ours = load_pem_private_key(tls_key, password=None).public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if chain[0].public_key().public_bytes(*form) != ours.public_bytes(*form):
        raise failures.answer_unusable("its certificate is for another key")
    if membership.generation < 1:
        raise failures.answer_unusable("it names no generation")
    return _check_receipt(response, membership)


def _check_receipt(response: EnrollResponse, membership: Membership) -> Kept:
    issued = Expected(frozenset({Kind.ENROLL_REDEEMED}), None, certificate=thumbprint(response.certificate_chain))
    try:
        return check_receipt(response.receipt, membership.log, issued)
    except EvidenceInvalid as invalid:
        why = "its receipt does not hold, or is of another log than the line names"
        raise failures.receipt_unusable(why) from invalid


def follow_joining(state: Path, kept: Kept) -> None:
    """The entry is awaited, and nothing of an attempt that was cut short: its log may have lost entries since.

    It is not where the log goes on under another origin than this directory has heard of: what is kept of positions is
    about the log before, until the directory that says so is in force here. Raises OSError, `CommandFailure` JOIN-013.
    """
    store = open_store(state / STORE_FILE)
    try:
        with store.write() as connection:
            forget_joining(connection)
            followed = is_followed(connection, kept.checkpoint.origin)
        if followed:
            Requests(store).follow(kept)
    except OperationalError as exc:
        raise OSError(f"{STORE_FILE} cannot be written") from exc
    except EvidenceInvalid as invalid:
        raise failures.receipt_unusable("the log has another history than this adapter knows") from invalid
    finally:
        store.close()
