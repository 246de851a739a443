"""Puts the publishing of one gateway together from its settings and secrets.

Decides which key signs, where files lie and which witnesses are asked; rounds, gate and files are of others.
"""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from audit.cosignature import Cosigner
from audit.log import Log
from audit.note import VerifierKey
from audit.policy import Policy, Witness, k_of, parse_policy
from audit.publish import Publisher
from audit.quorum import WitnessPeer
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from gateway.config import GatewayConfig, Release
from gateway.members.assembly import read_log_signer
from gateway.protocol.names import AgencyId
from gateway.publishing.attested import Attestations
from gateway.publishing.cosigned_sizes import COSIGNED_SIZES, CosignedSizes
from gateway.publishing.outside import outside_witnesses
from gateway.publishing.own_entries import OwnHeads
from gateway.publishing.rounds import Rounds
from gateway.publishing.shown import Shown
from gateway.publishing.witnessed import Witnessed
from gateway.state import State
from homeward.gateway.v1.admin_pb2 import PublishedStatus, WitnessStatus

SEED_BYTES: Final = 32
_SEED: Final = "log-mldsa44.key"


class LinkedWitness(WitnessPeer, Protocol):
    """A witness that is an adapter with an open link."""

    @property
    def agency(self) -> AgencyId:
        """Whose adapter it is."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """The publishing of one gateway."""

    rounds: Rounds
    witnessed: Witnessed
    attestations: Attestations
    shown: Shown
    required: bool
    """Whether anybody must cosign a checkpoint before it is published."""

    def status(self) -> PublishedStatus:
        """What the operator sees of it."""
        standings = sorted(self.rounds.standings.items())
        return PublishedStatus(
            published_size=self.witnessed.size,
            oldest_unwitnessed_seconds=int(self.witnessed.age().total_seconds()),
            disclosure_stopped=self.witnessed.stopped,
            release_witnessed=self.witnessed.waits,
            witnesses=[WitnessStatus(name=name, standing=standing) for name, standing in standings],
            attestations=self.attestations.status(),
            witnesses_required=self.required,
            start_waits_for=self.shown.waits_for(),
        )


def assemble_publishing(
    state: State,
    config: GatewayConfig,
    store: SqliteStore,
    *,
    linked: Callable[[], Iterable[LinkedWitness]],
    log: Log,
    now: Callable[[], datetime],
) -> Publishing:
    """The publishing of this gateway. `linked` are the adapters that are witnesses, as they are linked now.

    Raises `StateBroken`, EvidenceError for a policy that cannot be read, OSError where its file is missing.
    """
    wanted = config.witnesses
    fixed = parse_policy((state.directory / wanted.policy).read_bytes()) if wanted.policy is not None else None
    outside = outside_witnesses(fixed) if fixed is not None else ()

    def policy() -> Policy:
        if fixed is not None:
            return fixed
        return k_of(wanted.quorum, tuple(Witness(peer.name, peer.keys[0]) for peer in linked()))

    witnessed = Witnessed(waits=wanted.release is Release.WITNESSED, limit=wanted.limit, now=now)
    reader = Reader(store)
    signer = read_log_signer(state, config.log_origin)
    directory = state.directory / config.publish.directory
    publisher = Publisher(reader, directory, signer=signer, cosigners=_own_cosigners(state, config))
    required = wanted.quorum > 0 if fixed is None else not fixed.is_met_by(())
    shown = Shown(log, signer.public, stored=lambda: reader.tree().size, enough=_enough(policy, required=required))
    rounds = Rounds(
        publisher,
        reader,
        peers=lambda: (*linked(), *outside),
        policy=policy,
        witnessed=witnessed,
        sizes=CosignedSizes(state.directory / COSIGNED_SIZES, origin=config.log_origin),
        log=log,
        shown=shown,
        interval_seconds=config.publish.interval.total_seconds(),
    )
    return Publishing(rounds, witnessed, _attestations(state, config, store, linked=linked, now=now), shown, required)


def _attestations(
    state: State,
    config: GatewayConfig,
    store: SqliteStore,
    *,
    linked: Callable[[], Iterable[LinkedWitness]],
    now: Callable[[], datetime],
) -> Attestations:
    return Attestations(
        state.attestations,
        OwnHeads(Reader(store)),
        origin=config.log_origin,
        linked=lambda: [peer.agency for peer in linked()],
        now=now,
        limit=config.witnesses.limit,
    )


def _enough(policy: Callable[[], Policy], *, required: bool) -> Callable[[Collection[VerifierKey]], bool]:
    """Whether cosignatures of these keys let a start begin; where the settings ask for none, one does."""
    return lambda keys: policy().is_met_by(keys) if required else bool(keys)


def _own_cosigners(state: State, config: GatewayConfig) -> tuple[Cosigner, ...]:
    if not config.publish.ml_dsa:
        return ()
    if not state.secret(_SEED).exists():
        state.write_secret(_SEED, os.urandom(SEED_BYTES))
    seed = state.read_secret(_SEED, length=SEED_BYTES)
    return (Cosigner(config.log_origin, MLDSA44PrivateKey.from_seed_bytes(seed)),)
