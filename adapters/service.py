"""Runs one adapter: starts its parts in order, says when it is ready, and stops it without losing what is under way.

    read the file  ->  assemble  ->  read the sources once  ->  listen  ->  run  ->  one readiness line  ->  stop

Decides the order, and that a part which ends for a reason nobody foresaw ends the process with one clear line: an
adapter that runs half answers half. What can be foreseen (a gateway that is down, a source that refuses) each part
handles itself and shows in its status. Standard output carries the readiness line and nothing else.
"""

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy.exc import OperationalError

from adapters.as_joined import check_sources
from adapters.config import AdapterConfig, read_config, unreadable
from adapters.keyring import KeyFileUnusable
from adapters.local.address_file import remove_address, write_address
from adapters.local.server import LocalServer, PortTaken, serve
from adapters.membership import LOCK_FILE, MembershipInvalid, read_membership
from adapters.node.batches import Progress
from adapters.node.errors import HolderUnavailable, NotReady
from adapters.node.renew import IdentityLocked
from adapters.node.rpcs import CallFailed
from adapters.node.source import SourceUnusable
from adapters.node.store import StoreUnsafe, is_busy
from adapters.staff_keys import KeysNeeded
from adapters.telemetry import call_counts, figures
from adapters.telling import LINE_SECONDS, Telling
from adapters.wiring import Adapter, build
from gateway.protocol.strict_yaml import DocumentErrors
from homeward.alone import NotAlone, alone
from homeward.counting import CallRecorder, Figures
from homeward.failure import CommandFailure, ExitCode
from homeward.logs import log_to
from homeward.observing import observed

READY_POLL_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 60.0
"""How long a registration waits for directory, pepper and holders."""
BUSY_PAUSE_SECONDS: Final = 1.0
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_LOG: Final = logging.getLogger(__name__)


async def run(file: Path) -> None:
    """The adapter of this county file ran until it was told to stop (SIGTERM, SIGINT).

    Raises `CommandFailure` where it cannot start, or a part of it failed.
    """
    log_to(sys.stderr)
    config = _read(file, keys=KeysNeeded.IF_ANSWERED)
    with _alone(config.state_directory(file)):
        adapter = _build(file, config)
        try:
            with Telling(as_json=False) as telling:
                # Where nobody watches, standard error is a log, and its lines have a form.
                adapter.registrar.progress.told = telling.told if sys.stderr.isatty() else _Logging()
                await asyncio.to_thread(refresh, adapter)
                await _serve(adapter)
        finally:
            await adapter.channels.close()
            adapter.node.store.close()
            adapter.witness.close()


async def register(file: Path, told: Callable[[Progress], None]) -> dict[str, int]:
    """Everybody is listed in every epoch that is open, and the gateway knows; returns how many in each.

    For a first registration before the adapter serves. Raises `CommandFailure`; another run goes on where it was.
    """
    log_to(sys.stderr)
    config = _read(file)
    with _alone(config.state_directory(file)):
        adapter = _build(file, config)
        adapter.registrar.progress.told = told
        keeping = [asyncio.create_task(part) for part in (adapter.node.keeper.run(), adapter.node.pepper.run())]
        try:
            await asyncio.to_thread(refresh, adapter)
            await _list_everybody(adapter)
            return {each.epoch: each.listed_count for each in adapter.epochs()}
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)
            await adapter.channels.close()
            adapter.node.store.close()
            adapter.witness.close()


async def _list_everybody(adapter: Adapter) -> None:
    registrar, until = adapter.registrar, time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await registrar.synchronize()
            await registrar.renew(seconds=float("inf"))
            await registrar.heartbeat()
            if not registrar.has_more_to_list():
                return
        except NotReady as waiting:
            if time.monotonic() > until:
                raise CommandFailure(
                    "ADAPTER-007", "nobody can be listed yet", where=str(adapter.state), why=str(waiting),
                    fix="homeward custodian status at the custodian: it may not have admitted this county",
                ) from waiting  # fmt: skip
            await asyncio.sleep(READY_POLL_SECONDS)
        except SourceUnusable as unusable:
            report = adapter.caseload.last_report
            refused = [f"{each.name}: {each.refusal.code}" for each in report.sources if each.refusal] if report else []
            raise CommandFailure(
                "ADAPTER-008", "the registration was cut off", where=str(adapter.state),
                why=f"the county's sources cannot be used ({', '.join(refused)})",
                fix="homeward adapter check says why, and what to do",
            ) from unusable  # fmt: skip
        except (CallFailed, HolderUnavailable) as failed:
            raise CommandFailure(
                "ADAPTER-008", "the registration was cut off", where=str(adapter.state), why=str(failed),
                fix="run the command again: it goes on after the last youths that were listed",
                exit_code=ExitCode.UNREACHABLE,
            ) from failed  # fmt: skip


class _Logging:
    """Says in the log how many youths are still to be listed, each ten seconds at most."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        left, now = sum(progress.due.values()), time.monotonic()
        if left and now >= self._next:
            self._next = now + LINE_SECONDS
            _LOG.info("youths are still to be listed", extra={"count": left})


def refresh(adapter: Adapter) -> None:
    """The sources were read once more; what is served is the newest reading that could be used."""
    report = adapter.caseload.refresh(adapter.node.now())
    if adapter.has_sources and not report.is_in_use:
        for source in report.sources:
            if source.refusal is not None:
                words = {"source": source.name, "rule": source.refusal.code}
                # After a start there is no reading before, and nothing is answered from the sources.
                _LOG.error("a source was refused; the reading before, if there is one, stays in use", extra=words)


async def _serve(adapter: Adapter) -> None:
    async def taken() -> Figures:
        return figures(adapter.status(), now=adapter.node.now())

    async with observed(
        adapter.config.telemetry,
        name="homeward-adapter",
        agency=adapter.node.agency,
        counts=call_counts(),
        others={},
        figures=taken,
    ) as recorder:
        server = await _listen(adapter, recorder)
        write_address(adapter.state, server.address)
        try:
            await _supervise(adapter, server)
        finally:
            remove_address(adapter.state)
            await server.stop()


async def _supervise(adapter: Adapter, server: LocalServer) -> None:
    """Runs every part until the process is told to stop. What ends a part for good is raised here."""
    stopping = asyncio.create_task(_told_to_stop())
    running = {asyncio.create_task(_lasting(name, part), name=name) for name, part in _parts(adapter, server).items()}
    try:
        while True:
            done, running = await asyncio.wait({*running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for part in done - {stopping}:
                part.result()
            if stopping in done:
                _LOG.info("stopping")
                return
    except IdentityLocked as exc:
        raise CommandFailure(
            "ADAPTER-005", "the exchange locked this adapter's identity", where=str(adapter.state),
            why="two adapters renewed one certificate: the state directory was copied or restored",
            fix="was the other one yours, stop it, ask the exchange for a new invitation and "
            "join again in this directory; if you do not know, have the agency revoked and join in a new directory",
        ) from exc  # fmt: skip
    finally:
        for part in {*running, stopping}:
            part.cancel()
        await asyncio.gather(*running, stopping, return_exceptions=True)


async def _told_to_stop() -> None:
    """Returns when the process is sent SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop.set)
    try:
        await stop.wait()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


Part = Callable[[], Coroutine[Any, Any, None]]


def _parts(adapter: Adapter, server: LocalServer) -> dict[str, Part]:
    parts: dict[str, Part] = {
        "directory": adapter.node.keeper.run,
        "pepper": adapter.node.pepper.run,
        "link": adapter.link.run,
        "notices": adapter.notices.run,
        "erasure": adapter.eraser.run,
        "presenting": adapter.presenter.run,
        "renewal": adapter.renewer.run,
        "readiness": partial(_announce, adapter, server),
    }
    if adapter.has_sources:
        parts |= {
            "list": adapter.registrar.run,
            "sources": partial(_keep_refreshed, adapter),
            "epochs": partial(_list_anew, adapter),
        }
    return parts


async def _lasting(name: str, part: Part) -> None:
    """The part, begun again where somebody else, a backup or a shell, held the adapter's database for long."""
    while True:
        try:
            return await part()
        except OperationalError as exc:
            if not is_busy(exc):
                raise
            _LOG.warning("the adapter's database was in use; a part begins again", extra={"kind": name})
            await asyncio.sleep(BUSY_PAUSE_SECONDS)


async def _keep_refreshed(adapter: Adapter) -> None:
    while True:
        await asyncio.sleep(adapter.config.refresh.total_seconds())
        await asyncio.to_thread(refresh, adapter)
        adapter.registrar.poke()


async def _list_anew(adapter: Adapter) -> None:
    """A new directory may name another epoch, in which the list begins at once."""
    while True:
        await adapter.node.keeper.newer_than(adapter.node.keeper.version)
        adapter.registrar.poke()


async def _announce(adapter: Adapter, server: LocalServer) -> None:
    """Prints the readiness line once, when county systems can ask and other counties can be answered."""
    while not adapter.is_ready():  # noqa: ASYNC110 - readiness is a state of five parts, none of which knows the rest
        await asyncio.sleep(READY_POLL_SECONDS)
    line = {
        "event": "ready",
        "agency": adapter.node.agency,
        "local": server.address,
        "listed": adapter.listed_count(),
        "policy": adapter.node.bundle.version,
        "counsel_confirmed": adapter.node.bundle.counsel_confirmed,
        "sole_operators": list(adapter.sole_operators()),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _listen(adapter: Adapter, recorder: CallRecorder) -> LocalServer:
    config = adapter.config
    try:
        return await serve(
            adapter.edges,
            config.listen,
            sandbox=config.sandbox,
            staff=adapter.staff,
            status=adapter.status,
            state=adapter.state,
            recorder=recorder,
            now=adapter.node.now,
        )
    except PortTaken as exc:
        raise CommandFailure(
            "ADAPTER-004", "the adapter cannot listen", where=config.listen,
            why="the address is in use or not of this machine", fix="stop the other process, or change listen",
            exit_code=ExitCode.FAILED,
        ) from exc  # fmt: skip


def _read(file: Path, *, keys: KeysNeeded = KeysNeeded.LATER) -> AdapterConfig:
    try:
        return read_config(file, keys=keys)
    except DocumentErrors as errors:
        raise CommandFailure(
            "ADAPTER-001", "the county file has problems", where=str(file), why=str(errors),
            fix=f"homeward adapter check --config {file} shows each with its line",
        ) from errors  # fmt: skip
    except OSError as exc:
        raise unreadable(file, exc) from exc


@contextmanager
def _alone(state: Path) -> Iterator[None]:
    # Two of one identity would take the link from each other for ever, and neither would be of use to the county.
    try:
        with alone(state / LOCK_FILE):
            yield
    except NotAlone as exc:
        raise CommandFailure(
            "ADAPTER-006", "this adapter is running already", where=str(state),
            why="another process uses this state directory",
            fix="stop that one first; homeward adapter status asks it how it is",
        ) from exc  # fmt: skip
    except FileNotFoundError as exc:
        raise _not_joined(state, "there is no such directory") from exc


def _not_joined(state: Path, why: str) -> CommandFailure:
    return CommandFailure(
        "ADAPTER-002", "this adapter has not joined an exchange", where=str(state), why=why,
        fix="ask the exchange for an invitation and run homeward join with it",
    )  # fmt: skip


def _build(file: Path, config: AdapterConfig) -> Adapter:
    state = config.state_directory(file)
    try:
        check_sources(read_membership(state), file, has_sources=bool(config.sources))
        return build(
            config,
            file,
            environment=os.environ,
            now=lambda: datetime.now(UTC),
            random_bytes=secrets.token_bytes,
            monotonic=time.monotonic,
        )
    except (FileNotFoundError, MembershipInvalid) as exc:
        raise _not_joined(state, _why(exc)) from exc
    except (KeyFileUnusable, StoreUnsafe) as exc:
        raise CommandFailure(
            "ADAPTER-003", "the state directory cannot be used", where=str(state), why=str(exc),
            fix="restore it from its backup; without one the exchange must revoke the agency before it can join anew",
        ) from exc  # fmt: skip


def _why(error: Exception) -> str:
    return error.why if isinstance(error, MembershipInvalid) else "there is no member.json"
