"""Keeps the mirror of a log while its process serves: one round after the other, each in a process of its own.

Decides when a round begins, and what its end says of the mirror. A process of its own, because a thread that waits for
storage which hangs would hold up the end of this process, and because a round reads the whole log: whoever asks a
question must feel neither. A mirror that is not kept stops nothing: log lines, figures and `status` say it, and only a
database that is lost meanwhile makes it a loss.
"""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.config import Mirror
from gateway.recovery.target import MirrorFault
from homeward.gateway.v1.admin_pb2 import MirrorStatus

PATIENCE: Final = timedelta(minutes=10)
REST: Final = 9
"""A round is followed by a rest of so many times its own length."""
_END_SECONDS: Final = 2.0
_LOG: Final = logging.getLogger(__name__)


def round_command(directory: Path) -> tuple[str, ...]:
    """What one round of the mirror of this process's directory is run by."""
    # -P: the directory that the process was started in has no modules of ours.
    return sys.executable, "-P", "-m", "gateway.recovery.mirror_round", str(directory.absolute())


class Mirroring:
    """The mirror of one log. One event loop uses it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        every: timedelta,
        now: Callable[[], datetime],
        patience: timedelta = PATIENCE,
        rest: int = REST,
    ) -> None:
        """`command` makes one round; one that takes longer than `patience` is a fault until it ends."""
        self._command = tuple(command)
        self._every = every
        self._now = now
        self._patience = patience
        self._rest = rest
        self._size = 0
        self._kept: datetime | None = None
        self._fault: MirrorFault | None = None
        self._failing: datetime | None = None

    async def run(self) -> None:
        """Keeps the mirror until cancelled; a round under way is then ended, and the mirror is the one before."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            await self._round()
            await asyncio.sleep(max(self._every.total_seconds(), self._rest * (clock() - began)))

    def status(self, log_size: int) -> MirrorStatus:
        """What the operator sees of it, beside a log of this size."""
        status = MirrorStatus(mirrored_size=self._size, behind_count=max(0, log_size - self._size))
        if self._kept is not None:
            status.kept = True
            status.age_seconds = self._since(self._kept)
        if self._fault is not None and self._failing is not None:
            status.fault, status.failing_seconds = self._fault, self._since(self._failing)
        return status

    async def _round(self) -> None:
        try:
            child = await asyncio.create_subprocess_exec(*self._command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
        except OSError:
            self._failed(MirrorFault.ENDED)
            return
        ending = asyncio.ensure_future(child.communicate())
        try:
            await asyncio.wait({ending}, timeout=self._patience.total_seconds())
            if not ending.done():
                self._failed(MirrorFault.SLOW)
            said, _ = await ending
        finally:
            if child.returncode is None:
                await _end(child)
        self._note(said)

    def _note(self, said: bytes) -> None:
        try:
            told = json.loads(said)
            if "fault" in told:
                self._failed(MirrorFault(told["fault"]))
                return
            size = int(told["size"])
        except (ValueError, KeyError, TypeError):
            self._failed(MirrorFault.ENDED)
            return
        if self._fault is not None:
            _LOG.warning("the mirror of the log is kept again", extra={"reason": self._fault})
        self._size, self._kept, self._fault, self._failing = size, self._now(), None, None

    def _failed(self, fault: MirrorFault) -> None:
        if fault is not self._fault:
            _LOG.error("the mirror of the log is not kept", extra={"reason": fault})
        self._fault, self._failing = fault, self._failing or self._now()

    def _since(self, moment: datetime) -> int:
        return max(0, int((self._now() - moment).total_seconds()))


def mirroring_of(directory: Path, mirror: Mirror | None, *, now: Callable[[], datetime]) -> Mirroring | None:
    """What keeps the mirror that the settings in this directory ask for; None where they ask for none."""
    return Mirroring(round_command(directory), every=mirror.every, now=now) if mirror is not None else None


@asynccontextmanager
async def keeping(mirroring: Mirroring | None) -> AsyncIterator[None]:
    """The mirror is kept while the context lasts. Its end waits for nobody: not for storage that hangs either."""
    if mirroring is None:
        yield
        return
    task = asyncio.create_task(mirroring.run())
    task.add_done_callback(_tell)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _tell(task: asyncio.Task[None]) -> None:
    """Whatever ends the keeping ends it alone, and not the process."""
    failure = None if task.cancelled() else task.exception()
    if failure is not None:
        _LOG.critical("the mirror is kept no longer", extra={"exception_type": type(failure).__name__})


async def _end(child: Process) -> None:
    """The round is killed; where the kernel does not let it go, nobody waits."""
    with suppress(ProcessLookupError):
        child.kill()
    with suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), _END_SECONDS)
