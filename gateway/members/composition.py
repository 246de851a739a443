"""From tables to a directory. Pure, but for the rows it is given.

Decides what a directory says and that the same rows always give the same bytes: everything is sorted, and version and
time are left to whoever signs. Counties can be left out, so that one that waits for admission does not hold up the
revocation of a member of another.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.errors import ErrorReason, Unavailable
from gateway.members import pepper, roster
from gateway.protocol.epochs import ROLES, EpochState
from gateway.protocol.names import county_of
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.sharing import Sharing, public_share
from gateway.protocol.wire_names import to_wire
from gateway.store import tables
from gateway.store.epochs import read_states
from homeward.gateway.v1.directory_pb2 import County, Directory, KeyHolder, Member, SignedSuccession
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

_HOLDERS: Final = Statement(select(tables.holder).order_by(tables.holder.c.share_index))


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a directory says that no table holds: settings, and the gateway as the first key holder."""

    trust_domain: str
    log_key: bytes
    log_origin: str
    policy_version: str
    policy_digest: bytes
    counties_without_agreement: tuple[str, ...]
    demo: bool
    group: Ristretto
    first_epoch: Callable[[], str]
    """The epoch that is current while no rotation named one: that of this gateway's own share in force."""
    sharing_of: Callable[[str], Sharing | None]
    """The sharing of an epoch's token key, by this gateway's own share of it; None where it has none."""
    own_holder: KeyHolder
    """The gateway itself; its commitment is the sharing's."""
    successions: tuple[SignedSuccession, ...] = ()
    """How the log came to be this one, in order; empty for the first log of an exchange."""


def compose(
    tx: Tx, exchange: Exchange, *, without: Collection[str] = (), unannounced: Collection[str] = ()
) -> Directory:
    """The directory of this moment without these counties and epochs; version and time are not set.

    Raises `Unavailable` where this gateway has no share of an epoch that it must name.
    """
    current, others = live_epochs(tx, exchange)
    keys: dict[tuple[str, str], list[SignedEnvelope]] = {}
    for row in roster.all_keys(tx):
        keys.setdefault((row.county, row.agency), []).append(SignedEnvelope.FromString(row.envelope))
    directory = Directory(
        trust_domain=exchange.trust_domain,
        counties=[_county(county, keys) for county in roster.all_counties(tx) if county.fips not in without],
        members=[_member(member, keys) for member in roster.all_members(tx) if county_of(member.agency) not in without],
        holders=holders_of(tx, exchange),
        log_key=exchange.log_key,
        log_origin=exchange.log_origin,
        policy_version=exchange.policy_version,
        policy_digest=exchange.policy_digest,
        epoch=current,
        counties_without_agreement=sorted(exchange.counties_without_agreement),
        pepper_commitment=pepper.commitment(tx, current),
        sharing=sharing_in(exchange, current).to_message(),
        demo=exchange.demo,
        successions=exchange.successions,
    )
    for name, state in others.items():
        if name not in unannounced:
            directory.other_epoch.role = ROLES[state]
            directory.other_epoch.sharing.CopyFrom(sharing_in(exchange, name).to_message())
            directory.other_epoch.pepper_commitment = pepper.commitment(tx, name)
    return directory


def live_epochs(tx: Tx, exchange: Exchange) -> tuple[str, dict[str, EpochState]]:
    """The current epoch, and what is answered beside it."""
    states = read_states(tx)
    current = next((name for name, state in states.items() if state is EpochState.CURRENT), exchange.first_epoch())
    return current, {name: state for name, state in states.items() if state in ROLES}


def sharing_in(exchange: Exchange, epoch: str) -> Sharing:
    """The sharing of this epoch's key. Raises `Unavailable` where this gateway has no share of it."""
    sharing = exchange.sharing_of(epoch)
    if sharing is None:
        raise Unavailable(ErrorReason.NOT_READY)
    return sharing


def holders_of(tx: Tx, exchange: Exchange) -> list[KeyHolder]:
    """Every holder with its public share in the sharing in force, the gateway first."""
    sharing = sharing_in(exchange, live_epochs(tx, exchange)[0])
    holders = [exchange.own_holder, *other_holders(tx)]
    return [_in_sharing(holder, exchange, sharing) for holder in holders]


def _in_sharing(holder: KeyHolder, exchange: Exchange, sharing: Sharing) -> KeyHolder:
    listed = KeyHolder()
    listed.CopyFrom(holder)
    # What a card said was the public share of its time; a refresh gives every holder another.
    listed.share_commitment = public_share(exchange.group, sharing.commitments, holder.share_index)
    return listed


def other_holders(tx: Tx) -> list[KeyHolder]:
    """Every holder but the gateway, by share index, as its card stated it."""
    return [
        KeyHolder(
            share_index=share_index,
            operator=operator,
            address=address,
            ca_fingerprint=fingerprint(ca_certificate),
            ca_certificate=ca_certificate,
            directory_key=directory_key,
            share_commitment=share_commitment,
            log_origin=log_origin,
            log_key=log_key,
        )
        for (
            share_index, operator, address, ca_certificate, directory_key, share_commitment, log_origin, log_key, _,
        ) in tx.all(_HOLDERS)
    ]  # fmt: skip


def content_of(directory: Directory) -> bytes:
    """The bytes of what it says, without version and time: equal exactly if nothing changed."""
    bare = Directory()
    bare.CopyFrom(directory)
    bare.ClearField("version")
    bare.ClearField("create_time")
    return bare.SerializeToString(deterministic=True)


def _county(row: roster.CountyRow, keys: Mapping[tuple[str, str], list[SignedEnvelope]]) -> County:
    return County(
        fips=row.fips,
        root_key=row.root_key,
        duty_line=row.duty_line,
        hotline=row.hotline,
        flag_keys=keys.get((row.fips, ""), []),
    )


def _member(row: roster.MemberRow, keys: Mapping[tuple[str, str], list[SignedEnvelope]]) -> Member:
    return Member(
        agency=row.agency,
        kind=to_wire(row.kind),  # type: ignore[arg-type]  # numbers of an enum are its values on the wire
        keys=keys.get((county_of(row.agency), row.agency), []),
        suspended=row.suspended,
        has_sources=row.has_sources,
    )


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of a certificate's DER form."""
    return hashlib.sha256(der).digest()
