"""The load: so many calls outstanding at all times (closed loop), or one at every tick of a clock (open loop).

Decides how calls are spread over connections and how long each took. One thread and one selector for all connections,
so that the generator takes one core at most. Requests are made beforehand (`requests`), because signing them is the
caller's cost; replies are kept and judged afterwards (`verify`), because that is the caller's cost too.

Closed loop: a slow answer delays the next question, so the latencies are those of callers who wait for each other, not
of callers who come when they come (coordinated omission). Open loop: a call's time runs from the tick at which it was
due, whether or not it could be sent then.
"""

import gc
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.bench.conversation import Conversation
from tests.bench.http2 import Calls, ProtocolBroken

SECONDS_WITHOUT_ANSWER: Final = 20.0


@dataclass(frozen=True, slots=True)
class Peer:
    """A server and who speaks to it, by files in PEM."""

    host: str
    port: int
    roots: Path
    chain: Path
    key: Path

    def connect(self) -> ssl.SSLSocket:
        """A TLS 1.3 connection that speaks HTTP/2."""
        context = ssl.create_default_context(cafile=str(self.roots))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.chain, self.key)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((self.host, self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=self.host)


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load brought."""

    seconds: float
    """From the first question to the last answer."""
    latencies: tuple[float, ...] = field(repr=False)
    """Milliseconds, ascending."""
    replies: tuple[bytes, ...] = field(repr=False)
    """In the order of the requests."""
    own_cpu: float
    """Processor seconds of the generator."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.replies) / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds within which this share of calls was answered."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class Generator:
    """Connected and ready; a context manager that closes its connections."""

    def __init__(self, peer: Peer, path: str, *, connections: int, streamed: bool = False) -> None:
        """`streamed`: questions go over one stream a connection, and are not calls of their own."""
        speaks = Conversation if streamed else Calls
        self._calls = [speaks(peer.connect(), path=path, authority=peer.host) for _ in range(connections)]
        self._selector = selectors.DefaultSelector()
        for calls in self._calls:
            calls.connection.setblocking(False)
            self._selector.register(calls.connection, selectors.EVENT_READ, calls)
        self._sent: list[float] = []
        self._latencies: list[float] = []
        self._replies: list[bytes] = []
        self._until(lambda: all(calls.settled for calls in self._calls))

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for calls in self._calls:
            calls.connection.close()

    def closed_loop(self, requests: Sequence[bytes], *, outstanding: int) -> Load:
        """Every request is answered, with so many outstanding at any time. Raises `ProtocolBroken`."""
        waiting = iter(enumerate(requests))
        each = outstanding // len(self._calls)

        def refill(calls: Calls) -> None:
            while calls.open < each and (following := next(waiting, None)) is not None:
                self._sent[following[0]] = time.perf_counter()
                calls.ask(*following)

        return self._run(len(requests), refill)

    def open_loop(self, requests: Sequence[bytes], *, a_second: float) -> Load:
        """Every request is answered; each was due at its tick. Raises `ProtocolBroken`."""
        started = time.perf_counter()
        self._sent = [started + number / a_second for number in range(len(requests))]
        waiting = iter(enumerate(requests))
        following = next(waiting, None)

        def due() -> float | None:
            nonlocal following
            while following is not None and self._sent[following[0]] <= time.perf_counter():
                min(self._calls, key=lambda calls: calls.open).ask(*following)
                following = next(waiting, None)
            return None if following is None else self._sent[following[0]]

        return self._run(len(requests), lambda _: None, due=due)

    def _run(
        self, count: int, refill: Callable[[Calls], None], *, due: Callable[[], float | None] = lambda: None
    ) -> Load:
        self._latencies, self._replies = [0.0] * count, [b""] * count
        self._sent = self._sent or [0.0] * count
        left = count

        def finished() -> bool:
            nonlocal left
            for calls in self._calls:
                left -= self._take(calls)
                refill(calls)
            return left == 0

        with _undisturbed():
            cpu, started = time.process_time(), time.perf_counter()
            self._until(finished, due=due)
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        self._sent = []
        return Load(seconds, tuple(sorted(self._latencies)), tuple(self._replies), cpu)

    def _take(self, calls: Calls) -> int:
        done, calls.done = calls.done, []
        now = time.perf_counter()
        for number, reply in done:
            self._latencies[number] = (now - self._sent[number]) * 1e3
            self._replies[number] = reply
        return len(done)

    def _until(self, finished: Callable[[], bool], *, due: Callable[[], float | None] = lambda: None) -> None:
        last = time.perf_counter()
        while not finished():
            tick = due()
            for calls in self._calls:
                full = calls.flush()
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE if full else 0)
                if self._selector.get_key(calls.connection).events != events:
                    self._selector.modify(calls.connection, events, calls)
            pause = SECONDS_WITHOUT_ANSWER if tick is None else max(0.0, tick - time.perf_counter())
            for key, _ in self._selector.select(pause):
                key.data.receive()
                last = time.perf_counter()
            if time.perf_counter() - last > SECONDS_WITHOUT_ANSWER:
                raise ProtocolBroken("the server no longer answers")


def connections_for(outstanding: int) -> int:
    """How many connections carry so many outstanding calls: up to eight, evenly filled."""
    return min(8, outstanding)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No collection of garbage in between."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
