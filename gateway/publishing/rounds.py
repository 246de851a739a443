"""The rounds in which the log is published: derive, sign, ask the witnesses, replace the checkpoint.

Decides when a round begins (each interval; at once where a disclosure waits for it), and that a checkpoint without its
quorum is not published: readers keep seeing the last one that has it. A disk that refuses is tried again; rows that do
not hold together end the process (AUDIT §2.3), because whoever goes on then may sign what never happened.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, ParamSpec, TypeVar

from audit.errors import EvidenceError, LogBehind
from audit.fork import read_checkpoint
from audit.log import Log, LogState
from audit.note import Note
from audit.policy import Policy
from audit.publish import Prepared, Publisher
from audit.quorum import ALARMING, Gathered, Quorum, Standing, WitnessPeer
from audit.reader import Reader, Selection
from gateway.publishing.cosigned_sizes import CosignedSizes
from gateway.publishing.shown import Shown
from gateway.publishing.witnessed import Witnessed

P = ParamSpec("P")
Result = TypeVar("Result")
_LOG: Final = logging.getLogger(__name__)


class Rounds:
    """Publishes one log until cancelled."""

    def __init__(
        self,
        publisher: Publisher,
        reader: Reader,
        *,
        peers: Callable[[], Iterable[WitnessPeer]],
        policy: Callable[[], Policy],
        witnessed: Witnessed,
        interval_seconds: float,
        sizes: CosignedSizes,
        log: Log | None = None,
        shown: Shown | None = None,
    ) -> None:
        """`peers` are the witnesses that can be asked now. The reader is also the publisher's, and closed here.

        `sizes` keeps what they cosigned.

        `log` is told when its rows do not hold together, or when witnesses know more of it than the store does; `shown`
        who cosigned it as it is, while a start waits for that.
        """
        self._publisher = publisher
        self._reader = reader
        self._peers = peers
        self._policy = policy
        self._witnessed = witnessed
        self._interval = interval_seconds
        self._sizes = sizes
        self._log = log
        self._shown = shown
        # Of the moment: a witness that somebody showed a newer checkpoint since a round began knows no more of the log.
        size = (lambda: 0) if log is None else (lambda: read_checkpoint(log.checkpoint).size)
        self._quorum = Quorum(lambda old, to: _in_thread(publisher.consistency, old, to), size=size)
        self.standings: dict[str, Standing] = {}

    async def begin(self) -> None:
        """Whether disclosure is allowed is known: what was published before counts, and what has waited since.

        So does what each witness cosigned before. Raises `StateBroken` where what was kept of that cannot be read.
        """
        self._quorum.remember(await _in_thread(self._sizes.load))
        claimed = self._publisher.claimed()
        self._witnessed.advance(claimed.size if claimed is not None else 0)
        self._witnessed.observe(await _in_thread(self._oldest_unwitnessed))

    async def run(self) -> None:
        """Publishes until cancelled. Raises EvidenceError where the rows do not hold together.

        While the log is RECOVERING nothing is published: what it has is known, and what it lacks is not here.
        """
        try:
            if not _is_recovering(self._log):
                await self._open()
            while True:
                if not _is_recovering(self._log):
                    await self._round()
                await self._pause()
        except EvidenceError as exc:
            if self._log is not None:
                self._log.fail(exc)
            raise
        finally:
            self._publisher.close()
            self._reader.close()

    async def _open(self) -> None:
        while True:
            try:
                await _in_thread(self._publisher.open)
            except OSError as exc:
                _LOG.error("log not published", extra={"kind": type(exc).__name__})
                self._publisher.close()
                await self._pause()
            else:
                return

    async def _round(self) -> None:
        try:
            prepared = await _in_thread(self._publisher.prepare)
            if prepared is not None:
                if await self._publish(prepared):
                    self._witnessed.advance(prepared.checkpoint.size)
            elif self._shown is not None and self._shown.asks and self._publisher.published is not None:
                # Nothing is new: whoever knows no more cosigns it once more, and a start waits to hear that.
                await self._gather(self._publisher.published.note)
        except OSError as exc:
            _LOG.error("log not published", extra={"kind": type(exc).__name__})
        self._witnessed.observe(await _in_thread(self._oldest_unwitnessed))

    async def _publish(self, prepared: Prepared) -> bool:
        gathered = await self._gather(prepared.note)
        if not gathered.met or _is_recovering(self._log):
            return False
        lines = {each.key: each.line for each in gathered.cosigned}
        note = prepared.note.with_lines(tuple(lines.values()))
        await _in_thread(self._publisher.publish, prepared, note)
        return True

    async def _gather(self, note: Note) -> Gathered:
        policy = self._policy()
        gathered = await self._quorum.gather(note, self._peers(), policy)
        self._report(gathered)
        # Before anything that was cosigned is shown to anybody: a witness put back behind it must be found by it.
        await _in_thread(self._sizes.keep, self._quorum.remembered)
        # One dishonest witness must not stop an exchange; as many as could vouch for it may.
        self._witnessed.contradict(bool(gathered.against) and policy.is_met_by(gathered.against) and not gathered.met)
        self._consider_put_back(read_checkpoint(note.whole()).size, gathered)
        if self._shown is not None and self._shown.asks:
            self._shown.vouched(gathered.knowing)
        return gathered

    def _report(self, gathered: Gathered) -> None:
        for name, standing in gathered.standings.items():
            if self.standings.get(name) is standing:
                continue
            if standing in ALARMING:
                _LOG.critical("a witness contradicts this log", extra={"witness": name, "outcome": standing})
            elif standing is Standing.FORGOT:
                _LOG.critical("a witness was put back and needs another key", extra={"witness": name})
            else:
                _LOG.info("witness answered", extra={"witness": name, "outcome": standing})
        self.standings = dict(gathered.standings)

    def _consider_put_back(self, size: int, gathered: Gathered) -> None:
        """The log is RECOVERING if most witnesses that were asked say they know more, or too many for the quorum.

        One alone may lie, even where it is the only one linked: it costs its own voice. An honest adapter proves what
        it says (`shown`). Where too few others are left, the next entries could not be
        witnessed anyhow, and going on would grow a second history beside theirs.
        """
        ahead = sum(standing is Standing.AHEAD for standing in gathered.standings.values())
        theirs = [
            key for peer in self._peers() if gathered.standings.get(peer.name) is Standing.AHEAD for key in peer.keys
        ]
        policy = self._policy()
        honest = [each.key for each in policy.witnesses if each.key not in theirs]
        is_missed = (ahead > 1 and 2 * ahead > len(gathered.standings)) or not policy.is_met_by(honest)
        if ahead and is_missed and self._log is not None:
            text = f"entries are missing: {ahead} witnesses know more than {size}"
            self._log.recover(LogBehind(text, size=size, known_size=size + 1))

    def _oldest_unwitnessed(self) -> int | None:
        entries = self._reader.entries(Selection(start=self._witnessed.size), limit=1)
        return entries[0].time_ms if entries else None

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._witnessed.wanted.wait()
        except TimeoutError:
            pass
        self._witnessed.wanted.clear()


def _is_recovering(log: Log | None) -> bool:
    return log is not None and log.state is LogState.RECOVERING


async def _in_thread(work: Callable[P, Result], *args: P.args, **kwargs: P.kwargs) -> Result:
    """What the work gives; when cancelled, not before it has ended: its files and its connection are closed next."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
