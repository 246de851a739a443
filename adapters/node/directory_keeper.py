"""Keeps the directory: fetched from the gateway, believed only with every pinned signature, never going back.

Decides which directory is in force here. The highest version ever accepted is on disk, so that a restart does not make
an old directory (with a revoked key in it) acceptable again; one that names another log counts only where that log
lawfully goes on (`succession`). When the gateway offers something that does not count, the one in force stays and the
fault is visible.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from adapters.node.errors import Missing, NotReady
from adapters.node.identifiers import Clock
from adapters.node.rpcs import GET_DIRECTORY, Caller, CallFailed
from adapters.node.store import Store, get_setting, put_setting
from adapters.node.succession import DIRECTORY, Cosigned, begin_log, check_first, check_succession, join_log, log_of
from audit.checkpoint import LogKey
from gateway.protocol.directory import DirectoryInvalid, DirectoryView, KeyUnknown, Pins, open_directory
from gateway.protocol.names import AgencyId
from gateway.protocol.parse import MalformedMessage, parse
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE, GetDirectoryRequest, SignedDirectory

CALL_SECONDS: Final = 10.0
EAGER_SECONDS: Final = 0.5
"""Pause between questions while no directory lists this agency."""
CALM_SECONDS: Final = 60.0
"""Pause otherwise; changes are announced over the link, this is for announcements that were lost."""
_LOG: Final = logging.getLogger(__name__)


class DirectoryKeeper:
    """The directory in force, and the task that keeps it new."""

    def __init__(
        self,
        *,
        store: Store,
        pins: Pins,
        log: LogKey,
        gateway: Caller,
        is_listed: Callable[[DirectoryView], bool],
        cosigned: Cosigned = lambda _: None,
    ) -> None:
        """Holds the stored directory, if there is one and it counts under these pins; `log` is that of joining."""
        self._cosigned = cosigned
        self._store = store
        self._pins = pins
        self._joined = log
        self._gateway = gateway
        self._is_listed = is_listed
        self._changed = asyncio.Event()
        self._poked = asyncio.Event()
        self.fault = ""
        """Why the last offered directory was refused: a constant word; empty when it was not."""
        self._view = self._stored()

    def current(self) -> DirectoryView:
        """The directory in force. Raises `NotReady` while there is none or it does not list this agency."""
        if self._view is None:
            raise NotReady(Missing.DIRECTORY)
        if not self._is_listed(self._view):
            raise NotReady(Missing.LISTING)
        return self._view

    @property
    def log(self) -> LogKey:
        """The exchange's log: of the directory in force, or that of joining while there is none."""
        return log_of(self._view) if self._view is not None else self._joined

    @property
    def version(self) -> int:
        """Version in force; 0 for none."""
        return self._view.version if self._view is not None else 0

    def poke(self) -> None:
        """The next refresh happens at once."""
        self._poked.set()

    async def newer_than(self, version: int) -> None:
        """Returns once another version than this one is in force."""
        while self.version == version:
            await self._changed.wait()

    async def refresh(self) -> None:
        """The newest directory the gateway offers is in force, if it counts. Raises `CallFailed`."""
        request = GetDirectoryRequest(known_version=self.version)
        answer = await self._gateway.call(GET_DIRECTORY, request, seconds=CALL_SECONDS)
        if answer.HasField("directory"):
            self._accept(answer.directory)

    async def run(self) -> None:
        """Refreshes until cancelled: eagerly until this agency is listed, then calmly and whenever poked."""
        while True:
            self._poked.clear()
            try:
                await self.refresh()
            except CallFailed as failed:
                _LOG.info("directory not refreshed", extra={"fault": failed.fault, "reason": failed.reason})
            listed = self._view is not None and self._is_listed(self._view)
            try:
                async with asyncio.timeout(CALM_SECONDS if listed else EAGER_SECONDS):
                    await self._poked.wait()
            except TimeoutError:
                continue

    def _accept(self, signed: SignedDirectory) -> None:
        try:
            view = open_directory(signed, self._pins, newer_than=self.version)
            kept = None
            if self._view is None:
                check_first(view)
            if log_of(view) != self.log:
                kept = check_succession(view, self.log, self._pins, self._cosigned)
        except DirectoryInvalid as refused:
            self.fault = refused.why
            _LOG.error("directory refused", extra={"why": refused.why})
            return
        self.fault = ""
        if view.version == self.version:
            return
        with self._store.write() as connection:
            put_setting(connection, DIRECTORY, signed.SerializeToString())
            if kept is not None:
                begin_log(connection, view.message.successions, kept=kept)
            elif self._view is None:
                join_log(connection, view.message.successions)
        self._view = view
        if kept is not None:
            _LOG.critical("the exchange's log lost entries and goes on under another origin")
        previous, self._changed = self._changed, asyncio.Event()
        previous.set()

    def _stored(self) -> DirectoryView | None:
        with self._store.read() as connection:
            raw = get_setting(connection, DIRECTORY)
        if raw is None:
            return None
        try:
            return open_directory(parse(SignedDirectory, raw), self._pins)
        except (DirectoryInvalid, MalformedMessage):
            # Pins change only by joining again; then the stored directory is another exchange's.
            self.fault = "stored"
            return None


def lists(agency: AgencyId, key_id: bytes, now: Clock) -> Callable[[DirectoryView], bool]:
    """Whether a directory lists an adapter: its agency, with the very key it signs envelopes with."""

    def listing(directory: DirectoryView) -> bool:
        try:
            directory.key(agency, KEY_USE_ENVELOPE, key_id, now())
        except KeyUnknown:
            return False
        return True

    return listing
