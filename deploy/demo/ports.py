"""Free ports for the processes whose address others must know before they run.

Decides the range: below the one from which the system takes ports for outgoing connections. A client that redials a
port of that range while nobody listens can be connected to itself, and then the server cannot come back.
"""

import random
import socket
from typing import Final

_RANGE: Final = range(20_000, 32_000)
_TRIES: Final = 200


def free_addresses(count: int) -> tuple[str, ...]:
    """So many different `127.0.0.1:port` on which nobody listens now. Raises `OSError` when none are found."""
    found: list[str] = []
    for port in random.SystemRandom().sample(_RANGE, _TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(f"127.0.0.1:{port}")
        if len(found) == count:
            return tuple(found)
    raise OSError(f"no {count} free ports among {_TRIES} tried on 127.0.0.1")
