"""Joining an exchange: from one line to an adapter with keys, a certificate and pinned signers.

    1  read the line            whole, not expired, for this agency
    2  look at the listener     its certificate is the one in the line, before anything secret is sent
    3  make keys                on this machine, durable before the ticket is spent
    4  redeem                   key request and statements of the county root; the ticket is spent once
    5  check the answer         a certificate of our key, for exactly the identity we asked for, and the receipt of its
                                entry in the log that the line names
    6  write                    that the entry is awaited (`adapter.db`), the certificate, the county root under its
                                name, then member.json as the last file: without it nobody joined

Decides that joining can be repeated after any interruption: the keys of step 3 are used again, and the exchange gives
the same key the same answer while the ticket lives. Until then a root that was made here is `county-root.key.new`: the
exchange may know another one of this county, and a file that looks like the county's root must be it. What becomes of
a directory that has joined is decided in `enrol_again`. Every way to fail has a code and says what to do.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters import enrol_failures as failures
from adapters.channel_identity import KEY_FILE, new_tls_key, write_identity
from adapters.enrol_again import come_back
from adapters.enrol_answer import check_answer, follow_joining, membership_of
from adapters.enrolling import KEYS, Exchange, Joined, Wish, read_line, request_of
from adapters.fingerprint import fingerprint
from adapters.keyring import (
    KeyFile,
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
from adapters.node.rpcs import CallFailed
from gateway.protocol.names import AgencyId
from gateway.protocol.signing import SigningKey

__all__ = ["Exchange", "Joined", "Wish", "join"]

NEW_ROOT: Final = f"{KeyFile.COUNTY_ROOT}.new"
"""A root that was made here, until the exchange has taken it for the county's."""
_FIRST_INSTANCE: Final = "a1"
_INSTANCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


async def join(wish: Wish, exchange: Exchange, *, now: Callable[[], datetime]) -> Joined:
    """The state directory is of a member. Raises `CommandFailure` JOIN-001 to JOIN-019."""
    state = wish.state
    with failures.of_files(state):
        known = _known(state)
    if known is not None:
        return await come_back(wish, exchange, now=now)
    invitation = read_line(wish.line, now())  # 1
    instance = _FIRST_INSTANCE if wish.instance is None else wish.instance
    if not _INSTANCE.fullmatch(instance):
        raise failures.instance_malformed()
    with failures.of_listener(invitation.enrollment_address):
        certificate = exchange.look(invitation.enrollment_address, invitation.enrollment_certificate_digest)  # 2
    with failures.of_files(state):
        keyring, root, tls_key = _keys(state, wish)  # 3
    statements = key_statements(keyring, root, agency=AgencyId(invitation.agency), now=now())
    request = request_of(
        invitation,
        instance=instance,
        tls_key=tls_key,
        envelope_key=keyring.envelope,
        county_root=root.public_bytes,
        statements=statements,
        has_sources=wish.has_sources,
    )
    with failures.of_redeeming(invitation), _dropping_root(wish):
        response = await exchange.redeem(invitation.enrollment_address, certificate, request)  # 4
    membership = membership_of(invitation, request, response, line=wish.line, joined=now())
    kept = check_answer(response, membership, tls_key)  # 5
    with failures.of_files(state):  # 6
        follow_joining(state, kept)
        write_identity(state / KEYS, key=tls_key, chain=response.certificate_chain, ca=response.ca_certificates)
        if wish.county_root is None:
            _name_root(state / KEYS)
        write_membership(state, membership)
    return Joined(membership, fingerprint(root.public_bytes), was_member=False)


def _known(state: Path) -> Membership | None:
    try:
        return read_membership(state)
    except FileNotFoundError:
        return None
    except MembershipInvalid as invalid:
        raise failures.membership_unreadable(state, invalid.why) from invalid


def _keys(state: Path, wish: Wish) -> tuple[Keyring, SigningKey, bytes]:
    """Keys of this adapter, durable; those of an interrupted attempt where there are any."""
    keys = state / KEYS
    make_private_directory(state)
    make_private_directory(keys)
    if not all((keys / file).exists() for file in KeyFile if file is not KeyFile.COUNTY_ROOT):
        write_keyring(keys, generate_keyring())
    root = load_signing_key(wish.county_root) if wish.county_root is not None else _own_root(keys)
    if not (keys / KEY_FILE).exists():
        write_secret(keys / KEY_FILE, new_tls_key())
    return load_keyring(keys), root, read_secret(keys / KEY_FILE)


def _own_root(keys: Path) -> SigningKey:
    if (keys / KeyFile.COUNTY_ROOT).exists():
        return load_signing_key(keys / KeyFile.COUNTY_ROOT)
    if not (keys / NEW_ROOT).exists():
        write_secret(keys / NEW_ROOT, SigningKey.generate().private_bytes)
    return load_signing_key(keys / NEW_ROOT)


@contextmanager
def _dropping_root(wish: Wish) -> Iterator[None]:
    """Inside, a root that was made here is gone once the exchange says that the county has another."""
    try:
        yield
    except CallFailed as failed:
        if failed.reason == failures.ROOT_DIFFERS and wish.county_root is None:
            with suppress(OSError):
                (wish.state / KEYS / NEW_ROOT).unlink(missing_ok=True)
        raise


def _name_root(keys: Path) -> None:
    """The root that was made here has its name: the exchange has taken it."""
    made = keys / NEW_ROOT
    if made.exists():
        write_secret(keys / KeyFile.COUNTY_ROOT, read_secret(made))
        made.unlink()
