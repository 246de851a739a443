"""How a call ends: counted once, in the log when it failed, and with a constant status.

Decides what the peer of a failed call is told, for unary calls and for each question of a stream alike.
"""

import logging
import time
from typing import Final

from google.rpc import status_pb2

from gateway.errors import Error
from gateway.rpc.status import INTERNAL, status_of
from homeward.counting import CANCELLED, OK, CallRecorder
from homeward.counting import INTERNAL as INTERNAL_REASON

log: Final = logging.getLogger(__name__)


class Ending:
    """The end of one call of a method, from its begin."""

    __slots__ = ("_name", "_recorder", "_started")

    def __init__(self, recorder: CallRecorder, name: str) -> None:
        self._recorder = recorder
        self._name = name
        self._started = time.monotonic()

    def answered(self) -> None:
        """It was answered."""
        self._recorder.record(self._name, OK, time.monotonic() - self._started)

    def cancelled(self) -> None:
        """The peer gave it up."""
        self._recorder.record(self._name, CANCELLED, time.monotonic() - self._started)

    def failed(self, failure: Exception) -> status_pb2.Status:
        """It failed so; returns what the peer is told."""
        seconds = time.monotonic() - self._started
        told = {"method": self._name, "milliseconds": int(seconds * 1000)}
        if isinstance(failure, Error):
            self._recorder.record(self._name, failure.reason, seconds)
            log.info("call refused", extra=told | {"reason": failure.reason})
            return status_of(failure)
        self._recorder.record(self._name, INTERNAL_REASON, seconds)
        # The type alone: an exception's text may hold what the handler was working on.
        log.error("handler failed", extra=told | {"exception_type": type(failure).__name__})
        return INTERNAL
