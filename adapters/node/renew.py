"""Renews the channel certificate before it ends, with a new key each time.

Decides when: at two thirds of its life, less or more a twentieth at random, so that adapters that joined together do
not renew together. Decides what an answer means: a certificate whose issuing is in the log takes over at once, on new
channels, and nothing that runs is dropped; IDENTITY_LOCKED means that two holders renewed one identity, which only a
person can settle.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from adapters.channel_identity import (
    ChannelIdentityFiles,
    accept_renewal,
    certificate_request,
    next_key,
    thumbprint,
)
from adapters.keyring import KeyFileUnusable
from adapters.membership import read_membership
from adapters.node.acts import Acts
from adapters.node.identifiers import Clock, RandomBytes, timestamp
from adapters.node.rpcs import RENEW_CERTIFICATE, Caller, CallFailed
from gateway.protocol.envelope import wrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.directory_pb2 import CertificateRenewal, RenewCertificateRequest

CALL_SECONDS: Final = 10.0
RETRY: Final = timedelta(seconds=60)
SHORT_RETRY: Final = timedelta(seconds=1)
"""For certificates that live for minutes, as in a test."""
LOCKED: Final = "IDENTITY_LOCKED"
_LOG: Final = logging.getLogger(__name__)


class IdentityLocked(Exception):
    """The gateway locked this identity: two adapters hold it. Join again with a new invitation."""


@dataclass(slots=True)
class Renewer:
    """The task that renews."""

    state: Path
    envelope_key: SigningKey
    identity: Callable[[], ChannelIdentityFiles]
    gateway: Caller
    acts: Acts
    took_over: Callable[[], None]
    """Called once the new pair is on disk; re-makes the channels."""
    now: Clock
    random_bytes: RandomBytes

    async def run(self) -> None:
        """Renews whenever it is time, until cancelled. Raises `IdentityLocked`."""
        while True:
            identity = self.identity()
            wait = due(identity, self.random_bytes) - self.now()
            await asyncio.sleep(max(wait.total_seconds(), 0))
            try:
                await self.renew()
            except (CallFailed, KeyFileUnusable) as failed:
                if isinstance(failed, CallFailed) and failed.reason == LOCKED:
                    raise IdentityLocked from failed
                _LOG.error("certificate not renewed", extra={"why": str(failed)})
                if identity.expires <= self.now():
                    _LOG.error("the certificate has expired: join again in this directory, with a new invitation")
                life = identity.expires - identity.effective
                await asyncio.sleep(min(RETRY, max(SHORT_RETRY, life / 30)).total_seconds())

    async def renew(self) -> None:
        """A certificate of the next generation is in use. Raises `CallFailed`, `KeyFileUnusable`."""
        key = await asyncio.to_thread(next_key, self.state)
        renewal = CertificateRenewal(
            certificate_request=certificate_request(key),
            generation=read_membership(self.state).generation,
            create_time=timestamp(self.now()),
        )
        request = RenewCertificateRequest(envelope=wrap(renewal, self.envelope_key))
        answer = await self.gateway.call(RENEW_CERTIFICATE, request, seconds=CALL_SECONDS)
        issued = thumbprint(answer.certificate_chain)
        await self.acts.check_issued(answer.receipt, Kind.CERTIFICATE_RENEWED, issued)
        await asyncio.to_thread(
            accept_renewal, self.state, chain=answer.certificate_chain, generation=answer.generation
        )
        self.took_over()
        _LOG.info("certificate renewed", extra={"generation": answer.generation})


def due(identity: ChannelIdentityFiles, random_bytes: RandomBytes) -> datetime:
    """When to renew: two thirds into the certificate's life, give or take a twentieth of it."""
    life = identity.expires - identity.effective
    jitter = int.from_bytes(random_bytes(2), "big") / 0xFFFF - 0.5
    return identity.effective + life * (2 / 3 + jitter / 10)
