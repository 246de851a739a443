"""Checkpoints that adapters show when they link: whether one proves that the log's database was put back.

Decides what counts as proof, and how long a start waits for one. A note that the log's own key signed, over more
entries than the log has, is proof by itself, whoever shows it: one honest county is enough, and no number of dishonest
ones can make it. A note of a closed log (a declared loss) was signed by another key, and proves nothing of this one.
One that covers no more than there is may be of another history; that is for witnesses to say, who are sent each new
checkpoint.

A put-back log must not grow before somebody could say so: its next entries would be a second history. So after a start
no entry is written before every adapter that ever attested to this log has linked again, or a few seconds have passed;
the start's own entries neither. So listeners are open before they are written, and calls wait until they are (`begun`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from audit.checkpoint import LogKey, parse_checkpoint
from audit.errors import EvidenceError, LogBehind
from audit.fork import read_checkpoint
from audit.log import Log, LogState
from audit.note import parse_note
from gateway.protocol.names import AgencyId

ASK_SECONDS: Final = 6.0
"""An adapter whose stream ended dials again within 5 seconds."""
_LOG: Final = logging.getLogger(__name__)


class Shown:
    """Looks at what adapters show, for one log. One event loop uses it."""

    def __init__(self, log: Log, key: LogKey, *, stored: Callable[[], int]) -> None:
        """`stored` counts the entries in the database; it blocks."""
        self._log = log
        self._key = key
        self._stored = stored
        self._awaited: set[AgencyId] = set()
        self._may_begin = asyncio.Event()
        self.begun = asyncio.Event()
        """What the start had to write is in the log: whoever calls may be answered. Set unless a start asks."""
        self.begun.set()

    def ask(self, agencies: Iterable[AgencyId], *, seconds: float = ASK_SECONDS) -> None:
        """From now on no entry is written before these have linked, or so many seconds have passed.

        Nobody is answered until the caller sets `begun`.
        """
        self._awaited = set(agencies)
        self.begun.clear()
        if self._awaited:
            self._log.may_begin = self._may_begin
            asyncio.get_running_loop().call_later(seconds, self._may_begin.set)

    async def answered(self) -> None:
        """Returns when nothing that is asked keeps entries waiting any more."""
        if self._log.may_begin is not None:
            await self._may_begin.wait()

    async def look(self, agency: AgencyId, note: str) -> None:
        """The log is RECOVERING if this untrusted note proves that it was put back."""
        try:
            await self._compare(note)
        except EvidenceError as fault:
            # After a declared loss an honest adapter may still show a checkpoint of the log that was closed.
            _LOG.warning("a checkpoint that is none of this log's", extra={"agency": agency, "reason": fault.reason})
        self._awaited.discard(agency)
        if not self._awaited or self._log.state is not LogState.OPEN:
            self._may_begin.set()

    async def _compare(self, note: str) -> None:
        """Raises EvidenceError for a note that is none of this log's."""
        # Most adapters show one that the log covers: whether it is genuine then matters to nobody.
        if not note or read_checkpoint(note).size <= read_checkpoint(self._log.checkpoint).size:
            return
        size = parse_checkpoint(note, self._key).size
        stored = await asyncio.to_thread(self._stored)
        # A batch is durable, and may be published, a moment before the log's own note covers it.
        if size > stored:
            text = f"entries are missing: a checkpoint that an adapter cosigned covers {size}, the store has {stored}"
            own = parse_note(note).only_by(self._key.verifier)
            await self._log.recover_from(own, LogBehind(text, size=stored, known_size=size))
