"""What the tests of the published log share: a log with entries, and its publisher."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.cosignature import Cosigner
from audit.log import Append
from audit.publish import Prepared, Publisher
from audit.reader import Reader
from tests.integration.log_kit import SIGNER, LogHome, draft, sqlite_home


def fill(home: LogHome, count: int, *, start: int = 0) -> None:
    """The log has `count` entries more."""

    async def write() -> None:
        log = home.open()
        await asyncio.gather(*(log.append(Append(draft(str(at)))) for at in range(start, start + count)))
        await log.close()

    asyncio.run(write())


def filled_home(directory: Path, count: int) -> LogHome:
    """Returns a log of `count` entries on SQLite."""
    directory.mkdir(parents=True, exist_ok=True)
    home = sqlite_home(directory)
    fill(home, count)
    return home


class Publishing:
    """A publisher on a log, as a context."""

    def __init__(self, home: LogHome, directory: Path) -> None:
        self.reader = Reader(home.store)
        self.publisher = Publisher(self.reader, directory, signer=SIGNER)

    def __enter__(self) -> Publisher:
        self.publisher.open()
        return self.publisher

    def __exit__(self, *_: object) -> None:
        self.publisher.close()
        self.reader.close()


def publish(home: LogHome, directory: Path) -> Prepared | None:
    """What is stored is published, without witnesses."""
    with Publishing(home, directory) as publisher:
        prepared = publisher.prepare()
        if prepared is not None:
            publisher.publish(prepared, prepared.note)
        return prepared


def witness() -> Cosigner:
    """Returns the one invented witness of these tests."""
    return Cosigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(b"w" * 32))


def cosigned(home: LogHome, directory: Path) -> None:
    """What is stored is published under the witness's cosignature."""
    with Publishing(home, directory) as publisher:
        prepared = publisher.prepare()
        assert prepared is not None
        line = witness().sign(prepared.checkpoint, 1_790_000_000)
        publisher.publish(prepared, prepared.note.with_lines((line,)))


def some_receipts(home: LogHome, directory: Path, count: int) -> None:
    """The log has `count` entries more, whose receipts are in the files 0.tlog-proof, 1.tlog-proof, ..."""

    async def write() -> None:
        log = home.open()
        for at in range(count):
            appended = await log.append(Append(draft(str(at))))
            (directory / f"{at}.tlog-proof").write_text(appended.receipt().text())
        await log.close()

    asyncio.run(write())


@contextmanager
def answering(server: ThreadingHTTPServer) -> Iterator[str]:
    """The server answers; gives its prefix."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
