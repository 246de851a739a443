"""Joining an exchange: from one line to an adapter with keys, a certificate and pinned signers.

    1  read the line            whole, not expired, for this agency
    2  look at the listener     its certificate is the one in the line, before anything secret is sent
    3  make keys                on this machine, durable before the ticket is spent
    4  redeem                   key request and statements of the county root; the ticket is spent once
    5  check the answer         a certificate of our key, for exactly the identity we asked for, and the receipt of its
                                entry in the log that the line names
    6  write                    that the entry is awaited (`adapter.db`), the certificate, then member.json as the last
                                file: without it nobody joined

Decides that joining can be repeated after any interruption: the keys of step 3 are used again, and the exchange gives
the same key the same answer while the ticket lives. Every way to fail has a code and says what to do.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from sqlalchemy.exc import OperationalError

from adapters import enrol_failures as failures
from adapters.channel_identity import KEY_FILE, certificate_request, new_tls_key, thumbprint, write_identity
from adapters.errors import EvidenceInvalid
from adapters.fingerprint import fingerprint
from adapters.keyring import (
    KeyFile,
    KeyFileUnusable,
    Keyring,
    generate_keyring,
    key_statements,
    load_keyring,
    load_signing_key,
    make_private_directory,
    read_secret,
    write_keyring,
    write_secret,
)
from adapters.membership import Membership, MembershipInvalid, read_membership, write_membership
from adapters.node.receipts import Expected, Kept, Requests, check_receipt
from adapters.node.store import FILE_NAME as STORE_FILE
from adapters.node.store import open_store
from adapters.node.succession import forget_joining
from gateway.protocol.invitation import InvitationBroken, decode
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, AgencyKind
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse, Invitation

KEYS: Final = "keys"
_INSTANCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """How the listener is spoken to; a port, so that joining can be run against one that behaves badly."""

    look: Callable[[str, bytes], str]
    """Address and SHA-256 to the certificate (PEM) shown there, as `redeem.shown_certificate`."""
    redeem: Callable[[str, str, EnrollRequest], Awaitable[EnrollResponse]]
    """Address, certificate and request to the answer, as `redeem.redeem`."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the operator asks for."""

    line: str = field(repr=False)
    state: Path
    """State directory of the adapter."""
    instance: str = "a1"
    county_root: Path | None = None
    """Private key of a county root that another agency of the county made; None: this adapter's own."""
    has_sources: bool = True


@dataclass(frozen=True, slots=True)
class Joined:
    """What joining led to."""

    membership: Membership
    root_fingerprint: bytes
    """SHA-256 of the county root's public key; what a custodian's operator is told by telephone. Empty: unknown here,
    because the root was taken off this machine."""
    was_member: bool
    """Nothing was done: the directory is of a member already."""


async def join(wish: Wish, exchange: Exchange, *, now: Callable[[], datetime]) -> Joined:
    """The state directory is of a member. Raises `CommandFailure` JOIN-001 to JOIN-013."""
    state = wish.state
    with failures.of_files(state):
        known = _known(state)
    if known is not None:
        return Joined(known, _root_fingerprint(state), was_member=True)
    invitation = read_line(wish.line, now())  # 1
    if not _INSTANCE.fullmatch(wish.instance):
        raise failures.instance_malformed()
    with failures.of_listener(invitation.enrollment_address):
        certificate = exchange.look(invitation.enrollment_address, invitation.enrollment_certificate_digest)  # 2
    with failures.of_files(state):
        keyring, root, tls_key = _keys(state, wish)  # 3
    agency = AgencyId(invitation.agency)
    request = EnrollRequest(
        ticket=invitation.ticket,
        certificate_request=certificate_request(tls_key),
        instance=wish.instance,
        county_root_key=root.public_bytes,
        keys=key_statements(keyring, root, agency=agency, now=now()),
        has_sources=wish.has_sources,
    )
    with failures.of_redeeming(invitation):
        response = await exchange.redeem(invitation.enrollment_address, certificate, request)  # 4
    membership = _membership(invitation, wish, response, now())
    _check(response, membership, tls_key)  # 5
    kept = _check_receipt(response, membership)
    with failures.of_files(state):  # 6
        _follow(state, kept)
        write_identity(state / KEYS, key=tls_key, chain=response.certificate_chain, ca=response.ca_certificates)
        write_membership(state, membership)
    return Joined(membership, fingerprint(root.public_bytes), was_member=False)


def read_line(line: str, now: datetime) -> Invitation:
    """The invitation of a join line that is whole and not expired. Raises `CommandFailure`."""
    try:
        invitation = decode(line)
    except InvitationBroken as broken:
        raise failures.line_broken(str(broken)) from broken
    expires = invitation.expire_time.ToDatetime(UTC)
    if expires <= now:
        raise failures.line_expired(expires)
    return invitation


def _known(state: Path) -> Membership | None:
    try:
        return read_membership(state)
    except FileNotFoundError:
        return None
    except MembershipInvalid as invalid:
        raise failures.membership_unreadable(state, invalid.why) from invalid


def _root_fingerprint(state: Path) -> bytes:
    try:
        return fingerprint(load_signing_key(state / KEYS / KeyFile.COUNTY_ROOT).public_bytes)
    except KeyFileUnusable:
        # The root may have been moved off this machine after joining, as it should be.
        return b""


def _keys(state: Path, wish: Wish) -> tuple[Keyring, SigningKey, bytes]:
    """Keys of this adapter, durable; those of an interrupted attempt where there are any."""
    keys = state / KEYS
    make_private_directory(state)
    make_private_directory(keys)
    if not all((keys / file).exists() for file in KeyFile if file is not KeyFile.COUNTY_ROOT):
        write_keyring(keys, generate_keyring())
    if wish.county_root is not None:
        root = load_signing_key(wish.county_root)
    else:
        if not (keys / KeyFile.COUNTY_ROOT).exists():
            write_secret(keys / KeyFile.COUNTY_ROOT, SigningKey.generate().private_bytes)
        root = load_signing_key(keys / KeyFile.COUNTY_ROOT)
    if not (keys / KEY_FILE).exists():
        write_secret(keys / KEY_FILE, new_tls_key())
    return load_keyring(keys), root, read_secret(keys / KEY_FILE)


def _membership(invitation: Invitation, wish: Wish, response: EnrollResponse, now: datetime) -> Membership:
    try:
        kind = from_wire(AgencyKind, invitation.kind)
    except MalformedMessage as exc:
        raise failures.line_broken("this join line was made by another version of Homeward") from exc
    return Membership(
        trust_domain=invitation.trust_domain,
        agency=AgencyId(invitation.agency),
        kind=kind,
        instance=wish.instance,
        gateway_address=invitation.gateway_address,
        gateway_key=invitation.gateway_key,
        holder_keys=tuple(invitation.holder_keys),
        log_origin=invitation.log_origin,
        log_key=invitation.log_key,
        generation=response.generation,
        has_sources=wish.has_sources,
        joined=now,
    )


def _check(response: EnrollResponse, membership: Membership, tls_key: bytes) -> None:
    """The certificate is of our key and names us, and there is a CA to check the gateway with."""
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


def _check_receipt(response: EnrollResponse, membership: Membership) -> Kept:
    """That this certificate was issued to this agency is in the log."""
    issued = Expected(frozenset({Kind.ENROLL_REDEEMED}), None, certificate=thumbprint(response.certificate_chain))
    try:
        return check_receipt(response.receipt, membership.log, issued)
    except EvidenceInvalid as invalid:
        why = "its receipt does not hold, or is of another log than the line names"
        raise failures.receipt_unusable(why) from invalid


def _follow(state: Path, kept: Kept) -> None:
    """The entry is awaited, and nothing of an attempt that was cut short: its log may have lost entries since."""
    store = open_store(state / STORE_FILE)
    try:
        with store.write() as connection:
            forget_joining(connection)
        Requests(store).follow(kept)
    except OperationalError as exc:
        raise OSError(f"{STORE_FILE} cannot be written") from exc
    except EvidenceInvalid as invalid:
        raise failures.receipt_unusable("the log has another history than this adapter knows") from invalid
    finally:
        store.close()
