"""Witnesses that are no adapters: whoever the policy gives an address for, asked over HTTP (C2SP tlog-witness).

Decides that one is asked once at a time, in a thread, and that a slow one is silent rather than waited for.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from audit.errors import EvidenceError
from audit.note import VerifierKey
from audit.policy import Policy, Witness
from audit.quorum import WAIT_SECONDS, WitnessSilent
from audit.witness_http import HttpWitness

_SECONDS: Final = WAIT_SECONDS - 1


class OutsideWitness:
    """`audit.quorum.WitnessPeer` over HTTP."""

    def __init__(self, witness: Witness) -> None:
        """Raises EvidenceError where the policy's address is none."""
        self._http = HttpWitness(witness.url, seconds=_SECONDS)
        self._turn = asyncio.Lock()
        self.name = witness.key.name
        self.keys: Sequence[VerifierKey] = (witness.key,)

    async def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Status and body of its untrusted answer. Raises `WitnessSilent`."""
        if self._turn.locked():
            # The request before this one still runs in its thread.
            raise WitnessSilent(self.name)
        try:
            answer = await asyncio.shield(self._asked(body))
        except EvidenceError as exc:
            raise WitnessSilent(self.name) from exc
        return answer

    def close(self) -> None:
        """The connection is closed."""
        self._http.close()

    async def _asked(self, body: bytes) -> tuple[int, bytes]:
        async with self._turn:
            answer = await asyncio.to_thread(self._http.add_checkpoint, body)
            return answer.status, answer.body


def outside_witnesses(policy: Policy) -> tuple[OutsideWitness, ...]:
    """Those of the policy that have an address."""
    return tuple(OutsideWitness(witness) for witness in policy.witnesses if witness.url)
