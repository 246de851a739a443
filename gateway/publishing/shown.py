"""Checkpoints that adapters show when they link: whether one proves that the log's database was put back.

Decides what counts as proof, and how long a start waits for one. A note that the log's own key signed, over more
entries than the log has, is proof by itself, whoever shows it: one honest county is enough, and no number of dishonest
ones can make it. A note of a closed log (a declared loss) was signed by another key, and proves nothing of this one.
One that covers no more than there is may be of another history; that is for witnesses to say, who are sent each new
checkpoint.

A put-back log must not grow before somebody could say so: its next entries would be a second history. So after a start
no entry is written before somebody who knows the log was heard; the start's own entries neither:

1. where every agency that has entries in this log, or attested to them, has linked: at once. One that was revoked
   cannot, and is not waited for; one whose witness found two histories links all the same. Of an agency that attested,
   an adapter that has no checkpoint of this log to show was made anew or put back, knows nothing of it and is no answer
2. after some seconds, where others have cosigned the log as it is since: as many as the settings want, one at least. A
   witness that knows more does not cosign less; one that knew nothing when it was first asked does not count.
3. where nobody can come: when the operator says so (`recover --unheard`), after the same seconds; the log says so then

That the log was healed opens nothing: whoever puts the gateway back puts the mirror back beside it, and what witnesses
said before the heal stands in files of the operator's alone. A log that no agency has used has nobody to ask, and a
directory put back to then begins at once; those who had joined prove it when they dial, unknown as they are.

Seconds alone never begin: whoever shuts the network for them would get a second history signed. Listeners are open
meanwhile. Calls wait for the seconds and are then refused, except revocations, which are kept and carried out by the
start (`recovery.held`).
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from typing import Final

from audit.checkpoint import LogKey, parse_checkpoint
from audit.errors import EvidenceError, LogBehind
from audit.fork import read_checkpoint
from audit.log import Log, LogState
from audit.note import VerifierKey, parse_note
from gateway.protocol.names import AgencyId

ASK_SECONDS: Final = 6.0
"""An adapter whose stream ended dials again within 5 seconds."""
_LOG: Final = logging.getLogger(__name__)


class Shown:
    """Looks at what adapters show, for one log. One event loop uses it."""

    def __init__(
        self,
        log: Log,
        key: LogKey,
        *,
        stored: Callable[[], int],
        enough: Callable[[Collection[VerifierKey]], bool] = bool,
    ) -> None:
        """`stored` counts the entries in the database; it blocks. `enough`: cosignatures of these keys are enough."""
        self._log = log
        self._key = key
        self._stored = stored
        self._enough = enough
        self._awaited: set[AgencyId] = set()
        self._attested: set[AgencyId] = set()
        self._vouching: set[VerifierKey] = set()
        self._is_late = False
        self._unheard = False
        self._may_begin = asyncio.Event()
        self.decided = asyncio.Event()
        """The start is over, or calls are refused: it is late, or the process stops, which sets this."""
        self.begun = asyncio.Event()
        """What the start had to write is in the log: whoever calls may be answered. Set unless a start asks."""
        self.begun.set()

    def ask(
        self,
        agencies: Iterable[AgencyId],
        *,
        attested: Iterable[AgencyId] = (),
        seconds: float = ASK_SECONDS,
        unheard: bool = False,
    ) -> None:
        """From now on no entry is written before these have linked, or after so many seconds enough have cosigned.

        Those that `attested` to entries have cosigned them, and must have something to show. `unheard`: the operator
        said that nobody can come; seconds are enough. Nobody is answered until `begin`.
        """
        self._awaited, self._attested, self._unheard = set(agencies), set(attested), unheard
        self.begun.clear()
        if self._awaited:
            self._log.may_begin = self._may_begin
            asyncio.get_running_loop().call_later(seconds, self._consider, True)

    def begin(self) -> None:
        """What the start had to write is in the log."""
        self.begun.set()
        self.decided.set()

    async def answered(self) -> None:
        """Returns when nothing that is asked keeps entries waiting any more."""
        if self._log.may_begin is not None:
            await self._may_begin.wait()

    async def answering(self) -> bool:
        """Whether calls are answered, once that is known: not while a start is late."""
        if not self.begun.is_set():
            await self.decided.wait()
        return self.begun.is_set()

    @property
    def asks(self) -> bool:
        """A start waits for whoever knows the log."""
        return self._log.may_begin is not None and not self._may_begin.is_set()

    def waits_for(self) -> tuple[AgencyId, ...]:
        """Agencies that a late start has not heard; nothing is written until they, or enough witnesses, were."""
        return tuple(sorted(self._awaited)) if self.asks and self._is_late else ()

    def vouched(self, keys: Iterable[VerifierKey]) -> None:
        """These cosigned the log as it is, since the start."""
        self._vouching.update(keys)
        self._consider()

    def _consider(self, late: bool = False) -> None:
        self._is_late = self._is_late or late
        heard = self._is_late and (self._unheard or self._enough(self._vouching))
        if heard or not self._awaited or self._log.state is not LogState.OPEN:
            self._may_begin.set()
        elif late:
            _LOG.critical("a start waits: too few who know the log were heard", extra={"count": len(self._awaited)})
            for agency in self.waits_for():
                _LOG.warning("a start waits for an agency, or for enough witnesses", extra={"agency": agency})
            self.decided.set()

    async def hear(self, agency: AgencyId, note: str) -> None:
        """The member has linked, and showed this untrusted note: no start waits for it any more, if it knows the log.

        The note's signature is not asked for: whoever links in the agency's name speaks for its knowledge alone.
        """
        await self.look(agency, note)
        if agency not in self._attested or _is_of_entries(note, self._key.origin):
            self._awaited.discard(agency)
            self._consider()
        elif agency in self._awaited:
            _LOG.warning("an adapter that a start waits for knows of no entry", extra={"agency": agency})

    async def look(self, agency: AgencyId, note: str) -> None:
        """The log is RECOVERING if this untrusted note proves that it was put back; whoever it is that shows it.

        Also of one that this directory does not know: it may have been put back to before that agency joined.
        """
        try:
            size = _covers(note, beyond=self._log.checkpoint, key=self._key)
        except EvidenceError as fault:
            # After a declared loss an honest adapter may still show a checkpoint of the log that was closed.
            _LOG.warning("a checkpoint that is none of this log's", extra={"agency": agency, "reason": fault.reason})
            return
        if not size:
            return
        stored = await asyncio.to_thread(self._stored)
        # A batch is durable, and may be published, a moment before the log's own note covers it.
        if size > stored:
            text = f"entries are missing: a checkpoint that an adapter cosigned covers {size}, the store has {stored}"
            own = parse_note(note).only_by(self._key.verifier)
            await self._log.recover_from(own, LogBehind(text, size=stored, known_size=size))
            # Whoever it was: nobody else need be heard.
            self._consider()


async def carried_out(shown: Shown) -> None:
    """Returns once a start that goes on has written what it had to; at once where none does."""
    if not shown.asks:
        await shown.begun.wait()


def _is_of_entries(note: str, origin: str) -> bool:
    """Whether this untrusted note is of entries of the log of this origin."""
    try:
        shown = read_checkpoint(note)
    except EvidenceError:
        return False
    return shown.origin == origin and shown.size > 0


def _covers(note: str, *, beyond: str, key: LogKey) -> int:
    """Size of this untrusted note, where it is larger than of the log's own; 0 otherwise.

    Raises EvidenceError for a note that is none of this log's.
    """
    # Most adapters show one that the log covers: whether it is genuine then matters to nobody.
    if not note or read_checkpoint(note).size <= read_checkpoint(beyond).size:
        return 0
    return parse_checkpoint(note, key).size
