"""A directory that has joined is given a join line.

    1  is it needed        the certificate has ended, or the exchange refuses it; else the line is left as it is
    2  does it fit         a line for this very exchange, agency and adapter
    3  is it alone         the adapter of this directory does not run
    4  redeem              the keys of this directory under its county root, and a fresh key for the channel, durable
                           before the ticket is spent
    5  check and write     as joining does; certificate and membership replace the old ones as a renewal does

Decides that coming back changes the certificate and nothing else: the county root, the keys it certified, the handles
of youths and everything in `adapter.db` stay, so that flags, authorities and the list at the exchange stay this
adapter's own. The root need not be on this machine: while the statements that it made count, they are given again as
the newest directory here has them. So whoever copied the directory has the keys that count, and no certificate that
does: after a theft an agency joins in a new directory, with other keys. An adapter down longer than its certificate
lives comes back in no other way (SECURITY §3.2 row 5).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import OperationalError

from adapters import enrol_failures as failures
from adapters.channel_identity import accept_joining, load_identity, next_key
from adapters.enrol_answer import check_answer, follow_joining, line_digest, membership_of
from adapters.enrolling import KEYS, Exchange, Joined, Wish, read_line, request_of
from adapters.fingerprint import fingerprint
from adapters.keyring import KeyFile, KeyFileUnusable, Keyring, key_statements, load_keyring, load_signing_key
from adapters.membership import LOCK_FILE, Membership, read_membership
from adapters.node.store import FILE_NAME as STORE_FILE
from adapters.node.store import get_setting, open_store
from adapters.node.succession import DIRECTORY
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import key_id
from homeward.alone import NotAlone, alone
from homeward.gateway.v1.directory_pb2 import County, Directory, KeyStatement, SignedDirectory
from homeward.gateway.v1.enrollment_pb2 import Invitation
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope


async def come_back(wish: Wish, exchange: Exchange, *, now: Callable[[], datetime]) -> Joined:
    """The directory, which has joined, has a certificate that counts; was the old one good, the line is as it was.

    Raises `CommandFailure` JOIN-001 to JOIN-019.
    """
    state = wish.state
    with failures.of_files(state):
        # Also finishes what a crash interrupted, which rewrites the membership.
        identity = load_identity(state)
        known = read_membership(state)
    is_good = identity.expires > now() and not await exchange.refuses(known.gateway_address, identity)  # 1
    if known.line_digest == line_digest(wish.line):
        if is_good:
            return Joined(known, _root_fingerprint(known, state), was_member=True)
        raise failures.line_used_here()
    invitation = read_line(wish.line, now())
    _check_fits(invitation, known, wish)  # 2
    if is_good and not wish.again:
        unused_until = invitation.expire_time.ToDatetime(UTC)
        return Joined(known, _root_fingerprint(known, state), was_member=True, unused_until=unused_until)
    with _alone(state):  # 3
        return await _redeem(wish, known, invitation, exchange, now=now)


async def _redeem(
    wish: Wish, known: Membership, invitation: Invitation, exchange: Exchange, *, now: Callable[[], datetime]
) -> Joined:
    state = wish.state
    with failures.of_listener(invitation.enrollment_address):
        certificate = exchange.look(invitation.enrollment_address, invitation.enrollment_certificate_digest)
    with failures.of_files(state):
        keyring = load_keyring(state / KEYS)
        root, statements = _statements(wish, known, keyring, now())
        tls_key = next_key(state)
    request = request_of(
        invitation,
        instance=known.instance,
        tls_key=tls_key,
        envelope_key=keyring.envelope,
        county_root=root,
        statements=statements,
        has_sources=wish.has_sources,
    )
    with failures.of_redeeming(invitation):
        response = await exchange.redeem(invitation.enrollment_address, certificate, request)  # 4
    membership = membership_of(invitation, request, response, line=wish.line, joined=known.joined)
    kept = check_answer(response, membership, tls_key)  # 5
    with failures.of_files(state):
        follow_joining(state, kept)
        accept_joining(state, chain=response.certificate_chain, ca=response.ca_certificates, membership=membership)
    return Joined(membership, fingerprint(root), was_member=True)


def _check_fits(invitation: Invitation, known: Membership, wish: Wish) -> None:
    if (invitation.trust_domain, invitation.gateway_key) != (known.trust_domain, known.gateway_key):
        raise failures.of_another_exchange(wish.state, known.trust_domain)
    if invitation.agency != known.agency:
        raise failures.of_another_agency(wish.state, known.agency, invitation.agency)
    if wish.instance not in (None, known.instance):
        raise failures.of_another_instance(wish.state, known.instance)


def _statements(
    wish: Wish, known: Membership, keyring: Keyring, now: datetime
) -> tuple[bytes, Sequence[SignedEnvelope]]:
    """The county root's public key, and what it says of this directory's keys: said anew where the root is here."""
    file = wish.county_root or wish.state / KEYS / KeyFile.COUNTY_ROOT
    if wish.county_root is None and not file.exists():
        return _kept_statements(wish.state, known, keyring, now)
    root = load_signing_key(file)
    if known.county_root not in (b"", root.public_bytes):
        raise failures.root_differs(file)
    return root.public_bytes, key_statements(keyring, root, agency=AgencyId(known.agency), now=now)


def _kept_statements(
    state: Path, known: Membership, keyring: Keyring, now: datetime
) -> tuple[bytes, Sequence[SignedEnvelope]]:
    directory = _directory(state)
    ours = {key_id(public) for public in keyring.publics.values()}
    county = next((each for each in directory.counties if each.fips == known.county), County())
    listed = [*county.flag_keys]
    for member in directory.members:
        listed += member.keys if member.agency == known.agency else ()
    found = [each for each in listed if _counts(each, ours, now)]
    if len(found) != len(ours):
        raise failures.root_needed(state)
    return county.root_key, found


def _counts(envelope: SignedEnvelope, ours: set[bytes], now: datetime) -> bool:
    # Verified when the directory was accepted, and again by whoever is given it; here it is only read.
    statement = KeyStatement.FromString(envelope.payload)
    return key_id(statement.public_key) in ours and now < statement.expire_time.ToDatetime(UTC)


def _directory(state: Path) -> Directory:
    """The newest directory that was accepted here; an empty one where none was. Raises OSError."""
    store = open_store(state / STORE_FILE)
    try:
        with store.read() as connection:
            kept = get_setting(connection, DIRECTORY)
    except OperationalError as exc:
        raise OSError(f"{STORE_FILE} cannot be read") from exc
    finally:
        store.close()
    return Directory.FromString(SignedDirectory.FromString(kept or b"").directory)


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    # A running adapter has the old certificate in memory, and renews with the very key that is certified here.
    try:
        with alone(state / LOCK_FILE):
            yield
    except NotAlone as exc:
        raise failures.adapter_runs(state) from exc


def _root_fingerprint(known: Membership, state: Path) -> bytes:
    if known.county_root:
        return fingerprint(known.county_root)
    try:
        return fingerprint(load_signing_key(state / KEYS / KeyFile.COUNTY_ROOT).public_bytes)
    except KeyFileUnusable:
        # The root may have been moved off this machine after joining, as it should be.
        return b""
